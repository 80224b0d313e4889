# SPDX-License-Identifier: MIT
"""What is logged and where to."""
import os
import re
import signal

import pytest

from client import eventually
from mqtt import Publish

OPEN = "listener 0 127.0.0.1\nallow_anonymous true\n"


def log_of(broker, name="bud.log"):
    path = broker.directory / name
    return path.read_text() if path.exists() else ""


def test_a_file(start_with, connect):
    broker = start_with("log_dest file {directory}/bud.log\n" + OPEN)
    connect(port=broker.port, client_id="kari").disconnect()
    eventually(lambda: "client disconnected client=kari" in log_of(broker), "the line")
    assert "kari" not in broker.log()


def test_a_file_that_was_moved_away_is_made_anew(start_with, connect):
    broker = start_with("log_dest file {directory}/bud.log\n" + OPEN)
    first = broker.directory / "bud.log"
    first.rename(broker.directory / "old.log")
    os.kill(broker.pid, signal.SIGHUP)
    eventually(first.exists, "a new file")
    connect(port=broker.port, client_id="ola").disconnect()
    eventually(lambda: "client=ola" in log_of(broker), "the line in the new file")
    assert "client=ola" not in log_of(broker, "old.log")


def test_a_file_that_cannot_be_written_is_said(run_with):
    status, _, errors = run_with("log_dest file /nonexistent/x.log\n" + OPEN, "--user", "root")
    assert status == 1 and "/nonexistent/x.log" in errors


@pytest.mark.parametrize("text", ["log_dest none\n", "log_type none\n", "log_type error\n"])
def test_silence(start_with, connect, text):
    broker = start_with(text + OPEN)
    connect(port=broker.port, client_id="kari").disconnect()
    connect(port=broker.port, client_id="ola").ping()
    assert "kari" not in broker.log()


def test_types(start_with, connect):
    broker = start_with("log_type error\nlog_type subscribe\n" + OPEN)
    client = connect(port=broker.port, client_id="kari")
    client.subscribe("a")
    broker.wait_for_log("subscribed client=kari")
    assert "connected client=kari" not in broker.log()


def test_without_connection_messages(start_with, connect):
    broker = start_with("connection_messages false\nlog_type all\n" + OPEN)
    client = connect(port=broker.port, client_id="kari")
    client.subscribe("a")
    broker.wait_for_log("subscribed client=kari")
    assert "connected client=kari" not in broker.log()


def test_time_stamps(start_with, connect):
    broker = start_with("log_timestamp false\n" + OPEN)
    connect(port=broker.port, client_id="kari")
    broker.wait_for_log("^client connected client=kari")
    broker = start_with("log_timestamp_format at %Y\n" + OPEN)
    connect(port=broker.port, client_id="kari")
    broker.wait_for_log(r"^at \d{4} client connected client=kari")


def test_lines_as_mosquitto_writes_them(start_with, connect, version):
    broker = start_with("log_format mosquitto\n" + OPEN)
    client = connect(version, port=broker.port, client_id="kari", keep_alive=7, username="u\nx")
    broker.wait_for_log(rf"^\d+: New client connected from 127\.0\.0\.1:\d+ as kari "
                        rf"\(p{version}, c1, k7, u'u\\nx'\)\.$")
    client.disconnect()
    broker.wait_for_log(r"^\d+: Client kari \[127\.0\.0\.1:\d+\] disconnected\.$")


def test_as_json_without_a_time(start_with, connect):
    broker = start_with("log_format json\nlog_timestamp false\n" + OPEN)
    connect(port=broker.port, client_id="kari")
    line = broker.wait_for_log('.*"client":"kari".*').group(0)
    assert re.match(r'\{"level":"info","event":"connected"', line)


def test_topics(start_with, connect):
    """What is logged is also said: by level, not retained, and debugging never."""
    broker = start_with("log_dest stderr\nlog_dest topic\nlog_type all\n" + OPEN)
    reader = connect(port=broker.port, client_id="reader")
    reader.subscribe("$SYS/broker/log/N", qos=1)
    reader.subscribe("$SYS/broker/log/W", qos=1)
    connect(port=broker.port, client_id="kari").disconnect()
    seen = ""
    while "client disconnected client=kari" not in seen:     # bounded by the receive
        seen += reader.expect(Publish).payload.decode() + "\n"
    assert "client connected client=kari" in seen
    late = connect(port=broker.port, client_id="late")
    late.subscribe("$SYS/broker/log/D", qos=1)
    late.expect_nothing(after=late)
