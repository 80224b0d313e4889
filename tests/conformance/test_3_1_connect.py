# SPDX-License-Identifier: MIT
"""Chapter 3.1: CONNECT. What must be refused, which session it is, whose will is due."""
import string

import pytest

import mqtt
from client import Closed
from exchange import (DAY, MALFORMED_OR_PROTOCOL_ERROR, answer_to_connect, expect_malformed_connect,
                      expect_violation, leave_session, listener_on, session, wait_out_a_second,
                      will_after)
from mqtt import (Auth, Connack, Connect, Disconnect, Pingreq, Puback, Pubcomp, Publish, Pubrec,
                  Pubrel, Reason, Suback, Subscribe, Subscription, Unsuback, Unsubscribe, Will)

proves = pytest.mark.proves


# ------------------------------------------------------------------------- the first packet

@proves("5.0", "MQTT-3.1.0-1")
@proves("3.1.1", "MQTT-3.1.0-1")
@pytest.mark.parametrize("packet", (
    Connack(), Publish("{}", b"x"), Publish("{}", b"x", 1, packet_id=1, retain=True), Puback(1),
    Pubrec(1), Pubrel(1), Pubcomp(1), Subscribe(1, [Subscription("{}")]), Suback(1, [0]),
    Unsubscribe(1, ["{}"]), Unsuback(1, [0]), Pingreq(), mqtt.Pingresp(), Disconnect(), Auth(0x18),
), ids=lambda packet: type(packet).__name__)
def test_whatever_comes_before_connect_is_not_served(connect, prefix, version, packet):
    """The connection ends without a word, also if a CONNECT follows, and nobody gets anything."""
    listener = listener_on(connect, prefix, version=version)
    if isinstance(packet, Publish):
        packet = Publish(prefix, packet.payload, packet.qos, packet.retain, packet.packet_id)
    client = connect(version, connect=False)
    client.send_raw(mqtt.encode(packet, version) + mqtt.encode(Connect("late"), version))
    assert client.read_to_end() == b""
    listener.expect_nothing(after=connect(version))
    listener_on(connect, prefix, version=version).expect_nothing()


@proves("5.0", "MQTT-3.1.0-2")
@proves("3.1.1", "MQTT-3.1.0-2")
def test_a_second_connect_ends_the_connection(connect, new_id, prefix, version):
    """Under its own or another identifier; it takes nothing over, and its will does not count."""
    listener, bystander = listener_on(connect, f"{prefix}/+", version=version), connect(version)
    for name in (None, bystander.client_id, new_id()):
        client = connect(version, will=Will(f"{prefix}/first", b"x"))
        client.send(Connect(name or client.client_id, will=Will(f"{prefix}/second", b"x")))
        expect_violation(client, Reason.PROTOCOL_ERROR)
        listener.receive(f"{prefix}/first")
    bystander.ping()
    listener.expect_nothing(after=bystander)


# ------------------------------------------------------------------- protocol name and version

@proves("5.0", "MQTT-3.1.2-1")
@proves("3.1.1", "MQTT-3.1.2-1")
@pytest.mark.parametrize("name", ("", "MQT", "MQTTT", "mqtt", "MQTt", "MQIsdp", "MQTT\0", "HTTP"))
def test_another_protocol_name_is_not_served(broker, version, name):
    answer = answer_to_connect(broker.port, version,
                               mqtt.encode(Connect("c", protocol_name=name), version))
    assert answer in (b"", b"\x20\x02\0\x01") or (
        mqtt.decode(answer, 5).reason == Reason.UNSUPPORTED_PROTOCOL_VERSION)


@proves("5.0", "MQTT-3.1.2-2")
@proves("3.1.1", "MQTT-3.1.2-2")
@pytest.mark.parametrize("level", (0, 1, 2, 3, 6, 7, 0x7F, 0x80, 0xFF))
def test_another_protocol_version_is_refused_in_words(broker, version, level):
    """In those of 3.1.1, which every client of the past knows, or of 5.0. The bridge flag of other
    brokers, 0x80, is no version either."""
    data = mqtt.encode(Connect("c", protocol_level=level), version)
    answer = answer_to_connect(broker.port, version, data)
    assert answer == b"\x20\x02\0\x01" or (
        mqtt.decode(answer, 5).reason == Reason.UNSUPPORTED_PROTOCOL_VERSION)


# ------------------------------------------------------------------------- flags and payload

def raw_connect(version, flags, payload):
    none = b"\0" if version == 5 else b""
    head = mqtt.binary("MQTT") + bytes([version, flags]) + mqtt.u16(60) + none
    return mqtt.frame(1, 0, head + payload)


ID, NAME, PASSWORD = mqtt.binary("c"), mqtt.binary("name"), mqtt.binary("secret")
CLEAN, WILL, USER_NAME, PASSWORD_FLAG = 0x02, 0x04, 0x80, 0x40


def will_fields(version, topic=b"\0\1w", payload=b"\0\1x"):
    return (b"\0" if version == 5 else b"") + topic + payload


BAD_PAYLOADS = [
    pytest.param(lambda v: (CLEAN | 0x01, ID), id="reserved-flag",
                 marks=[proves("5.0", "MQTT-3.1.2-3", "MQTT-3.1.4-1"),
                        proves("3.1.1", "MQTT-3.1.2-3", "MQTT-3.1.4-1")]),
    pytest.param(lambda v: (CLEAN | 0x08, ID), id="will-qos-1-without-will",
                 marks=[proves("5.0", "MQTT-3.1.2-11"),
                        proves("3.1.1", "MQTT-3.1.2-11", "MQTT-3.1.2-13")]),
    pytest.param(lambda v: (CLEAN | 0x10, ID), id="will-qos-2-without-will",
                 marks=[proves("5.0", "MQTT-3.1.2-11"),
                        proves("3.1.1", "MQTT-3.1.2-11", "MQTT-3.1.2-13")]),
    pytest.param(lambda v: (CLEAN | 0x20, ID), id="will-retain-without-will",
                 marks=[proves("5.0", "MQTT-3.1.2-13"),
                        proves("3.1.1", "MQTT-3.1.2-11", "MQTT-3.1.2-15")]),
    pytest.param(lambda v: (CLEAN | WILL | 0x18, ID + will_fields(v)), id="will-qos-3",
                 marks=[proves("5.0", "MQTT-3.1.2-12"), proves("3.1.1", "MQTT-3.1.2-14")]),
    pytest.param(lambda v: (CLEAN | WILL, ID), id="will-missing",
                 marks=[proves("5.0", "MQTT-3.1.2-9"), proves("3.1.1", "MQTT-3.1.2-9")]),
    pytest.param(lambda v: (CLEAN | WILL, ID + will_fields(v, payload=b"")), id="no-will-payload",
                 marks=[proves("5.0", "MQTT-3.1.2-9"), proves("3.1.1", "MQTT-3.1.2-9")]),
    pytest.param(lambda v: (CLEAN | WILL, ID + will_fields(v, topic=b"\0\0")), id="no-will-topic",
                 marks=[proves("5.0", "MQTT-4.7.3-1"), proves("3.1.1", "MQTT-4.7.3-1")]),
    pytest.param(lambda v: (CLEAN, ID + will_fields(v)), id="will-unannounced",
                 marks=[proves("3.1.1", "MQTT-3.1.2-11")]),
    pytest.param(lambda v: (CLEAN, ID + NAME), id="user-name-unannounced",
                 marks=[proves("5.0", "MQTT-3.1.2-16"), proves("3.1.1", "MQTT-3.1.2-18")]),
    pytest.param(lambda v: (CLEAN | USER_NAME, ID), id="user-name-missing",
                 marks=[proves("5.0", "MQTT-3.1.2-17"), proves("3.1.1", "MQTT-3.1.2-19")]),
    pytest.param(lambda v: (CLEAN | USER_NAME, ID + NAME + PASSWORD), id="password-unannounced",
                 marks=[proves("5.0", "MQTT-3.1.2-18"), proves("3.1.1", "MQTT-3.1.2-20")]),
    pytest.param(lambda v: (CLEAN | USER_NAME | PASSWORD_FLAG, ID + NAME), id="password-missing",
                 marks=[proves("5.0", "MQTT-3.1.2-19"), proves("3.1.1", "MQTT-3.1.2-21")]),
    pytest.param(lambda v: (CLEAN, b""), id="no-client-id",
                 marks=[proves("5.0", "MQTT-3.1.3-3"), proves("3.1.1", "MQTT-3.1.3-3")]),
    pytest.param(lambda v: (CLEAN, b"\0\5abc"), id="client-id-cut",
                 marks=[proves("5.0", "MQTT-3.1.3-3", "MQTT-3.1.4-1"),
                        proves("3.1.1", "MQTT-3.1.3-3", "MQTT-3.1.4-1")]),
    pytest.param(lambda v: (CLEAN | WILL | USER_NAME, NAME[:2] + will_fields(v)),
                 id="fields-out-of-order",
                 marks=[proves("5.0", "MQTT-3.1.3-1"), proves("3.1.1", "MQTT-3.1.3-1")]),
]


@pytest.mark.parametrize("fields", BAD_PAYLOADS)
def test_flags_and_payload_that_do_not_agree(broker, version, fields):
    expect_malformed_connect(broker.port, version, raw_connect(version, *fields(version)),
                             MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_NAME_INVALID})


@proves("5.0", "MQTT-3.1.3-1", "MQTT-3.1.3-3", "MQTT-3.1.2-9", "MQTT-3.1.2-17", "MQTT-3.1.2-19")
@proves("3.1.1", "MQTT-3.1.3-1", "MQTT-3.1.3-3", "MQTT-3.1.2-9", "MQTT-3.1.2-19", "MQTT-3.1.2-21")
def test_each_field_of_the_payload_is_taken_for_what_it_is(connect, new_id, prefix, version):
    """Fields that would also do in each other's place: session, will and payload tell."""
    name, topic, payload = new_id(), f"{prefix}/topic", f"{prefix}/payload"
    listener = listener_on(connect, f"{prefix}/#", version=version)
    flags = WILL | USER_NAME | PASSWORD_FLAG
    fields = mqtt.binary(name) + will_fields(version, mqtt.binary(topic), mqtt.binary(payload))
    client = connect(version, connect=False)
    client.send_raw(raw_connect(version, flags, fields + mqtt.binary("u") + mqtt.binary("p")))
    client.expect(Connack, reason=0)
    other = connect(version, name)
    client.expect_closed(Reason.SESSION_TAKEN_OVER)
    listener.receive(topic, payload)
    other.ping()


@proves("5.0", "MQTT-3.1.2-19")
def test_a_password_needs_no_user_name(connect):
    connect(5, password=b"\0\xff").ping()


@proves("5.0", "MQTT-3.1.4-1")
@proves("3.1.1", "MQTT-3.1.4-1")
@pytest.mark.parametrize("cut", range(1, 13))
def test_a_connect_that_ends_too_early(broker, version, cut):
    """The packet says how long it is and is whole, but its fields are not."""
    body = mqtt.encode(Connect("c"), version)[2:]
    expect_malformed_connect(broker.port, version, mqtt.frame(1, 0, body[:-cut]))


@proves("5.0", "MQTT-3.1.4-1")
@proves("3.1.1", "MQTT-3.1.4-1")
@pytest.mark.parametrize("rest", (b"\0", b"\0\0", b"\0\1x", b"rest"))
def test_a_connect_that_goes_on_behind_its_last_field(broker, version, rest):
    body = mqtt.encode(Connect("c"), version)[2:]
    expect_malformed_connect(broker.port, version, mqtt.frame(1, 0, body + rest))


@proves("5.0", "MQTT-3.1.4-1")
@pytest.mark.parametrize("properties", (
    [("session_expiry_interval", 1)] * 2, [("receive_maximum", 9)] * 2,
    {"receive_maximum": 0}, {"maximum_packet_size": 0}, {"request_problem_information": 2},
    {"request_response_information": 2}, {"authentication_data": b"x"}, {"topic_alias": 1},
    {"message_expiry_interval": 1}, b"\x7f\0", b"\x11\0\0\0", b"\x26\0\1k",
), ids=repr)
def test_properties_that_connect_may_not_have(broker, properties):
    data = mqtt.encode(Connect("c", properties=properties), 5)
    expect_malformed_connect(broker.port, 5, data)


@proves("5.0", "MQTT-3.1.4-1")
@pytest.mark.parametrize("properties", (
    [("will_delay_interval", 1)] * 2, {"payload_format_indicator": 2},
    {"session_expiry_interval": 1}, {"subscription_identifier": 1}, {"topic_alias": 1},
    {"reason_string": "x"}, b"\x18\0\0\0",
), ids=repr)
def test_properties_that_a_will_may_not_have(broker, properties):
    data = mqtt.encode(Connect("c", will=Will("t", b"x", properties=properties)), 5)
    expect_malformed_connect(broker.port, 5, data)


# --------------------------------------------------------------------------------- the session

@proves("5.0", "MQTT-3.1.2-4", "MQTT-3.1.4-4", "MQTT-3.2.2-2")
@proves("3.1.1", "MQTT-3.1.2-6", "MQTT-3.1.4-3", "MQTT-3.2.2-1")
def test_a_clean_start_throws_the_session_away(connect, new_id, prefix, version):
    """Subscriptions, what waits, what is on its way out, and what came in at QoS 2."""
    name, publisher = new_id(), connect(version)
    old = session(connect, name, version=version)
    old.subscribe(f"{prefix}/#", qos=2)
    for qos in (1, 2):
        publisher.publish(prefix, "unacknowledged", qos=qos)
        old.expect(Publish, qos=qos)
    old.send(Publish(f"{prefix}/incoming", b"1", 2, packet_id=9))
    old.expect(Pubrec, packet_id=9)
    old.disconnect()
    publisher.publish(prefix, "waiting", qos=1)
    new = connect(version, name, clean=True)
    assert not new.connack.session_present
    publisher.publish(prefix, "no subscription", qos=1)
    new.expect_nothing(after=publisher)
    listener = listener_on(connect, f"{prefix}/incoming", version=version)
    new.publish(f"{prefix}/incoming", "2", qos=2, packet_id=9)
    listener.receive(f"{prefix}/incoming", "2")


@proves("5.0", "MQTT-3.1.2-5", "MQTT-3.1.2-23", "MQTT-3.2.2-3", "MQTT-3.1.4-4", "MQTT-4.5.0-1",
        "MQTT-4.1.0-1")
@proves("3.1.1", "MQTT-3.1.2-4", "MQTT-3.1.2-5", "MQTT-3.2.2-2", "MQTT-4.1.0-1", "MQTT-4.5.0-1",
        "MQTT-3.1.4-3")
@pytest.mark.parametrize("is_clean_end", (True, False), ids=("disconnect", "abort"))
def test_a_session_goes_on_where_it_was(connect, new_id, prefix, version, is_clean_end):
    name, publisher = new_id(), connect(version)
    old = session(connect, name, version=version)
    old.subscribe(f"{prefix}/1", qos=1)
    old.subscribe(f"{prefix}/2", qos=2)
    publisher.publish(f"{prefix}/1", "unacknowledged", qos=1)
    old.expect(Publish)
    old.send(Publish(f"{prefix}/2", b"incoming", 2, packet_id=9))
    old.wait_for(Pubrec, packet_id=9)
    waiting_release = old.expect(Publish, payload="incoming")
    old.send(Pubrec(waiting_release.packet_id))
    old.expect(Pubrel)
    old.disconnect() if is_clean_end else old.abort()
    for qos in (1, 2):
        publisher.publish(f"{prefix}/{qos}", "missed", qos=qos)
    new = session(connect, name, version=version)
    assert new.connack.session_present
    new.wait_for(Pubrel, packet_id=waiting_release.packet_id)
    new.send(Pubcomp(waiting_release.packet_id))
    new.receive(f"{prefix}/1", "unacknowledged", dup=True)
    for qos in (1, 2):
        new.receive(f"{prefix}/{qos}", "missed", qos=qos, dup=False)
    new.send(Publish(f"{prefix}/2", b"incoming", 2, packet_id=9, dup=True))
    new.expect(Pubrec, packet_id=9, reason=0)
    publisher.publish(f"{prefix}/1", "live", qos=1)
    new.receive(f"{prefix}/1", "live")
    new.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.1.2-6", "MQTT-3.2.2-3", "MQTT-3.1.4-5")
@proves("3.1.1", "MQTT-3.1.2-4", "MQTT-3.2.2-3", "MQTT-3.1.4-4")
def test_without_a_stored_session_there_is_a_new_one(connect, new_id, version):
    """Which is stored in its turn."""
    name = new_id()
    first = session(connect, name, version=version)
    assert not first.connack.session_present
    first.disconnect()
    assert session(connect, name, version=version).connack.session_present


@proves("3.1.1", "MQTT-3.1.2-6", "MQTT-3.2.2-1", "MQTT-3.2.2-3")
@proves("5.0", "MQTT-3.2.2-3", "MQTT-4.1.0-2")
def test_a_session_that_ends_with_its_connection_is_never_used_again(connect, new_id, prefix,
                                                                     version):
    name, publisher = new_id(), connect(version)
    first = connect(version, name, clean=True)
    first.subscribe(prefix, qos=1)
    first.disconnect()
    publisher.publish(prefix, "missed", qos=1)
    second = session(connect, name, version=version)
    assert not second.connack.session_present
    publisher.publish(prefix, "live", qos=1)
    second.expect_nothing(after=publisher)


@proves("3.1.1", "MQTT-3.1.2-6", "MQTT-3.2.2-1", "MQTT-3.1.4-3")
@proves("5.0", "MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-3.1.4-4")
def test_what_a_clean_start_threw_away_does_not_come_back(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    leave_session(connect, name, prefix, version=version)
    publisher.publish(prefix, "waiting", qos=1)
    connect(version, name, clean=True).disconnect()
    back = session(connect, name, version=version)
    assert not back.connack.session_present
    back.expect_nothing(after=publisher)


@proves("3.1.1", "MQTT-3.1.2-7")
def test_retained_messages_outlive_the_session_of_their_publisher(connect, new_id, prefix, version):
    name = new_id()
    first = connect(version, name, clean=True)
    first.publish(prefix, "kept", qos=1, retain=True)
    first.disconnect()
    connect(version, name, clean=True).disconnect()
    listener_on(connect, prefix, version=version).receive(prefix, "kept", retain=True)


@proves("5.0", "MQTT-3.1.3-2")
@proves("3.1.1", "MQTT-3.1.3-2")
def test_the_client_identifier_alone_names_the_session(connect, new_id, prefix, version):
    """Not the user, nor case, nor a prefix of it."""
    name, publisher = new_id(), connect(version)
    leave_session(connect, name, prefix, version=version)
    publisher.publish(prefix, "x", qos=1)
    for other in (name.upper(), name + "x", name[:-1], " " + name, name + " "):
        stranger = session(connect, other, version=version)
        assert not stranger.connack.session_present
        stranger.expect_nothing(after=publisher)
    back = session(connect, name, version=version, username="anyone")
    assert back.connack.session_present
    back.receive(prefix, "x")


@proves("5.0", "MQTT-4.1.0-1")
@proves("3.1.1", "MQTT-4.1.0-2")
def test_a_session_lasts_as_long_as_its_connection(connect, new_id, prefix, version):
    """However short its expiry: it counts from the end of the connection."""
    short = connect(version, new_id(), clean=True)
    clients = [short]
    if version == 5:
        clients.append(session(connect, new_id(), seconds=1))
    for client in clients:
        client.subscribe(prefix, qos=1)
    wait_out_a_second(connect, f"{prefix}/clock")
    connect(version).publish(prefix, "x", qos=1)
    for client in clients:
        client.receive(prefix, "x", qos=1)


# ------------------------------------------------------------------------------ client identifiers

@proves("5.0", "MQTT-3.1.3-5")
@proves("3.1.1", "MQTT-3.1.3-5")
def test_plain_identifiers_of_1_to_23_bytes_are_accepted(connect, version):
    letters = string.digits + string.ascii_letters
    names = [letters[at:] + letters[:at] for at in range(0, 62, 3)]
    for name in [*letters, *(name[:size] for size, name in enumerate(names, 3))]:
        with connect(version, name) as client:
            client.disconnect()


@proves("5.0", "MQTT-3.1.3-6", "MQTT-3.2.2-16")
def test_assigned_identifiers_are_unique(connect):
    names = [connect(5, "").connack.properties["assigned_client_identifier"] for _ in range(50)]
    assert len(set(names)) == 50 and all(names)


@proves("3.1.1", "MQTT-3.1.3-6", "MQTT-3.1.3-2")
@proves("5.0", "MQTT-3.1.3-6")
def test_clients_without_identifier_have_nothing_in_common(connect, prefix, version):
    """None takes another one over, and each has its own subscriptions."""
    clients = [connect(version, "") for _ in range(3)]
    for number, client in enumerate(clients):
        client.subscribe(f"{prefix}/{number}")
    for number, client in enumerate(clients):
        clients[0].publish(f"{prefix}/{number}", "x")
        client.receive(f"{prefix}/{number}")
    for client in clients:
        client.expect_nothing()


@proves("5.0", "MQTT-3.1.3-7")
def test_an_assigned_identifier_is_the_clients_own(connect, prefix):
    """It can be resumed, and taken over, under that name."""
    first = connect(5, "", clean=False, properties={"session_expiry_interval": DAY})
    name = first.connack.properties["assigned_client_identifier"]
    first.subscribe(prefix, qos=1)
    second = session(connect, name)
    first.expect_closed(Reason.SESSION_TAKEN_OVER)
    assert second.connack.session_present
    assert "assigned_client_identifier" not in second.connack.properties
    connect(5).publish(prefix, "x", qos=1)
    second.receive(prefix, "x")


@proves("5.0", "MQTT-3.1.3-8", "MQTT-3.2.2-7", "MQTT-4.13.2-1")
@proves("3.1.1", "MQTT-3.1.3-9", "MQTT-3.2.2-5", "MQTT-3.2.2-4")
def test_an_identifier_that_is_too_long_is_refused(connect, version):
    client = connect(version, connect=False)
    client.send_connect(client_id="x" * 65_535)
    client.expect_refused(2 if version < 5 else Reason.CLIENT_IDENTIFIER_NOT_VALID)


@proves("3.1.1", "MQTT-3.1.3-7", "MQTT-3.1.3-8", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
def test_no_identifier_and_a_session_to_keep(connect):
    client = connect(4, connect=False)
    client.send_connect(client_id="", clean=False)
    client.expect_refused(2)


# ------------------------------------------------------------------------- refused, or taken over

@proves("5.0", "MQTT-3.1.4-2", "MQTT-3.2.2-6", "MQTT-3.2.2-7", "MQTT-3.2.2-8", "MQTT-4.13.2-1")
@proves("3.1.1", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
def test_a_client_that_may_not_come_in(fresh_broker, connect, version):
    port = fresh_broker("--allow-anonymous", "false").port
    client = connect(version, port=port, connect=False)
    client.send_connect(clean=False)
    client.expect_refused(5 if version < 5 else Reason.NOT_AUTHORIZED)


@proves("5.0", "MQTT-3.1.4-6")
@proves("3.1.1", "MQTT-3.1.4-5")
@pytest.mark.parametrize("connect_packet", (
    Connect("x" * 65_535), Connect("c", connect_flags=0x03), Connect("c", protocol_level=9),
), ids=("identifier", "flags", "level"))
def test_what_comes_behind_a_refused_connect_is_ignored(connect, prefix, version, connect_packet):
    """In the same segment, and retained or not: nobody gets it, and nothing answers it."""
    listener = listener_on(connect, prefix, version=version)
    behind = (Publish(prefix, b"x", 1, True, 7), Subscribe(8, [Subscription(prefix)]), Pingreq(),
              Connect("another"))
    client = connect(version, connect=False)
    client.send_raw(b"".join(mqtt.encode(p, version) for p in (connect_packet, *behind)))
    answer = client.read_to_end()
    assert len(answer) == 0 or answer[0] == 0x20 and answer[1] == len(answer) - 2
    listener.expect_nothing(after=connect(version))
    listener_on(connect, prefix, version=version).expect_nothing()


@proves("5.0", "MQTT-3.1.4-2")
@proves("3.1.1", "MQTT-3.2.2-5")
def test_a_refused_client_changes_nothing(fresh_broker, connect, new_id, prefix, version):
    """A check that fails must not first have thrown out whoever holds the identifier, or its
    session."""
    port, name = fresh_broker("--max-qos", "1").port, new_id()
    holder = session(connect, name, version=version, port=port)
    holder.subscribe(prefix, qos=1)
    rival = connect(version, name, port=port, connect=False)
    rival.send_connect(clean=True, will=Will("t", b"x", 2))
    with pytest.raises(Closed):
        connack = rival.expect(Connack)
        assert connack.reason != 0 and not connack.session_present
        rival.next()
    connect(version, port=port).publish(prefix, "x", qos=1)
    holder.receive(prefix, "x")


@proves("5.0", "MQTT-3.1.4-3")
@proves("3.1.1", "MQTT-3.1.4-2")
@pytest.mark.parametrize("clean", (True, False))
def test_the_newer_connection_of_a_name_stays(fresh_broker, connect, new_id, prefix, version,
                                              clean):
    """Again and again, whatever worker accepted it; nothing is delivered twice meanwhile."""
    name, port = new_id(), fresh_broker("--max-takeovers", "0").port
    held = connect(version, name, port=port, clean=clean)
    for _ in range(20):
        newer = connect(version, name, port=port, clean=clean)
        held.expect_closed(Reason.SESSION_TAKEN_OVER)
        held = newer
    held.subscribe(prefix)
    connect(version, port=port).publish(prefix, "x")
    held.receive(prefix, "x")
    held.expect_nothing(after=connect(version, port=port))


@proves("5.0", "MQTT-3.1.4-3")
@proves("3.1.1", "MQTT-3.1.4-2")
def test_versions_take_each_other_over(connect, new_id):
    name, order = new_id(), (4, 5, 4, 3, 5, 5)
    held = connect(order[0], name)
    for number in order[1:]:
        newer = connect(number, name)
        held.expect_closed(Reason.SESSION_TAKEN_OVER)
        held = newer
    held.ping()


# ------------------------------------------------------------------------------------------- wills

@proves("5.0", "MQTT-3.1.2-7", "MQTT-3.1.2-8")
@proves("3.1.1", "MQTT-3.1.2-8")
@pytest.mark.parametrize("end", ("abort", "reset", "malformed", "takeover", "half-a-packet"))
def test_each_end_but_disconnect_publishes_the_will_once(connect, prefix, version, end):
    listener = listener_on(connect, prefix, version=version)
    device = connect(version, will=Will(prefix, b"gone", 1))
    listener.expect_nothing(after=device)
    if end == "abort":
        device.abort()
    elif end == "reset":
        device.reset()
    elif end == "malformed":
        device.send_raw(b"\xf0\xff\xff\xff\xff")
    elif end == "takeover":
        connect(version, device.client_id)
    else:
        device.send_raw(mqtt.encode(Disconnect(), version)[:1])
        device.abort()
    listener.receive(prefix, "gone", qos=1, retain=False)
    connect(version, device.client_id).abort()
    listener.expect_nothing(after=connect(version))


@proves("5.0", "MQTT-3.1.2-10", "MQTT-3.14.4-3", "MQTT-3.1.2-8")
@proves("3.1.1", "MQTT-3.1.2-10", "MQTT-3.14.4-3", "MQTT-3.1.2-8")
def test_disconnect_deletes_the_will(connect, new_id, prefix, version):
    """For good: neither a later end of that session nor a take-over brings it back."""
    name, listener = new_id(), listener_on(connect, prefix, version=version)
    session(connect, name, version=version, will=Will(prefix, b"x", 1, True)).disconnect()
    session(connect, name, version=version).abort()
    session(connect, name, version=version)
    connect(version, name, clean=True)
    listener.expect_nothing(after=connect(version))
    listener_on(connect, prefix, version=version).expect_nothing()


@proves("5.0", "MQTT-3.1.2-10")
@proves("3.1.1", "MQTT-3.1.2-10", "MQTT-3.1.2-12")
def test_a_published_will_is_gone(connect, new_id, prefix, version):
    """The next connection of the session has none, and so publishes none."""
    name, listener = new_id(), listener_on(connect, prefix, version=version)
    session(connect, name, version=version, will=Will(prefix, b"x", 1)).abort()
    listener.receive(prefix, "x")
    session(connect, name, version=version).abort()
    connect(version, name, clean=True).abort()
    listener.expect_nothing(after=connect(version))


@proves("5.0", "MQTT-3.1.2-14", "MQTT-3.1.2-15")
@proves("3.1.1", "MQTT-3.1.2-16", "MQTT-3.1.2-17")
@pytest.mark.parametrize("retain", (False, True))
def test_a_will_is_retained_if_it_says_so(connect, prefix, version, retain):
    """What is retained already changes only then."""
    listener = listener_on(connect, prefix, version=version)
    device = connect(version, will=Will(prefix, b"will", 1, retain))
    device.publish(prefix, "before", qos=1, retain=True)
    listener.receive(prefix, "before", retain=False)
    device.abort()
    listener.receive(prefix, "will", retain=False)
    late = listener_on(connect, prefix, version=version)
    late.receive(prefix, "will" if retain else "before", retain=True)


@proves("5.0", "MQTT-3.1.2-8", "MQTT-3.1.3-9")
def test_a_will_is_not_due_before_its_delay(connect, new_id, prefix):
    """A minute is not over after a second, and coming back then suppresses it; that of a second
    is, and it comes once."""
    late, soon, listener = new_id(), new_id(), listener_on(connect, f"{prefix}/+")
    session(connect, late, will=will_after(f"{prefix}/late", 60)).abort()
    session(connect, soon, will=will_after(f"{prefix}/soon", 1)).abort()
    listener.receive(f"{prefix}/soon")
    wait_out_a_second(connect, f"{prefix}/x/clock")
    back = session(connect, late)
    back.disconnect()
    session(connect, soon).disconnect()
    listener.expect_nothing(after=connect(5))


@proves("5.0", "MQTT-3.1.3-10", "MQTT-3.3.2-18")
def test_the_wills_user_properties_keep_their_order(connect, prefix):
    pairs = [("b", "2"), ("a", "1"), ("b", "1"), ("a", "2"), ("", ""), ("b", "2")]
    listener = listener_on(connect, prefix)
    connect(5, will=Will(prefix, b"x", properties={"user_property": pairs})).abort()
    listener.receive(prefix, properties={"user_property": pairs})


@proves("5.0", "MQTT-3.3.2-14")
@pytest.mark.parametrize("topic", ("a/+", "#", "a/#", "a#b"))
def test_a_will_whose_response_topic_has_wildcards(broker, topic):
    data = mqtt.encode(Connect("c", will=Will("t", properties={"response_topic": topic})), 5)
    expect_malformed_connect(broker.port, 5, data,
                             MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_NAME_INVALID})


@proves("5.0", "MQTT-4.7.0-1")
@proves("3.1.1", "MQTT-4.7.1-1")
@pytest.mark.parametrize("topic", ("a/+", "#", "a/#", "a#b", "a+"))
def test_a_will_topic_with_wildcards(broker, version, topic):
    data = mqtt.encode(Connect("c", will=Will(topic)), version)
    expect_malformed_connect(broker.port, version, data,
                             MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_NAME_INVALID})


# -------------------------------------------------------------- what the client asks to be spared

@proves("5.0", "MQTT-3.1.2-27")
@pytest.mark.parametrize("properties", ({}, {"topic_alias_maximum": 0}))
def test_no_alias_for_those_who_gave_no_maximum(connect, prefix, properties):
    client = connect(5, properties=properties)
    client.subscribe(prefix, qos=1)
    for number in range(6):
        client.publish(prefix, str(number), qos=number % 2)
        packet = client.receive(prefix, str(number), properties={"topic_alias": None})
        assert packet.wire_topic == prefix


@proves("5.0", "MQTT-3.1.2-28")
@pytest.mark.parametrize("properties", ({}, {"request_response_information": 0}))
def test_no_response_information_unasked(connect, properties):
    assert "response_information" not in connect(5, properties=properties).connack.properties


@proves("5.0", "MQTT-3.1.2-29")
def test_no_reason_strings_where_they_are_declined(connect, new_id, prefix):
    """Seen on each packet that has one by default; CONNACK, PUBLISH and DISCONNECT may have it."""
    def answers(**properties):
        client = connect(5, properties=properties)
        text = {"payload_format_indicator": 1}
        yield client.try_subscribe(prefix + "/#/x")
        yield client.publish(prefix, b"\xff", qos=1, properties=text)
        yield client.publish(prefix, b"\xff", qos=2, properties=text)
        client.send(Pubrec(4711))
        yield client.expect(Pubrel, packet_id=4711)
        client.send(Pubrel(4712))
        yield client.expect(Pubcomp, packet_id=4712)
        client.send(Unsubscribe(9, [prefix]))
        yield client.expect(Unsuback)
    texts = {"reason_string", "user_property"}
    assert any(texts & set(packet.properties) for packet in answers()), "it would say something"
    for packet in answers(request_problem_information=0):
        assert not texts & set(packet.properties), packet
