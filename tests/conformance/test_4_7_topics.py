# SPDX-License-Identifier: MIT
"""Chapters 4.7 and 4.8: topic names and filters, matching, shared subscriptions."""
import pytest

import mqtt
from client import settle
from exchange import MALFORMED_OR_PROTOCOL_ERROR, listener_on, session
from mqtt import (Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel, Reason, Suback, Subscribe,
                  Subscription)

proves = pytest.mark.proves


def is_refused(client, name):
    """Is this filter refused, in SUBACK or by the end of the connection?"""
    client.send(Subscribe(1, [Subscription(name)]))
    client.end_stream()
    answer = client.read_to_end()
    if not answer:
        return client.version < 5
    packet = mqtt.decode(answer[:2 + answer[1]], client.version)
    if isinstance(packet, Suback):
        return packet.reasons[0] >= 0x80
    assert isinstance(packet, Disconnect)
    return packet.reason in MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_FILTER_INVALID}


BAD_FILTERS = [
    pytest.param(("a#", "#a", "a/#/b", "a/b#", "#/", "#/#", "##", "/#/", "a/#b", "+#", "#+",
                  "+/#/+"), id="number-sign", marks=[proves("5.0", "MQTT-4.7.1-1"),
                                          proves("3.1.1", "MQTT-4.7.1-2")]),
    pytest.param(("a+", "+a", "a/+b", "a/b+", "++", "a/++/b", "+a/b", "a/b+/c"),
                 id="plus", marks=[proves("5.0", "MQTT-4.7.1-2"), proves("3.1.1", "MQTT-4.7.1-3")]),
    pytest.param(("",), id="empty", marks=[proves("5.0", "MQTT-4.7.3-1"),
                                           proves("3.1.1", "MQTT-4.7.3-1")]),
    pytest.param(("$share/", "$share/g", "$share/g/", "$share//t", "$share/g/a#",
                  "$share/g/+a"),
                 id="share", marks=[proves("5.0", "MQTT-4.8.2-1", "MQTT-4.8.2-2")]),
    pytest.param(("$share/+/t", "$share/#/t", "$share/g+/t", "$share/#", "$share/+",
                  "$share/a#b/t"), id="share-name", marks=[proves("5.0", "MQTT-4.8.2-2")]),
]


@pytest.mark.parametrize("names", BAD_FILTERS)
def test_malformed_filters_are_refused(connect, version, names):
    for name in names:
        assert is_refused(connect(version), name), name


GOOD = [
    ("+", ("a", "", "å", "a b", " "), ("a/b", "/a", "a/", "/")),
    ("#", ("a", "/", "a/b/c", "//"), ()),
    ("a/+/b", ("a/x/b", "a//b", "a/ /b"), ("a/b", "a/x/y/b", "a/x/b/", "/a/x/b", "x/a/x/b")),
    ("+/+", ("/", "a/b", "/a", "a/"), ("a", "a/b/c")),
    ("/+", ("/a", "/"), ("a", "/a/b", "//a")),
    ("+/a/#", ("x/a", "x/a/", "/a/b/c", "x/a/b"), ("a", "a/ax", "x/b/a")),
    ("a/#", ("a", "a/", "a/b", "a//", "a/b/c/d"), ("ab", "/a", "b/a")),
    ("/#", ("/", "/a", "//"), ("a", "a/")),
    ("a", ("a",), ("/a", "a/", "A", "aa", "a ", " a")),
]


@proves("5.0", "MQTT-4.7.1-1", "MQTT-4.7.1-2", "MQTT-3.3.2-3")
@proves("3.1.1", "MQTT-4.7.1-2", "MQTT-4.7.1-3", "MQTT-3.3.2-3")
@pytest.mark.parametrize("name, matching, others", GOOD)
def test_what_wildcards_match(connect, prefix, version, name, matching, others):
    """Below a level of the test's own, live and retained."""
    publisher, client = connect(version), connect(version)
    client.subscribe(f"{prefix}/{name}")
    topics = [f"{prefix}/{topic}" for topic in (*matching, *others)]
    for topic in topics:
        publisher.publish(topic, "x", qos=1, retain=True)
    wanted = topics[:len(matching)]
    assert [packet.topic for packet in client.receive_all(after=publisher)] == wanted
    late = listener_on(connect, f"{prefix}/{name}", version=version)
    assert sorted(p.topic for p in late.receive_all(after=publisher)) == sorted(wanted)


@proves("5.0", "MQTT-4.7.1-1")
@proves("3.1.1", "MQTT-4.7.1-2")
def test_the_number_sign_matches_its_parent(connect, prefix, version):
    client = connect(version)
    client.subscribe(f"{prefix}/#")
    for topic in (prefix, f"{prefix}/", f"{prefix}/a"):
        client.publish(topic, "x")
        client.receive(topic)
    client.publish(f"{prefix}a", "x")
    client.expect_nothing()


@proves("5.0", "MQTT-4.7.2-1")
@proves("3.1.1", "MQTT-4.7.2-1")
def test_wildcards_at_the_start_do_not_match_dollar_topics(connect, prefix, version):
    """Of any name, live and retained, in one subscription or more; those that say it do."""
    topic = f"${prefix}/a"
    wild, named, publisher = connect(version), connect(version), connect(version)
    publisher.publish(topic, "kept", qos=1, retain=True)
    wild.subscribe("#", "+/a", "+/#", "+/+")
    named.subscribe(f"${prefix}/#")
    named.receive(topic, "kept", retain=True)
    publisher.publish(topic, "live", qos=1)
    named.receive(topic, "live", retain=False)
    publisher.publish(f"{prefix}/a", "other", qos=1)
    got = [packet.topic for packet in wild.receive_all(after=publisher)]
    assert f"{prefix}/a" in got and not [name for name in got if name.startswith("$")]


@proves("5.0", "MQTT-4.7.3-3")
@proves("3.1.1", "MQTT-4.7.3-3")
def test_names_of_the_greatest_length(connect, version):
    """65,535 bytes, the most that a string has: taken and delivered, or refused in good order."""
    listener, name = connect(version), "x" * 65_535
    listener.send(Subscribe(1, [Subscription(name)]))
    reason = listener.expect(Suback, packet_id=1).reasons[0]
    publisher = connect(version)
    publisher.send(Publish(name, b"x", 1, packet_id=1))
    publisher.end_stream()
    answer = publisher.read_to_end()
    if reason < 0x80:
        listener.receive(name, "x")
    elif version == 5:
        packet = mqtt.decode(answer[:2 + answer[1]], 5)
        assert isinstance(packet, Puback) and packet.reason == Reason.TOPIC_NAME_INVALID
    else:
        assert answer == b"", "an acknowledgement would be a promise"
    listener.ping()


@proves("5.0", "MQTT-4.7.3-4")
@proves("3.1.1", "MQTT-4.7.3-4")
@pytest.mark.parametrize("one, other", (
    ("a", "A"), ("å", "a\u030a"), ("é", "É"), ("ß", "ss"), ("a", "a "), ("a/b", "a//b"),
    ("a", "a/"), ("a", "./a"),
    ("ﬁ", "fi"), ("1", "１"), ("a\u200b", "a"), ("K", "\u212a"), ("a%20b", "a b"),
    ("\u00e5", "\u212b"),
))
def test_matching_is_byte_exact(connect, prefix, version, one, other):
    """Live, retained, with UNSUBSCRIBE, and with a wildcard in the filter."""
    publisher, client = connect(version), connect(version)
    client.subscribe(f"{prefix}/{one}", f"+/+/{prefix}/{one}")
    client.unsubscribe(f"{prefix}/{other}")
    publisher.publish(f"{prefix}/{other}", "other", qos=1, retain=True)
    client.subscribe(f"{prefix}/{one}")
    client.expect_nothing(after=publisher)
    publisher.publish(f"{prefix}/{one}", "one", qos=1)
    client.receive(f"{prefix}/{one}", "one")
    client.expect_nothing(after=publisher)


# --------------------------------------------------------------------------- shared subscriptions

@proves("5.0", "MQTT-4.8.2-1")
@pytest.mark.parametrize("group", ("g", "æøå", "a b", "$x", "share", "1" * 200))
def test_any_name_of_one_level_is_a_group(connect, prefix, group):
    client, publisher = connect(5), connect(5)
    for name in (f"{prefix}/a", f"{prefix}/+", f"{prefix}/#", f"/{prefix}"):
        assert client.subscribe(f"$share/{group}/{name}") == [0]
    publisher.publish(f"/{prefix}", "x")
    client.receive(f"/{prefix}", "x")


@proves("5.0", "MQTT-4.8.2-3")
def test_each_member_gets_its_own_qos(connect, prefix):
    publisher, members = connect(5), [connect(5) for _ in range(3)]
    for qos, member in enumerate(members):
        member.subscribe(f"$share/g/{prefix}", qos=qos)
    for number in range(60):
        publisher.publish(prefix, b"%d" % number, qos=2)
    got = 0
    for qos, member in enumerate(members):
        packets = member.receive_all(after=publisher)
        assert {packet.qos for packet in packets} <= {qos}
        got += len(packets)
    assert got == 60


@proves("5.0", "MQTT-4.8.2-4")
@pytest.mark.parametrize("is_released", (False, True))
def test_qos_2_that_was_begun_is_completed_to_the_same_member(connect, new_id, prefix, is_released):
    """Though another member is there all the time."""
    name, publisher = new_id(), connect(5)
    away = session(connect, name)
    away.subscribe(f"$share/g/{prefix}", qos=2)
    publisher.publish(prefix, "x", qos=2)
    packet_id = away.expect(Publish, qos=2).packet_id
    other = listener_on(connect, f"$share/g/{prefix}")
    if is_released:
        away.send(Pubrec(packet_id))
        away.expect(Pubrel, packet_id=packet_id)
    away.abort()
    other.expect_nothing(after=publisher)
    back = session(connect, name)
    if is_released:
        back.expect(Pubrel, packet_id=packet_id)
        back.send(Pubcomp(packet_id))
    else:
        back.receive(prefix, "x", dup=True, packet_id=packet_id)
    back.ping()
    other.expect_nothing(after=publisher)


@proves("5.0", "MQTT-4.8.2-5")
@pytest.mark.parametrize("is_released", (False, True))
def test_qos_2_that_was_begun_is_lost_with_its_session(connect, prefix, is_released):
    publisher, dies = connect(5), connect(5)
    dies.subscribe(f"$share/g/{prefix}", qos=2)
    publisher.publish(prefix, "x", qos=2)
    packet_id = dies.expect(Publish, qos=2).packet_id
    other = listener_on(connect, f"$share/g/{prefix}")
    if is_released:
        dies.send(Pubrec(packet_id))
        dies.expect(Pubrel, packet_id=packet_id)
    dies.disconnect()
    other.expect_nothing(after=publisher)


@proves("5.0", "MQTT-4.8.2-6")
@pytest.mark.parametrize("qos", (1, 2))
def test_what_a_member_refuses_goes_to_no_other(connect, prefix, qos):
    """Whichever it was offered to: no member gets a message that another one refused."""
    publisher, members = connect(5), [connect(5) for _ in range(2)]
    for member in members:
        member.subscribe(f"$share/g/{prefix}", qos=qos)
    for number in range(20):
        publisher.publish(prefix, b"%d" % number, qos=qos)
    settle(publisher, *members)
    offered = []
    for member in members:
        for packet in list(member.inbox):
            offered.append(int(packet.payload))
            ack = Puback if qos == 1 else Pubrec
            member.send(ack(packet.packet_id, Reason.UNSPECIFIED_ERROR))
        member.inbox.clear()
    assert sorted(offered) == list(range(20))
    for member in members:
        member.ping()
    for member in members:
        member.expect_nothing(after=publisher)
        member.disconnect()
