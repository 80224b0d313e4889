// SPDX-License-Identifier: MIT
#include "base/map.h"

#include "base/memory.h"
#include "base/test_aborts.h"
#include "base/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

struct item {
    size_t name_size;
    char name[24];
    bool in_map;
    int visits;
};

static struct bytes name_of(const void *value)
{
    const struct item *item = value;
    return bytes_make(item->name, item->name_size);
}

static void name_item(struct item *item, size_t number)
{
    *item = (struct item){0};
    item->name_size = (size_t)snprintf(item->name, sizeof item->name, "client-%zu", number);
}

enum { ITEM_COUNT = 3000 };

static struct item items[ITEM_COUNT];

static void name_items(void)
{
    for (size_t index = 0; index < ITEM_COUNT; index++) {
        name_item(&items[index], index);
    }
}

static void assert_map_is_as_marked(struct map *map)
{
    size_t count = 0;
    for (size_t index = 0; index < ITEM_COUNT; index++) {
        struct item *item = &items[index];
        assert_ptr_equal(map_find(map, name_of(item)), item->in_map ? item : NULL);
        item->visits = 0;
        count += item->in_map;
    }
    assert_int_equal(map->count, count);
    size_t position = 0;
    for (struct item *item; (item = map_next(map, &position)) != NULL;) {
        item->visits++;
    }
    for (size_t index = 0; index < ITEM_COUNT; index++) {
        assert_int_equal(items[index].visits, items[index].in_map);
    }
}

static void toggle(struct map *map, struct item *item)
{
    if (item->in_map) {
        assert_ptr_equal(map_remove(map, name_of(item)), item);
    } else {
        assert_null(map_remove(map, name_of(item)));
        assert_true(map_try_put(map, item));
    }
    item->in_map = !item->in_map;
}

static void it_agrees_with_a_list_of_marks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        name_items();
        struct test_random random = {seed};
        struct map map;
        map_init(&map, (struct hash_key){seed, ~seed}, name_of);
        for (int turn = 0; turn < 20; turn++) {
            size_t range = 1 + (size_t)test_random_below(&random, ITEM_COUNT);
            for (int step = 0; step < 1000; step++) {
                toggle(&map, &items[test_random_below(&random, range)]);
            }
            assert_map_is_as_marked(&map);
        }
        map_done(&map);
    }
}

static void it_grows_and_gives_back(void **state)
{
    (void)state;
    name_items();
    struct map map;
    map_init(&map, (struct hash_key){1, 2}, name_of);
    for (size_t index = 0; index < ITEM_COUNT; index++) {
        toggle(&map, &items[index]);
        assert_true(map.count <= map.slot_count / 4 * 3);
    }
    assert_map_is_as_marked(&map);
    for (size_t index = 0; index < ITEM_COUNT; index++) {
        toggle(&map, &items[index]);
        assert_true(map.slot_count <= 8 || map.count >= map.slot_count / 8);
    }
    assert_null(map.slots); // empty it owns nothing
    assert_map_is_as_marked(&map);
    map_done(&map);
}

static void an_empty_map_knows_nothing(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, (struct hash_key){1, 2}, name_of);
    size_t position = 0;
    assert_null(map_find(&map, BYTES_OF("nobody")));
    assert_null(map_remove(&map, BYTES_OF("nobody")));
    assert_null(map_next(&map, &position));
    map_done(&map);
}

static void the_empty_key_and_its_neighbours_are_keys(void **state)
{
    (void)state;
    struct item empty = {.name_size = 0};
    struct item zero = {.name_size = 1};
    struct item zeroes = {.name_size = 2};
    struct map map;
    map_init(&map, (struct hash_key){1, 2}, name_of);
    assert_true(map_try_put(&map, &empty));
    assert_true(map_try_put(&map, &zero));
    assert_null(map_find(&map, name_of(&zeroes)));
    assert_true(map_try_put(&map, &zeroes));
    assert_ptr_equal(map_find(&map, (struct bytes){0}), &empty);
    assert_ptr_equal(map_find(&map, name_of(&zero)), &zero);
    assert_ptr_equal(map_remove(&map, name_of(&zero)), &zero);
    assert_ptr_equal(map_find(&map, name_of(&zeroes)), &zeroes);
    map_done(&map);
}

// Fills a fresh map with the nth allocation failing; true when one did.
static bool fill_with_failure(uint64_t nth)
{
    name_items();
    struct map map;
    map_init(&map, (struct hash_key){1, 2}, name_of);
    bool failed = false;
    memory_fail(nth, 1);
    for (size_t index = 0; index < 200; index++) {
        items[index].in_map = map_try_put(&map, &items[index]);
        failed = failed || !items[index].in_map;
    }
    assert_map_is_as_marked(&map); // what was refused is not there, the rest is
    for (size_t index = 0; index < 200; index++) {
        struct item *found = map_remove(&map, name_of(&items[index]));
        assert_ptr_equal(found, items[index].in_map ? &items[index] : NULL);
    }
    memory_fail(0, 0);
    map_done(&map);
    return failed;
}

static void a_failed_put_changes_nothing(void **state)
{
    (void)state;
    uint64_t nth = 1;
    while (fill_with_failure(nth)) {
        nth++;
    }
    assert_true(nth > 3);
}

static void a_failed_shrink_harms_nothing(void **state)
{
    (void)state;
    name_items();
    struct map map;
    map_init(&map, (struct hash_key){1, 2}, name_of);
    for (size_t index = 0; index < ITEM_COUNT; index++) {
        toggle(&map, &items[index]);
    }
    memory_fail(1, UINT64_MAX);
    for (size_t index = 1; index < ITEM_COUNT; index++) {
        assert_ptr_equal(map_remove(&map, name_of(&items[index])), &items[index]);
        items[index].in_map = false;
    }
    memory_fail(0, 0);
    assert_map_is_as_marked(&map);
    map_done(&map);
}

static void put_twice(void)
{
    struct item item;
    struct map map;
    name_item(&item, 1);
    map_init(&map, (struct hash_key){1, 2}, name_of);
    (void)map_try_put(&map, &item);
    (void)map_try_put(&map, &item);
}

static void the_same_key_twice_aborts(void **state)
{
    (void)state;
    assert_true(test_aborts(put_twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_a_list_of_marks),
        cmocka_unit_test(it_grows_and_gives_back),
        cmocka_unit_test(an_empty_map_knows_nothing),
        cmocka_unit_test(the_empty_key_and_its_neighbours_are_keys),
        cmocka_unit_test(a_failed_put_changes_nothing),
        cmocka_unit_test(a_failed_shrink_harms_nothing),
        cmocka_unit_test(the_same_key_twice_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
