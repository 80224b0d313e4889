// SPDX-License-Identifier: MIT
#include "transport/first_bytes.h"

#include <string.h>

// Is `bytes` the beginning of `whole`, all of it (1), the first part (0), or something else (-1)?
static int begins(struct bytes bytes, const char *whole, size_t size)
{
    size_t compared = bytes.size < size ? bytes.size : size;
    if (memcmp(bytes.data, whole, compared) != 0)
        return -1;
    return compared == size ? 1 : 0;
}

enum first_bytes first_bytes_tell(struct bytes bytes)
{
    // No CONNECT begins with one of these: its first byte is 0x10.
    static const struct {
        const char *text;
        uint8_t size;
        uint8_t means;
    } known[] = {
        {"\x16\x03", 2, FIRST_TLS},  {"GET ", 4, FIRST_HTTP},
        {"POST ", 5, FIRST_HTTP},    {"HEAD ", 5, FIRST_HTTP},
        {"PUT ", 4, FIRST_HTTP},     {"DELETE ", 7, FIRST_HTTP},
        {"OPTIONS ", 8, FIRST_HTTP}, {"PATCH ", 6, FIRST_HTTP},
        {"PROXY ", 6, FIRST_PROXY},  {"\r\n\r\n\0\r\nQUIT\n", 12, FIRST_PROXY},
    };
    bool may_become = false;
    if (bytes.size == 0)
        return FIRST_MORE;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        int result = begins(bytes, known[i].text, known[i].size);
        if (result > 0)
            return (enum first_bytes)known[i].means;
        may_become = may_become || result == 0;
    }
    return may_become ? FIRST_MORE : FIRST_MQTT;
}
