# SPDX-License-Identifier: MIT
"""Chapters 1.5 and 2: strings, numbers, headers and identifiers, of every packet that has them."""
import pytest

import mqtt
from exchange import MALFORMED_OR_PROTOCOL_ERROR, expect_malformed_connect, expect_violation
from exchange import listener_on
from mqtt import (Connect, Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel, Reason, Subscribe,
                  Subscription, Unsubscribe, Will)

proves = pytest.mark.proves

# Not UTF-8: a stray byte, a cut character, overlong forms, surrogates, beyond U+10FFFF.
ILL_FORMED = (b"a\xff", b"a\xe2\x82", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80",
              b"\xed\xbf\xbf", b"\xed\xa0\x81\xed\xb0\x80", b"\xf4\x90\x80\x80",
              b"\xf8\x88\x80\x80\x80", b"\x80")
NUL = (b"a\0b", b"\0")


def with_property(build, name):
    """A packet with this text property; `build` makes the packet from properties."""
    def make(text):
        return build({name: (b"k", text) if name == "user_property" else text})
    return make


def with_key(build):
    return lambda text: build({"user_property": (text, b"v")})


def publish(properties):
    return Publish("t", b"x", properties=properties)


# ------------------------------------------------------------------------------------ strings

CONNECT_TEXTS = [
    pytest.param(4, lambda text: Connect(text), id="3.1.1-client-id",
                 marks=proves("3.1.1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-3.1.3-4")),
    pytest.param(4, lambda text: Connect("c", will=Will(text)), id="3.1.1-will-topic",
                 marks=proves("3.1.1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-3.1.3-10")),
    pytest.param(4, lambda text: Connect("c", username=text), id="3.1.1-user-name",
                 marks=proves("3.1.1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-3.1.3-11")),
    pytest.param(5, lambda text: Connect(text), id="5.0-client-id",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.1.3-4")),
    pytest.param(5, lambda text: Connect("c", will=Will(text)), id="5.0-will-topic",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.1.3-11")),
    pytest.param(5, lambda text: Connect("c", username=text), id="5.0-user-name",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.1.3-12")),
    pytest.param(5, with_property(lambda p: Connect("c", properties=p), "user_property"),
                 id="5.0-user-property", marks=proves("5.0", "MQTT-1.5.7-1")),
    pytest.param(5, with_key(lambda p: Connect("c", properties=p)), id="5.0-user-property-key",
                 marks=proves("5.0", "MQTT-1.5.7-1")),
    pytest.param(5, with_property(lambda p: Connect("c", properties=p), "authentication_method"),
                 id="5.0-authentication-method", marks=proves("5.0", "MQTT-1.5.4-1")),
    pytest.param(5, with_property(lambda p: Connect("c", will=Will("t", properties=p)),
                                  "content_type"),
                 id="5.0-will-content-type", marks=proves("5.0", "MQTT-3.3.2-19")),
    pytest.param(5, with_property(lambda p: Connect("c", will=Will("t", properties=p)),
                                  "response_topic"),
                 id="5.0-will-response-topic", marks=proves("5.0", "MQTT-3.3.2-13")),
    pytest.param(5, with_property(lambda p: Connect("c", will=Will("t", properties=p)),
                                  "user_property"),
                 id="5.0-will-user-property", marks=proves("5.0", "MQTT-1.5.7-1")),
]


@pytest.mark.parametrize("version, make", CONNECT_TEXTS)
def test_ill_formed_text_in_connect(broker, version, make):
    for text in ILL_FORMED + NUL:
        expect_malformed_connect(broker.port, version, mqtt.encode(make(text), version),
                                 {Reason.MALFORMED_PACKET})


PACKET_TEXTS = [
    pytest.param(4, lambda text: Publish(text), id="3.1.1-topic",
                 marks=proves("3.1.1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-3.3.2-1",
                              "MQTT-4.7.3-2")),
    pytest.param(4, lambda text: Subscribe(1, [Subscription(text)]), id="3.1.1-subscribe",
                 marks=proves("3.1.1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-3.8.3-1",
                              "MQTT-4.7.3-2")),
    pytest.param(4, lambda text: Unsubscribe(1, [text]), id="3.1.1-unsubscribe",
                 marks=proves("3.1.1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-3.10.3-1",
                              "MQTT-4.7.3-2")),
    pytest.param(5, lambda text: Publish(text), id="5.0-topic",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.3.2-1",
                              "MQTT-4.7.3-2")),
    pytest.param(5, lambda text: Subscribe(1, [Subscription(text)]), id="5.0-subscribe",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.8.3-1",
                              "MQTT-4.7.3-2")),
    pytest.param(5, lambda text: Unsubscribe(1, [text]), id="5.0-unsubscribe",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.10.3-1",
                              "MQTT-4.7.3-2")),
    pytest.param(5, with_property(publish, "content_type"), id="5.0-content-type",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.3.2-19")),
    pytest.param(5, with_property(publish, "response_topic"), id="5.0-response-topic",
                 marks=proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.3.2-13")),
    pytest.param(5, with_property(publish, "user_property"), id="5.0-publish-user-property",
                 marks=proves("5.0", "MQTT-1.5.7-1")),
    pytest.param(5, with_key(publish), id="5.0-publish-user-property-key",
                 marks=proves("5.0", "MQTT-1.5.7-1")),
    pytest.param(5, with_property(lambda p: Subscribe(1, [Subscription("t")], p), "user_property"),
                 id="5.0-subscribe-user-property", marks=proves("5.0", "MQTT-1.5.7-1")),
    pytest.param(5, with_property(lambda p: Unsubscribe(1, ["t"], p), "user_property"),
                 id="5.0-unsubscribe-user-property", marks=proves("5.0", "MQTT-1.5.7-1")),
    pytest.param(5, with_property(lambda p: Puback(1, 0, p), "reason_string"),
                 id="5.0-puback-reason-string", marks=proves("5.0", "MQTT-1.5.4-1")),
    pytest.param(5, with_property(lambda p: Pubrec(1, 0, p), "reason_string"),
                 id="5.0-pubrec-reason-string", marks=proves("5.0", "MQTT-1.5.4-1")),
    pytest.param(5, with_property(lambda p: Pubrel(1, 0, p), "user_property"),
                 id="5.0-pubrel-user-property", marks=proves("5.0", "MQTT-1.5.7-1")),
    pytest.param(5, with_property(lambda p: Pubcomp(1, 0, p), "reason_string"),
                 id="5.0-pubcomp-reason-string", marks=proves("5.0", "MQTT-1.5.4-1")),
    pytest.param(5, with_property(lambda p: Disconnect(4, p), "reason_string"),
                 id="5.0-disconnect-reason-string", marks=proves("5.0", "MQTT-1.5.4-1")),
    pytest.param(5, with_property(lambda p: Disconnect(4, p), "user_property"),
                 id="5.0-disconnect-user-property", marks=proves("5.0", "MQTT-1.5.7-1")),
]


@pytest.mark.parametrize("version, make", PACKET_TEXTS)
def test_ill_formed_text_in_other_packets(connect, version, make):
    for text in ILL_FORMED + NUL:
        client = connect(version)
        client.send(make(text))
        expect_violation(client, Reason.MALFORMED_PACKET)


@proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.3.2-1")
@proves("3.1.1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-3.3.2-1")
def test_nobody_is_sent_an_ill_formed_topic(connect, prefix, version):
    """Neither at once nor as something retained."""
    listener = listener_on(connect, f"{prefix}/#", version=version)
    for text in ILL_FORMED + NUL:
        client = connect(version)
        client.send(Publish(prefix.encode() + b"/" + text, b"x", retain=True))
        expect_violation(client, Reason.MALFORMED_PACKET)
    listener.expect_nothing(after=connect(version))
    listener_on(connect, f"{prefix}/#", version=version).expect_nothing()


@proves("5.0", "MQTT-1.5.4-3", "MQTT-4.7.3-4")
@proves("3.1.1", "MQTT-1.5.3-3", "MQTT-4.7.3-4")
@pytest.mark.parametrize("topic", ("\ufeff{}", "{}\ufeff", "{}/\ufeff", "{}/a\ufeffb"))
def test_ef_bb_bf_is_a_character_anywhere(connect, prefix, version, topic):
    """Not a mark to be stripped: two topics, each matched by its own filter alone."""
    marked = topic.format(prefix)
    plain = marked.replace("\ufeff", "")
    publisher = connect(version)
    with_mark = listener_on(connect, marked, version=version)
    without_mark = listener_on(connect, plain, version=version)
    publisher.publish(marked, "marked")
    publisher.publish(plain, "plain")
    with_mark.receive(marked, "marked")
    without_mark.receive(plain, "plain")
    for listener in (with_mark, without_mark):
        listener.expect_nothing(after=publisher)


@proves("5.0", "MQTT-1.5.4-1", "MQTT-1.5.7-1")
@proves("3.1.1", "MQTT-1.5.3-1")
def test_text_of_every_length_of_character_comes_out_as_it_went_in(connect, prefix, version):
    """The refusals above must not be had by refusing what is right."""
    client = connect(version)
    client.subscribe(f"{prefix}/#")
    for text in ("\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000",
                 "\U0010ffff", "åæø", "雪"):
        properties = {"user_property": [(text, text)], "content_type": text} if version == 5 else {}
        client.publish(f"{prefix}/{text}", text.encode(), properties=properties)
        client.receive(f"{prefix}/{text}", text.encode(), properties=properties)


# ----------------------------------------------------------------------- variable byte integers

@proves("5.0", "MQTT-1.5.5-1")
@pytest.mark.parametrize("number", (1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152,
                                    268_435_455))
def test_subscription_identifiers_come_back_in_their_shortest_form(connect, prefix, number):
    client = connect(5)
    client.subscribe(prefix, properties={"subscription_identifier": number})
    client.publish(prefix, b"x")
    properties = b"\x0b" + mqtt.varint(number)
    body = mqtt.binary(prefix) + mqtt.varint(len(properties)) + properties + b"x"
    wanted = mqtt.frame(3, 0, body)
    assert client.receive_raw(len(wanted)) == wanted


@proves("5.0", "MQTT-1.5.5-1")
def test_remaining_lengths_are_in_their_shortest_form(connect, prefix, version):
    """Each size around the borders of one, two, three and four bytes of length."""
    client = connect(version)
    client.subscribe(prefix)
    head = mqtt.binary(prefix) + (b"\0" if version == 5 else b"")
    for size in (126, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152):
        client.publish(prefix, bytes(size - len(head)))
        wanted = b"\x30" + mqtt.varint(size) + head
        assert client.receive_raw(len(wanted)) == wanted
        client.receive_raw(size - len(head))


@proves("5.0", "MQTT-1.5.5-1")
@pytest.mark.parametrize("data", (
    mqtt.frame(3, 0, b"\0\1t" + mqtt.varint(0, 2) + b"x"),
    mqtt.frame(3, 0, b"\0\1t" + b"\x80\x80\x80\x80\0" + b"x"),
    mqtt.frame(8, 2, b"\0\1" + b"\x03\x0b" + mqtt.varint(1, 2) + b"\0\1t\0"),
    mqtt.frame(8, 2, b"\0\1" + b"\x06\x0b\x80\x80\x80\x80\1" + b"\0\1t\0"),
    b"\x30" + mqtt.varint(4, 2) + b"\0\1t\0",
    b"\x30" + mqtt.varint(4, 4) + b"\0\1t\0",
    b"\xc0\x80\0",
    b"\x30\x80\x80\x80\x80\1",
), ids=("property-length-padded", "property-length-of-5", "identifier-padded", "identifier-of-5",
        "remaining-length-padded", "remaining-length-of-4", "pingreq-padded",
        "remaining-length-of-5"))
def test_longer_forms_are_malformed(connect, data):
    client = connect(5)
    client.send_raw(data)
    expect_violation(client, Reason.MALFORMED_PACKET)


# --------------------------------------------------------------------------------- fixed header

def subscribe_body(version):
    return b"\0\5" + (b"\0" if version == 5 else b"") + b"\0\1t\0"


def unsubscribe_body(version):
    return b"\0\6" + (b"\0" if version == 5 else b"") + b"\0\1t"


FLAGGED = [
    pytest.param(4, lambda v: b"\0\5", marks=proves("3.1.1", "MQTT-2.2.2-2"), id="puback"),
    pytest.param(5, lambda v: b"\0\5", marks=proves("5.0", "MQTT-2.1.3-1"), id="pubrec"),
    pytest.param(6, lambda v: b"\0\5", id="pubrel",
                 marks=[proves("5.0", "MQTT-2.1.3-1", "MQTT-3.6.1-1"),
                        proves("3.1.1", "MQTT-2.2.2-2", "MQTT-3.6.1-1")]),
    pytest.param(7, lambda v: b"\0\5", marks=proves("5.0", "MQTT-2.1.3-1"), id="pubcomp"),
    pytest.param(8, subscribe_body, id="subscribe",
                 marks=[proves("5.0", "MQTT-2.1.3-1", "MQTT-3.8.1-1"),
                        proves("3.1.1", "MQTT-2.2.2-2", "MQTT-3.8.1-1")]),
    pytest.param(10, unsubscribe_body, id="unsubscribe",
                 marks=[proves("5.0", "MQTT-2.1.3-1", "MQTT-3.10.1-1"),
                        proves("3.1.1", "MQTT-2.2.2-2", "MQTT-3.10.1-1")]),
    pytest.param(12, lambda v: b"", marks=proves("5.0", "MQTT-2.1.3-1"), id="pingreq"),
    pytest.param(14, lambda v: b"", id="disconnect",
                 marks=[proves("5.0", "MQTT-2.1.3-1", "MQTT-3.14.1-1"),
                        proves("3.1.1", "MQTT-2.2.2-2", "MQTT-3.14.1-1")]),
]


@pytest.mark.parametrize("packet_type, body", FLAGGED)
def test_wrong_header_flags_end_the_connection(connect, version, packet_type, body):
    """Each of the fifteen wrong values; nothing is done for the packet, and nothing answered."""
    right = mqtt.FLAGS.get(packet_type, 0)
    for flags in set(range(16)) - {right}:
        client = connect(version)
        client.send_raw(mqtt.frame(packet_type, flags, body(version)))
        expect_violation(client, Reason.MALFORMED_PACKET)


@proves("5.0", "MQTT-2.1.3-1", "MQTT-3.15.1-1")
def test_wrong_flags_of_auth(connect):
    for flags in range(1, 16):
        client = connect(5)
        client.send_raw(mqtt.frame(15, flags, b"\x18\4\x15\0\1m"))
        expect_violation(client)


@proves("5.0", "MQTT-2.1.3-1")
@proves("3.1.1", "MQTT-2.2.2-2")
def test_wrong_flags_of_connect(broker, version):
    for flags in range(1, 16):
        data = mqtt.encode(Connect("c"), version, flags)
        expect_malformed_connect(broker.port, version, data, {Reason.MALFORMED_PACKET})


@proves("5.0", "MQTT-2.1.3-1", "MQTT-3.14.1-1")
@proves("3.1.1", "MQTT-2.2.2-2", "MQTT-3.14.1-1")
def test_the_will_is_due_after_a_disconnect_with_wrong_flags(connect, prefix, version):
    listener = listener_on(connect, prefix, version=version)
    for flags in (1, 2, 15):
        client = connect(version, will=Will(prefix, b"gone", 1))
        client.send(Disconnect(), flags)
        expect_violation(client, Reason.MALFORMED_PACKET)
        listener.receive(prefix, "gone")


@proves("5.0", "MQTT-2.1.3-1", "MQTT-3.6.1-1", "MQTT-2.2.2-1", "MQTT-2.2.1-5", "MQTT-2.2.1-6")
@proves("3.1.1", "MQTT-2.2.2-1", "MQTT-3.6.1-1", "MQTT-2.3.1-6", "MQTT-2.3.1-7")
def test_each_byte_of_what_the_broker_answers(connect, prefix, version):
    """Flags, identifiers and, in 5.0, the length of no properties, which is a byte of zero."""
    client, topic = connect(version), mqtt.binary(prefix)
    none = b"\0" if version == 5 else b""
    gone = b"\0" if version == 5 else b""            # UNSUBACK of 3.1.1 has no payload
    for sent, answer in (
            (mqtt.frame(8, 2, b"\x12\x34" + none + topic + b"\2"),
             mqtt.frame(9, 0, b"\x12\x34" + none + b"\2")),
            (mqtt.frame(3, 4, topic + b"\x12\x35" + none + b"x"), mqtt.frame(5, 0, b"\x12\x35")),
            (b"", mqtt.frame(3, 4, topic + b"\0\1" + none + b"x")),
            (mqtt.frame(6, 2, b"\x12\x35"), mqtt.frame(7, 0, b"\x12\x35")),
            (mqtt.frame(5, 0, b"\0\1"), mqtt.frame(6, 2, b"\0\1")),
            (mqtt.frame(7, 0, b"\0\1") + b"\xc0\0", b"\xd0\0"),
            (mqtt.frame(10, 2, b"\xff\xff" + none + topic),
             mqtt.frame(11, 0, b"\xff\xff" + none + gone)),
            (mqtt.frame(3, 2, topic + b"\xff\xfe" + none),
             mqtt.frame(4, 0, b"\xff\xfe" + (b"\x10" if version == 5 else b"")))):
        client.send_raw(sent)
        assert client.receive_raw(len(answer)) == answer


# --------------------------------------------------------------------------- packet identifiers

@proves("5.0", "MQTT-2.2.1-2", "MQTT-4.3.1-1")
@proves("3.1.1", "MQTT-2.3.1-5", "MQTT-4.3.1-1")
@pytest.mark.parametrize("payload", (b"", b"\0\x0a", b"\0\0", b"\x12\x34rest"))
def test_qos_0_has_no_packet_identifier(connect, prefix, version, payload):
    """Nothing is cut off a payload that looks like one, and none is put in front of it."""
    client = connect(version)
    client.subscribe(prefix, qos=2)
    wanted = mqtt.frame(3, 0, mqtt.binary(prefix) + (b"\0" if version == 5 else b"") + payload)
    client.send_raw(wanted)
    assert client.receive_raw(len(wanted)) == wanted


@proves("5.0", "MQTT-2.2.1-3")
@proves("3.1.1", "MQTT-2.3.1-1")
@pytest.mark.parametrize("packet", (
    Publish("t", b"x", 1, packet_id=0), Publish("t", b"x", 2, packet_id=0),
    Subscribe(0, [Subscription("t")]), Unsubscribe(0, ["t"]),
), ids=("qos1", "qos2", "subscribe", "unsubscribe"))
def test_packet_identifier_0_is_a_violation(connect, version, packet):
    client = connect(version)
    client.send(packet)
    expect_violation(client)


@proves("5.0", "MQTT-2.2.1-5", "MQTT-2.2.1-6", "MQTT-3.8.4-2", "MQTT-3.10.4-5")
@proves("3.1.1", "MQTT-2.3.1-6", "MQTT-2.3.1-7", "MQTT-3.8.4-2", "MQTT-3.10.4-4")
@pytest.mark.parametrize("number", (1, 0x00FF, 0x0100, 0x1234, 0xFFFF))
def test_acknowledgements_carry_the_identifier_they_answer(connect, prefix, version, number):
    client = connect(version)
    client.send(Subscribe(number, [Subscription(prefix)]))
    client.expect(mqtt.Suback, packet_id=number)
    client.send(Unsubscribe(number, [prefix]))
    client.expect(mqtt.Unsuback, packet_id=number)
    client.send(Publish(prefix, b"x", 1, packet_id=number))
    client.expect(Puback, packet_id=number)
    client.send(Publish(prefix, b"x", 2, packet_id=number))
    client.expect(Pubrec, packet_id=number)
    client.send(Pubrel(number))
    client.expect(Pubcomp, packet_id=number)


@proves("5.0", "MQTT-2.2.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1")
@proves("3.1.1", "MQTT-2.3.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1")
def test_identifiers_in_flight_are_not_used_again_though_all_were_used(connect, prefix, version):
    """One message stays unacknowledged at each QoS while more go by than there are identifiers."""
    publisher, client = connect(version), connect(version)
    client.subscribe(f"{prefix}/#", qos=2)
    held = set()
    for qos in (1, 2):
        publisher.publish(f"{prefix}/held", "x", qos=qos)
        held.add(client.expect(Publish, qos=qos).packet_id)
    burst = mqtt.encode(Publish(prefix, b"", 1, packet_id=7), version)
    size, at = len(burst), 4 + len(prefix)
    batch, total = 1000, 66_000
    burst *= batch
    for _ in range(total // batch):
        publisher.send_raw(burst)
        for _ in range(batch):
            packet_id = client.receive_raw(size)[at:at + 2]
            assert packet_id != b"\0\0" and int.from_bytes(packet_id, "big") not in held
            client.send_raw(b"\x40\2" + packet_id)
        publisher.receive_raw(4 * batch)
    client.expect_nothing(after=publisher)


@proves("5.0", "MQTT-2.2.1-3")
@proves("3.1.1", "MQTT-2.3.1-1")
def test_a_refused_identifier_publishes_nothing(connect, prefix, version):
    listener = listener_on(connect, prefix, version=version)
    for qos in (1, 2):
        client = connect(version)
        client.send(Publish(prefix, b"x", qos, packet_id=0))
        expect_violation(client, MALFORMED_OR_PROTOCOL_ERROR)
    listener.expect_nothing(after=connect(version))
