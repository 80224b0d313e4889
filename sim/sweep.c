// SPDX-License-Identifier: MIT
// A world that breaks an assertion or a sanitizer's rule takes its process along, so each job is a
// process; what it is at stands in memory that it shares with its parent.
#include "sim/sweep.h"

#include "base/assert.h"
#include "sim/world.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define SHORTENING_RUNS_MAX 3000
#define POLL_NS 100000000

struct job {
    _Atomic uint64_t seed; // at work on this one
    _Atomic uint64_t done;
    atomic_bool failed;
    char verdict[VERDICT_MAX];
};

static void *share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(memory != MAP_FAILED);
    return memory;
}

// --- many seeds ---

static bool run_seed(uint64_t seed, bool twice, char *verdict)
{
    static struct script script;
    struct outcome outcome, again;
    script_make(seed, &script);
    world_run(&script, false, &outcome);
    (void)snprintf(verdict, VERDICT_MAX, "%s", outcome.words);
    if (outcome.failed || !twice)
        return !outcome.failed;
    world_run(&script, false, &again);
    (void)snprintf(verdict, VERDICT_MAX,
                   "two runs differ: the broker's doing depends on something "
                   "that is not in the seed");
    return again.trace_hash == outcome.trace_hash;
}

static void do_job(const struct sweep *sweep, struct job *job, uint32_t number)
{
    for (uint64_t seed = sweep->first + number; seed <= sweep->last; seed += sweep->jobs) {
        atomic_store(&job->seed, seed);
        bool twice = sweep->twice_every > 0 && seed % sweep->twice_every == 0;
        if (!run_seed(seed, twice, job->verdict)) {
            atomic_store(&job->failed, true);
            return;
        }
        atomic_fetch_add(&job->done, 1);
    }
}

static void show_progress(const struct sweep *sweep, const struct job *jobs)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < sweep->jobs; i++)
        done += atomic_load(&jobs[i].done);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " seeds", done, sweep->last - sweep->first + 1);
}

// One process more has ended; true if it has done all it should.
static bool ended_well(struct job *job, int status)
{
    if (!atomic_load(&job->failed) && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (!atomic_exchange(&job->failed, true))
        (void)snprintf(job->verdict, VERDICT_MAX, "the process ended with status %d: see above",
                       status);
    return false;
}

static pid_t begin_job(const struct sweep *sweep, struct job *job, uint32_t number)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    ASSERT(pid >= 0);
    if (pid > 0)
        return pid;
    do_job(sweep, job, number);
    exit(0); // not _exit: leaks are looked for
}

// Waits until all are done or one has failed; then the others' work is of no use any more.
static void wait_for_jobs(const struct sweep *sweep, struct job *jobs, const pid_t *pids)
{
    uint32_t running = sweep->jobs;
    bool well = true;
    while (running > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0) {
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
            show_progress(sweep, jobs);
            continue;
        }
        for (uint32_t i = 0; i < sweep->jobs; i++)
            if (pids[i] == pid && well)
                well = ended_well(&jobs[i], status);
        running--;
        for (uint32_t i = 0; i < sweep->jobs && !well; i++)
            kill(pids[i], SIGKILL); // our own; those that have ended are still ours to wait for
    }
    show_progress(sweep, jobs);
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
}

bool sweep_run(const struct sweep *sweep, uint64_t *ret_seed, char *verdict)
{
    pid_t pids[JOBS_MAX];
    ASSERT(sweep->jobs >= 1 && sweep->jobs <= JOBS_MAX);
    struct job *jobs = share(sweep->jobs * sizeof *jobs);
    for (uint32_t i = 0; i < sweep->jobs; i++)
        pids[i] = begin_job(sweep, &jobs[i], i);
    wait_for_jobs(sweep, jobs, pids);
    bool well = true;
    for (uint32_t i = 0; i < sweep->jobs; i++) {
        if (!atomic_load(&jobs[i].failed))
            continue;
        well = false;
        *ret_seed = atomic_load(&jobs[i].seed);
        memcpy(verdict, jobs[i].verdict, VERDICT_MAX);
    }
    ASSERT(munmap(jobs, sweep->jobs * sizeof *jobs) == 0);
    return well;
}

// --- shortening ---

// In a process of its own, silently: it may well end in an assertion.
static bool fails(const struct script *script, char *shared_verdict)
{
    int status;
    pid_t pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        struct outcome outcome;
        int silence = open("/dev/null", O_WRONLY);
        if (silence >= 0)
            dup2(silence, STDERR_FILENO);
        (void)snprintf(shared_verdict, VERDICT_MAX, "the process ended: run it with --seed");
        world_run(script, false, &outcome);
        (void)snprintf(shared_verdict, VERDICT_MAX, "%s", outcome.words);
        _exit(outcome.failed ? 1 : 0);
    }
    ASSERT(waitpid(pid, &status, 0) == pid);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void leave_out(const struct script *from, uint32_t first, uint32_t count, struct script *to)
{
    uint32_t rest = from->count - first - count;
    *to = *from;
    to->count = from->count - count;
    memcpy(to->actions + first, from->actions + first + count, rest * sizeof to->actions[0]);
}

bool sweep_allocations(uint64_t seed, uint64_t *ret_count, char *verdict)
{
    static struct script script;
    struct outcome outcome;
    char *shared = share(VERDICT_MAX);
    script_make(seed, &script);
    world_run(&script, false, &outcome);
    script.setup.fails_memory = true;
    bool well = true;
    uint64_t count = 0;
    while (well && count < outcome.allocations) {
        script.setup.failing_allocation = ++count;
        well = !fails(&script, shared);
    }
    *ret_count = count;
    memcpy(verdict, shared, VERDICT_MAX);
    ASSERT(munmap(shared, VERDICT_MAX) == 0);
    return well;
}

// Tries to do without each piece of `size` actions; true if any could be left out.
static bool shorten_by(struct script *script, uint32_t size, uint32_t *runs, char *verdict)
{
    static struct script shorter;
    bool any = false;
    uint32_t at = 0;
    while (at < script->count && *runs < SHORTENING_RUNS_MAX) {
        uint32_t count = script->count - at < size ? script->count - at : size;
        leave_out(script, at, count, &shorter);
        ++*runs;
        if (fails(&shorter, verdict)) {
            *script = shorter;
            any = true;
        } else {
            at += count;
        }
    }
    return any;
}

void sweep_shorten(struct script *script, char *verdict)
{
    char *shared = share(VERDICT_MAX);
    uint32_t runs = 0, size = script->count / 2;
    while (size > 0 && runs < SHORTENING_RUNS_MAX)
        if (!shorten_by(script, size, &runs, shared) || size > 1)
            size /= 2;
    (void)fails(script, shared);
    memcpy(verdict, shared, VERDICT_MAX);
    ASSERT(munmap(shared, VERDICT_MAX) == 0);
}
