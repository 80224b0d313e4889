// SPDX-License-Identifier: MIT
// SipHash-1-3 (Aumasson and Bernstein) of the message (seed as 8 little-endian bytes, bytes).
// The seed is part of the message and not of the key, so that hashes under different seeds are as
// unrelated as those of different names. The attacker controls `bytes`; the key is secret.
#include "base/hash.h"

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotate(uint64_t word, unsigned count)
{
    return (word << count) | (word >> (64 - count));
}

static inline void mix(struct sip *s)
{
    s->a += s->b;
    s->b = rotate(s->b, 13) ^ s->a;
    s->a = rotate(s->a, 32);
    s->c += s->d;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static inline void absorb(struct sip *s, uint64_t word)
{
    s->d ^= word;
    mix(s);
    s->a ^= word;
}

// Little-endian whatever the machine: a session's home must not depend on the byte order.
static inline uint64_t load_word(const uint8_t *data)
{
    uint64_t word;
    __builtin_memcpy(&word, data, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

// The bytes that fill no word, and the message's size (with the seed) in the top byte.
static inline uint64_t last_word(struct bytes rest, size_t message_size)
{
    uint64_t word = (uint64_t)(message_size & 0xff) << 56;
    for (size_t index = 0; index < rest.size; index++) {
        word |= (uint64_t)rest.data[index] << (8 * index);
    }
    return word;
}

uint64_t hash_bytes(struct hash_key key, uint64_t seed, struct bytes bytes)
{
    struct sip s = {
        key.k0 ^ 0x736f6d6570736575u,
        key.k1 ^ 0x646f72616e646f6du,
        key.k0 ^ 0x6c7967656e657261u,
        key.k1 ^ 0x7465646279746573u,
    };
    size_t message_size = bytes.size + sizeof seed;
    absorb(&s, seed);
    for (; bytes.size >= 8; bytes = bytes_from(bytes, 8)) {
        absorb(&s, load_word(bytes.data));
    }
    absorb(&s, last_word(bytes, message_size));
    s.c ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
