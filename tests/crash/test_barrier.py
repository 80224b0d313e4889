# SPDX-License-Identifier: MIT
"""What the broker asks of the system, seen by tracing its calls: a barrier before each answer."""
import os
import re
import shutil
import subprocess

import pytest

from client import durable, eventually
from mqtt import Publish, Will
from server import Broker

CALLS = ("trace=recvfrom,read,readv,sendto,sendmsg,write,writev,pwrite64,fsync,fdatasync,"
         "ftruncate,shutdown")
MESSAGES = 200
READS, WRITES = {"recvfrom", "read", "readv"}, {"sendto", "sendmsg", "write", "writev"}
# One call, whole or resumed, as strace -yy prints it: name, descriptor and what it is, the rest.
WHOLE = re.compile(r"^(\d+) +(\w+)\(\d+<(.*?)>(.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


class TracedBroker(Broker):
    """Under strace -D: what we started is the broker, and strace its grandchild."""

    def command(self):
        self.trace_path = self.directory / "trace"
        return ["strace", "-D", "-f", "-yy", "-xx", "-s", "16", "-e", CALLS, "-e", "signal=none",
                "-o", str(self.trace_path), *super().command()]

    def trace(self):
        """Every line, once strace has written the last."""
        def text():
            lines = self.trace_path.read_text().splitlines()
            return lines if lines and "+++" in lines[-1] else None
        return eventually(text, "the end of the trace")


@pytest.fixture
def traced(tmp_path, monkeypatch):
    if shutil.which("strace") is None:
        pytest.fail("strace is not installed: tools/install test")
    probe = subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True, text=True)
    if "Operation not permitted" in probe.stderr:
        pytest.skip("ptrace is forbidden here")
    options = os.environ.get("ASAN_OPTIONS", "")
    monkeypatch.setenv("ASAN_OPTIONS", f"{options}:detect_leaks=0")  # it needs ptrace itself

    def start(*options, **keywords):
        return TracedBroker(tmp_path / "traced", *options, **keywords).start()
    return start


def unhex(text):
    """The bytes that strace -xx printed; it prints paths so, too."""
    return bytes.fromhex("".join(re.findall(r"\\x(..)", text)))


def calls(lines):
    """(name, what it was done to, its bytes' beginning) in the order in which they ended; a
    write to a socket counts when it began."""
    begun = {}
    for line in lines:
        if match := WHOLE.match(line):
            thread, name, target, rest = match.groups()
            target = unhex(target).decode() or target
            is_whole = not rest.endswith("<unfinished ...>")
            if is_whole or (target.startswith("TCP") and name in WRITES):
                yield name, target, unhex(rest)
            else:
                begun[thread] = target
        elif match := RESUMED.match(line):
            thread, name, rest = match.groups()
            if thread in begun:
                yield name, begun.pop(thread), unhex(rest)


def kinds(lines, wanted):
    """The events that matter: packet types that came in and went out, store writes, barriers."""
    for name, target, data in calls(lines):
        if target.startswith("TCP") and data and name in READS | WRITES:
            direction = "in" if name in READS else "out"
            if (direction, data[0] >> 4) in wanted:
                yield wanted[direction, data[0] >> 4]
        elif target.startswith("TCP") and name == "shutdown":
            yield "FIN"
        elif "/data/" in target and name == "pwrite64":
            yield "store"
        elif "/data/" in target and name in ("fsync", "fdatasync"):
            yield "barrier"


def check_order(events, question, answer):
    """Between each question and its answer: something written, then a barrier."""
    state, answered = None, 0
    for event in events:
        if event == question:
            state = "asked"
        elif event == "store" and state == "asked":
            state = "written"
        elif event == "barrier" and state == "written":
            state = "safe"
        elif event == answer:
            assert state == "safe", f"{answer} number {answered + 1} went out while {state}"
            state, answered = None, answered + 1
    return answered


@pytest.mark.parametrize("qos, question, answer",
                         ((1, "PUBLISH", "PUBACK"), (2, "PUBLISH", "PUBREC"),
                          (2, "PUBREL", "PUBCOMP")))
@pytest.mark.parametrize("workers", (1, 2))
def test_a_barrier_before_each_answer(traced, connect, new_id, prefix, workers, qos, question,
                                      answer):
    """With one message under way, each answer needs a barrier of its own."""
    broker = traced(workers=workers)
    away = connect(5, new_id(), broker.port, **durable(5))
    away.subscribe(f"{prefix}/#", qos=2)
    away.abort()
    publisher = connect(4, new_id(), broker.port, **durable(4))
    for number in range(MESSAGES):
        publisher.publish(f"{prefix}/a", f"{number}", qos=qos)
    publisher.disconnect()
    broker.stop()
    wanted = {("in", 3): "PUBLISH", ("out", 4): "PUBACK", ("out", 5): "PUBREC",
              ("in", 6): "PUBREL", ("out", 7): "PUBCOMP"}
    events = list(kinds(broker.trace(), wanted))
    assert check_order(events, question, answer) == MESSAGES
    assert events.count("barrier") >= MESSAGES


def test_a_barrier_before_suback_and_connack(traced, connect, new_id, prefix):
    broker, times = traced(workers=1), 20
    for number in range(times):
        client = connect(5, new_id(), broker.port, **durable(5))
        client.subscribe(f"{prefix}/{number}", qos=1)
        client.unsubscribe(f"{prefix}/{number}")
        client.disconnect()
    broker.stop()
    lines = broker.trace()
    for question, answer, number_in, number_out in (
            ("CONNECT", "CONNACK", 1, 2), ("SUBSCRIBE", "SUBACK", 8, 9),
            ("UNSUBSCRIBE", "UNSUBACK", 10, 11)):
        wanted = {("in", number_in): question, ("out", number_out): answer}
        assert check_order(kinds(lines, wanted), question, answer) == times


def test_a_barrier_before_the_end_of_a_connection(traced, connect, new_id):
    """Who has said goodbye and sees the connection end knows that its will is forgotten."""
    broker, times = traced(workers=1), 20
    for _ in range(times):
        client = connect(4, new_id(), broker.port, will=Will("w", "gone", qos=1))
        client.disconnect()
    broker.stop()
    events = list(kinds(broker.trace(), {("in", 14): "DISCONNECT"}))
    assert check_order(events, "DISCONNECT", "FIN") == times


def test_the_trace_sees_a_missing_barrier(traced, connect, new_id, prefix):
    """Negative control: with durability relaxed answers go out before the barrier."""
    broker = traced("--durability", "relaxed", workers=1)
    away = connect(5, new_id(), broker.port, **durable(5))
    away.subscribe(f"{prefix}/#", qos=2)
    away.abort()
    publisher = connect(4, new_id(), broker.port)
    for number in range(20):
        publisher.publish(f"{prefix}/a", f"{number}", qos=1)
    broker.stop()
    wanted = {("in", 3): "PUBLISH", ("out", 4): "PUBACK"}
    with pytest.raises(AssertionError, match="PUBACK number"):
        check_order(kinds(broker.trace(), wanted), "PUBLISH", "PUBACK")


def files_of(broker):
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns)
            for path in (broker.directory / "data").iterdir()}


def test_qos_0_writes_nothing(traced, connect, new_id, prefix):
    """To a subscriber with a lasting session, to one without, and to nobody."""
    broker = traced("--sys-interval", "1")
    clients = [connect(5, new_id(), broker.port, **durable(5)), connect(4, new_id(), broker.port)]
    for client in clients:
        client.subscribe((f"{prefix}/#", 2), ("$SYS/#", 0))  # $SYS is published at QoS 2
    publisher = connect(5, new_id(), broker.port)
    publisher.publish("t", "a marker in the trace", qos=1)
    before = files_of(broker)
    for number in range(1000):
        publisher.publish(f"{prefix}/a", f"{number}")
        publisher.publish(f"{new_id()}/nobody", f"{number}")
    for client in clients:
        for number in range(1000):
            client.wait_for(Publish, topic=f"{prefix}/a", payload=f"{number}", qos=0)
        client.wait_for(Publish, topic="$SYS/broker/uptime")
    assert files_of(broker) == before
    publisher.publish("t", "another marker", qos=1)
    broker.stop()
    wanted = {("in", 3): "PUBLISH", ("out", 4): "PUBACK"}
    events = list(kinds(broker.trace(), wanted))
    first = events.index("PUBACK")
    last = events.index("PUBACK", first + 1)
    between = set(events[first:last])
    assert between == {"PUBLISH", "PUBACK"}, between
