// SPDX-License-Identifier: MIT
#include "access/admin_key.h"

#include "access/base64.h"
#include "access/secret.h"
#include "access/secret_file.h"
#include "os/file.h"
#include "os/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY_SIZE 32
#define PATH_SIZE 4096

static void make_up(char *key)
{
    uint8_t bytes[KEY_SIZE];
    random_bytes(bytes, sizeof(bytes));
    key[base64_encode(BASE64_URL, bytes_make(bytes, sizeof(bytes)), key)] = 0;
    secret_wipe(bytes, sizeof(bytes));
}

int admin_key_ensure(const char *directory, char *key, bool *ret_is_new, char *error)
{
    char path[PATH_SIZE], line[ADMIN_KEY_TEXT_MAX + 1];
    *ret_is_new = false;
    int size = snprintf(path, sizeof(path), "%s/admin.key", directory);
    int result = (size_t)size < sizeof(path) ? 0 : -ENAMETOOLONG;
    if (result == 0 && file_exists(path))
        return 0;
    make_up(key);
    (void)snprintf(line, sizeof(line), "%s\n", key);
    if (result == 0)
        result = file_make_secret(path, line, strlen(line));
    secret_wipe(line, sizeof(line));
    *ret_is_new = result == 0;
    if (result == 0 || result == -EEXIST) // somebody was faster: then it is theirs
        return 0;
    (void)snprintf(error, ACCESS_ERROR_MAX, "cannot store the admin key in %s/admin.key: %s",
                   directory, strerror(-result));
    return result;
}
