// SPDX-License-Identifier: MIT
// bench_durable: what a durable publish costs at the broker on 127.0.0.1:PORT, against what the
// disk itself costs. Slices of raw barriers in --directory (which should be the file system that
// the broker writes to) and slices of publishing take turns, so that a disk whose speed drifts is
// the same for both. Prints one line of JSON; exits with 1 when the broker owes an acknowledgement
// or a delivery. With --messages it publishes that many instead, without barriers, and looks at the
// broker's memory before and after.

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barriers.h"
#include "process_cost.h"
#include "publishing.h"

struct options {
    struct publishing_options publishing;
    const char *directory;
    uint32_t milliseconds; // of publishing in all
    uint32_t slice_milliseconds;
    uint32_t messages; // 0: by time
    pid_t pid;
};

// The broker's process at one moment; a figure is the difference of two.
struct mark {
    uint64_t cpu_ns;
    uint64_t written_bytes;
    uint64_t rss_bytes;
};

static int fail(const char *what, int error)
{
    fprintf(stderr, "bench_durable: %s: %s\n", what, strerror(-error));
    return 1;
}

static int set_mark(const struct options *options, struct mark *mark)
{
    int error = process_cpu_ns(options->pid, &mark->cpu_ns);
    if (!error)
        error = process_written_bytes(options->pid, &mark->written_bytes);
    return error ? error : process_rss_bytes(options->pid, &mark->rss_bytes);
}

static int take_turns(const struct options *options, struct publishing *publishing,
                      struct barriers *barriers)
{
    uint64_t slice_ns = options->slice_milliseconds * UINT64_C(1000000);
    uint64_t all_ns = options->milliseconds * UINT64_C(1000000);
    int error = 0;
    while (!error && publishing->took_ns < all_ns) {
        error = barriers_run(barriers, slice_ns);
        if (!error)
            error = publishing_run(publishing, slice_ns, 0);
    }
    return error;
}

static int measure(const struct options *options, struct publishing *publishing,
                   struct barriers *barriers, struct mark marks[2])
{
    int error = publishing_run(publishing, UINT64_MAX, publishing->options.publishers); // warm
    publishing->acknowledged = publishing->sent = publishing->received = 0;
    publishing->took_ns = 0;
    publishing->durations.count = 0;
    if (!error)
        error = set_mark(options, &marks[0]);
    if (!error && options->messages)
        error = publishing_run(publishing, UINT64_MAX, options->messages);
    else if (!error)
        error = take_turns(options, publishing, barriers);
    return error ? error : set_mark(options, &marks[1]);
}

static void print_figures(struct publishing *publishing, struct barriers *barriers,
                          const struct mark marks[2])
{
    printf("{\"acknowledged\": %llu, \"delivered\": %llu, \"seconds\": %.6f, \"ack_p50_us\": %.1f, "
           "\"ack_p99_us\": %.1f, ",
           (unsigned long long)publishing->acknowledged, (unsigned long long)publishing->received,
           (double)publishing->took_ns / 1e9, samples_percentile(&publishing->durations, 0.5),
           samples_percentile(&publishing->durations, 0.99));
    printf("\"barriers\": %llu, \"barrier_seconds\": %.6f, \"barrier_p50_us\": %.1f, "
           "\"barrier_p99_us\": %.1f, ",
           (unsigned long long)barriers->count, (double)barriers->took_ns / 1e9,
           samples_percentile(&barriers->durations, 0.5),
           samples_percentile(&barriers->durations, 0.99));
    printf("\"broker_seconds\": %.9f, \"written_bytes\": %llu, \"rss_before\": %llu, "
           "\"rss_after\": %llu}\n",
           (double)(marks[1].cpu_ns - marks[0].cpu_ns) / 1e9,
           (unsigned long long)(marks[1].written_bytes - marks[0].written_bytes),
           (unsigned long long)marks[0].rss_bytes, (unsigned long long)marks[1].rss_bytes);
}

// The exit status.
static int run(const struct options *options)
{
    struct publishing publishing;
    struct barriers barriers;
    struct mark marks[2];
    int error = barriers_open(&barriers, options->directory);
    if (error)
        return fail(options->directory, error);
    error = publishing_open(&publishing, &options->publishing);
    if (error)
        error = fail("cannot set up the connections", error);
    else if ((error = measure(options, &publishing, &barriers, marks)))
        error = fail("the broker broke off", error);
    else
        print_figures(&publishing, &barriers, marks);
    publishing_close(&publishing);
    barriers_close(&barriers);
    return error;
}

static const char usage[] =
    "bench_durable --port PORT --pid BROKER --directory DIRECTORY\n"
    "              [--publishers 1] [--window 1] [--payload 100] [--online 0]\n"
    "              [--milliseconds 1000] [--slice 100] [--messages 0]\n";

static const struct option long_options[] = {
    {"port", 1, NULL, 'p'},       {"pid", 1, NULL, 'P'},    {"directory", 1, NULL, 'd'},
    {"publishers", 1, NULL, 'n'}, {"window", 1, NULL, 'w'}, {"payload", 1, NULL, 'l'},
    {"online", 1, NULL, 'o'},     {"slice", 1, NULL, 's'},  {"milliseconds", 1, NULL, 'm'},
    {"messages", 1, NULL, 'M'},   {NULL, 0, NULL, 0},
};

static bool take_option(struct options *options, int option, uint32_t value)
{
    switch (option) {
    case 'p': options->publishing.port = (uint16_t)value; return true;
    case 'P': options->pid = (pid_t)value; return true;
    case 'n': options->publishing.publishers = value; return true;
    case 'w': options->publishing.window = value; return true;
    case 'l': options->publishing.payload = value; return true;
    case 'o': options->publishing.online = value != 0; return true;
    case 's': options->slice_milliseconds = value; return true;
    case 'm': options->milliseconds = value; return true;
    case 'M': options->messages = value; return true;
    default: return false;
    }
}

static bool is_possible(const struct options *options)
{
    const struct publishing_options *publishing = &options->publishing;
    return publishing->port && options->pid && options->directory && publishing->publishers &&
           publishing->publishers <= 10000 && publishing->window &&
           publishing->window <= PUBLISHING_WINDOW_MAX && publishing->payload <= 200000 &&
           options->slice_milliseconds;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'd') {
            options->directory = optarg;
            continue;
        }
        char *end = NULL;
        unsigned long value = option == '?' ? 0 : strtoul(optarg, &end, 10);
        if (!end || *end || end == optarg || value > 100000000 ||
            !take_option(options, option, (uint32_t)value))
            return false;
    }
    return optind == argc && is_possible(options);
}

int main(int argc, char **argv)
{
    struct options options = {
        .publishing = {.publishers = 1, .window = 1, .payload = 100},
        .milliseconds = 1000,
        .slice_milliseconds = 100,
    };
    if (!parse_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    return run(&options);
}
