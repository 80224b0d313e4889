// SPDX-License-Identifier: MIT
// Broker and client in one process, over memory: every control packet in both directions, for
// every version, and the same conversation cut into any pieces.
#include "sim/test_stage.h"

#include <string.h>

static void publish(struct peer *peer, uint8_t qos, uint16_t packet_id, const char *payload)
{
    struct packet_publish publish = {
        .qos = qos,
        .packet_id = packet_id,
        .topic = BYTES_OF("hus/stue"),
        .payload = bytes_make(payload, __builtin_strlen(payload)),
    };
    peer_publish(peer, &publish);
}

static struct packet_publish expect_message(struct stage *stage, struct peer *peer, uint8_t qos,
                                            const char *payload)
{
    struct packet_publish message = stage_expect(stage, peer, PACKET_PUBLISH).publish;
    assert_text(message.topic, "hus/stue");
    assert_text(message.payload, payload);
    assert_int_equal(message.qos, qos);
    assert_false(message.dup);
    assert_false(message.retain);
    return message;
}

static uint16_t expect_ack(struct stage *stage, struct peer *peer, uint8_t type)
{
    struct packet_ack ack = stage_expect(stage, peer, type).ack;
    assert_int_equal(ack.reason, BUD_SUCCESS);
    return ack.packet_id;
}

static void exchange_qos_1(struct stage *stage, struct peer *sender, struct peer *receiver)
{
    publish(sender, 1, 7, "one");
    assert_int_equal(expect_ack(stage, sender, PACKET_PUBACK), 7);
    uint16_t packet_id = expect_message(stage, receiver, 1, "one").packet_id;
    peer_ack(receiver, PACKET_PUBACK, packet_id, BUD_SUCCESS);
    stage_expect_nothing(stage, receiver);
}

static void exchange_qos_2(struct stage *stage, struct peer *sender, struct peer *receiver)
{
    publish(sender, 2, 8, "two");
    assert_int_equal(expect_ack(stage, sender, PACKET_PUBREC), 8);
    peer_ack(sender, PACKET_PUBREL, 8, BUD_SUCCESS);
    assert_int_equal(expect_ack(stage, sender, PACKET_PUBCOMP), 8);
    uint16_t packet_id = expect_message(stage, receiver, 2, "two").packet_id;
    peer_ack(receiver, PACKET_PUBREC, packet_id, BUD_SUCCESS);
    assert_int_equal(expect_ack(stage, receiver, PACKET_PUBREL), packet_id);
    peer_ack(receiver, PACKET_PUBCOMP, packet_id, BUD_SUCCESS);
    stage_expect_nothing(stage, receiver);
}

static void exchange_everything(uint8_t version, uint32_t workers)
{
    struct stage stage;
    struct peer sender, receiver;
    stage_begin(&stage, workers, NULL, NULL);
    stage_join(&stage, &sender, "sender", version);
    stage_join(&stage, &receiver, "receiver", version);
    stage_subscribe(&stage, &receiver, "hus/+", 2);
    publish(&sender, 0, 0, "null");
    expect_message(&stage, &receiver, 0, "null");
    exchange_qos_1(&stage, &sender, &receiver);
    exchange_qos_2(&stage, &sender, &receiver);
    peer_ping(&receiver);
    stage_expect(&stage, &receiver, PACKET_PINGRESP);
    peer_unsubscribe(&receiver, 9, BYTES_OF("hus/+"));
    assert_int_equal(stage_expect(&stage, &receiver, PACKET_UNSUBACK).suback.packet_id, 9);
    publish(&sender, 0, 0, "to nobody");
    stage_expect_nothing(&stage, &receiver);
    peer_disconnect(&receiver, &(struct packet_disconnect){.reason = BUD_SUCCESS});
    stage_expect_end(&stage, &receiver);
    stage_expect_nothing(&stage, &sender);
    assert_false(sender.ended);
    peer_done(&sender);
    peer_done(&receiver);
    stage_end(&stage);
}

static void every_packet_is_exchanged(void **state)
{
    (void)state;
    for (uint8_t version = MQTT_3_1; version <= MQTT_5_0; version++)
        for (uint32_t workers = 1; workers <= 3; workers++)
            exchange_everything(version, workers);
}

static void a_stopping_broker_says_goodbye(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    struct packet packet;
    stage_begin(&stage, 2, NULL, NULL);
    stage_join(&stage, &peer, "someone", MQTT_5_0);
    broker_stop(&stage.broker);
    assert_true(peer_take(&peer, &packet));
    assert_int_equal(packet.type, PACKET_DISCONNECT);
    assert_int_equal(packet.disconnect.reason, BUD_SERVER_SHUTTING_DOWN);
    peer_done(&peer);
    machine_stop();
}

// --- chunks ---

#define STREAM_MAX 65536

struct heard {
    uint8_t bytes[2][STREAM_MAX]; // messages, and everything else
    size_t size[2];
};

static void note(struct heard *heard, const struct packet *packet)
{
    int kind = packet->type == PACKET_PUBLISH ? 0 : 1;
    struct writer writer = writer_of(heard->bytes[kind], STREAM_MAX);
    writer.size = heard->size[kind];
    writer_u8(&writer, packet->type);
    if (packet->type == PACKET_PUBLISH) {
        writer_u8(&writer, packet->publish.qos);
        writer_u16(&writer, packet->publish.packet_id);
        writer_binary(&writer, packet->publish.topic);
        writer_u32(&writer, (uint32_t)packet->publish.payload.size);
        writer_bytes(&writer, packet->publish.payload);
    } else if (packet->type == PACKET_SUBACK || packet->type == PACKET_UNSUBACK) {
        writer_u16(&writer, packet->suback.packet_id);
        writer_binary(&writer, packet->suback.codes);
    } else if (packet->type >= PACKET_PUBACK && packet->type <= PACKET_PUBCOMP) {
        writer_u16(&writer, packet->ack.packet_id);
        writer_u8(&writer, (uint8_t)packet->ack.reason);
    }
    assert_false(writer.bad);
    heard->size[kind] = writer.size;
}

// What one client says from beginning to end, without waiting for any answer.
static void say_everything(struct peer *peer)
{
    static char large[40000];
    struct packet_connect connect = {
        .version = MQTT_5_0, .clean_start = true, .client_id = BYTES_OF("talker")};
    peer_connect(peer, &connect);
    peer_subscribe(peer, 1, BYTES_OF("hus/#"), (struct subscription_options){.qos = 2}, 5);
    peer_subscribe(peer, 2, BYTES_OF("hus/#/not"), (struct subscription_options){.qos = 2}, 0);
    for (uint16_t i = 1; i <= 12; i++)
        publish(peer, (uint8_t)(i % 3), i % 3 == 0 ? 0 : i, "short");
    memset(large, 'x', sizeof large - 1);
    publish(peer, 1, 100, large);
    peer_ack(peer, PACKET_PUBREL, 2, BUD_SUCCESS);
    peer_ack(peer, PACKET_PUBREL, 999, BUD_SUCCESS);
    peer_ack(peer, PACKET_PUBACK, 1, BUD_SUCCESS);
    peer_unsubscribe(peer, 3, BYTES_OF("hus/#"));
    publish(peer, 2, 101, "after");
    peer_ping(peer);
}

static void hear(uint32_t seed, size_t segment_bytes_max, struct heard *heard)
{
    struct machine_options machine;
    struct stage stage;
    struct peer peer;
    struct packet packet;
    machine_options_default(&machine);
    machine.seed = seed;
    machine.segment_bytes_max = segment_bytes_max;
    machine.delay_max_ms = segment_bytes_max == 0 ? 0 : 3;
    machine.shuffles = segment_bytes_max != 0;
    machine.socket_bytes_max = 1 << 20;
    stage_begin(&stage, 3, &machine, NULL);
    assert_true(peer_call(&peer, MQTT_5_0));
    say_everything(&peer);
    memset(heard, 0, sizeof *heard);
    broker_run_for(&stage.broker, 200000);
    while (peer_take(&peer, &packet))
        note(heard, &packet);
    assert_false(peer.broken || peer.ended);
    peer_done(&peer);
    stage_end(&stage);
}

static void any_chunks_give_the_same_events(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 100, 5000};
    static struct heard whole, cut;
    hear(1, 0, &whole);
    assert_true(whole.size[0] > 40000 && whole.size[1] > 50);
    for (uint32_t seed = 1; seed <= 3; seed++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            hear(seed, sizes[i], &cut);
            for (int kind = 0; kind < 2; kind++) {
                assert_int_equal(cut.size[kind], whole.size[kind]);
                assert_memory_equal(cut.bytes[kind], whole.bytes[kind], whole.size[kind]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_is_exchanged),
        cmocka_unit_test(a_stopping_broker_says_goodbye),
        cmocka_unit_test(any_chunks_give_the_same_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
