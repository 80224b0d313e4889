// SPDX-License-Identifier: MIT
// For tests only: numbers that look random and are the same in every run (splitmix64).
#ifndef BUD_BASE_TEST_RANDOM_H
#define BUD_BASE_TEST_RANDOM_H

#include <stdint.h>

struct test_random {
    uint64_t state; // the seed
};

static inline uint64_t test_random_next(struct test_random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t word = random->state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

static inline uint64_t test_random_below(struct test_random *random, uint64_t end)
{
    return test_random_next(random) % end;
}

#endif
