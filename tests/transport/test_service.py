# SPDX-License-Identifier: MIT
"""A broker that systemd starts: sockets that are handed over, and what it says of itself."""
import os
import shlex
import signal
import socket

import pytest

from client import Client
from server import Broker

SECONDS = 10


class Notified(Broker):
    """Says how it goes to a socket of the test's, as it would to systemd."""

    def __init__(self, directory, *options, watchdog_us=None, **more):
        super().__init__(directory, *options, **more)
        self.path = str(self.directory / "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(SECONDS)
        self.socket.bind(self.path)
        self.watchdog_us = watchdog_us

    def environment(self):
        more = {} if self.watchdog_us is None else {"WATCHDOG_USEC": str(self.watchdog_us)}
        return {"NOTIFY_SOCKET": self.path} | more

    def notes(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def __exit__(self, *_):
        super().__exit__()
        self.socket.close()


class Handed(Broker):
    """Started with listening sockets as descriptors 3 and up, as by a socket unit."""

    def __init__(self, directory, sockets, *options, **more):
        super().__init__(directory, *options, **more)
        self.sockets = sockets
        self.popen = {"pass_fds": [one.fileno() for one in sockets]}

    def command(self):
        # LISTEN_PID is the process that execs, which is what a shell's $$ is.
        moves = " ".join(f"{10 + i}<&{one.fileno()}" for i, one in enumerate(self.sockets))
        places = " ".join(f"{3 + i}<&{10 + i}" for i in range(len(self.sockets)))
        command = [word for word in super().command() if word not in ("-p", "0", "--bind",
                                                                      "127.0.0.1")]
        return ["bash", "-c", f"exec {moves}; exec {places}; export LISTEN_PID=$$ "
                f"LISTEN_FDS={len(self.sockets)}; exec {shlex.join(command)}"]


def listening(family=socket.AF_INET, address=("127.0.0.1", 0)):
    one = socket.socket(family, socket.SOCK_STREAM)
    one.bind(address)
    one.listen(8)
    return one


def test_ready_reloading_stopping(tmp_path):
    with Notified(tmp_path) as broker:
        assert broker.notes()["READY"] == "1"
        Client(broker.port).disconnect()
        broker.signal(signal.SIGHUP)
        note = broker.notes()
        assert note["RELOADING"] == "1" and int(note["MONOTONIC_USEC"]) > 0
        assert broker.notes()["READY"] == "1"
        broker.signal(signal.SIGTERM)
        assert broker.notes()["STOPPING"] == "1"


def test_the_watchdog_is_fed(tmp_path):
    with Notified(tmp_path, watchdog_us=2_000_000) as broker:
        assert broker.notes()["READY"] == "1"
        for _ in range(3):
            assert broker.notes() == {"WATCHDOG": "1"}


def test_sockets_are_taken_over(tmp_path):
    """TCP and Unix; and no other port is opened."""
    path = str(tmp_path / "handed.sock")
    with listening() as tcp, listening(socket.AF_UNIX, path) as local, \
            Handed(tmp_path / "broker", [tcp, local]) as broker:
        assert broker.port == tcp.getsockname()[1]
        client = Client(broker.port)
        client.subscribe("a", qos=1)
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(path)
            other.sendall(bytes([0x10, 12, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 0]))
            assert other.recv(4) == b"\x20\x02\0\0"
            other.sendall(bytes([0x30, 5, 0, 1]) + b"ahi")
            client.receive("a", "hi")
        client.disconnect()
    assert not os.path.exists(broker.directory / "data" / "bud.sock")


@pytest.mark.parametrize("variable", ["LISTEN_FDS", "LISTEN_PID"])
def test_what_is_for_another_process_is_left_alone(tmp_path, variable):
    class Strange(Broker):
        def environment(self):
            return {"LISTEN_FDS": "1", "LISTEN_PID": "1"} | {variable: "many"}
    with Strange(tmp_path) as broker:
        Client(broker.port).disconnect()
