// SPDX-License-Identifier: MIT
#define _GNU_SOURCE // memmem
#include "sim/power_life.h"

#include "base/memory.h"
#include "os/clock.h"
#include "sim/power_world.h"

#include <stdio.h>
#include <string.h>

#define TWICE_IN 4 // states: in one the power is cut a second time, during the recovery

const struct power_workload power_workloads[] = {
    {.name = "qos1",
     .workers = 1,
     .publishers = 2,
     .subscribers = 4,
     .qos_min = 1,
     .qos_max = 1,
     .steps = 150,
     .burst = 4,
     .payload_max = 100,
     .publishes = 10,
     .connects = 4,
     .drops = 2,
     .goodbyes = 1,
     .receive_maximum = 20,
     .stays_offline = true},
    {.name = "qos2",
     .workers = 1,
     .publishers = 2,
     .subscribers = 4,
     .qos_min = 2,
     .qos_max = 2,
     .steps = 150,
     .burst = 3,
     .payload_max = 100,
     .publishes = 10,
     .connects = 4,
     .drops = 2,
     .goodbyes = 1,
     .receive_maximum = 10,
     .stays_offline = true},
    {.name = "workers",
     .workers = 4,
     .publishers = 3,
     .subscribers = 5,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 150,
     .burst = 3,
     .payload_max = 100,
     .publishes = 10,
     .connects = 5,
     .drops = 3,
     .goodbyes = 1,
     .receive_maximum = 20,
     .stays_offline = true},
    {.name = "subscriptions",
     .workers = 2,
     .publishers = 2,
     .subscribers = 6,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 150,
     .burst = 1,
     .payload_max = 50,
     .publishes = 4,
     .connects = 4,
     .drops = 2,
     .goodbyes = 1,
     .subscribes = 8,
     .unsubscribes = 6,
     .receive_maximum = 20},
    {.name = "retained",
     .workers = 1,
     .publishers = 3,
     .subscribers = 2,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 150,
     .burst = 3,
     .payload_max = 400,
     .publishes = 12,
     .connects = 3,
     .drops = 2,
     .subscribes = 1,
     .unsubscribes = 1,
     .receive_maximum = 20,
     .retains = true},
    {.name = "wills",
     .workers = 1,
     .publishers = 1,
     .subscribers = 3,
     .wills = 6,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 120,
     .burst = 1,
     .payload_max = 50,
     .publishes = 2,
     .connects = 8,
     .drops = 5,
     .goodbyes = 2,
     .receive_maximum = 20,
     .stays_offline = true,
     .expires = true,
     .wait_ms = 9000},
    {.name = "sessions",
     .workers = 2,
     .publishers = 2,
     .subscribers = 6,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 150,
     .burst = 2,
     .payload_max = 50,
     .publishes = 6,
     .connects = 6,
     .drops = 3,
     .goodbyes = 2,
     .subscribes = 4,
     .cleans = 3,
     .receive_maximum = 20,
     .expires = true,
     .wait_ms = 9000},
    {.name = "large",
     .workers = 2,
     .publishers = 2,
     .subscribers = 3,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 60,
     .burst = 2,
     .payload_max = 40000,
     .publishes = 6,
     .connects = 3,
     .drops = 2,
     .receive_maximum = 5,
     .stays_offline = true},
    {.name = "queue",
     .workers = 1,
     .publishers = 2,
     .subscribers = 2,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 260,
     .burst = 16,
     .payload_max = 20,
     .publishes = 20,
     .connects = 2,
     .drops = 1,
     .receive_maximum = 8,
     .stays_offline = true},
    {.name = "shared",
     .workers = 1,
     .publishers = 2,
     .subscribers = 4,
     .qos_min = 1,
     .qos_max = 2,
     .steps = 150,
     .burst = 2,
     .payload_max = 100,
     .publishes = 10,
     .connects = 5,
     .drops = 3,
     .goodbyes = 1,
     .receive_maximum = 10,
     .shares = true,
     .stays_offline = true,
     .expires = true,
     .wait_ms = 9000},
};

const uint32_t power_workload_count = sizeof(power_workloads) / sizeof(power_workloads[0]);

struct cut {
    struct disk_fault *after;
    struct power_state *state;
    int64_t wall_ms;
};

struct cutter {
    struct power_world *world;
    struct disk_fault *disk;
    struct cut cuts[POWER_CUTS_MAX];
    uint32_t count;
    uint64_t passed, one_in; // chances, and how many of them are taken
    uint64_t seed;
    bool no_barrier;
};

static void drop_cut(struct cut *cut)
{
    if (cut->after != NULL)
        disk_fault_free(cut->after);
    memory_free(cut->state);
    *cut = (struct cut){0};
}

// All places are taken: every other one goes, and from now on half as many are added.
static void thin_out(struct cutter *cutter)
{
    for (uint32_t i = 0; i < POWER_CUTS_MAX; i += 2) {
        drop_cut(&cutter->cuts[i]);
        cutter->cuts[i / 2] = cutter->cuts[i + 1];
    }
    cutter->count = POWER_CUTS_MAX / 2;
    cutter->one_in *= 2;
}

static bool was_promised_something(const struct power_state *state)
{
    if (state->message_count < 12)
        return false;
    for (uint32_t i = 0; i < POWER_CLIENTS; i++)
        for (uint32_t j = 0; j < state->sessions[i].subscription_count; j++)
            if (state->sessions[i].subscriptions[j].acked != 0)
                return true;
    return false;
}

static struct cut cut_now(struct cutter *cutter, const struct disk_fault *disk)
{
    static const uint32_t grains[] = {512, 64, 8};
    struct cut cut;
    cutter->seed = cutter->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    cut.after = disk_fault_cut(disk, cutter->seed, grains[(cutter->seed >> 40) % 3]);
    cut.state = memory_new(sizeof(*cut.state));
    *cut.state = cutter->world->state;
    cut.wall_ms = clock_wall_ms();
    return cut;
}

static void take_chance(struct cutter *cutter)
{
    // Where nothing was promised, a lying disk can do no harm.
    if (cutter->no_barrier && !was_promised_something(&cutter->world->state))
        return;
    if (cutter->passed++ % cutter->one_in != 0)
        return;
    if (cutter->count == POWER_CUTS_MAX)
        thin_out(cutter);
    cutter->cuts[cutter->count++] = cut_now(cutter, cutter->disk);
}

static void before_operation(void *context, enum disk_fault_operation operation)
{
    (void)operation;
    take_chance(context);
}

static uint8_t a_qos(const struct power_workload *workload)
{
    return (uint8_t)(workload->qos_min + machine_below(workload->qos_max - workload->qos_min + 1u));
}

static uint8_t a_topic_of(const struct power_workload *workload, uint32_t client)
{
    uint8_t topic = (uint8_t)machine_below(POWER_TOPICS);
    return (uint8_t)(topic - topic % workload->publishers + client) < POWER_TOPICS
               ? (uint8_t)(topic - topic % workload->publishers + client)
               : (uint8_t)client;
}

static void publish_some(struct power_world *world)
{
    const struct power_workload *workload = world->workload;
    uint32_t client = (uint32_t)machine_below(workload->publishers);
    if (!world->links[client].open)
        power_connect(world, client, false);
    for (uint64_t i = machine_below(workload->burst) + 1; i > 0; i--)
        power_publish(world, client, a_topic_of(workload, client), a_qos(workload));
}

static void unsubscribe_one(struct power_world *world, uint32_t client)
{
    const struct power_session *session = &world->state.sessions[client];
    if (session->subscription_count > 0)
        power_unsubscribe(world, client, (uint32_t)machine_below(session->subscription_count));
}

// Where does this subscriber belong?
static uint8_t a_filter_for(const struct power_workload *workload, uint32_t client)
{
    if (workload->shares)
        return POWER_FILTER_SHARED;
    if (workload->wills > 0)
        return POWER_FILTER_WILLS;
    return client % 3 == 0 ? POWER_FILTER_ALL : (uint8_t)machine_below(POWER_TOPICS);
}

static void subscribe_one(struct power_world *world, uint32_t client)
{
    const struct power_workload *workload = world->workload;
    if (power_is_publisher(workload, client) || power_has_will(workload, client))
        return;
    uint8_t qos = client % 3 == 1 ? a_qos(workload) : workload->qos_max;
    power_subscribe(world, client, a_filter_for(workload, client), qos);
}

static void act(struct power_world *world)
{
    const struct power_workload *workload = world->workload;
    uint64_t chosen = machine_below(workload->publishes + workload->connects + workload->drops +
                                    workload->goodbyes + workload->subscribes +
                                    workload->unsubscribes + workload->cleans);
    uint32_t client = (uint32_t)machine_below(power_clients(workload));
    if (chosen < workload->publishes)
        return publish_some(world);
    chosen -= workload->publishes;
    if (chosen < workload->connects)
        return power_connect(world, client, false);
    chosen -= workload->connects;
    if (chosen < workload->drops)
        return power_drop(world, client);
    chosen -= workload->drops;
    if (chosen < workload->goodbyes)
        return power_goodbye(world, client, workload->cleans > 0 && machine_below(2) == 0);
    chosen -= workload->goodbyes;
    if (chosen < workload->subscribes)
        return subscribe_one(world, client);
    chosen -= workload->subscribes;
    if (chosen < workload->unsubscribes)
        return unsubscribe_one(world, client);
    power_drop(world, client);
    power_connect(world, client, true);
}

// Everybody comes and subscribes; then half of the subscribers go, where queues are wanted.
static void gather(struct power_world *world)
{
    const struct power_workload *workload = world->workload;
    for (uint32_t i = 0; i < power_clients(workload); i++)
        power_connect(world, i, false);
    power_settle(world);
    for (uint32_t i = 0; i < power_clients(workload); i++) {
        subscribe_one(world, i);
        subscribe_one(world, i);
    }
    power_settle(world);
    for (uint32_t i = 0; workload->stays_offline && i < workload->subscribers; i += 2)
        power_drop(world, workload->publishers + i);
}

// A will that waits for its delay waits, after the start, for its client to come back in time.
static void forget_waiting_wills(struct power_world *world)
{
    for (uint32_t i = 0; i < power_clients(world->workload); i++)
        if (power_will_delay_s(world->workload, i) > 0)
            world->state.sessions[i].dropped_will = 0;
}

static void restart(struct cutter *cutter, const char *directory)
{
    power_stop(cutter->world);
    forget_waiting_wills(cutter->world);
    (void)power_start(cutter->world, cutter->disk, directory);
}

static void run_script(struct cutter *cutter, const struct power_life *life)
{
    struct power_world *world = cutter->world;
    uint32_t steps = world->workload->steps;
    if (!power_start(world, cutter->disk, life->directory))
        return;
    gather(world);
    for (uint32_t i = 0; i < steps && !world->failed; i++) {
        act(world);
        power_turns(world, (uint32_t)machine_below(8));
        take_chance(cutter);
        if (machine_below(8) == 0)
            power_wait(world, (int64_t)machine_below(50));
        if (world->workload->wait_ms > 0 && machine_below(16) == 0)
            power_wait(world, (int64_t)machine_below(world->workload->wait_ms));
        if (i == steps / 2 && life->number % 3 == 0)
            restart(cutter, life->directory);
    }
    if (world->broker.server != NULL)
        power_stop(world);
}

struct listener {
    struct power_world *world;
    bool prints;
};

// Where barriers are what they should be, the store finds nothing damaged.
static void on_log(void *context, struct bytes line)
{
    static const char word[] = " damaged=";
    const struct listener *listener = context;
    const char *found = memmem(line.data, line.size, word, sizeof(word) - 1);
    if (listener->prints)
        printf("%.*s", (int)line.size, (const char *)line.data);
    if (found != NULL && found[sizeof(word) - 1] != '0')
        power_fail(listener->world, "the store reports damage");
}

static void start_machine(struct power_world *world, uint64_t seed, bool verbose)
{
    static struct listener listener;
    struct machine_options options;
    listener = (struct listener){world, verbose};
    machine_options_default(&options);
    options.seed = seed;
    options.socket_bytes_max = 1 << 20;
    options.on_log = on_log;
    options.context = &listener;
    machine_start(&options);
}

// One moment of a recovery, each as likely as any other.
struct second {
    struct cutter *cutter;
    struct disk_fault *disk;
    struct cut cut;
    uint64_t operations;
};

static void before_recovering(void *context, enum disk_fault_operation operation)
{
    struct second *second = context;
    (void)operation;
    if (machine_below(++second->operations) != 0)
        return;
    drop_cut(&second->cut);
    second->cut = cut_now(second->cutter, second->disk);
}

static void wake(struct power_world *world, const struct power_workload *workload,
                 const struct cut *cut, uint64_t seed, bool verbose)
{
    *world = (struct power_world){.workload = workload};
    world->state = *cut->state;
    start_machine(world, seed, verbose);
    machine_jump_wall_clock(cut->wall_ms - clock_wall_ms()); // only this clock went on
}

// The power is back, and goes again while the broker reads its store and the clients come back.
static bool cut_again(struct cutter *cutter, const struct power_life *life, struct cut *cut,
                      uint64_t seed)
{
    struct power_world *world = cutter->world;
    struct second second = {.cutter = cutter, .disk = cut->after};
    wake(world, world->workload, cut, seed, life->verbose);
    disk_fault_watch(cut->after, before_recovering, &second);
    bool started = power_recover(world, cut->after, life->directory);
    disk_fault_watch(cut->after, NULL, NULL);
    if (started)
        power_stop(world);
    machine_stop();
    if (second.cut.state != NULL) {
        drop_cut(cut);
        *cut = second.cut;
    }
    return !world->failed;
}

static void judge_cut(struct cutter *cutter, const struct power_life *life, uint32_t index,
                      struct power_verdict *verdict)
{
    struct power_world *world = cutter->world;
    struct cut *cut = &cutter->cuts[index];
    uint64_t state = life->number * POWER_STATES_OF_LIFE + index;
    bool twice = !life->no_barrier && index % TWICE_IN == 0;
    if (!twice || cut_again(cutter, life, cut, state)) {
        wake(world, world->workload, cut, state, life->verbose);
        power_judge(world, cut->after, life->directory);
        machine_stop();
    }
    verdict->states++;
    if (world->failed && verdict->failures++ == 0) {
        verdict->first_failure = state;
        memcpy(verdict->words, world->words, sizeof(verdict->words));
    }
}

void power_live(const struct power_life *life, struct power_verdict *ret_verdict)
{
    static struct power_world world;
    static struct cutter cutter;
    static struct power_workload workload;
    uint64_t disk_seed = life->number * 77 + 5;
    workload = power_workloads[life->number % power_workload_count];
    if (life->workers > 0)
        workload.workers = life->workers;
    world = (struct power_world){.workload = &workload};
    cutter = (struct cutter){.world = &world,
                             .disk = disk_fault_new(disk_seed),
                             .one_in = 1,
                             .seed = life->number,
                             .no_barrier = life->no_barrier};
    if (life->no_barrier)
        disk_fault_ignore_syncs(cutter.disk);
    disk_fault_watch(cutter.disk, before_operation, &cutter);
    start_machine(&world, life->number, false);
    run_script(&cutter, life);
    machine_stop();
    disk_fault_free(cutter.disk);
    if (world.failed) {
        ret_verdict->failures = 1;
        ret_verdict->first_failure = life->number * POWER_STATES_OF_LIFE + POWER_CUTS_MAX;
        (void)snprintf(ret_verdict->words, sizeof(ret_verdict->words), "before any cut: %.200s",
                       world.words);
    }
    for (uint32_t i = 0; i < cutter.count; i++) {
        if (life->only == POWER_ALL || life->only == i)
            judge_cut(&cutter, life, i, ret_verdict);
        drop_cut(&cutter.cuts[i]);
    }
}
