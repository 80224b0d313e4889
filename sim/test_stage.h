// SPDX-License-Identifier: MIT
// For the tests of this folder only: a broker on a calm machine, and peers whose every step is
// followed by as many turns as the broker wants.
#ifndef BUD_SIM_TEST_STAGE_H
#define BUD_SIM_TEST_STAGE_H

#include "sim/broker.h"
#include "sim/machine.h"
#include "sim/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct stage {
    struct broker broker;
    struct options options;
};

// The machine and a broker of `workers` workers; `change` may set other options first.
static inline void stage_begin(struct stage *stage, uint32_t workers,
                               const struct machine_options *machine,
                               void (*change)(struct options *options))
{
    struct machine_options calm;
    machine_options_default(&calm);
    machine_start(machine == NULL ? &calm : machine);
    broker_options(&stage->options, workers);
    if (change != NULL)
        change(&stage->options);
    broker_start(&stage->broker, &stage->options);
}

static inline void stage_end(struct stage *stage)
{
    broker_stop(&stage->broker);
    machine_stop();
}

// The next packet that the broker sends now; the test fails if there is none or another type.
static inline struct packet stage_expect(struct stage *stage, struct peer *peer, uint8_t type)
{
    struct packet packet = {0};
    broker_settle(&stage->broker);
    if (!peer_take(peer, &packet))
        fail_msg("no %s came", packet_type_name(type));
    if (packet.type != type)
        fail_msg("%s came, not %s", packet_type_name(packet.type), packet_type_name(type));
    return packet;
}

static inline void stage_expect_nothing(struct stage *stage, struct peer *peer)
{
    struct packet packet;
    broker_settle(&stage->broker);
    if (peer_take(peer, &packet))
        fail_msg("%s came, and nothing should", packet_type_name(packet.type));
    assert_false(peer->broken);
}

// The broker has closed the connection: bytes end, and nothing is left unread.
static inline void stage_expect_end(struct stage *stage, struct peer *peer)
{
    stage_expect_nothing(stage, peer);
    assert_true(peer->ended);
}

static inline struct packet_connack stage_connect(struct stage *stage, struct peer *peer,
                                                  const struct packet_connect *connect)
{
    assert_true(peer_call(peer, connect->version));
    peer_connect(peer, connect);
    return stage_expect(stage, peer, PACKET_CONNACK).connack;
}

// A client with this name and nothing unusual about it.
static inline void stage_join(struct stage *stage, struct peer *peer, const char *name,
                              uint8_t version)
{
    struct packet_connect connect = {
        .version = version,
        .clean_start = true,
        .client_id = bytes_make(name, __builtin_strlen(name)),
    };
    assert_int_equal(stage_connect(stage, peer, &connect).reason, BUD_SUCCESS);
}

static inline void stage_subscribe(struct stage *stage, struct peer *peer, const char *filter,
                                   uint8_t qos)
{
    peer_subscribe(peer, 1, bytes_make(filter, __builtin_strlen(filter)),
                   (struct subscription_options){.qos = qos}, 0);
    struct packet packet = stage_expect(stage, peer, PACKET_SUBACK);
    assert_int_equal(packet.suback.codes.data[0], qos);
}

static inline void assert_text(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.size, __builtin_strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
}

#endif
