// SPDX-License-Identifier: MIT
#include "access/password_hash.h"

#include <argon2.h>
#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct password_hash parse(const char *text)
{
    struct password_hash hash;
    const char *wrong = password_hash_parse(bytes_make(text, strlen(text)), &hash);
    if (wrong != NULL)
        fail_msg("'%s' %s", text, wrong);
    return hash;
}

static int check(const struct password_hash *hash, const char *password)
{
    return password_hash_check(hash, bytes_make(password, strlen(password)));
}

// Made by Debian's mosquitto_passwd 2.0.11 of "x", and by libargon2 of "password".
#define OLD_PBKDF2                                                                                 \
    "$7$101$IQB1r8Ud9t+KVvuB$7Ox60zcy+MeKbwRKCe62jPK8qOxWswakWaq1WP1wyyrmRsA0Dgzer1VNggtO42c+"     \
    "yLgYgXEDmev08XZuE3SCKg=="
#define ARGON2ID                                                                                   \
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/"                            \
    "0ttZwg2f/5U52iv1cDc"

static void hashes_of_others_are_understood(void **state)
{
    (void)state;
    struct password_hash hash = parse(OLD_PBKDF2);
    assert_int_equal(hash.iterations, 101);
    assert_int_equal(hash.salt_size, 12);
    assert_int_equal(check(&hash, "x"), 1);
    assert_int_equal(check(&hash, "X"), 0);
    assert_int_equal(check(&hash, ""), 0);
    hash = parse(ARGON2ID);
    assert_int_equal(hash.memory_kb, 256);
    assert_int_equal(hash.lanes, 2);
    assert_int_equal(check(&hash, "password"), 1);
    assert_int_equal(check(&hash, "passwore"), 0);
}

static void what_is_made_fits_and_nothing_else_does(void **state)
{
    (void)state;
    static const char *const passwords[] = {"", "p", "påsswörd with: colon and $dollar"};
    for (int scheme = PASSWORD_SHA512; scheme <= PASSWORD_ARGON2ID; scheme++) {
        for (size_t i = 0; i < 3; i++) {
            struct password_hash hash, again;
            char text[PASSWORD_HASH_TEXT_MAX], text_again[PASSWORD_HASH_TEXT_MAX];
            struct bytes password = bytes_make(passwords[i], strlen(passwords[i]));
            assert_int_equal(
                password_hash_make((enum password_scheme)scheme, 1000, password, &hash), 0);
            size_t size = password_hash_write(&hash, text);
            assert_int_equal(size, strlen(text));
            again = parse(text);
            assert_int_equal(password_hash_write(&again, text_again), size);
            assert_string_equal(text, text_again);
            assert_int_equal(password_hash_check(&again, password), 1);
            assert_int_equal(check(&again, "something else"), 0);
            struct password_hash dummy = password_hash_dummy(&again);
            assert_int_equal(password_hash_check(&dummy, password), 0);
        }
    }
}

static void a_nul_is_a_byte_like_any_other(void **state)
{
    (void)state;
    for (int scheme = PASSWORD_SHA512; scheme <= PASSWORD_ARGON2ID; scheme++) {
        struct password_hash hash;
        assert_int_equal(
            password_hash_make((enum password_scheme)scheme, 1, bytes_make("a\0b", 3), &hash), 0);
        assert_int_equal(password_hash_check(&hash, bytes_make("a\0b", 3)), 1);
        assert_int_equal(check(&hash, "a"), 0);
        assert_int_equal(password_hash_check(&hash, bytes_make("a\0c", 3)), 0);
        assert_int_equal(password_hash_check(&hash, bytes_make("a\0b\0", 4)), 0);
    }
}

// The library's own check agrees with what is written here, so other programs read it.
static void argon2_itself_reads_ours(void **state)
{
    (void)state;
    struct password_hash hash;
    char text[PASSWORD_HASH_TEXT_MAX];
    assert_int_equal(password_hash_make(PASSWORD_ARGON2ID, 0, BYTES_OF("secret"), &hash), 0);
    password_hash_write(&hash, text);
    assert_memory_equal(text, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_int_equal(argon2id_verify(text, "secret", 6), ARGON2_OK);
    assert_int_equal(argon2id_verify(text, "secreT", 6), ARGON2_VERIFY_MISMATCH);
}

#define SALT "c29tZXNhbHQ$"
#define SIXTEEN "AAAAAAAAAAAAAAAAAAAAAA"
#define DIGEST                                                                                     \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static void sizes_that_some_program_wrote_are_taken(void **state)
{
    (void)state;
    assert_int_equal(parse("$6$AA==$" DIGEST).salt_size, 1);
    assert_int_equal(parse("$6$AAAAAAAAAAAAAAAA$" DIGEST).salt_size, 12);
    assert_int_equal(parse("$7$1000$" DIGEST "$" DIGEST).salt_size, 64);
    assert_int_equal(parse("$argon2id$m=8,t=1,p=1$" SALT SIXTEEN).version, 0x10);
}

static void what_is_wrong_or_absurd_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "secret",
                                        "$",
                                        "$6",
                                        "$6$",
                                        "$6$$",
                                        "$5$AAAA$" DIGEST,
                                        "$2b$10$abc",
                                        "$argon2i$v=19$m=256,t=2,p=2$" SALT SIXTEEN,
                                        "$6$$" DIGEST,
                                        "$6$AAAA$",
                                        "$6$AAAA$AAAA",
                                        "$6$AAAA$" DIGEST "A",
                                        "$6$AAAA$" DIGEST "$",
                                        "$6$A*AA$" DIGEST,
                                        "$7$$AAAA$" DIGEST,
                                        "$7$0$AAAA$" DIGEST,
                                        "$7$-1$AAAA$" DIGEST,
                                        "$7$10000001$AAAA$" DIGEST,
                                        "$7$99999999999999999999$AAAA$" DIGEST,
                                        "$7$1x$AAAA$" DIGEST,
                                        "$7$ 1$AAAA$" DIGEST,
                                        "$7$1$AAAA",
                                        "$argon2id$v=19$m=1048577,t=1,p=1$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=65536,t=101,p=1$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=1048576,t=9,p=1$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=65536,t=0,p=1$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=65536,t=1,p=0$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=65536,t=1,p=65$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=7,t=1,p=1$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=15,t=1,p=2$" SALT SIXTEEN,
                                        "$argon2id$v=18$m=256,t=1,p=1$" SALT SIXTEEN,
                                        "$argon2id$v=19$t=1,m=256,p=1$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=256,t=1,p=1,keyid=AA$" SALT SIXTEEN,
                                        "$argon2id$v=19$m=256,t=1,p=1$AAAA$" SIXTEEN,
                                        "$argon2id$v=19$m=256,t=1,p=1$" SALT "AAAA",
                                        "$argon2id$v=19$m=256,t=1,p=1$" SALT SIXTEEN "==",
                                        "$argon2id$v=19$m=256,t=1,p=1$" SALT};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct password_hash hash = {.lanes = 77};
        if (password_hash_parse(bytes_make(texts[i], strlen(texts[i])), &hash) == NULL)
            fail_msg("'%s' was taken", texts[i]);
        assert_int_equal(hash.lanes, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_others_are_understood),
        cmocka_unit_test(what_is_made_fits_and_nothing_else_does),
        cmocka_unit_test(a_nul_is_a_byte_like_any_other),
        cmocka_unit_test(argon2_itself_reads_ours),
        cmocka_unit_test(sizes_that_some_program_wrote_are_taken),
        cmocka_unit_test(what_is_wrong_or_absurd_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
