# SPDX-License-Identifier: MIT
"""Sessions, wills and times across kill -9.

DISCONNECT has no answer. Where its effect must be on the disk there is one worker, whose next
acknowledgement to anybody covers it.
"""
import time

import pytest

import crash
from client import Client, durable, eventually
from mqtt import Connack, Publish, Will

CLIENTS = 12


def crashed(fresh_broker, broker, *options):
    """The broker is killed; another one starts on its directory."""
    broker.kill()
    return fresh_broker(*options, directory=broker.directory, workers=broker.workers)


def promised_session(numbers, port, name, version):
    """One client's life up to a crash: (what it was promised, its connection). True: a session.
    False: none. None: it may be either, as the client did not hear how its last wish ended."""
    lasting = numbers.random() < 0.6
    client = Client(port, version, name, connect=False)
    client.send_connect(**(durable(version) if lasting else {"clean": True}))
    if numbers.random() < 0.3:
        return None, client
    assert client.expect(Connack).reason == 0
    if numbers.random() < 0.3:
        client.abort()
    return lasting, client


@pytest.mark.parametrize("workers", (1, 4))
def test_a_session_is_there_exactly_when_promised(fresh_broker, new_id, numbers, figures,
                                                  workers):
    broker, checked = fresh_broker(workers=workers), 0
    for _ in range(crash.KILLS):
        promises, names = {}, [(new_id("s"), numbers.choice((4, 5))) for _ in range(CLIENTS)]
        clients = []
        for name, version in names:
            promises[name], client = promised_session(numbers, broker.port, name, version)
            clients.append(client)
        broker = crashed(fresh_broker, broker)
        for client in clients:
            client.abort()
        for name, version in names:
            with Client(broker.port, version, name, **durable(version)) as client:
                if promises[name] is not None:
                    assert client.connack.session_present == promises[name], name
                    checked += 1
                client.disconnect()
            with Client(broker.port, version, name, clean=True):  # which ends the session
                pass
    figures |= {"kills": crash.KILLS, "sessions": checked, "wrong": 0}


def test_a_session_that_was_ended_stays_ended(fresh_broker, connect, new_id):
    """By Clean Start, by an expiry of 0 in DISCONNECT, and by an expiry of 0 on taking over."""
    broker = fresh_broker(workers=1)
    cleaned, shortened, replaced = new_id(), new_id(), new_id()
    for name in (cleaned, shortened, replaced):
        connect(5, name, broker.port, **durable(5)).subscribe("t", qos=1)
    connect(5, cleaned, broker.port, clean=True)
    connect(5, shortened, broker.port, **durable(5)).disconnect(
        properties={"session_expiry_interval": 0})
    connect(5, replaced, broker.port, clean=False).disconnect()
    # The last two ended without an acknowledgement; the worker's next one covers them.
    connect(5, new_id(), broker.port).publish("t", "x", qos=1)
    broker = crashed(fresh_broker, broker)
    for name in (cleaned, shortened, replaced):
        assert not connect(5, name, broker.port, clean=False).connack.session_present


class Watcher:
    """A lasting subscriber to wills that is away while the broker is killed."""

    def __init__(self, port, name, topic):
        self.name, self.topic, self.seen = name, topic, []
        with Client(port, 5, name, **durable(5)) as link:
            link.subscribe(topic, qos=2)

    def look(self, port, until):
        """Takes wills until `until` names have been seen, then what else is there."""
        with Client(port, 5, self.name, **durable(5)) as link:
            assert link.connack.session_present
            while not set(self.seen) >= until:
                self.seen.append(link.receive(qos=2).payload.decode())
            link.expect_nothing()


def test_wills_of_those_who_do_not_return(fresh_broker, new_id, numbers, prefix, figures):
    """After a restart: the will of who stays away comes once, of who returns or had said goodbye
    it does not. Kept for the whole grace, over restarts, with its delay and without a session."""
    broker, options, wills = fresh_broker(workers=1), ("--will-grace", "2"), 0
    watcher = Watcher(broker.port, new_id("watch"), f"{prefix}/will")
    for kill in range(crash.KILLS):
        names, clients = [new_id("will") for _ in range(CLIENTS)], []
        for number, name in enumerate(names):
            lasting = durable(5) if number % 2 else {"clean": True}
            clients.append(Client(broker.port, 5, name, will=Will(f"{prefix}/will", name, 2),
                                  **lasting))
        goodbye = new_id("bye")
        Client(broker.port, 5, goodbye, will=Will(f"{prefix}/will", goodbye, 2)).disconnect()
        with Client(broker.port, 5, new_id()) as client:
            client.publish("t", "after goodbye", qos=1)
        back = set(numbers.sample(names, CLIENTS // 2))
        broker = crashed(fresh_broker, broker, *options)
        if kill % 2:
            broker = crashed(fresh_broker, broker, *options)
        for name in back:
            clients.append(Client(broker.port, 5, name, clean=False))
        watcher.look(broker.port, set(names) - back | set(watcher.seen))
        wills += CLIENTS // 2
        assert not back & set(watcher.seen)
        assert goodbye not in watcher.seen
        for name in back:  # they say goodbye, or the next round would see them go
            Client(broker.port, 5, name, clean=True).disconnect()
        for client in clients:
            client.abort()
    assert len(watcher.seen) == len(set(watcher.seen)) == wills
    figures |= {"kills": crash.KILLS, "wills": wills, "wrong": 0}


def test_a_will_waits_for_its_delay_after_a_restart(fresh_broker, connect, new_id, prefix):
    """One with an hour's delay does not come with those of the grace."""
    broker = fresh_broker()
    watcher = Watcher(broker.port, new_id("watch"), f"{prefix}/will")
    connect(5, new_id("late"), broker.port, **durable(5, 7200),
            will=Will(f"{prefix}/will", "late", 1, properties={"will_delay_interval": 3600}))
    connect(5, new_id("soon"), broker.port, will=Will(f"{prefix}/will", "soon", 1))
    broker = crashed(fresh_broker, broker, "--will-grace", "1")
    with Client(broker.port, 5, watcher.name, **durable(5)) as link:
        link.receive(f"{prefix}/will", "soon")
        link.expect_nothing()


def test_message_expiry_goes_on_while_the_broker_is_dead(fresh_broker, connect, new_id, prefix):
    broker, name = fresh_broker(), new_id()
    subscriber = connect(5, name, broker.port, **durable(5))
    subscriber.subscribe(f"{prefix}/#", qos=1)
    subscriber.abort()
    publisher = connect(5, new_id(), broker.port)
    for topic, retain in ((f"{prefix}/queued", False), (f"{prefix}/retained", True)):
        publisher.publish(f"{topic}/short", "gone", qos=1, retain=retain,
                          properties={"message_expiry_interval": 1})
        publisher.publish(f"{topic}/long", "there", qos=1, retain=retain,
                          properties={"message_expiry_interval": 1000})
    expired = time.monotonic() + 1.1
    broker.kill()
    eventually(lambda: time.monotonic() > expired, "the short ones have expired")
    broker = fresh_broker(directory=broker.directory)
    with Client(broker.port, 5, name, **durable(5)) as link:
        for topic in ("queued", "retained"):
            packet = link.receive(f"{prefix}/{topic}/long", "there")
            assert packet.properties["message_expiry_interval"] in range(900, 1000)
        link.expect_nothing()
    reader = connect(5, new_id(), broker.port)
    reader.subscribe(f"{prefix}/retained/#")
    packet = reader.receive(f"{prefix}/retained/long", "there", retain=True)
    assert packet.properties["message_expiry_interval"] in range(900, 1000)
    reader.expect_nothing()


def test_session_expiry_goes_on_while_the_broker_is_dead(fresh_broker, connect, new_id):
    """From the moment it was left. One that was connected at the crash counts from the start: when
    that was nobody knows, and a session that is lost too early is a loss."""
    broker = fresh_broker(workers=1)
    lives = {new_id("left"): (1, True), new_id("crash"): (1, False), new_id("long"): (1000, True)}
    for name, (seconds, leaves) in lives.items():
        link = connect(5, name, broker.port, **durable(5, seconds))
        link.subscribe("t", qos=1)
        if leaves:
            link.disconnect()
    connect(5, new_id(), broker.port).publish("t", "x", qos=1)  # which covers the leaving
    broker.kill()
    expired = time.monotonic() + 1.5
    eventually(lambda: time.monotonic() > expired, "the short ones have expired")
    broker = fresh_broker(directory=broker.directory)
    for name, (seconds, leaves) in lives.items():
        link = connect(5, name, broker.port, **durable(5))
        assert link.connack.session_present == (seconds > 1 or not leaves), name


def test_a_session_taken_over_by_a_crash_keeps_what_was_queued(fresh_broker, connect, new_id,
                                                               prefix):
    """Subscription options, identifiers and retain flags come back with the session."""
    broker, name = fresh_broker(), new_id()
    subscriber = connect(5, name, broker.port, **durable(5))
    subscriber.subscribe(f"{prefix}/+", qos=2, properties={"subscription_identifier": 7})
    subscriber.subscribe(f"{prefix}/a", qos=1, properties={"subscription_identifier": 300})
    subscriber.abort()
    publisher = connect(5, new_id(), broker.port)
    wanted = {"user_property": [("k", "v")], "content_type": "text/plain",
              "response_topic": "r", "correlation_data": b"\0\1"}
    publisher.publish(f"{prefix}/a", "before", qos=2, properties=wanted)
    broker = crashed(fresh_broker, broker)
    connect(5, new_id(), broker.port).publish(f"{prefix}/a", "after", qos=2)
    with Client(broker.port, 5, name, **durable(5)) as link:
        packets = []
        while {b"before", b"after"} - {packet.payload for packet in packets}:
            packets.append(link.receive())
            assert isinstance(packets[-1], Publish)
        link.expect_nothing()
    first = next(packet for packet in packets if packet.payload == b"before")
    assert all(first.properties.get(key) == value for key, value in wanted.items())
    for payload in (b"before", b"after"):
        identifiers = [one for packet in packets if packet.payload == payload
                       for one in packet.properties["subscription_identifier"]]
        assert sorted(identifiers) == [7, 300], packets
