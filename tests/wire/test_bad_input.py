# SPDX-License-Identifier: MIT
"""Bad input: the connection that sent it ends, with the reason in words of version 5; every other
client notices nothing; and the broker's memory does not follow what was claimed.

What must be refused is decided by the harness' own strict decoder (`refusal`), which may only be
more lenient than the specification, never stricter.
"""
import itertools
import select

import pytest

import mqtt
from client import Client, durable
from mqtt import (Auth, Connack, Connect, Disconnect, Malformed, Pingreq, Puback, Pubcomp, Publish,
                  Pubrec, Pubrel, Reason, Subscribe, Subscription, Type, Unsubscribe, Will)

MEGABYTE = 1 << 20
FROM_CLIENTS = {Type.PUBLISH, Type.PUBACK, Type.PUBREC, Type.PUBREL, Type.PUBCOMP, Type.SUBSCRIBE,
                Type.UNSUBSCRIBE, Type.PINGREQ, Type.DISCONNECT, Type.AUTH}
PROPERTIES = {"message_expiry_interval": 60, "user_property": [("k", "v")]}


def valid_packets(version):
    """One of each packet that a client sends, short, with every field there is."""
    five = version == 5
    packets = [
        Connect("bad-input", True, 60, Will("w/t", b"gone", 1, True, PROPERTIES), "u", b"p",
                {"receive_maximum": 9, "topic_alias_maximum": 2, "maximum_packet_size": 9999}),
        Publish("p/0", b"xy", properties=PROPERTIES),
        Publish("p/1", b"xy", 1, False, 5, properties={"topic_alias": 1, "content_type": "c",
                                                       "payload_format_indicator": 1}),
        Publish("p/2", b"xy", 2, True, 6, properties={"response_topic": "r",
                                                      "correlation_data": b"c"}),
        Puback(5, *((0x10, {"reason_string": "r"}) if five else ())),
        Pubrec(5, *((0x80, {"user_property": [("k", "v")]}) if five else ())),
        Pubrel(6), Pubcomp(6),
        Subscribe(7, [Subscription("s/+", 1), Subscription("t/#", 2)],
                  {"subscription_identifier": 300}),
        Unsubscribe(8, ["s/+", "t/#"], {"user_property": [("k", "v")]}),
        Pingreq(),
        Disconnect(*((4, {"reason_string": "r"}) if five else ())),
    ]
    return packets + [Auth(0x18, {"authentication_method": "m"})] if five else packets


CASES = [pytest.param(version, index, id=f"{version}-{type(packet).__name__}{index}")
         for version in (3, 4, 5) for index, packet in enumerate(valid_packets(version))]


def mutations(packet, version):
    """The packet cut at each byte, with and without an honest length; each bit flipped; each byte
    one less, one more, none and all (lengths are bytes too); and the three wrong lengths."""
    data = mqtt.encode(packet, version)
    header_size = mqtt.read_header(data)[1]
    flags, body = data[0] & 15, data[header_size:]
    found = {data[:size] for size in range(1, len(data))}
    found |= {mqtt.frame(packet.type, flags, body[:size]) for size in range(len(body))}
    for at, byte in enumerate(data):
        values = {byte ^ 1 << bit for bit in range(8)} | {byte - 1 & 255, byte + 1 & 255, 0, 255}
        found |= {data[:at] + bytes([value]) + data[at + 1:] for value in values}
    for length in (len(body) - 1, len(body) + 1, mqtt.VARINT_MAX, 1 << 20):
        found.add(data[:1] + mqtt.varint(max(length, 0)) + body)
    found |= {data[:1] + mqtt.varint(len(body), 4) + body, data[:1] + b"\xff" * 5 + body}
    return sorted(found - {data})


def first_packet(stream, version):
    """(the first whole packet decoded, what is behind it), or None while it is not whole. 3.1 and
    3.1.1 leave things open that later versions fix: those are taken as right."""
    header = mqtt.read_header(stream, minimal=False)
    if header is None or header[2] > len(stream):
        return None                                  # a bad length may be noticed in the end only
    mqtt.read_header(stream, minimal=version == 5)
    first, start, end = header
    if version == 3 and first >> 4 == Type.PUBLISH and not first & 6:
        first &= ~8                                  # DUP at QoS 0
    elif version == 3 and first >> 4 != Type.PUBLISH:
        first = first & 0xF0 | mqtt.FLAGS.get(first >> 4, 0)
    packet = mqtt.decode(mqtt.frame(first >> 4, first & 15, stream[start:end]), version)
    return packet, stream[end:]


def refusal(stream, version):
    """Why a broker must refuse these bytes of a connected client, or None if it need not."""
    try:
        while found := first_packet(stream, version):
            packet, stream = found
            mqtt.need(packet.type in FROM_CLIENTS, "a packet that clients do not send")
            if packet.type == Type.DISCONNECT:
                break
    except Malformed as error:
        return error
    return None


def packets_in(data, version):
    packets = []
    while data:
        header = mqtt.read_header(data)
        mqtt.need(header and header[2] <= len(data), f"half a packet at the end: {data!r}")
        packets.append(mqtt.decode(data[:header[2]], version))
        data = data[header[2]:]
    return packets


class HealthyPair:
    """A publisher and a subscriber that must not notice anything."""

    def __init__(self, port):
        self.publisher, self.subscriber = Client(port, 5, "healthy-p"), Client(port, 4, "healthy-s")
        self.subscriber.subscribe("healthy/#", qos=1)
        self.numbers = itertools.count()

    def beat(self):
        number = next(self.numbers)
        self.publisher.publish("healthy/x", b"%d" % number, qos=1)
        self.subscriber.receive("healthy/x", b"%d" % number, qos=1, dup=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.publisher.abort()
        self.subscriber.abort()


def connect_refusal(sent, version):
    """Why this CONNECT must be refused; None if it need not, or if a broker cannot see which
    version it is, or that it is a CONNECT, and so owes no answer."""
    start = mqtt.encode(Connect(), version)[2:]
    name_and_level = start[:2 + start[1] + 1]
    try:
        header = mqtt.read_header(sent, minimal=False)
    except Malformed:
        return None
    if header is None or sent[0] != 0x10 or header[2] > len(sent):
        return None
    if not sent[header[1]:header[2]].startswith(name_and_level):
        return None
    try:
        first_packet(sent, version)
    except Malformed as error:
        return error
    return None


def exchange(port, version, sent, why):
    """Sends bytes and returns all that comes back until the broker closes the connection: on its
    own if it must refuse them, else because the stream ends here."""
    with Client(port, version, connect=False) as client:
        client.send_raw(sent)
        if not why:
            client.end_stream()
        return client.read_to_end()


def send_connect_and_check(port, version, sent):
    why = connect_refusal(sent, version)
    data = exchange(port, version, sent, why)
    if why:
        packets = packets_in(data, version)
        assert not packets or packets[0].reason, f"accepted, though: {why}; sent {sent!r}"
        assert packets or version < 5, f"no CONNACK, though: {why}; sent {sent!r}"


def send_and_check(port, version, sent):
    """Sends bytes behind a good CONNECT: the answer is well-formed, and an error if it must be."""
    why = refusal(sent, version)
    hello = mqtt.encode(Connect("bad-input"), version)
    packets = packets_in(exchange(port, version, hello + sent, why), version)
    assert isinstance(packets[0], Connack) and packets[0].reason == 0, packets
    is_error = isinstance(packets[-1], Disconnect) and packets[-1].reason >= 0x80
    assert not why or version < 5 or is_error, (
        f"no DISCONNECT, though: {why}; sent {sent!r}, got {packets}")


@pytest.mark.proves("5.0", "MQTT-4.13.1-1", "MQTT-4.13.2-1")
@pytest.mark.proves("3.1.1", "MQTT-4.8.0-1")
@pytest.mark.parametrize("version, index", CASES)
def test_mutated_packets(module_broker, version, index):
    # Expected difference: mosquitto 2.0 takes wrong flags and over-long acks of 3.x, and closes
    # most version 5 connections without a DISCONNECT.
    packet = valid_packets(version)[index]
    check = send_connect_and_check if isinstance(packet, Connect) else send_and_check
    with HealthyPair(module_broker.port) as pair:
        for number, sent in enumerate(mutations(packet, version)):
            check(module_broker.port, version, sent)
            if number % 16 == 0:
                pair.beat()
        pair.beat()


def test_memory_stays_flat(module_broker):
    """The same bad input a second time must not cost anything."""
    if module_broker.has_sanitizer():
        pytest.skip("RSS says nothing under a sanitizer")

    def all_of_it():
        for packet in valid_packets(5)[1:]:
            for sent in mutations(packet, 5)[::4]:
                send_and_check(module_broker.port, 5, sent)
        return module_broker.rss()
    before = all_of_it()
    assert all_of_it() - before < 4 * MEGABYTE


# ----------------------------------------------------------------------------- refused at CONNECT

@pytest.mark.proves("5.0", "MQTT-3.2.2-7", "MQTT-4.13.2-1")
@pytest.mark.proves("3.1.1", "MQTT-3.2.2-5", "MQTT-3.1.3-8")
@pytest.mark.parametrize("version, reasons, fields", [
    (3, {2}, {"client_id": ""}),
    (4, {2}, {"client_id": "", "clean": False}),
    (5, {Reason.BAD_AUTHENTICATION_METHOD}, {"properties": {"authentication_method": "no-such"}}),
    (5, {Reason.PROTOCOL_ERROR}, {"properties": {"receive_maximum": 0}}),
    (5, {Reason.PROTOCOL_ERROR}, {"properties": {"maximum_packet_size": 0}}),
    (5, {Reason.PROTOCOL_ERROR}, {"properties": {"authentication_data": b"x"}}),
    (5, {Reason.PROTOCOL_ERROR}, {"properties": [("topic_alias_maximum", 1)] * 2}),
    (5, {Reason.PROTOCOL_ERROR, Reason.MALFORMED_PACKET}, {"properties": {"topic_alias": 1}}),
    (5, {Reason.MALFORMED_PACKET}, {"client_id": b"\xff"}),
    (5, {Reason.MALFORMED_PACKET}, {"client_id": "a\0b"}),
    (5, {Reason.MALFORMED_PACKET}, {"connect_flags": 0x03}),
    (5, {Reason.TOPIC_NAME_INVALID, Reason.PROTOCOL_ERROR, Reason.MALFORMED_PACKET},
     {"will": Will("a/#")}),
])
def test_an_error_in_connack_is_followed_by_the_close(connect, version, reasons, fields):
    # Expected difference: mosquitto 2.0 answers several of these with the close alone.
    client = connect(version, connect=False)
    client.send_connect(**fields)
    client.expect_refused(reasons)


@pytest.mark.parametrize("name, level", (("MQTT", 6), ("MQTT", 0), ("MQIsdp", 2), ("MQTT", 0x7F)))
def test_an_unknown_protocol_level_is_told_in_either_tongue(connect, name, level):
    """Return code 1 of 3.1.1 or reason 0x84 of 5.0 [MQTT-3.1.2-2], and the close."""
    client = connect(4, connect=False)
    client.send_connect(protocol_name=name, protocol_level=level)
    answer = client.read_to_end()
    if answer != b"\x20\x02\0\1":
        assert packets_in(answer, 5)[0].reason == Reason.UNSUPPORTED_PROTOCOL_VERSION


@pytest.mark.proves("5.0", "MQTT-4.7.1-1", "MQTT-4.7.1-2")
@pytest.mark.proves("3.1.1", "MQTT-4.7.1-2", "MQTT-4.7.1-3")
@pytest.mark.parametrize("name", ("a/#/b", "a#", "#a", "a+", "+a/b", "a/b+/c", "##", "++", ""))
def test_malformed_filters_are_refused(connect, version, name):
    """In SUBACK or by the close; and UNSUBSCRIBE with them removes nothing."""
    for packet in (Subscribe(1, [Subscription(name)]), Unsubscribe(1, [name])):
        client = connect(version)
        client.send(packet)
        client.end_stream()
        for answer in packets_in(client.read_to_end(), version):
            reasons = getattr(answer, "reasons", None) or [getattr(answer, "reason", 0x80)]
            assert reasons[0] >= 0x11, answer


def test_anything_but_connect_first(connect, version):
    for packet in (Publish("t"), Pingreq(), Subscribe(1, [Subscription("t")]), Connack(),
                   Disconnect()):
        client = connect(version, connect=False)
        client.send(packet)
        assert not client.read_to_end()              # the version is not known yet


@pytest.mark.proves("5.0", "MQTT-3.1.0-2")
@pytest.mark.proves("3.1.1", "MQTT-3.1.0-2")
def test_a_second_connect(connect, version):
    client = connect(version)
    client.send(Connect(client.client_id))
    client.expect_closed(Reason.PROTOCOL_ERROR)


# ------------------------------------------------------------------------------------- size claims

DEEP = "/" * 65535


def test_a_filter_of_65536_levels_is_refused(connect, version):
    other = connect(version)
    for name in (DEEP, DEEP[1:] + "#", "+/" * 32767):
        client = connect(version)
        client.send(Subscribe(1, [Subscription(name)]))
        client.end_stream()
        answers = packets_in(client.read_to_end(), version)
        if version == 5:
            assert answers[0].type in (Type.SUBACK, Type.DISCONNECT)
        for answer in answers:
            reason = answer.reasons[0] if answer.type == Type.SUBACK else answer.reason
            assert reason >= 0x80 and reason != Reason.MALFORMED_PACKET, answer
    other.ping()


def test_a_topic_of_65536_levels_is_refused(connect, prefix, version):
    listener = connect(version)
    listener.subscribe("/#", f"{prefix}/#")
    client = connect(version)
    client.send(Publish(DEEP, b"x", 1, packet_id=1))
    if version == 5:
        assert client.next().reason >= 0x80          # in PUBACK or in DISCONNECT
    else:
        client.end_stream()                          # 3.x knows no other word than the close
        client.read_to_end()
    listener.expect_nothing(after=connect(version))


def test_unsubscribing_65536_levels_harms_nothing(connect, version):
    client = connect(version)
    client.send(Unsubscribe(1, [DEEP]))
    client.end_stream()
    client.read_to_end()
    connect(version).ping()


def claims(version):
    """A header that claims 256 MB and little behind it, before and after CONNECT."""
    hello = mqtt.encode(Connect("", properties={}), version) if version > 3 else \
        mqtt.encode(Connect("claim"), version)
    claim = mqtt.varint(mqtt.VARINT_MAX)
    yield b"\x10" + claim + mqtt.encode(Connect("x" * 200), version)[2:]
    yield hello + b"\x30" + claim + b"\0\1t" + b"x" * 1000
    yield hello + b"\x82" + claim + b"\0\1" + b"\0\1t\0" * 200


def test_memory_does_not_follow_a_claim(module_broker, version):
    port = module_broker.port
    with HealthyPair(port) as pair:
        pair.beat()
        before = module_broker.rss()
        clients = []
        for data in claims(version):
            for _ in range(40):
                clients.append(Client(port, version, connect=False))
                clients[-1].send_raw(data)
        pair.beat()
        grown = module_broker.rss() - before
        for client in clients:
            client.abort()
        pair.beat()
    assert module_broker.has_sanitizer() or grown < 8 * MEGABYTE


def test_a_packet_beyond_the_announced_maximum_is_refused_on_its_header(fresh_broker, connect):
    port = fresh_broker("--max-packet-size", "1000").port
    client, listener = connect(5, port=port), connect(5, port=port)
    assert client.connack.properties["maximum_packet_size"] == 1000
    listener.subscribe("#")
    fits = Publish("t", b"x" * (1000 - 3 - len("\0\1t\0")))
    assert len(mqtt.encode(fits, 5)) == 1000
    client.send(fits)
    listener.expect(Publish, payload=fits.payload)
    client.send_raw(b"\x30" + mqtt.varint(1000 - 2))
    client.expect_closed(Reason.PACKET_TOO_LARGE)
    old = connect(4, port=port)
    old.send_raw(b"\x30" + mqtt.varint(1000 - 2))
    old.expect_closed()
    listener.expect_nothing()


# ----------------------------------------------------------------------------------------- silence

def test_connections_that_do_not_connect_are_closed(fresh_broker, connect, version):
    port = fresh_broker("--connect-timeout", "1").port
    healthy = connect(version, port=port)
    hello = mqtt.encode(Connect("late"), version)
    silent = []
    for data in (b"", hello[:1], hello[:-1], b"\x10\xff\xff\xff"):
        silent.append(connect(version, port=port, connect=False))
        silent[-1].send_raw(data)
    for client in silent:
        assert not client.read_to_end()
    healthy.ping()


def test_a_dripping_connect_is_closed_too(fresh_broker, connect):
    """The time is counted from the accept, not from the last byte."""
    client = connect(5, port=fresh_broker("--connect-timeout", "1").port, connect=False)
    hello = mqtt.encode(Connect("x" * 1000), 5)
    for byte in hello[:100]:
        client.send_raw(bytes([byte]))
        if select.select([client.socket], [], [], 0.1)[0]:
            break
    assert not client.read_to_end()


def test_a_session_of_bad_input_can_be_resumed(connect, new_id, prefix, version):
    """Bad input ends the connection, not the session."""
    name = new_id()
    client = connect(version, name, **durable(version))
    client.subscribe(prefix, qos=1)
    client.send_raw(b"\x36\x06\0\1t\0\1x")          # QoS 3
    client.expect_closed({Reason.MALFORMED_PACKET, Reason.PROTOCOL_ERROR})
    connect(version).publish(prefix, "missed", qos=1)
    back = connect(version, name, **durable(version))
    back.receive(prefix, "missed")
