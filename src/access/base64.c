// SPDX-License-Identifier: MIT
#include "access/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char letter_of(enum base64_kind kind, uint32_t six)
{
    if (kind == BASE64_URL && six >= 62)
        return six == 62 ? '-' : '_';
    return letters[six];
}

static int six_of(enum base64_kind kind, uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    if (letter == (kind == BASE64_URL ? '-' : '+'))
        return 62;
    return letter == (kind == BASE64_URL ? '_' : '/') ? 63 : -1;
}

size_t base64_encode(enum base64_kind kind, struct bytes bytes, char *text)
{
    size_t size = 0;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t count = bytes.size - i < 3 ? bytes.size - i : 3;
        uint32_t three = (uint32_t)bytes.data[i] << 16;
        if (count > 1)
            three |= (uint32_t)bytes.data[i + 1] << 8;
        if (count > 2)
            three |= bytes.data[i + 2];
        for (size_t j = 0; j <= count; j++)
            text[size++] = letter_of(kind, three >> (18 - 6 * j) & 63);
        for (size_t j = count; j < 3 && kind == BASE64_PADDED; j++)
            text[size++] = '=';
    }
    return size;
}

// Without its padding; false if that is not right.
static bool strip_padding(struct bytes *text)
{
    if (text->size % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text->size > 0 && text->data[text->size - 1] == '='; i++)
        text->size--;
    return true;
}

bool base64_decode(enum base64_kind kind, struct bytes text, uint8_t *bytes, size_t size_max,
                   size_t *ret_size)
{
    if ((kind == BASE64_PADDED && !strip_padding(&text)) || text.size % 4 == 1 ||
        text.size / 4 * 3 + text.size % 4 * 3 / 4 > size_max)
        return false;
    size_t size = 0;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < text.size; i++) {
        int six = six_of(kind, text.data[i]);
        if (six < 0)
            return false;
        bits = bits << 6 | (uint32_t)six;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        bytes[size++] = (uint8_t)(bits >> count);
        bits &= (1u << count) - 1;
    }
    if (bits != 0)
        return false;
    *ret_size = size;
    return true;
}
