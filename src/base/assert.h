// SPDX-License-Identifier: MIT
// We misbehave -> stop. ASSERT stays on in release builds; NDEBUG has no say. It names the place
// and aborts.
#ifndef BUD_BASE_ASSERT_H
#define BUD_BASE_ASSERT_H

_Noreturn void assert_failed(const char *expression, const char *file, int line);

#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))

#endif
