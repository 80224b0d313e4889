// SPDX-License-Identifier: MIT
// Who may come in without a name, and what who may not is told.
#include "server/auth.h"

#include <arpa/inet.h>
#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct net_address address_of(const char *text)
{
    struct net_address address = {.family = 4};
    if (strcmp(text, "unix") == 0)
        address.family = 1;
    else if (strcmp(text, "unknown") == 0)
        address.family = 0;
    else if (strchr(text, ':') != NULL) {
        address.family = 6;
        assert_int_equal(inet_pton(AF_INET6, text, address.octets), 1);
    } else
        assert_int_equal(inet_pton(AF_INET, text, address.octets), 1);
    return address;
}

static enum bud_reason check(enum anonymous_rule rule, const char *from, const char **ret_why)
{
    struct auth_origin origin = {.address = address_of(from)};
    *ret_why = NULL;
    return auth_check_anonymous(rule, &origin, ret_why);
}

static const char *const near[] = {"127.0.0.1",   "127.200.1.2", "::1",     "unix",
                                   "10.0.0.7",    "172.16.0.1",  "fd00::1", "192.168.255.255",
                                   "169.254.0.9", "fe80::1"};
static const char *const far[] = {"8.8.8.8",     "172.32.0.1", "192.169.0.1", "100.64.0.1",
                                  "2001:db8::1", "::",         "0.0.0.0",     "unknown"};

static void near_and_far(void **state)
{
    (void)state;
    const char *why;
    for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
        assert_int_equal(check(ANONYMOUS_PRIVATE, near[i], &why), BUD_SUCCESS);
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        assert_int_equal(check(ANONYMOUS_PRIVATE, far[i], &why), BUD_NOT_AUTHORIZED);
        assert_non_null(strstr(why, "--allow-anonymous true")); // what to type
    }
}

static void everybody_or_nobody(void **state)
{
    (void)state;
    const char *why;
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        assert_int_equal(check(ANONYMOUS_TRUE, far[i], &why), BUD_SUCCESS);
        assert_int_equal(check(ANONYMOUS_FALSE, far[i], &why), BUD_NOT_AUTHORIZED);
        assert_non_null(strstr(why, "allow_anonymous"));
    }
    assert_int_equal(check(ANONYMOUS_FALSE, "127.0.0.1", &why), BUD_NOT_AUTHORIZED);
}

// Behind something that hides who it is everybody looks near.
static void who_may_be_anybody_is_not_near(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
        struct auth_origin hidden = {.address = address_of(near[i]), .is_hidden = true};
        struct auth_origin gateway = {.address = address_of(near[i]), .is_gateway = true};
        const char *why = NULL;
        assert_int_equal(auth_check_anonymous(ANONYMOUS_PRIVATE, &hidden, &why),
                         BUD_NOT_AUTHORIZED);
        assert_non_null(strstr(why, "--trusted-proxies"));
        assert_int_equal(auth_check_anonymous(ANONYMOUS_PRIVATE, &gateway, &why),
                         BUD_NOT_AUTHORIZED);
        assert_non_null(strstr(why, "gateway"));
        struct auth_origin page = {.address = address_of(near[i]), .has_public_name = true};
        assert_int_equal(auth_check_anonymous(ANONYMOUS_PRIVATE, &page, &why), BUD_NOT_AUTHORIZED);
        assert_non_null(strstr(why, "websockets_origin"));
        assert_int_equal(auth_check_anonymous(ANONYMOUS_TRUE, &page, &why), BUD_SUCCESS);
        assert_non_null(strstr(why, "--allow-anonymous true"));
        assert_int_equal(auth_check_anonymous(ANONYMOUS_TRUE, &hidden, &why), BUD_SUCCESS);
        assert_int_equal(auth_check_anonymous(ANONYMOUS_TRUE, &gateway, &why), BUD_SUCCESS);
    }
}

static void mechanisms_are_found_by_their_whole_name(void **state)
{
    (void)state;
    const struct auth_mechanism mechanisms[] = {{.name = "SCRAM-SHA-1"}, {.name = "SCRAM-SHA-256"}};
    struct auth auth = {.mechanisms = mechanisms, .mechanism_count = 2};
    assert_ptr_equal(auth_mechanism_find(&auth, BYTES_OF("SCRAM-SHA-1")), &mechanisms[0]);
    assert_ptr_equal(auth_mechanism_find(&auth, BYTES_OF("SCRAM-SHA-256")), &mechanisms[1]);
    static const char *const unknown[] = {"", "SCRAM-SHA", "SCRAM-SHA-2567", "scram-sha-1"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_null(auth_mechanism_find(&auth, bytes_make(unknown[i], strlen(unknown[i]))));
    assert_null(auth_mechanism_find(&auth, bytes_make("SCRAM-SHA-1\0", 12)));
    struct auth none = {0};
    assert_null(auth_mechanism_find(&none, BYTES_OF("SCRAM-SHA-1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_and_far),
        cmocka_unit_test(everybody_or_nobody),
        cmocka_unit_test(who_may_be_anybody_is_not_near),
        cmocka_unit_test(mechanisms_are_found_by_their_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
