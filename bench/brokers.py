# SPDX-License-Identifier: MIT
"""The programs that are measured: how each is started in a directory of its own, and ended."""
import getpass
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS_MAX = 10

MOSQUITTO_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
set_tcp_nodelay true
log_type none
user {user}
"""


class Failure(Exception):
    """A run that gives no figure; the text says why."""


class Target:
    """A broker to measure. `prepare` returns its command line, and its port if we chose it."""

    def __init__(self, name, label, pinned, prepare):
        self.name = name
        self.label = label
        self.pinned = pinned
        self.prepare = prepare


class Broker:
    """A running target in a directory of its own, ended by its own pid."""

    def __init__(self, target, cores, parent=None):
        self.directory = tempfile.TemporaryDirectory(prefix="bud-bench-", dir=parent)
        command, self.port = target.prepare(self.directory.name)
        self.log = pathlib.Path(self.directory.name) / "stderr"
        pin = cores[:1] if target.pinned and cores else None
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory.name, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log,
                preexec_fn=(lambda: os.sched_setaffinity(0, pin)) if pin else None)

    def __enter__(self):
        try:
            self.wait_until_listening()
        except Failure:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.directory.cleanup()

    def wait_until_listening(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"ended at start: {self.last_words()}")
            if self.port is None:
                self.port = announced_port(self.log.read_text(errors="replace"))
            elif accepts(self.port):
                return
            time.sleep(0.005)
        raise Failure(f"did not listen within {START_SECONDS_MAX} s: {self.last_words()}")

    def last_words(self):
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line), "(no output)")[:200]


def announced_port(log):
    found = re.search(r"listening on 127\.0\.0\.1:(\d+)", log)
    return int(found[1]) if found else None


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_mosquitto():
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")


def bud_target(name, label, program, *arguments, pinned=False):
    def prepare(directory):
        return [str(program.resolve()), "serve", "-p", "0", "--bind", "127.0.0.1", "--data",
                str(pathlib.Path(directory) / "data"), "--user", "root", *arguments], None
    return Target(name, label, pinned, prepare)


def mosquitto_target(name, label, more="", pinned=False):
    def prepare(directory):
        port = free_port()
        config = pathlib.Path(directory) / "mosquitto.conf"
        config.write_text(MOSQUITTO_CONFIG.format(port=port, user=getpass.getuser()) +
                          more.format(directory=directory), encoding="utf-8")
        return [find_mosquitto(), "-c", str(config)], port
    return Target(name, label, pinned, prepare)
