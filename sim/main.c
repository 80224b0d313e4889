// SPDX-License-Identifier: MIT
// bud-sim: runs simulated worlds, one for each seed, and judges them. `--seed N` replays one with
// everything that happens in it; `--seeds A..B` runs many and, when one fails, prints its seed and
// the shortest script that still fails.
#include "sim/sweep.h"
#include "sim/world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

#define TWICE_EVERY 10
#define JOBS_MAX 64

static int usage(void)
{
    fputs("usage: bud-sim --seed N           replay one world, with all that happens\n"
          "       bud-sim --shorten N        the shortest script of this seed that fails\n"
          "       bud-sim --allocations N    this seed with each allocation failing in turn\n"
          "       bud-sim --seeds A..B       run many; prints the first that fails, shortened\n"
          "               [--jobs N]         in so many processes (default: one a core)\n"
          "               [--twice]          each twice: both must leave the same trace\n",
          stderr);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, const char **ret_end, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *ret_number = strtoull(text, &end, 10);
    *ret_end = end;
    return errno == 0;
}

static bool parse_whole(const char *text, uint64_t *ret_number)
{
    const char *end;
    return parse_number(text, &end, ret_number) && *end == 0;
}

static bool parse_range(const char *text, struct sweep *sweep)
{
    const char *end;
    return parse_number(text, &end, &sweep->first) && strncmp(end, "..", 2) == 0 &&
           parse_number(end + 2, &end, &sweep->last) && *end == 0 && sweep->first <= sweep->last;
}

static int replay(uint64_t seed)
{
    static struct script script;
    struct outcome outcome;
    script_make(seed, &script);
    script_print(&script);
    world_run(&script, true, &outcome);
    printf("seed %" PRIu64 ": %s%s; %" PRIu64 " messages, %" PRIu64 " deliveries, %" PRIu64
           " turns, trace %016" PRIx64 "\n",
           seed, outcome.failed ? "FAILED at " : "well", outcome.words, outcome.messages,
           outcome.deliveries, outcome.turns, outcome.trace_hash);
    return outcome.failed ? EXIT_FAILED : EXIT_DONE;
}

static int shorten(uint64_t seed)
{
    static struct script script;
    char verdict[VERDICT_MAX];
    script_make(seed, &script);
    uint32_t before = script.count;
    sweep_shorten(&script, verdict);
    printf("%u of %u actions are enough to fail at %s\n", script.count, before, verdict);
    script_print(&script);
    return EXIT_FAILED;
}

static int fail_allocations(uint64_t seed)
{
    uint64_t count;
    char verdict[VERDICT_MAX];
    if (sweep_allocations(seed, &count, verdict)) {
        printf("seed %" PRIu64 " bears each of %" PRIu64 " failing allocations\n", seed, count);
        return EXIT_DONE;
    }
    printf("seed %" PRIu64 " FAILED with allocation %" PRIu64 " failing, at %s\n", seed, count,
           verdict);
    return EXIT_FAILED;
}

static int run_many(const struct sweep *sweep)
{
    uint64_t seed = 0;
    char verdict[VERDICT_MAX];
    if (sweep_run(sweep, &seed, verdict)) {
        printf("%" PRIu64 " seeds, from %" PRIu64 " to %" PRIu64 ": all well\n",
               sweep->last - sweep->first + 1, sweep->first, sweep->last);
        return EXIT_DONE;
    }
    printf("seed %" PRIu64 " FAILED at %s\nreplay it with: bud-sim --seed %" PRIu64 "\n", seed,
           verdict, seed);
    return shorten(seed);
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct sweep sweep = {.jobs = 1, .twice_every = TWICE_EVERY};
    if (cores > 1)
        sweep.jobs = cores < JOBS_MAX ? (uint32_t)cores : JOBS_MAX;
    uint64_t number = 0;
    bool many = false;
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(option, "--twice") == 0) {
            sweep.twice_every = 1;
            continue;
        }
        i++;
        if (strcmp(option, "--seed") == 0 && parse_whole(value, &number))
            return replay(number);
        if (strcmp(option, "--shorten") == 0 && parse_whole(value, &number))
            return shorten(number);
        if (strcmp(option, "--allocations") == 0 && parse_whole(value, &number))
            return fail_allocations(number);
        if (strcmp(option, "--seeds") == 0 && parse_range(value, &sweep))
            many = true;
        else if (strcmp(option, "--jobs") == 0 && parse_whole(value, &number) && number > 0 &&
                 number <= JOBS_MAX)
            sweep.jobs = (uint32_t)number;
        else
            return usage();
    }
    return many ? run_many(&sweep) : usage();
}
