// SPDX-License-Identifier: MIT
// See utf8.h. Nearly every topic is ASCII, so eight bytes are judged at a time until one is not.
#include "proto/utf8.h"

#define EACH_BYTE 0x0101010101010101u
#define HIGH_BITS 0x8080808080808080u

static uint64_t load_word(const uint8_t *place)
{
    uint64_t word;

    __builtin_memcpy(&word, place, sizeof(word));
    return word;
}

// How many bytes at the start are 0x01..0x7F, rounded down to a word (or to a byte near the end).
static size_t skip_ascii(const uint8_t *text, size_t size)
{
    size_t at = 0;

    for (; size - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word = load_word(text + at);

        // With no high bit set, subtracting one borrows into a high bit only where a byte is zero.
        if ((word | (word - EACH_BYTE)) & HIGH_BITS)
            break;
    }
    while (at < size && text[at] >= 1 && text[at] <= 0x7F)
        at++;
    return at;
}

static bool continues(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

// The lowest and highest second byte after `lead`: shuts out longer than needed forms, surrogates
// and what is beyond U+10FFFF.
static bool second_fits(uint8_t lead, uint8_t second)
{
    switch (lead) {
    case 0xE0: return second >= 0xA0 && second <= 0xBF;
    case 0xED: return second >= 0x80 && second <= 0x9F; // U+D800..U+DFFF [MQTT-1.5.4-1]
    case 0xF0: return second >= 0x90 && second <= 0xBF;
    case 0xF4: return second >= 0x80 && second <= 0x8F;
    default: return continues(second);
    }
}

// The size of the sequence of two to four bytes at `text`, 0 if it is not one.
static size_t sequence_size(const uint8_t *text, size_t left)
{
    uint8_t lead = text[0];
    size_t size;

    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    size = lead < 0xE0 ? 2u : lead < 0xF0 ? 3u : 4u;
    if (size > left || !second_fits(lead, text[1]))
        return 0;
    for (size_t i = 2; i < size; i++) {
        if (!continues(text[i]))
            return 0;
    }
    return size;
}

static bool scan(struct bytes text, bool nul_allowed)
{
    size_t at = 0;

    while (at < text.size) {
        size_t size = skip_ascii(text.data + at, text.size - at);

        at += size;
        if (at == text.size)
            return true;
        size = text.data[at] == 0 ? nul_allowed : sequence_size(text.data + at, text.size - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

bool utf8_valid(struct bytes text)
{
    return scan(text, false);
}

bool utf8_well_formed(struct bytes text)
{
    return scan(text, true);
}
