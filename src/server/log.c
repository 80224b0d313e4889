// SPDX-License-Identifier: MIT
#include "server/log.h"

#include "base/assert.h"
#include "os/clock.h"
#include "os/log_output.h"
#include "os/output.h"
#include "proto/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 256
#define ROOM_FOR_END 8 // every line can be closed
#define SIZE_MAX_OF_LINE (LOG_LINE_MAX - ROOM_FOR_END)
#define OVERFULL (LOG_LINE_MAX + 1) // in place of the size: something did not fit

static const struct {
    const char *name;
    enum log_level level;
    uint32_t rate;
    const char *text;
} events[] = {
#define EVENT_ROW(name, level, rate, text) {#name, level, rate, text},
    LOG_EVENTS(EVENT_ROW)
#undef EVENT_ROW
};

_Static_assert(LOG_EVENT_COUNT <= 64, "log.muted has a bit for each");

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_init(struct log *log, enum log_format format, enum log_level level)
{
    *log = (struct log){.format = (int)format,
                        .level = (int)level,
                        .outputs = LOG_TO_STDERR,
                        .has_time = true,
                        .file = -1};
    lock_init(&log->lock);
}

void log_done(struct log *log)
{
    if (log->file >= 0)
        log_output_close(log->file);
    lock_done(&log->lock);
}

void log_set_time(struct log *log, bool has_time, const char *format)
{
    lock_take(&log->lock);
    (void)snprintf(log->time_format, sizeof(log->time_format), "%s", format);
    log->has_time = has_time;
    lock_release(&log->lock);
}

enum log_level log_event_level(enum log_event event)
{
    return events[event].level;
}

static void put(struct log_line *line, const char *text, size_t size)
{
    if (line->size + size > SIZE_MAX_OF_LINE) {
        line->size = OVERFULL;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

// A field that did not fit goes as a whole: half of one could not be parsed.
static void end_field(struct log_line *line, size_t size_before)
{
    if (line->size == OVERFULL)
        line->size = size_before;
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

// As Mosquitto and whoever configures it write it: by strftime, or seconds.
static void put_time_as(struct log_line *line, const char *format, time_t seconds)
{
    char text[256];
    struct tm parts;
    size_t size;
    localtime_r(&seconds, &parts);
    if (format[0] != 0)
        size = strftime(text, sizeof(text), format, &parts);
    else
        size = (size_t)snprintf(text, sizeof(text), "%lld", (long long)seconds);
    put(line, text, size);
}

static void put_time(struct log_line *line)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    char text[64], format[LOG_TIME_FORMAT_MAX];
    lock_take(&line->log->lock);
    memcpy(format, line->log->time_format, sizeof(format));
    lock_release(&line->log->lock);
    if (format[0] != 0 || line->log->format == LOG_MOSQUITTO) {
        put_time_as(line, format, seconds);
        return;
    }
    gmtime_r(&seconds, &parts);
    size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    size += (size_t)snprintf(text + size, sizeof(text) - size, ".%03dZ", (int)(now_ms % 1000));
    put(line, text, size);
}

// Counts this event in its second; false beyond its rate. The first event of a new second tells
// what the last one left out.
static bool take_turn(struct log *log, enum log_event event, uint32_t *ret_suppressed)
{
    int64_t second = clock_monotonic_ms() / 1000;
    lock_take(&log->lock);
    if (second != log->second) {
        log->second = second;
        memset(log->lines, 0, sizeof(log->lines));
    }
    bool allowed = log->lines[event] < events[event].rate;
    log->lines[event]++;
    *ret_suppressed = 0;
    if (!allowed) {
        log->suppressed[event]++;
    } else {
        *ret_suppressed = log->suppressed[event];
        log->suppressed[event] = 0;
    }
    lock_release(&log->lock);
    return allowed;
}

static void begin_text(struct log_line *line, enum log_level level, const char *text)
{
    bool is_ours = line->log->format == LOG_TEXT, has_time = line->log->has_time;
    if (has_time)
        put_time(line);
    if (has_time && !is_ours)
        put_text(line, ":");
    if (has_time)
        put_text(line, " ");
    if (level <= LOG_WARNING)
        put_text(line, level == LOG_WARNING ? (is_ours ? "warning: " : "Warning: ")
                       : is_ours            ? "ERROR "
                                            : "Error: ");
    put_text(line, text);
}

static void begin(struct log_line *line, struct log *log, enum log_event event, const char *text)
{
    enum log_level level = events[event].level;
    line->log = log;
    line->event = event;
    line->size = 0;
    line->wanted = true;
    if (log->format == LOG_TEXT || log->format == LOG_MOSQUITTO) {
        begin_text(line, level, text);
        return;
    }
    bool json = log->format == LOG_JSON;
    if (log->has_time) {
        put_text(line, json ? "{\"time\":\"" : "time=");
        put_time(line);
        put_text(line, json ? "\",\"level\":\"" : " level=");
    } else {
        put_text(line, json ? "{\"level\":\"" : "level=");
    }
    put_text(line, level_names[level]);
    put_text(line, json ? "\",\"event\":\"" : " event=");
    for (const char *c = events[event].name; *c != 0; c++)
        put(line, (char[]){(char)(*c == '_' ? '-' : *c - 'A' + 'a')}, 1);
    put_text(line, json ? "\",\"message\":\"" : " message=\"");
    put_text(line, text);
    put_text(line, "\"");
}

void log_begin(struct log_line *line, struct log *log, enum log_event event)
{
    log_begin_with(line, log, event, events[event].text);
}

void log_begin_with(struct log_line *line, struct log *log, enum log_event event, const char *text)
{
    uint32_t suppressed;
    line->wanted = false;
    bool is_muted = (int)events[event].level > log->level || (log->muted >> event & 1) != 0;
    if (is_muted || !take_turn(log, event, &suppressed))
        return;
    if (suppressed > 0) {
        begin(line, log, LOG_SUPPRESSED, events[LOG_SUPPRESSED].text);
        log_number(line, "count", suppressed);
        log_text(line, "like", events[event].text);
        log_end(line);
    }
    begin(line, log, event, text);
}

// How many bytes at `at` may be shown as they are: printable ASCII, or a character of well-formed
// UTF-8 that is no control.
static size_t shown_size(struct bytes value, size_t at, bool is_text)
{
    uint8_t c = value.data[at];
    if (c >= 0x20 && c < 0x7f)
        return c == '"' || c == '\\' ? 0 : 1;
    if (c < 0xc2 || !is_text || (c == 0xc2 && value.data[at + 1] < 0xa0))
        return 0;
    return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static void put_escape(struct log_line *line, uint8_t c, bool json)
{
    static const char digits[] = "0123456789abcdef";
    const char *named = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    if (named != NULL)
        put_text(line, named);
    else if (c == '"' || c == '\\')
        put(line, (char[]){'\\', (char)c}, 2);
    else if (json)
        put(line, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
    else
        put(line, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
}

// Bytes that could end the line, the quotes or a terminal's peace are written as escapes.
static void put_escaped(struct log_line *line, struct bytes value, bool json)
{
    bool is_text = utf8_well_formed(value);
    size_t at = 0;
    while (at < value.size && at < VALUE_MAX) {
        size_t size = shown_size(value, at, is_text);
        if (size > 0)
            put(line, (const char *)value.data + at, size);
        else
            put_escape(line, value.data[at], json);
        at += size > 0 ? size : 1;
    }
    if (at < value.size)
        put_text(line, "...");
}

static bool is_plain(struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return value.size > 0 && value.size <= VALUE_MAX;
}

static void put_key(struct log_line *line, const char *key)
{
    bool json = line->log->format == LOG_JSON;
    put_text(line, json ? ",\"" : " ");
    put_text(line, key);
    put_text(line, json ? "\":" : "=");
}

static void put_value(struct log_line *line, struct bytes value)
{
    bool json = line->log->format == LOG_JSON;
    if (!json && is_plain(value)) {
        put(line, (const char *)value.data, value.size);
        return;
    }
    put_text(line, "\"");
    put_escaped(line, value, json);
    put_text(line, "\"");
}

void log_bytes(struct log_line *line, const char *key, struct bytes value)
{
    if (!line->wanted)
        return;
    size_t before = line->size;
    put_key(line, key);
    put_value(line, value);
    end_field(line, before);
}

void log_word(struct log_line *line, const char *text)
{
    size_t before = line->size;
    if (!line->wanted)
        return;
    put_text(line, text);
    end_field(line, before);
}

void log_word_bytes(struct log_line *line, struct bytes value)
{
    size_t before = line->size;
    if (!line->wanted)
        return;
    put_escaped(line, value, false);
    end_field(line, before);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    log_bytes(line, key, bytes_make(value, strlen(value)));
}

void log_number(struct log_line *line, const char *key, uint64_t value)
{
    if (!line->wanted)
        return;
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    size_t before = line->size;
    put_key(line, key);
    put_text(line, text);
    end_field(line, before);
}

// As syslog counts: 3 an error, 4 a warning, 6 information, 7 debugging.
static int system_level(enum log_level level)
{
    static const int levels[] = {
        [LOG_ERROR] = 3, [LOG_WARNING] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7};
    return levels[level];
}

static void write_out(const struct log_line *line)
{
    const struct log *log = line->log;
    unsigned outputs = log->outputs;
    if ((outputs & LOG_TO_STDERR) != 0)
        output_error(line->text, line->size);
    if ((outputs & LOG_TO_STDOUT) != 0)
        log_output_write(LOG_OUTPUT_STDOUT, line->text, line->size);
    if ((outputs & LOG_TO_FILE) != 0)
        log_output_write(log->file, line->text, line->size);
    if ((outputs & LOG_TO_SYSTEM) != 0)
        log_output_system(system_level(events[line->event].level), line->text, line->size - 1);
    if ((outputs & LOG_TO_TOPIC) != 0 && log->on_line != NULL)
        log->on_line(log->on_line_context, line->event, line->text, line->size - 1);
}

void log_listen(struct log *log, log_on_line *on_line, void *context)
{
    log->on_line = on_line;
    log->on_line_context = context;
}

void log_end(struct log_line *line)
{
    if (!line->wanted)
        return;
    ASSERT(line->size <= SIZE_MAX_OF_LINE);
    if (line->log->format == LOG_JSON)
        line->text[line->size++] = '}';
    line->text[line->size++] = '\n';
    write_out(line);
}
