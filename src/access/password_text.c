// SPDX-License-Identifier: MIT
#include "access/password_text.h"

#include "access/secret_file.h"
#include "proto/utf8.h"

#include <string.h>

const char *password_text_check_name(struct bytes name)
{
    if (name.size == 0)
        return "is empty";
    if (name.size > UINT16_MAX)
        return "is longer than 65535 bytes";
    if (memchr(name.data, ':', name.size) != NULL)
        return "must not contain the ':' character";
    if (name.data[0] == '#' || text_trim(name).size != name.size)
        return "must not begin with '#' or have blanks around it";
    if (!utf8_well_formed(name))
        return "is not UTF-8";
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return "must not contain control characters";
    return NULL;
}

bool password_text_split(struct bytes line, struct bytes *ret_name, struct bytes *ret_secrets)
{
    const uint8_t *colon =
        line.size > 0 && line.data[0] != '#' ? memchr(line.data, ':', line.size) : NULL;
    if (colon == NULL)
        return false;
    size_t size = (size_t)(colon - line.data);
    *ret_name = text_trim(bytes_make(line.data, size));
    *ret_secrets = text_trim(bytes_from(line, size + 1));
    return true;
}

static bool append(struct buffer *out, struct bytes bytes)
{
    return bytes.size == 0 || buffer_try_append(out, bytes, SECRET_FILE_SIZE_MAX);
}

static bool append_user(struct buffer *out, struct bytes name, struct bytes secrets)
{
    return append(out, name) && append(out, BYTES_OF(":")) && append(out, secrets) &&
           append(out, BYTES_OF("\n"));
}

static bool change(struct bytes text, struct bytes name, const struct bytes *secrets,
                   struct buffer *out, bool *ret_was_there)
{
    bool found = false, ok = true;
    struct bytes line, this_name, ignored;
    while (ok && text_next_line(&text, &line)) {
        if (!password_text_split(line, &this_name, &ignored) || !bytes_equal(this_name, name))
            ok = append(out, line) && append(out, BYTES_OF("\n"));
        else {
            if (secrets != NULL && !found) // a second line of the same user goes as well
                ok = append_user(out, name, *secrets);
            found = true;
        }
    }
    if (ok && secrets != NULL && !found)
        ok = append_user(out, name, *secrets);
    *ret_was_there = found;
    return ok;
}

bool password_text_set(struct bytes text, struct bytes name, struct bytes secrets,
                       struct buffer *out, bool *ret_was_there)
{
    return change(text, name, &secrets, out, ret_was_there);
}

bool password_text_remove(struct bytes text, struct bytes name, struct buffer *out,
                          bool *ret_was_there)
{
    return change(text, name, NULL, out, ret_was_there);
}
