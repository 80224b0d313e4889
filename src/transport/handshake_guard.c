// SPDX-License-Identifier: MIT
#include "transport/handshake_guard.h"

#include <string.h>

enum { RECORD_CHANGE_CIPHER_SPEC = 20, RECORD_HANDSHAKE = 22 }; // [RFC 8446 B.1]

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Takes what is missing of a head off the front; true when it is whole.
static bool collect(uint8_t *head, uint8_t *have, size_t size, struct bytes *bytes)
{
    size_t taken = least(size - *have, bytes->size);
    if (taken > 0)
        memcpy(head + *have, bytes->data, taken);
    *have = (uint8_t)(*have + taken);
    *bytes = bytes_from(*bytes, taken);
    return *have == size;
}

static void begin_record(struct handshake_guard *guard, bool ends_at_change)
{
    guard->record_left = ((uint32_t)guard->record[3] << 8) | guard->record[4];
    if (guard->record[0] == RECORD_CHANGE_CIPHER_SPEC && ends_at_change)
        guard->is_over = true;
    if (guard->record_left == 0)
        guard->record_head = 0;
}

static void begin_message(struct handshake_guard *guard)
{
    guard->message_left = ((uint32_t)guard->message[1] << 16) | ((uint32_t)guard->message[2] << 8) |
                          guard->message[3];
    guard->message_head = 0;
}

// What is in this record, as far as it has come.
static bool take_contents(struct handshake_guard *guard, struct bytes contents)
{
    while (contents.size > 0 && guard->record[0] == RECORD_HANDSHAKE) {
        size_t skipped = least(guard->message_left, contents.size);
        guard->message_left -= (uint32_t)skipped;
        contents = bytes_from(contents, skipped);
        if (guard->message_left > 0 ||
            !collect(guard->message, &guard->message_head, sizeof(guard->message), &contents))
            return true;
        begin_message(guard);
        if (guard->message_left > HANDSHAKE_MESSAGE_MAX)
            return false;
    }
    return true;
}

bool handshake_guard_take(struct handshake_guard *guard, struct bytes bytes, bool ends_at_change)
{
    while (bytes.size > 0 && !guard->is_over) {
        if (guard->record_left == 0) {
            if (collect(guard->record, &guard->record_head, sizeof(guard->record), &bytes))
                begin_record(guard, ends_at_change);
            continue;
        }
        size_t size = least(guard->record_left, bytes.size);
        if (!take_contents(guard, bytes_make(bytes.data, size)))
            return false;
        guard->record_left -= (uint32_t)size;
        guard->record_head = guard->record_left == 0 ? 0 : guard->record_head;
        bytes = bytes_from(bytes, size);
    }
    return true;
}
