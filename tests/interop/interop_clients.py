# SPDX-License-Identifier: MIT
"""One class per client of the field, all with the same verbs.

publish() returns when the client has seen the acknowledgement and has ended; subscribe() returns a
Subscription whose messages are what the client printed. What a client cannot do, or cannot show, is
said in its class, so that no test passes over it silently. Every client identifier is unique.
"""
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import re
import signal
import tempfile
import uuid
from pathlib import Path

from interop_process import Child, run

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("BUD_INTEROP_BUILD", HERE / "../../build/interop")).resolve()
SESSION_SECONDS = 3600
QUALITIES = (0, 1, 2)


@dataclasses.dataclass(frozen=True)
class Message:
    """What a client said it received; None for what it does not show."""
    topic: str | None
    payload: bytes
    qos: int | None = None
    retain: bool | None = None


@dataclasses.dataclass(frozen=True)
class Will:
    topic: str
    payload: str
    qos: int
    retain: bool


_stem, _numbers = uuid.uuid4().hex[:8], itertools.count(1)


def new_id():
    """A client identifier, short enough for 3.1."""
    return f"i{_stem}-{next(_numbers)}"


class Subscription:
    """A subscribing client at work. `parse` turns its whole output into messages."""
    is_own = True           # its process serves nobody else

    def __init__(self, child, parse, stop_signal=signal.SIGTERM):
        self.child, self._parse, self.stop_signal = child, parse, stop_signal

    def messages(self):
        return self._parse(self.child.output())

    def until(self, *topics):
        """Waits until there has been a message of each of these topics."""
        def arrived(output):
            return set(topics) <= {message.topic for message in self._parse(output)}
        self.child.wait_for(arrived, f"a message of {' and '.join(topics)}")

    def until_payloads(self, *payloads):
        """Waits until there has been a message for each of these payloads; two take two."""
        def arrived(output):
            received = collections.Counter(message.payload for message in self._parse(output))
            return collections.Counter(payloads) <= received
        self.child.wait_for(arrived, f"messages with {payloads}")

    def stop(self):
        """Ends it as its user would, by its signal."""
        return self.child.stop(self.stop_signal)

    def kill(self):
        self.child.kill()


class Client:
    """What every client has. Subclasses give _publish and _subscribe."""
    name = ""
    versions = ("3.1", "3.1.1", "5")
    is_binary = True        # shows every payload byte for byte
    shows_flags = True      # shows QoS and RETAIN of what it received
    can_persist = True
    can_retain_will = True
    will_at_end = ()        # the versions at which its polite end asks for the will
    says_goodbye = True     # its polite end is a DISCONNECT

    def publish(self, port, version, topic, payload, qos=0, retain=False):
        raise NotImplementedError

    def subscribe(self, port, version, topic_filter, qos=0, will=None, session=None):
        """`session` is the client identifier of a session that outlives the connection."""
        raise NotImplementedError

    def close(self):
        """Ends what the client kept for the next test."""


@contextlib.contextmanager
def payload_file(payload):
    """The name of a file that holds the payload, for clients that read it from one."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload)
        file.flush()
        yield file.name


def mosquitto_messages(output):
    return [Message(topic.decode(), bytes.fromhex(payload.decode()), int(qos), retain == b"1")
            for qos, retain, payload, topic
            in re.findall(rb"^M (\d) (\d) ([0-9a-f]*) (.*)\n", output, re.M)]


class Mosquitto(Client):
    """mosquitto_pub and mosquitto_sub."""
    name = "mosquitto"
    will_at_end = ("5",)    # it sends reason 0x04
    spelling = {"3.1": "mqttv31", "3.1.1": "mqttv311", "5": "mqttv5"}

    def _common(self, port, version, qos):
        return ["-h", "127.0.0.1", "-p", port, "-V", self.spelling[version], "-q", qos]

    def publish(self, port, version, topic, payload, qos=0, retain=False):
        # No -i: an empty client identifier where the version has one.
        run(["mosquitto_pub", *self._common(port, version, qos), "-t", topic,
             "-s" if payload else "-n", *(["-r"] if retain else [])], payload)

    def subscribe(self, port, version, topic_filter, qos=0, will=None, session=None):
        words = ["mosquitto_sub", *self._common(port, version, qos), "-t", topic_filter, "-F",
                 "M %q %r %x %t"]
        if will:
            words += ["--will-topic", will.topic, "--will-payload", will.payload, "--will-qos",
                      will.qos, *(["--will-retain"] if will.retain else [])]
        if session:
            words += ["-c", "-i", session, *(["-x", SESSION_SECONDS] if version == "5" else [])]
        return Subscription(Child(["stdbuf", "-oL", *words]), mosquitto_messages)


PAHO_TRACE = re.compile(rb"Trace : \d, [^\n]*\n")
PAHO_RECEIVED = re.compile(rb"<- PUBLISH msgid: \d+ qos: (\d) retained: (\d)")


class PahoC(Client):
    """paho_c_pub and paho_c_sub, over the asynchronous library. The trace shows QoS and retain."""
    name = "paho-c"
    programs = ("paho_c_pub", "paho_c_sub")
    shown = re.compile(rb"^\d+ ([^\t\n]+)\t([^\n]*)\n", re.M)
    is_binary = False
    can_persist = False     # no option for it
    can_retain_will = False  # its parser refuses its own option
    spelling = {"3.1": "31", "3.1.1": "311", "5": "5"}

    def _common(self, port, version, topic, qos):
        return ["-h", "127.0.0.1", "-p", port, "-V", self.spelling[version], "-i", new_id(),
                "-t", topic, "-q", qos]

    def publish(self, port, version, topic, payload, qos=0, retain=False):
        with payload_file(payload) as file:
            run([self.programs[0], *self._common(port, version, topic, qos),
                 *(["-f", file] if payload else ["-n"]), *(["-r"] if retain else [])])

    def subscribe(self, port, version, topic_filter, qos=0, will=None, session=None,
                  keep_alive=60):
        assert session is None
        words = [self.programs[1], *self._common(port, version, topic_filter, qos), "--verbose",
                 "--trace", "protocol", "-k", keep_alive]
        if will:
            words += ["--will-topic", will.topic, "--will-payload", will.payload, "--will-qos",
                      will.qos]
        return Subscription(Child(["stdbuf", "-oL", *words]), self._messages, signal.SIGINT)

    def _messages(self, output):
        # A trace line may fall between a topic and its payload, so they are taken out first.
        flags = PAHO_RECEIVED.findall(output)
        texts = self.shown.findall(PAHO_TRACE.sub(b"", output))
        return [Message(topic.decode(), payload, int(qos), retain == b"1")
                for (qos, retain), (topic, payload) in zip(flags, texts)]


class PahoCSynchronous(PahoC):
    """paho_cs_pub and paho_cs_sub, over the synchronous library."""
    name = "paho-cs"
    programs = ("paho_cs_pub", "paho_cs_sub")
    shown = re.compile(rb"^([^\t\n]+)\t([^\n]*)\n", re.M)


def driver_messages(output):
    return [Message(bytes.fromhex(topic.decode()).decode(), bytes.fromhex(payload.decode()),
                    int(qos), retain == b"1")
            for qos, retain, topic, payload
            in re.findall(rb"^message (\d) (\d) ([0-9a-f]*) ([0-9a-f]*)\r?\n", output, re.M)]


class Driver(Client):
    """A library behind a driver program of ours (drivers/), see paho_python.py for its words."""
    command = ()

    def _common(self, verb, port, version):
        return [*self.command, verb, f"port={port}", f"version={version}"]

    def publish(self, port, version, topic, payload, qos=0, retain=False):
        output = run([*self._common("publish", port, version), f"id={new_id()}", f"topic={topic}",
                      f"qos={qos}", f"retain={int(retain)}"], payload)
        assert b"published\n" in output, output

    def subscribe(self, port, version, topic_filter, qos=0, will=None, session=None):
        words = [*self._common("subscribe", port, version), f"id={session or new_id()}",
                 f"filter={topic_filter}", f"qos={qos}"]
        if will:
            words += [f"will_topic={will.topic}", f"will_payload={will.payload}",
                      f"will_qos={will.qos}", f"will_retain={int(will.retain)}"]
        if session:
            words += ["clean=0", f"expiry={SESSION_SECONDS}"]
        return Subscription(Child(words), driver_messages)


class PahoPython(Driver):
    name = "paho-python"
    command = ("/usr/bin/python3", HERE / "drivers/paho_python.py")


class MqttJs(Driver):
    name = "mqtt.js"
    command = ("node", HERE / "drivers/mqttjs.js")


class PahoGo(Driver):
    name = "paho-go"
    command = (BUILD / "paho_go",)
    versions = ("3.1", "3.1.1")


class FuseSource(Client):
    """FuseSource's Java client, by the two command-line classes in its jar."""
    name = "fusesource"
    versions = ("3.1", "3.1.1")
    is_binary = False
    shows_flags = False
    says_goodbye = False    # closes the socket
    jars = ":".join(f"/usr/share/java/{name}.jar" for name in
                    ("mqtt-client", "hawtbuf", "hawtdispatch", "hawtdispatch-transport"))

    def _common(self, program, port, version, topic, qos):
        return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", self.jars,
                f"org.fusesource.mqtt.cli.{program}", "-h", f"tcp://127.0.0.1:{port}", "-v",
                version, "-q", qos, "-t", topic]

    def publish(self, port, version, topic, payload, qos=0, retain=False):
        with payload_file(payload) as file:
            run([*self._common("Publisher", port, version, topic, qos), "-i", new_id(),
                 *(["-f", file] if payload else ["-z"]), *(["-r"] if retain else [])])

    def subscribe(self, port, version, topic_filter, qos=0, will=None, session=None):
        words = [*self._common("Listener", port, version, topic_filter, qos), "-s", "-i",
                 session or new_id(), *(["-c"] if session else [])]
        if will:
            words += ["--will-topic", will.topic, "--will-payload", will.payload, "--will-qos",
                      will.qos, *(["--will-retain"] if will.retain else [])]
        return Subscription(Child(words), self._messages)

    @staticmethod
    def _messages(output):
        return [Message(topic.decode(), payload) for topic, payload
                in re.findall(rb"Topic: ([^\n]*)\n([^\n]*)\n", output)]


class NodeRed(Client):
    """Node-RED without its editor, from nodered/flow.json: an MQTT out node, an MQTT in node that
    takes filters while it runs, and a broker node, which is the connection. Commands go in and
    messages come out as lines (nodered/settings.js).

    One process for each version serves all tests that need nothing of the broker node; a will or a
    session of one's own takes a process of its own."""
    name = "node-red"

    def __init__(self):
        self.shared = {}

    def publish(self, port, version, topic, payload, qos=0, retain=False):
        child = self._process(port, version)
        token = new_id()
        self._tell(child, do="publish", topic=topic, payload=payload.hex(), qos=qos, retain=retain,
                   token=token)
        child.wait_for(lambda output: f"published {token}\n".encode() in output, "the publication")

    def subscribe(self, port, version, topic_filter, qos=0, will=None, session=None):
        if will or session:
            child = self._start(port, version, (topic_filter, qos), will, session)
            return Subscription(child, driver_messages)
        child = self._process(port, version)
        self._tell(child, do="subscribe", topic=topic_filter, qos=qos)
        return SharedSubscription(child, topic_filter)

    def close(self):
        for child in self.shared.values():
            child.stop(signal.SIGINT)
        self.shared.clear()

    def _process(self, port, version):
        if version not in self.shared:
            self.shared[version] = self._start(port, version)
        return self.shared[version]

    def _start(self, port, version, static=None, will=None, session=None):
        broker = {}
        if session:
            broker = {"clientid": session, "cleansession": False,
                      "sessionExpiry": str(SESSION_SECONDS) if version == "5" else ""}
        if will:
            broker |= {"willTopic": will.topic, "willPayload": will.payload,
                       "willQos": str(will.qos), "willRetain": str(will.retain).lower()}
        return self.start(port, version, static, **broker)

    @staticmethod
    def start(port, version, static=None, **broker):
        """A Node-RED whose broker node has these fields, connected. `static` is the (filter, QoS)
        of an MQTT in node that is there from the start."""
        flow = json.loads((HERE / "nodered/flow.json").read_text())
        node = {node["id"]: node for node in flow}
        node["broker"] |= {"port": str(port), "clientid": new_id(),
                           "protocolVersion": {"3.1": "3", "3.1.1": "4", "5": "5"}[version],
                           **broker}
        if static:
            node["in"] |= {"topic": static[0], "qos": str(static[1]), "inputs": 0}
            node["commands"]["wires"] = [["out"], []]
        directory = tempfile.TemporaryDirectory(prefix="bud-node-red-")
        Path(directory.name, "flow.json").write_text(json.dumps(flow))
        child = Child(["node", HERE / "node_modules/node-red/red.js", "--userDir", directory.name,
                       "--settings", HERE / "nodered/settings.js", "flow.json"], cwd=directory.name)
        child.directory = directory  # it goes when the child does
        child.wait_for(lambda output: b"connected\n" in output, "Node-RED's connection", 60)
        return child

    @staticmethod
    def _tell(child, **command):
        child.write(json.dumps(command).encode() + b"\n")


class SharedSubscription(Subscription):
    """Those messages of a shared process that one filter, `<something>/#`, asked for."""
    is_own = False

    def __init__(self, child, topic_filter):
        super().__init__(child, self._matching)
        assert topic_filter.endswith("/#")
        self.topic_filter, self.stem = topic_filter, topic_filter[:-1]

    def _matching(self, output):
        return [message for message in driver_messages(output)
                if message.topic.startswith(self.stem)]

    def stop(self):
        NodeRed._tell(self.child, do="unsubscribe", topic=self.topic_filter)

    def kill(self):
        raise AssertionError("the process is shared")


CLIENTS = {client.name: client for client in
           (Mosquitto(), PahoC(), PahoCSynchronous(), PahoPython(), MqttJs(), PahoGo(),
            FuseSource(), NodeRed())}
PAIRS = [(name, version) for name, client in CLIENTS.items() for version in client.versions]
REFERENCE = Mosquitto()


def as_shown(client, *messages):
    """What this client shows of these messages."""
    return [message if client.shows_flags else Message(message.topic, message.payload)
            for message in messages]


def only(subscription, topic):
    return [message for message in subscription.messages() if message.topic == topic]


def without_marker(subscription):
    """The messages but for the marker that told that the subscription stands."""
    return [message for message in subscription.messages() if not message.topic.endswith("/ready")]
