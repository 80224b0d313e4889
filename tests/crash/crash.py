# SPDX-License-Identifier: MIT
"""A broker that is killed again and again, and clients that keep their side of the protocol.

World runs the broker and counts what happens. Each Actor is a thread with one client identifier
and a lasting session. It connects whenever the broker is there, resumes what was under way (same
identifiers, DUP, PUBREL, Clean Start 0), and notes what it was promised. When a World is strict,
a promise that was not kept is a failure at once: a session that is gone, an identifier that names
another message. Without that, actors begin again as clients must, and what was lost is counted.
"""
import itertools
import os
import random
import subprocess
import threading
import time

import mqtt
from client import TIMEOUT, Client, Closed, TimedOut, durable, eventually
from mqtt import Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel
from server import Broker

KILLS = int(os.environ.get("BUD_CRASH_KILLS", "2"))
SEED = os.environ.get("BUD_CRASH_SEED", "1")
UNLIMITED = ("--max-queued-messages", "0", "--max-queued-bytes", "0")
QUOTA_EXCEEDED = 0x97
LOOK_SECONDS = 0.1          # how often one who waits for a packet looks whether the end has come


class Link(Client):
    """A client of a broker that may be killed in the middle of a packet."""

    def _frame(self, deadline):
        try:
            return super()._frame(deadline)
        except mqtt.Malformed:
            if self.is_eof:
                return None
            raise


class World:
    """The broker, where it listens now, and what its clients have seen."""

    def __init__(self, directory, *options, workers=2, strict=True, seed=0, make=Broker):
        self.directory, self.options, self.workers = directory, options, workers
        self.make, self.strict = make, strict
        self.numbers = random.Random(f"{SEED}/{seed}")
        self.condition = threading.Condition()
        self.broker, self.port, self.kills, self.progress = None, None, 0, 0
        self.actors, self.failures = [], []
        self.draining = threading.Event()
        self.ended = False
        self.start()

    def start(self):
        broker = self.make(self.directory, *self.options, workers=self.workers)
        self.broker = broker.start()
        with self.condition:
            self.port = self.broker.port
            self.condition.notify_all()

    def down(self):
        """From here on nobody connects: the port may be somebody else's soon."""
        with self.condition:
            self.port = None

    def kill(self):
        self.down()
        self.broker.kill()
        self.broker.stop()
        self.kills += 1

    def stop(self):
        """SIGTERM; returns the seconds it took. Its exit status and log are judged."""
        self.down()
        started = time.monotonic()
        self.broker.stop()
        return time.monotonic() - started

    def kill_starting(self):
        """Starts it, and kills it before or while it reads its store."""
        broker = self.make(self.directory, *self.options, workers=self.workers)
        process = subprocess.Popen(broker.command(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(self.numbers.uniform(0, 0.06))
            raise AssertionError(f"it ended by itself: {process.returncode}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.kills += 1

    def tick(self):
        with self.condition:
            self.progress += 1
            self.condition.notify_all()

    def wait_for(self, check, what):
        """Waits until check() holds; woken by progress. A failure of an actor ends the wait."""
        with self.condition:
            assert self.condition.wait_for(lambda: self.failures or check(), 3 * TIMEOUT), (
                f"never came to be: {what}")
        self.raise_failures()

    def wait_progress(self, count):
        """Until the clients got `count` more acknowledgements or messages."""
        wanted = self.progress + count
        self.wait_for(lambda: self.progress >= wanted, f"{count} more packets")

    def crash(self, magnitude=4):
        """A kill at a random moment while traffic flows, and the next start. Every magnitude of
        progress is as likely: some starts have hardly begun when they are killed."""
        self.wait_progress(int(10 ** self.numbers.uniform(0, magnitude)))
        time.sleep(self.numbers.uniform(0, 0.01))  # the moment itself, not a wait for something
        self.kill()
        if self.numbers.random() < 0.15:
            self.kill_starting()
        self.start()

    def raise_failures(self):
        for failure in self.failures:
            raise failure

    def add(self, *actors):
        for actor in actors:
            self.actors.append(actor)
            actor.start()
        return actors

    def join(self, *actors):
        """Waits for the end of these actors' work."""
        self.wait_for(lambda: not any(actor.is_alive() for actor in actors),
                      f"the end of {[actor.name for actor in actors if actor.is_alive()]}")

    def end(self):
        if self.ended:
            return
        self.ended = True
        with self.condition:
            self.condition.notify_all()
        for actor in self.actors:
            actor.join(2 * TIMEOUT)
        self.broker.stop()
        self.raise_failures()


class Actor(threading.Thread):
    """One client identifier. A subclass says what it does in one connection: live(link)."""

    version, expiry = 5, 3600

    def __init__(self, world, name, version=5):
        super().__init__(name=name, daemon=True)
        self.world, self.version = world, version
        self.numbers = random.Random(f"{SEED}/{name}")
        self.promised = False   # a session; 3.1 cannot tell whether it is there
        self.lives, self.is_done = 0, False

    def connect_fields(self):
        return durable(self.version, self.expiry)

    def on_session_lost(self):
        """The broker knows nothing of this session any more."""

    def link(self):
        """A connection to the broker as soon as there is one; None at the end of the world."""
        world = self.world
        with world.condition:
            world.condition.wait_for(lambda: world.port or world.ended)
            port = world.port
        if port is None:
            return None
        link = Link(port, self.version, self.name, connect=False)
        try:
            link.connack = link.connect(**self.connect_fields())
        except BaseException:
            link.abort()
            raise
        if self.promised and not link.connack.session_present:
            assert not world.strict or self.version == 3, f"{self.name}: its session is gone"
            if not world.strict:
                self.on_session_lost()
        self.promised = True
        self.lives += 1
        return link

    def run(self):
        try:
            while not self.is_done and not self.world.ended:
                try:
                    link = self.link()
                    if link is not None:
                        with link:
                            self.live(link)
                except (Closed, ConnectionError):
                    pass
        except BaseException as error:  # whatever it is, the test must hear of it
            self.world.failures.append(error)
        with self.world.condition:
            self.world.condition.notify_all()

    def packets(self, link):
        """What arrives, and None now and then, so that the caller looks around."""
        while not self.is_done and not self.world.ended:
            try:
                packet = link.next(LOOK_SECONDS)
            except TimedOut:
                packet = None
            if isinstance(packet, Disconnect):
                raise Closed("the broker says goodbye")
            yield packet


class Publisher(Actor):
    """Publishes numbers, `window` at a time, until the world drains; then all is acknowledged.

    under_way: packet identifier → [number, packet to send again, sent before this connection]
    """

    def __init__(self, world, name, topic, qos, version=5, window=16):
        super().__init__(world, name, version)
        self.topic, self.qos, self.window = topic, qos, window
        self.under_way, self.sent, self.acked = {}, 0, set()
        self.refused, self.unsure = set(), set()    # unsure: taken before a crash, perhaps
        self.resumed = set()                        # sent on more than one connection
        self.ids = itertools.cycle(range(1, 65536))

    def on_session_lost(self):
        """What was released is done; what was not is published in the new session."""
        self.under_way = {packet_id: one for packet_id, one in self.under_way.items()
                          if isinstance(one[1], Publish)}

    def live(self, link):
        for one in self.under_way.values():
            one[2] = True
            self.resumed.add(one[0])
            if isinstance(one[1], Publish):
                one[1].dup = True
            link.send(one[1])
        self.fill(link)
        for packet in self.packets(link):
            if packet is not None:
                self.take(link, packet)
                self.world.tick()
            if self.world.draining.is_set() and not self.under_way:
                self.is_done = True
            self.fill(link)

    def fill(self, link):
        while len(self.under_way) < self.window and not self.world.draining.is_set():
            packet_id = next(self.ids)
            packet = Publish(self.topic, b"%d" % self.sent, self.qos, packet_id=packet_id)
            self.under_way[packet_id] = [self.sent, packet, False]
            self.sent += 1
            link.send(packet)

    def take(self, link, packet):
        number, sent, resumed = self.under_way[packet.packet_id]
        if packet.reason == QUOTA_EXCEEDED:  # it may be published again; here it is not
            (self.unsure if resumed else self.refused).add(number)
            del self.under_way[packet.packet_id]
            return
        assert packet.reason in (0, 0x10) or (resumed and packet.reason == 0x92), packet
        if isinstance(packet, Pubrec):
            assert self.qos == 2, packet
            self.acked.add(number)
            self.under_way[packet.packet_id][1] = Pubrel(packet.packet_id)
            link.send(Pubrel(packet.packet_id))
            return
        assert isinstance(packet, Pubcomp if isinstance(sent, Pubrel) else Puback), (sent, packet)
        self.acked.add(number)
        del self.under_way[packet.packet_id]


# Where a subscriber stops in a QoS 2 exchange, until its next connection.
STOPS = ("PUBLISH", "PUBREC", "PUBREL")


class Subscriber(Actor):
    """Takes part in every exchange as a client with a memory does: at QoS 2 an identifier is
    taken until PUBREL. Some exchanges it leaves where they are for the rest of the connection
    (`stop`), and some connections it breaks and stays away for a while (`leaves`)."""

    STUCK_MAX = 20

    def __init__(self, world, name, topic, qos=2, version=5, stop=None, leaves=False):
        super().__init__(world, name, version)
        self.filter, self.qos, self.stop, self.leaves = topic, qos, stop, leaves
        self.subscribed, self.stuck, self.known = False, set(), {}
        self.ends, self.messages = set(), {}      # topic → numbers in the order they came
        self.repeated = 0       # at QoS 2, by the protocol's own rule: noticed and not taken

    def on_session_lost(self):
        self.subscribed, self.known = False, {}

    def live(self, link):
        steady = self.world.draining.is_set()
        self.stuck = set()
        if not self.subscribed:
            link.subscribe(self.filter, qos=self.qos)
            self.subscribed = True
            self.world.tick()
        for packet in self.packets(link):
            if self.world.draining.is_set() and not steady:
                return          # once more, without a habit
            if packet is not None:
                self.take(link, packet, None if steady else self.stop)
                self.world.tick()
            if self.leaves and not steady and self.numbers.random() < 0.005:
                link.abort()
                self.world.wait_for(lambda wanted=self.world.progress + 150:
                                    self.world.progress >= wanted or self.world.draining.is_set()
                                    or self.world.ended, "the end of a pause")
                return

    def stops(self, packet, stop, stage):
        if stop != stage or len(self.stuck) >= self.STUCK_MAX or self.numbers.random() > 0.1:
            return packet.packet_id in self.stuck
        self.stuck.add(packet.packet_id)
        return True

    def take(self, link, packet, stop):
        if isinstance(packet, Publish):
            if packet.qos < 2 or self.is_new(packet):
                self.note(packet)
            if packet.qos == 1:
                link.send(Puback(packet.packet_id))
            elif packet.qos == 2 and not self.stops(packet, stop, "PUBLISH"):
                link.send(Pubrec(packet.packet_id))
                if stop == "PUBREC":
                    self.stops(packet, stop, "PUBREC")
        else:
            assert isinstance(packet, Pubrel), packet
            if packet.packet_id in self.stuck and stop == "PUBREC":
                return          # it has not seen this
            self.known.pop(packet.packet_id, None)
            if not self.stops(packet, stop, "PUBREL"):
                link.send(Pubcomp(packet.packet_id))

    def is_new(self, packet):
        """Is it another message than that which has this identifier already?"""
        what = (packet.topic, packet.payload)
        before = self.known.setdefault(packet.packet_id, what)
        if before is what:
            return True
        assert before == what, (f"{self.name}: identifier {packet.packet_id} is taken by {before} "
                                f"and came with {what}")
        self.repeated += 1
        return False

    def note(self, packet):
        if packet.payload != b"end":
            self.messages.setdefault(packet.topic, []).append(int(packet.payload))
        else:
            self.ends.add(packet.topic)


def first_occurrences(received):
    return list(dict.fromkeys(received))


def out_of_order(received):
    """How many came behind a later one, the first time they came."""
    order = first_occurrences(received)
    return sum(later < earlier for earlier, later in zip(order, order[1:]))


def wait_subscribed(world, subscribers):
    world.wait_for(lambda: all(one.subscribed for one in subscribers), "all are subscribed")


__all__ = ["KILLS", "SEED", "STOPS", "UNLIMITED", "Actor", "Link", "Publisher", "Subscriber",
           "World", "eventually", "first_occurrences", "out_of_order", "wait_subscribed"]
