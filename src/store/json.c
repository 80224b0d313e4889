// SPDX-License-Identifier: MIT
#include "store/json.h"

#include "proto/utf8.h"

#include <stdio.h>
#include <string.h>

// Without memory the line is cut short; it is for people.
static void append(struct buffer *buffer, struct bytes bytes)
{
    (void)buffer_try_append(buffer, bytes, SIZE_MAX / 2);
}

static void append_string(struct buffer *buffer, const char *string)
{
    append(buffer, bytes_make(string, strlen(string)));
}

static void append_escaped(struct buffer *buffer, uint8_t byte)
{
    char escape[8];
    (void)snprintf(escape, sizeof(escape), "\\u%04x", byte);
    append_string(buffer, escape);
}

void json_text(struct buffer *buffer, struct bytes text)
{
    append_string(buffer, "\"");
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
            append_escaped(buffer, byte);
        else if (byte == 0xc2 && i + 1 < text.size && text.data[i + 1] < 0xa0)
            append_escaped(buffer, text.data[++i]); // U+0080 to U+009F: control characters too
        else
            append(buffer, bytes_make(&byte, 1));
    }
    append_string(buffer, "\"");
}

static void append_hex(struct buffer *buffer, struct bytes bytes)
{
    append_string(buffer, "\"");
    for (size_t i = 0; i < bytes.size; i++) {
        char pair[3];
        (void)snprintf(pair, sizeof(pair), "%02x", bytes.data[i]);
        append_string(buffer, pair);
    }
    append_string(buffer, "\"");
}

static void append_value(struct buffer *buffer, const struct table_column *column,
                         const struct value *value)
{
    bool is_text = column->kind != VALUE_NUMBER && utf8_valid(value->bytes);
    append_string(buffer, ",\"");
    append_string(buffer, column->name);
    append_string(buffer, column->kind == VALUE_NUMBER || is_text ? "\":" : "_hex\":");
    if (column->kind == VALUE_NUMBER) {
        char number[32];
        (void)snprintf(number, sizeof(number), "%lld", (long long)value->number);
        append_string(buffer, number);
    } else if (is_text) {
        json_text(buffer, value->bytes);
    } else {
        append_hex(buffer, value->bytes);
    }
}

void json_row(struct buffer *buffer, const struct row *row, const char *reason)
{
    const struct table_description *table = &table_descriptions[row->table];
    append_string(buffer, "{\"table\":\"");
    append_string(buffer, table->name);
    append_string(buffer, "\"");
    for (unsigned i = 0; i < table->column_count; i++)
        append_value(buffer, &table->columns[i], &row->values[i]);
    if (reason != NULL) {
        append_string(buffer, ",\"reason\":");
        json_text(buffer, bytes_make(reason, strlen(reason)));
    }
    append_string(buffer, "}\n");
}
