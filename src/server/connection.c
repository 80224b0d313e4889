// SPDX-License-Identifier: MIT
// Life of a connection: reading, moving home, ending. Packets are handled in connection_connect.c
// and connection_packets.c.
#include "server/connection.h"

#include "access/secret.h"
#include "base/memory.h"
#include "server/connection_log.h"
#include "server/connection_login.h"
#include "server/connection_rate.h"
#include "server/door.h"
#include "server/held.h"
#include "server/listener.h"
#include "server/worker.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define LINGER_MS 1000
#define READS_IN_A_TURN 16

// From here on a packet is read straight into its own block, which a PUBLISH then keeps as its
// payload.
#define OWN_BLOCK_SIZE_MIN (32 * 1024)

static void move(struct connection *connection, enum connection_state to)
{
    static const uint8_t allowed[] = {
        [CONNECTION_ACCEPTED] = 1 << CONNECTION_AUTHENTICATING | 1 << CONNECTION_OPEN |
                                1 << CONNECTION_CLOSING | 1 << CONNECTION_CLOSED,
        [CONNECTION_AUTHENTICATING] =
            1 << CONNECTION_OPEN | 1 << CONNECTION_CLOSING | 1 << CONNECTION_CLOSED,
        [CONNECTION_OPEN] = 1 << CONNECTION_CLOSING | 1 << CONNECTION_CLOSED,
        [CONNECTION_CLOSING] = 1 << CONNECTION_LINGERING | 1 << CONNECTION_CLOSED,
        [CONNECTION_LINGERING] = 1 << CONNECTION_CLOSED,
        [CONNECTION_CLOSED] = 0,
    };
    ASSERT((allowed[connection->state] >> to & 1) != 0);
    ASSERT(to == CONNECTION_OPEN || connection->session == NULL);
    connection->state = (uint8_t)to;
}

static struct connection *connection_of(struct timer *timer)
{
    return (struct connection *)(void *)((char *)timer - offsetof(struct connection, timer));
}

// The list that a connection of this state belongs in.
static struct connection_list *list_for(const struct connection *connection)
{
    // Whoever waits for a verdict has done its part, and takes nobody's place.
    return connection->state <= CONNECTION_AUTHENTICATING && connection->login_job == NULL
               ? &connection->worker->pending
               : &connection->worker->connections;
}

static void count_pending(struct connection *connection, uint32_t amount)
{
    struct server *server = connection->worker->server;
    if (connection->list != &connection->worker->pending)
        return;
    atomic_fetch_add_explicit(&server->pending_count, (uint64_t)(int32_t)amount,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(server_pending_of(server, &connection->peer), amount,
                              memory_order_relaxed);
}

static void link_in(struct connection *connection, struct worker *worker)
{
    connection->worker = worker;
    connection->list = list_for(connection);
    count_pending(connection, 1);
    connection->previous = NULL;
    connection->next = connection->list->first;
    if (connection->next != NULL)
        connection->next->previous = connection;
    connection->list->first = connection;
    connection->list->count++;
}

static void link_out(struct connection *connection)
{
    count_pending(connection, UINT32_MAX); // one less
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connection->list->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connection->next = connection->previous = NULL;
    connection->list->count--;
}

void connection_set_peer(struct connection *connection, const struct net_address *peer)
{
    count_pending(connection, UINT32_MAX);
    connection->peer = *peer;
    count_pending(connection, 1);
}

void connection_become(struct connection *connection, enum connection_state state)
{
    move(connection, state);
    if (list_for(connection) != connection->list) {
        link_out(connection);
        link_in(connection, connection->worker);
    }
}

static void watch(struct connection *connection)
{
    unsigned events = 0;
    if (!connection->paused && !connection->is_waiting)
        events |= LOOP_READ;
    if (connection->wants_write)
        events |= LOOP_WRITE;
    int error = loop_change(connection->worker->loop, connection->fd, events, connection);
    ASSERT(error == 0);
}

void connection_set_paused(struct connection *connection, bool paused)
{
    if (connection->paused == paused || connection->state > CONNECTION_OPEN)
        return;
    connection->paused = paused;
    watch(connection);
    connection_read_again(connection);
}

void connection_set_waiting(struct connection *connection, bool is_waiting)
{
    if (connection->is_waiting == is_waiting || connection->state > CONNECTION_OPEN)
        return;
    connection->is_waiting = is_waiting;
    watch(connection);
}

void connection_want_write(struct connection *connection, bool wants_write)
{
    if (connection->wants_write == wants_write)
        return;
    connection->wants_write = wants_write;
    if (wants_write)
        connection->worker->blocked_count++;
    else
        connection->worker->blocked_count--;
    watch(connection);
}

// The one timer of a connection means what its state makes of it.
static void on_timer(struct timer *timer)
{
    struct connection *connection = connection_of(timer);
    struct worker *worker = connection->worker;
    switch ((enum connection_state)connection->state) {
    case CONNECTION_ACCEPTED:
    case CONNECTION_AUTHENTICATING:
        counter_add(&worker->counters, COUNTER_REFUSED_CONNECT_TIMEOUT, 1);
        connection_drop(connection, BUD_MAXIMUM_CONNECT_TIME,
                        connection->login_job != NULL
                            ? "its login was not decided within connect_timeout"
                            : "no CONNECT within connect_timeout");
        return;
    case CONNECTION_OPEN: {
        if (connection->paused || connection->is_waiting)
            connection->received_ms = worker->now_ms; // it may have spoken: nobody has looked
        int64_t due_ms = connection->received_ms + connection->keep_alive_ms;
        if (worker->now_ms < due_ms)
            timer_set(worker->wheel, timer, due_ms);
        else
            connection_end(connection, BUD_KEEP_ALIVE_TIMEOUT, NULL); // [MQTT-3.1.2-22]
        return;
    }
    case CONNECTION_CLOSING:
    case CONNECTION_LINGERING: connection_drop(connection, connection->reason, NULL); return;
    case CONNECTION_CLOSED: ASSERT(false);
    }
}

struct connection *connection_try_new(struct worker *worker, struct listener *listener, int fd,
                                      const struct net_address *peer)
{
    struct connection *connection = memory_try_new(sizeof(*connection));
    if (connection == NULL)
        return NULL;
    if (loop_watch(worker->loop, fd, LOOP_READ, connection) < 0) {
        memory_free(connection);
        return NULL;
    }
    connection->fd = fd;
    connection->listener = listener;
    connection->into = &connection->output;
    connection->peer = *peer;
    connection->accepted_ms = connection->received_ms = connection->progress_ms = worker->now_ms;
    connection->packet_size_max = PACKET_SIZE_MAX;
    connection->timer.fire = on_timer;
    connection->undecided = true;
    engine_init(&connection->engine, ENGINE_SERVER,
                (uint32_t)worker->server->options.connect_packet_bytes_max);
    link_in(connection, worker);
    timer_set(worker->wheel, &connection->timer, connection_connect_deadline(connection));
    atomic_fetch_add_explicit(&worker->server->connection_count, 1, memory_order_relaxed);
    return connection;
}

static void forget_partial(struct connection *connection)
{
    if (connection->partial.data != NULL)
        budget_give(&connection->worker->server->budget, connection->partial.capacity);
    buffer_done(&connection->partial);
    connection->partial_needed = 0;
}

// Grows by what has arrived and counts it: what a header only promises costs nothing.
static bool reserve_partial(struct connection *connection, size_t more)
{
    struct buffer *partial = &connection->partial;
    struct budget *budget = &connection->worker->server->budget;
    size_t before = partial->capacity;
    size_t size_max = partial->size + more;
    if (size_max < connection->partial_needed)
        size_max = connection->partial_needed; // never more than the packet
    if (!buffer_try_reserve(partial, more, size_max))
        return false;
    if (partial->capacity > before &&
        !connection_take_budget(connection, partial->capacity - before)) {
        budget_give(budget, before); // all of it goes now
        buffer_done(partial);
        return false;
    }
    return true;
}

static bool put_aside(struct connection *connection, struct bytes rest)
{
    if (rest.size == 0)
        return true;
    if (!reserve_partial(connection, rest.size))
        return false;
    memcpy(connection->partial.data + connection->partial.size, rest.data, rest.size);
    connection->partial.size += rest.size;
    return true;
}

static void no_memory(struct connection *connection)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_MEMORY, 1);
    connection->partial_needed = 0;
    connection_end(connection, BUD_QUOTA_EXCEEDED, "no memory for the packet (memory_limit)");
}

bool connection_keep_input(struct connection *connection, struct bytes rest)
{
    if (put_aside(connection, rest))
        return true;
    no_memory(connection);
    return false;
}

static bool is_reading(const struct connection *connection)
{
    return connection->state <= CONNECTION_OPEN && !connection->moving;
}

static void engine_failed(struct connection *connection, const struct engine_step *step,
                          const struct packet *packet)
{
    struct counters *counters = &connection->worker->counters;
    if (step->reason == BUD_PACKET_TOO_LARGE)
        counter_add(counters, COUNTER_REFUSED_PACKET_SIZE, 1);
    else
        counter_add(counters, COUNTER_REFUSED_MALFORMED, 1);
    // A CONNECT that was understood as far as its version is answered in its form; anything else
    // gets no word.
    bool answer = connection->state == CONNECTION_ACCEPTED && step->type == PACKET_CONNECT &&
                  (connection->engine.version == MQTT_5_0 ||
                   step->reason == BUD_UNSUPPORTED_PROTOCOL_VERSION);
    if (answer) {
        connection->reason = step->reason;
        connection_log_refused(connection, NULL);
        connection_note_limits(connection, &packet->connect); // as far as it was decoded
        connection_send_connack(connection, &(struct packet_connack){.reason = step->reason});
    }
    connection_end(connection, step->reason, NULL);
}

static void handle_packet(struct connection *connection, const struct packet *packet,
                          struct bytes raw, struct buffer *storage)
{
    struct counters *counters = &connection->worker->counters;
    journal_begin_packet(&connection->worker->journal);
    counter_add(counters, COUNTER_PACKETS_RECEIVED, 1);
    counter_add(counters, COUNTER_RECEIVED_CONNECT + packet->type - 1u, 1);
    if (packet->type == PACKET_CONNECT) {
        connection_on_connect(connection, &packet->connect, raw);
        return;
    }
    if (packet->type == PACKET_AUTH) {
        connection_on_auth(connection, &packet->auth);
        return;
    }
    if (connection->state != CONNECTION_OPEN) {
        // Sent before the authentication was through: only AUTH and DISCONNECT may be
        // [MQTT-3.1.2-30].
        if (packet->type == PACKET_DISCONNECT)
            connection_drop(connection, BUD_SUCCESS, NULL);
        else
            connection_end(connection, BUD_PROTOCOL_ERROR, NULL);
        return;
    }
    connection_on_packet(connection, packet, storage);
}

// Handles every whole packet in `input` and returns what is left of it. `storage` is the block that
// `input` lies in, when that is the connection's own and holds exactly one packet.
static struct bytes handle_input(struct connection *connection, struct bytes input,
                                 struct buffer *storage)
{
    struct packet packet;
    while (input.size > 0 && is_reading(connection) && !connection->is_waiting) {
        struct engine_step step = engine_next(&connection->engine, input, &packet);
        if (step.result == ENGINE_NEEDS_MORE) {
            connection->partial_needed = input.size + step.needed;
            return input;
        }
        if (step.result == ENGINE_ERROR) {
            engine_failed(connection, &step, &packet);
            break;
        }
        struct bytes raw = bytes_make(input.data, step.consumed);
        connection->input = input;
        input = bytes_from(input, step.consumed);
        handle_packet(connection, &packet, raw, input.size == 0 ? storage : NULL);
    }
    connection->partial_needed = 0;
    return is_reading(connection) ? input : (struct bytes){0}; // nothing, or what has to wait
}

static void took_bytes(struct connection *connection, size_t size)
{
    connection->received_ms = connection->worker->now_ms;
    counter_add(&connection->worker->counters, COUNTER_BYTES_RECEIVED, size);
}

void connection_end_silently(struct connection *connection, enum bud_reason reason, const char *why)
{
    connection->disconnected = true;
    connection_end(connection, reason, why);
}

// The client has sent its last byte; what it is owed still goes out, and then the connection is
// closed.
static void peer_ended(struct connection *connection)
{
    connection_end_silently(connection, BUD_UNSPECIFIED_ERROR,
                            "the client closed the connection without DISCONNECT");
    connection_set_deaf(connection);
}

static void read_failed(struct connection *connection, ssize_t got)
{
    if (got == -EAGAIN)
        return;
    if (got == 0 && connection->state == CONNECTION_OPEN &&
        (connection->output.size > 0 || connection->held_first != NULL)) {
        peer_ended(connection);
        return;
    }
    if (got == -EPROTO) { // what stands between has told the peer so in its own way
        counter_add(&connection->worker->counters, COUNTER_REFUSED_MALFORMED, 1);
        connection_end_silently(connection, BUD_PROTOCOL_ERROR,
                                connection_stream_trouble(connection));
        return;
    }
    connection_drop(connection, BUD_UNSPECIFIED_ERROR,
                    got == 0 ? "the client closed the connection without DISCONNECT"
                             : strerror((int)-got));
}

// A large packet: straight into its own block, and not a byte beyond its end.
static void read_large(struct connection *connection)
{
    struct buffer *partial = &connection->partial;
    size_t missing = connection->partial_needed - partial->size;
    if (partial->capacity == partial->size &&
        !reserve_partial(connection, missing < OWN_BLOCK_SIZE_MIN ? missing : OWN_BLOCK_SIZE_MIN)) {
        no_memory(connection);
        return;
    }
    size_t room = partial->capacity - partial->size;
    ssize_t got =
        connection_read(connection, partial->data + partial->size, room < missing ? room : missing);
    if (got <= 0) {
        read_failed(connection, got);
        return;
    }
    took_bytes(connection, (size_t)got);
    partial->size += (size_t)got;
    if (partial->size >= connection->partial_needed) {
        handle_input(connection, buffer_bytes(partial), partial);
        if (!connection->moving)
            forget_partial(connection);
    }
    connection_rate_charge(connection, 0, (size_t)got);
}

// Everything else goes through the worker's one input buffer; only what is not a whole packet is
// put aside.
static void read_small(struct connection *connection)
{
    struct worker *worker = connection->worker;
    size_t before = connection->partial.size;
    if (before > 0)
        memcpy(worker->input, connection->partial.data, before);
    ssize_t got = connection_read(connection, worker->input + before, WORKER_INPUT_SIZE - before);
    if (got <= 0) {
        read_failed(connection, got);
        return;
    }
    took_bytes(connection, (size_t)got);
    forget_partial(connection);
    struct bytes input = bytes_make(worker->input, before + (size_t)got);
    if (connection->undecided && !connection_decide(connection, &input))
        return;
    struct bytes rest = handle_input(connection, input, NULL);
    if (is_reading(connection))
        (void)connection_keep_input(connection, rest);
    connection_rate_charge(connection, 0, (size_t)got);
}

static void read_away(struct connection *connection)
{
    struct worker *worker = connection->worker;
    ssize_t got = net_read(connection->fd, worker->input, WORKER_INPUT_SIZE);
    if (got == -EAGAIN || got > 0)
        return;
    if (connection->state == CONNECTION_LINGERING || got < 0)
        connection_drop(connection, connection->reason, connection->why);
    else
        connection_set_deaf(connection);
}

void connection_set_deaf(struct connection *connection)
{
    // The peer has sent its end; there is still something to write, and nothing more to read.
    connection->paused = true;
    watch(connection);
}

static void read_once(struct connection *connection)
{
    if (connection->partial_needed >= OWN_BLOCK_SIZE_MIN)
        read_large(connection);
    else
        read_small(connection);
}

// A stream takes more from the socket than it gives at once, and the loop sees only the socket.
static void read_stream(struct connection *connection)
{
    const struct stream *before;
    int reads = 0;
    while (connection_may_step(connection)) {
        before = connection->stream; // a new one on top has not been asked yet
        read_once(connection);
        if (!is_reading(connection) || connection->paused || connection->is_waiting ||
            ++reads == READS_IN_A_TURN ||
            (connection->stream == before && !stream_has_input(connection->stream)))
            break;
    }
    if (is_reading(connection) && connection_flush_stream(connection))
        connection_read_again(connection);
}

void connection_read_again(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (connection->again || connection->paused || connection->is_waiting ||
        !is_reading(connection) || connection->stream == NULL ||
        !stream_has_input(connection->stream))
        return;
    connection->again = true;
    connection->next_again = worker->again;
    worker->again = connection;
}

void connection_on_readable(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED || connection->moving)
        return;
    if (connection->login_job != NULL) // it is not read from: its peer is gone
        connection_drop(connection, BUD_UNSPECIFIED_ERROR, "the client closed the connection");
    else if (connection->state >= CONNECTION_CLOSING)
        read_away(connection);
    else if (connection->worker->stop_by_ms != 0)
        return; // what is not acknowledged now will be sent again elsewhere
    else if (connection->is_waiting)
        connection_rate_hung_up(connection);
    else if (connection->undecided || connection->stream != NULL)
        read_stream(connection);
    else
        read_once(connection);
}

void connection_on_writable(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED || connection->moving)
        return;
    connection_want_write(connection, false);
    if (connection->state == CONNECTION_ACCEPTED)
        (void)connection_flush_stream(connection); // it may move this turn, so it gets on no list
    else
        connection_mark_dirty(connection);
}

void connection_mark_dirty(struct connection *connection)
{
    if (connection->dirty)
        return;
    struct worker *worker = connection->worker;
    connection->dirty = true;
    connection->next_dirty = NULL;
    if (worker->dirty_first == NULL)
        worker->dirty_first = connection;
    else
        worker->dirty_last->next_dirty = connection;
    worker->dirty_last = connection;
}

static void forget_again(struct connection *connection)
{
    struct connection **link = &connection->worker->again;
    if (!connection->again)
        return;
    while (*link != connection)
        link = &(*link)->next_again;
    *link = connection->next_again;
    connection->again = false;
}

void connection_move_to(struct connection *connection, uint32_t home, struct bytes raw)
{
    struct worker *worker = connection->worker;
    struct post *post = worker_try_post(worker, 0);
    // What came may lie in the partial packet itself, so that is let go last.
    struct buffer before = connection->partial;
    connection->partial = (struct buffer){0};
    bool kept = put_aside(connection, raw);
    secret_wipe((uint8_t *)(uintptr_t)raw.data, raw.size); // a password may be in it
    budget_give(&worker->server->budget, before.capacity);
    buffer_done(&before);
    if (post == NULL || !kept) {
        memory_free(post);
        no_memory(connection);
        return;
    }
    connection->moving = true;
    if (connection->wants_write)
        worker->blocked_count--;
    connection->wants_write = false;
    forget_again(connection);
    loop_unwatch(worker->loop, connection->fd);
    timer_cancel(worker->wheel, &connection->timer);
    link_out(connection);
    post->kind = POST_CONNECTION;
    post->connection = connection;
    worker_post(worker, home, post);
}

// What was read earlier and not handled then.
static void handle_kept(struct connection *connection)
{
    // Taken out first: what is handled may put something aside again.
    struct buffer input = connection->partial;
    connection->partial = (struct buffer){0};
    struct bytes rest = handle_input(connection, buffer_bytes(&input), NULL);
    if (is_reading(connection))
        (void)connection_keep_input(connection, rest);
    budget_give(&connection->worker->server->budget, input.capacity);
    buffer_done(&input);
    if (is_reading(connection) && connection_flush_stream(connection))
        connection_read_again(connection);
}

void connection_go_on(struct connection *connection)
{
    connection_rate_stop(connection);
    if (!is_reading(connection) || connection->worker->stop_by_ms != 0)
        return;
    if (!connection->undecided && connection->partial_needed == 0 && connection->partial.size > 0)
        handle_kept(connection);
    else if (connection_flush_stream(connection))
        connection_read_again(connection);
}

void connection_arrive(struct connection *connection, struct worker *worker)
{
    ASSERT(!connection->dirty);
    link_in(connection, worker);
    engine_init(&connection->engine, ENGINE_SERVER,
                (uint32_t)worker->server->options.connect_packet_bytes_max);
    if (worker->stop_by_ms != 0 ||
        loop_watch(worker->loop, connection->fd, LOOP_READ, connection) < 0) {
        connection_drop(connection, BUD_SERVER_SHUTTING_DOWN, NULL); // it never arrived
        return;
    }
    connection->moving = false;
    timer_set(worker->wheel, &connection->timer, connection_connect_deadline(connection));
    handle_kept(connection);
}

void connection_end(struct connection *connection, enum bud_reason reason, const char *why)
{
    ASSERT(connection->state <= CONNECTION_OPEN);
    struct worker *worker = connection->worker;
    connection->reason = reason;
    connection->why = why;
    if (connection->state == CONNECTION_OPEN) {
        connection_leave_session(connection);
        if (connection->engine.version == MQTT_5_0 && bud_reason_is_error(reason) &&
            !connection->disconnected)
            connection_send_disconnect(connection, reason);
    } else {
        if (connection->is_served)
            connection_log_closed_early(connection);
        else if (!connection->connack_sent) // otherwise the refusal was logged with all it knew
            connection_log_refused(connection, NULL);
    }
    forget_partial(connection);
    connection_set_paused(connection, false); // what still comes has to be read away
    connection_rate_stop(connection);
    connection_become(connection, CONNECTION_CLOSING);
    timer_set(worker->wheel, &connection->timer, worker->now_ms + LINGER_MS);
    connection_mark_dirty(connection);
}

// All of the goodbye is written: send FIN, and wait for the peer's.
void connection_linger(struct connection *connection)
{
    move(connection, CONNECTION_LINGERING);
    connection_shut(connection);
    if (connection->paused)
        connection_drop(connection, connection->reason, connection->why);
}

void connection_drop(struct connection *connection, enum bud_reason reason, const char *why)
{
    struct worker *worker = connection->worker;
    if (connection->state <= CONNECTION_OPEN) {
        connection->reason = reason;
        connection->why = why;
    }
    if (connection->state == CONNECTION_OPEN)
        connection_leave_session(connection);
    else if (connection->state < CONNECTION_OPEN)
        connection_log_closed_early(connection);
    move(connection, CONNECTION_CLOSED);
    if (connection->wants_write)
        worker->blocked_count--;
    timer_cancel(worker->wheel, &connection->timer);
    connection_rate_done(connection);
    if (!connection->moving)
        loop_unwatch(worker->loop, connection->fd);
    connection_free_stream(connection);
    net_close(connection->fd);
    link_out(connection);
    atomic_fetch_sub_explicit(&worker->server->connection_count, 1, memory_order_relaxed);
    forget_partial(connection);
    held_drop(connection);
    output_done(&connection->output, &worker->chunks);
    listener_rewatch(worker); // a descriptor is free again
    connection_bury(connection);
}

void connection_bury(struct connection *connection)
{
    struct worker *worker = connection->worker;
    ASSERT(connection->state == CONNECTION_CLOSED);
    if (connection->dirty || connection->again)
        return;
    connection->next_dirty = worker->closed;
    worker->closed = connection;
}

void connection_free(struct connection *connection)
{
    ASSERT(connection->state == CONNECTION_CLOSED && connection->session == NULL);
    if (connection->exchange != NULL)
        connection->mechanism->end(connection->exchange);
    alias_table_free(connection->aliases_in);
    alias_table_free(connection->aliases_out);
    buffer_done(&connection->proxy_name);
    connection_forget_login(connection);
    connection_forget_connect(connection);
    memory_free(connection);
}
