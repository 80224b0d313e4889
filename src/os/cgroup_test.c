// SPDX-License-Identifier: MIT
// A small copy of the kernel's tree in a directory of its own, for each test.
#include "os/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int make_tree(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/bud-cgroup-XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    make_folder("system");
    make_folder("system/bud");
    write_file("membership", "12:cpu:/old\n0::/system/bud\n");
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    static const char *const names[] = {
        "system/bud/memory.max",
        "system/bud/cpu.max",
        "system/bud",
        "system/memory.max",
        "system/cpu.max",
        "system",
        "memory.max",
        "cpu.max",
        "membership",
        "",
    };
    char path[256];
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        snprintf(path, sizeof path, "%s/%s", root, names[index]);
        remove(path);
    }
    return access(root, F_OK) == 0 ? -1 : 0;
}

static struct cgroup_limits read_tree(void)
{
    char membership[128];
    snprintf(membership, sizeof membership, "%s/membership", root);
    return cgroup_read_limits(membership, root);
}

static void limits_of_the_own_group_count(void **state)
{
    (void)state;
    write_file("system/bud/memory.max", "1073741824\n");
    write_file("system/bud/cpu.max", "200000 100000\n");
    struct cgroup_limits limits = read_tree();
    assert_true(limits.memory_bytes == 1073741824);
    assert_int_equal(limits.cores, 2);
}

static void the_tightest_of_all_levels_counts(void **state)
{
    (void)state;
    write_file("system/bud/memory.max", "3000\n");
    write_file("system/memory.max", "1000\n");
    write_file("memory.max", "2000\n");
    write_file("system/bud/cpu.max", "max 100000\n");
    write_file("system/cpu.max", "800000 100000\n");
    write_file("cpu.max", "400000 100000\n");
    struct cgroup_limits limits = read_tree();
    assert_true(limits.memory_bytes == 1000);
    assert_int_equal(limits.cores, 4);
}

static void a_part_of_a_core_is_a_core(void **state)
{
    (void)state;
    write_file("system/bud/cpu.max", "1000 100000\n");
    assert_int_equal(read_tree().cores, 1);
    write_file("system/bud/cpu.max", "250000 100000\n");
    assert_int_equal(read_tree().cores, 3);
}

static void max_is_no_limit(void **state)
{
    (void)state;
    write_file("system/bud/memory.max", "max\n");
    write_file("system/bud/cpu.max", "max 100000\n");
    struct cgroup_limits limits = read_tree();
    assert_true(limits.memory_bytes == 0);
    assert_int_equal(limits.cores, 0);
}

static void the_root_group_has_limits_in_a_container(void **state)
{
    (void)state;
    write_file("membership", "0::/\n");
    write_file("memory.max", "5000\n");
    assert_true(read_tree().memory_bytes == 5000);
}

static void nonsense_limits_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",           "\n",
        "-5\n",       "12x\n",
        " 12\n",      "0x9\n",
        "1 2 3\n",    "100000 0\n",
        "100000 \n",  "100000 -1\n",
        "12 \n",      "max max\n",
        "- 100000\n", "99999999999999999999999999\n",
    };
    for (size_t index = 0; index < sizeof lines / sizeof *lines; index++) {
        write_file("system/bud/memory.max", lines[index]);
        write_file("system/bud/cpu.max", lines[index]);
        struct cgroup_limits limits = read_tree();
        assert_true(limits.memory_bytes == 0);
        assert_int_equal(limits.cores, 0);
    }
}

static void without_version_2_nothing_is_limited(void **state)
{
    (void)state;
    write_file("memory.max", "5000\n");
    write_file("membership", "12:cpu:/old\n1:name=systemd:/x\n");
    assert_true(read_tree().memory_bytes == 0);
    write_file("membership", "");
    assert_true(read_tree().memory_bytes == 0);
    assert_true(cgroup_read_limits("/nonexistent", root).memory_bytes == 0);
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TREE(limits_of_the_own_group_count),
        WITH_TREE(the_tightest_of_all_levels_counts),
        WITH_TREE(a_part_of_a_core_is_a_core),
        WITH_TREE(max_is_no_limit),
        WITH_TREE(the_root_group_has_limits_in_a_container),
        WITH_TREE(nonsense_limits_nothing),
        WITH_TREE(without_version_2_nothing_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
