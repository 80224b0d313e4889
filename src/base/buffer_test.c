// SPDX-License-Identifier: MIT
#include "base/buffer.h"

#include "base/memory.h"
#include "base/test_aborts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void appended_bytes_are_there(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_try_append(&buffer, BYTES_OF("bud"), 100));
    assert_true(buffer_try_append(&buffer, BYTES_OF("stikke"), 100));
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_OF("budstikke")));
    buffer_done(&buffer);
}

static void it_fills_to_the_limit_and_no_further(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (size_t index = 0; index < 1000; index++) {
        uint8_t byte = (uint8_t)index;
        assert_true(buffer_try_append(&buffer, bytes_make(&byte, 1), 1000));
        assert_true(buffer.capacity <= 1000);
    }
    assert_false(buffer_try_append(&buffer, BYTES_OF("x"), 1000));
    assert_int_equal(buffer.size, 1000);
    for (size_t index = 0; index < 1000; index++) {
        assert_int_equal(buffer.data[index], (uint8_t)index);
    }
    assert_false(buffer_try_reserve(&buffer, 0, 999)); // already beyond this one
    buffer_done(&buffer);
}

static void growth_is_geometric(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    uint64_t before = memory_try_count();
    for (size_t index = 0; index < 1000000; index++) {
        assert_true(buffer_try_append(&buffer, BYTES_OF("x"), SIZE_MAX));
    }
    assert_true(memory_try_count() - before < 30);
    buffer_done(&buffer);
}

static void a_claim_beyond_all_sizes_is_refused(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_try_append(&buffer, BYTES_OF("bud"), SIZE_MAX));
    assert_false(buffer_try_reserve(&buffer, SIZE_MAX, SIZE_MAX));
    assert_false(buffer_try_reserve(&buffer, SIZE_MAX - 2, SIZE_MAX));
    assert_false(buffer_try_reserve(&buffer, 98, 100));
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_OF("bud")));
    buffer_done(&buffer);
}

static void nothing_needs_no_memory(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_try_reserve(&buffer, 0, 0));
    assert_true(buffer_try_append(&buffer, (struct bytes){0}, 0));
    assert_null(buffer.data);
    buffer_consume(&buffer, 0);
    buffer_done(&buffer);
}

static void consumed_bytes_leave_at_the_front(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_try_append(&buffer, BYTES_OF("budstikke"), 100));
    buffer_consume(&buffer, 0);
    buffer_consume(&buffer, 3);
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_OF("stikke")));
    buffer_consume(&buffer, 6);
    assert_null(buffer.data); // empty it owns nothing
    assert_int_equal(buffer.capacity, 0);
}

static void without_memory_the_contents_stay(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    memory_fail(1, 1);
    assert_false(buffer_try_append(&buffer, BYTES_OF("bud"), 100));
    assert_null(buffer.data);
    assert_true(buffer_try_append(&buffer, BYTES_OF("bud"), 100));
    memory_fail(1, 1);
    assert_false(buffer_try_reserve(&buffer, 5000, 10000));
    memory_fail(0, 0);
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_OF("bud")));
    assert_true(buffer_try_reserve(&buffer, 5000, 10000));
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_OF("bud")));
    buffer_done(&buffer);
}

static void consume_too_much(void)
{
    struct buffer buffer = {0};
    buffer_consume(&buffer, 1);
}

static void consuming_more_than_there_is_aborts(void **state)
{
    (void)state;
    assert_true(test_aborts(consume_too_much));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_are_there),
        cmocka_unit_test(it_fills_to_the_limit_and_no_further),
        cmocka_unit_test(growth_is_geometric),
        cmocka_unit_test(a_claim_beyond_all_sizes_is_refused),
        cmocka_unit_test(nothing_needs_no_memory),
        cmocka_unit_test(consumed_bytes_leave_at_the_front),
        cmocka_unit_test(without_memory_the_contents_stay),
        cmocka_unit_test(consuming_more_than_there_is_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
