// SPDX-License-Identifier: MIT
// A disk that refuses: the k-th write, barrier or truncation fails, for every k of a scripted life.
// Nothing is promised after that, and nothing that was promised before is lost. And a disk that is
// full: the group is refused, the store goes on, and what makes room is still taken.
// BUD_FAULT_STRIDE: 1 tries every k (a quick run every third).
#include "store/store_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define GROUPS 12

struct run {
    struct world world;
    struct disk_fault *disk;
    char directory[64];
    uint64_t committed, under_way; // states
    bool opened, refused;
};

static void begin(struct run *run)
{
    memset(run, 0, sizeof(*run));
    run->world.random.state = 7;
    run->world.payload_max = 3000;
    run->disk = disk_fault_new(5);
    world_make_directory(run->directory);
}

static void end(struct run *run)
{
    (void)world_close(&run->world);
    disk_fault_free(run->disk);
    world_remove_directory(run->directory);
}

// The same life every time, as far as the disk lets it.
static void live(struct run *run)
{
    struct world *world = &run->world;
    run->opened = world_open(world, run->directory, run->disk) == 0;
    for (unsigned i = 0; run->opened && i < GROUPS; i++) {
        int result = world_group(world, 1 + i * 5);
        if (result == 0) {
            assert_false(run->refused);
            run->committed = world_model_state(world, &world->model);
            continue;
        }
        run->refused = true;
    }
}

// The group that failed may be there or not: nobody was told.
static void assert_nothing_is_lost(struct run *run, struct disk_fault *after, uint64_t with_last)
{
    struct world world = {.payload_max = run->world.payload_max};
    char directory[64];
    world_make_directory(directory);
    assert_int_equal(world_open(&world, directory, after), 0);
    assert_true(world.state == run->committed || world.state == with_last);
    assert_int_equal(world_close(&world), 0);
    disk_fault_free(after);
    world_remove_directory(directory);
}

// What the state would be with one more group than was committed: from a life without faults.
static uint64_t states[GROUPS + 2];

static uint64_t following_state(uint64_t committed)
{
    for (unsigned i = 0; i <= GROUPS; i++)
        if (states[i] == committed)
            return states[i + 1];
    return 0;
}

static uint64_t note_states(void)
{
    struct run run;
    begin(&run);
    assert_int_equal(world_open(&run.world, run.directory, run.disk), 0);
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_int_equal(world_group(&run.world, 1 + i * 5), 0);
        states[i + 1] = world_model_state(&run.world, &run.world.model);
    }
    states[GROUPS + 1] = states[GROUPS];
    assert_int_equal(world_close(&run.world), 0);
    uint64_t operations = disk_fault_operations(run.disk);
    end(&run);
    return operations;
}

static bool fail_at(unsigned operations, uint64_t nth)
{
    struct run run;
    begin(&run);
    disk_fault_fail(run.disk, operations, nth);
    live(&run);
    int closed = world_close(&run.world);
    bool failed = disk_fault_failed(run.disk);
    // A failure in the last checkpoint is said too.
    if (failed && run.opened && !run.refused)
        assert_true(closed < 0);
    uint64_t with_last = following_state(run.committed);
    assert_nothing_is_lost(&run, disk_fault_copy(run.disk), with_last);
    for (uint64_t seed = 0; seed < 3; seed++)
        assert_nothing_is_lost(&run, disk_fault_cut(run.disk, nth * 3 + seed, 512), with_last);
    end(&run);
    return failed;
}

static void sweep(unsigned operations)
{
    unsigned stride = world_count("BUD_FAULT_STRIDE", 3);
    uint64_t all = note_states(), nth = 1;
    while (fail_at(operations, nth))
        nth += stride;
    print_message("%llu operations, failed at up to %llu\n", (unsigned long long)all,
                  (unsigned long long)nth);
    assert_true(nth > 1);
}

static void no_promise_after_a_failed_write(void **state)
{
    (void)state;
    sweep(DISK_FAULT_WRITE);
}

static void no_promise_after_a_failed_barrier(void **state)
{
    (void)state;
    sweep(DISK_FAULT_SYNC);
}

static void no_promise_after_a_failed_truncation_or_renaming(void **state)
{
    (void)state;
    sweep(DISK_FAULT_TRUNCATE | DISK_FAULT_DIRECTORY);
}

static void after_a_failed_barrier_every_call_says_so(void **state)
{
    struct run run;
    struct record record = {.kind = RECORD_INCOMING_PUT, .session = 1, .packet_id = 1};
    (void)state;
    begin(&run);
    assert_int_equal(world_open(&run.world, run.directory, run.disk), 0);
    disk_fault_fail(run.disk, DISK_FAULT_SYNC, 1);
    assert_int_equal(world_group(&run.world, 3), -EIO);
    disk_fault_fail(run.disk, 0, 0); // the disk is well again; we cannot know what it kept
    assert_int_equal(store_begin(run.world.store), -EIO);
    assert_int_equal(world_apply(&run.world, &record), -EIO);
    assert_int_equal(store_commit(run.world.store), -EIO);
    assert_int_equal(world_close(&run.world), -EIO);
    end(&run);
}

static void a_full_disk_is_waited_out(void **state)
{
    struct run run;
    struct world *world = &run.world;
    uint64_t kept;
    int result = 0;
    (void)state;
    begin(&run);
    assert_int_equal(world_open(world, run.directory, run.disk), 0);
    disk_fault_limit(run.disk, 200000);
    for (unsigned i = 0; i < 200 && result == 0; i++) {
        kept = world_model_state(world, &world->model);
        result = world_group(world, 20);
    }
    assert_int_equal(result, -ENOSPC);
    assert_true(kept == world_model_state(world, &world->model));
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_group(world, 100), -ENOSPC);
    run.committed = kept;
    assert_nothing_is_lost(&run, disk_fault_copy(run.disk), kept);
    // The reserve was given up: what only deletes goes through, again and again.
    disk_fault_limit(run.disk, 200000 + 40 * 4200);
    for (unsigned i = 0; i < WORLD_SESSIONS; i++) {
        assert_int_equal(store_begin(world->store), 0);
        assert_int_equal(world_remove_session(world, &world->model.sessions[i]), 0);
        assert_int_equal(store_commit(world->store), 0);
    }
    run.committed = world_model_state(world, &world->model);
    assert_nothing_is_lost(&run, disk_fault_copy(run.disk), run.committed);
    disk_fault_limit(run.disk, 0); // there is space again
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(world_group(world, 20), 0);
    run.committed = world_model_state(world, &world->model);
    assert_nothing_is_lost(&run, disk_fault_copy(run.disk), run.committed);
    assert_int_equal(world_close(world), 0);
    end(&run);
}

static void a_full_disk_is_opened_and_read(void **state)
{
    struct run run;
    struct world *world = &run.world;
    (void)state;
    begin(&run);
    assert_int_equal(world_open(world, run.directory, run.disk), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(world_group(world, 20), 0);
    uint64_t state_before = world_model_state(world, &world->model);
    struct disk_fault *full = disk_fault_copy(run.disk);
    disk_fault_limit(full, 1);
    struct world other = {.payload_max = world->payload_max};
    char directory[64];
    world_make_directory(directory);
    assert_int_equal(world_open(&other, directory, full), 0);
    assert_true(other.state == state_before);
    assert_int_equal(other.reports, 0);
    (void)world_close(&other);
    disk_fault_free(full);
    world_remove_directory(directory);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_promise_after_a_failed_write),
        cmocka_unit_test(no_promise_after_a_failed_barrier),
        cmocka_unit_test(no_promise_after_a_failed_truncation_or_renaming),
        cmocka_unit_test(after_a_failed_barrier_every_call_says_so),
        cmocka_unit_test(a_full_disk_is_waited_out),
        cmocka_unit_test(a_full_disk_is_opened_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
