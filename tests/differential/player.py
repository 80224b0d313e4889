# SPDX-License-Identifier: MIT
"""Plays a script against one broker and writes down, after each step, what each client received.

A step is over when everybody has heard all that it caused: every client pings until nothing but
answers to pings comes, twice in a row. No clock decides anything.

What is written down is already free of what two right brokers may choose: packet identifiers of
their own, topic aliases, limits they announce.
"""
import itertools

import mqtt
from client import Client, Closed, TimedOut
from mqtt import (Auth, Connack, Connect, Disconnect, Malformed, Pingreq, Pingresp, Puback, Pubcomp,
                  Publish, Pubrec, Pubrel, Suback, Subscribe, Subscription, Unsuback, Unsubscribe)
from script import TOPICS

ROUNDS_MAX = 200
# In CONNACK, what says something about the session and not about the broker's limits.
CONNACK_PROPERTIES = ("assigned_client_identifier", "session_expiry_interval")
_numbers = itertools.count(1)


class Peer:
    """One client identity: its connection if it has one, and what it remembers beyond it."""

    def __init__(self, name):
        self.name, self.client, self.received = name, None, []
        self.acknowledges = "all"
        self.owed = []               # packets that an "acknowledge nothing" left unanswered
        self.about = {}              # packet identifier of the broker's -> payload
        self.withheld = set()        # our QoS 2 identifiers whose PUBREL a step sends itself
        self.packet_ids = itertools.cycle(range(1, 60000))

    def note(self, text):
        self.received.append(text)


class Player:
    """play(steps) returns, for each step, {client: [what it received, ...]}."""

    def __init__(self, port):
        self.port = port
        self.prefix = f"p{next(_numbers)}"
        self.peers = {}

    def play(self, steps):
        seen = []
        try:
            for step in steps:
                peer = self.peers.setdefault(step.client, Peer(step.client))
                if peer.client is not None or step.kind in ("connect", "acknowledge"):
                    getattr(self, f"do_{step.kind}")(peer, **step.arguments)
                    self.settle()
                seen.append({one.name: one.received for one in self.peers.values()})
                for one in self.peers.values():
                    one.received = []
        finally:
            self.clean_up()
        return seen

    def clean_up(self):
        """Leaves nothing in the broker. With thousands of retained topics the replay for a filter
        that begins with + would go on after a broker has answered the pings of settle()."""
        for peer in self.peers.values():
            if peer.client is not None:
                peer.client.abort()
            self.end_session(peer)
        with Client(self.port, 4, self.prefix) as last:
            for topic in TOPICS:
                last.publish(topic.replace("@", self.prefix), retain=True)
            last.disconnect()

    def end_session(self, peer):
        with Client(self.port, 4, self.id_of(peer)) as last:
            last.disconnect()

    def id_of(self, peer):
        return f"{self.prefix}-{peer.name}"

    def place(self, text, peer):
        return text.replace("@", self.prefix).replace("^", f"{self.prefix}{peer.name}")

    def with_prefix(self, properties):
        return {name: self.prefix + value[1:] if name == "response_topic" else value
                for name, value in properties.items()}

    # -------------------------------------------------------------------------------- listening

    def settle(self):
        quiet = 0
        for _ in range(ROUNDS_MAX):
            if quiet == 2:
                return
            present = [peer for peer in self.peers.values() if peer.client is not None]
            for peer in present:
                peer.client.send(Pingreq())
            heard = [self.hear(peer, Pingresp) for peer in present]
            quiet = 0 if any(heard) else quiet + 1
        raise AssertionError("the broker never falls silent")

    def hear(self, peer, until):
        """Takes packets until one of this kind or the end; was there anything else?"""
        heard = False
        while peer.client is not None:
            packet = self.take(peer)
            if packet is None:
                return True
            if isinstance(packet, until):
                return heard
            heard = True
            self.write_down(peer, packet)
            self.react(peer, packet)
        return heard

    def take(self, peer):
        """The next packet; None when the connection has ended, one way or another."""
        try:
            return peer.client.next()
        except Closed:
            peer.note("END")
        except Malformed as error:
            peer.note(f"MALFORMED {error}")
        except TimedOut as error:
            peer.note(f"SILENCE {error}")
        peer.client.abort()
        peer.client = None
        return None

    def react(self, peer, packet):
        match packet:
            case Publish(qos=qos) if qos > 0:
                self.answer(peer, packet)
            case Pubrel():
                self.answer(peer, packet)
            case Pubrec(packet_id=packet_id, reason=reason):
                if reason < 0x80 and packet_id not in peer.withheld:
                    peer.client.send(Pubrel(packet_id))

    def answer(self, peer, packet):
        is_receipt = isinstance(packet, Publish)
        if peer.acknowledges == "all" or (peer.acknowledges == "receipt" and is_receipt):
            peer.client.send(self.acknowledgement(packet))
        else:
            peer.owed.append(packet)

    @staticmethod
    def acknowledgement(packet):
        if isinstance(packet, Pubrel):
            return Pubcomp(packet.packet_id)
        return (Puback if packet.qos == 1 else Pubrec)(packet.packet_id)

    # ----------------------------------------------------------------------------- writing down

    def write_down(self, peer, packet):
        peer.note(getattr(self, f"_{type(packet).__name__.lower()}")(peer, packet))

    def shown(self, properties):
        properties = dict(properties)
        for ours in ("topic_alias", "reason_string"):
            properties.pop(ours, None)
        if properties.get("message_expiry_interval", 0) > 50000:
            properties["message_expiry_interval"] = "long"
        if "subscription_identifier" in properties:
            properties["subscription_identifier"].sort()
        if "assigned_client_identifier" in properties:
            properties["assigned_client_identifier"] = "some"
        text = " ".join(f"{name}={value}" for name, value in sorted(properties.items()))
        return f" {text.replace(self.prefix, '@')}" if text else ""

    def _connack(self, peer, packet):
        properties = {name: value for name, value in packet.properties.items()
                      if name in CONNACK_PROPERTIES}
        return (f"CONNACK present={packet.session_present:d} reason=0x{packet.reason:02x}"
                f"{self.shown(properties)}")

    def _publish(self, peer, packet):
        payload = packet.payload.decode("utf-8", "replace")
        again = ""
        if packet.qos:
            if packet.dup:
                again = " again" if peer.about.get(packet.packet_id) == payload else " renumbered"
            peer.about[packet.packet_id] = payload
        return (f"PUBLISH {packet.topic.replace(self.prefix, '@')} {payload!r} "
                f"qos={packet.qos} retain={packet.retain:d} dup={packet.dup:d}{again}"
                f"{self.shown(packet.properties)}")

    def _pubrel(self, peer, packet):
        return (f"PUBREL of {peer.about.get(packet.packet_id)!r} reason=0x{packet.reason:02x}"
                f"{self.shown(packet.properties)}")

    def _answer(self, peer, packet):
        return (f"{packet.type.name} id={packet.packet_id} reason=0x{packet.reason:02x}"
                f"{self.shown(packet.properties)}")

    _puback = _pubrec = _pubcomp = _answer

    def _reasons(self, peer, packet):
        reasons = " ".join(f"0x{reason:02x}" for reason in packet.reasons)
        return f"{packet.type.name} {reasons}{self.shown(packet.properties)}"

    _suback = _unsuback = _reasons

    def _disconnect(self, peer, packet):
        return f"DISCONNECT reason=0x{packet.reason:02x}{self.shown(packet.properties)}"

    def _auth(self, peer, packet):
        return f"AUTH reason=0x{packet.reason:02x}"

    def _pingresp(self, peer, packet):
        return "PINGRESP"

    def _connect(self, peer, packet):
        return "CONNECT"

    _subscribe = _unsubscribe = _pingreq = _connect

    # -------------------------------------------------------------------------------- the steps

    def do_connect(self, peer, version, clean, will=None, properties=None):
        old, peer.client = peer.client, None
        client = Client(self.port, version, self.id_of(peer), connect=False)
        client.limits = dict(properties or {})
        if will is not None:
            will = mqtt.Will(self.place(will.topic, peer), will.payload, will.qos, will.retain,
                             self.with_prefix(will.properties))
        client.send(Connect(client_id=self.id_of(peer), clean=clean, will=will,
                            properties=properties or {}))
        if old is not None:
            peer.client = old
            peer.note("of the old connection:")
            self.hear(peer, ())
        peer.client, peer.owed = client, []
        peer.note("of the new connection:")
        self.hear_connack(peer)

    def hear_connack(self, peer):
        packet = self.take(peer)
        if packet is None:
            return
        self.write_down(peer, packet)
        peer.withheld.clear()

    def do_disconnect(self, peer, reason=0, properties=None):
        peer.client.send(Disconnect(reason, properties or {}))
        self.hear(peer, ())

    def do_drop(self, peer):
        """The end of our stream without a goodbye; that the broker closes shows it has noticed."""
        peer.client.end_stream()
        self.hear(peer, ())

    def do_subscribe(self, peer, subscriptions, identifier=None):
        placed = [Subscription(self.place(one.filter, peer), one.qos, one.no_local,
                               one.retain_as_published, one.retain_handling)
                  for one in subscriptions]
        properties = {"subscription_identifier": identifier} if identifier else {}
        if peer.client.version < 5:
            properties = {}
            placed = [Subscription(one.filter, one.qos) for one in placed]
        peer.client.send(Subscribe(next(peer.packet_ids), placed, properties))

    def do_unsubscribe(self, peer, filters):
        placed = [self.place(one, peer) for one in filters]
        peer.client.send(Unsubscribe(next(peer.packet_ids), placed))

    def packet_of(self, peer, topic, qos, retain, payload, properties=None):
        packet = Publish(self.place(topic, peer), payload, qos, retain)
        if peer.client.version == 5:
            packet.properties = self.with_prefix(properties or {})
        if qos:
            packet.packet_id = next(peer.packet_ids)
        return packet

    def do_publish(self, peer, messages):
        for message in messages:
            peer.client.send(self.packet_of(peer, **message))

    def do_publish_twice(self, peer, message):
        """QoS 2, and again with DUP before PUBREL: one message."""
        packet = self.packet_of(peer, **message)
        peer.withheld.add(packet.packet_id)
        peer.client.send(packet)
        self.hear_one(peer, Pubrec)
        packet.dup = True
        if peer.client is not None:
            peer.client.send(packet)
            self.hear_one(peer, Pubrec)
        if peer.client is not None:
            peer.client.send(Pubrel(packet.packet_id))
            self.hear_one(peer, Pubcomp)
        peer.withheld.discard(packet.packet_id)

    def do_publish_resumed(self, peer, message):
        """QoS 2, and the link breaks before PUBREL; the session goes on where it was, if it is
        still there."""
        packet = self.packet_of(peer, **message)
        version, limits = peer.client.version, dict(peer.client.limits)
        peer.withheld.add(packet.packet_id)
        peer.client.send(packet)
        self.hear_one(peer, Pubrec)
        if peer.client is None:
            return
        self.do_drop(peer)
        self.do_connect(peer, version, False, properties=limits)
        if peer.client is not None:
            peer.client.send(Pubrel(packet.packet_id))
            self.hear_one(peer, Pubcomp)

    def hear_one(self, peer, packet_class):
        """Takes packets up to and with the first of this kind; a broker that has not sent it by
        the answer to a ping will not."""
        if peer.client is not None:
            peer.client.send(Pingreq())
            self.hear(peer, Pingresp)

    def do_acknowledge(self, peer, what):
        peer.acknowledges = what
        if what == "all" and peer.client is not None:
            for packet in peer.owed:
                peer.client.send(self.acknowledgement(packet))
            peer.owed = []

    def do_misbehave(self, peer, how):
        MISDEEDS[how](peer.client, self.prefix)
        if how == "second CONNECT":   # mosquitto forgets the session with it, so both do here
            self.hear(peer, ())
            self.end_session(peer)


def _raw(data):
    return lambda client, prefix: client.send_raw(data)


def _packet(make, flags=None):
    return lambda client, prefix: client.send(make(prefix), flags)


def _publish(**fields):
    return _packet(lambda prefix: Publish(**({"topic": f"{prefix}/x", "payload": b"bad"} | fields)))


def _subscribe(properties=None, **fields):
    return _packet(lambda prefix: Subscribe(
        59999, [Subscription(**({"filter": f"{prefix}/x"} | fields))], properties or {}))


def _publish_with(*properties):
    return _publish(properties=list(properties))


_SOME = 59999   # a packet identifier that nobody uses
MISDEEDS = {
    "second CONNECT": _packet(lambda prefix: Connect(client_id="x")),
    "PUBACK of nothing": _packet(lambda prefix: Puback(_SOME)),
    "PUBREC of nothing": _packet(lambda prefix: Pubrec(_SOME)),
    "PUBREL of nothing": _packet(lambda prefix: Pubrel(_SOME)),
    "PUBCOMP of nothing": _packet(lambda prefix: Pubcomp(_SOME)),
    "PUBLISH at QoS 3": _publish(qos=3, packet_id=_SOME),
    "PUBLISH with identifier 0": _publish(qos=1, packet_id=0),
    "DUP at QoS 0": _publish(dup=True),
    "PUBLISH to a wildcard": _packet(lambda prefix: Publish(f"{prefix}/+", b"bad")),
    "PUBLISH to an empty topic": _publish(topic=""),
    "PUBLISH to bad UTF-8": _publish(topic=b"\xff\xfe"),
    "PUBLISH with NUL in its topic": _publish(topic="a\0b"),
    "SUBSCRIBE without a filter": _packet(lambda prefix: Subscribe(_SOME, [])),
    "SUBSCRIBE with flags 0": _packet(lambda prefix: Subscribe(_SOME, [Subscription("x")]), 0),
    "SUBSCRIBE with identifier 0": _packet(lambda prefix: Subscribe(0, [Subscription("x")])),
    "SUBSCRIBE at QoS 3": _subscribe(options=3),
    "SUBSCRIBE with reserved bits": _subscribe(options=0xC0),
    "UNSUBSCRIBE without a filter": _packet(lambda prefix: Unsubscribe(_SOME, [])),
    "UNSUBSCRIBE with flags 0": _packet(lambda prefix: Unsubscribe(_SOME, ["x"]), 0),
    "PUBREL with flags 0": _packet(lambda prefix: Pubrel(_SOME), 0),
    "packet type 0": _raw(b"\x00\x00"),
    "PINGREQ with a body": _raw(b"\xc0\x01\x00"),
    "a CONNACK": _packet(lambda prefix: Connack()),
    "a SUBACK": _packet(lambda prefix: Suback(_SOME, [0])),
    "AUTH": _packet(lambda prefix: Auth(0x18, {"authentication_method": "x"})),
    "DISCONNECT with flags": _packet(lambda prefix: Disconnect(), 1),
    "a length of five bytes": _raw(b"\x30\xff\xff\xff\xff\x01"),
    "PUBLISH shorter than its topic": _raw(b"\x30\x04\x00\x10ab"),
    "topic alias 0": _publish_with(("topic_alias", 0)),
    "topic alias too large": _publish_with(("topic_alias", 65535)),
    "unknown topic alias": _publish(topic="", properties={"topic_alias": 1}),
    "subscription identifier 0": _subscribe([("subscription_identifier", 0)]),
    "two subscription identifiers": _subscribe([("subscription_identifier", 1),
                                                ("subscription_identifier", 2)]),
    "PUBLISH with a subscription identifier": _publish_with(("subscription_identifier", 1)),
    "retain handling 3": _subscribe(options=0x30),
    "No Local on a shared subscription": _subscribe(filter="$share/g/x", no_local=True),
    "a property twice": _publish_with(("content_type", "a"), ("content_type", "b")),
    "an unknown property": _publish(properties=b"\x7f\x01"),
    "a property of another packet": _publish_with(("receive_maximum", 5)),
    "response topic with a wildcard": _publish_with(("response_topic", "a/+")),
    "DISCONNECT that raises the expiry":
        _packet(lambda prefix: Disconnect(0, {"session_expiry_interval": 77})),
    "payload that is not the UTF-8 it claims":
        _publish(payload=b"\xff", qos=1, packet_id=_SOME,
                 properties={"payload_format_indicator": True}),
    "PUBACK with an unknown reason": _packet(lambda prefix: Puback(_SOME, 0x55)),
    "properties longer than the packet": _raw(b"\x30\x04\x00\x01a\x7f"),
}
