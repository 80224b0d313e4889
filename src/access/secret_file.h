// SPDX-License-Identifier: MIT
// Reading the files that decide who may come in. As Mosquitto 2.1: a symlink is not followed unless
// the environment variable MOSQUITTO_UNSAFE_ALLOW_SYMLINKS says so, and a file that others can read
// is a warning.
#ifndef BUD_ACCESS_SECRET_FILE_H
#define BUD_ACCESS_SECRET_FILE_H

#include "os/file_contents.h"
#include "proto/bytes.h"

#define ACCESS_ERROR_MAX 640
#define SECRET_FILE_SIZE_MAX ((size_t)256 << 20)

// 0 or -errno with a sentence about cause and remedy in `error` (of ACCESS_ERROR_MAX bytes).
int secret_file_read(const char *path, struct file_contents *ret_contents, char *error);
void secret_file_done(struct file_contents *contents); // wiped

// NULL, or a sentence for the log about who else can read or write the file.
const char *secret_file_warning(const struct file_contents *contents);

// The next line of `rest` without its end, which is taken off; false at the end of the text.
bool text_next_line(struct bytes *rest, struct bytes *ret_line);
struct bytes text_trim(struct bytes text); // without blanks at either end

#endif
