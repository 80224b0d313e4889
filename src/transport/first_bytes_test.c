// SPDX-License-Identifier: MIT
#include "transport/first_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static enum first_bytes tell(const char *text, size_t size)
{
    return first_bytes_tell(bytes_make(text, size));
}

static void each_protocol_is_told_by_its_first_bytes(void **state)
{
    (void)state;
    assert_int_equal(tell("\x10\x0c", 2), FIRST_MQTT);
    assert_int_equal(tell("\x10", 1), FIRST_MQTT);
    assert_int_equal(tell("\x16\x03\x01\x02", 4), FIRST_TLS);
    assert_int_equal(tell("GET / HTTP/1.1\r\n", 16), FIRST_HTTP);
    assert_int_equal(tell("DELETE /x", 9), FIRST_HTTP);
    assert_int_equal(tell("PROXY TCP4 ", 11), FIRST_PROXY);
    assert_int_equal(tell("\r\n\r\n\0\r\nQUIT\n\x21", 13), FIRST_PROXY);
}

static void too_few_bytes_are_waited_for(void **state)
{
    (void)state;
    assert_int_equal(tell("", 0), FIRST_MORE);
    assert_int_equal(tell("\x16", 1), FIRST_MORE);
    assert_int_equal(tell("P", 1), FIRST_MORE); // POST, PUT, PATCH or PROXY
    assert_int_equal(tell("PU", 2), FIRST_MORE);
    assert_int_equal(tell("\r\n\r\n", 4), FIRST_MORE);
}

static void what_is_like_none_is_for_the_engine_to_refuse(void **state)
{
    (void)state;
    assert_int_equal(tell("\x16\x02", 2), FIRST_MQTT);
    assert_int_equal(tell("GETS", 4), FIRST_MQTT);
    assert_int_equal(tell("\r\n\r\n\0\r\nQUIX", 11), FIRST_MQTT);
    assert_int_equal(tell("\0", 1), FIRST_MQTT);
    assert_int_equal(tell("get ", 4), FIRST_MQTT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_protocol_is_told_by_its_first_bytes),
        cmocka_unit_test(too_few_bytes_are_waited_for),
        cmocka_unit_test(what_is_like_none_is_for_the_engine_to_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
