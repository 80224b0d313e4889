// SPDX-License-Identifier: MIT
// The log: one event is one line whatever a client calls itself, programs can parse it, and what is
// left out is counted.
#include "server/log.h"

#include "base/memory.h"
#include "proto/utf8.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// Standard error goes into a file; cmocka writes there too, so only while something is logged.
struct fixture {
    struct log log;
    FILE *file;
    int before;
    char text[1 << 20];
};

static int set_up(void **state)
{
    struct fixture *fixture = memory_new(sizeof(*fixture));
    fixture->file = tmpfile();
    log_init(&fixture->log, LOG_TEXT, LOG_INFO);
    *state = fixture;
    return fixture->file == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    log_done(&fixture->log);
    fclose(fixture->file);
    memory_free(fixture);
    return 0;
}

static void begin_capture(struct fixture *fixture)
{
    rewind(fixture->file);
    assert_int_equal(ftruncate(fileno(fixture->file), 0), 0);
    fixture->before = dup(STDERR_FILENO);
    assert_true(dup2(fileno(fixture->file), STDERR_FILENO) >= 0);
}

// Returns what was logged.
static const char *end_capture(struct fixture *fixture)
{
    assert_true(dup2(fixture->before, STDERR_FILENO) >= 0);
    close(fixture->before);
    rewind(fixture->file);
    size_t size = fread(fixture->text, 1, sizeof(fixture->text) - 1, fixture->file);
    fixture->text[size] = 0;
    return fixture->text;
}

// One line with one value, without its time.
static const char *log_value(struct fixture *fixture, enum log_format format, struct bytes value)
{
    struct log_line line;
    fixture->log.format = format;
    begin_capture(fixture);
    log_begin(&line, &fixture->log, LOG_CONNECTED);
    log_bytes(&line, "client", value);
    log_end(&line);
    const char *text = end_capture(fixture);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); // one line
    return text;
}

static void assert_ends(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    if (size < end_size || strcmp(text + size - end_size, end) != 0)
        print_error("%sdoes not end in\n%s", text, end);
    assert_true(size >= end_size && strcmp(text + size - end_size, end) == 0);
}

// ---- a reader of JSON: one object of strings and numbers, nothing looser than RFC 8259 ----

static const char *skip_string(const char *at)
{
    assert_int_equal(*at++, '"');
    while (*at != '"') {
        assert_true((unsigned char)*at >= 0x20); // which excludes the end of the text as well
        if (*at == '\\') {
            at++;
            assert_non_null(strchr("\"\\/bfnrtu", *at));
            for (int i = 1; *at == 'u' && i <= 4; i++)
                assert_non_null(strchr("0123456789abcdefABCDEF", at[i]));
            at += *at == 'u' ? 4 : 0;
        }
        at++;
    }
    return at + 1;
}

static void assert_json(const char *text)
{
    const char *at = text;
    assert_true(utf8_well_formed(bytes_make(text, strlen(text))));
    assert_int_equal(*at++, '{');
    for (;;) {
        at = skip_string(at);
        assert_int_equal(*at++, ':');
        if (*at == '"')
            at = skip_string(at);
        else
            at += strspn(at, "0123456789");
        if (*at == '}')
            break;
        assert_int_equal(*at++, ',');
    }
    assert_string_equal(at, "}\n");
}

// ---- forms ----

static void text_is_for_people(void **state)
{
    struct fixture *fixture = *state;
    const char *text = log_value(fixture, LOG_TEXT, BYTES_OF("stue"));
    assert_ends(text, "Z client connected client=stue\n");
    assert_int_equal(strspn(text, "0123456789-T:.Z"), strlen("2026-11-22T21:14:11.720Z"));
}

static void a_warning_is_called_one(void **state)
{
    struct fixture *fixture = *state;
    struct log_line line;
    begin_capture(fixture);
    log_begin(&line, &fixture->log, LOG_REFUSED);
    log_number(&line, "count", UINT64_MAX);
    log_end(&line);
    assert_ends(end_capture(fixture), "Z warning: connection refused count=18446744073709551615\n");
}

static void logfmt_is_for_programs(void **state)
{
    struct fixture *fixture = *state;
    const char *text = log_value(fixture, LOG_LOGFMT, BYTES_OF("stue"));
    assert_int_equal(strncmp(text, "time=", 5), 0);
    assert_ends(text, " level=info event=connected message=\"client connected\" client=stue\n");
}

static void json_is_for_programs_too(void **state)
{
    struct fixture *fixture = *state;
    struct log_line line;
    fixture->log.format = LOG_JSON;
    begin_capture(fixture);
    log_begin_with(&line, &fixture->log, LOG_ACCEPT_FAILED, "a fuller sentence");
    log_text(&line, "cause", "no \"luck\"");
    log_number(&line, "count", 7);
    log_end(&line);
    const char *text = end_capture(fixture);
    assert_json(text);
    assert_ends(text, "\"level\":\"warning\",\"event\":\"accept-failed\","
                      "\"message\":\"a fuller sentence\",\"cause\":\"no \\\"luck\\\"\","
                      "\"count\":7}\n");
}

// ---- what a client may choose ----

static void values_that_could_mislead_are_quoted(void **state)
{
    static const struct {
        struct bytes value;
        const char *text, *json;
    } cases[] = {
        {{0}, "client=\"\"\n", ":\"\"}\n"},
        {BYTES_OF("a b"), "client=\"a b\"\n", ":\"a b\"}\n"},
        {BYTES_OF("a=b"), "client=\"a=b\"\n", ":\"a=b\"}\n"},
        {BYTES_OF("a\"b\\"), "client=\"a\\\"b\\\\\"\n", ":\"a\\\"b\\\\\"}\n"},
        {BYTES_OF("a\nb\r\t"), "client=\"a\\nb\\r\\t\"\n", ":\"a\\nb\\r\\t\"}\n"},
        {BYTES_OF("\x1b[2J"), "client=\"\\x1b[2J\"\n", ":\"\\u001b[2J\"}\n"},
        {BYTES_OF("\0\x7f"), "client=\"\\x00\\x7f\"\n", ":\"\\u0000\\u007f\"}\n"},
        {BYTES_OF("blåbær 🍇"), "client=\"blåbær 🍇\"\n", ":\"blåbær 🍇\"}\n"},
        {BYTES_OF("\xc2\x85x"), "client=\"\\xc2\\x85x\"\n", ":\"\\u00c2\\u0085x\"}\n"},
        {BYTES_OF("\xff\xc3"), "client=\"\\xff\\xc3\"\n", ":\"\\u00ff\\u00c3\"}\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_ends(log_value(*state, LOG_TEXT, cases[i].value), cases[i].text);
        assert_ends(log_value(*state, LOG_LOGFMT, cases[i].value), cases[i].text);
        const char *json = log_value(*state, LOG_JSON, cases[i].value);
        assert_ends(json, cases[i].json);
        assert_json(json);
    }
}

static void every_byte_makes_one_line_that_parses(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 65536; i += 37) {
        uint8_t bytes[4] = {(uint8_t)(i >> 8), (uint8_t)i, (uint8_t)(i * 5), 'x'};
        fixture->log.lines[LOG_CONNECTED] = 0; // the rate is not the question here
        assert_json(log_value(fixture, LOG_JSON, bytes_make(bytes, 1 + i % 4)));
        fixture->log.lines[LOG_CONNECTED] = 0;
        log_value(fixture, LOG_TEXT, bytes_make(bytes, 1 + i % 4));
    }
}

static void long_values_are_cut_between_characters(void **state)
{
    char value[400], expected[400];
    memset(value, 'x', sizeof(value));
    snprintf(expected, sizeof(expected), "client=%.256s\n", value);
    assert_ends(log_value(*state, LOG_TEXT, bytes_make(value, 256)), expected);
    snprintf(expected, sizeof(expected), "client=\"%.256s...\"\n", value);
    assert_ends(log_value(*state, LOG_TEXT, bytes_make(value, 257)), expected);
    assert_ends(log_value(*state, LOG_LOGFMT, bytes_make(value, 400)), expected);
    for (size_t before = 250; before < 260; before++) { // a character over the cut stays whole
        memset(value, 'x', sizeof(value));
        memcpy(value + before, "🍇", 4);
        assert_json(log_value(*state, LOG_JSON, bytes_make(value, 300)));
    }
}

// More than a line holds: whole fields are left out, and it still parses.
static void too_many_fields_leave_a_line_that_parses(void **state)
{
    struct fixture *fixture = *state;
    char value[256];
    memset(value, 1, sizeof(value)); // six characters each
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        for (size_t size = 200; size <= 256; size++) { // so that the end falls everywhere
            struct log_line line;
            fixture->log.format = (enum log_format)format;
            fixture->log.lines[LOG_CONNECTED] = 0;
            begin_capture(fixture);
            log_begin(&line, &fixture->log, LOG_CONNECTED);
            for (int i = 0; i < 5; i++) {
                log_bytes(&line, "client", bytes_make(value, size));
                log_bytes(&line, "plain", bytes_make("0123456", size % 7));
                log_number(&line, "number", 12345678);
            }
            log_end(&line);
            const char *text = end_capture(fixture);
            assert_true(strlen(text) <= LOG_LINE_MAX);
            assert_int_equal(text[strlen(text) - 1], '\n');
            if (format == LOG_JSON)
                assert_json(text);
        }
    }
}

// ---- levels and rates ----

static void what_is_below_the_level_is_not_written(void **state)
{
    struct fixture *fixture = *state;
    struct log_line line;
    begin_capture(fixture);
    log_begin(&line, &fixture->log, LOG_SUBSCRIBED); // for debugging
    log_text(&line, "client", "stue");
    log_number(&line, "qos", 1);
    log_end(&line);
    assert_string_equal(end_capture(fixture), "");
    fixture->log.level = LOG_DEBUG;
    begin_capture(fixture);
    log_begin(&line, &fixture->log, LOG_SUBSCRIBED);
    log_end(&line);
    assert_ends(end_capture(fixture), "subscribed\n");
}

static void refuse_one(struct log *log)
{
    struct log_line line;
    log_begin(&line, log, LOG_REFUSED);
    log_end(&line);
}

struct written {
    uint64_t lines, left_out;
};

// Adds up what was said, however many seconds it took.
static struct written count_written(char *text)
{
    struct written written = {0};
    char *rest, *line = strtok_r(text, "\n", &rest);
    for (; line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *count = strstr(line, "log lines left out count=");
        if (count == NULL) {
            written.lines++;
            continue;
        }
        written.left_out += strtoull(strchr(count, '=') + 1, NULL, 10);
        assert_non_null(strstr(line, "like=\"connection refused\""));
    }
    return written;
}

static void what_is_left_out_is_counted_and_said(void **state)
{
    struct fixture *fixture = *state;
    begin_capture(fixture);
    for (int i = 0; i < 1000; i++)
        refuse_one(&fixture->log);
    fixture->log.second--; // as if the next second had begun
    refuse_one(&fixture->log);
    end_capture(fixture);
    struct written written = count_written(fixture->text);
    assert_int_equal(written.lines + written.left_out, 1001);
    assert_true(written.left_out > 0);
}

static void one_event_does_not_silence_another(void **state)
{
    struct fixture *fixture = *state;
    struct log_line line;
    begin_capture(fixture);
    for (int i = 0; i < 100; i++)
        refuse_one(&fixture->log);
    log_begin(&line, &fixture->log, LOG_DROPPED);
    log_end(&line);
    assert_ends(end_capture(fixture), "message not delivered\n");
}

// ---- threads ----

#define LINES_OF_A_THREAD 40

static void *log_lines(void *argument)
{
    struct log *log = argument;
    for (int i = 0; i < LINES_OF_A_THREAD; i++) {
        struct log_line line;
        log_begin(&line, log, LOG_CONNECTED);
        log_text(&line, "client", "a name with some length to it");
        log_number(&line, "number", (uint64_t)i);
        log_end(&line);
    }
    return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[4];
    fixture->log.format = LOG_JSON;
    begin_capture(fixture);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, log_lines, &fixture->log);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    end_capture(fixture);
    int lines = 0;
    for (char *at = fixture->text; *at != 0; lines++) {
        char *end = strchr(at, '\n');
        char after = end[1];
        end[1] = 0;
        assert_json(at);
        end[1] = after;
        at = end + 1;
    }
    assert_int_equal(lines, 4 * LINES_OF_A_THREAD);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(text_is_for_people),
        LOG_TEST(a_warning_is_called_one),
        LOG_TEST(logfmt_is_for_programs),
        LOG_TEST(json_is_for_programs_too),
        LOG_TEST(values_that_could_mislead_are_quoted),
        LOG_TEST(every_byte_makes_one_line_that_parses),
        LOG_TEST(long_values_are_cut_between_characters),
        LOG_TEST(too_many_fields_leave_a_line_that_parses),
        LOG_TEST(what_is_below_the_level_is_not_written),
        LOG_TEST(what_is_left_out_is_counted_and_said),
        LOG_TEST(one_event_does_not_silence_another),
        LOG_TEST(lines_of_several_threads_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
