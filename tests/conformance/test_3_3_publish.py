# SPDX-License-Identifier: MIT
"""Chapter 3.3: PUBLISH. Its flags, what is retained, its properties, aliases, and who gets it."""
import pytest

import mqtt
from exchange import (MALFORMED_OR_PROTOCOL_ERROR, expect_violation, leave_session, listener_on,
                      session, wait_out_a_second)
from mqtt import (Puback, Publish, Pubrec, Pubrel, Reason, Suback, Subscribe, Subscription,
                  Unsuback, Unsubscribe)

proves = pytest.mark.proves


# ------------------------------------------------------------------------------------------ flags

@proves("5.0", "MQTT-3.3.1-1", "MQTT-4.3.2-2", "MQTT-4.3.2-3", "MQTT-4.3.3-2", "MQTT-4.3.3-3",
        "MQTT-4.4.0-1")
@proves("3.1.1", "MQTT-3.3.1-1", "MQTT-2.3.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-4.4.0-1")
@pytest.mark.parametrize("qos", (1, 2))
def test_dup_marks_what_is_sent_again_and_nothing_else(connect, new_id, prefix, version, qos):
    """Every time that it is sent again, with the same identifier; the first time it is not set."""
    name, publisher = new_id(), connect(version)
    client = session(connect, name, version=version)
    client.subscribe(prefix, qos=qos)
    publisher.publish(prefix, "x", qos=qos)
    first = client.expect(Publish, qos=qos, dup=False)
    client.expect_nothing(after=publisher)
    for _ in range(3):
        client.abort()
        client = session(connect, name, version=version)
        client.expect(Publish, qos=qos, dup=True, packet_id=first.packet_id, payload="x")
        client.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.3.1-2")
@proves("3.1.1", "MQTT-3.3.1-2")
def test_dup_at_qos_0_is_malformed(connect, prefix, version):
    listener = listener_on(connect, prefix, version=version)
    client = connect(version)
    client.send(Publish(prefix, b"x", 0, dup=True))
    expect_violation(client, Reason.MALFORMED_PACKET)
    listener.expect_nothing(after=connect(version))


@proves("5.0", "MQTT-3.3.1-3", "MQTT-3.3.1-2", "MQTT-4.3.1-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2")
@proves("3.1.1", "MQTT-3.3.1-3", "MQTT-3.3.1-2", "MQTT-4.3.1-1", "MQTT-4.3.2-1", "MQTT-4.3.3-1")
@pytest.mark.parametrize("published", (1, 2))
@pytest.mark.parametrize("granted", (0, 1, 2))
def test_dup_of_the_publisher_is_not_passed_on(connect, prefix, version, published, granted):
    """Neither to those who are there nor with what is retained."""
    listener, publisher = connect(version), connect(version)
    listener.subscribe(prefix, qos=granted)
    publisher.publish(prefix, "x", qos=published, retain=True, dup=True)
    listener.receive(prefix, "x", qos=min(published, granted), dup=False)
    late = connect(version)
    late.subscribe(prefix, qos=granted)
    late.receive(prefix, "x", qos=min(published, granted), dup=False, retain=True)


@proves("5.0", "MQTT-3.3.1-4")
@proves("3.1.1", "MQTT-3.3.1-4")
@pytest.mark.parametrize("others", (0, 1, 8, 9))
def test_qos_3_is_malformed(connect, prefix, version, others):
    client = connect(version)
    body = mqtt.binary(prefix) + b"\0\1" + (b"\0" if version == 5 else b"") + b"x"
    client.send_raw(mqtt.frame(3, 6 | others, body))
    expect_violation(client, Reason.MALFORMED_PACKET)


# --------------------------------------------------------------------------------------- retained

@proves("5.0", "MQTT-3.3.1-5")
@proves("3.1.1", "MQTT-3.3.1-5", "MQTT-3.3.1-6", "MQTT-3.3.1-7", "MQTT-3.3.1-8")
@pytest.mark.parametrize("first", (0, 1, 2))
@pytest.mark.parametrize("second", (0, 1, 2))
def test_the_last_retained_message_of_a_topic_is_kept_with_its_qos(connect, prefix, version, first,
                                                                   second):
    publisher = connect(version)
    publisher.publish(prefix, "first", qos=first, retain=True)
    publisher.publish(prefix, "second", qos=second, retain=True)
    publisher.ping()
    late = listener_on(connect, prefix, version=version)
    late.receive(prefix, "second", qos=second, retain=True)
    late.expect_nothing()


@proves("5.0", "MQTT-3.3.1-9")
@proves("3.1.1", "MQTT-3.3.1-6", "MQTT-3.3.1-8")
def test_a_new_subscription_gets_the_retained_message_of_each_matching_topic(connect, prefix,
                                                                             version):
    publisher, client = connect(version), connect(version)
    topics = [f"{prefix}/{name}" for name in ("a", "b", "a/b", "", "/", "å")]
    for topic in topics:
        publisher.publish(topic, topic.encode(), qos=1, retain=True)
    for name, numbers in (("#", range(6)), ("+", (0, 1, 3, 5)), ("a/#", (0, 2)), ("c", ())):
        client.subscribe(f"{prefix}/{name}")
        got = [client.receive(retain=True) for _ in numbers]
        client.expect_nothing()
        assert {packet.topic: packet.payload for packet in got} == \
            {topics[number]: topics[number].encode() for number in numbers}


@proves("5.0", "MQTT-3.3.1-6", "MQTT-3.3.1-7")
@proves("3.1.1", "MQTT-3.3.1-10", "MQTT-3.3.1-11")
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_an_empty_retained_message_deletes_and_is_delivered(connect, prefix, version, qos):
    """It is delivered as usual; later subscribers get nothing, not even an empty message."""
    publisher, listener = connect(version), listener_on(connect, prefix, version=version)
    for had_one in (True, False):
        if had_one:
            publisher.publish(prefix, "kept", qos=1, retain=True)
            listener.receive(prefix, "kept")
        publisher.publish(prefix, b"", qos=qos, retain=True)
        listener.receive(prefix, b"", qos=qos, retain=False)
        listener_on(connect, prefix, version=version).expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.3.1-8")
@proves("3.1.1", "MQTT-3.3.1-12")
@pytest.mark.parametrize("qos", (0, 1, 2))
@pytest.mark.parametrize("payload", (b"", b"other"))
def test_what_is_not_retained_leaves_the_retained_message_alone(connect, prefix, version, qos,
                                                                payload):
    publisher = connect(version)
    publisher.publish(prefix, payload, qos=qos)
    publisher.ping()
    listener_on(connect, prefix, version=version).expect_nothing(after=publisher)
    publisher.publish(prefix, "kept", qos=1, retain=True)
    publisher.publish(prefix, payload, qos=qos)
    publisher.ping()
    late = listener_on(connect, prefix, version=version)
    late.receive(prefix, "kept", retain=True)
    late.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.3.1-9", "MQTT-3.3.1-10", "MQTT-3.3.1-11")
def test_retain_handling_of_each_kind_of_subscribe(connect, prefix):
    """(handling, whether the subscription existed) and whether the retained message comes."""
    connect(5).publish(prefix, "kept", qos=1, retain=True)
    for handling in (0, 1, 2):
        client = connect(5)
        for existed in (False, True, True):
            client.subscribe(Subscription(prefix, retain_handling=handling))
            if handling == 0 or (handling == 1 and not existed):
                client.receive(prefix, "kept", retain=True)
            client.expect_nothing()
        client.unsubscribe(prefix)
        client.subscribe(Subscription(prefix, retain_handling=1))
        client.receive(prefix, "kept", retain=True)


@proves("5.0", "MQTT-3.3.1-10", "MQTT-3.1.2-5")
def test_a_subscription_of_a_resumed_session_existed(connect, new_id, prefix):
    name = new_id()
    leave_session(connect, name, prefix)
    connect(5).publish(prefix, "kept", qos=1, retain=True)
    client = session(connect, name)
    client.receive(prefix, "kept", retain=False)
    client.subscribe(Subscription(prefix, retain_handling=1))
    client.expect_nothing()
    client.subscribe(Subscription(prefix, retain_handling=0))
    client.receive(prefix, "kept", retain=True)


@proves("5.0", "MQTT-3.3.1-12", "MQTT-3.3.1-13")
def test_retain_as_published_of_either_kind(connect, prefix):
    """Without it, for any published flag, 0; with it the publisher's. Retained messages that come
    because of the subscription have 1 in either case."""
    publisher = connect(5)
    publisher.publish(f"{prefix}/old", "x", retain=True)
    publisher.ping()
    for keeps in (False, True):
        client = connect(5)
        for name in ("old", f"{keeps}/#"):
            client.subscribe(Subscription(f"{prefix}/{name}", 2, retain_as_published=keeps))
        client.receive(f"{prefix}/old", retain=True)
        for qos in (0, 1, 2):
            for retain in (True, False):
                publisher.publish(f"{prefix}/{keeps}/{qos}", "x", qos=qos, retain=retain)
                client.receive(f"{prefix}/{keeps}/{qos}", retain=keeps and retain)


@proves("3.1.1", "MQTT-3.3.1-9")
def test_on_an_established_subscription_retain_is_0(connect, prefix):
    publisher, client = connect(4), listener_on(connect, prefix, version=4)
    for qos in (0, 1, 2):
        for retain in (True, False):
            publisher.publish(prefix, "x", qos=qos, retain=retain)
            client.receive(prefix, "x", qos=qos, retain=False)


# ------------------------------------------------------------------------------------------ topics

@proves("5.0", "MQTT-3.3.2-2", "MQTT-4.7.0-1")
@proves("3.1.1", "MQTT-3.3.2-2", "MQTT-4.7.1-1")
@pytest.mark.parametrize("topic", ("+", "#", "{}/+", "{}/#", "{}/a+", "{}#", "{}/+/b", "+/{}"))
def test_a_topic_with_wildcards_ends_the_connection(connect, prefix, version, topic):
    """Whatever the QoS; it is neither delivered nor retained."""
    listener = listener_on(connect, f"{prefix}/#", f"+/{prefix}", version=version)
    for qos in (0, 1, 2):
        client = connect(version)
        client.send(Publish(topic.format(prefix), b"x", qos, True, packet_id=1))
        expect_violation(client, MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_NAME_INVALID})
    listener.expect_nothing(after=connect(version))


@proves("5.0", "MQTT-3.3.2-1")
@proves("3.1.1", "MQTT-3.3.2-1")
def test_the_topic_comes_first(connect, prefix, version):
    """Before the identifier, byte for byte, both ways: a payload that looks like another topic
    stays one."""
    client, other = connect(version), mqtt.binary(prefix + "/other")
    client.subscribe(f"{prefix}/#", qos=1)
    none = b"\0" if version == 5 else b""
    body = mqtt.binary(prefix + "/topic") + b"\x61\x62" + none + other
    client.send_raw(mqtt.frame(3, 2, body))
    client.expect(Puback, packet_id=0x6162)
    client.receive(prefix + "/topic", other)


@proves("5.0", "MQTT-3.3.2-14")
@pytest.mark.parametrize("topic", ("#", "+", "a/+/b", "a/#", "a#", "a+"))
def test_a_response_topic_with_wildcards(connect, topic):
    client = connect(5)
    client.send(Publish("t", b"x", properties={"response_topic": topic}))
    expect_violation(client, MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_NAME_INVALID})


# -------------------------------------------------------------------------------------- properties

EACH_PROPERTY = [
    pytest.param("payload_format_indicator", (0, 1), id="payload-format-indicator",
                 marks=proves("5.0", "MQTT-3.3.2-4")),
    pytest.param("response_topic", ("r", "r/æ/" + "x" * 200, "$x"), id="response-topic",
                 marks=proves("5.0", "MQTT-3.3.2-15")),
    pytest.param("correlation_data", (b"", b"\0", b"\xff\xfe\0" * 50, bytes(range(256))),
                 id="correlation-data", marks=proves("5.0", "MQTT-3.3.2-16")),
    pytest.param("content_type", ("", "text/plain", "æ" * 100), id="content-type",
                 marks=proves("5.0", "MQTT-3.3.2-20")),
    pytest.param("user_property", ([("a", "1")], [("a", "1"), ("a", "1"), ("a", "1")],
                                   [("", "")], [("z", "1"), ("a", "2"), ("z", "0"), ("a", "2")]),
                 id="user-property", marks=proves("5.0", "MQTT-3.3.2-17", "MQTT-3.3.2-18")),
]


@pytest.mark.parametrize("name, values", EACH_PROPERTY)
def test_a_property_reaches_all_subscribers_as_it_was(connect, new_id, prefix, name, values):
    """At each QoS, live, retained and kept for one who is away; and none that was not sent."""
    away = new_id()
    leave_session(connect, away, prefix)
    publisher = connect(5)
    listeners = [connect(5) for _ in range(2)]
    for listener in listeners:
        listener.subscribe(prefix, qos=2)
    count = 0
    for value in (*values, None):
        properties = {} if value is None else {name: value}
        for qos in (0, 1, 2):
            publisher.publish(prefix, str(count), qos=qos, retain=True, properties=properties)
            for listener in listeners:
                assert listener.receive(prefix, str(count), qos=qos).properties == properties
            count += 1
            late = listener_on(connect, prefix)
            assert late.receive(prefix, retain=True).properties == properties
            late.disconnect()
    back = session(connect, away)
    got = [back.receive(prefix) for _ in (*values, None) for _ in (1, 2)]
    wanted = [{name: value} for value in values] + [{}]
    for qos in (1, 2):                               # each QoS has an order of its own
        assert [packet.properties for packet in got if packet.qos == qos] == wanted


@proves("5.0", "MQTT-3.3.2-5", "MQTT-3.3.2-6")
def test_what_waits_too_long_is_deleted_and_the_rest_has_aged(connect, new_id, prefix):
    """Each copy by itself: the one that was delivered at once was delivered."""
    away, publisher, here = new_id(), connect(5), listener_on(connect, f"{prefix}/+")
    leave_session(connect, away, f"{prefix}/+")
    for seconds in (1, 1000):
        for qos in (1, 2):
            publisher.publish(f"{prefix}/{seconds}", "x", qos=qos, retain=True,
                              properties={"message_expiry_interval": seconds})
            packet = here.receive(f"{prefix}/{seconds}", qos=qos)
            assert packet.properties["message_expiry_interval"] in (seconds, seconds - 1)
    wait_out_a_second(connect, f"{prefix}/x/clock")
    for late in (session(connect, away), listener_on(connect, f"{prefix}/+")):
        packet = late.receive(f"{prefix}/1000")
        assert 900 < packet.properties["message_expiry_interval"] < 1000
    late.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.3.2-5")
def test_what_expires_behind_a_full_window_is_deleted_too(connect, prefix):
    """Delivery of it has not begun, though its receiver is connected."""
    publisher, client = connect(5), connect(5, properties={"receive_maximum": 1})
    client.subscribe(prefix, qos=1)
    publisher.publish(prefix, "first", qos=1)
    first = client.expect(Publish, payload="first")
    publisher.publish(prefix, "short", qos=1, properties={"message_expiry_interval": 1})
    publisher.publish(prefix, "long", qos=1, properties={"message_expiry_interval": 1000})
    wait_out_a_second(connect, f"{prefix}/clock")
    client.send(Puback(first.packet_id))
    client.receive(prefix, "long")
    client.expect_nothing(after=publisher)


# ------------------------------------------------------------------------------------ topic aliases

@proves("5.0", "MQTT-3.3.2-12")
def test_each_alias_up_to_the_maximum_can_be_set_and_set_anew(connect, prefix):
    client = connect(5)
    client.subscribe(f"{prefix}/#")
    maximum = client.connack.properties["topic_alias_maximum"]
    for shift in (0, 1):
        for alias in range(1, maximum + 1):
            client.publish(f"{prefix}/{alias + shift}", "set", properties={"topic_alias": alias})
            client.receive(f"{prefix}/{alias + shift}", "set")
        for alias in range(maximum, 0, -1):
            client.publish("", "used", properties={"topic_alias": alias})
            client.receive(f"{prefix}/{alias + shift}", "used")


BAD_ALIASES = [
    pytest.param(lambda maximum: 0, id="zero",
                 marks=proves("5.0", "MQTT-3.3.2-8", "MQTT-4.13.1-1")),
    pytest.param(lambda maximum: maximum + 1, id="beyond-the-maximum",
                 marks=proves("5.0", "MQTT-3.3.2-9", "MQTT-3.2.2-17", "MQTT-4.13.1-1")),
    pytest.param(lambda maximum: 65_535, id="largest",
                 marks=proves("5.0", "MQTT-3.3.2-9", "MQTT-3.2.2-17")),
]


@pytest.mark.parametrize("alias", BAD_ALIASES)
@pytest.mark.parametrize("has_topic", (True, False))
def test_an_alias_that_there_is_not(connect, prefix, alias, has_topic):
    client, listener = connect(5), listener_on(connect, prefix)
    number = alias(client.connack.properties["topic_alias_maximum"])
    client.send(Publish(prefix if has_topic else "", b"x", properties={"topic_alias": number}))
    expect_violation(client, {Reason.TOPIC_ALIAS_INVALID, Reason.PROTOCOL_ERROR})
    listener.expect_nothing(after=connect(5))


@proves("5.0", "MQTT-3.3.2-9", "MQTT-3.2.2-18", "MQTT-3.2.2-17")
def test_without_a_maximum_no_alias_is_taken(fresh_broker, connect, prefix):
    port = fresh_broker("--max-topic-alias", "0").port
    client = connect(5, port=port)
    assert client.connack.properties.get("topic_alias_maximum", 0) == 0
    client.send(Publish(prefix, b"x", properties={"topic_alias": 1}))
    expect_violation(client, {Reason.TOPIC_ALIAS_INVALID, Reason.PROTOCOL_ERROR})


@proves("5.0", "MQTT-3.3.2-7", "MQTT-4.7.3-1")
@pytest.mark.parametrize("ending", ("disconnect", "abort", "takeover"))
def test_an_alias_of_the_last_connection_is_unknown(connect, new_id, prefix, ending):
    """Also to the broker as a sender, which must not use one that the new one was not told."""
    name, publisher = new_id(), connect(5)
    limits = {"topic_alias_maximum": 5}
    old = session(connect, name, properties=limits)
    old.subscribe(prefix, qos=0)
    for _ in range(3):
        old.publish(prefix, "x", properties={"topic_alias": 1})
        old.receive(prefix, "x")
    if ending == "disconnect":
        old.disconnect()
    elif ending == "abort":
        old.abort()
    new = session(connect, name, properties=limits)
    publisher.publish(prefix, "y")
    assert new.receive(prefix, "y").wire_topic == prefix
    new.send(Publish("", b"z", properties={"topic_alias": 1}))
    expect_violation(new, {Reason.TOPIC_ALIAS_INVALID, Reason.PROTOCOL_ERROR})


@proves("5.0", "MQTT-4.7.3-1")
@proves("3.1.1", "MQTT-4.7.3-1")
def test_an_empty_topic_needs_an_alias(connect, version):
    client = connect(version)
    client.send(Publish("", b"x"))
    expect_violation(client, MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_NAME_INVALID})


@proves("5.0", "MQTT-3.1.2-26", "MQTT-3.3.2-11", "MQTT-3.3.2-8")
@pytest.mark.parametrize("maximum", (1, 2, 3, 65_535))
def test_the_brokers_aliases_stay_within_the_clients_maximum(connect, prefix, maximum):
    """The client checks each: never 0, never more than it announced, never one not set before."""
    client = connect(5, properties={"topic_alias_maximum": maximum})
    client.subscribe(f"{prefix}/#", qos=1)
    used = set()
    for number in range(150):
        topic = f"{prefix}/{number % 50}"
        client.publish(topic, topic, qos=number // 50 % 2)
        used.add(client.receive(topic, topic).properties.get("topic_alias"))
    assert used - {None}, "none at all proves little"


# -------------------------------------------------------------------------- the subscribers' side

@proves("5.0", "MQTT-3.3.2-3")
@proves("3.1.1", "MQTT-3.3.2-3")
@pytest.mark.parametrize("filter_, wanted", (
    ("{}", {"{}"}), ("{}/+", {"{}/a", "{}/b", "{}/"}), ("{}/#", {"{}", "{}/a", "{}/b", "{}/a/b",
                                                                 "{}/"}),
    ("+/a", {"{}/a"}), ("{}/a/+", {"{}/a/b"}), ("/{}", {"/{}"}), ("+/{}", {"/{}"}), ("{}/c", set()),
))
def test_what_is_delivered_matches(connect, prefix, version, filter_, wanted):
    publisher, client = connect(version), connect(version)
    client.subscribe(filter_.format(prefix))
    for topic in ("{}", "{}/a", "{}/b", "{}/a/b", "{}/", "/{}", "{}x", "x{}"):
        publisher.publish(topic.format(prefix), "x")
    got = [packet.topic for packet in client.receive_all(after=publisher)]
    # Of the filter that starts with a wildcard others' topics may match too.
    assert sorted(t for t in got if prefix in t) == sorted(t.format(prefix) for t in wanted)


@proves("5.0", "MQTT-3.3.4-1", "MQTT-4.3.2-4", "MQTT-4.3.3-8")
@proves("3.1.1", "MQTT-3.3.4-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2")
@pytest.mark.parametrize("is_wanted", (True, False), ids=("subscribed", "unsubscribed"))
def test_publish_is_answered_by_its_qos(connect, prefix, version, is_wanted):
    """And by nothing else: neither twice, nor at QoS 0."""
    client = connect(version)
    if is_wanted:
        connect(version).subscribe(prefix)
    client.publish(prefix, "x")
    client.expect_nothing()
    client.send(Publish(prefix, b"x", 1, packet_id=3))
    client.expect(Puback, packet_id=3, reason=range(0x80))
    client.expect_nothing()
    client.send(Publish(prefix, b"x", 2, packet_id=3))
    client.expect(Pubrec, packet_id=3, reason=range(0x80))
    client.expect_nothing()


@proves("5.0", "MQTT-3.3.4-2", "MQTT-3.3.4-4")
@proves("3.1.1", "MQTT-3.3.5-1")
@pytest.mark.parametrize("order", ((0, 1, 2), (2, 1, 0), (1, 2, 0)))
@pytest.mark.parametrize("published", (0, 1, 2))
def test_overlapping_filters(connect, prefix, version, order, published):
    """The highest granted QoS counts, whichever filter has it, and in 5.0 all identifiers come."""
    publisher, client = connect(version), connect(version)
    names = (f"{prefix}/#", f"{prefix}/+", f"{prefix}/a")
    for number, (name, qos) in enumerate(zip(names, order), 1):
        properties = {"subscription_identifier": number} if version == 5 else {}
        client.subscribe(name, qos=qos, properties=properties)
    publisher.publish(f"{prefix}/a", "x", qos=published)
    packets = client.receive_all(after=publisher)
    assert max(packet.qos for packet in packets) == published
    if version == 5:
        got = [number for p in packets for number in p.properties["subscription_identifier"]]
        assert sorted(got) == [1, 2, 3]


@proves("5.0", "MQTT-3.3.4-3", "MQTT-3.3.4-5")
def test_identifiers_are_those_of_the_matching_subscriptions(connect, prefix):
    """Of each client its own, none from a subscription without; and of a retained message the one
    that asked for it."""
    publisher, one, other, plain = (connect(5) for _ in range(4))
    one.subscribe(f"{prefix}/a", properties={"subscription_identifier": 11})
    one.subscribe(f"{prefix}/b", properties={"subscription_identifier": 12})
    other.subscribe(f"{prefix}/#", properties={"subscription_identifier": 13})
    plain.subscribe(f"{prefix}/#")
    for name, of_one in (("a", 11), ("b", 12)):
        publisher.publish(f"{prefix}/{name}", "x", qos=1, retain=True)
        one.receive(f"{prefix}/{name}", properties={"subscription_identifier": [of_one]})
        other.receive(f"{prefix}/{name}", properties={"subscription_identifier": [13]})
        plain.receive(f"{prefix}/{name}", properties={"subscription_identifier": None})
    other.subscribe(f"{prefix}/+", properties={"subscription_identifier": 14})
    for _ in range(2):
        other.receive(retain=True, properties={"subscription_identifier": [14]})


@proves("5.0", "MQTT-3.3.4-6")
@pytest.mark.parametrize("identifier", (0, 1, 268_435_455))
def test_a_client_may_not_publish_a_subscription_identifier(connect, prefix, identifier):
    client, listener = connect(5), listener_on(connect, prefix)
    client.send(Publish(prefix, b"x", properties={"subscription_identifier": identifier}))
    expect_violation(client, Reason.PROTOCOL_ERROR)
    listener.expect_nothing(after=connect(5))


@proves("3.1.1", "MQTT-3.3.5-2")
@proves("5.0", "MQTT-4.3.3-9", "MQTT-3.4.2-1", "MQTT-3.5.2-1")
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_a_publish_that_is_not_authorised(connect, version, qos):
    """The broker's own topics are no client's to write: 3.1.1 is answered as always, 5.0 is told,
    nobody gets it, and the connection goes on."""
    listener = listener_on(connect, "$SYS/wire-test", version=version)
    client = connect(version)
    answer = client.publish("$SYS/wire-test", "x", qos=qos, retain=True)
    if version == 5 and qos:
        assert answer.reason == Reason.NOT_AUTHORIZED
    client.ping()
    listener.expect_nothing(after=client)


# ------------------------------------------------------------------------------- Receive Maximum

@proves("5.0", "MQTT-3.3.4-9", "MQTT-4.9.0-1", "MQTT-4.9.0-2")
@pytest.mark.parametrize("maximum", (1, 2, 7))
@pytest.mark.parametrize("qos", (1, 2))
def test_no_more_in_flight_than_the_receive_maximum(connect, new_id, prefix, maximum, qos):
    """Live, and again after a reconnect with a smaller one; at QoS 2 PUBCOMP frees the place."""
    name, publisher = new_id(), connect(5)
    client = session(connect, name, properties={"receive_maximum": maximum})
    client.subscribe(prefix, qos=qos)
    for number in range(maximum + 2):
        publisher.publish(prefix, str(number), qos=qos)
    window = [client.expect(Publish, payload=str(number)) for number in range(maximum)]
    client.expect_nothing(after=publisher)
    if qos == 2:
        client.send(Pubrec(window[0].packet_id))
        client.expect(Pubrel, packet_id=window[0].packet_id)
        client.expect_nothing(after=publisher)
    client.abort()
    client = session(connect, name, properties={"receive_maximum": 1})
    rest = range(1 if qos == 2 else 0, maximum + 2)
    if qos == 2:
        client.expect(Pubrel, packet_id=window[0].packet_id)
        client.send(mqtt.Pubcomp(window[0].packet_id))
    for number in rest:
        packet = client.expect(Publish, payload=str(number))
        client.expect_nothing(after=publisher)
        client.acknowledge(packet)
    client.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.3.4-10", "MQTT-4.9.0-3")
def test_a_full_window_delays_nothing_else(connect, prefix):
    publisher, client = connect(5), connect(5, properties={"receive_maximum": 1})
    client.subscribe(prefix, qos=2)
    for _ in range(3):
        publisher.publish(prefix, "held up", qos=2)
    held = client.expect(Publish, payload="held up")
    client.ping()
    client.send(Subscribe(9, [Subscription(f"{prefix}/other")]))
    client.expect(Suback, packet_id=9)
    publisher.publish(f"{prefix}/other", "QoS 0")
    client.expect(Publish, payload="QoS 0", qos=0)
    client.send(Unsubscribe(10, [f"{prefix}/other"]))
    client.expect(Unsuback, packet_id=10)
    for qos in (1, 2):
        client.publish(f"{prefix}/mine", "x", qos=qos)
    client.expect_nothing()
    client.acknowledge(held)
    client.expect(Publish, payload="held up")
