// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include "base/memory.h"
#include "base/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    uint8_t *pieces[200];
    for (size_t index = 0; index < 200; index++) {
        pieces[index] = arena_try_take(&arena, index);
        assert_non_null(pieces[index]);
        assert_int_equal((uintptr_t)pieces[index] % _Alignof(max_align_t), 0);
        memset(pieces[index], (int)index, index);
    }
    for (size_t index = 0; index < 200; index++) {
        for (size_t byte = 0; byte < index; byte++) {
            assert_int_equal(pieces[index][byte], (uint8_t)index);
        }
    }
    arena_done(&arena);
}

// One turn's worth of pieces, all written to.
static void take_some(struct arena *arena, uint64_t seed)
{
    struct test_random random = {seed};
    for (int index = 0; index < 100; index++) {
        size_t size = (size_t)test_random_below(&random, 600);
        void *piece = arena_try_take(arena, size);
        assert_non_null(piece);
        memset(piece, 0xaa, size);
    }
}

static void a_steady_load_stops_asking_the_heap(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (uint64_t turn = 0; turn < 10; turn++) {
        take_some(&arena, 1);
        arena_reset(&arena);
    }
    uint64_t before = memory_try_count();
    for (uint64_t turn = 0; turn < 10; turn++) {
        take_some(&arena, 1);
        arena_reset(&arena);
    }
    assert_int_equal(memory_try_count(), before);
    arena_done(&arena);
}

static void a_large_block_is_not_kept(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    assert_non_null(arena_try_take(&arena, 100));
    assert_non_null(arena_try_take(&arena, 1 << 20));
    arena_reset(&arena);
    uint64_t before = memory_try_count();
    assert_non_null(arena_try_take(&arena, 500)); // the small block was kept
    assert_int_equal(memory_try_count(), before);
    assert_non_null(arena_try_take(&arena, 1 << 20));
    assert_int_equal(memory_try_count(), before + 1); // the large one was not
    arena_done(&arena);
}

static void keeping_nothing_is_allowed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    take_some(&arena, 2);
    arena_reset(&arena);
    assert_null(arena.blocks);
    arena_done(&arena);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t less = 0; less < 100; less++) {
        assert_null(arena_try_take(&arena, SIZE_MAX - less));
    }
    assert_non_null(arena_try_take(&arena, 1));
    arena_done(&arena);
}

static void without_memory_the_rest_stays_usable(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    memory_fail(1, 1);
    assert_null(arena_try_take(&arena, 16));
    char *kept = arena_try_take(&arena, 16);
    assert_non_null(kept);
    memcpy(kept, "still here", 11);
    memory_fail(1, 1);
    assert_null(arena_try_take(&arena, 100000));
    memory_fail(0, 0);
    assert_string_equal(kept, "still here");
    assert_non_null(arena_try_take(&arena, 16)); // the old block goes on
    arena_done(&arena);
}

static void done_may_be_followed_by_use(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    arena_reset(&arena);
    arena_done(&arena);
    take_some(&arena, 3);
    arena_done(&arena);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(a_steady_load_stops_asking_the_heap),
        cmocka_unit_test(a_large_block_is_not_kept),
        cmocka_unit_test(keeping_nothing_is_allowed),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(without_memory_the_rest_stays_usable),
        cmocka_unit_test(done_may_be_followed_by_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
