// SPDX-License-Identifier: MIT
// bud-power: the power is cut thousands of times under the whole broker. Each life runs in a
// process of its own, so that a crash is one more thing that is seen. Prints how many states were
// judged and each life with a state that failed; `--replay NUMBER` judges that state alone, with
// the broker's log.
#define _GNU_SOURCE // nftw
#include "sim/power_life.h"
#include "sim/power_world.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct request {
    uint32_t states, workers;
    uint64_t seed, replay;
    int64_t workload; // -1 all
    bool no_barrier, replays;
};

static int usage(void)
{
    fprintf(stderr, "usage: bud-power [--states N] [--workload K|NAME|all] [--seed S] "
                    "[--workers N] [--no-barrier] [--replay NUMBER]\n");
    return 2;
}

static int64_t workload_of(const char *text)
{
    for (uint32_t i = 0; i < power_workload_count; i++)
        if (strcmp(power_workloads[i].name, text) == 0)
            return i;
    return strcmp(text, "all") == 0 ? -1
                                    : (int64_t)(strtoul(text, NULL, 10) % power_workload_count);
}

static bool parse(int count, char **words, struct request *request)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--no-barrier") == 0) {
            request->no_barrier = true;
            continue;
        }
        if (i + 1 == count)
            return false;
        const char *option = words[i++];
        uint64_t number = strtoull(words[i], NULL, 10);
        if (strcmp(option, "--states") == 0)
            request->states = (uint32_t)number;
        else if (strcmp(option, "--seed") == 0)
            request->seed = number;
        else if (strcmp(option, "--workload") == 0)
            request->workload = workload_of(words[i]);
        else if (strcmp(option, "--workers") == 0)
            request->workers = (uint32_t)number;
        else if (strcmp(option, "--replay") == 0)
            request->replay = number;
        else
            return false;
        request->replays = request->replays || strcmp(option, "--replay") == 0;
    }
    return true;
}

static void live_and_tell(const struct power_life *life, int pipe_end)
{
    struct power_verdict verdict = {0};
    power_live(life, &verdict);
    if (write(pipe_end, &verdict, sizeof(verdict)) != sizeof(verdict))
        exit(1);
    exit(0);
}

// In a child. A child that died is a failure of the life.
static struct power_verdict live_apart(const struct power_life *life)
{
    struct power_verdict verdict = {0};
    int ends[2], status = 0;
    if (pipe(ends) < 0) {
        perror("pipe");
        exit(1);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        live_and_tell(life, ends[1]);
    close(ends[1]);
    bool told = child > 0 && read(ends[0], &verdict, sizeof(verdict)) == sizeof(verdict);
    close(ends[0]);
    if (child > 0)
        (void)waitpid(child, &status, 0);
    if (!told || status != 0) {
        verdict.states = verdict.failures = 1;
        verdict.first_failure = life->number * POWER_STATES_OF_LIFE;
        (void)snprintf(verdict.words, sizeof(verdict.words), "it crashed (status %d)", status);
    }
    return verdict;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_failure(const struct power_life *life, const struct power_verdict *verdict)
{
    printf("%s: %u of %u states, first %llu: %s\n",
           power_workloads[life->number % power_workload_count].name, verdict->failures,
           verdict->states, (unsigned long long)verdict->first_failure, verdict->words);
}

static int run_many(const struct request *request, const char *directory)
{
    uint32_t states = 0, failures = 0;
    double start = seconds();
    for (uint64_t i = 0; states < request->states; i++) {
        struct power_life life = {.only = POWER_ALL,
                                  .no_barrier = request->no_barrier,
                                  .workers = request->workers,
                                  .directory = directory};
        life.number = request->workload < 0 ? request->seed * 1000 + i
                                            : (request->seed * 1000 + i) * power_workload_count +
                                                  (uint64_t)request->workload;
        struct power_verdict verdict = live_apart(&life);
        states += verdict.states;
        failures += verdict.failures;
        if (verdict.failures > 0 && !request->no_barrier)
            print_failure(&life, &verdict);
    }
    double span = seconds() - start;
    printf("%u states, %u failures, %.1f s, %.0f a second\n", states, failures, span,
           (double)states / span);
    if (request->no_barrier)
        return (uint64_t)failures * 10 >= (uint64_t)states * 8 ? 0 : 1;
    return failures == 0 ? 0 : 1;
}

static int replay(const struct request *request, const char *directory)
{
    struct power_life life = {.number = request->replay / POWER_STATES_OF_LIFE,
                              .only = (uint32_t)(request->replay % POWER_STATES_OF_LIFE),
                              .no_barrier = request->no_barrier,
                              .workers = request->workers,
                              .verbose = true,
                              .directory = directory};
    struct power_verdict verdict = {0};
    power_live(&life, &verdict);
    if (verdict.failures > 0)
        print_failure(&life, &verdict);
    else
        printf("%u states, nothing wrong\n", verdict.states);
    return verdict.failures > 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_directory(const char *directory)
{
    if (nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "bud-power: %s is left: %s\n", directory, strerror(errno));
}

int main(int count, char **words)
{
    struct request request = {.states = 1000, .seed = 1, .workload = -1};
    char directory[] = "/tmp/bud-power-XXXXXX";
    if (!parse(count, words, &request))
        return usage();
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return 1;
    }
    int result = request.replays ? replay(&request, directory) : run_many(&request, directory);
    remove_directory(directory);
    return result;
}
