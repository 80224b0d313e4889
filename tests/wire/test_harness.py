# SPDX-License-Identifier: MIT
"""The harness tests itself: without these, a decoder that lets everything through looks green."""
import pytest

import mqtt
from client import Closed
from mqtt import (Auth, Connack, Connect, Disconnect, Malformed, Pingreq, Pingresp, Puback,
                  Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe, Subscription, Unsuback,
                  Unsubscribe, Will, decode, encode, frame)

EVERY = {
    Connack: lambda v: Connack(v > 3, 0, {"receive_maximum": 9} if v == 5 else {}),
    Publish: lambda v: Publish("a/æ", b"\0\xff", 2, True, 65535, True,
                               {"user_property": [("k", "v"), ("k", "w")], "topic_alias": 1,
                                "subscription_identifier": [1, 268435455]} if v == 5 else {}),
    Puback: lambda v: Puback(1, 0x10 if v == 5 else 0),
    Pubrec: lambda v: Pubrec(2, 0x87 if v == 5 else 0, {"reason_string": "no"} if v == 5 else {}),
    Pubrel: lambda v: Pubrel(3),
    Pubcomp: lambda v: Pubcomp(4, 0x92 if v == 5 else 0),
    Subscribe: lambda v: Subscribe(5, [Subscription("a/+", 1), Subscription(
        "#", 2, v == 5, v == 5, 2 if v == 5 else 0)]),
    Suback: lambda v: Suback(5, [0, 1, 2, 0x80]),
    Unsubscribe: lambda v: Unsubscribe(6, ["a", "b"]),
    Unsuback: lambda v: Unsuback(6, [0, 0x11] if v == 5 else []),
    Pingreq: lambda v: Pingreq(),
    Pingresp: lambda v: Pingresp(),
    Disconnect: lambda v: Disconnect(0x8E if v == 5 else 0),
}


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_what_is_encoded_decodes_to_the_same(kind, version):
    packet = EVERY[kind](version)
    assert decode(encode(packet, version), version) == packet


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_packet_that_is_cut_or_too_long_does_not_decode(kind, version):
    data = encode(EVERY[kind](version), version)
    for size in range(len(data)):
        with pytest.raises(Malformed):
            decode(data[:size], version)
    with pytest.raises(Malformed):
        decode(data + b"\0", version)


def test_connect_carries_every_field(version):
    packet = Connect("id", False, 7, Will("w", b"x", 1, True), "user", b"\0")
    got = decode(encode(packet, version), version)
    assert (got.client_id, got.clean, got.keep_alive) == ("id", False, 7)
    assert (got.will, got.username, got.password) == (packet.will, "user", b"\0")
    assert got.protocol_name == ("MQIsdp" if version == 3 else "MQTT")
    assert got.protocol_level == version


@pytest.mark.parametrize("data, why", [
    (b"\xd0\x80\x00", "remaining length not minimal"),
    (b"\xd0\x80\x80\x80\x80\x01", "remaining length of five bytes"),
    (b"\xd1\x00", "flags of PINGRESP"),
    (b"\x00\x00", "type 0"),
    (b"\x60\x02\x00\x01", "flags of PUBREL"),
    (b"\x40\x02\x00\x00", "packet identifier 0"),
    (frame(3, 6, b"\0\1a\0\1\0"), "QoS 3"),
    (frame(3, 8, b"\0\1a\0"), "DUP at QoS 0"),
    (frame(3, 0, b"\0\1+\0"), "wildcard in a topic"),
    (frame(3, 0, b"\0\0\0"), "empty topic without alias"),
    (frame(3, 0, b"\0\1\xff\0"), "not UTF-8"),
    (frame(3, 0, b"\0\3\xed\xa0\x80\0"), "a surrogate"),
    (frame(3, 0, b"\0\1\0\0"), "U+0000"),
    (frame(3, 0, b"\0\1a\x03\x11\0\0"), "a property cut short"),
    (frame(3, 0, b"\0\1a\x05\x11\0\0\0\1"), "a property that is not PUBLISH's"),
    (frame(3, 0, b"\0\1a\x03\x23\0\0"), "topic alias 0"),
    (frame(3, 0, b"\0\1a\x06\x23\0\1\x23\0\1"), "a property twice"),
    (frame(3, 0, b"\0\1a\x02\x01\x02"), "a flag property that is 2"),
    (frame(3, 0, b"\0\1a\x80\x00"), "property length not minimal"),
    (frame(3, 0, b"\0\1a\x01\x7f"), "an unknown property"),
    (frame(2, 0, b"\x02\0\0"), "CONNACK flags"),
    (frame(2, 0, b"\x01\x87\0"), "session present with an error"),
    (frame(2, 0, b"\x00\x8b\0"), "a reason that is not CONNACK's"),
    (frame(9, 0, b"\0\1\0"), "SUBACK without a reason"),
    (frame(14, 0, b"\x8c"), "a reason that is not DISCONNECT's"),
])
def test_the_decoder_refuses(data, why):
    with pytest.raises(Malformed):
        decode(data, 5)


def test_acks_of_3x_must_be_minimal():
    for data in (b"\x40\x03\0\1\0", b"\xb0\x03\0\1\0", b"\x20\x03\0\0\0", b"\xe0\x01\0"):
        with pytest.raises(Malformed):
            decode(data, 4)
    with pytest.raises(Malformed):
        decode(encode(Auth(0x18), 5), 4)


def test_padded_varint_is_what_it_says():
    assert mqtt.varint(0, 4) == b"\x80\x80\x80\x00"
    assert mqtt.varint(mqtt.VARINT_MAX) == b"\xff\xff\xff\x7f"


def test_client_speaks_and_sees_the_order(connect, prefix, version):
    publisher, subscriber = connect(version), connect(version)
    subscriber.subscribe(f"{prefix}/#", qos=2)
    for qos in (0, 1, 2):
        publisher.publish(f"{prefix}/{qos}", f"{qos}", qos=qos)
    for qos in (0, 1, 2):
        subscriber.receive(f"{prefix}/{qos}", f"{qos}", qos=qos, retain=False)
    subscriber.expect_nothing(after=publisher)


def test_expect_nothing_notices_something(connect, prefix):
    publisher, subscriber = connect(), connect()
    subscriber.subscribe(prefix)
    publisher.publish(prefix, b"x")
    with pytest.raises(AssertionError, match="unexpected"):
        subscriber.expect_nothing(after=publisher)


def test_expect_notices_the_close(connect):
    client = connect()
    client.disconnect()
    with pytest.raises((Closed, OSError, ValueError)):
        client.expect(Pingresp)
