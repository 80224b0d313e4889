// SPDX-License-Identifier: MIT
#include "access/secret_file.h"

#include "access/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *remedy_for(int cause)
{
    switch (-cause) {
    case ENOENT: return "there is no such file: make it with `bud passwd -c`, or correct the name";
    case EACCES: return "let the user that the broker runs as read it (chown, chmod)";
    case ELOOP:
        return "it is a symlink: name the file itself, or set MOSQUITTO_UNSAFE_ALLOW_SYMLINKS=1";
    case EISDIR:
    case EINVAL: return "it is no regular file";
    case EFBIG: return "it is larger than 256 MB";
    case EMFILE:
    case ENFILE: return "raise the limit of open files (ulimit -n)";
    case ENOMEM: return "no memory for it";
    default: return "see what is the matter with it";
    }
}

int secret_file_read(const char *path, struct file_contents *ret_contents, char *error)
{
    bool follow = getenv("MOSQUITTO_UNSAFE_ALLOW_SYMLINKS") != NULL;
    int result = file_read_contents(path, follow, SECRET_FILE_SIZE_MAX, ret_contents);
    if (result < 0)
        (void)snprintf(error, ACCESS_ERROR_MAX, "cannot read %s: %s (%s)", path, strerror(-result),
                       remedy_for(result));
    return result;
}

void secret_file_done(struct file_contents *contents)
{
    secret_free(contents->data, contents->size);
    *contents = (struct file_contents){0};
}

const char *secret_file_warning(const struct file_contents *contents)
{
    if ((contents->mode & 0002) != 0)
        return "everybody on this machine can write it: chmod 0600";
    if ((contents->mode & 0004) != 0)
        return "everybody on this machine can read it: chmod 0600";
    return NULL;
}

bool text_next_line(struct bytes *rest, struct bytes *ret_line)
{
    if (rest->size == 0)
        return false;
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    *ret_line = bytes_make(rest->data, size);
    *rest = bytes_from(*rest, end != NULL ? size + 1 : size);
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bytes text_trim(struct bytes text)
{
    while (text.size > 0 && is_blank(text.data[0]))
        text = bytes_from(text, 1);
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}
