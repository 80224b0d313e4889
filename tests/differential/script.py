# SPDX-License-Identifier: MIT
"""Random scripts of what a few clients do, from a seed. A script is a list of steps; a step that
does not fit the moment (its client is not connected, say) is skipped by the player, so any step can
be taken out of a script and the rest still makes sense: that is how a failure is made short.

Every topic holds the script's own PREFIX, written here as @, so that scripts share a broker.
"""
import random
from dataclasses import dataclass, field

from mqtt import Subscription, Will

NAMES = ("anna", "bo", "cara")
TOPICS = ("@", "@/", "@/x", "@/x/y", "@/x/z", "@//y", "x/@", "/@", "$x/@")
FILTERS = ("@", "@/#", "@/+", "@/x", "@/x/#", "@/x/+", "@/+/y", "@/+/#", "+/@", "+/@/#", "/@",
           "$x/@/#", "@/x/y", "@//y", "@/+/+")
BAD_FILTERS = ("@/#/x", "@/x#", "@/x+", "@/+x/y", "#@", "", "$share/", "$share/g", "$share//@",
               "$share/g/", "$share/g+/@", "$share/g#/@")
PROPERTIES = (
    {"content_type": "text/plain"}, {"response_topic": "@/answer"}, {"correlation_data": b"\0\1"},
    {"payload_format_indicator": True}, {"payload_format_indicator": False},
    {"user_property": [("a", "1"), ("a", "2"), ("b", "")]}, {"message_expiry_interval": 100000},
    {"content_type": "", "user_property": [("", "")], "message_expiry_interval": 4294967295},
)
# Packets that break a rule, or answer what nobody asked: see player.py.
MISDEEDS = (
    "second CONNECT", "PUBACK of nothing", "PUBREC of nothing", "PUBREL of nothing",
    "PUBCOMP of nothing", "PUBLISH at QoS 3", "PUBLISH with identifier 0", "DUP at QoS 0",
    "PUBLISH to a wildcard", "PUBLISH to an empty topic", "PUBLISH to bad UTF-8",
    "PUBLISH with NUL in its topic", "SUBSCRIBE without a filter", "SUBSCRIBE with flags 0",
    "SUBSCRIBE with identifier 0", "SUBSCRIBE at QoS 3", "SUBSCRIBE with reserved bits",
    "UNSUBSCRIBE without a filter", "UNSUBSCRIBE with flags 0", "PUBREL with flags 0",
    "packet type 0", "PINGREQ with a body", "a CONNACK", "a SUBACK", "AUTH",
    "DISCONNECT with flags", "a length of five bytes", "PUBLISH shorter than its topic",
)
MISDEEDS_5 = (
    "topic alias 0", "topic alias too large", "unknown topic alias", "subscription identifier 0",
    "two subscription identifiers", "PUBLISH with a subscription identifier",
    "retain handling 3", "No Local on a shared subscription", "a property twice",
    "an unknown property", "a property of another packet", "response topic with a wildcard",
    "DISCONNECT that raises the expiry", "payload that is not the UTF-8 it claims",
    "PUBACK with an unknown reason", "properties longer than the packet",
)


@dataclass
class Step:
    """`kind` is a method do_<kind> of the player, `arguments` are its arguments."""
    kind: str
    client: str
    arguments: dict = field(default_factory=dict)

    def __str__(self):
        given = ", ".join(f"{name}={shown(value)}" for name, value in self.arguments.items())
        return f"{self.client}: {self.kind} {given}".rstrip()


def shown(value):
    """As repr, and shorter."""
    if isinstance(value, list):
        return "[" + ", ".join(shown(one) for one in value) + "]"
    if isinstance(value, Subscription):
        options = [f"q{value.qos}"] + ["no_local"] * value.no_local
        options += ["as_published"] * value.retain_as_published
        return f"{value.filter!r} {' '.join(options)} rh{value.retain_handling}"
    if isinstance(value, dict) and "topic" in value:
        value = {name: one for name, one in value.items() if one or name == "payload"}
        return f"{value.pop('topic')!r} " + " ".join(f"{name}={shown(one)}"
                                                     for name, one in value.items())
    return repr(value)


class Generator:
    """Draws steps; knows roughly who is connected, so that few of them are skipped."""

    def __init__(self, seed):
        self.seed, self.random = seed, random.Random(seed)
        self.versions = {name: self.random.choice((3, 4, 5, 5)) for name in NAMES}
        self.connected, self.retained_wills = set(), set()
        # mosquitto sends a copy for each filter that matches. Where that would change the course of
        # things, with a small window or unacknowledged messages, a client has one topic alone.
        self.careful = {name: self.random.choice(TOPICS) for name in NAMES if self.chance(0.4)}
        self.payloads = self.misdeeds = 0

    def chance(self, probability):
        return self.random.random() < probability

    def payload(self, qos, letter="m"):
        """Unlike any other, and with the QoS it is published at, which its receivers cannot see."""
        self.payloads += 1
        return f"{letter}{self.payloads}.{qos}"

    def properties(self):
        return dict(self.random.choice(PROPERTIES)) if self.chance(0.4) else {}

    def will(self, version):
        qos = self.random.randrange(3)
        properties, letter, retain = {}, "w", self.chance(0.4)
        if version == 5:
            properties = self.properties()
            if self.chance(0.2):
                properties["will_delay_interval"], letter, retain = 100000, "d", False
        return Will(self.random.choice(TOPICS), self.payload(qos, letter).encode(), qos, retain,
                    properties)

    def connect(self, name):
        if self.chance(0.05):
            self.versions[name] = self.random.choice((3, 4, 5))
        version = self.versions[name]
        arguments = {"version": version, "clean": self.chance(0.4)}
        will = self.will(version) if self.chance(0.3) else None
        if will is not None:
            arguments["will"] = will
        if will is not None and will.retain:
            self.retained_wills.add(name)
        else:
            self.retained_wills.discard(name)
        if version == 5:
            properties = {}
            if self.chance(0.7):
                properties["session_expiry_interval"] = self.random.choice((0, 100000, 1000))
            if name in self.careful:
                properties["receive_maximum"] = self.random.choice((1, 2, 3))
            if self.chance(0.2):
                properties["topic_alias_maximum"] = 3
            arguments["properties"] = properties
        self.connected.add(name)
        return Step("connect", name, arguments)

    def options_of(self, name, one):
        """No Local, Retain As Published and the identifier that this client always gives this
        filter: mosquitto keeps those of the first SUBSCRIBE when there is another."""
        draw = random.Random(f"{self.seed} {name} {one}")
        return draw.random() < 0.15, draw.random() < 0.3, draw.choice((None, None, 1, 7, 268435455))

    def subscription(self, name, identifier=0):
        """With an identifier only a filter that goes with it."""
        if name in self.careful:
            return Subscription(self.careful[name], self.random.randrange(3))
        while True:
            one = Subscription(self.random.choice(FILTERS), self.random.randrange(3))
            if self.versions[name] < 5:
                return one
            if self.chance(0.1) and not one.filter.startswith("$"):
                one.filter = f"$share/^/{one.filter}"
            no_local, as_published, wanted = self.options_of(name, one.filter)
            if identifier in (0, wanted):
                break
        is_shared = one.filter.startswith("$share")
        one.no_local, one.retain_as_published = no_local and not is_shared, as_published
        one.retain_handling = self.random.randrange(3) if self.chance(0.5) else 0
        return one

    def subscribe(self, name):
        if self.chance(0.03):
            bad = Subscription(self.random.choice(BAD_FILTERS), self.random.randrange(3))
            return Step("subscribe", name, {"subscriptions": [bad]})
        first = self.subscription(name)
        if name in self.careful:
            return Step("subscribe", name, {"subscriptions": [first]})
        identifier = None
        if self.versions[name] == 5:
            identifier = self.options_of(name, first.filter)[2]
        more = [self.subscription(name, identifier)
                for _ in range(self.random.choice((0, 0, 0, 1, 2)))]
        arguments = {"subscriptions": [first, *more]}
        if identifier:
            arguments["identifier"] = identifier
        return Step("subscribe", name, arguments)

    def unsubscribe(self, name):
        if self.chance(0.03):
            return Step("unsubscribe", name, {"filters": [self.random.choice(BAD_FILTERS)]})
        return Step("unsubscribe", name,
                    {"filters": self.random.choices(FILTERS, k=self.random.choice((1, 1, 2)))})

    def message(self, name):
        retain, qos = self.chance(0.3), self.random.randrange(3)
        message = {"topic": self.random.choice(TOPICS), "qos": qos, "retain": retain,
                   "payload": self.payload(qos)}
        if self.chance(0.25 if retain else 0.05):   # at QoS 0, for in a queue they all look alike
            message |= {"qos": 0, "payload": ""}
        if self.versions[name] == 5:
            message["properties"] = self.properties()
        return message

    @staticmethod
    def distinct(messages):
        """Without two empty ones to a topic, which look alike, and without two that are retained,
        since mosquitto retains a QoS 2 message later than others that came behind it."""
        seen = set()
        for message in messages:
            marks = {(message["topic"], what) for what, has in
                     (("empty", not message["payload"]), ("retained", message["retain"])) if has}
            if not marks & seen:
                yield message
            seen |= marks

    def publish(self, name):
        count = self.random.choice((1, 1, 1, 2, 5))
        kind = self.random.choices(("publish", "publish_twice", "publish_resumed"),
                                   (16, 1, 1))[0]
        if kind == "publish":
            messages = [self.message(name) for _ in range(count)]
            return Step(kind, name, {"messages": list(self.distinct(messages))})
        message = self.message(name) | {"qos": 2, "payload": self.payload(2)}
        if kind == "publish_resumed":   # known by its letter, for mosquitto may forget it
            message |= {"retain": False, "payload": self.payload(2, "r")}
        return Step(kind, name, {"message": message})

    def disconnect(self, name):
        self.connected.discard(name)
        arguments = {}
        if self.versions[name] == 5:
            if self.chance(0.2):
                arguments["reason"] = 4
            if self.chance(0.1):
                arguments["properties"] = {"session_expiry_interval":
                                           self.random.choice((0, 5000))}
        return Step("disconnect", name, arguments)

    def misbehave(self, name):
        if name in self.retained_wills:   # as in take_over
            return self.drop(name)
        pool = MISDEEDS + MISDEEDS_5 if self.versions[name] == 5 else MISDEEDS
        self.connected.discard(name)
        self.misdeeds += 1   # by turns, so that none is left out by chance
        return Step("misbehave", name, {"how": pool[(self.seed + self.misdeeds) % len(pool)]})

    def next(self):
        away = [name for name in NAMES if name not in self.connected]
        if away and self.chance(0.5 if len(away) == len(NAMES) else 0.15 * len(away)):
            return self.connect(self.random.choice(away))
        if not self.connected:
            return self.connect(self.random.choice(away))
        name = self.random.choice(sorted(self.connected))
        receipts = ("all", "all", "nothing", "receipt") if name in self.careful else ("all",)
        return self.random.choices(
            (lambda: self.publish(name), lambda: self.subscribe(name),
             lambda: self.unsubscribe(name), lambda: self.disconnect(name),
             lambda: self.drop(name), lambda: self.take_over(name), lambda: self.misbehave(name),
             lambda: Step("acknowledge", name, {"what": self.random.choice(receipts)})),
            (10, 6, 2, 1.2, 1.2, 0.5, 0.8, 2 if name in self.careful else 0))[0]()

    def drop(self, name):
        self.connected.discard(name)
        return Step("drop", name)

    def take_over(self, name):
        """mosquitto forgets the will then, which would show again whenever it is retained."""
        return self.drop(name) if name in self.retained_wills else self.connect(name)


def generate(seed, length=24):
    """The script of this seed: everybody comes, things happen, and who is away comes back."""
    generator = Generator(seed)
    steps = [generator.connect(name) for name in NAMES]
    while len(steps) < length:
        steps.append(generator.next())
    for name in NAMES:
        steps.append(Step("acknowledge", name, {"what": "all"}))
        if name not in generator.connected:
            steps.append(Step("connect", name, {"version": generator.versions[name],
                                                "clean": False}))
    return steps
