# SPDX-License-Identifier: MIT
"""Each limit, lowered by its option: at the limit everything works; beyond it the client gets the
reason the specification has for it, $SYS counts it once, and a log line names client, topic and
cause.

What a limit means for memory is in test_limits.py; malformed packets are in test_bad_input.py.
"""
import contextlib
import ctypes
import itertools
import os
import re
import resource
import select
import signal
import subprocess
from pathlib import Path

import pytest

import mqtt
from client import TimedOut, durable, eventually
from mqtt import Connack, Connect, Disconnect, Publish, Reason, Will
from server import Broker

BOTH = pytest.mark.parametrize("version", (4, 5), ids=("3.1.1", "5.0"))
COUNTED = ("$SYS/broker/refused/#", "$SYS/broker/dropped/#")
USER_PROPERTIES = [("name", "value")] * 3


class Watcher:
    """Sees what the broker counts as refused and dropped. A broker of its own counts from 0."""

    def __init__(self, client):
        self.client, self.counts = client, {}
        client.subscribe(*COUNTED)

    def expect(self, wanted):
        """Exactly these are not 0, by the last level of their topic."""
        self._read_until(lambda: self.counts == wanted, wanted)

    def expect_among_others(self, **wanted):
        """These too; an underscore is a space, and all are below "refused"."""
        wanted = {f"refused/{name.replace('_', ' ')}": count for name, count in wanted.items()}
        self._read_until(lambda: wanted.items() <= self.counts.items(), wanted)

    def _read_until(self, check, wanted):
        def look():
            if check():
                return True
            try:
                packet = self.client.expect(Publish)
            except TimedOut:
                raise AssertionError(f"wanted {wanted}, counted {self.counts}") from None
            self.counts[packet.topic.split("/", 2)[2]] = int(packet.payload)
            self.counts = {name: count for name, count in self.counts.items() if count}
            return False
        eventually(look, f"{wanted} counted, not {self.counts}")


@pytest.fixture
def start(fresh_broker, connect):
    """start("--option", value, ...): a broker, its port, and a watcher of its counters."""
    def make(*options, **keywords):
        broker = fresh_broker("--sys-interval", "1", *options, **keywords)
        return broker, broker.port, Watcher(connect(5, "watcher", port=broker.port))
    return make


def expect_line(broker, sentence, **fields):
    """A log line that says this, with these fields; a value may end in "..."."""
    wanted = [sentence]
    for name, value in fields.items():
        text = str(value)
        wanted.append(rf"{name}=\"?" + re.escape(text.removesuffix("...")))
    return broker.wait_for_log(".*".join(wanted))


def refused(connect, reason, port, version, client_id="guest", source=None, **fields):
    """CONNECT is answered with this reason, or the return code of 3.x."""
    client = connect(version, client_id, port=port, connect=False, source=source)
    client.send_connect(**fields)
    client.expect_refused(reason)


# ----------------------------------------------------------------------------------------- CONNECT

def test_time_to_connect(start, connect):
    broker, port, watcher = start("--connect-timeout", "1")
    silent, dripping = (connect(5, port=port, connect=False) for _ in range(2))
    dripping.send_raw(mqtt.encode(Connect("drip"), 5)[:-1])
    assert not silent.read_to_end() and not dripping.read_to_end()
    watcher.expect({"refused/connect timeout": 2})
    expect_line(broker, "connection refused", address="127.0.0.1:", reason="no CONNECT within")


def test_pending_connections(start, connect):
    """The oldest goes; who has sent CONNECT is none of them."""
    broker, port, watcher = start("--max-pending-connections", "3", "--connect-timeout", "60",
                                  workers=1)
    waiting = [connect(5, port=port, connect=False) for _ in range(3)]
    watcher.client.ping()
    waiting.append(connect(5, port=port, connect=False))
    assert not waiting[0].read_to_end(), "the oldest"
    for number, client in enumerate(waiting[1:]):
        client.connect(client_id=f"patient-{number}")
    watcher.expect({"refused/pending": 1})
    expect_line(broker, "connection refused", reason="too many connections without CONNECT")


@BOTH
def test_packet_size_before_connect(start, connect, version):
    broker, port, watcher = start("--max-connect-packet-size", "100")
    overhead = len(mqtt.encode(Connect(""), version))
    connect(version, "x" * (100 - overhead), port=port).ping()
    large = connect(version, "x" * (101 - overhead), port=port, connect=False)
    large.send_connect()
    assert large.read_to_end()[:1] in (b"", b"\x20")
    watcher.expect({"refused/packet size": 1})
    expect_line(broker, "connection refused", address="127.0.0.1:", reason="packet too large")


@BOTH
def test_packet_size(start, connect, version, prefix):
    broker, port, watcher = start("--max-packet-size", "200")
    client = connect(version, "sender", port=port)
    fits = Publish(prefix, b"x" * (200 - len(mqtt.encode(Publish(prefix, b"x" * 150), version))
                                   + 150))
    assert len(mqtt.encode(fits, version)) == 200
    client.send(fits)
    client.ping()
    client.send(Publish(prefix, fits.payload + b"x"))
    client.expect_closed(Reason.PACKET_TOO_LARGE)
    watcher.expect({"refused/packet size": 1})
    expect_line(broker, "client disconnected", client="sender", reason="packet too large")


@BOTH
def test_client_identifier(start, connect, version):
    broker, port, watcher = start("--max-client-id-bytes", "30")
    connect(version, "x" * 30, port=port).ping()
    refused(connect, 0x85 if version == 5 else 2, port, version, "y" * 31)
    watcher.expect({"refused/client id": 1})
    expect_line(broker, "connection refused", client="y" * 31,
                reason="client identifier too long (max_client_id_bytes)")


@BOTH
def test_connections(start, connect, version):
    broker, port, watcher = start("--max-connections", "3")
    connect(version, "first", port=port)
    second = connect(version, "second", port=port)
    refused(connect, 0x97 if version == 5 else 3, port, version, "third")
    connect(version, "second", port=port)            # it takes its own place over
    second.expect_closed(Reason.SESSION_TAKEN_OVER)
    watcher.expect({"refused/connections": 1})
    expect_line(broker, "connection refused", client="third", reason="as many clients as max_conn")


@BOTH
def test_sessions(start, connect, version):
    """A session that is kept counts without its client, and its client may come back."""
    broker, port, watcher = start("--max-sessions", "2")
    with connect(version, "away", port=port, **durable(version)) as away:
        away.disconnect()
    refused(connect, 0x97 if version == 5 else 3, port, version, "third")
    connect(version, "away", port=port, clean=True).disconnect()
    connect(version, "third", port=port).ping()
    watcher.expect({"refused/sessions": 1})
    expect_line(broker, "connection refused", client="third", reason="as many sessions as max_ses")


# ------------------------------------------------------------------------------------------ topics

TOPIC_OPTIONS = ("--max-topic-bytes", "60", "--max-topic-levels", "5")
LARGEST = ("x" * 60, "/".join("abcde"))
BEYOND = ("x" * 61, "/".join("abcdef"))
TOO_LONG = "is too long or too deep (max_topic_bytes, max_topic_levels)"


@BOTH
@pytest.mark.parametrize("which", (0, 1), ids=("bytes", "levels"))
def test_a_topic_that_is_published(start, connect, version, which):
    broker, port, watcher = start(*TOPIC_OPTIONS)
    listener, sender = connect(5, port=port), connect(version, "sender", port=port)
    listener.subscribe("#")
    for qos in (0, 1, 2):
        sender.publish(LARGEST[which], "x", qos=qos)
        listener.receive(LARGEST[which])
    sender.publish(BEYOND[which], "x")
    sender.ping()                                    # QoS 0 has no answer, and goes on
    for qos in (1, 2):
        if version == 5:
            answer = sender.publish(BEYOND[which], "x", qos=qos)
            assert answer.reason == Reason.TOPIC_NAME_INVALID
        else:
            sender.send(Publish(BEYOND[which], b"x", qos, packet_id=9))
            sender.expect_closed()
            sender = connect(version, "sender", port=port)
    listener.expect_nothing(after=sender)
    watcher.expect({"refused/topic": 3})
    expect_line(broker, "message refused", client="sender", topic=BEYOND[which],
                cause="the topic " + TOO_LONG)


@BOTH
@pytest.mark.parametrize("which", (0, 1), ids=("bytes", "levels"))
def test_a_filter(start, connect, version, which):
    broker, port, watcher = start(*TOPIC_OPTIONS)
    client = connect(version, "reader", port=port)
    answer = client.try_subscribe(BEYOND[which], LARGEST[which], "$share/g/" + LARGEST[which])
    assert answer.reasons == [Reason.TOPIC_FILTER_INVALID if version == 5 else 0x80, 0, 0]
    watcher.expect({"refused/topic": 1})
    expect_line(broker, "subscription refused", client="reader", filter=BEYOND[which],
                cause="the filter " + TOO_LONG)


@BOTH
@pytest.mark.parametrize("which", (0, 1), ids=("bytes", "levels"))
def test_the_topic_of_a_will(start, connect, version, which):
    broker, port, watcher = start(*TOPIC_OPTIONS)
    connect(version, port=port, will=Will(LARGEST[which], b"x")).ping()
    refused(connect, Reason.TOPIC_NAME_INVALID if version == 5 else 5, port, version, "mortal",
            will=Will(BEYOND[which], b"x"))
    watcher.expect({"refused/topic": 1})
    expect_line(broker, "connection refused", client="mortal", will=BEYOND[which],
                reason="the will's topic " + TOO_LONG)


# -------------------------------------------------------------------------------------- properties

PROPERTY_LIMITS = {
    "user": ("--max-user-properties", "2", {"user_property": USER_PROPERTIES[:2]},
             {"user_property": USER_PROPERTIES}),
    "bytes": ("--max-property-bytes", "64", {"correlation_data": bytes(61)},
              {"correlation_data": bytes(62)}),
}
BY_PROPERTY = pytest.mark.parametrize("limit", PROPERTY_LIMITS)


@BY_PROPERTY
def test_properties_of_a_message(start, connect, prefix, limit):
    option, value, largest, beyond = PROPERTY_LIMITS[limit]
    broker, port, watcher = start(option, value)
    listener, sender = connect(5, port=port), connect(5, "sender", port=port)
    listener.subscribe(prefix)
    for qos in (0, 1, 2):
        sender.publish(prefix, "x", qos=qos, properties=largest)
        listener.receive(prefix, properties=largest)
    sender.publish(prefix, "x", properties=beyond)
    for qos in (1, 2):
        assert sender.publish(prefix, "x", qos=qos,
                              properties=beyond).reason == Reason.QUOTA_EXCEEDED
    listener.expect_nothing(after=sender)
    watcher.expect({"refused/properties": 3})
    expect_line(broker, "message refused", client="sender", topic=prefix,
                cause="too many properties (max_user_properties, max_property_bytes)")


@BY_PROPERTY
def test_properties_of_a_will(start, connect, prefix, limit):
    option, value, largest, beyond = PROPERTY_LIMITS[limit]
    broker, port, watcher = start(option, value)
    connect(5, port=port, will=Will(prefix, b"x", properties=largest)).ping()
    refused(connect, Reason.QUOTA_EXCEEDED, port, 5, "mortal",
            will=Will(prefix, b"x", properties=beyond))
    watcher.expect({"refused/properties": 1})
    expect_line(broker, "connection refused", client="mortal", will=prefix,
                reason="the will has too many properties (max_user_properties, max_property_b")


def test_topic_aliases(start, connect, prefix):
    broker, port, _ = start("--max-topic-alias", "2")
    listener, sender = connect(5, port=port), connect(5, "sender", port=port)
    assert sender.connack.properties["topic_alias_maximum"] == 2
    listener.subscribe(prefix)
    sender.publish(prefix, "x", properties={"topic_alias": 2})
    listener.receive(prefix)
    sender.send(Publish(prefix, b"x", properties={"topic_alias": 3}))
    sender.expect_closed(Reason.TOPIC_ALIAS_INVALID)
    expect_line(broker, "client disconnected", client="sender", reason="topic alias invalid")


# ----------------------------------------------------------------------------------- subscriptions

@BOTH
@pytest.mark.parametrize("option, count", (("--max-subscriptions", 5),
                                           ("--max-subscriptions-all", 7)))
def test_subscriptions(start, connect, version, prefix, option, count):
    """Of one session; and of all, where the watcher has two of the seven."""
    broker, port, watcher = start(option, count)
    client = connect(version, "reader", port=port)
    client.subscribe(*(f"{prefix}/{number}" for number in range(5)))
    beyond = Reason.QUOTA_EXCEEDED if version == 5 else 0x80
    answer = client.try_subscribe(f"{prefix}/4", f"{prefix}/5", f"$share/g/{prefix}")
    assert answer.reasons == [0, beyond, beyond], "what is there already is replaced"
    watcher.expect({"refused/subscriptions": 2})
    expect_line(broker, "subscription refused", client="reader", filter=f"{prefix}/5",
                cause="too many subscriptions (max_subscriptions, max_subscriptions_all)")


# ------------------------------------------------------------------------------- queues and output

@BOTH
@pytest.mark.parametrize("option", ("--max-queued-messages", "--max-queued-bytes"))
def test_a_queue(start, connect, version, prefix, option):
    """What waits for an absent client: the oldest stay, what comes then is dropped."""
    limit = 4 if option == "--max-queued-messages" else 4 * 10_500
    broker, port, watcher = start(option, limit)
    with connect(version, "away", port=port, **durable(version)) as away:
        away.subscribe(prefix, qos=1)
        away.disconnect()
    sender = connect(5, port=port)
    for number in range(7):
        sender.publish(prefix, b"%d" % number + bytes(9_999), qos=1)
    watcher.expect({"dropped/queue full": 3})
    expect_line(broker, "message not delivered", client="away", topic=prefix,
                cause="the session's queue is full", qos=1, bytes=10_000)
    back = connect(version, "away", port=port, **durable(version))
    got = [packet.payload[:1] for packet in back.receive_all(after=sender)]
    assert got == [b"0", b"1", b"2", b"3"]


@BOTH
def test_output(start, connect, version, prefix):
    """QoS 0 for who reads slowly: the newest stay."""
    broker, port, watcher = start("--max-output-bytes", "50k")
    slow = connect(version, "slow", port=port, receive_buffer=4096)
    sender = connect(5, port=port)
    slow.subscribe(prefix)
    count = 300
    for number in range(count):
        sender.publish(prefix, b"%d " % number + bytes(40_000))
    sender.ping()
    expect_line(broker, "message not delivered", client="slow", topic=prefix,
                cause="the client reads too slowly", qos=0)
    got = [int(packet.payload.split()[0]) for packet in slow.receive_all(after=sender)]
    assert got == sorted(got) and got[-1] == count - 1
    watcher.expect({"dropped/reads too slowly": count - len(got)})


@BOTH
def test_a_stalled_reader(start, connect, version, prefix):
    """It has output waiting and takes nothing; an idle one may wait for ever."""
    broker, port, watcher = start("--stalled-output-timeout", "1", "--max-output-bytes", "100M")
    idle = connect(version, "idle", port=port, receive_buffer=4096)
    stalled = connect(version, "stalled", port=port, receive_buffer=4096)
    sender = connect(5, port=port)
    stalled.subscribe(prefix)
    for _ in range(16):
        sender.publish(prefix, bytes(1 << 20))
    expect_line(broker, "client disconnected", client="stalled",
                reason="the client reads nothing (stalled_output_timeout)")
    idle.ping()
    watcher.expect_among_others(reads_nothing=1)     # what it had not been sent is "session ended"


@BOTH
@pytest.mark.parametrize("option, value", (("--max-inflight-messages", 3),
                                           ("--max-inflight-bytes", 25_000)))
def test_in_flight(start, connect, version, prefix, option, value):
    """Beyond it messages wait for an acknowledgement; nothing is refused."""
    _, port, _ = start(option, value)
    reader, sender = connect(version, port=port), connect(5, port=port)
    reader.subscribe(prefix, qos=1)
    for number in range(5):
        sender.publish(prefix, b"%d" % number + bytes(9_999), qos=1)
    first = [reader.expect(Publish) for _ in range(3)]
    reader.expect_nothing()
    reader.acknowledge(first[0])
    fourth = reader.expect(Publish)
    reader.expect_nothing()
    for packet in (*first[1:], fourth):
        reader.acknowledge(packet)
    reader.receive(prefix, b"4" + bytes(9_999))
    reader.expect_nothing()


def test_packets_too_large_for_the_client(start, connect, prefix):
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25]"""
    broker, port, watcher = start()
    largest = mqtt.encode(Publish(prefix, bytes(100)), 5)
    small = connect(5, "small", port=port, properties={"maximum_packet_size": len(largest)})
    sender = connect(5, port=port)
    small.subscribe(prefix, qos=1)
    sender.publish(prefix, bytes(101))
    sender.publish(prefix, bytes(99), qos=1)         # two bytes of packet identifier more
    sender.publish(prefix, bytes(100))
    small.receive(prefix, bytes(100))
    watcher.expect({"dropped/too large": 2})
    expect_line(broker, "message not delivered", client="small", topic=prefix,
                cause="larger than the client's maximum packet size", qos=0, bytes=101)


# ---------------------------------------------------------------------------------------- retained

@BOTH
@pytest.mark.parametrize("option, value", (("--max-retained-messages", "2"),
                                           ("--max-retained-bytes", "3000")))
def test_retained_messages(start, connect, version, prefix, option, value):
    broker, port, watcher = start(option, value)
    sender = connect(version, "sender", port=port)
    for number in (0, 1, 1):                         # what is there may be replaced
        sender.publish(f"{prefix}/{number}", bytes(1000), qos=1, retain=True)
    full = f"{prefix}/2"
    sender.publish(full, bytes(1000), retain=True)
    sender.ping()
    for qos in (1, 2):
        if version == 5:
            answer = sender.publish(full, bytes(1000), qos=qos, retain=True)
            assert answer.reason == Reason.QUOTA_EXCEEDED
        else:                                        # what may work later is not acknowledged
            sender.send(Publish(full, bytes(1000), qos, True, packet_id=9))
            sender.expect_closed()
            sender = connect(version, "sender", port=port)
    watcher.expect({"refused/retained": 3})
    expect_line(broker, "message refused", client="sender", topic=full,
                cause="no room to retain it (max_retained_messages, max_retained_bytes)")
    sender.publish(f"{prefix}/0", b"", qos=1, retain=True)
    sender.publish(full, bytes(1000), qos=1, retain=True)
    reader = connect(version, port=port)
    reader.subscribe(f"{prefix}/#")
    assert {reader.receive().topic for _ in range(2)} == {f"{prefix}/1", full}
    reader.expect_nothing()


@BOTH
def test_a_retained_will(start, connect, version, prefix):
    broker, port, watcher = start("--max-retained-messages", "1")
    sender = connect(version, port=port)
    sender.publish(prefix, "x", qos=1, retain=True)
    connect(version, "mortal", port=port, will=Will(f"{prefix}/will", b"x", retain=True)).abort()
    watcher.expect({"refused/retained": 1, "dropped/not retained": 1})
    expect_line(broker, "message not delivered", client="mortal", topic=f"{prefix}/will",
                cause="no room to retain it (max_retained_messages, max_retained_bytes)")
    sender.publish(prefix, "", qos=1, retain=True)
    connect(version, "mortal", port=port, will=Will(f"{prefix}/will", b"x", retain=True)).abort()
    reader = connect(version, port=port)
    reader.subscribe(f"{prefix}/will")
    reader.receive(f"{prefix}/will", "x")


# --------------------------------------------------------------------------------- file descriptors

class PoorBroker(Broker):
    """A broker that may have 64 file descriptors."""

    def command(self):
        return ["prlimit", "--nofile=64:64", *super().command()]


def processor_seconds(broker):
    fields = Path(f"/proc/{broker.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def expect_rest(broker, watcher):
    """Between two publications of $SYS, a second apart, it hardly needs the processor."""
    watcher.client.subscribe("$SYS/broker/uptime")
    seconds = []
    for _ in range(3):                               # the first is retained
        watcher.client.wait_for(Publish, topic="$SYS/broker/uptime")
        seconds.append(processor_seconds(broker))
    watcher.client.unsubscribe("$SYS/broker/uptime")
    assert seconds[2] - seconds[1] < 0.1, "accepting is not tried again and again"


def expect_welcome(*clients):
    for client in clients:
        client.expect(Connack, reason=0)


def test_no_file_descriptors_left(tmp_path, connect, prefix):
    """As many connections as there are descriptors but for those in reserve. Newcomers wait; they
    are let in when others go."""
    with PoorBroker(tmp_path, "--sys-interval", "1", "--reserved-descriptors", "20",
                    workers=1) as broker:
        watcher = Watcher(connect(5, "watcher", port=broker.port))
        room = 64 - 20 - 8 - 2 - 1                   # the broker's own, and the watcher
        inside = [connect(5, port=broker.port) for _ in range(room)]
        waiting = [connect(5, f"waiting-{number}", port=broker.port, connect=False)
                   for number in range(3)]
        for client in waiting:
            client.send_connect()
        watcher.expect({"refused/descriptors": 1})
        expect_line(broker, "no file descriptors left, new connections wait", connections=room + 1)
        expect_rest(broker, watcher)
        inside[0].subscribe(prefix)
        inside[1].publish(prefix, "x")
        inside[0].receive(prefix, "x")
        assert not select.select([client.socket for client in waiting], [], [], 0)[0]
        assert broker.log().count("no file descriptors left") == 1
        for client in inside[2:5]:
            client.disconnect()
        expect_welcome(*waiting)


def test_file_descriptors_that_are_gone_unexpectedly(start, connect):
    """accept() fails although there should be room; it is tried again, once a second."""
    broker, port, watcher = start(workers=1)
    used = 1 + max(int(name) for name in os.listdir(f"/proc/{broker.pid}/fd"))
    before = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (used, before[1]))
    late = connect(5, "late", port=port, connect=False)
    late.send_connect()
    expect_line(broker, "no file descriptors left, new connections wait")
    expect_rest(broker, watcher)
    watcher.client.ping()
    assert not select.select([late.socket], [], [], 0)[0]
    resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, before)
    expect_welcome(late)


# ---------------------------------------------------------------------------------- other addresses

CLONE_NEWNET = 0x40000000
STRANGER, NEIGHBOUR = "203.0.113.7", "10.1.2.3"


@pytest.fixture
def own_network():
    """This thread, and what it starts, in a network of its own, with the addresses of a stranger
    and of a neighbour next to 127.0.0.1."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", encoding="ascii") as home:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"a network of its own needs root: {os.strerror(ctypes.get_errno())}")
        try:
            for command in ("link set lo up", f"address add {STRANGER}/32 dev lo",
                            f"address add {NEIGHBOUR}/32 dev lo"):
                subprocess.run(["ip", *command.split()], check=True)
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0


@BOTH
def test_anonymous_clients_from_elsewhere(own_network, start, connect, version):
    """Private networks may come in; the log says what to type for the others."""
    broker, port, watcher = start()
    connect(version, port=port, source=NEIGHBOUR).ping()
    refused(connect, Reason.NOT_AUTHORIZED if version == 5 else 5, port, version, "stranger",
            source=STRANGER)
    watcher.expect({"refused/not authorized": 1})
    expect_line(broker, "connection refused", client="stranger", address=STRANGER,
                reason="anonymous clients may only come from this machine and private networks; "
                "to let everybody in start with --allow-anonymous true")


@BOTH
def test_anonymous_clients_from_anywhere(own_network, fresh_broker, connect, version):
    port = fresh_broker("--allow-anonymous", "true").port
    for source in (STRANGER, NEIGHBOUR, None):
        connect(version, port=port, source=source).ping()


@BOTH
def test_anonymous_clients_from_nowhere(own_network, fresh_broker, connect, version):
    broker = fresh_broker("--allow-anonymous", "false")
    for source in (STRANGER, NEIGHBOUR, None):
        refused(connect, Reason.NOT_AUTHORIZED if version == 5 else 5, broker.port, version,
                f"from-{source}", source=source)
        expect_line(broker, "connection refused", client=f"from-{source}",
                    reason="anonymous clients are not allowed (allow_anonymous false)")


def test_pending_connections_of_an_address(own_network, start, connect):
    """Its oldest goes; other addresses and this machine are not touched."""
    broker, port, watcher = start("--max-pending-per-address", "2", "--connect-timeout", "60",
                                  workers=1)
    neighbours = [connect(5, port=port, connect=False, source=NEIGHBOUR) for _ in range(2)]
    at_home = [connect(5, port=port, connect=False) for _ in range(3)]
    strangers = [connect(5, port=port, connect=False, source=STRANGER) for _ in range(3)]
    assert not strangers[0].read_to_end(), "its oldest"
    watcher.expect({"refused/pending of one address": 1})
    expect_line(broker, "connection refused", address=STRANGER,
                reason="too many connections without CONNECT from this address")
    for number, client in enumerate(neighbours + at_home):
        client.connect(client_id=f"patient-{number}")


# ------------------------------------------------------------------------------------------- memory

MEGABYTE = 1 << 20


def fill(sender, topic, megabytes):
    """Publishes to who does not read; returns when the broker has it."""
    for _ in range(megabytes * 10):
        sender.publish(topic, bytes(MEGABYTE // 10))
    sender.ping()


def fill_until(broker, sentence, sender, topic):
    """A megabyte more until the broker, which looks once a second, has said this."""
    for _ in range(30):
        with contextlib.suppress(AssertionError):
            return broker.wait_for_log(sentence, timeout=1.2)
        fill(sender, topic, 1)
    raise AssertionError(f"{sentence!r} was never said:\n{broker.log()}")


@BOTH
def test_memory_is_shed_in_order(start, connect, prefix, version):
    """Short of memory: newcomers are refused; then the slow client without a session to keep is
    closed, and nobody else; after that everything is taken again."""
    broker, port, watcher = start("--memory-limit", "64M", "--max-output-bytes", "1G")
    pair = [connect(version, name, port=port, **durable(version)) for name in ("from", "to")]
    pair[1].subscribe(f"{prefix}/pair", qos=1)
    numbers = itertools.count()

    def exchange():
        number = b"%d" % next(numbers)
        pair[0].publish(f"{prefix}/pair", number, qos=1)
        pair[1].receive(f"{prefix}/pair", number)
    slow = connect(version, "slow", port=port, receive_buffer=4096)
    slow.subscribe(f"{prefix}/much")
    filler = connect(5, port=port)
    exchange()
    fill(filler, f"{prefix}/much", 50)               # of 64; from 70 % on it is short
    fill_until(broker, "memory is short, new connections are refused", filler, f"{prefix}/much")
    exchange()
    refused(connect, Reason.SERVER_BUSY if version == 5 else 3, port, version, "late")
    expect_line(broker, "connection refused", client="late", reason="memory is short (memory_limit)")
    assert "to make room" not in broker.log()
    fill(filler, f"{prefix}/much", 8)                # beyond 85 %
    fill_until(broker, "closing a client to make room client=slow", filler, f"{prefix}/much")
    expect_line(broker, "client disconnected", client="slow", reason="closed to make room")
    exchange()

    def is_let_in():
        client = connect(version, "late", port=port, connect=False)
        client.send_connect()
        return client.expect(Connack).reason == 0
    eventually(is_let_in, "new clients are taken again")
    exchange()
    watcher.expect_among_others(to_make_room=1)
    for client in (*pair, filler):
        client.ping()
    assert broker.log().count("closing a client to make room") == 1


def test_a_message_that_memory_has_no_room_for(start, connect, prefix):
    broker, port, watcher = start("--memory-limit", "1M")
    sender = connect(5, "sender", port=port)
    sender.send(Publish(prefix, bytes(2 * MEGABYTE), 1, packet_id=1))
    sender.expect_closed(Reason.QUOTA_EXCEEDED)
    expect_line(broker, "client disconnected", client="sender",
                reason="no memory for the packet (memory_limit)")
    watcher.expect({"refused/memory": 1})
    connect(5, "sender", port=port).publish(prefix, bytes(100_000), qos=1)


def test_at_the_limit_messages_are_refused_one_by_one(start, connect, prefix):
    """What waits for an absent client has taken all memory: it may come back and fetch that, while
    nobody new may come."""
    broker, port, watcher = start("--memory-limit", "1M", "--max-queued-bytes", "0")
    sender = connect(5, "sender", port=port, **durable(5))
    with connect(5, "away", port=port, **durable(5)) as away:
        away.subscribe(prefix, qos=1)
        away.disconnect()
    taken = 0
    while (answer := sender.publish(prefix, bytes(100_000), qos=1)).reason == 0:
        taken += 1
        assert taken < 20, "20 do not fit"
    assert answer.reason == Reason.QUOTA_EXCEEDED
    expect_line(broker, "message refused", client="sender", topic=prefix,
                cause="no memory (memory_limit)", bytes=100_000)
    expect_line(broker, "memory is short, new connections are refused")
    refused(connect, Reason.SERVER_BUSY, port, 5, "late")
    watcher.expect({"refused/memory": 2})
    back = connect(5, "away", port=port, **durable(5))
    for _ in range(taken):
        back.receive(prefix, bytes(100_000))
    back.expect_nothing()
    assert sender.publish(prefix, "x", qos=1).reason == 0
    back.receive(prefix, "x")


# ---------------------------------------------------------------------------------- the end, the log

@BOTH
def test_another_server(fresh_broker, connect, version):
    broker = fresh_broker("--server-reference", "other.example:1883")
    client = connect(version, port=broker.port)
    broker.signal(signal.SIGTERM)
    if version == 5:
        client.expect(Disconnect, reason=Reason.USE_ANOTHER_SERVER,
                      properties={"server_reference": "other.example:1883"})
    client.expect_closed()


def test_lines_beyond_the_rate_are_left_out_and_counted(start, connect, prefix):
    """Every message is counted; the log tells of some, and of how many it does not."""
    broker, port, watcher = start("--max-topic-levels", "5")
    sender = connect(5, "sender", port=port)
    sent = 0

    def is_said():
        nonlocal sent
        sent += 200
        sender.send_raw(mqtt.encode(Publish(f"{prefix}/b/c/d/e/f"), 5) * 200)
        sender.ping()
        return "log lines left out" in broker.log()
    eventually(is_said, "lines that were left out are counted")
    watcher.expect({"refused/topic": sent})
    left_out = int(expect_line(broker, r"log lines left out count=(\d+)").group(1))
    assert 0 < left_out < sent
    assert 'like="message refused"' in broker.log()
    assert broker.log().count(" message refused client=") < sent
