// SPDX-License-Identifier: MIT
// Mosquitto's ACL file, read exactly as it reads it:
//
//   user NAME                                       begins a user's section; blanks may be inside
//   topic [read|write|readwrite|deny] FILTER        of this user; before any user: of anonymous
//   pattern [read|write|readwrite|deny] FILTER      of everybody, with %c and %u
//
// Trailing white space does not count, '#' as first byte begins a comment, blank lines say nothing,
// and anything else is an error: then nothing of the file holds. An empty file gives nothing to
// anybody. Whoever writes the file is trusted.
#ifndef BUD_ACCESS_ACL_FILE_H
#define BUD_ACCESS_ACL_FILE_H

#include "access/acl.h"
#include "access/secret_file.h"

// Somebody who wants to hear of every line that is wrong (or, not an error, strange).
struct acl_listener {
    void *context;
    void (*tell)(void *context, uint32_t line, bool is_error, const char *what);
};

// 0 or -errno (-EINVAL: the contents) with a sentence in `error` (of ACCESS_ERROR_MAX bytes): the
// file, the first wrong line and what is wrong with it, the other wrong lines. `listener` may be
// NULL.
int acl_file_read(const char *path, const struct acl_listener *listener, struct acl **ret_acl,
                  char *error);
// Of text in memory; `path` is what to call it.
int acl_file_parse(const char *path, struct bytes text, const struct acl_listener *listener,
                   struct acl **ret_acl, char *error);

#endif
