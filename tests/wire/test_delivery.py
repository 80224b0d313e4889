# SPDX-License-Identifier: MIT
"""What subscribers get and how: subscription options and identifiers, windows and sizes, expiry,
properties, aliases. Mostly version 5; what 3.x clients can see is tested for them too."""
import pytest

from client import durable, eventually
from mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Reason, Subscription, Will


# --------------------------------------------------------------------------- subscription options

@pytest.mark.proves("5.0", "MQTT-3.3.1-9", "MQTT-3.3.1-10", "MQTT-3.3.1-11")
def test_retain_handling(connect, prefix):
    """0: retained at each SUBSCRIBE; 1: only if the subscription is new; 2: never."""
    publisher, client = connect(5), connect(5)
    publisher.publish(prefix, "kept", qos=1, retain=True)
    for handling, times in ((2, 0), (1, 0), (0, 1), (0, 1)):
        client.subscribe(Subscription(prefix, retain_handling=handling))
        for _ in range(times):
            client.receive(prefix, "kept", retain=True)
        client.expect_nothing()
    client.unsubscribe(prefix)
    client.subscribe(Subscription(prefix, retain_handling=1))
    client.receive(prefix, "kept", retain=True)
    client.expect_nothing()


@pytest.mark.proves("5.0", "MQTT-3.3.1-12", "MQTT-3.3.1-13")
def test_retain_as_published(connect, prefix):
    publisher, keeps, clears = connect(5), connect(5), connect(5)
    keeps.subscribe(Subscription(prefix, retain_as_published=True))
    clears.subscribe(Subscription(prefix))
    for retain in (True, False):
        publisher.publish(prefix, "x", retain=retain)
        keeps.receive(prefix, "x", retain=retain)
        clears.receive(prefix, "x", retain=False)


@pytest.mark.proves("5.0", "MQTT-3.8.3-3")
def test_no_local(connect, prefix):
    one, other = connect(5), connect(5)
    one.subscribe(Subscription(f"{prefix}/#", no_local=True))
    other.subscribe(f"{prefix}/#")
    one.publish(f"{prefix}/mine", "x")
    other.receive(f"{prefix}/mine")
    other.publish(f"{prefix}/theirs", "x")
    one.receive(f"{prefix}/theirs")
    one.expect_nothing(after=other)


@pytest.mark.proves("5.0", "MQTT-3.8.3-3")
def test_no_local_holds_for_what_was_queued(connect, new_id, prefix):
    name = new_id()
    client = connect(5, name, **durable(5))
    client.subscribe(Subscription(prefix, 1, no_local=True))
    client.publish(prefix, "mine", qos=1)
    client.abort()
    connect(5).publish(prefix, "theirs", qos=1)
    back = connect(5, name, **durable(5))
    back.receive(prefix, "theirs")
    back.expect_nothing()


def test_a_subscription_replaces_the_one_with_its_filter(connect, prefix, version):
    client = connect(version)
    client.subscribe(prefix, qos=0)
    client.subscribe(prefix, qos=2)
    client.publish(prefix, "x", qos=2)
    client.receive(prefix, "x", qos=2)
    client.expect_nothing()


def test_unsubscribing(connect, prefix, version):
    client = connect(version)
    client.subscribe(f"{prefix}/a", f"{prefix}/+")
    reasons = client.unsubscribe(f"{prefix}/+", f"{prefix}/none")
    assert version < 5 or reasons == [0, Reason.NO_SUBSCRIPTION_EXISTED]
    client.publish(f"{prefix}/a", "x")
    client.receive(f"{prefix}/a")
    client.publish(f"{prefix}/b", "x")
    client.expect_nothing()


# ---------------------------------------------------------------- overlapping filters, identifiers

@pytest.mark.proves("5.0", "MQTT-3.3.4-2")
@pytest.mark.proves("3.1.1", "MQTT-3.3.5-1")
def test_overlapping_filters_give_one_copy_at_the_highest_qos(connect, prefix, version):
    # Expected difference: mosquitto takes the last filter's QoS, and its identifier alone below.
    publisher, client = connect(version), connect(version)
    client.subscribe((f"{prefix}/#", 0), (f"{prefix}/a/+", 2), (f"{prefix}/a/b", 1))
    publisher.publish(f"{prefix}/a/b", "x", qos=2)
    client.receive(f"{prefix}/a/b", "x", qos=2)
    client.expect_nothing(after=publisher)


@pytest.mark.proves("5.0", "MQTT-3.3.4-3", "MQTT-3.3.4-4")
def test_one_copy_carries_every_subscription_identifier(connect, prefix):
    publisher, client = connect(5), connect(5)
    for number, name in ((1, "#"), (200, "a/+"), (268_435_455, "a/b"), (7, "other")):
        client.subscribe(f"{prefix}/{name}", properties={"subscription_identifier": number})
    client.subscribe(f"{prefix}/+/b")
    publisher.publish(f"{prefix}/a/b", "x")
    packet = client.receive(f"{prefix}/a/b", "x")
    assert sorted(packet.properties["subscription_identifier"]) == [1, 200, 268_435_455]
    client.expect_nothing(after=publisher)


@pytest.mark.proves("5.0", "MQTT-3.8.4-3")
def test_a_subscription_identifier_is_replaced_with_its_subscription(connect, prefix):
    client = connect(5)
    client.subscribe(prefix, properties={"subscription_identifier": 1})
    client.subscribe(prefix, properties={"subscription_identifier": 2})
    client.publish(prefix, "x")
    client.receive(prefix, properties={"subscription_identifier": [2]})
    client.subscribe(prefix)
    client.publish(prefix, "x")
    client.receive(prefix, properties={"subscription_identifier": None})


def test_retained_and_queued_messages_carry_the_identifier_too(connect, new_id, prefix):
    publisher, name = connect(5), new_id()
    publisher.publish(f"{prefix}/kept", "x", qos=1, retain=True)
    client = connect(5, name, **durable(5))
    client.subscribe(f"{prefix}/#", qos=1, properties={"subscription_identifier": 9})
    client.receive(f"{prefix}/kept", retain=True, properties={"subscription_identifier": [9]})
    client.disconnect()
    publisher.publish(f"{prefix}/missed", "x", qos=1)
    back = connect(5, name, **durable(5))
    back.receive(f"{prefix}/missed", properties={"subscription_identifier": [9]})


# -------------------------------------------------------------------------------- windows and sizes

@pytest.mark.proves("5.0", "MQTT-3.3.4-9", "MQTT-3.3.4-10", "MQTT-4.9.0-2")
def test_the_clients_receive_maximum_holds_messages_back(connect, prefix):
    publisher, client = connect(5), connect(5, properties={"receive_maximum": 2})
    client.subscribe(f"{prefix}/#", qos=2)
    for number in range(5):
        publisher.publish(f"{prefix}/{number}", "x", qos=1 + number % 2)
    waiting = [client.expect(Publish, topic=f"{prefix}/{number}") for number in range(2)]
    client.expect_nothing(after=publisher)
    publisher.publish(f"{prefix}/unhindered", "x", qos=0)
    client.receive(f"{prefix}/unhindered")
    for number in range(2, 5):
        client.acknowledge(waiting.pop(0))
        waiting.append(client.expect(Publish, topic=f"{prefix}/{number}"))
        client.expect_nothing(after=publisher)


def test_a_refusing_pubrec_makes_room(connect, prefix):
    publisher, client = connect(5), connect(5, properties={"receive_maximum": 1})
    client.subscribe(prefix, qos=2)
    for number in range(3):
        publisher.publish(prefix, str(number), qos=2)
    for number in range(3):
        packet = client.expect(Publish, payload=str(number))
        client.send(Pubrec(packet.packet_id, Reason.UNSPECIFIED_ERROR))
    client.expect_nothing(after=publisher)


def test_the_brokers_receive_maximum_can_be_used_up(connect, prefix):
    client = connect(5)
    window = min(client.connack.properties.get("receive_maximum", 65535), 100)
    for number in range(window):
        client.send(Publish(prefix, b"x", 2, packet_id=number + 1))
    for number in range(window):
        client.expect(Pubrec, packet_id=number + 1, reason=range(0x80))
    for number in range(window):
        client.send(Pubrel(number + 1))
        client.expect(Pubcomp, packet_id=number + 1)


def test_the_brokers_window_is_an_option(fresh_broker, connect, prefix, version):
    port = fresh_broker("--max-inflight-messages", "3").port
    publisher, client = connect(version, port=port), connect(version, port=port)
    client.subscribe(prefix, qos=1)
    for number in range(5):
        publisher.publish(prefix, str(number), qos=1)
    first = [client.expect(Publish, payload=str(number)) for number in range(3)]
    client.expect_nothing(after=publisher)
    client.acknowledge(first[0])
    client.expect(Publish, payload="3")


@pytest.mark.proves("5.0", "MQTT-3.1.2-24", "MQTT-3.1.2-25")
def test_a_message_beyond_the_clients_maximum_packet_size_is_left_out(connect, prefix):
    publisher = connect(5)
    client = connect(5, properties={"maximum_packet_size": 100})
    client.subscribe(prefix, qos=2)
    for qos in (0, 1, 2):
        publisher.publish(prefix, b"x" * 100, qos=qos)
        publisher.publish(prefix, b"fits", qos=qos)
        client.receive(prefix, "fits", qos=qos)
    client.expect_nothing(after=publisher)


def test_a_retained_message_beyond_it_is_left_out_too(connect, prefix):
    publisher = connect(5)
    publisher.publish(f"{prefix}/a", b"x" * 100, qos=1, retain=True)
    publisher.publish(f"{prefix}/b", "fits", qos=1, retain=True)
    client = connect(5, properties={"maximum_packet_size": 100})
    client.subscribe(f"{prefix}/#", qos=1)
    client.receive(f"{prefix}/b", "fits", retain=True)
    client.expect_nothing()


# ------------------------------------------------------------------------------------------ expiry

def wait_until_expired(connect, topic):
    """Publishes a retained message that lives a second, and returns when it is gone: then so is
    whatever lived a second and was published before."""
    client = connect(5)
    client.publish(topic, "clock", qos=1, retain=True,
                   properties={"message_expiry_interval": 1})

    def is_gone():
        client.subscribe(topic)
        client.ping()
        count = len(client.inbox)
        client.inbox.clear()
        return count == 0
    eventually(is_gone, "a message that expires after a second")


@pytest.mark.proves("5.0", "MQTT-3.3.2-5", "MQTT-3.3.2-6")
def test_an_expired_message_is_not_delivered(connect, new_id, prefix):
    name, publisher = new_id(), connect(5)
    with connect(5, name, **durable(5)) as client:
        client.subscribe(f"{prefix}/+", qos=1)
        client.disconnect()
    publisher.publish(f"{prefix}/short", "x", qos=1, properties={"message_expiry_interval": 1})
    publisher.publish(f"{prefix}/long", "x", qos=1, properties={"message_expiry_interval": 600})
    publisher.publish(f"{prefix}/forever", "x", qos=1)
    wait_until_expired(connect, f"{prefix}/a/clock")
    back = connect(5, name, **durable(5))
    packet = back.receive(f"{prefix}/long")
    assert 0 < packet.properties["message_expiry_interval"] < 600, "the time in the broker counts"
    back.receive(f"{prefix}/forever", properties={"message_expiry_interval": None})
    back.expect_nothing()


def test_an_expired_retained_message_is_not_delivered(connect, prefix, version):
    publisher = connect(5)
    publisher.publish(f"{prefix}/short", "x", qos=1, retain=True,
                      properties={"message_expiry_interval": 1})
    publisher.publish(f"{prefix}/long", "x", qos=1, retain=True,
                      properties={"message_expiry_interval": 600})
    wait_until_expired(connect, f"{prefix}/a/clock")
    client = connect(version)
    client.subscribe(f"{prefix}/+")
    packet = client.receive(f"{prefix}/long", retain=True)
    if version == 5:
        assert 0 < packet.properties["message_expiry_interval"] < 600
    client.expect_nothing()


def test_expiry_is_forwarded_at_once_as_it_was(connect, prefix):
    client = connect(5)
    client.subscribe(prefix)
    client.publish(prefix, "x", properties={"message_expiry_interval": 4_294_967_295})
    packet = client.receive(prefix)
    assert packet.properties["message_expiry_interval"] in range(4_294_967_290, 4_294_967_296)


# -------------------------------------------------------------------------------------- properties

ALL_PROPERTIES = {
    "payload_format_indicator": 1,
    "content_type": "tekst/æøå",
    "response_topic": "svar/hit",
    "correlation_data": b"\0\xff\0",
    "user_property": [("b", "2"), ("a", "1"), ("b", "2"), ("", ""), ("a", "0")],
}


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_properties_arrive_unchanged_and_in_order(connect, prefix, qos):
    publisher, client = connect(5), connect(5)
    client.subscribe(prefix, qos=2)
    publisher.publish(prefix, "x", qos=qos, properties=ALL_PROPERTIES)
    assert client.receive(prefix, "x").properties == ALL_PROPERTIES


@pytest.mark.proves("5.0", "MQTT-3.1.3-10", "MQTT-3.3.2-15", "MQTT-3.3.2-16", "MQTT-3.3.2-17",
                    "MQTT-3.3.2-18", "MQTT-3.3.2-20")
def test_properties_of_retained_queued_and_will_messages(connect, new_id, prefix):
    name, publisher = new_id(), connect(5)
    publisher.publish(f"{prefix}/kept", "x", qos=1, retain=True, properties=ALL_PROPERTIES)
    client = connect(5, name, **durable(5))
    client.subscribe(f"{prefix}/#", qos=1)
    assert client.receive(f"{prefix}/kept").properties == ALL_PROPERTIES
    client.disconnect()
    publisher.publish(f"{prefix}/missed", "x", qos=1, properties=ALL_PROPERTIES)
    back = connect(5, name, **durable(5))
    assert back.receive(f"{prefix}/missed").properties == ALL_PROPERTIES
    connect(5, will=Will(f"{prefix}/will", b"x", 1, False, ALL_PROPERTIES)).abort()
    assert back.receive(f"{prefix}/will").properties == ALL_PROPERTIES


def test_a_subscriber_of_3x_gets_the_message_without_them(connect, prefix):
    publisher, client = connect(5), connect(4)
    client.subscribe(prefix, qos=1)
    publisher.publish(prefix, "x", qos=1, properties=ALL_PROPERTIES)
    client.receive(prefix, "x")


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_a_payload_that_is_not_the_text_it_claims(connect, prefix, qos):
    # Expected difference: mosquitto does not look.
    publisher, client = connect(5), connect(5)
    client.subscribe(prefix, qos=2)
    answer = publisher.publish(prefix, b"\xff\xfe", qos=qos,
                               properties={"payload_format_indicator": 1})
    assert qos == 0 or answer.reason == Reason.PAYLOAD_FORMAT_INVALID
    publisher.publish(prefix, b"\xff\xfe", qos=qos, properties={"payload_format_indicator": 0})
    client.receive(prefix, b"\xff\xfe", properties={"payload_format_indicator": 0})
    client.expect_nothing(after=connect(5))


def test_a_will_that_is_not_the_text_it_claims(connect):
    client = connect(5, connect=False)
    client.send_connect(will=Will("t", b"\xff", properties={"payload_format_indicator": 1}))
    client.expect_refused(Reason.PAYLOAD_FORMAT_INVALID)


@pytest.mark.proves("5.0", "MQTT-3.1.2-28")
def test_response_information_is_given_to_those_who_ask(connect):
    # Expected difference: mosquitto gives none.
    asked = connect(5, properties={"request_response_information": 1})
    assert asked.connack.properties["response_information"]
    for properties in ({}, {"request_response_information": 0}):
        connack = connect(5, properties=properties).connack
        assert "response_information" not in connack.properties


def test_request_and_response(connect, prefix):
    server, client = connect(5), connect(5)
    server.subscribe(f"{prefix}/request")
    client.subscribe(f"{prefix}/reply/me")
    client.publish(f"{prefix}/request", "2+2", properties={
        "response_topic": f"{prefix}/reply/me", "correlation_data": b"17"})
    request = server.receive()
    server.publish(request.properties["response_topic"], "4", properties={
        "correlation_data": request.properties["correlation_data"]})
    client.receive(f"{prefix}/reply/me", "4", properties={"correlation_data": b"17"})


@pytest.mark.proves("5.0", "MQTT-3.1.2-29")
def test_no_reason_strings_for_those_who_decline(connect, prefix):
    """[MQTT-3.1.2-29]: allowed in PUBLISH, CONNACK and DISCONNECT only."""
    client = connect(5, properties={"request_problem_information": 0})
    packets = [
        client.try_subscribe(prefix + "/" * 500),
        client.publish(prefix, b"\xff", qos=1, properties={"payload_format_indicator": 1}),
        client.publish(prefix, b"\xff", qos=2, properties={"payload_format_indicator": 1}),
    ]
    client.send(Pubrel(4711))
    packets.append(client.expect(Pubcomp, reason=Reason.PACKET_IDENTIFIER_NOT_FOUND))
    for packet in packets:
        assert not {"reason_string", "user_property"} & set(packet.properties), packet


# ------------------------------------------------------------------------------------ topic aliases

def test_aliases_shorten_repeated_topics(connect, prefix):
    # Expected difference: mosquitto 2.0 sends none.
    client = connect(5, properties={"topic_alias_maximum": 5})
    client.subscribe(f"{prefix}/#")
    topic = f"{prefix}/a/long/topic/that/comes/again/and/again"
    for number in range(4):
        client.publish(topic, str(number))
    packets = [client.receive(topic, str(number)) for number in range(4)]
    assert packets[0].wire_topic == topic
    assert all("topic_alias" in packet.properties for packet in packets[1:])
    assert packets[-1].wire_topic == ""


@pytest.mark.proves("5.0", "MQTT-3.1.2-26", "MQTT-3.3.2-11")
def test_more_topics_than_aliases_never_mix_up(connect, prefix):
    client = connect(5, properties={"topic_alias_maximum": 3})
    client.subscribe(f"{prefix}/#", qos=1)
    for number in range(60):
        topic = f"{prefix}/{number * number % 7}"
        client.publish(topic, topic, qos=number % 2)
        client.receive(topic, topic)


@pytest.mark.proves("5.0", "MQTT-3.3.2-7")
def test_aliases_of_retained_and_resent_messages(connect, new_id, prefix):
    publisher, name = connect(5), new_id()
    limits = durable(5)["properties"] | {"topic_alias_maximum": 3}
    with connect(5, name, clean=False, properties=limits) as client:
        client.subscribe(f"{prefix}/#", qos=1)
        for _ in range(3):
            publisher.publish(prefix, "x", qos=1)
            client.expect(Publish, topic=prefix)
    back = connect(5, name, clean=False, properties=limits)
    first = back.receive(prefix, "x", dup=True)
    assert first.wire_topic == prefix, "the new connection knows no alias yet"
    for _ in range(2):
        back.receive(prefix, "x", dup=True)


# ------------------------------------------------------------------- acknowledgements and resend

@pytest.mark.proves("5.0", "MQTT-3.3.1-1", "MQTT-4.4.0-1")
@pytest.mark.proves("3.1.1", "MQTT-3.3.1-1", "MQTT-4.4.0-1", "MQTT-4.6.0-1")
def test_unacknowledged_messages_come_again_in_order(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    with connect(version, name, **durable(version)) as client:
        client.subscribe(f"{prefix}/#", qos=2)
        for number in range(4):
            publisher.publish(f"{prefix}/{number}", "x", qos=1 + number % 2)
        sent = [client.expect(Publish, dup=False) for _ in range(4)]
        client.send(Puback(sent[0].packet_id))
        client.send(Pubrec(sent[1].packet_id))
        client.expect(Pubrel, packet_id=sent[1].packet_id)
        client.ping()
    back = connect(version, name, **durable(version))
    again = [back.next() for _ in range(3)]
    assert Pubrel(sent[1].packet_id) in again
    back.send(Pubcomp(sent[1].packet_id))
    publishes = [packet for packet in again if isinstance(packet, Publish)]
    for number, packet in zip((2, 3), publishes):
        assert packet.topic == f"{prefix}/{number}" and packet.dup
        assert packet.packet_id == sent[number].packet_id
        back.acknowledge(packet)
    back.expect_nothing(after=publisher)


def test_what_was_acknowledged_never_comes_again(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    with connect(version, name, **durable(version)) as client:
        client.subscribe(prefix, qos=2)
        for qos in (0, 1, 2):
            publisher.publish(prefix, "x", qos=qos)
            client.receive(prefix, qos=qos)
        client.ping()
    connect(version, name, **durable(version)).expect_nothing(after=publisher)


def test_packet_identifiers_are_not_used_twice_at_once(connect, prefix):
    publisher, client = connect(5), connect(5)
    client.subscribe(prefix, qos=1)
    seen = []
    for _ in range(20):
        publisher.publish(prefix, "x", qos=1)
        seen.append(client.expect(Publish).packet_id)
    assert len(set(seen)) == 20


def test_acks_for_what_was_never_sent(connect, version):
    client = connect(version)
    client.send(Puback(77))
    client.send(Pubcomp(78))
    client.send(Pubrel(79))
    not_found = Reason.PACKET_IDENTIFIER_NOT_FOUND if version == 5 else 0
    client.expect(Pubcomp, packet_id=79, reason=not_found)
    client.send(Pubrec(80))
    if version == 5:
        client.expect(Pubrel, packet_id=80, reason=Reason.PACKET_IDENTIFIER_NOT_FOUND)
    client.ping()


def test_no_matching_subscribers(connect, prefix):
    """The broker may say so in version 5, and must then say it truly."""
    client = connect(5)
    assert client.publish(prefix, "x", qos=1).reason in (0, Reason.NO_MATCHING_SUBSCRIBERS)
    client.subscribe(prefix)
    assert client.publish(prefix, "x", qos=1).reason == 0


# ---------------------------------------------------------------------------------------- CONNACK

def test_connack_announces_what_the_broker_can(connect):
    """Nothing is switched off by default, and the limits leave room for what clients do."""
    properties = connect(5).connack.properties
    for name in ("maximum_qos", "retain_available", "wildcard_subscription_available",
                 "subscription_identifier_available", "shared_subscription_available"):
        assert properties.get(name, 1) == 1
    assert "maximum_qos" not in properties, "0 and 1 are the values that may be sent"
    # Expected difference: mosquitto announces 20.
    assert properties.get("receive_maximum", 65535) == 65535, "overrunning it is never punished"
    assert properties.get("maximum_packet_size", 268_435_460) >= 2 << 20


@pytest.mark.proves("5.0", "MQTT-3.2.2-9", "MQTT-3.2.2-10")
def test_limits_that_are_set_are_announced_and_kept(fresh_broker, connect, prefix):
    port = fresh_broker("--max-qos", "1", "--retain-available", "false").port
    client = connect(5, port=port)
    assert client.connack.properties["maximum_qos"] == 1
    assert client.connack.properties["retain_available"] == 0
    assert client.subscribe(prefix, qos=2) == [1]
    client.publish(prefix, "x", qos=1)
    client.receive(prefix, qos=1)
    for packet, reason in ((Publish(prefix, b"x", 2, packet_id=1), Reason.QOS_NOT_SUPPORTED),
                           (Publish(prefix, b"x", retain=True), Reason.RETAIN_NOT_SUPPORTED)):
        client.send(packet)
        client.expect_closed(reason)
        client = connect(5, port=port)
