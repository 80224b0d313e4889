// SPDX-License-Identifier: MIT
// Few or many, with a thread or without: all that was added is there at the end, the last one of a
// topic wins, what finds no place is counted, and nothing is left over.
#include "server/retained_filler.h"

#include "core/retained.h"

#include <stdio.h>
#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MANY 25000 // needs the thread, and ends amid a block

static struct budget budget = {.limit = INT64_MAX};

static struct message *numbered(uint64_t topic, uint64_t sequence)
{
    char name[32], payload[32];
    int name_size = snprintf(name, sizeof(name), "t/%llu", (unsigned long long)topic);
    int payload_size = snprintf(payload, sizeof(payload), "%llu", (unsigned long long)sequence);
    struct message_source source = {
        .topic = bytes_make(name, (size_t)name_size),
        .payload = bytes_make(payload, (size_t)payload_size),
        .retain = true,
    };
    struct message *message = message_try_new(&budget, &source);
    assert_non_null(message);
    message->sequence = sequence;
    return message;
}

static void assert_value(struct retained *retained, uint64_t topic, uint64_t sequence)
{
    struct message *wanted = numbered(topic, sequence);
    struct message *message = retained_get(retained, message_topic(wanted));
    assert_non_null(message);
    assert_true(bytes_equal(message_payload(message), message_payload(wanted)));
    assert_int_equal(message->sequence, sequence);
    message_unref(message);
    message_unref(wanted);
}

// Twice over `topics` topics, into a tree that has room for `room` of them.
static void fill(uint64_t topics, uint64_t room)
{
    struct retained_limits limits = {.count_max = room, .bytes_max = UINT64_MAX};
    struct retained *retained = retained_new((struct hash_key){0}, limits);
    struct retained_filler *filler = retained_filler_new(retained);
    for (uint64_t i = 0; i < 2 * topics; i++)
        retained_filler_add(filler, numbered(i % topics, i + 1));
    uint64_t kept = topics < room ? topics : room;
    assert_int_equal(retained_filler_end(filler), 2 * (topics - kept));
    assert_int_equal(retained_count(retained), kept);
    for (uint64_t i = 0; i < kept; i++)
        assert_value(retained, i, topics + i + 1);
    retained_free(retained);
    assert_int_equal(budget_used(&budget), 0);
}

static void none_few_or_many_are_all_there(void **state)
{
    (void)state;
    struct retained *retained = retained_new((struct hash_key){0}, (struct retained_limits){0});
    assert_int_equal(retained_filler_end(retained_filler_new(retained)), 0);
    retained_free(retained);
    fill(3, UINT64_MAX);
    fill(MANY, UINT64_MAX);
}

static void what_has_no_place_is_counted(void **state)
{
    (void)state;
    fill(5, 3);
    fill(MANY, MANY - 7000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_few_or_many_are_all_there),
        cmocka_unit_test(what_has_no_place_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
