// SPDX-License-Identifier: MIT
// One conversation with every packet type, again and again: each time another allocation of the
// broker's fails. It may refuse, drop (and count it) or close; it may not crash, leak (the address
// sanitizer tells), acknowledge what it then does not deliver, deliver QoS 2 twice, or lose a
// session. Afterwards it serves as before.
#include "base/memory.h"
#include "server/worker.h"
#include "sim/fake_mechanism.h"
#include "sim/test_stage.h"

#include <string.h>

#define MESSAGE_COUNT 10
#define LARGE_SIZE 40000 // stays in the buffer it came in

static uint64_t failing; // for who looks at a failure with a debugger

enum { PLAIN, SUBSCRIBED_WIDE, SUBSCRIBED_SHARED, FILTER_COUNT };

struct talk {
    struct stage stage;
    uint8_t version;
    struct peer talker, listener;
    bool talks, listens; // got CONNACK with success, and was not closed since
    bool present;        // what that CONNACK said of the session
    bool had_session;    // the listener once got such a CONNACK
    bool granted[FILTER_COUNT], unsubscribed;
    // By the number of the message, which is its first character and its packet identifier.
    bool sent[MESSAGE_COUNT], answered[MESSAGE_COUNT], expected[MESSAGE_COUNT];
    enum bud_reason answer[MESSAGE_COUNT];
    uint32_t heard[MESSAGE_COUNT];
};

// --- what the two of them do with what comes ---

static void set_method(struct properties *properties, struct bytes data)
{
    properties->authentication_method = BYTES_OF(FAKE_MECHANISM_NAME);
    properties->authentication_data = data;
    properties->present |=
        UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD | UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
}

static void send_auth(struct talk *talk, enum bud_reason reason, struct bytes data)
{
    struct packet_auth auth = {.reason = reason};
    set_method(&auth.properties, data);
    peer_auth(&talk->talker, &auth);
}

static void talker_hears(struct talk *talk, const struct packet *packet)
{
    uint16_t number = packet->ack.packet_id;
    switch (packet->type) {
    case PACKET_CONNACK: talk->talks = packet->connack.reason == BUD_SUCCESS; break;
    case PACKET_AUTH:
        if (packet->auth.reason == BUD_CONTINUE_AUTHENTICATION)
            send_auth(talk, BUD_CONTINUE_AUTHENTICATION, BYTES_OF(FAKE_MECHANISM_ANSWER));
        break;
    case PACKET_PUBACK:
    case PACKET_PUBREC:
        assert_true(number < MESSAGE_COUNT && talk->sent[number] && !talk->answered[number]);
        talk->answered[number] = true;
        talk->answer[number] = packet->ack.reason;
        if (packet->type == PACKET_PUBREC && !bud_reason_is_error(packet->ack.reason))
            peer_ack(&talk->talker, PACKET_PUBREL, number, BUD_SUCCESS);
        break;
    default: break;
    }
}

static void listener_hears_message(struct talk *talk, const struct packet_publish *publish)
{
    assert_true(publish->payload.size > 0);
    uint32_t number = publish->payload.data[0] - (uint32_t)'0';
    assert_true(number < MESSAGE_COUNT && talk->sent[number]);
    talk->heard[number]++;
    if (publish->qos > 0)
        peer_ack(&talk->listener, publish->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
                 publish->packet_id, BUD_SUCCESS);
}

static void listener_hears(struct talk *talk, const struct packet *packet)
{
    switch (packet->type) {
    case PACKET_CONNACK:
        talk->listens = packet->connack.reason == BUD_SUCCESS;
        talk->present = packet->connack.session_present;
        break;
    case PACKET_PUBLISH: listener_hears_message(talk, &packet->publish); break;
    case PACKET_PUBREL:
        peer_ack(&talk->listener, PACKET_PUBCOMP, packet->ack.packet_id, BUD_SUCCESS);
        break;
    case PACKET_SUBACK:
        talk->granted[packet->suback.packet_id - 1] = packet->suback.codes.data[0] <= 2;
        break;
    case PACKET_UNSUBACK: talk->unsubscribed = true; break;
    default: break;
    }
}

// Until nobody has anything more to say.
static void go_on(struct talk *talk)
{
    struct packet packet;
    bool heard = true;
    while (heard) {
        heard = false;
        broker_settle(&talk->stage.broker);
        while (peer_take(&talk->talker, &packet)) {
            talker_hears(talk, &packet);
            heard = true;
        }
        while (peer_take(&talk->listener, &packet)) {
            listener_hears(talk, &packet);
            heard = true;
        }
    }
    assert_false(talk->talker.broken || talk->listener.broken);
    talk->talks = talk->talks && !talk->talker.ended;
    talk->listens = talk->listens && !talk->listener.ended;
}

// --- what they do ---

static void listener_comes(struct talk *talk)
{
    peer_done(&talk->listener);
    struct packet_connect connect = {.version = talk->version, .client_id = BYTES_OF("listener")};
    connect.properties.session_expiry_interval = 1000;
    if (talk->version == MQTT_5_0)
        connect.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL;
    assert_true(peer_call(&talk->listener, talk->version));
    peer_connect(&talk->listener, &connect);
    go_on(talk);
    if (!talk->listens)
        return;
    assert_true(talk->present || !talk->had_session);
    talk->had_session = true;
}

static void talker_comes(struct talk *talk)
{
    peer_done(&talk->talker);
    struct packet_connect connect = {
        .version = talk->version,
        .clean_start = true,
        .client_id = BYTES_OF("talker"),
        .has_will = true,
        .will = {.topic = BYTES_OF("hus/vilje"), .payload = BYTES_OF("9"), .qos = 1},
    };
    if (talk->version == MQTT_5_0)
        set_method(&connect.properties, BYTES_OF("user=eva"));
    talk->sent[9] = true; // whatever ends its connection
    assert_true(peer_call(&talk->talker, talk->version));
    peer_connect(&talk->talker, &connect);
    go_on(talk);
}

static void subscribe(struct talk *talk, uint16_t which, struct bytes filter, uint8_t qos)
{
    if (talk->listens)
        peer_subscribe(&talk->listener, (uint16_t)(which + 1), filter,
                       (struct subscription_options){.qos = qos},
                       talk->version == MQTT_5_0 ? which + 1u : 0);
    go_on(talk);
}

// `publish` with all that follows from the number. Is it owed to the listener if it is taken?
static void say(struct talk *talk, uint16_t number, struct packet_publish publish, bool is_owed)
{
    static uint8_t payload[LARGE_SIZE];
    if (!talk->talks)
        return;
    memset(payload, 'x', sizeof(payload));
    payload[0] = (uint8_t)('0' + number);
    publish.packet_id = publish.qos > 0 ? number : 0;
    publish.payload = bytes_make(payload, number == 4 ? sizeof(payload) : 10);
    talk->sent[number] = true;
    talk->expected[number] = is_owed && publish.qos > 0;
    peer_publish(&talk->talker, &publish);
    go_on(talk);
}

static bool is_subscribed(const struct talk *talk)
{
    return talk->granted[PLAIN] || (talk->granted[SUBSCRIBED_WIDE] && !talk->unsubscribed);
}

static struct packet_publish with_alias(struct bytes topic)
{
    struct packet_publish publish = {.qos = 1, .topic = topic};
    publish.properties.topic_alias = 1;
    publish.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS;
    return publish;
}

static void say_everything(struct talk *talk)
{
    struct bytes topic = BYTES_OF("hus/stue");
    bool owed = is_subscribed(talk);
    say(talk, 1, (struct packet_publish){.qos = 1, .topic = topic}, owed);
    say(talk, 2, (struct packet_publish){.qos = 2, .topic = topic}, owed);
    say(talk, 3, (struct packet_publish){.qos = 0, .topic = topic}, owed);
    say(talk, 4, (struct packet_publish){.qos = 1, .topic = topic}, owed);
    if (talk->version == MQTT_5_0) {
        say(talk, 5, with_alias(topic), owed);
        if (talk->answered[5] && !bud_reason_is_error(talk->answer[5]))
            say(talk, 6, with_alias((struct bytes){0}), owed);
    }
}

static void break_off(struct talk *talk)
{
    peer_done(&talk->talker);
    talk->talks = false;
    go_on(talk);
}

static void converse(struct talk *talk)
{
    listener_comes(talk);
    subscribe(talk, PLAIN, BYTES_OF("hus/+"), 2);
    subscribe(talk, SUBSCRIBED_WIDE, BYTES_OF("hus/#"), 1);
    subscribe(talk, SUBSCRIBED_SHARED, BYTES_OF("$share/g/delt/+"), 1);
    talker_comes(talk);
    say_everything(talk);
    peer_done(&talk->listener);
    talk->listens = false;
    go_on(talk);
    say(talk, 7, (struct packet_publish){.qos = 2, .topic = BYTES_OF("hus/bad"), .retain = true},
        is_subscribed(talk));
    say(talk, 8, (struct packet_publish){.qos = 1, .topic = BYTES_OF("delt/a")},
        talk->granted[SUBSCRIBED_SHARED]);
    listener_comes(talk);
    if (talk->talks && talk->version == MQTT_5_0)
        send_auth(talk, BUD_REAUTHENTICATE, BYTES_OF("user=eva"));
    if (talk->talks)
        peer_ping(&talk->talker);
    if (talk->listens)
        peer_unsubscribe(&talk->listener, 9, BYTES_OF("hus/#"));
    go_on(talk);
    break_off(talk);
}

// --- what must be true then ---

static uint64_t counted(const struct talk *talk, enum counter counter)
{
    const struct server *server = talk->stage.broker.server;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < server->worker_count; i++)
        sum += counter_read(&server->workers[i]->counters, counter);
    return sum;
}

static void check_acknowledgements(const struct talk *talk)
{
    uint64_t lost = 0;
    for (uint32_t i = 1; i < MESSAGE_COUNT; i++) {
        bool taken = talk->answered[i] && !bud_reason_is_error(talk->answer[i]);
        if (talk->expected[i] && taken && talk->heard[i] == 0)
            lost++;
        if (talk->answered[i] && bud_reason_is_error(talk->answer[i]))
            assert_int_equal(talk->heard[i], 0);
    }
    assert_true(talk->heard[2] <= 1 && talk->heard[7] <= 1);
    assert_true(lost <= counted(talk, COUNTER_DROPPED_NO_MEMORY));
}

// As if nothing had been.
static void check_service(struct talk *talk)
{
    struct peer reader, writer;
    stage_join(&talk->stage, &reader, "reader", talk->version);
    stage_join(&talk->stage, &writer, "writer", talk->version);
    stage_subscribe(&talk->stage, &reader, "igjen/#", 2);
    struct packet_publish publish = {
        .qos = 2, .packet_id = 1, .topic = BYTES_OF("igjen/a"), .payload = BYTES_OF("hei")};
    peer_publish(&writer, &publish);
    stage_expect(&talk->stage, &writer, PACKET_PUBREC);
    assert_text(stage_expect(&talk->stage, &reader, PACKET_PUBLISH).publish.payload, "hei");
    peer_done(&reader);
    peer_done(&writer);
}

// The whole conversation, in which the `nth` allocation (0: none) and those behind it fail, `count`
// in all. Returns how many there were.
static uint64_t run(uint8_t version, uint32_t workers, uint64_t nth, uint64_t count)
{
    static struct talk talk;
    talk = (struct talk){.version = version};
    stage_begin(&talk.stage, workers, NULL, NULL);
    talk.stage.broker.server->auth.mechanisms = &fake_mechanism;
    talk.stage.broker.server->auth.mechanism_count = 1;
    uint64_t before = memory_try_count();
    memory_fail(nth, count);
    converse(&talk);
    memory_fail(0, 0);
    uint64_t allocations = memory_try_count() - before;
    if (!talk.listens && talk.had_session)
        listener_comes(&talk); // what was kept for it comes now
    check_acknowledgements(&talk);
    check_service(&talk);
    if (nth == 0)
        for (uint16_t i = 1; i < MESSAGE_COUNT; i++)
            assert_true(talk.heard[i] == 1 || (version < MQTT_5_0 && (i == 5 || i == 6)));
    peer_done(&talk.talker);
    peer_done(&talk.listener);
    stage_end(&talk.stage);
    return allocations;
}

static void sweep(uint8_t version, uint32_t workers)
{
    uint64_t allocations = run(version, workers, 0, 0);
    assert_true(allocations > 50);
    for (uint64_t count = 1; count <= 9; count += 4) {
        for (uint64_t nth = 1; nth <= allocations; nth++) {
            failing = nth;
            run(version, workers, nth, count);
        }
    }
}

static void each_allocation_may_fail_in_5_0(void **state)
{
    (void)state;
    sweep(MQTT_5_0, 1);
}

static void each_allocation_may_fail_between_workers(void **state)
{
    (void)state;
    sweep(MQTT_5_0, 3);
}

static void each_allocation_may_fail_in_3_1_1(void **state)
{
    (void)state;
    sweep(MQTT_3_1_1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail_in_5_0),
        cmocka_unit_test(each_allocation_may_fail_between_workers),
        cmocka_unit_test(each_allocation_may_fail_in_3_1_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
