// SPDX-License-Identifier: MIT
// What does it cost to ask the rules? Nanoseconds for a topic that is allowed by the last rule, and
// for one that no rule allows, with so many rules in one user's section.
#include "access/acl.h"

#include "os/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ASKED 2000000u

static struct acl *make(uint32_t count)
{
    struct acl *acl = acl_try_new("bench");
    for (uint32_t i = 0; acl != NULL && i < count; i++) {
        char filter[64];
        (void)snprintf(filter, sizeof(filter), "house/floor/room%" PRIu32 "/device/#", i);
        struct acl_rule_source source = {
            .has_user = true,
            .user = BYTES_OF("kari"),
            .filter = bytes_make(filter, strlen(filter)),
            .access = ACL_READ,
        };
        if (!acl_try_add(acl, &source))
            return NULL;
    }
    return acl;
}

static double ask(const struct acl *acl, const char *topic)
{
    struct acl_subject subject = {BYTES_OF("tv"), BYTES_OF("kari"), true};
    uint32_t allowed = 0;
    int64_t before_ms = clock_monotonic_ms();
    for (uint32_t i = 0; i < ASKED; i++)
        allowed += acl_check(acl, &subject, ACL_READ, bytes_make(topic, strlen(topic)), NULL);
    int64_t passed_ms = clock_monotonic_ms() - before_ms;
    return (double)passed_ms * 1e6 / ASKED + (allowed > ASKED ? 1 : 0);
}

int main(void)
{
    static const uint32_t counts[] = {1, 8, 100, 10000};
    printf("rules   allowed ns   denied ns\n");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct acl *acl = make(counts[i]);
        char topic[64];
        (void)snprintf(topic, sizeof(topic), "house/floor/room%" PRIu32 "/device/lamp/state",
                       counts[i] - 1);
        if (acl == NULL)
            return 1;
        printf("%5" PRIu32 "   %10.0f  %10.0f\n", counts[i], ask(acl, topic),
               ask(acl, "house/floor/room/device/lamp/state"));
        acl_unref(acl);
    }
    return 0;
}
