// SPDX-License-Identifier: MIT
// See publishing.h. One thread, one epoll. A wrong byte ends the run with -EBADMSG.

#include "publishing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "process_cost.h"
#include "wire.h"

#define TOPIC "bench/durable"
#define INPUT_SIZE (1u << 18)
#define EVENTS_MAX 64
#define TURN_MS 50
#define ACKS_MAX 256
#define SILENCE_NS 20000000000u // a disk that others use may well take seconds

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        fputs("bench_durable: out of memory\n", stderr);
        abort();
    }
    return memory;
}

static int open_subscriber(struct publishing *publishing)
{
    struct link *link = &publishing->subscriber;
    int error = link_open_kept(link, publishing->options.port, "durable-subscriber");
    if (!error)
        error = link_subscribe(link, TOPIC, 1);
    if (error || publishing->options.online)
        return error ? error : link_run(link, publishing->epoll, NULL);
    error = link_disconnect(link);
    link_close(link);
    return error;
}

static int open_publisher(struct publishing *publishing, struct publisher *publisher)
{
    char client_id[WIRE_NAME_MAX + 1];
    snprintf(client_id, sizeof client_id, "durable-%u",
             (unsigned)(publisher - publishing->publishers));
    publisher->sent_ns = allocate(publishing->options.window, sizeof *publisher->sent_ns);
    int error = link_open(&publisher->link, publishing->options.port, client_id);
    return error ? error : link_run(&publisher->link, publishing->epoll, publisher);
}

int publishing_open(struct publishing *publishing, const struct publishing_options *options)
{
    *publishing = (struct publishing){.options = *options, .subscriber.fd = -1};
    publishing->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (publishing->epoll < 0)
        return -errno;
    publishing->input = allocate(1, INPUT_SIZE);
    publishing->message_size = wire_publish_size(TOPIC, 1, options->payload);
    publishing->head_size = publishing->message_size - options->payload;
    publishing->message = allocate(1, publishing->message_size);
    wire_put_publish_head(publishing->message, TOPIC, 1, options->payload);
    publishing->publishers = allocate(options->publishers, sizeof *publishing->publishers);
    for (uint32_t i = 0; i < options->publishers; i++)
        publishing->publishers[i].link.fd = -1;
    int error = open_subscriber(publishing);
    for (uint32_t i = 0; !error && i < options->publishers; i++)
        error = open_publisher(publishing, &publishing->publishers[i]);
    return error;
}

void publishing_close(struct publishing *publishing)
{
    for (uint32_t i = 0; publishing->publishers && i < publishing->options.publishers; i++) {
        link_close(&publishing->publishers[i].link);
        free(publishing->publishers[i].sent_ns);
    }
    link_close(&publishing->subscriber);
    free(publishing->publishers);
    free(publishing->message);
    free(publishing->input);
    samples_free(&publishing->durations);
    close(publishing->epoll);
}

static uint16_t packet_id_of(uint64_t sequence)
{
    return (uint16_t)(sequence % 65535 + 1);
}

static int send_one(struct publishing *publishing, struct publisher *publisher)
{
    wire_put_u16(publishing->message + publishing->head_size - 2, packet_id_of(publisher->sent));
    publisher->sent_ns[publisher->sent % publishing->options.window] = monotonic_ns();
    publisher->sent++;
    publishing->sent++;
    return link_send(&publisher->link, publishing->message, publishing->message_size);
}

static int refill(struct publishing *publishing, struct publisher *publisher, uint64_t sent_max)
{
    int error = 0;
    while (!error && publishing->sent < sent_max && !link_is_blocked(&publisher->link) &&
           publisher->sent - publisher->acknowledged < publishing->options.window)
        error = send_one(publishing, publisher);
    return error;
}

static int receive_acks(struct publishing *publishing, struct publisher *publisher)
{
    const uint8_t *at = publishing->input;
    ptrdiff_t received = link_receive(&publisher->link, publishing->input, INPUT_SIZE);
    if (received < 0)
        return (int)received;
    size_t size = (size_t)received;
    uint64_t now_ns = monotonic_ns();
    struct wire_frame frame;
    while (wire_scan(at, size, &frame) == WIRE_WHOLE) {
        uint64_t sequence = publisher->acknowledged;
        if (frame.type != WIRE_PUBACK || sequence == publisher->sent ||
            wire_u16(at + frame.header_size) != packet_id_of(sequence))
            return -EBADMSG;
        uint64_t sent_ns = publisher->sent_ns[sequence % publishing->options.window];
        samples_add(&publishing->durations, now_ns - sent_ns);
        publisher->acknowledged++;
        publishing->acknowledged++;
        at += frame.size;
        size -= frame.size;
    }
    link_keep(&publisher->link, at, size);
    return 0;
}

static int receive_messages(struct publishing *publishing)
{
    uint8_t acks[4 * ACKS_MAX];
    size_t acks_size = 0;
    struct link *link = &publishing->subscriber;
    const uint8_t *at = publishing->input;
    ptrdiff_t received = link_receive(link, publishing->input, INPUT_SIZE);
    if (received < 0)
        return (int)received;
    size_t size = (size_t)received;
    struct wire_frame frame;
    int error = 0;
    while (!error && wire_scan(at, size, &frame) == WIRE_WHOLE) {
        if (frame.type != WIRE_PUBLISH || frame.size != publishing->message_size)
            return -EBADMSG;
        wire_put_ack(acks + acks_size, WIRE_PUBACK, wire_u16(at + publishing->head_size - 2));
        acks_size += 4;
        publishing->received++;
        if (acks_size == sizeof acks) {
            error = link_send(link, acks, acks_size);
            acks_size = 0;
        }
        at += frame.size;
        size -= frame.size;
    }
    link_keep(link, at, size);
    return error || acks_size == 0 ? error : link_send(link, acks, acks_size);
}

static int serve_event(struct publishing *publishing, const struct epoll_event *event)
{
    struct link *link = event->data.ptr;
    int error = event->events & EPOLLOUT ? link_flush(link) : 0;
    if (error || (event->events & ~(uint32_t)EPOLLOUT) == 0)
        return error;
    return link->owner ? receive_acks(publishing, link->owner) : receive_messages(publishing);
}

// One wait. What the events made room for is sent at once.
static int turn(struct publishing *publishing, uint64_t sent_max)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(publishing->epoll, events, EVENTS_MAX, TURN_MS);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    int error = 0;
    for (int i = 0; !error && i < count; i++) {
        struct link *link = events[i].data.ptr;
        error = serve_event(publishing, &events[i]);
        if (!error && link->owner)
            error = refill(publishing, link->owner, sent_max);
    }
    return error;
}

static bool is_owed(const struct publishing *publishing)
{
    return publishing->acknowledged < publishing->sent ||
           (publishing->options.online && publishing->received < publishing->sent);
}

static int wait_for_rest(struct publishing *publishing)
{
    uint64_t progress = 0;
    uint64_t since_ns = monotonic_ns();
    int error = 0;
    while (!error && is_owed(publishing)) {
        if (progress != publishing->acknowledged + publishing->received) {
            progress = publishing->acknowledged + publishing->received;
            since_ns = monotonic_ns();
        }
        if (monotonic_ns() - since_ns > SILENCE_NS)
            return -ETIMEDOUT;
        error = turn(publishing, publishing->sent);
    }
    return error;
}

int publishing_run(struct publishing *publishing, uint64_t duration_ns, uint64_t count)
{
    uint64_t start_ns = monotonic_ns();
    uint64_t sent_max = count ? publishing->sent + count : UINT64_MAX;
    int error = 0;
    for (uint32_t i = 0; !error && i < publishing->options.publishers; i++)
        error = refill(publishing, &publishing->publishers[i], sent_max);
    while (!error && monotonic_ns() - start_ns < duration_ns && publishing->sent < sent_max)
        error = turn(publishing, sent_max);
    if (!error)
        error = wait_for_rest(publishing);
    publishing->took_ns += monotonic_ns() - start_ns;
    return error;
}
