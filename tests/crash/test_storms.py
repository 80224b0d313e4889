# SPDX-License-Identifier: MIT
"""Kill -9 under storms of SUBSCRIBE and UNSUBSCRIBE, and of retained values set and deleted.

Each actor notes what a topic may be by now: what was last acknowledged, or anything it asked for
since. After a crash it must be one of those; that one is then the truth.
"""
import pytest

import crash
from client import Client
from crash import Actor
from mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe, Subscription
from mqtt import Unsuback, Unsubscribe

TOPICS = 40
WINDOW = 12


class Storm(Actor):
    """Asks for changes, WINDOW at a time, each of one topic of TOPICS.

    possible: topic number → states it may have, the acknowledged one first
    under_way: packet identifier → (topic number, state)
    """

    def __init__(self, world, name, prefix, version=5):
        super().__init__(world, name, version)
        self.prefix, self.asked = prefix, 0
        self.possible = {number: [None] for number in range(TOPICS)}
        self.under_way, self.acknowledged = {}, 0

    def topic(self, number):
        return f"{self.prefix}/{self.name}/{number}"

    def begin(self, packet_id, number, state):
        self.possible[number].append(state)
        self.under_way[packet_id] = (number, state)

    def settle(self, packet_id):
        """Acknowledged in the order they were asked for, so nothing before it is possible."""
        number, state = self.under_way.pop(packet_id)
        states = self.possible[number]
        del states[:states.index(state)]
        self.acknowledged += 1
        self.world.tick()

    def observe(self, seen, what):
        """What is there after a crash; the number of broken promises."""
        wrong = [(number, states, seen.get(number)) for number, states in self.possible.items()
                 if seen.get(number) not in states]
        assert not wrong, f"{self.name}: {what}: (topic, possible, found): {wrong}"
        self.possible = {number: [seen.get(number)] for number in self.possible}
        self.under_way = {}

    def live(self, link):
        self.check(link)
        for packet in self.packets(link):
            if packet is not None:
                self.take(link, packet)
            while len(self.under_way) < WINDOW and not self.world.draining.is_set():
                self.asked += 1
                self.ask(link, self.asked % 65535 + 1)
            self.is_done = self.world.draining.is_set() and not self.under_way


class Subscriptions(Storm):
    """A state is the number of the request that subscribed, or None: not subscribed."""

    def ask(self, link, packet_id):
        number = self.numbers.randrange(TOPICS)
        is_subscribing = self.numbers.random() < 0.5
        self.begin(packet_id, number, True if is_subscribing else None)
        if is_subscribing:
            link.send(Subscribe(packet_id, [Subscription(self.topic(number), 1)]))
        else:
            link.send(Unsubscribe(packet_id, [self.topic(number)]))

    def take(self, link, packet):
        assert isinstance(packet, (Suback, Unsuback)), packet
        assert all(reason in (0, 1, 0x11) for reason in packet.reasons), packet
        self.settle(packet.packet_id)

    def check(self, link):
        """A message to each topic: those that come show which filters are there."""
        with Client(link.port, 5, "") as probe:
            for number in range(TOPICS):
                probe.send(Publish(self.topic(number)))
            packets = link.receive_all(after=probe)
        seen = {int(packet.topic.rpartition("/")[2]): True for packet in packets}
        self.observe(seen, "filters")


class Retained(Storm):
    """A state is the payload, or None: nothing is retained."""

    def __init__(self, world, name, prefix, version, qos):
        super().__init__(world, name, prefix, version)
        self.qos = qos

    def ask(self, link, packet_id):
        number = self.numbers.randrange(TOPICS)
        payload = b"%d" % self.asked if self.numbers.random() < 0.7 else b""
        self.begin(packet_id, number, payload or None)
        link.send(Publish(self.topic(number), payload, self.qos, True, packet_id))

    def take(self, link, packet):
        assert packet.reason in (0, 0x10, 0x92), packet
        if isinstance(packet, Pubrec):
            link.send(Pubrel(packet.packet_id))
            return
        assert isinstance(packet, Puback if self.qos == 1 else Pubcomp), packet
        if packet.packet_id in self.under_way:     # not one of before the crash
            self.settle(packet.packet_id)

    def link(self):
        self.promised = False
        return super().link()

    def connect_fields(self):
        return {"clean": True}                      # what it has not heard of, it does not repeat

    def check(self, link):
        """A new subscriber gets what is retained; the marker behind it was sent after SUBACK."""
        with Client(link.port, 5, "") as reader:
            reader.subscribe(f"{self.prefix}/{self.name}/#")
            packets = reader.receive_all(after=reader)
        assert all(packet.retain for packet in packets), packets
        seen = {int(packet.topic.rpartition("/")[2]): packet.payload for packet in packets}
        self.observe(seen, "retained")


def storm(place, actors, figures):
    place.add(*actors)
    for _ in range(crash.KILLS):
        place.crash(3)
    place.draining.set()
    place.join(*actors)
    for actor in actors:                            # and with a last look at all of it
        actor.is_done = False
        with actor.link() as link:
            actor.check(link)
    figures |= {"kills": place.kills,
                "acknowledged": sum(actor.acknowledged for actor in actors),
                "lives": sum(actor.lives for actor in actors), "wrong": 0}


@pytest.mark.parametrize("workers", (1, 4))
def test_a_storm_of_subscriptions(world, new_id, prefix, figures, workers):
    place = world(workers=workers, seed=workers)
    storm(place, [Subscriptions(place, new_id("storm"), prefix, version)
                  for version in (4, 5, 5)], figures)


@pytest.mark.parametrize("workers", (1, 4))
def test_a_storm_of_retained_messages(world, new_id, prefix, figures, workers):
    place = world(workers=workers, seed=workers)
    storm(place, [Retained(place, new_id("storm"), prefix, version, qos)
                  for version, qos in ((3, 1), (4, 2), (5, 1))], figures)


def test_the_storms_see_losses(world, new_id, prefix):
    """Negative control: a broker that keeps nothing breaks both promises."""
    for kind in ((Subscriptions, 5), (Retained, 5, 1)):
        place = world("--persistence", "false", strict=False)
        place.add(kind[0](place, new_id("storm"), prefix, *kind[1:]))
        place.wait_progress(200)
        place.kill()
        place.start()
        with pytest.raises(AssertionError, match="possible, found"):
            place.wait_progress(100)
        place.failures.clear()
        place.ended = True
        place.broker.stop()
