// SPDX-License-Identifier: MIT
// Is this a build with sanitizers? They need system calls and files that the program itself does
// not, and want to look at the process from outside.
#ifndef BUD_OS_SANITIZER_H
#define BUD_OS_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER_IS_ON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZER_IS_ON 1
#endif
#endif
#ifndef SANITIZER_IS_ON
#define SANITIZER_IS_ON 0
#endif

#endif
