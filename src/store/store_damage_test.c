// SPDX-License-Identifier: MIT
// Damage: flipped bits, zeroed and misdirected pages, cut and missing files. The store opens; what
// it gives is what was there (or, when the log lost its end, what was there a little earlier),
// never anything else; and what is missing was reported. BUD_DAMAGE_TIMES multiplies the counts.
#include "store/store_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define GROUPS 30
#define PAGE 4096

struct life {
    struct world world;
    struct disk_fault *disk;  // as a killed process leaves it: with a log
    struct disk_fault *clean; // as a stopped one does
    uint64_t states[GROUPS + 1];
    uint64_t lines[4096]; // of the last state
    size_t line_count;
    char directory[64];
};

static struct life life;

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static int make_life(void **state)
{
    (void)state;
    life.world.random.state = 11;
    life.world.payload_max = 900;
    life.disk = disk_fault_new(3);
    world_make_directory(life.directory);
    assert_int_equal(world_open(&life.world, life.directory, life.disk), 0);
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_int_equal(world_group(&life.world, 12), 0);
        life.states[i + 1] = world_model_state(&life.world, &life.world.model);
    }
    struct disk_fault *killed = disk_fault_copy(life.disk);
    assert_int_equal(world_close(&life.world), 0);
    life.clean = disk_fault_copy(life.disk);
    disk_fault_free(life.disk);
    life.disk = killed;
    life.world.lines = life.lines;
    life.world.line_count = 0;
    (void)world_model_state(&life.world, &life.world.model);
    life.line_count = life.world.line_count;
    qsort(life.lines, life.line_count, sizeof(life.lines[0]), by_value);
    return 0;
}

static int end_life(void **state)
{
    (void)state;
    disk_fault_free(life.disk);
    disk_fault_free(life.clean);
    world_remove_directory(life.directory);
    return 0;
}

static bool all_were_there(const uint64_t *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bsearch(&lines[i], life.lines, life.line_count, sizeof(lines[0]), by_value) == NULL)
            return false;
    return true;
}

static bool was_a_state(uint64_t state)
{
    for (unsigned i = 0; i <= GROUPS; i++)
        if (life.states[i] == state)
            return true;
    return false;
}

struct outcome {
    unsigned harmless, less, earlier;
};

// The damaged store is opened, judged, written to, closed, and sometimes opened once more: then it
// is whole.
static void judge(struct disk_fault *damaged, struct outcome *outcome)
{
    static uint64_t lines[8192];
    struct world world = {.payload_max = life.world.payload_max, .lines = lines};
    struct store_numbers numbers;
    char directory[64];
    world_make_directory(directory);
    assert_int_equal(world_open(&world, directory, damaged), 0);
    store_numbers(world.store, &numbers);
    bool same = world.state == life.states[GROUPS];
    if (!same) {
        bool less = all_were_there(lines, world.line_count);
        assert_true(less || was_a_state(world.state));
        assert_true(world.reports > 0);
        assert_true(numbers.damaged > 0);
        outcome->less += less;
        outcome->earlier += !less;
    }
    outcome->harmless += same;
    uint64_t found = world.state;
    for (unsigned i = 0; i < 3; i++) { // groups that only delete what was set aside
        assert_int_equal(store_begin(world.store), 0);
        assert_int_equal(store_commit(world.store), 0);
    }
    assert_int_equal(world_close(&world), 0);
    world.line_count = 0;
    if ((outcome->harmless + outcome->less + outcome->earlier) % 4 == 0) {
        assert_int_equal(world_open(&world, directory, damaged), 0);
        assert_true(world.state == found);
        assert_int_equal(world.reports, 0);
        assert_int_equal(world_close(&world), 0);
    }
    disk_fault_free(damaged);
    world_remove_directory(directory);
}

// A copy of the disk of one of both lives, and a file on it: the larger, the likelier.
static struct disk_fault *take_disk(struct test_random *random, const char **ret_path)
{
    struct disk_fault *disk =
        disk_fault_copy(test_random_below(random, 2) == 0 ? life.disk : life.clean);
    size_t all = 0, size;
    for (size_t i = 0; (*ret_path = disk_fault_path(disk, i)) != NULL; i++) {
        (void)disk_fault_bytes(disk, *ret_path, &size);
        all += size;
    }
    uint64_t place = test_random_below(random, all);
    for (size_t i = 0; (*ret_path = disk_fault_path(disk, i)) != NULL; i++) {
        (void)disk_fault_bytes(disk, *ret_path, &size);
        if (place < size)
            break;
        place -= size;
    }
    return disk;
}

static struct disk_fault *take_any(struct test_random *random, const char **ret_path)
{
    struct disk_fault *disk =
        disk_fault_copy(test_random_below(random, 2) == 0 ? life.disk : life.clean);
    size_t count = 0;
    while (disk_fault_path(disk, count) != NULL)
        count++;
    *ret_path = disk_fault_path(disk, test_random_below(random, count));
    return disk;
}

static void say(const char *what, struct outcome outcome)
{
    print_message("%s: %u without effect, %u with less, %u with an earlier state\n", what,
                  outcome.harmless, outcome.less, outcome.earlier);
}

static void flipped_bits(void **state)
{
    struct test_random random = {1};
    struct outcome outcome = {0};
    unsigned count = 1000 * world_count("BUD_DAMAGE_TIMES", 1);
    (void)state;
    for (unsigned i = 0; i < count; i++) {
        const char *path;
        size_t size;
        struct disk_fault *disk = take_disk(&random, &path);
        uint8_t *bytes = disk_fault_bytes(disk, path, &size);
        if (size > 0)
            bytes[test_random_below(&random, size)] ^= (uint8_t)(1 << i % 8);
        judge(disk, &outcome);
    }
    say("bits", outcome);
    assert_true(outcome.less > 0 && outcome.earlier > 0);
}

static void zeroed_pages(void **state)
{
    struct test_random random = {2};
    struct outcome outcome = {0};
    unsigned count = 200 * world_count("BUD_DAMAGE_TIMES", 1);
    (void)state;
    for (unsigned i = 0; i < count; i++) {
        const char *path;
        size_t size;
        struct disk_fault *disk = take_disk(&random, &path);
        uint8_t *bytes = disk_fault_bytes(disk, path, &size);
        if (size >= PAGE)
            memset(bytes + test_random_below(&random, size / PAGE) * PAGE, 0, PAGE);
        judge(disk, &outcome);
    }
    say("zeroed pages", outcome);
}

static void misdirected_pages(void **state)
{
    struct test_random random = {3};
    struct outcome outcome = {0};
    unsigned count = 200 * world_count("BUD_DAMAGE_TIMES", 1);
    (void)state;
    for (unsigned i = 0; i < count; i++) {
        const char *path;
        size_t size;
        struct disk_fault *disk = take_disk(&random, &path);
        uint8_t *bytes = disk_fault_bytes(disk, path, &size);
        size_t from = size < PAGE ? 0 : test_random_below(&random, size / PAGE);
        size_t to = size < PAGE ? 0 : test_random_below(&random, size / PAGE);
        if (from != to)
            memcpy(bytes + to * PAGE, bytes + from * PAGE, PAGE);
        judge(disk, &outcome);
    }
    say("misdirected pages", outcome);
}

static void cut_files(void **state)
{
    struct test_random random = {4};
    struct outcome outcome = {0};
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        const char *path;
        size_t size;
        struct disk_fault *disk = take_any(&random, &path);
        (void)disk_fault_bytes(disk, path, &size);
        disk_fault_resize(disk, path, i % 10 == 0 ? 0 : test_random_below(&random, size + 1));
        judge(disk, &outcome);
    }
    say("cut files", outcome);
}

static void missing_files(void **state)
{
    struct test_random random = {5};
    struct outcome outcome = {0};
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        const char *path;
        struct disk_fault *disk = take_any(&random, &path);
        disk_fault_remove(disk, path);
        judge(disk, &outcome);
    }
    say("missing files", outcome);
}

// Many pages at once: whatever is left is right.
static void a_ruin(void **state)
{
    struct test_random random = {6};
    struct outcome outcome = {0};
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        const char *path;
        size_t size;
        struct disk_fault *disk = take_disk(&random, &path);
        uint8_t *bytes = disk_fault_bytes(disk, path, &size);
        for (unsigned j = 0; size > 0 && j < 1 + i / 5; j++)
            bytes[test_random_below(&random, size)] ^= (uint8_t)test_random_next(&random);
        judge(disk, &outcome);
    }
    say("ruins", outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bits),      cmocka_unit_test(zeroed_pages),
        cmocka_unit_test(misdirected_pages), cmocka_unit_test(cut_files),
        cmocka_unit_test(missing_files),     cmocka_unit_test(a_ruin),
    };
    return cmocka_run_group_tests(tests, make_life, end_life);
}
