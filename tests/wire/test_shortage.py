# SPDX-License-Identifier: MIT
"""When file descriptors or memory run out, clients come from elsewhere, or the broker goes: who is
refused, who is closed, what goes on, and how it recovers. The other limits: test_every_limit.py.
"""
import contextlib
import ctypes
import itertools
import os
import resource
import select
import signal
import subprocess
from pathlib import Path

import pytest

import mqtt
from client import durable, eventually
from mqtt import Connack, Disconnect, Publish, Reason
from server import Broker
from watcher import Watcher, expect_line, refused

BOTH = pytest.mark.parametrize("version", (4, 5), ids=("3.1.1", "5.0"))


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
                "make users with `bud user add NAME`, or let everybody in with "
                "--allow-anonymous true")


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
    expect_line(broker, "connection refused", client="late",
                reason="memory is short (memory_limit)")
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
    taken = []
    for size in (100_000, 1000, 10):       # to the last corner
        while (answer := sender.publish(prefix, bytes(size), qos=1)).reason == 0:
            taken.append(size)
            assert len(taken) < 1000, "so many do not fit"
        assert answer.reason == Reason.QUOTA_EXCEEDED
        expect_line(broker, "message refused", client="sender", topic=prefix,
                    cause="no memory (memory_limit)", bytes=size)
    expect_line(broker, "memory is short, new connections are refused")
    refused(connect, Reason.SERVER_BUSY, port, 5, "late")
    watcher.expect({"refused/memory": 4})
    back = connect(5, "away", port=port, **durable(5))
    for size in taken:
        back.receive(prefix, bytes(size))
    back.expect_nothing()
    assert sender.publish(prefix, "x", qos=1).reason == 0
    back.receive(prefix, "x")


# --------------------------------------------------------------------------------- the end, the log

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
