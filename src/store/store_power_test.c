// SPDX-License-Identifier: MIT
// Power cuts: whatever the disk kept of what had not passed a barrier, the store opens, and in it
// is exactly what was committed, or that and the whole group that was under way. A disk whose
// barriers do nothing shows that the test can see. BUD_POWER_STATES: how many states.
#include "store/store_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define PENDING_MAX 64

// Ten lives: records in a group, the largest payload, how often the log is copied.
struct workload {
    unsigned group_max;
    size_t payload_max;
};

static const struct workload workloads[] = {
    {1, 50},    {3, 200},  {10, 100}, {30, 1000}, {1, 6000},
    {5, 20000}, {60, 300}, {2, 4000}, {100, 60},  {4, 9000},
};

#define WORKLOAD_COUNT (sizeof(workloads) / sizeof(workloads[0]))

struct pending {
    struct disk_fault *after;
    uint64_t committed; // state
};

struct cutter {
    struct world world;
    struct disk_fault *disk;
    struct test_random random;
    struct pending pending[PENDING_MAX];
    unsigned pending_count;
    uint64_t committed;
    uint64_t one_in; // how many operations are cut at
    unsigned states, bad, unfinished;
    bool lying;
    char directory[64], other[64];
};

static void cut_here(void *context, enum disk_fault_operation operation)
{
    static const uint32_t grains[] = {512, 64, 8};
    struct cutter *cutter = context;
    (void)operation;
    if (cutter->pending_count == PENDING_MAX ||
        test_random_below(&cutter->random, cutter->one_in) != 0)
        return;
    struct pending *pending = &cutter->pending[cutter->pending_count++];
    uint64_t seed = test_random_next(&cutter->random);
    pending->after = disk_fault_cut(cutter->disk, seed, grains[seed % 3]);
    pending->committed = cutter->committed;
}

// A life goes on after the cut: one more group, and a kill.
static bool lives_on(struct cutter *cutter, struct world *world, struct disk_fault *disk)
{
    world->model.last_session = 1000; // numbers that nobody has
    struct record record = {.kind = RECORD_INCOMING_PUT, .session = 1, .packet_id = 999};
    uint64_t before = world->state;
    if (store_begin(world->store) < 0 || world_put_session(world, &world->model.sessions[0]) < 0)
        return false;
    record.session = world->model.sessions[0].number;
    if (world_apply(world, &record) < 0 || store_commit(world->store) < 0)
        return false;
    struct disk_fault *killed = disk_fault_copy(disk);
    (void)world_close(world);
    bool opened = world_open(world, cutter->other, killed) == 0;
    bool same =
        opened && world->state - before == world_line(world, "session 1001 client-1001 user") +
                                               world_line(world, "incoming 1001 999");
    (void)world_close(world);
    disk_fault_free(killed);
    return same;
}

// True if the store that the cut left is what it must be: `now` is the state with the group that
// was under way.
static bool is_right(struct cutter *cutter, struct pending *pending, uint64_t now)
{
    struct world world = {.payload_max = cutter->world.payload_max};
    bool right = world_open(&world, cutter->other, pending->after) == 0 &&
                 (world.state == pending->committed || world.state == now);
    struct store_numbers numbers = {0};
    if (world.store != NULL) {
        store_numbers(world.store, &numbers);
        cutter->unfinished += world.reports;
    }
    right = right && numbers.damaged == 0;
    if (!right && !cutter->lying)
        print_message("state %llx, committed %llx, or %llx; damaged %llu; %s; %s\n",
                      (unsigned long long)world.state, (unsigned long long)pending->committed,
                      (unsigned long long)now, (unsigned long long)numbers.damaged, world.error,
                      world.last_report);
    if (right && test_random_below(&cutter->random, 4) == 0)
        right = lives_on(cutter, &world, pending->after);
    (void)world_close(&world);
    return right;
}

static void judge(struct cutter *cutter, uint64_t now)
{
    for (unsigned i = 0; i < cutter->pending_count; i++) {
        // Where nothing was promised yet, a lying disk can do no harm.
        bool counts = !cutter->lying || cutter->pending[i].committed != 0;
        cutter->states += counts;
        if (!is_right(cutter, &cutter->pending[i], now))
            cutter->bad += counts;
        disk_fault_free(cutter->pending[i].after);
    }
    cutter->pending_count = 0;
}

static void live(struct cutter *cutter, const struct workload *workload, unsigned groups)
{
    struct world *world = &cutter->world;
    world->payload_max = workload->payload_max;
    // A write that was lost and then made again elsewhere does no harm: without barriers the log is
    // not copied, so that each write is the only one.
    world->log_pages_max = cutter->lying ? UINT32_MAX / 2 : 0;
    disk_fault_watch(cutter->disk, cut_here, cutter);
    assert_int_equal(world_open(world, cutter->directory, cutter->disk), 0);
    judge(cutter, 0);
    for (unsigned i = 0; i < groups; i++) {
        unsigned count = 1 + (unsigned)test_random_below(&world->random, workload->group_max);
        assert_int_equal(world_group(world, count), 0);
        uint64_t now = world_model_state(world, &world->model);
        judge(cutter, now);
        cutter->committed = now;
    }
    assert_int_equal(world_close(world), 0);
    judge(cutter, cutter->committed);
}

static void run(struct cutter *cutter, const struct workload *workload, uint64_t seed, bool lying)
{
    memset(cutter, 0, sizeof(*cutter));
    cutter->random.state = seed;
    cutter->world.random.state = seed + 1;
    cutter->one_in = 4;
    cutter->disk = disk_fault_new(seed);
    cutter->lying = lying;
    if (lying)
        disk_fault_ignore_syncs(cutter->disk);
    world_make_directory(cutter->directory);
    world_make_directory(cutter->other);
    live(cutter, workload, 40);
    disk_fault_free(cutter->disk);
    world_remove_directory(cutter->directory);
    world_remove_directory(cutter->other);
}

static void what_was_committed_survives_every_power_cut(void **state)
{
    static struct cutter cutter;
    unsigned wanted = world_count("BUD_POWER_STATES", 1000), states = 0, unfinished = 0;
    (void)state;
    for (uint64_t seed = 1; states < wanted; seed++) {
        run(&cutter, &workloads[seed % WORKLOAD_COUNT], seed, false);
        if (cutter.bad > 0)
            print_message("seed %llu\n", (unsigned long long)seed);
        assert_int_equal(cutter.bad, 0);
        states += cutter.states;
        unfinished += cutter.unfinished;
    }
    print_message("%u states, %u with a log that was not finished\n", states, unfinished);
}

static void a_disk_that_lies_is_seen(void **state)
{
    static struct cutter cutter;
    unsigned states = 0, bad = 0;
    (void)state;
    for (uint64_t seed = 1; states < 300; seed++) {
        run(&cutter, &workloads[seed % WORKLOAD_COUNT], seed, true);
        states += cutter.states;
        bad += cutter.bad;
    }
    print_message("%u of %u states lost something\n", bad, states);
    assert_true(bad * 10 >= states * 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_survives_every_power_cut),
        cmocka_unit_test(a_disk_that_lies_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
