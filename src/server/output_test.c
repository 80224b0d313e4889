// SPDX-License-Identifier: MIT
// Bytes to a socket: whatever way they are put in and however the socket takes them, they come out
// once and in order, and payloads live exactly as long as they are referenced.
#include "server/output.h"

#include "base/memory.h"
#include "base/test_aborts.h"
#include "base/test_random.h"

#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES_MAX 60000

struct fixture {
    struct budget budget;
    struct chunk_pool pool;
    struct output output;
    struct message *message; // its payload: 5000 bytes
    uint8_t expected[BYTES_MAX];
    size_t expected_size;
    uint8_t next; // a count, so that a byte in the wrong place is found
};

static int set_up(void **state)
{
    static uint8_t payload[5000];
    struct fixture *fixture = memory_new(sizeof(*fixture));
    fixture->budget.limit = 1 << 20;
    fixture->pool.budget = &fixture->budget; // of which nothing may be left in the end
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7);
    struct message_source source = {.topic = BYTES_OF("a"),
                                    .payload = bytes_make(payload, sizeof(payload))};
    fixture->message = message_try_new(&fixture->budget, &source);
    *state = fixture;
    return fixture->message == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    output_done(&fixture->output, &fixture->pool);
    chunk_pool_trim(&fixture->pool, 0);
    message_unref(fixture->message);
    assert_int_equal(budget_used(&fixture->budget), 0); // no reference is left
    memory_free(fixture);
    return 0;
}

static void expect(struct fixture *fixture, const void *bytes, size_t size)
{
    assert_true(fixture->expected_size + size <= BYTES_MAX);
    memcpy(fixture->expected + fixture->expected_size, bytes, size);
    fixture->expected_size += size;
}

static void put_small(struct fixture *fixture, size_t size)
{
    uint8_t *room = output_try_room(&fixture->output, &fixture->pool, size);
    assert_non_null(room);
    for (size_t i = 0; i < size; i++)
        room[i] = fixture->next++;
    output_wrote(&fixture->output, size);
    expect(fixture, room, size);
}

static void put_long(struct fixture *fixture, size_t size)
{
    uint8_t *text = memory_new(size);
    for (size_t i = 0; i < size; i++)
        text[i] = fixture->next++;
    assert_true(output_try_append(&fixture->output, &fixture->pool, bytes_make(text, size)));
    expect(fixture, text, size);
    memory_free(text);
}

static void put_payload(struct fixture *fixture)
{
    assert_true(output_try_payload(&fixture->output, fixture->message));
    struct bytes payload = message_payload(fixture->message);
    expect(fixture, payload.data, payload.size);
}

// Small packets, some that end a chunk, room that was not used, payloads side by side.
static void fill(struct fixture *fixture)
{
    put_small(fixture, 2);
    put_small(fixture, 100);
    put_payload(fixture);
    put_small(fixture, CHUNK_SIZE);
    put_small(fixture, CHUNK_SIZE - 1);
    put_small(fixture, 2);
    put_payload(fixture);
    put_payload(fixture);
    output_try_room(&fixture->output, &fixture->pool, 50);
    put_payload(fixture);
    put_long(fixture, 2 * CHUNK_SIZE + 7);
    put_small(fixture, 1);
}

// What is left to be written is exactly the expected bytes from `from` on.
static void check(struct fixture *fixture, size_t from)
{
    struct iovec parts[64];
    assert_int_equal(fixture->output.size, fixture->expected_size - from);
    int count = output_parts(&fixture->output, parts, 64);
    assert_in_range(count, 0, 63);
    for (int i = 0; i < count; i++) {
        assert_true(parts[i].iov_len > 0 && from + parts[i].iov_len <= fixture->expected_size);
        assert_memory_equal(parts[i].iov_base, fixture->expected + from, parts[i].iov_len);
        from += parts[i].iov_len;
    }
    assert_int_equal(from, fixture->expected_size);
}

static void nothing_is_nothing(void **state)
{
    struct fixture *fixture = *state;
    check(fixture, 0);
    output_consume(&fixture->output, &fixture->pool, 0);
    assert_true(output_try_append(&fixture->output, &fixture->pool, (struct bytes){0}));
    check(fixture, 0);
}

static void everything_comes_out_in_order(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    check(fixture, 0);
    output_consume(&fixture->output, &fixture->pool, fixture->expected_size);
    check(fixture, fixture->expected_size);
    assert_null(fixture->output.first);
}

static void a_socket_may_stop_at_every_byte(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    size_t size = fixture->expected_size;
    for (size_t stop = 1; stop < size; stop++) {
        output_consume(&fixture->output, &fixture->pool, 1);
        if (stop % 97 == 0 || stop % CHUNK_SIZE < 3)
            check(fixture, stop);
    }
    output_done(&fixture->output, &fixture->pool);
    for (size_t stop = 0; stop <= size; stop += stop % 5 == 4 ? 61 : 1) {
        fixture->expected_size = 0;
        fill(fixture);
        output_consume(&fixture->output, &fixture->pool, stop);
        check(fixture, stop);
        output_consume(&fixture->output, &fixture->pool, size - stop);
        check(fixture, size);
    }
}

static void more_can_be_put_behind_what_is_half_written(void **state)
{
    struct fixture *fixture = *state;
    struct test_random random = {9};
    size_t written = 0;
    for (int i = 0; i < 3000; i++) {
        switch (test_random_below(&random, 4)) {
        case 0: put_small(fixture, 1 + test_random_below(&random, 300)); break;
        case 1: put_long(fixture, test_random_below(&random, 9000)); break;
        case 2: put_payload(fixture); break;
        default: break;
        }
        size_t left = fixture->expected_size - written;
        size_t taken = test_random_below(&random, left + 1);
        taken = left > 20000 ? left : taken;
        output_consume(&fixture->output, &fixture->pool, taken);
        written += taken;
        check(fixture, written);
        memmove(fixture->expected, fixture->expected + written, fixture->expected_size - written);
        fixture->expected_size -= written;
        written = 0;
    }
}

static void parts_are_no_more_than_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct iovec parts[3];
    fill(fixture);
    assert_int_equal(output_parts(&fixture->output, parts, 3), 3);
    assert_int_equal(output_parts(&fixture->output, parts, 0), 0);
    assert_memory_equal(parts[1].iov_base, fixture->expected + parts[0].iov_len, parts[1].iov_len);
}

static void a_payload_is_not_copied_and_let_go_when_written(void **state)
{
    struct fixture *fixture = *state;
    struct iovec part;
    int64_t used = budget_used(&fixture->budget);
    put_payload(fixture);
    assert_int_equal(output_parts(&fixture->output, &part, 1), 1);
    assert_ptr_equal(part.iov_base, message_payload(fixture->message).data);
    message_unref(fixture->message); // the output's reference is the last one now
    output_consume(&fixture->output, &fixture->pool, 4999);
    assert_int_equal(budget_used(&fixture->budget), used);
    output_consume(&fixture->output, &fixture->pool, 1);
    assert_int_equal(budget_used(&fixture->budget), 0);
    fixture->message = NULL;
}

static void an_idle_output_holds_no_chunk(void **state)
{
    struct fixture *fixture = *state;
    put_small(fixture, 10);
    assert_int_equal(fixture->pool.free_count, 0);
    output_consume(&fixture->output, &fixture->pool, 10);
    assert_int_equal(fixture->pool.free_count, 1);
    memory_fail(1, UINT64_MAX);
    uint8_t *room = output_try_room(&fixture->output, &fixture->pool, CHUNK_SIZE);
    memory_fail(0, 0);
    assert_non_null(room); // the same one again, and nothing asked of the heap
    output_done(&fixture->output, &fixture->pool);
    assert_int_equal(fixture->pool.free_count, 1);
    chunk_pool_trim(&fixture->pool, 1);
    assert_int_equal(fixture->pool.free_count, 1);
    chunk_pool_trim(&fixture->pool, 0);
    assert_int_equal(fixture->pool.free_count, 0);
}

static void without_memory_it_says_so(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t text[3 * CHUNK_SIZE];
    memory_fail(1, 1);
    assert_null(output_try_room(&fixture->output, &fixture->pool, 1));
    memory_fail(1, 1);
    assert_false(output_try_payload(&fixture->output, fixture->message));
    assert_int_equal(fixture->output.size, 0);
    for (uint64_t nth = 1; nth <= 3; nth++) {
        memory_fail(nth, 1);
        assert_false(
            output_try_append(&fixture->output, &fixture->pool, bytes_make(text, sizeof(text))));
        memory_fail(0, 0);
        output_done(&fixture->output, &fixture->pool);
        chunk_pool_trim(&fixture->pool, 0);
    }
}

static void ask_for_more_than_a_chunk(void)
{
    struct output output = {0};
    struct chunk_pool pool = {0};
    output_try_room(&output, &pool, CHUNK_SIZE + 1);
}

static void write_more_than_room(void)
{
    struct output output = {0};
    struct chunk_pool pool = {0};
    output_try_room(&output, &pool, 10);
    output_wrote(&output, CHUNK_SIZE + 1);
}

static void consume_more_than_there_is(void)
{
    struct output output = {0};
    struct chunk_pool pool = {0};
    output_consume(&output, &pool, 1);
}

static void misuse_is_our_own_error(void **state)
{
    (void)state;
    assert_true(test_aborts(ask_for_more_than_a_chunk));
    assert_true(test_aborts(write_more_than_room));
    assert_true(test_aborts(consume_more_than_there_is));
}

#define OUTPUT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTPUT_TEST(nothing_is_nothing),
        OUTPUT_TEST(everything_comes_out_in_order),
        OUTPUT_TEST(a_socket_may_stop_at_every_byte),
        OUTPUT_TEST(more_can_be_put_behind_what_is_half_written),
        OUTPUT_TEST(parts_are_no_more_than_asked_for),
        OUTPUT_TEST(a_payload_is_not_copied_and_let_go_when_written),
        OUTPUT_TEST(an_idle_output_holds_no_chunk),
        OUTPUT_TEST(without_memory_it_says_so),
        OUTPUT_TEST(misuse_is_our_own_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
