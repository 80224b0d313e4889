// SPDX-License-Identifier: MIT
#include "base/standstill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>

#define THREADS 4
#define ROUNDS 200

struct crowd {
    struct standstill standstill;
    _Atomic uint32_t asked; // how many standstills there were
    _Atomic bool over;
    uint64_t shared; // changed only while all stand
    uint64_t seen[THREADS];
};

struct member {
    struct crowd *crowd;
    uint32_t number;
};

static void *walk(void *argument)
{
    struct member *member = argument;
    struct crowd *crowd = member->crowd;
    uint32_t stood = 0;
    while (!atomic_load(&crowd->over) || stood < atomic_load(&crowd->asked)) {
        crowd->seen[member->number] = crowd->shared;
        if (stood == atomic_load(&crowd->asked))
            continue;
        standstill_stand(&crowd->standstill);
        stood++;
    }
    crowd->seen[member->number] = crowd->shared;
    return NULL;
}

// The thread sanitizer is the judge of whether anybody looked meanwhile.
static void what_is_changed_at_a_standstill_is_seen_by_all(void **state)
{
    (void)state;
    static struct crowd crowd;
    pthread_t threads[THREADS];
    struct member members[THREADS];
    standstill_init(&crowd.standstill);
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (struct member){&crowd, i};
        assert_int_equal(pthread_create(&threads[i], NULL, walk, &members[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&crowd.asked, 1);
        standstill_wait(&crowd.standstill, THREADS);
        crowd.shared++;
        standstill_end(&crowd.standstill);
    }
    atomic_store(&crowd.over, true);
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(crowd.seen[i], ROUNDS);
    }
    standstill_done(&crowd.standstill);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_changed_at_a_standstill_is_seen_by_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
