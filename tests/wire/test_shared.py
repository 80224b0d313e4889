# SPDX-License-Identifier: MIT
"""Shared subscriptions: $share/<group>/<filter>, in every version, as Mosquitto has it."""
import pytest

from client import durable, settle
from mqtt import (Disconnect, Publish, Pubrec, Pubrel, Reason, Suback, Subscribe, Subscription,
                  Will)


def drain(members, publisher):
    """What each member got, acknowledged."""
    settle(publisher, *members)
    return [[p.payload for p in member.receive_all(after=publisher)] for member in members]


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_messages_are_spread_and_none_is_doubled(connect, prefix, version, qos):
    publisher, members = connect(version), [connect(version) for _ in range(3)]
    for member in members:
        member.subscribe(f"$share/group/{prefix}/+", qos=qos)
    for number in range(90):
        publisher.publish(f"{prefix}/x", b"%d" % number, qos=qos)
    got = drain(members, publisher)
    assert sorted(int(p) for one in got for p in one) == list(range(90))
    assert all(len(one) >= 10 for one in got), [len(one) for one in got]


def test_each_member_gets_its_messages_in_order(connect, prefix, version):
    publisher, members = connect(version), [connect(version) for _ in range(2)]
    for member in members:
        member.subscribe(f"$share/group/{prefix}", qos=1)
    for number in range(60):
        publisher.publish(prefix, b"%d" % number, qos=1)
    for one in drain(members, publisher):
        assert [int(p) for p in one] == sorted(int(p) for p in one)


def test_groups_and_plain_subscribers_each_get_a_copy(connect, prefix, version):
    publisher = connect(version)
    plain, first, second = (connect(version) for _ in range(3))
    plain.subscribe(prefix)
    first.subscribe(f"$share/first/{prefix}")
    second.subscribe(f"$share/second/{prefix}", f"$share/second/{prefix}/#")
    publisher.publish(prefix, "x")
    for client in (plain, first):
        client.receive(prefix, "x")
        client.expect_nothing(after=publisher)
    # Two filters are two shared subscriptions, even of one group and one client.
    assert 1 <= len(second.receive_all(after=publisher)) <= 2


@pytest.mark.proves("5.0", "MQTT-3.3.4-5")
def test_a_client_in_a_group_and_beside_it(connect, prefix):
    client = connect(5)
    client.subscribe(prefix, properties={"subscription_identifier": 1})
    client.subscribe(f"$share/group/{prefix}", properties={"subscription_identifier": 2})
    client.publish(prefix, "x")
    identifiers = sorted(sum((p.properties["subscription_identifier"]
                              for p in client.receive_all(after=connect(5))), []))
    assert identifiers == [1, 2]


@pytest.mark.proves("5.0", "MQTT-4.8.2-3")
def test_delivery_is_at_the_members_qos(connect, prefix, version):
    publisher, member = connect(version), connect(version)
    member.subscribe(f"$share/group/{prefix}", qos=1)
    publisher.publish(prefix, "x", qos=2)
    member.receive(prefix, "x", qos=1)


def test_nothing_retained_is_replayed_to_a_group(connect, prefix, version):
    publisher, member = connect(version), connect(version)
    publisher.publish(prefix, "kept", qos=1, retain=True)
    member.subscribe(f"$share/group/{prefix}")
    member.expect_nothing()
    publisher.publish(prefix, "live", qos=1, retain=True)
    member.receive(prefix, "live", retain=False)


def test_unsubscribing_leaves_the_group(connect, prefix, version):
    publisher, stays, leaves = connect(version), connect(version), connect(version)
    for member in (stays, leaves):
        member.subscribe(f"$share/group/{prefix}")
    leaves.unsubscribe(f"$share/group/{prefix}")
    for number in range(10):
        publisher.publish(prefix, str(number))
    assert drain([stays, leaves], publisher) == [[b"%d" % n for n in range(10)], []]


def test_members_that_are_here_come_first(connect, new_id, prefix, version):
    publisher, name = connect(version), new_id()
    with connect(version, name, **durable(version)) as away:
        away.subscribe(f"$share/group/{prefix}", qos=1)
        away.disconnect()
    here = connect(version)
    here.subscribe(f"$share/group/{prefix}", qos=1)
    for number in range(20):
        publisher.publish(prefix, b"%d" % number, qos=1)
    assert drain([here], publisher) == [[b"%d" % number for number in range(20)]]
    connect(version, name, **durable(version)).expect_nothing(after=publisher)


def test_while_all_are_away_their_sessions_keep_the_messages(connect, new_id, prefix, version):
    publisher, names = connect(version), [new_id(), new_id()]
    for name in names:
        with connect(version, name, **durable(version)) as member:
            member.subscribe(f"$share/group/{prefix}", qos=1)
            member.disconnect()
    for number in range(20):
        publisher.publish(prefix, b"%d" % number, qos=1)
    back = [connect(version, name, **durable(version)) for name in names]
    got = drain(back, publisher)
    assert sorted(int(p) for one in got for p in one) == list(range(20))


def test_what_a_member_left_unacknowledged_goes_to_another(connect, prefix, version):
    """Its session ends with its connection, so nobody else would ever get it."""
    publisher, dies, lives = connect(version), connect(version), connect(version)
    for member in (dies, lives):
        member.subscribe(f"$share/group/{prefix}", qos=1)
    for number in range(20):
        publisher.publish(prefix, b"%d" % number, qos=1)
    settle(publisher, dies, lives)
    assert any(isinstance(packet, Publish) for packet in dies.inbox)
    dies.abort()
    got = []
    while len(got) < 20:
        got.append(int(lives.receive(prefix).payload))
    assert sorted(got) == list(range(20))


@pytest.mark.proves("5.0", "MQTT-4.8.2-5")
def test_qos_2_that_was_begun_goes_to_nobody_else(connect, prefix):
    """[MQTT-4.8.2-5]"""
    publisher, dies = connect(5), connect(5)
    dies.subscribe(f"$share/group/{prefix}", qos=2)
    publisher.publish(prefix, "x", qos=2)
    packet_id = dies.expect(Publish, qos=2).packet_id
    dies.send(Pubrec(packet_id))
    dies.expect(Pubrel, packet_id=packet_id)
    lives = connect(5)
    lives.subscribe(f"$share/group/{prefix}", qos=2)
    dies.disconnect()
    lives.expect_nothing(after=publisher)


def test_a_will_reaches_the_group_once(connect, prefix, version):
    members = [connect(version) for _ in range(2)]
    for member in members:
        member.subscribe(f"$share/group/{prefix}", qos=1)
    watcher = connect(version)
    watcher.subscribe(prefix)
    connect(version, will=Will(prefix, b"gone", 1)).abort()
    watcher.receive(prefix, "gone")
    assert sorted(map(len, drain(members, connect(version)))) == [0, 1]


@pytest.mark.proves("5.0", "MQTT-3.8.3-4")
def test_no_local_in_a_group_is_a_protocol_error(connect, prefix):
    """[MQTT-3.8.3-4]"""
    client = connect(5)
    client.send(Subscribe(1, [Subscription(f"$share/group/{prefix}", no_local=True)]))
    client.expect_closed(Reason.PROTOCOL_ERROR)


@pytest.mark.proves("5.0", "MQTT-4.8.2-1", "MQTT-4.8.2-2")
@pytest.mark.parametrize("name", ("$share/", "$share/group", "$share/group/", "$share//t",
                                  "$share/gr+up/t", "$share/gr#up/t", "$share/+/t"))
def test_names_that_are_no_group_are_refused(connect, name):
    client = connect(5)
    client.send(Subscribe(1, [Subscription(name)]))
    answer = client.next()
    if isinstance(answer, Suback):
        assert answer.reasons == [Reason.TOPIC_FILTER_INVALID]
        return
    assert isinstance(answer, Disconnect)
    assert answer.reason in {Reason.TOPIC_FILTER_INVALID, Reason.PROTOCOL_ERROR,
                             Reason.MALFORMED_PACKET}
    client.expect_closed()
