# SPDX-License-Identifier: MIT
"""Every path by which a message reaches somebody, when the rules change under it.

Each test runs three times for each version and transport: the rules stay (then the message comes,
so the test would notice), a rule denies it, the user's rules are gone. The change is in effect when
the broker has said that it has read the file, within the second of the change before it.
"""
import itertools

import pytest

from client import Client, durable, settle
from mqtt import Publish, Pubcomp, Pubrec, Pubrel, Puback, Will
from rules import Rules
from server import Broker
from websocket import WebSocketClient

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """A broker of this process's own, whose rules change all the time."""
    directory = tmp_path_factory.mktemp("matrix")
    shared = Rules(directory / "acl")
    with Broker(directory / "broker", "--acl-file", shared.path, "--allow-anonymous", "true",
                "--will-grace", "0") as broker:
        shared.broker = broker
        yield shared


class Case:
    """Two users, a topic, and one of three things that happen to one of them."""

    def __init__(self, rules, change, version, make):
        self.rules, self.kind, self.version, self.make = rules, change, version, make
        number = next(_numbers)
        self.root = f"m{number}"
        self.topic, self.other = f"{self.root}/x", f"{self.root}/other"
        self.reading, self.writing, self.third = (f"{word}{number}" for word in ("r", "w", "t"))
        rules.set(**{name: [f"{self.root}/#"] for name in
                     (self.reading, self.writing, self.third)})
        self.helper = make(4, "", username=self.third)

    @property
    def is_control(self):
        return self.kind == "nothing"

    def change(self, user):
        """`user` may no longer read and write the topic; twice within a second, to be nasty."""
        if self.is_control:
            self.rules.set()
            return
        self.rules.set(**{user: [f"{self.root}/#", "deny nothing"]})
        self.rules.set(**{user: [f"{self.root}/#", f"deny {self.topic}"]
                          if self.kind == "rule" else None})

    def reader(self, client_id=None, **fields):
        return self.make(self.version, client_id or self.reading, username=self.reading, **fields)

    def writer(self, **fields):
        return self.make(self.version, self.writing, username=self.writing, **fields)

    def publish(self, payload="m", **fields):
        self.helper.publish(self.topic, payload, **fields)

    def messages(self, reader):
        """Those of the topic that came by now; nothing else is waited for."""
        settle(self.helper, reader)
        found = [packet for packet in reader.inbox
                 if isinstance(packet, Publish) and packet.topic == self.topic]
        for packet in found:
            reader.inbox.remove(packet)
        return found

    def judge(self, reader):
        """Did the message come, exactly if it may?"""
        assert len(self.messages(reader)) == self.is_control


@pytest.fixture(params=("nothing", "rule", "user"))
def change(request):
    return request.param


@pytest.fixture(params=(4, 5), ids=("3.1.1", "5.0"))
def version(request):
    return request.param


@pytest.fixture(params=(Client, WebSocketClient), ids=("tcp", "websocket"))
def case(request, rules, change, version):
    clients = []

    def make(*arguments, **fields):
        clients.append(request.param(rules.broker.port, *arguments, **fields))
        return clients[-1]

    yield Case(rules, change, version, make)
    for one in clients:
        one.abort()


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_live(case, qos):
    reader = case.reader()
    reader.subscribe(case.topic, qos=qos)
    case.publish("before")
    reader.receive(case.topic, "before")
    case.change(case.reading)
    case.publish(qos=qos)
    case.judge(reader)


def test_live_of_who_may_no_longer_write(case):
    reader, writer = case.reader(), case.writer()
    reader.subscribe(case.topic, qos=1)
    writer.publish(case.topic, "before", qos=1)
    reader.receive(case.topic, "before")
    case.change(case.writing)
    answer = writer.publish(case.topic, "m", qos=1)
    if case.version == 5:
        assert answer.reason == (0 if case.is_control else 0x87)
    case.judge(reader)


def test_by_alias(case):
    """A topic is asked about by its name, each time it stands for one."""
    if case.version < 5:
        pytest.skip("3.1.1 has no aliases")
    reader, writer = case.reader(), case.writer()
    reader.subscribe(case.topic, qos=1)
    writer.publish(case.topic, "before", qos=1, properties={"topic_alias": 1})
    reader.receive(case.topic, "before")
    case.change(case.writing)
    answer = writer.publish("", "m", qos=1, properties={"topic_alias": 1})
    assert answer.reason == (0 if case.is_control else 0x87)
    case.judge(reader)


def test_by_an_alias_of_the_brokers(case):
    if case.version < 5:
        pytest.skip("3.1.1 has no aliases")
    reader = case.reader(properties={"topic_alias_maximum": 5})
    reader.subscribe(case.topic)
    for _ in range(3):
        case.publish("before")
        reader.receive(case.topic, "before")
    case.change(case.reading)
    case.publish()
    case.judge(reader)


def test_retained(case):
    case.publish(retain=True, qos=1)
    reader = case.reader()
    case.change(case.reading)
    reader.try_subscribe(f"{case.root}/#")
    case.judge(reader)


def test_retained_of_who_may_no_longer_write(case):
    writer, reader = case.writer(), case.reader()
    writer.publish(case.topic, "m", retain=True, qos=1)
    writer.disconnect()
    case.change(case.writing)
    reader.subscribe(f"{case.root}/#")
    case.judge(reader)


def test_queued_while_it_was_away(case):
    reader = case.reader(**durable(case.version))
    reader.subscribe(f"{case.root}/#", qos=2)
    reader.disconnect()
    case.publish(qos=1)
    case.publish(qos=2)
    case.change(case.reading)
    reader = case.reader(**durable(case.version))
    assert reader.connack.session_present
    assert len(case.messages(reader)) == (2 if case.is_control else 0)


def test_behind_a_closed_window(case):
    """Queued for a client that is connected and has not acknowledged what went before."""
    reader = case.reader(**(dict(properties={"receive_maximum": 1}) if case.version == 5 else {}))
    reader.subscribe(f"{case.root}/#", qos=1)
    count = 1 if case.version == 5 else 0
    for _ in range(count):
        case.helper.publish(case.other, "first", qos=1)
    held = [reader.expect(Publish, topic=case.other) for _ in range(count)]
    if case.version == 5:
        case.publish(qos=1)
    case.change(case.reading)
    if case.version < 5:
        case.publish(qos=1)
    for packet in held:
        reader.send(Puback(packet.packet_id))
    case.judge(reader)


def test_qos_1_sent_again(case):
    reader = case.reader(**durable(case.version))
    reader.subscribe(case.topic, qos=1)
    case.publish(qos=1)
    first = reader.expect(Publish, topic=case.topic, qos=1)
    reader.abort()
    case.change(case.reading)
    reader = case.reader(**durable(case.version))
    again = case.messages(reader)
    assert [one.packet_id for one in again] == ([first.packet_id] if case.is_control else [])
    assert all(one.dup for one in again)


def test_qos_2_sent_again(case):
    """What may not be sent again ends with PUBREL, so that the identifier is free on both sides."""
    reader = case.reader(**durable(case.version))
    reader.subscribe(case.topic, qos=2)
    case.publish(qos=2)
    first = reader.expect(Publish, topic=case.topic, qos=2)
    reader.abort()
    case.change(case.reading)
    reader = case.reader(**durable(case.version))
    if case.is_control:
        reader.expect(Publish, topic=case.topic, qos=2, packet_id=first.packet_id, dup=True)
        reader.send(Pubrec(first.packet_id))
    reader.expect(Pubrel, packet_id=first.packet_id)
    reader.send(Pubcomp(first.packet_id))
    assert not case.messages(reader)
    reader.abort()
    reader = case.reader(**durable(case.version))
    assert not case.messages(reader) and not reader.inbox


def test_pubrel_goes_on(case):
    """The message was received: there is nothing more to ask about."""
    reader = case.reader(**durable(case.version))
    reader.subscribe(case.topic, qos=2)
    case.publish(qos=2)
    first = reader.expect(Publish, topic=case.topic, qos=2)
    reader.send(Pubrec(first.packet_id))
    reader.expect(Pubrel, packet_id=first.packet_id)
    reader.abort()
    case.change(case.reading)
    reader = case.reader(**durable(case.version))
    reader.expect(Pubrel, packet_id=first.packet_id)
    reader.send(Pubcomp(first.packet_id))
    assert not case.messages(reader)


def test_pubrel_of_a_publisher(case):
    """A QoS 2 message is spread when it comes; its PUBREL spreads nothing."""
    reader, writer = case.reader(), case.writer()
    reader.subscribe(case.topic)
    writer.send(Publish(case.topic, b"m", 2, packet_id=9))
    writer.expect(Pubrec, packet_id=9, reason=0)
    assert len(case.messages(reader)) == 1
    case.change(case.writing)
    writer.send(Pubrel(9))
    writer.expect(Pubcomp, packet_id=9, reason=0)
    assert not case.messages(reader)


def will_of(case, **properties):
    return Will(case.topic, b"m", qos=1, properties=properties)


def test_a_will_that_was_set_before(case):
    reader, writer = case.reader(), case.writer(will=will_of(case))
    reader.subscribe(case.topic, qos=1)
    case.change(case.writing)
    position = case.rules.broker.log_position()
    writer.abort()
    if case.is_control:
        reader.receive(case.topic, "m")
    else:
        case.rules.broker.wait_for_log(f"not delivered.*{case.topic}.*not authorized",
                                       start=position)
    assert not case.messages(reader)


def test_a_will_of_who_may_not_read_it(case):
    reader, writer = case.reader(), case.writer(will=will_of(case))
    reader.subscribe(case.topic, qos=1)
    case.helper.subscribe(case.topic)
    case.change(case.reading)
    writer.abort()
    case.helper.receive(case.topic, "m")
    case.judge(reader)


def test_a_delayed_will(case):
    if case.version < 5:
        pytest.skip("3.1.1 has no delay")
    reader = case.reader()
    reader.subscribe(case.topic, qos=1)
    writer = case.writer(clean=False, properties={"session_expiry_interval": 60},
                         will=will_of(case, will_delay_interval=1))
    writer.abort()
    case.change(case.writing)
    if case.is_control:
        reader.receive(case.topic, "m")
    else:
        case.rules.broker.wait_for_log(f"not delivered.*{case.topic}.*not authorized")
    assert not case.messages(reader)


def test_a_shared_subscription_passes_over_who_may_not(case):
    one = case.reader()
    other = case.make(case.version, "", username=case.third)
    for member in (one, other):
        member.subscribe(f"$share/g/{case.topic}", qos=1)
    case.change(case.reading)
    for number in range(8):
        case.publish(str(number), qos=1)
    mine, others = case.messages(one), case.messages(other)
    assert len(mine) + len(others) == 8
    assert (len(mine) > 0) == case.is_control


def test_a_shared_message_that_waits_goes_to_who_may(case):
    """Queued for one member while it may; when it may not, another has it."""
    one = case.reader(**durable(case.version))
    one.subscribe(f"$share/g/{case.topic}", qos=1)
    one.disconnect()
    case.publish(qos=1)
    other = case.make(case.version, "", username=case.third)
    other.subscribe(f"$share/g/{case.topic}", qos=1)
    case.change(case.reading)
    one = case.reader(**durable(case.version))
    assert len(case.messages(one)) == case.is_control
    assert len(case.messages(other)) == (not case.is_control)


def test_overlapping_filters(case):
    reader = case.reader()
    reader.subscribe(f"{case.root}/#", qos=1)
    reader.subscribe(f"{case.root}/+", qos=2)
    reader.subscribe(case.topic, qos=0)
    case.change(case.reading)
    case.publish(qos=1)
    case.judge(reader)


def test_what_is_still_allowed_still_comes(case):
    """A rule that denies one topic says nothing of the others; the subscription stays."""
    reader = case.reader()
    reader.subscribe(f"{case.root}/#", qos=1)
    case.change(case.reading)
    case.publish(qos=1)
    case.helper.publish(case.other, "o", qos=1)
    if case.kind != "user":
        reader.wait_for(Publish, topic=case.other, payload=b"o")
    case.judge(reader)


def test_take_over(case):
    """The same user comes by another connection, to what was sent by the first."""
    first = case.reader(**durable(case.version))
    first.subscribe(case.topic, qos=1)
    case.publish(qos=1)
    first.expect(Publish, topic=case.topic)
    case.change(case.reading)
    second = case.reader(**durable(case.version))
    assert second.connack.session_present
    case.judge(second)
