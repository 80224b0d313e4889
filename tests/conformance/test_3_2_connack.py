# SPDX-License-Identifier: MIT
"""Chapters 3.2 and 4.12: CONNACK, what it announces; AUTH as far as it goes without a method."""
import pytest

import mqtt
from client import Client
from exchange import MALFORMED_OR_PROTOCOL_ERROR, expect_violation, leave_session, session
from mqtt import (Auth, Connack, Connect, Pingreq, Publish, Reason, Suback, Subscribe, Subscription,
                  Will)

proves = pytest.mark.proves


# ------------------------------------------------------------------------------- the first answer

@proves("5.0", "MQTT-3.2.0-1", "MQTT-3.2.0-2", "MQTT-3.1.4-5")
@proves("3.1.1", "MQTT-3.2.0-1", "MQTT-3.1.4-4")
def test_connack_is_the_first_packet_and_the_only_one(connect, new_id, prefix, version):
    """Though messages wait, and requests came with CONNECT."""
    name, publisher = new_id(), connect(version)
    leave_session(connect, name, f"{prefix}/#", version=version)
    for number in range(20):
        publisher.publish(f"{prefix}/{number}", "x", qos=1)
    client = connect(version, name, connect=False)
    first = Connect(name, clean=False)
    client.send_raw(mqtt.encode(Pingreq(), version).join(
        (mqtt.encode(first, version), mqtt.encode(Subscribe(9, [Subscription("x/y")]), version))))
    client.expect(Connack, reason=0, session_present=True)
    rest = [client.next() for _ in range(22)]
    assert not [packet for packet in rest if isinstance(packet, Connack)]
    assert sum(isinstance(packet, Publish) for packet in rest) == 20


@proves("5.0", "MQTT-3.2.2-1", "MQTT-3.2.2-2", "MQTT-3.2.2-3")
@proves("3.1.1", "MQTT-3.2.2-1", "MQTT-3.2.2-2", "MQTT-3.2.2-3")
def test_the_flags_byte_says_one_thing(connect, new_id, version):
    """0 or 1 and no bit more: with and without a session, clean or not."""
    name = new_id()
    kept = version == 5                              # by Clean Start with a Session Expiry
    for clean, wanted in ((False, 0), (False, 1), (False, 1), (True, 0), (True, 0), (False, kept)):
        properties = {"session_expiry_interval": 60} if version == 5 else {}
        client = connect(version, name, connect=False)
        client.send_connect(clean=clean, properties=properties)
        assert client.receive_raw(4)[2:] == bytes([wanted, 0])
        client.send_raw(b"\xe0\0")
        client.read_to_end()


@proves("5.0", "MQTT-3.2.2-6", "MQTT-3.2.2-7", "MQTT-3.2.2-8", "MQTT-4.13.2-1", "MQTT-3.14.0-1")
@proves("3.1.1", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
def test_a_refusal_says_no_session_though_there_is_one(fresh_broker, connect, new_id, version):
    """And the connection ends: nothing, and in 5.0 no DISCONNECT, comes behind it."""
    port, name = fresh_broker("--max-connections", "1").port, new_id()
    session(connect, name, version=version, port=port).disconnect()
    other = connect(version, port=port)
    client = connect(version, name, port=port, connect=False)
    client.send_connect(clean=False)
    client.expect_refused(range(1, 6) if version < 5 else range(0x80, 0x100))
    other.ping()


# -------------------------------------------------------------------------- what it announces

@proves("5.0", "MQTT-3.2.2-9", "MQTT-3.2.2-10", "MQTT-3.2.2-11", "MQTT-4.13.1-1")
@pytest.mark.parametrize("maximum", (0, 1))
def test_a_maximum_qos_is_announced_and_kept_to(fresh_broker, connect, prefix, maximum):
    port = fresh_broker("--max-qos", maximum).port
    for qos in (0, 1, 2):
        client = connect(5, port=port)
        assert client.connack.properties["maximum_qos"] == maximum
        assert client.subscribe(f"{prefix}/{qos}", qos=qos) == [min(qos, maximum)]
        client.send(Publish(f"{prefix}/{qos}", b"x", qos, packet_id=5))
        if qos > maximum:
            client.expect_closed(Reason.QOS_NOT_SUPPORTED)
        else:
            client.wait_for(Publish, qos=qos)


@proves("5.0", "MQTT-3.2.2-12")
@pytest.mark.parametrize("qos", (1, 2))
def test_a_will_above_the_maximum_qos_is_refused(fresh_broker, connect, qos):
    port = fresh_broker("--max-qos", "0").port
    client = connect(5, port=port, connect=False)
    client.send_connect(will=Will("t", b"x", qos))
    client.expect_refused(Reason.QOS_NOT_SUPPORTED)
    connect(5, port=port, will=Will("t", b"x", 0)).ping()


@proves("5.0", "MQTT-3.2.2-13", "MQTT-3.2.2-14")
def test_where_nothing_is_retained(fresh_broker, connect, prefix):
    port = fresh_broker("--retain-available", "false").port
    client = connect(5, port=port, connect=False)
    client.send_connect(will=Will("t", b"x", 0, True))
    client.expect_refused(Reason.RETAIN_NOT_SUPPORTED)
    client = connect(5, port=port, will=Will("t", b"x"))
    assert client.connack.properties["retain_available"] == 0
    client.send(Publish(prefix, b"x", retain=True))
    client.expect_closed(Reason.RETAIN_NOT_SUPPORTED)


@proves("5.0", "MQTT-3.2.2-15", "MQTT-4.13.1-1")
def test_the_announced_maximum_packet_size_is_the_limit(fresh_broker, connect, prefix):
    port = fresh_broker("--max-packet-size", "2000").port
    client = connect(5, port=port)
    assert client.connack.properties["maximum_packet_size"] == 2000
    room = 2000 - len(mqtt.encode(Publish(prefix, b"x" * 1000, 1, packet_id=1), 5)) + 1000
    assert client.publish(prefix, bytes(room), qos=1).reason < 0x80
    client.send(Publish(prefix, bytes(room + 1), 1, packet_id=2))
    client.expect_closed(Reason.PACKET_TOO_LARGE)


@proves("5.0", "MQTT-3.2.2-19", "MQTT-3.2.2-20")
@pytest.mark.parametrize("size", range(2, 60, 3))
def test_a_refusal_fits_the_clients_maximum_packet_size(connect, size):
    """Its words are left out first. One that cannot fit at all is left out itself."""
    client = connect(5, connect=False)
    client.send_connect(client_id="x" * 65_535, properties={"maximum_packet_size": size})
    answer = client.read_to_end()
    assert len(answer) <= size
    if size >= 5:
        connack = mqtt.decode(answer, 5)
        assert connack.reason == Reason.CLIENT_IDENTIFIER_NOT_VALID
        assert size < 60 or connack.properties["reason_string"]


@proves("5.0", "MQTT-3.2.2-19", "MQTT-3.2.2-20")
def test_a_malformed_connect_with_a_maximum_packet_size(connect):
    """What is known of the client before the error counts."""
    client = connect(5, connect=False)
    client.send_connect(will=Will("t#"), properties={"maximum_packet_size": 6})
    answer = client.read_to_end()
    assert len(answer) <= 6, answer


@proves("5.0", "MQTT-3.2.2-22")
def test_without_server_keep_alive_the_clients_own_counts(connect):
    """Short and long: the longer one is still there when the shorter has been cut off."""
    short, long = connect(5, keep_alive=1), connect(5, keep_alive=60)
    assert "server_keep_alive" not in short.connack.properties
    assert "server_keep_alive" not in long.connack.properties
    short.expect_closed(Reason.KEEP_ALIVE_TIMEOUT)
    long.ping()


@proves("5.0", "MQTT-3.2.2-21")
def test_server_keep_alive_is_what_counts(fresh_broker, connect):
    port = fresh_broker("--max-keepalive", "1").port
    client = connect(5, port=port, keep_alive=60)
    assert client.connack.properties["server_keep_alive"] == 1
    client.expect_closed(Reason.KEEP_ALIVE_TIMEOUT)


@proves("5.0", "MQTT-3.2.2-16")
def test_only_those_without_identifier_are_assigned_one(connect, new_id):
    assert "assigned_client_identifier" not in connect(5, new_id()).connack.properties


# ---------------------------------------------------------------- enhanced authentication, AUTH

@proves("5.0", "MQTT-4.12.0-1", "MQTT-3.2.2-7")
@pytest.mark.parametrize("method", ("", "no-such", "SCRAM-SHA-1", "x" * 1000))
def test_an_unknown_authentication_method_is_refused(connect, method):
    client = connect(5, connect=False)
    client.send_connect(properties={"authentication_method": method, "authentication_data": b"d"})
    client.expect_refused({Reason.BAD_AUTHENTICATION_METHOD, Reason.NOT_AUTHORIZED})


@proves("5.0", "MQTT-4.12.0-6")
def test_without_a_method_there_is_no_authentication(connect):
    client = connect(5, username="u", password=b"p")
    assert "authentication_method" not in client.connack.properties
    assert "authentication_data" not in client.connack.properties
    client.expect_nothing()


@proves("5.0", "MQTT-4.12.0-7", "MQTT-4.12.1-1", "MQTT-3.15.2-1")
@pytest.mark.parametrize("reason", (0x00, 0x18, 0x19, 0x01, 0x80, 0xFF))
@pytest.mark.parametrize("properties", ({}, {"authentication_method": "m"}))
def test_auth_without_a_method_is_a_protocol_error(connect, reason, properties):
    client = connect(5)
    client.send(Auth(reason, properties))
    expect_violation(client)


@proves("5.0", "MQTT-3.1.2-30", "MQTT-4.12.0-1")
def test_nothing_is_done_before_the_authentication(connect, prefix):
    """Not even if it comes with CONNECT."""
    client, listener = connect(5, connect=False), connect(5)
    listener.subscribe(prefix)
    first = Connect("c", properties={"authentication_method": "no-such"})
    client.send_raw(mqtt.encode(first, 5) + mqtt.encode(Publish(prefix, b"x"), 5))
    client.expect_refused({Reason.BAD_AUTHENTICATION_METHOD, Reason.NOT_AUTHORIZED})
    listener.expect_nothing(after=connect(5))


@proves("3.1.1", "MQTT-4.8.0-1")
def test_auth_is_no_packet_of_3_1_1(connect):
    client = connect(4)
    client.send_raw(b"\xf0\0")
    client.expect_closed()


# --------------------------------------------------------------------- what no client may send

@proves("5.0", "MQTT-4.13.1-1", "MQTT-4.13.2-1")
@proves("3.1.1", "MQTT-4.8.0-1")
@pytest.mark.parametrize("data", (
    b"\0\0", b"\x20\2\0\0", b"\x90\3\0\1\0", b"\xb0\2\0\1", b"\xd0\0", b"\xc0\1x", b"\x40\1\0",
    b"\x40\0", b"\x82\2\0\1", b"\x30\1\0", b"\x30\2\0\5",
), ids=("type-0", "connack", "suback", "unsuback", "pingresp", "pingreq-with-a-body", "puback-cut",
        "puback-empty", "subscribe-empty", "publish-cut", "topic-cut"))
def test_packets_that_no_client_may_send(broker, connect, prefix, version, data):
    """The one connection ends, whatever lies behind in the same segment; the others do not."""
    bystander = connect(version)
    bystander.subscribe(prefix)
    with Client(broker.port, version, connect=False) as client:
        client.send_raw(mqtt.encode(Connect("", properties={}), version) + data
                        + mqtt.encode(Publish(prefix, b"x"), version))
        client.expect(Connack, reason=0)
        expect_violation(client)
    bystander.expect_nothing(after=connect(version))


@proves("5.0", "MQTT-3.14.0-1", "MQTT-3.2.0-1")
def test_no_disconnect_before_connack(broker):
    """What is no CONNECT of 5.0 gets no word, whatever is wrong with it."""
    for data in (b"\0\0", b"\x10\xff\xff\xff\xff\xff", b"\xe0\0", b"\x30\4\0\1t\0", b"GET / HTTP",
                 mqtt.frame(1, 0, b"\0\4MQTX\5\2\0\0\0\0\0")):
        with Client(broker.port, 5, connect=False) as client:
            client.send_raw(data)
            client.end_stream()
            answer = client.read_to_end()
            assert answer[:1] not in (b"\xe0", b"\x20") or answer[3] >= 0x80, (data, answer)


@proves("5.0", "MQTT-3.9.3-2", "MQTT-4.13.1-1")
def test_a_refused_filter_is_no_reason_to_close(connect, prefix):
    """A reason code in SUBACK is one: other packets, and the connection, go on."""
    client = connect(5)
    client.send(Subscribe(1, [Subscription(prefix + "/" * 500), Subscription(prefix)]))
    suback = client.expect(Suback, packet_id=1)
    assert suback.reasons[0] >= 0x80 and suback.reasons[1] == 0
    client.publish(prefix, "x")
    client.receive(prefix, "x")


@proves("5.0", "MQTT-3.14.2-1", "MQTT-3.14.2-2", "MQTT-3.14.4-1", "MQTT-3.14.4-2", "MQTT-4.13.2-1")
@pytest.mark.parametrize("cause", ("takeover", "malformed", "protocol", "keep-alive", "stop"))
def test_the_brokers_disconnect(fresh_broker, connect, new_id, prefix, cause):
    """A reason of the table, no Session Expiry Interval, nothing behind it, and then the close."""
    broker, name = fresh_broker(), new_id()
    client = session(connect, name, port=broker.port, keep_alive=1 if cause == "keep-alive" else 0)
    client.subscribe(prefix)
    if cause == "takeover":
        connect(5, name, port=broker.port).publish(prefix, "x", qos=1)
    elif cause == "malformed":
        client.send_raw(b"\x36\x07\0\1t\0\1\0x")
    elif cause == "protocol":
        client.send(Connect(name))
    elif cause == "stop":
        broker.stop()
    wanted = {"takeover": Reason.SESSION_TAKEN_OVER, "malformed": Reason.MALFORMED_PACKET,
              "protocol": Reason.PROTOCOL_ERROR, "keep-alive": Reason.KEEP_ALIVE_TIMEOUT,
              "stop": Reason.SERVER_SHUTTING_DOWN}[cause]
    disconnect = client.expect(mqtt.Disconnect, reason=wanted)
    assert "session_expiry_interval" not in disconnect.properties
    client.expect_closed()


@proves("5.0", "MQTT-3.14.2-3", "MQTT-3.14.2-4", "MQTT-3.1.2-24")
@pytest.mark.parametrize("size", (8, 12, 16, 20, 24, 28, 40, 100))
def test_a_disconnect_fits_the_clients_maximum_packet_size(connect, size):
    """The reason is told, with words only where those fit too; the client checks the size."""
    client = connect(5, properties={"maximum_packet_size": size})
    client.send_raw(b"\x36\x07\0\1t\0\1\0x")
    packet = client.expect(mqtt.Disconnect, reason=MALFORMED_OR_PROTOCOL_ERROR)
    assert "user_property" not in packet.properties
    assert size < 40 or packet.properties["reason_string"]
    client.expect_closed()


@proves("5.0", "MQTT-3.1.2-24", "MQTT-3.14.0-1")
@pytest.mark.parametrize("size", (1, 2, 4))
def test_a_client_that_takes_no_connack_gets_none(connect, prefix, size):
    """And nothing else: it was not accepted, so it has no will and no word of goodbye either."""
    listener = connect(5)
    listener.subscribe(prefix)
    client = connect(5, connect=False)
    client.send_connect(will=Will(prefix, b"x"), properties={"maximum_packet_size": size})
    assert client.read_to_end() == b""
    listener.expect_nothing(after=connect(5))
