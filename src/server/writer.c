// SPDX-License-Identifier: MIT
#include "server/writer.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/output.h"
#include "os/process.h"
#include "os/thread.h"
#include "server/loading.h"
#include "server/worker.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS 200 // on a full disk
#define LOW_CHECK_MS 1000

struct writer_thread {
    struct server *server;
    struct store *store;
    struct loop *loop; // only to sleep and be woken
    struct thread *thread;
    struct lock lock;
    struct batch *first, *last; // given, oldest first; guarded by the lock
    struct read_request *asked; // likewise, in no order
    _Atomic bool stopping;
    _Atomic bool low;
    bool full; // the disk was, at the last try
    int64_t checked_ms, committed_ms;
    uint64_t committed[EPOCH_WORKERS_MAX]; // the last batch of each worker
};

void writer_fail(const char *why)
{
    char text[STORE_ERROR_MAX + 128];
    int size = snprintf(text, sizeof(text),
                        "bud serve: the store cannot be written any more: %s. Nothing more is "
                        "acknowledged; stopping with status 74. What was acknowledged is safe.\n",
                        why);
    output_error(text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
    process_exit(74);
}

static void report(void *context, const char *what)
{
    struct server *server = context;
    struct log_line line;
    log_begin(&line, &server->log, LOG_STORE);
    log_text(&line, "what", what);
    log_end(&line);
}

int writer_new(struct server *server, struct writer_thread **ret_writer, char *error)
{
    static const enum store_durability durabilities[] = {
        [DURABILITY_AUTO] = STORE_COMMIT,
        [DURABILITY_COMMIT] = STORE_COMMIT,
        [DURABILITY_BATCH] = STORE_BATCH,
        [DURABILITY_RELAXED] = STORE_RELAXED,
    };
    struct writer_thread *writer = memory_new(sizeof(*writer));
    struct store_options options = {
        .directory = server->options.data,
        .durability = durabilities[server->options.durability],
        .wall_ms = clock_wall_ms(),
        .monotonic_ms = clock_monotonic_ms(),
        .vfs = server->options.store_vfs,
        .log_pages_max = server->options.store_log_pages_max,
        .context = server,
        .report = report,
    };
    writer->server = server;
    lock_init(&writer->lock);
    int result = loop_new(&writer->loop);
    if (result == 0)
        result = store_open(&options, &writer->store, error);
    if (result == 0)
        result = loading_run(server, writer->store, error);
    if (result < 0) {
        writer_free(writer);
        return result;
    }
    *ret_writer = writer;
    return 0;
}

void writer_free(struct writer_thread *writer)
{
    if (writer == NULL)
        return;
    ASSERT(writer->first == NULL);
    if (writer->store != NULL && store_close(writer->store) < 0)
        report(writer->server, "the store was not closed cleanly; it will be looked through at the "
                               "next start");
    if (writer->loop != NULL)
        loop_free(writer->loop);
    lock_done(&writer->lock);
    memory_free(writer);
}

void writer_give(struct writer_thread *writer, struct batch *batch)
{
    batch->next = NULL;
    lock_take(&writer->lock);
    if (writer->first == NULL)
        writer->first = batch;
    else
        writer->last->next = batch;
    writer->last = batch;
    lock_release(&writer->lock);
    loop_wake(writer->loop);
}

static struct batch *take_all(struct writer_thread *writer)
{
    lock_take(&writer->lock);
    struct batch *first = writer->first;
    writer->first = writer->last = NULL;
    lock_release(&writer->lock);
    return first;
}

static int apply_all(struct writer_thread *writer, const struct batch *batch)
{
    int64_t wall_ms = clock_wall_ms(), monotonic_ms = clock_monotonic_ms();
    for (; batch != NULL; batch = batch->next) {
        for (uint32_t i = 0; i < batch->count; i++) {
            if (batch->records[i].kind == RECORD_NONE)
                continue;
            int result = store_apply(writer->store, &batch->records[i], wall_ms, monotonic_ms);
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static bool has_records(const struct batch *batch)
{
    for (; batch != NULL; batch = batch->next)
        for (uint32_t i = 0; i < batch->count; i++)
            if (batch->records[i].kind != RECORD_NONE)
                return true;
    return false;
}

// 0, or -ENOSPC: nothing of it is there. Anything else ends the broker.
static int commit(struct writer_thread *writer, const struct batch *batch)
{
    if (!has_records(batch))
        return 0; // all of it was delivered before it could be written
    int result = store_begin(writer->store);
    if (result == 0)
        result = apply_all(writer, batch);
    if (result == 0)
        result = store_commit(writer->store);
    if (result == -ENOSPC)
        store_roll_back(writer->store);
    else if (result < 0)
        writer_fail(strerror(-result));
    return result;
}

static void tell(struct writer_thread *writer, struct batch *batch)
{
    struct worker *worker = writer->server->workers[batch->worker];
    struct post *post = memory_new(sizeof(*post));
    struct post_chain chain = {0};
    post->kind = POST_COMMITTED;
    post->ticket = batch->number;
    post_chain_add(&chain, post);
    batch_free(batch);
    if (inbox_append(&worker->inbox, &chain))
        loop_wake(worker->loop);
}

void read_request_free(struct read_request *request)
{
    for (uint32_t i = 0; i < request->got; i++) {
        message_unref(request->deliveries[i].message);
        memory_free(request->deliveries[i].extra);
    }
    memory_free(request->deliveries);
    memory_free(request);
}

static void put_request(struct writer_thread *writer, struct read_request *request)
{
    lock_take(&writer->lock);
    request->next = writer->asked;
    writer->asked = request;
    lock_release(&writer->lock);
}

void writer_ask(struct writer_thread *writer, struct read_request *request)
{
    put_request(writer, request);
    loop_wake(writer->loop);
}

static void take_read(void *context, const struct store_delivery *stored)
{
    struct read_request *request = context;
    if (stored->sent || stored->message == NULL || request->got == request->count) {
        message_unref(stored->message);
        return;
    }
    request->deliveries[request->got++] = (struct delivery){
        .message = stored->message,
        .extra = loading_extra(stored),
        .identifier = stored->identifier,
        .qos = stored->qos,
        .retain = stored->retain,
        .number = stored->number,
    };
}

// Reads as many as were asked for, or all there are, or what there is memory for.
static int read_deliveries(struct writer_thread *writer, struct read_request *request)
{
    int result = 1;
    while (result > 0 && request->got < request->count) {
        uint64_t after =
            request->got == 0 ? request->after : request->deliveries[request->got - 1].number;
        result = store_read(writer->store, request->session, after, request->count - request->got,
                            &writer->server->budget, take_read, request);
    }
    request->is_last = result == 0;
    return result;
}

static void answer(struct writer_thread *writer, struct read_request *request)
{
    int result = read_deliveries(writer, request);
    if (result == -ENOMEM && request->got == 0) {
        put_request(writer, request); // memory_limit is reached: again at the next look
        return;
    }
    if (result < 0 && result != -ENOMEM)
        writer_fail(strerror(-result));
    struct post *post = memory_new(sizeof(*post));
    struct post_chain chain = {0};
    struct worker *worker = writer->server->workers[request->worker];
    post->kind = POST_READ;
    post->read = request;
    post_chain_add(&chain, post);
    if (inbox_append(&worker->inbox, &chain))
        loop_wake(worker->loop);
}

// Reads for every request whose worker's batch is in the store by now; the others wait.
static void answer_all(struct writer_thread *writer)
{
    lock_take(&writer->lock);
    struct read_request *request = writer->asked;
    writer->asked = NULL;
    lock_release(&writer->lock);
    while (request != NULL) {
        struct read_request *next = request->next;
        if (request->batch <= writer->committed[request->worker])
            answer(writer, request);
        else
            writer_ask(writer, request);
        request = next;
    }
}

static void put_back(struct writer_thread *writer, struct batch *first)
{
    struct batch *last = first;
    while (last->next != NULL)
        last = last->next;
    lock_take(&writer->lock);
    last->next = writer->first;
    if (writer->first == NULL)
        writer->last = last;
    writer->first = first;
    lock_release(&writer->lock);
}

static void set_low(struct writer_thread *writer, bool low)
{
    if (atomic_exchange(&writer->low, low) == low)
        return;
    report(writer->server, low ? "little disk space is left: durable messages are not taken until "
                                 "there is more; delivery goes on"
                               : "there is disk space again: durable messages are taken");
}

static void check_space(struct writer_thread *writer)
{
    writer->checked_ms = clock_monotonic_ms();
    set_low(writer, writer->full || store_is_low(writer->store));
}

static void tell_all(struct writer_thread *writer, struct batch *batch)
{
    while (batch != NULL) {
        struct batch *next = batch->next;
        writer->committed[batch->worker] = batch->number;
        tell(writer, batch);
        batch = next;
    }
}

// All together they do not fit. One by one some may: what only deletes gets through behind what
// does not. A worker's batches keep their order, and so does what takes over from another worker's.
// Returns those that did not fit.
static struct batch *commit_what_fits(struct writer_thread *writer, struct batch *batch)
{
    bool is_stuck[EPOCH_WORKERS_MAX] = {false};
    struct batch *left = NULL, **last = &left;
    while (batch != NULL) {
        struct batch *next = batch->next;
        batch->next = NULL;
        if (is_stuck[batch->worker] || (batch->moves && left != NULL) ||
            commit(writer, batch) == -ENOSPC) {
            is_stuck[batch->worker] = true;
            *last = batch;
            last = &batch->next;
        } else {
            tell_all(writer, batch);
        }
        batch = next;
    }
    return left;
}

bool writer_step(struct writer_thread *writer)
{
    if (clock_monotonic_ms() >= writer->checked_ms + LOW_CHECK_MS)
        check_space(writer);
    struct batch *first = take_all(writer);
    if (first == NULL) {
        answer_all(writer);
        return false;
    }
    bool fits = commit(writer, first) == 0;
    struct batch *left = fits ? NULL : commit_what_fits(writer, first);
    if (fits)
        tell_all(writer, first);
    writer->full = left != NULL;
    if (left != NULL)
        put_back(writer, left);
    check_space(writer);
    writer->committed_ms = writer->checked_ms;
    answer_all(writer);
    return left == NULL;
}

// In batch mode a commit waits for its interval: later acknowledgements, fewer writes.
static int time_to_wait(const struct writer_thread *writer)
{
    const struct options *options = &writer->server->options;
    if (options->durability != DURABILITY_BATCH || atomic_load(&writer->stopping))
        return 0;
    int64_t due_ms = writer->committed_ms + (int64_t)options->batch_ms;
    int64_t now_ms = clock_monotonic_ms();
    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

static void run(void *argument)
{
    struct writer_thread *writer = argument;
    struct loop_event events[4];
    for (;;) {
        for (int wait_ms = time_to_wait(writer); wait_ms > 0; wait_ms = time_to_wait(writer))
            loop_wait(writer->loop, wait_ms, events, 4);
        if (writer_step(writer))
            continue;
        lock_take(&writer->lock);
        bool is_empty = writer->first == NULL;
        lock_release(&writer->lock);
        if (atomic_load(&writer->stopping) && (is_empty || writer->full))
            return;
        loop_wait(writer->loop, writer->full ? RETRY_MS : LOW_CHECK_MS, events, 4);
    }
}

int writer_start(struct writer_thread *writer)
{
    return thread_start(&writer->thread, "bud-writer", run, writer);
}

void writer_stop(struct writer_thread *writer)
{
    atomic_store(&writer->stopping, true);
    if (writer->thread != NULL) {
        loop_wake(writer->loop);
        thread_join(writer->thread);
        writer->thread = NULL;
    }
    while (writer_step(writer))
        ;
    struct batch *rest = take_all(writer); // only on a full disk: never acknowledged
    while (rest != NULL) {
        struct batch *next = rest->next;
        batch_free(rest);
        rest = next;
    }
    while (writer->asked != NULL) {
        struct read_request *next = writer->asked->next;
        read_request_free(writer->asked);
        writer->asked = next;
    }
}

bool writer_is_low(const struct writer_thread *writer)
{
    return writer != NULL && atomic_load_explicit(&writer->low, memory_order_relaxed);
}
