# SPDX-License-Identifier: MIT
"""A queue that is longer than memory: filled for a session that is away, and drained in order with
a kill -9 in the middle, in little memory.

BUD_LONG_QUEUE says how many messages of 100 bytes (default 200 000, and a tenth of it without
BUD_RELEASE). Python is quick enough for ten million only where it does nothing one by one, so
packets of one size are made and read in bulk here; the first bytes of a payload are its number.
"""
import os
import struct
import time

import pytest

from client import Client, durable
from crash import UNLIMITED

USUAL = 200_000 if os.environ.get("BUD_RELEASE") else 20_000
MESSAGES = int(os.environ.get("BUD_LONG_QUEUE", USUAL))
PAYLOAD = 100
TOPIC = b"long/queue"
CHUNK = 5000                    # packets that are on their way at once
MB = 1 << 20
MEMORY_MAX = 200 * MB
SECONDS_MAX = max(60, MESSAGES // 2000)

# PUBLISH at QoS 1 in 3.1.1: head, length, topic, packet identifier, number, filling
REST = 2 + len(TOPIC) + 2 + PAYLOAD
PUBLISH = struct.Struct(f">BBH{len(TOPIC)}sHQ{PAYLOAD - 8}s")
PUBACK = struct.Struct(">BBH")
FILLING = b"x" * (PAYLOAD - 8)
assert REST < 128 and PUBLISH.size == REST + 2


def receive(link, size):
    """Whole packets of this size: at least one."""
    link.socket.settimeout(SECONDS_MAX)
    data, link.buffer = bytes(link.buffer), bytearray()
    while len(data) < size:
        more = link.socket.recv(1 << 20)
        assert more, "the broker closed the connection"
        data += more
    whole = len(data) // size * size
    link.buffer += data[whole:]
    return memoryview(data)[:whole]


def fill(port):
    """MESSAGES publications, all acknowledged."""
    with Client(port, 4, "filler") as link:
        acknowledged = 0
        for first in range(0, MESSAGES, CHUNK):
            count = min(CHUNK, MESSAGES - first)
            link.send_raw(b"".join(
                PUBLISH.pack(0x32, REST, len(TOPIC), TOPIC, 1 + i, first + i, FILLING)
                for i in range(count)))
            while count > 0:
                answers = receive(link, PUBACK.size)
                assert {kind for kind, _, _ in PUBACK.iter_unpack(answers)} == {0x40}
                acknowledged += len(answers) // PUBACK.size
                count -= len(answers) // PUBACK.size
        assert acknowledged == MESSAGES


def drain(port, expected, until):
    """Takes and acknowledges messages from `expected` on, and what comes again before it, until
    `until` was next. Returns the number that is next."""
    link = Client(port, 4, "away", connect=False)
    assert link.connect(**durable(4)).session_present
    while expected < until:
        packets = receive(link, PUBLISH.size)
        identifiers = []
        for head, rest, size, topic, packet_id, number, filling in PUBLISH.iter_unpack(packets):
            assert (head | 8, rest, size, topic) == (0x3A, REST, len(TOPIC), TOPIC)
            assert filling == FILLING
            assert number <= expected, f"{number} came, and {expected} was next"
            expected = max(expected, number + 1)
            identifiers.append(packet_id)
        link.send_raw(b"".join(PUBACK.pack(0x40, 2, packet_id) for packet_id in identifiers))
    if expected < MESSAGES:
        link.abort()
    else:
        link.disconnect()
    return expected


def test_a_long_queue_is_drained_in_order_across_a_crash(fresh_broker, figures):
    broker = fresh_broker(*UNLIMITED)
    with Client(broker.port, 4, "away", **durable(4)) as away:
        away.subscribe("long/#", qos=1)
    before, started = broker.rss(), time.monotonic()
    fill(broker.port)
    filled = time.monotonic()
    memory = [("filled", broker.rss("VmHWM"))]
    half = drain(broker.port, 0, MESSAGES // 2)
    memory.append(("half drained", broker.rss("VmHWM")))
    broker.kill()
    killed = time.monotonic()
    broker = fresh_broker(*UNLIMITED, directory=broker.directory)
    begun = time.monotonic()
    memory.append(("started again", broker.rss("VmHWM")))
    assert drain(broker.port, half, MESSAGES) == MESSAGES
    memory.append(("drained", broker.rss("VmHWM")))
    figures |= {"messages": MESSAGES, "filled in s": round(filled - started, 1),
                "half drained in s": round(killed - filled, 1),
                "started in s": round(begun - killed, 1),
                "drained in s": round(time.monotonic() - begun, 1)}
    figures |= {f"MB {name}": round(peak / MB) for name, peak in memory}
    if not broker.has_sanitizer():
        assert max(peak for _, peak in memory) < before + MEMORY_MAX
    with Client(broker.port, 4, "away", **durable(4)) as away:
        away.expect_nothing(after=away)


def publish_numbers(port, numbers):
    """Each is acknowledged, kept or not: that the queue of somebody else is full is no refusal."""
    with Client(port, 5, "sender") as sender:
        for number in numbers:
            sender.publish(TOPIC.decode(), b"%04d" % number + bytes(PAYLOAD - 4), qos=1)


@pytest.mark.parametrize("option, limit", (("--max-queued-messages", 1500),
                                           ("--max-queued-bytes", 400_000)))
def test_limits_hold_beyond_the_window_and_after_a_crash(fresh_broker, tmp_path, option, limit):
    """More than are kept in memory: those on the disk count as much, also when they were only
    counted at start."""
    broker = fresh_broker(option, limit, directory=tmp_path / "one")
    with Client(broker.port, 5, "away", connect=False) as away:
        away.connect(**durable(5))
        away.subscribe(TOPIC.decode(), qos=1)
    publish_numbers(broker.port, range(2000))
    broker.kill()
    broker = fresh_broker(option, limit, directory=tmp_path / "one")
    publish_numbers(broker.port, range(2000, 2050))
    with Client(broker.port, 5, "away", connect=False) as away, Client(broker.port, 5) as fence:
        assert away.connect(**durable(5)).session_present
        got = [int(packet.payload[:4]) for packet in away.receive_all(after=fence)]
    assert got == list(range(len(got))) and 1000 < len(got) < 2000
    if option == "--max-queued-messages":
        assert len(got) == limit
