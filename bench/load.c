// SPDX-License-Identifier: MIT
// bench_load: loads the broker on 127.0.0.1:PORT, and prints as one line of JSON what was delivered
// and what that cost the broker's process (--pid) and this one. bench/run starts it once for each
// figure; what the traffic looks like is in traffic.h. It exits with 1 when messages acknowledged
// by QoS 1 were lost or repeated, or when the broker stopped talking; QoS 0 may lose, and then the
// line says how much.

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "process_cost.h"
#include "traffic.h"
#include "wire.h"

#define TURN_MS 50
#define SILENCE_NS 1000000000u // after this long without a delivery, messages count as lost
#define DRAIN_SILENCE_NS 5000000000u

struct options {
    struct traffic_options traffic;
    uint32_t idle; // connections; 0: traffic
    uint32_t milliseconds;
    uint32_t warm_up_milliseconds;
    int cpu; // -1: any
    pid_t pid;
};

// The counters at one moment; a figure is the difference of two.
struct mark {
    uint64_t now_ns;
    uint64_t broker_ns;
    uint64_t own_ns;
    uint64_t delivered;
};

static int fail(const char *what, int error)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(-error));
    return 1;
}

static int set_mark(const struct options *options, const struct traffic *traffic, struct mark *mark)
{
    mark->now_ns = monotonic_ns();
    mark->own_ns = own_cpu_ns();
    mark->delivered = traffic->count.delivered;
    mark->broker_ns = 0;
    return options->pid ? process_cpu_ns(options->pid, &mark->broker_ns) : 0;
}

struct silence {
    uint64_t delivered;
    uint64_t since_ns;
};

static bool is_silent(struct silence *silence, const struct traffic *traffic, uint64_t limit_ns)
{
    uint64_t now_ns = monotonic_ns();
    if (silence->delivered != traffic->count.delivered || silence->since_ns == 0) {
        silence->delivered = traffic->count.delivered;
        silence->since_ns = now_ns;
    }
    return now_ns - silence->since_ns > limit_ns;
}

static int run_until(struct traffic *traffic, uint64_t end_ns)
{
    struct silence silence = {0};
    int error = 0;
    while (!error && monotonic_ns() < end_ns) {
        error = traffic_turn(traffic, TURN_MS);
        if (error || !is_silent(&silence, traffic, SILENCE_NS))
            continue;
        silence.since_ns = 0;
        error = traffic->options.qos ? -ETIMEDOUT : traffic_write_off(traffic);
    }
    return error;
}

static int drain(struct traffic *traffic)
{
    struct silence silence = {0};
    uint64_t limit_ns = traffic->options.qos ? DRAIN_SILENCE_NS : SILENCE_NS;
    traffic->stopping = true;
    int error = 0;
    while (!error && !traffic_is_drained(traffic) && !is_silent(&silence, traffic, limit_ns))
        error = traffic_turn(traffic, TURN_MS);
    if (!error && !traffic_is_drained(traffic))
        error = traffic->options.qos ? -ETIMEDOUT : traffic_write_off(traffic);
    return error;
}

static int measure(const struct options *options, struct traffic *traffic, struct mark marks[2])
{
    uint64_t start_ns = monotonic_ns() + options->warm_up_milliseconds * UINT64_C(1000000);
    int error = traffic_start(traffic);
    if (!error)
        error = run_until(traffic, start_ns);
    if (!error)
        error = set_mark(options, traffic, &marks[0]);
    if (!error)
        error = run_until(traffic, marks[0].now_ns + options->milliseconds * UINT64_C(1000000));
    if (!error)
        error = set_mark(options, traffic, &marks[1]);
    return error ? error : drain(traffic);
}

static void print_count(const struct traffic_count *count, const struct mark marks[2])
{
    printf("{\"delivered\": %llu, \"seconds\": %.6f, \"broker_seconds\": %.9f, "
           "\"generator_seconds\": %.9f, \"total_sent\": %llu, \"total_expected\": %llu, "
           "\"total_delivered\": %llu, \"lost\": %llu, \"repeated\": %llu}\n",
           (unsigned long long)(marks[1].delivered - marks[0].delivered),
           (double)(marks[1].now_ns - marks[0].now_ns) / 1e9,
           (double)(marks[1].broker_ns - marks[0].broker_ns) / 1e9,
           (double)(marks[1].own_ns - marks[0].own_ns) / 1e9, (unsigned long long)count->sent,
           (unsigned long long)count->expected, (unsigned long long)count->delivered,
           (unsigned long long)count->lost, (unsigned long long)count->repeated);
}

// The exit status.
static int judge_traffic(const struct options *options, struct traffic *traffic)
{
    struct mark marks[2];
    int error = traffic_open(traffic, &options->traffic);
    if (error)
        return fail("cannot set up the connections", error);
    error = measure(options, traffic, marks);
    if (error)
        return fail("the broker broke off", error);
    print_count(&traffic->count, marks);
    bool whole = traffic->count.delivered == traffic->count.expected && !traffic->count.repeated;
    return whole || options->traffic.qos == 0 ? 0 : 1;
}

static int run_traffic(const struct options *options)
{
    struct traffic traffic;
    int status = judge_traffic(options, &traffic);
    traffic_close(&traffic);
    return status;
}

// A ping on every connection makes sure that the broker is done with all of them. The first one is
// opened before the first look, so that what a broker sets up once is not charged to the rest.
static int open_idle(struct link *links, uint32_t first, uint32_t end, uint16_t port)
{
    char client_id[WIRE_NAME_MAX + 1];
    int error = 0;
    for (uint32_t i = first; !error && i < end; i++) {
        snprintf(client_id, sizeof client_id, "idle-%u", i);
        error = link_open(&links[i], port, client_id);
    }
    for (uint32_t i = first; !error && i < end; i++)
        error = link_ping(&links[i]);
    return error;
}

static int run_idle(const struct options *options)
{
    struct link *links = calloc(options->idle + 1, sizeof *links);
    uint64_t before = 0;
    uint64_t after = 0;
    if (!links)
        return fail("connections", -ENOMEM);
    int error = open_idle(links, 0, 1, options->traffic.port);
    if (!error)
        error = process_rss_bytes(options->pid, &before);
    if (!error)
        error = open_idle(links, 1, options->idle + 1, options->traffic.port);
    if (!error)
        error = process_rss_bytes(options->pid, &after);
    free(links); // the kernel closes them at exit
    if (error)
        return fail("idle connections", error);
    printf("{\"connections\": %u, \"rss_before\": %llu, \"rss_after\": %llu}\n", options->idle,
           (unsigned long long)before, (unsigned long long)after);
    return 0;
}

static const char usage[] =
    "bench_load --port PORT [--pid BROKER] [--cpu CORE]\n"
    "           [--groups 10] [--subscribers 1] [--qos 0] [--payload 20] [--batch 20]\n"
    "           [--window 100] [--milliseconds 1000] [--warm-up 200]\n"
    "bench_load --port PORT --pid BROKER --idle CONNECTIONS\n";

static const struct option long_options[] = {
    {"port", 1, NULL, 'p'},    {"pid", 1, NULL, 'P'},
    {"cpu", 1, NULL, 'c'},     {"groups", 1, NULL, 'g'},
    {"qos", 1, NULL, 'q'},     {"subscribers", 1, NULL, 's'},
    {"payload", 1, NULL, 'l'}, {"batch", 1, NULL, 'b'},
    {"window", 1, NULL, 'w'},  {"milliseconds", 1, NULL, 'm'},
    {"warm-up", 1, NULL, 'u'}, {"idle", 1, NULL, 'i'},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct options *options, int option, uint32_t value)
{
    struct traffic_options *traffic = &options->traffic;
    switch (option) {
    case 'p': traffic->port = (uint16_t)value; return true;
    case 'P': options->pid = (pid_t)value; return true;
    case 'c': options->cpu = (int)value; return true;
    case 'q': traffic->qos = (uint8_t)value; return true;
    default: break;
    }
    uint32_t *const places[] = {
        ['g'] = &traffic->groups,
        ['s'] = &traffic->subscribers,
        ['l'] = &traffic->payload,
        ['b'] = &traffic->batch,
        ['w'] = &traffic->window,
        ['m'] = &options->milliseconds,
        ['u'] = &options->warm_up_milliseconds,
        ['i'] = &options->idle,
    };
    if (option < 0 || (size_t)option >= sizeof places / sizeof *places || !places[option])
        return false;
    *places[option] = value;
    return true;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        char *end = NULL;
        unsigned long value = option == '?' ? 0 : strtoul(optarg, &end, 10);
        if (!end || *end || end == optarg || value > 100000000 ||
            !take_option(options, option, (uint32_t)value))
            return false;
    }
    const struct traffic_options *traffic = &options->traffic;
    return optind == argc && traffic->port && traffic->qos <= 1 && traffic->groups &&
           traffic->groups <= 10000 && traffic->subscribers && traffic->batch &&
           traffic->window >= traffic->batch && traffic->window <= 65535 &&
           traffic->payload >= TRAFFIC_PAYLOAD_MIN && traffic->payload <= 200000 &&
           (!options->idle || options->pid);
}

static void prepare_process(const struct options *options)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    if (options->cpu < 0)
        return;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)options->cpu, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores))
        perror("bench_load: --cpu"); // the figures are still true, only less steady
}

int main(int argc, char **argv)
{
    struct options options = {
        .traffic = {.groups = 10, .subscribers = 1, .payload = 20, .batch = 20, .window = 100},
        .milliseconds = 1000,
        .warm_up_milliseconds = 200,
        .cpu = -1,
    };
    if (!parse_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    prepare_process(&options);
    return options.idle ? run_idle(&options) : run_traffic(&options);
}
