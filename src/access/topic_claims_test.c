// SPDX-License-Identifier: MIT
#include "access/topic_claims.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct acl *rules_of(const char *text)
{
    struct topic_claims claims = {0};
    const char *why = NULL;
    json_t *json = json_loads(text, 0, NULL);
    assert_true(topic_claims_read(json, &claims, &why));
    struct acl *acl = topic_claims_try_acl(&claims, BYTES_OF("anna"), &why);
    assert_non_null(acl);
    topic_claims_done(&claims);
    json_decref(json);
    return acl;
}

static bool may(const struct acl *acl, const char *client_id, uint8_t access, const char *topic)
{
    struct acl_subject subject = {.client_id = bytes_make(client_id, strlen(client_id)),
                                  .user = BYTES_OF("anna"),
                                  .has_user = true};
    return acl_check(acl, &subject, access, bytes_make(topic, strlen(topic)), NULL);
}

static void what_is_claimed_is_allowed_and_nothing_else(void **state)
{
    (void)state;
    struct acl *acl = rules_of("{\"publ\":[\"out/#\"],\"subs\":[\"in/+\"]}");
    assert_true(may(acl, "c", ACL_WRITE, "out/a/b"));
    assert_false(may(acl, "c", ACL_READ, "out/a/b"));
    assert_true(may(acl, "c", ACL_READ, "in/a"));
    assert_false(may(acl, "c", ACL_WRITE, "in/a"));
    assert_false(may(acl, "c", ACL_READ, "in/a/b"));
    assert_false(may(acl, "c", ACL_READ, "elsewhere"));
    acl_unref(acl);
}

static void nothing_claimed_is_nothing_allowed(void **state)
{
    (void)state;
    struct acl *acl = rules_of("{\"acl\":[]}");
    assert_false(may(acl, "c", ACL_READ, "a"));
    assert_false(may(acl, "c", ACL_WRITE, "a"));
    acl_unref(acl);
}

static void deny_goes_first_also_with_names(void **state)
{
    (void)state;
    struct acl *acl = rules_of(
        "{\"acl\":[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a/#\"},"
        "{\"permission\":\"deny\",\"action\":\"all\",\"topic\":\"a/${clientid}/secret\"}]}");
    assert_true(may(acl, "c", ACL_READ, "a/b"));
    assert_false(may(acl, "c", ACL_READ, "a/c/secret"));
    assert_false(may(acl, "c", ACL_WRITE, "a/c/secret"));
    assert_true(may(acl, "d", ACL_READ, "a/c/secret"));
    acl_unref(acl);
}

static void names_stand_for_client_and_user(void **state)
{
    (void)state;
    struct acl *acl = rules_of("{\"publ\":[\"to/${clientid}/#\",\"%u/x\",\"of-${username}\"]}");
    assert_true(may(acl, "c1", ACL_WRITE, "to/c1/a"));
    assert_false(may(acl, "c1", ACL_WRITE, "to/c2/a"));
    assert_true(may(acl, "c1", ACL_WRITE, "anna/x"));
    assert_true(may(acl, "c1", ACL_WRITE, "of-anna"));
    assert_false(may(acl, "+", ACL_WRITE, "to/c2/a"));
    assert_false(may(acl, "#", ACL_WRITE, "to/c2/a"));
    assert_false(may(acl, "c1/c2", ACL_WRITE, "to/c2/a"));
    acl_unref(acl);
}

static void what_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"publ\":[\"${cert_common_name}/a\"]}",
        "{\"publ\":[\"a/${\"]}",
        "{\"acl\":[{\"permission\":\"deny\",\"action\":\"publish\",\"topic\":\"a\"}]}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct topic_claims claims = {0};
        const char *why = NULL;
        json_t *json = json_loads(texts[i], 0, NULL);
        assert_false(topic_claims_read(json, &claims, &why));
        assert_non_null(why);
        topic_claims_done(&claims);
        json_decref(json);
    }
}

static void without_memory_there_are_no_rules(void **state)
{
    (void)state;
    struct topic_claims claims = {0};
    const char *why = NULL;
    json_t *json = json_loads("{\"publ\":[\"a\",\"b\"],\"subs\":[\"c/%c\"]}", 0, NULL);
    assert_true(topic_claims_read(json, &claims, &why));
    for (uint64_t nth = 1; nth < 30; nth++) {
        memory_fail(nth, 1);
        struct acl *acl = topic_claims_try_acl(&claims, BYTES_OF("anna"), &why);
        memory_fail(0, 0);
        assert_true(acl == NULL || may(acl, "x", ACL_READ, "c/x"));
        acl_unref(acl);
    }
    topic_claims_done(&claims);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_claimed_is_allowed_and_nothing_else),
        cmocka_unit_test(nothing_claimed_is_nothing_allowed),
        cmocka_unit_test(deny_goes_first_also_with_names),
        cmocka_unit_test(names_stand_for_client_and_user),
        cmocka_unit_test(what_cannot_be_kept_is_refused),
        cmocka_unit_test(without_memory_there_are_no_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
