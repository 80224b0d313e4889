# SPDX-License-Identifier: MIT
"""Habits of devices and hubs of the field that no client library shows: each test is one that broke
real installations somewhere. The name in a docstring says whose habit it is."""
import json

import pytest

import mqtt
from client import Client, durable
from mqtt import (Connack, Connect, Disconnect, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel,
                  Reason, Suback, Subscribe, Subscription, Will)


# --------------------------------------------------------------------------- bytes and segments

def test_single_byte_writes(connect, prefix, version):
    """NodeMCU: every byte in a segment of its own."""
    client = connect(version, connect=False)
    for packet in (Connect(client.client_id), Subscribe(1, [Subscription(prefix, 1)]),
                   Publish(prefix, b"x" * 200, 1, packet_id=2)):
        client.send_slowly(mqtt.encode(packet, version))
    client.expect(Connack, reason=0)
    client.expect(Suback, reasons=[1])
    client.wait_for(Puback, packet_id=2)
    client.receive(prefix, b"x" * 200)
    client.expect_nothing()


def test_writes_in_pieces_of_80_bytes(connect, prefix, version):
    """PubSubClient can split a packet anywhere."""
    client = connect(version)
    client.subscribe(prefix)
    client.send_slowly(mqtt.encode(Publish(prefix, bytes(5000)), version), 80)
    client.receive(prefix, bytes(5000))


def test_everything_in_the_segment_of_connect(connect, prefix, version):
    """collectd pipelines before CONNACK [MQTT-3.1.4: clients may send at once]."""
    client = connect(version, connect=False)
    packets = (Connect(client.client_id), Subscribe(7, [Subscription(prefix, 2)]),
               Publish(prefix, b"early", 1, packet_id=8), mqtt.Pingreq())
    client.send_raw(b"".join(mqtt.encode(packet, version) for packet in packets))
    client.expect(Connack, reason=0)
    client.expect(Suback, packet_id=7, reasons=[2])
    client.wait_for(Puback, packet_id=8)
    client.wait_for(Pingresp)
    client.receive(prefix, "early", qos=1)


@pytest.mark.proves("5.0", "MQTT-3.2.0-1")
@pytest.mark.proves("3.1.1", "MQTT-3.2.0-1")
def test_connack_comes_before_anything_queued(connect, new_id, prefix, version):
    """PubSubClient reads exactly one packet of four bytes after CONNECT."""
    name = new_id()
    with connect(version, name, **durable(version)) as listener:
        listener.subscribe(prefix, qos=1)
        listener.disconnect()
    publisher = connect(version)
    for number in range(10):
        publisher.publish(prefix, str(number), qos=1)
    back = connect(version, name, connect=False)
    back.send_connect(**durable(version))
    if version < 5:
        assert back.receive_raw(4) == bytes([0x20, 2, version > 3, 0])
    else:
        back.expect(Connack, reason=0, session_present=True)
    for number in range(10):
        back.receive(prefix, str(number))


@pytest.mark.parametrize("version", (3, 4), ids=("3.1", "3.1.1"))
def test_answers_to_3x_are_minimal(connect, prefix, version):
    """ArduinoMqttClient: SUBACK is exactly three bytes long, all other acks two, flags exact."""
    client = connect(version, connect=False)
    topic = mqtt.binary(prefix)
    for sent, answer in (
            (mqtt.encode(Connect(client.client_id), version), b"\x20\x02\0\0"),
            (mqtt.frame(8, 2, b"\0\x0a" + topic + b"\1"), b"\x90\x03\0\x0a\1"),
            (mqtt.frame(10, 2, b"\0\x0b" + topic), b"\xb0\x02\0\x0b"),
            (mqtt.frame(3, 2, topic + b"\0\x0c1"), b"\x40\x02\0\x0c"),
            (mqtt.frame(3, 4, topic + b"\0\x0d1"), b"\x50\x02\0\x0d"),
            (mqtt.frame(6, 2, b"\0\x0d"), b"\x70\x02\0\x0d"),
            (b"\xc0\0", b"\xd0\0")):
        client.send_raw(sent)
        assert client.receive_raw(len(answer)) == answer


def test_long_forms_of_acks_are_accepted(connect, prefix):
    """MQTT.js writes reason 0 and property length 0 in every ack, Paho C in DISCONNECT."""
    publisher, client = connect(), connect(will=Will(f"{prefix}/will", b"gone"))
    client.subscribe(f"{prefix}/#", qos=2)
    publisher.publish(f"{prefix}/1", "a", qos=1)
    packet_id = mqtt.u16(client.expect(Publish, qos=1).packet_id)
    client.send_raw(b"\x40\x04" + packet_id + b"\0\0")
    publisher.publish(f"{prefix}/2", "b", qos=2)
    packet_id = mqtt.u16(client.expect(Publish, qos=2).packet_id)
    client.send_raw(b"\x50\x04" + packet_id + b"\0\0")
    client.expect(Pubrel)
    client.send_raw(b"\x70\x04" + packet_id + b"\0\0")
    client.expect_nothing()
    publisher.subscribe(f"{prefix}/will")
    client.send_raw(b"\xe0\x02\0\0")
    client.expect_closed()
    publisher.expect_nothing(after=connect())


# ------------------------------------------------------------------------------------ identity

@pytest.mark.proves("5.0", "MQTT-3.1.4-3")
@pytest.mark.proves("3.1.1", "MQTT-3.1.4-2")
def test_the_same_identifier_twice(connect, new_id, version):
    """Two boards with one id: the old connection is closed, version 5 hears why."""
    # Expected difference: mosquitto 2.0 closes a version 5 connection without a word.
    name = new_id()
    old = connect(version, name)
    new = connect(version, name)
    old.expect_closed(Reason.SESSION_TAKEN_OVER)
    new.ping()


def test_an_empty_identifier_is_assigned_one(connect, version):
    client = connect(version, "", connect=False)
    client.send_connect(clean=True)
    if version == 3:
        client.expect_refused(2)
        return
    connack = client.expect(Connack, reason=0, session_present=False)
    if version == 5:
        assert connack.properties["assigned_client_identifier"]


@pytest.mark.proves("5.0", "MQTT-3.1.3-7", "MQTT-3.2.2-16")
def test_assigned_identifiers_differ_and_can_be_used_again(connect):
    first = connect(5, "", **durable(5))
    second = connect(5, "")
    assert first.client_id and second.client_id and first.client_id != second.client_id
    first.disconnect()
    assert connect(5, first.client_id, **durable(5)).connack.session_present


def test_an_empty_identifier_with_a_session_to_keep(connect, version):
    client = connect(version, "", connect=False)
    client.send_connect(clean=False)
    if version == 5:
        assert client.expect(Connack, reason=0).properties["assigned_client_identifier"]
    else:
        client.expect_refused(2)        # [MQTT-3.1.3-8] of 3.1.1


def test_a_password_without_a_user_name(connect, version):
    """lwmqtt sends it; forbidden in 3.x, and no reason to lock a device out."""
    # Expected difference: mosquitto closes a 3.1.1 connection.
    client = connect(version, connect=False)
    client.send_connect(password=b"secret")
    client.expect(Connack, reason=0)
    client.ping()


def test_any_user_is_welcome_where_there_are_none(connect, version):
    """Tasmota sends DVES_USER and DVES_PASS unless told otherwise."""
    connect(version, username="DVES_USER", password=b"DVES_PASS").ping()


# ----------------------------------------------------------------------------- resend, unfinished

def test_resend_of_qos_1_in_the_same_connection(connect, prefix, version):
    """esp-mqtt sends again after a second without PUBACK, in version 5 too."""
    publisher, listener = connect(version), connect(version)
    listener.subscribe(prefix, qos=1)
    for dup in (False, True, True):
        publisher.send(Publish(prefix, b"1", 1, packet_id=9, dup=dup))
    for _ in range(3):
        publisher.expect(Puback, packet_id=9, reason=0)
    publisher.publish(prefix, "2", qos=1)
    got = [p.payload for p in listener.receive_all(after=publisher)]
    assert got[0] == b"1" and got[-1] == b"2"


@pytest.mark.proves("5.0", "MQTT-4.3.3-10", "MQTT-4.3.3-12")
@pytest.mark.proves("3.1.1", "MQTT-4.3.3-2")
def test_resend_of_qos_2_in_the_same_connection(connect, prefix, version):
    """esp-mqtt: answered each time, delivered once, and never punished."""
    # Expected difference: mosquitto 2.0 closes the connection.
    publisher, listener = connect(version), connect(version)
    listener.subscribe(prefix, qos=2)
    for dup in (False, True, True):
        publisher.send(Publish(prefix, b"1", 2, packet_id=9, dup=dup))
        publisher.expect(Pubrec, packet_id=9, reason=0)
    for _ in range(2):
        publisher.send(Pubrel(9))
        publisher.expect(Pubcomp, packet_id=9)
    publisher.publish(prefix, "2", qos=2, packet_id=9)
    listener.receive(prefix, "1", qos=2)
    listener.receive(prefix, "2", qos=2)
    listener.expect_nothing(after=publisher)


@pytest.mark.proves("5.0", "MQTT-4.3.3-10")
@pytest.mark.proves("3.1.1", "MQTT-4.3.3-2")
def test_resend_of_qos_2_after_a_reconnect(connect, new_id, prefix, version):
    name, listener = new_id(), connect(version)
    listener.subscribe(prefix, qos=2)
    publisher = connect(version, name, **durable(version))
    publisher.send(Publish(prefix, b"1", 2, packet_id=9))
    publisher.expect(Pubrec, packet_id=9)
    publisher.abort()
    publisher = connect(version, name, **durable(version))
    publisher.send(Publish(prefix, b"1", 2, packet_id=9, dup=True))
    publisher.expect(Pubrec, packet_id=9)
    publisher.send(Pubrel(9))
    publisher.expect(Pubcomp, packet_id=9)
    listener.receive(prefix, "1")
    listener.expect_nothing(after=publisher)


def test_a_receiver_that_never_answers_qos_2_gets_the_rest(connect, prefix, version):
    """Paho embedded never answers while its application does not loop."""
    publisher, lame = connect(version), connect(version)
    lame.subscribe(f"{prefix}/#", qos=2)
    for number in range(10):
        publisher.publish(f"{prefix}/2", str(number), qos=2)
    for number in range(10):
        lame.expect(Publish, qos=2, payload=str(number))
    for qos in (0, 1, 0, 1):
        publisher.publish(f"{prefix}/{qos}", "later", qos=qos)
        lame.receive(f"{prefix}/{qos}", "later", qos=qos)


def test_a_receiver_with_a_full_window_still_gets_qos_0(connect, prefix, version):
    publisher, lame = connect(version), connect(version)
    lame.subscribe(f"{prefix}/#", qos=2)
    for number in range(150):
        publisher.publish(f"{prefix}/2", str(number), qos=2)
    publisher.publish(f"{prefix}/0", "still here")
    lame.wait_for(Publish, topic=f"{prefix}/0", payload="still here")
    lame.ping()


def test_a_receiver_that_stops_after_pubrec(connect, prefix, version):
    """ArduinoMqttClient drops a PUBREL that arrives while it writes a message."""
    publisher, lame = connect(version), connect(version)
    lame.subscribe(f"{prefix}/#", qos=2)
    publisher.publish(f"{prefix}/2", "x", qos=2)
    packet_id = lame.expect(Publish, qos=2).packet_id
    lame.send(Pubrec(packet_id))
    lame.expect(Pubrel, packet_id=packet_id)
    for qos in (0, 1, 2):
        publisher.publish(f"{prefix}/{qos}", "later", qos=qos)
        lame.receive(payload="later", qos=qos)


def test_a_sender_that_never_releases_blocks_nothing(connect, prefix, version):
    """Ten QoS 2 messages without PUBREL; then the connection does everything else."""
    lame, listener = connect(version), connect(version)
    listener.subscribe(f"{prefix}/#", qos=2)
    for number in range(10):
        lame.send(Publish(f"{prefix}/2", b"%d" % number, 2, packet_id=1000 + number))
        lame.expect(Pubrec, packet_id=1000 + number)
    for qos in (0, 1, 2):
        lame.publish(f"{prefix}/{qos}", "later", qos=qos)
    got = [p.payload for p in listener.receive_all(after=lame)]
    assert got[-3:] == [b"later"] * 3


# ---------------------------------------------------------------------------------- topic alias

@pytest.mark.proves("5.0", "MQTT-3.3.2-12")
def test_topic_aliases_up_to_the_announced_maximum(connect, prefix):
    """OwnTracks uses aliases 1 to 8 whatever the maximum; ours announces 16 at least."""
    # Expected difference: mosquitto announces 10.
    client = connect(5)
    client.subscribe(f"{prefix}/#")
    maximum = client.connack.properties.get("topic_alias_maximum", 0)
    assert maximum >= 16
    aliases = sorted({*range(1, 17), maximum})
    for alias in aliases:
        client.publish(f"{prefix}/{alias}", "long", properties={"topic_alias": alias})
        client.publish("", "short", properties={"topic_alias": alias})
    for alias in aliases:
        client.receive(f"{prefix}/{alias}", "long", properties={"topic_alias": None})
        client.receive(f"{prefix}/{alias}", "short", properties={"topic_alias": None})


def test_a_topic_alias_can_be_set_anew(connect, prefix):
    client = connect(5)
    client.subscribe(f"{prefix}/#")
    for name in ("a", "b"):
        client.publish(f"{prefix}/{name}", "1", properties={"topic_alias": 1})
        client.publish("", "2", qos=1, properties={"topic_alias": 1})
        client.receive(f"{prefix}/{name}", "1")
        client.receive(f"{prefix}/{name}", "2")


def test_aliases_do_not_outlive_the_connection(connect, new_id, prefix):
    name = new_id()
    with connect(5, name, **durable(5)) as client:
        client.publish(prefix, "1", qos=1, properties={"topic_alias": 1})
    client = connect(5, name, **durable(5))
    client.publish("", "2", properties={"topic_alias": 1})
    client.expect_closed({Reason.PROTOCOL_ERROR, Reason.TOPIC_ALIAS_INVALID})


# ------------------------------------------------------------------------------ wills, take-over

def test_closing_without_disconnect_is_how_home_assistant_fires_its_will(
        connect, prefix, version):
    listener = connect(version)
    listener.subscribe(prefix)
    hub = connect(version, will=Will(prefix, b"offline"))
    hub.end_stream()
    listener.receive(prefix, "offline")
    hub.expect_closed()


def test_the_old_will_comes_before_the_new_birth(fresh_broker, connect, new_id, prefix, version):
    """Tasmota, ESPHome, Shelly: after a quick reconnect the device must not look dead."""
    port = fresh_broker("--max-takeovers", "0").port
    name, listener = new_id(), connect(version, port=port)
    listener.subscribe(prefix, qos=1)
    for _ in range(100):
        device = connect(version, name, port=port, will=Will(prefix, b"Offline", 1, True))
        device.publish(prefix, "Online", qos=1, retain=True)
    got = [p.payload for p in listener.receive_all(after=device)]
    assert got == [b"Online"] + [b"Offline", b"Online"] * 99
    late = connect(version, port=port)
    late.subscribe(prefix)
    late.receive(prefix, "Online", retain=True)


def test_disconnect_with_will(connect, prefix):
    listener = connect(5)
    listener.subscribe(prefix)
    device = connect(5, will=Will(prefix, b"gone"))
    device.disconnect(Reason.DISCONNECT_WITH_WILL)
    listener.receive(prefix, "gone")


# --------------------------------------------------------------------------- hubs and their size

def test_subscribing_again_gives_what_is_retained_again(connect, prefix, version):
    """Home Assistant does it to learn the state anew."""
    client = connect(version)
    client.publish(prefix, "kept", retain=True)
    for _ in range(3):
        client.subscribe(prefix)
        client.receive(prefix, "kept", retain=True)
    client.publish(prefix, "live", retain=True)
    client.receive(prefix, "live", retain=False)
    client.expect_nothing()


def test_one_subscribe_with_hundreds_of_filters(connect, prefix, version):
    client = connect(version)
    filters = [(f"{prefix}/{number}/+/state", number % 3) for number in range(600)]
    assert client.subscribe(*filters) == [number % 3 for number in range(600)]
    client.publish(f"{prefix}/599/lamp/state", "on", qos=2)
    client.receive(f"{prefix}/599/lamp/state", "on", qos=2)


def test_bursts_of_forty(connect, prefix, version):
    """Shelly: a burst in one segment, again and again."""
    publisher, listener = connect(version), connect(version)
    listener.subscribe(f"{prefix}/+")
    for burst in range(10):
        publisher.send_raw(b"".join(
            mqtt.encode(Publish(f"{prefix}/{n}", b"%d" % burst), version) for n in range(40)))
    for burst in range(10):
        for number in range(40):
            listener.expect(Publish, topic=f"{prefix}/{number}", payload=b"%d" % burst)
    listener.expect_nothing(after=publisher)


@pytest.mark.parametrize("size", (20_000, 200_000, 1_000_000))
def test_big_retained_json_comes_back(connect, prefix, version, size):
    """zigbee2mqtt waits two seconds for its own bridge/info, and publishes all again without."""
    devices = json.dumps([{"ieee_address": "0x%016x" % n} for n in range(size // 40)]).encode()
    hub = connect(version)
    hub.publish(f"{prefix}/bridge/devices", devices, qos=1, retain=True)
    hub.subscribe(f"{prefix}/bridge/#")
    hub.receive(f"{prefix}/bridge/devices", devices, retain=True)


def test_a_client_gets_its_own_echo(connect, prefix, versions):
    client = connect(versions[0])
    client.subscribe(prefix, qos=2)
    for qos in (0, 1, 2):
        client.publish(prefix, "echo", qos=qos)
        client.receive(prefix, "echo", qos=qos)


# ------------------------------------------------------------------------------------- payloads

@pytest.mark.parametrize("character", ("\t", "\x01", "\x1b", "\x7f", "\x85", "\ufeff", "\uffff",
                                       " ", "'"))
def test_odd_characters_in_topics_are_delivered(connect, prefix, version, character):
    """Node-RED keeps such a message and sends it at every reconnect: closing makes a loop."""
    # Expected difference: mosquitto closes for control characters and non-characters.
    client = connect(version)
    topic = f"{prefix}/a{character}b"
    client.subscribe(f"{prefix}/#")
    client.publish(topic, "1")
    client.receive(topic, "1")
    client.subscribe(topic)


@pytest.mark.proves("5.0", "MQTT-1.5.4-3")
@pytest.mark.proves("3.1.1", "MQTT-1.5.3-3")
def test_a_zero_width_no_break_space_is_kept(connect, prefix, version):
    """U+FEFF is not a byte order mark here and is never stripped [MQTT-1.5.4-3]."""
    client = connect(version)
    client.subscribe(f"\ufeff{prefix}")
    client.publish(prefix, "without")
    client.publish(f"\ufeff{prefix}", "with")
    client.receive(f"\ufeff{prefix}", "with")
    client.expect_nothing()


def test_an_empty_retained_message_deletes_and_is_delivered(connect, prefix, version):
    client, late = connect(version), connect(version)
    client.publish(prefix, "kept", retain=True)
    client.subscribe(prefix)
    client.receive(prefix, "kept", retain=True)
    client.publish(prefix, b"", retain=True)
    client.receive(prefix, b"", retain=False)
    late.subscribe(prefix)
    late.expect_nothing(after=client)


def test_an_empty_message_that_is_not_retained_deletes_nothing(connect, prefix, version):
    """Tasmota publishes one to its command topic at every start."""
    client = connect(version)
    client.publish(prefix, "kept", retain=True)
    client.publish(prefix, b"")
    client.subscribe(prefix)
    client.receive(prefix, "kept", retain=True)
    client.publish(prefix, b"")
    client.receive(prefix, b"", retain=False)


# -------------------------------------------------------------------------------- health checks

def test_opening_and_closing_harms_nothing(broker, connect, version):
    """Supervisors and port scanners: a connection with nothing in it, or half a CONNECT."""
    healthy = connect(version)
    for number in range(100):
        probe = Client(broker.port, version, connect=False)
        if number % 2:
            probe.send_raw(mqtt.encode(Connect("half"), version)[:number % 14])
        if number % 3:
            probe.abort()
        else:
            probe.reset()
    healthy.ping()


def test_disconnect_ends_the_connection_from_the_brokers_side(connect, version):
    client = connect(version)
    client.send(Disconnect())
    client.expect_closed()
