// SPDX-License-Identifier: MIT
// Two messages on their way to one client, in every order in which it can happen: each arrives,
// is sent, crosses the wire, is answered, and at any moment the connection breaks with what is on
// the wire, and comes back. Each run follows one list of choices; the next run takes the next list,
// until there is none. An oracle that knows only the specification judges every step
// [MQTT5 4.3, 4.4, 4.6, 4.9]. When the client reads a packet matters only to the answer and to what
// a break loses, so it reads one when its answer is due, and some more just before a break.
#include "core/test_router.h"

#define MESSAGES 2
#define STEPS_MAX 64
#define WIRE_MAX 16

struct packet_on_wire {
    uint8_t type;
    uint8_t number; // of the message, in a PUBLISH
    uint16_t packet_id;
};

struct wire {
    struct packet_on_wire packets[WIRE_MAX];
    uint32_t count;
};

enum progress { UNSENT, PUBLISHED, RELEASED, DONE };

// What the specification makes of one message.
struct exchange {
    enum progress progress;
    uint8_t qos;
    uint16_t packet_id;
    bool published_here, released_here; // on this connection
    uint32_t received;                  // how often the client's application got it
};

struct plan {
    uint8_t qos[MESSAGES];
    uint16_t receive_maximum[2]; // of the first connection, and of those after
    uint32_t breaks_max;
};

struct run {
    const struct plan *plan;
    struct world *world;
    struct session *session;
    struct exchange exchanges[MESSAGES];
    uint32_t arrived, breaks, order_received;
    uint16_t receive_maximum;
    bool idle; // the session said that it has nothing, and nothing has happened since
    struct wire to_client;
    bool held[16]; // by the client: identifiers without PUBREL; a fresh session starts with 1
};

static void put(struct wire *wire, uint8_t type, uint8_t number, uint16_t packet_id)
{
    assert_true(wire->count < WIRE_MAX);
    wire->packets[wire->count++] = (struct packet_on_wire){type, number, packet_id};
}

static struct packet_on_wire take(struct wire *wire)
{
    struct packet_on_wire packet = wire->packets[0];
    wire->count--;
    memmove(wire->packets, wire->packets + 1, wire->count * sizeof(packet));
    return packet;
}

static struct exchange *exchange_of(struct run *run, uint16_t packet_id)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct exchange *exchange = &run->exchanges[i];
        bool in_use = exchange->progress == PUBLISHED || exchange->progress == RELEASED;
        if (in_use && exchange->packet_id == packet_id)
            return exchange;
    }
    return NULL;
}

static uint32_t quota_used(const struct run *run)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        const struct exchange *exchange = &run->exchanges[i];
        used += exchange->progress != DONE && exchange->published_here;
    }
    return used;
}

// ---- what the session may give out ----

// A first PUBLISH: after all that was sent before, with an identifier of its own.
static void judge_first(struct run *run, struct exchange *exchange, uint16_t packet_id)
{
    assert_null(exchange_of(run, packet_id)); // [MQTT-2.2.1-4]
    for (struct exchange *other = run->exchanges; other < exchange; other++)
        assert_int_not_equal(other->progress, UNSENT);
    for (uint32_t i = 0; i < MESSAGES; i++)
        assert_false(run->exchanges[i].progress == PUBLISHED && !run->exchanges[i].published_here);
    exchange->progress = PUBLISHED;
    exchange->packet_id = packet_id;
}

// Again, with the same identifier, in the order of the first time [MQTT-4.4.0-1] [MQTT-4.6.0-1].
static void judge_again(struct run *run, struct exchange *exchange, uint16_t packet_id)
{
    assert_int_equal(exchange->progress, PUBLISHED); // never after PUBREC
    assert_int_equal(exchange->packet_id, packet_id);
    assert_false(exchange->published_here);
    for (struct exchange *other = run->exchanges; other < exchange; other++)
        assert_false(other->progress == PUBLISHED && !other->published_here);
}

static void judge_publish(struct run *run, const struct session_outgoing *outgoing)
{
    const struct message *message = outgoing->delivery->message;
    uint8_t number = (uint8_t)(message_payload(message).data[0] - '0');
    struct exchange *exchange = &run->exchanges[number];
    assert_int_not_equal(outgoing->packet_id, 0);
    assert_true(quota_used(run) < run->receive_maximum); // [MQTT-3.3.4-9]
    assert_true(outgoing->dup == (exchange->progress != UNSENT));
    if (exchange->progress == UNSENT)
        judge_first(run, exchange, outgoing->packet_id);
    else
        judge_again(run, exchange, outgoing->packet_id);
    exchange->published_here = true;
    put(&run->to_client, PACKET_PUBLISH, number, outgoing->packet_id);
}

static void judge_pubrel(struct run *run, const struct session_outgoing *outgoing)
{
    struct exchange *exchange = exchange_of(run, outgoing->packet_id);
    assert_non_null(exchange);
    assert_int_equal(exchange->progress, RELEASED);
    assert_false(exchange->released_here);
    exchange->released_here = true;
    put(&run->to_client, PACKET_PUBREL, 0, outgoing->packet_id);
}

// Nothing to send: then nothing is owed that could go.
static void judge_silence(struct run *run)
{
    bool room = quota_used(run) < run->receive_maximum;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        const struct exchange *exchange = &run->exchanges[i];
        assert_false(exchange->progress == RELEASED && !exchange->released_here);
        assert_false(room && exchange->progress == PUBLISHED && !exchange->published_here);
        assert_false(room && exchange->progress == UNSENT && i < run->arrived);
    }
    run->idle = true;
}

// ---- the steps ----

static void message_arrives(struct run *run, uint32_t unused)
{
    (void)unused;
    uint32_t i = run->arrived++;
    world_publish(run->world, "a", i == 0 ? "0" : "1", run->plan->qos[i]);
    run->idle = false;
}

static void session_sends(struct run *run, uint32_t unused)
{
    (void)unused;
    struct session_outgoing outgoing = session_next(run->session, 0);
    assert_false(outgoing.again);
    if (outgoing.type == PACKET_PUBLISH)
        judge_publish(run, &outgoing);
    else if (outgoing.type == PACKET_PUBREL)
        judge_pubrel(run, &outgoing);
    else
        judge_silence(run);
}

// Returns the answer.
static struct packet_on_wire client_receives(struct run *run)
{
    struct packet_on_wire packet = take(&run->to_client);
    struct exchange *exchange = &run->exchanges[packet.number];
    assert_true(packet.packet_id < 16);
    if (packet.type == PACKET_PUBREL) {
        run->held[packet.packet_id] = false;
        return (struct packet_on_wire){PACKET_PUBCOMP, 0, packet.packet_id};
    }
    if (exchange->received == 0) {
        assert_int_equal(packet.number, run->order_received); // [MQTT-4.6.0-6]
        run->order_received++;
    }
    exchange->received += !run->held[packet.packet_id];
    run->held[packet.packet_id] = exchange->qos == 2;
    uint8_t type = exchange->qos == 2 ? PACKET_PUBREC : PACKET_PUBACK;
    return (struct packet_on_wire){type, 0, packet.packet_id};
}

static void client_answers(struct run *run, uint32_t unused)
{
    (void)unused;
    struct packet_on_wire answer = client_receives(run);
    struct exchange *exchange = exchange_of(run, answer.packet_id);
    run->idle = false;
    if (exchange == NULL) { // answered twice, because it was sent twice
        assert_int_equal(answer.type, PACKET_PUBCOMP);
        assert_int_equal(session_on_pubcomp(run->session, answer.packet_id),
                         BUD_PACKET_IDENTIFIER_NOT_FOUND);
    } else if (answer.type == PACKET_PUBACK) {
        assert_int_equal(session_on_puback(run->session, answer.packet_id), BUD_SUCCESS);
        exchange->progress = DONE;
    } else if (answer.type == PACKET_PUBREC) {
        assert_int_equal(session_on_pubrec(run->session, answer.packet_id, BUD_SUCCESS),
                         BUD_SUCCESS);
        exchange->progress = RELEASED;
        exchange->released_here = true; // the connection answers
        put(&run->to_client, PACKET_PUBREL, 0, answer.packet_id);
    } else {
        assert_int_equal(session_on_pubcomp(run->session, answer.packet_id), BUD_SUCCESS);
        exchange->progress = DONE;
    }
}

// `received` packets still reach the client, whose answers do not come back.
static void connection_breaks(struct run *run, uint32_t received)
{
    for (uint32_t i = 0; i < received; i++)
        client_receives(run);
    session_detach(run->session, 0);
    run->breaks++;
    run->to_client.count = 0;
    for (uint32_t i = 0; i < MESSAGES; i++)
        run->exchanges[i].published_here = run->exchanges[i].released_here = false;
}

static void connection_resumes(struct run *run, uint32_t unused)
{
    (void)unused;
    run->receive_maximum = run->plan->receive_maximum[run->breaks > 0];
    world_attach(run->session, run->receive_maximum);
    run->idle = false;
}

struct step {
    void (*take)(struct run *run, uint32_t argument);
    uint32_t argument;
};

#define POSSIBLE_MAX (4 + WIRE_MAX)

// The steps that are possible now; returns how many.
static uint32_t list_steps(const struct run *run, struct step *steps)
{
    uint32_t count = 0;
    bool connected = run->session->connection != NULL;
    if (connected && !run->idle)
        steps[count++] = (struct step){session_sends, 0};
    if (run->to_client.count > 0)
        steps[count++] = (struct step){client_answers, 0};
    if (!connected)
        steps[count++] = (struct step){connection_resumes, 0};
    if (run->arrived < MESSAGES)
        steps[count++] = (struct step){message_arrives, 0};
    if (connected && run->breaks < run->plan->breaks_max)
        for (uint32_t received = 0; received <= run->to_client.count; received++)
            steps[count++] = (struct step){connection_breaks, received};
    return count;
}

// ---- all runs ----

struct choices {
    uint8_t taken[STEPS_MAX], possible[STEPS_MAX];
    uint32_t count;
};

// The next list of choices in order: false after the last.
static bool advance(struct choices *choices)
{
    while (choices->count > 0) {
        uint32_t last = choices->count - 1;
        if (++choices->taken[last] < choices->possible[last])
            return true;
        choices->count--;
    }
    return false;
}

static void begin(struct run *run, const struct plan *plan, struct world *world)
{
    *run = (struct run){.plan = plan, .world = world};
    for (uint32_t i = 0; i < MESSAGES; i++)
        run->exchanges[i].qos = plan->qos[i];
    run->session = world_offline_session(world, 0);
    world_subscribe(run->session, "a", 2);
    connection_resumes(run, 0);
}

static void end(struct run *run)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        const struct exchange *exchange = &run->exchanges[i];
        assert_int_equal(exchange->progress, DONE);
        assert_true(exchange->qos == 2 ? exchange->received == 1 : exchange->received >= 1);
    }
    assert_int_equal(session_queued_count(run->session), 0);
    world_end_session(run->session);
    assert_int_equal(run->world->drops, 0);
}

static void go(struct run *run, struct choices *choices)
{
    struct step steps[POSSIBLE_MAX];
    uint32_t count, depth = 0;
    while ((count = list_steps(run, steps)) > 0) {
        assert_true(depth < STEPS_MAX);
        if (depth == choices->count) {
            choices->taken[choices->count] = 0;
            choices->possible[choices->count++] = (uint8_t)count;
        }
        const struct step *step = &steps[choices->taken[depth++]];
        step->take(run, step->argument);
    }
}

static uint64_t try_all(const struct plan *plan)
{
    static struct run run;
    struct world *world = world_new();
    struct choices choices = {.count = 0};
    uint64_t runs = 0;
    do {
        begin(&run, plan, world);
        go(&run, &choices);
        end(&run);
        runs++;
    } while (advance(&choices));
    world_free(world);
    return runs;
}

static void try_windows(uint8_t first_qos, uint8_t second_qos)
{
    uint64_t runs = 0;
    for (uint16_t before = 1; before <= 2; before++) {
        for (uint16_t after = 1; after <= 2; after++) {
            struct plan plan = {{first_qos, second_qos}, {before, after}, 1};
            runs += try_all(&plan);
        }
    }
    print_message("%llu runs\n", (unsigned long long)runs);
}

static void two_exactly_once(void **state)
{
    (void)state;
    try_windows(2, 2);
}

static void at_least_once_before_exactly_once(void **state)
{
    (void)state;
    try_windows(1, 2);
}

static void exactly_once_before_at_least_once(void **state)
{
    (void)state;
    try_windows(2, 1);
}

static void two_at_least_once(void **state)
{
    (void)state;
    try_windows(1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_exactly_once),
        cmocka_unit_test(at_least_once_before_exactly_once),
        cmocka_unit_test(exactly_once_before_at_least_once),
        cmocka_unit_test(two_at_least_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
