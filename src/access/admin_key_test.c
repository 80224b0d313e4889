// SPDX-License-Identifier: MIT
#include "access/admin_key.h"

#include "access/base64.h"
#include "access/secret_file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char error[ACCESS_ERROR_MAX];

static void it_is_made_once_for_its_owner(void **state)
{
    (void)state;
    char directory[] = "/tmp/bud-admin-key-XXXXXX", path[64];
    char key[ADMIN_KEY_TEXT_MAX], again[ADMIN_KEY_TEXT_MAX] = "untouched";
    bool is_new;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/admin.key", directory);
    assert_int_equal(admin_key_ensure(directory, key, &is_new, error), 0);
    assert_true(is_new);
    uint8_t bytes[64];
    size_t size;
    assert_true(
        base64_decode(BASE64_URL, bytes_make(key, strlen(key)), bytes, sizeof(bytes), &size));
    assert_int_equal(size, 32);
    struct file_contents contents;
    assert_int_equal(file_read_contents(path, false, 1000, &contents), 0);
    assert_int_equal(contents.mode, 0600);
    assert_int_equal(contents.size, strlen(key) + 1);
    assert_memory_equal(contents.data, key, strlen(key));
    memory_free(contents.data);
    assert_int_equal(admin_key_ensure(directory, again, &is_new, error), 0);
    assert_false(is_new);
    assert_string_equal(again, "untouched");
    assert_int_equal(unlink(path) + rmdir(directory), 0); // nothing else was left behind
}

static void where_it_cannot_be_stored_there_is_none(void **state)
{
    (void)state;
    char key[ADMIN_KEY_TEXT_MAX];
    bool is_new = true;
    assert_true(admin_key_ensure("/nowhere/at/all", key, &is_new, error) < 0);
    assert_false(is_new);
    assert_non_null(strstr(error, "/nowhere/at/all/admin.key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_made_once_for_its_owner),
        cmocka_unit_test(where_it_cannot_be_stored_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
