// SPDX-License-Identifier: MIT
// Publishers, subscribers and their windows; see traffic.h. One thread, one epoll. The broker is
// started by bench/run, so what it sends is checked for our own sake only: a wrong byte ends the
// run with -EBADMSG.

#include "traffic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "wire.h"

#define INPUT_SIZE (1u << 18)
#define EVENTS_MAX 64
#define ACKS_MAX 256 // PUBACKs gathered before a write

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        fputs("bench_load: out of memory\n", stderr);
        abort();
    }
    return memory;
}

static void build_batch(struct traffic *traffic, struct group *group, const char *topic)
{
    const struct traffic_options *options = &traffic->options;
    group->batch = allocate(options->batch, traffic->message_size);
    for (uint32_t i = 0; i < options->batch; i++)
        wire_put_publish_head(group->batch + i * traffic->message_size, topic, options->qos,
                              options->payload);
}

static int open_receiver(struct traffic *traffic, struct group *group, uint32_t index,
                         const char *topic)
{
    char client_id[WIRE_NAME_MAX + 1];
    struct receiver *receiver = &group->receivers[index];
    receiver->group = group;
    snprintf(client_id, sizeof client_id, "sub-%u-%u", (unsigned)(group - traffic->groups), index);
    int error = link_open(&receiver->link, traffic->options.port, client_id);
    if (!error)
        error = link_subscribe(&receiver->link, topic, traffic->options.qos);
    if (!error)
        error = link_run(&receiver->link, traffic->epoll, receiver);
    return error;
}

static int open_group(struct traffic *traffic, uint32_t index)
{
    struct group *group = &traffic->groups[index];
    char topic[WIRE_NAME_MAX + 1];
    char client_id[WIRE_NAME_MAX + 1];
    snprintf(topic, sizeof topic, "bench/%04u", index);
    snprintf(client_id, sizeof client_id, "pub-%u", index);
    build_batch(traffic, group, topic);
    int error = link_open(&group->publisher, traffic->options.port, client_id);
    for (uint32_t i = 0; !error && i < traffic->options.subscribers; i++)
        error = open_receiver(traffic, group, i, topic);
    if (!error)
        error = link_run(&group->publisher, traffic->epoll, NULL);
    return error;
}

int traffic_open(struct traffic *traffic, const struct traffic_options *options)
{
    *traffic = (struct traffic){.options = *options};
    traffic->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (traffic->epoll < 0)
        return -errno;
    traffic->input = allocate(1, INPUT_SIZE);
    traffic->groups = allocate(options->groups, sizeof *traffic->groups);
    traffic->dirty = allocate(options->groups, sizeof *traffic->dirty);
    traffic->message_size = wire_publish_size("bench/0000", options->qos, options->payload);
    traffic->head_size = traffic->message_size - options->payload;
    for (uint32_t i = 0; i < options->groups; i++) {
        struct group *group = &traffic->groups[i];
        group->publisher.fd = -1;
        group->receivers = allocate(options->subscribers, sizeof *group->receivers);
        for (uint32_t j = 0; j < options->subscribers; j++)
            group->receivers[j].link.fd = -1;
    }
    int error = 0;
    for (uint32_t i = 0; !error && i < options->groups; i++)
        error = open_group(traffic, i);
    return error;
}

void traffic_close(struct traffic *traffic)
{
    for (uint32_t i = 0; traffic->groups && i < traffic->options.groups; i++) {
        struct group *group = &traffic->groups[i];
        for (uint32_t j = 0; j < traffic->options.subscribers; j++)
            link_close(&group->receivers[j].link);
        link_close(&group->publisher);
        free(group->receivers);
        free(group->batch);
    }
    free(traffic->groups);
    free(traffic->dirty);
    free(traffic->input);
    close(traffic->epoll);
}

static uint16_t packet_id_of(uint64_t sequence)
{
    return (uint16_t)(sequence % 65535 + 1);
}

static int send_batch(struct traffic *traffic, struct group *group)
{
    uint32_t batch = traffic->options.batch;
    uint8_t *payload = group->batch + traffic->head_size;
    for (uint32_t i = 0; i < batch; i++, payload += traffic->message_size) {
        uint64_t sequence = group->sent + i;
        memcpy(payload, &sequence, sizeof sequence);
        if (traffic->options.qos)
            wire_put_u16(payload - 2, packet_id_of(sequence));
    }
    group->sent += batch;
    traffic->count.sent += batch;
    traffic->count.expected += (uint64_t)batch * traffic->options.subscribers;
    return link_send(&group->publisher, group->batch, batch * traffic->message_size);
}

static uint64_t find_slowest(const struct traffic *traffic, const struct group *group)
{
    uint64_t slowest = UINT64_MAX;
    for (uint32_t i = 0; i < traffic->options.subscribers; i++)
        if (group->receivers[i].awaited < slowest)
            slowest = group->receivers[i].awaited;
    if (traffic->options.qos && group->acknowledged < slowest)
        slowest = group->acknowledged;
    return slowest;
}

static int refill(struct traffic *traffic, struct group *group)
{
    const struct traffic_options *options = &traffic->options;
    group->slowest = find_slowest(traffic, group);
    int error = 0;
    while (!error && !traffic->stopping && !link_is_blocked(&group->publisher) &&
           group->sent - group->slowest + options->batch <= options->window)
        error = send_batch(traffic, group);
    return error;
}

static int refill_dirty(struct traffic *traffic)
{
    int error = 0;
    for (uint32_t i = 0; i < traffic->dirty_count; i++) {
        traffic->dirty[i]->dirty = false;
        if (!error)
            error = refill(traffic, traffic->dirty[i]);
    }
    traffic->dirty_count = 0;
    return error;
}

static void mark_dirty(struct traffic *traffic, struct group *group)
{
    if (group->dirty)
        return;
    group->dirty = true;
    traffic->dirty[traffic->dirty_count++] = group;
}

// Order on one topic is promised, so a gap is loss and a step back is a repetition.
static void count_delivery(struct traffic *traffic, struct receiver *receiver, uint64_t sequence)
{
    if (sequence < receiver->awaited) {
        traffic->count.repeated++;
        return;
    }
    traffic->count.lost += sequence - receiver->awaited;
    traffic->count.delivered++;
    receiver->awaited = sequence + 1;
}

static int take_message(struct traffic *traffic, struct receiver *receiver, const uint8_t *packet,
                        const struct wire_frame *frame, uint8_t *ret_ack)
{
    uint64_t sequence;
    if (frame->type != WIRE_PUBLISH || frame->qos != traffic->options.qos ||
        frame->size != traffic->message_size)
        return -EBADMSG;
    const uint8_t *payload = packet + traffic->head_size;
    memcpy(&sequence, payload, sizeof sequence);
    if (sequence >= receiver->group->sent)
        return -EBADMSG;
    if (frame->qos)
        wire_put_ack(ret_ack, WIRE_PUBACK, wire_u16(payload - 2));
    count_delivery(traffic, receiver, sequence);
    return 0;
}

// Messages are counted, their PUBACKs gathered and sent by one write for each ACKS_MAX.
static int receive_messages(struct traffic *traffic, struct receiver *receiver)
{
    uint8_t acks[4 * ACKS_MAX];
    size_t acks_size = 0;
    const uint8_t *at = traffic->input;
    ptrdiff_t received = link_receive(&receiver->link, traffic->input, INPUT_SIZE);
    if (received < 0)
        return (int)received;
    size_t size = (size_t)received;
    struct wire_frame frame;
    enum wire_state state;
    int error = 0;
    while (!error && (state = wire_scan(at, size, &frame)) == WIRE_WHOLE) {
        error = take_message(traffic, receiver, at, &frame, acks + acks_size);
        acks_size += frame.qos ? 4 : 0;
        if (!error && acks_size == sizeof acks) {
            error = link_send(&receiver->link, acks, acks_size);
            acks_size = 0;
        }
        at += frame.size;
        size -= frame.size;
    }
    if (!error && state == WIRE_MALFORMED)
        error = -EBADMSG;
    if (!error && acks_size)
        error = link_send(&receiver->link, acks, acks_size);
    link_keep(&receiver->link, at, size);
    mark_dirty(traffic, receiver->group);
    return error;
}

static struct group *group_of(struct link *publisher)
{
    return (struct group *)((char *)publisher - offsetof(struct group, publisher));
}

static int receive_acks(struct traffic *traffic, struct link *publisher)
{
    struct group *group = group_of(publisher);
    const uint8_t *at = traffic->input;
    ptrdiff_t received = link_receive(publisher, traffic->input, INPUT_SIZE);
    if (received < 0)
        return (int)received;
    size_t size = (size_t)received;
    struct wire_frame frame;
    while (wire_scan(at, size, &frame) == WIRE_WHOLE) {
        // PUBACKs come in the order of the PUBLISHes [MQTT-4.6.0-2].
        if (frame.type != WIRE_PUBACK || group->acknowledged == group->sent ||
            wire_u16(at + frame.header_size) != packet_id_of(group->acknowledged))
            return -EBADMSG;
        group->acknowledged++;
        at += frame.size;
        size -= frame.size;
    }
    link_keep(publisher, at, size);
    mark_dirty(traffic, group);
    return 0;
}

static int serve_event(struct traffic *traffic, const struct epoll_event *event)
{
    struct link *link = event->data.ptr;
    struct receiver *receiver = link->owner;
    int error = 0;
    if (event->events & EPOLLOUT) {
        error = link_flush(link);
        if (!receiver)
            mark_dirty(traffic, group_of(link));
    }
    if (error || (event->events & ~(uint32_t)EPOLLOUT) == 0)
        return error;
    return receiver ? receive_messages(traffic, receiver) : receive_acks(traffic, link);
}

int traffic_start(struct traffic *traffic)
{
    for (uint32_t i = 0; i < traffic->options.groups; i++)
        mark_dirty(traffic, &traffic->groups[i]);
    return refill_dirty(traffic);
}

int traffic_turn(struct traffic *traffic, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(traffic->epoll, events, EVENTS_MAX, timeout_ms);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    int error = 0;
    for (int i = 0; !error && i < count; i++)
        error = serve_event(traffic, &events[i]);
    return error ? error : refill_dirty(traffic);
}

bool traffic_is_drained(const struct traffic *traffic)
{
    for (uint32_t i = 0; i < traffic->options.groups; i++)
        if (find_slowest(traffic, &traffic->groups[i]) != traffic->groups[i].sent)
            return false;
    return true;
}

int traffic_write_off(struct traffic *traffic)
{
    for (uint32_t i = 0; i < traffic->options.groups; i++) {
        struct group *group = &traffic->groups[i];
        for (uint32_t j = 0; j < traffic->options.subscribers; j++) {
            traffic->count.lost += group->sent - group->receivers[j].awaited;
            group->receivers[j].awaited = group->sent;
        }
        mark_dirty(traffic, group);
    }
    return refill_dirty(traffic);
}
