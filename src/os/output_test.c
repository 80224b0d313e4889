// SPDX-License-Identifier: MIT
#include "os/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

// Standard error goes into a pipe for one call.
static void output_into(int pipe_end, const char *text, size_t size)
{
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0);
    assert_true(dup2(pipe_end, STDERR_FILENO) >= 0);
    output_error(text, size);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    assert_int_equal(close(before), 0);
}

static void a_line_arrives_whole(void **state)
{
    (void)state;
    int ends[2];
    char text[32];
    assert_int_equal(pipe(ends), 0);
    output_into(ends[1], "listening\n", 10);
    assert_int_equal(read(ends[0], text, sizeof text), 10);
    assert_memory_equal(text, "listening\n", 10);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

static void nowhere_to_write_is_no_harm(void **state)
{
    (void)state;
    int ends[2];
    static char block[1 << 20];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    output_into(ends[1], block, sizeof block); // returns though nobody reads
    output_into(ends[0], "lost\n", 5);         // not open for writing
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_arrives_whole),
        cmocka_unit_test(nowhere_to_write_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
