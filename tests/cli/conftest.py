# SPDX-License-Identifier: MIT
"""Fixtures for the command-line tools: the wire tests' broker, the tools as processes, and a
scripted peer that says what a broker of ours would not. Environment as in tests/wire/conftest.py.
"""
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wire"))
from server import BUD, Broker  # noqa: E402  pylint: disable=wrong-import-position

SECONDS_MAX = float(os.environ.get("BUD_TIMEOUT", "10")) * 2


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as shared:
        yield shared


@pytest.fixture
def topic():
    """A topic that no other test uses."""
    return f"cli/{uuid.uuid4().hex}"


def environment(**changes):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BUD_PASS")}
    return kept | changes


@pytest.fixture
def bud():
    """bud("pub", ..., stdin=b"") runs it to its end: .returncode, .stdout, .stderr (text)."""
    def run(*arguments, stdin=b"", env=None):
        done = subprocess.run([BUD, *map(str, arguments)], input=stdin, capture_output=True,
                              timeout=SECONDS_MAX, check=False, env=environment(**(env or {})))
        done.stderr = done.stderr.decode()
        return done
    return run


class Running:
    """A tool that goes on; its output comes out line by line."""

    def __init__(self, arguments, **keywords):
        self.process = subprocess.Popen([BUD, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment(), **keywords)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()

    def _collect(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def line(self):
        """The next line, without its newline."""
        line = self.lines.get(timeout=SECONDS_MAX)
        assert line is not None, self.process.stderr.read().decode()
        return line.rstrip(b"\n").decode()

    def rest(self):
        lines = []
        while (line := self.lines.get(timeout=SECONDS_MAX)) is not None:
            lines.append(line.rstrip(b"\n").decode())
        return lines

    def end(self, number=signal.SIGINT):
        """Signals it, if it still runs; returns its status and what it said on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self):
        status = self.process.wait(SECONDS_MAX)
        return status, self.process.stderr.read().decode()


@pytest.fixture
def running():
    started = []

    def start(*arguments):
        started.append(Running(arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def listening(broker, bud, running, topic):
    """listening(options...): `bud sub` on the test's topic and all below it, known to be
    subscribed: it has printed a retained message."""
    def start(*options):
        marker = f"{topic}/marker"
        assert bud("pub", "-p", broker.port, "-r", marker, "ready").returncode == 0
        sub = running("sub", "-p", broker.port, *options, f"{topic}/#")
        assert sub.line() == f"{marker} ready"
        assert bud("pub", "-p", broker.port, "-r", marker, "").returncode == 0
        assert sub.line() == f"{marker} "
        return sub
    return start


class Peer:
    """Accepts one connection and, for each packet-sized read, says the next of its answers; an
    answer of None ends the connection."""

    def __init__(self, answers):
        self.answers, self.heard = answers, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(SECONDS_MAX)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(SECONDS_MAX)
            for answer in self.answers:
                self.heard += connection.recv(65536)
                if answer is None:
                    return
                connection.sendall(answer)
            while data := connection.recv(65536):
                self.heard += data

    def finish(self):
        self.thread.join(SECONDS_MAX)
        assert not self.thread.is_alive()
        return self.heard


@pytest.fixture
def peer():
    started = []

    def start(*answers):
        started.append(Peer(answers))
        return started[-1]

    yield start
    for one in started:
        one.listener.close()
