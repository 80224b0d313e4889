# SPDX-License-Identifier: MIT
"""Starts the broker under test, on 127.0.0.1 and a free port, and judges how it ends."""
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUD = Path(os.environ.get("BUD", ROOT / "build/dev/bud")).resolve()
IS_STAND_IN = os.environ.get("BUD_TEST_PEER") == "mosquitto"
START_SECONDS = 20
STOP_SECONDS = 20
LISTENING = re.compile(r"listening on.*?127\.0\.0\.1:(\d+)")   # whatever the log format
TROUBLE = re.compile(r"Sanitizer|runtime error:|^.*assert.*failed.*$|sandbox refused",
                     re.MULTILINE | re.IGNORECASE)

# Options of ours that are lines of mosquitto.conf under the same name, for the stand-in.
STAND_IN_OPTIONS = {
    "max-inflight-messages", "max-queued-messages", "max-queued-bytes", "max-packet-size",
    "sys-interval", "max-keepalive", "message-size-limit", "allow-zero-length-clientid",
    "retain-available", "persistent-client-expiration", "max-connections", "max-qos",
    "max-topic-alias", "allow-anonymous", "password-file", "acl-file",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stand_in_config(directory, port, options):
    """Translates our options into a mosquitto.conf, or skips the test."""
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "log_type all"]
    for name, value in zip(options[::2], options[1::2]):
        if name.lstrip("-") not in STAND_IN_OPTIONS:
            pytest.skip(f"the stand-in has no option {name}")
        lines.append(f"{name.lstrip('-').replace('-', '_')} {value}")
    path = directory / "mosquitto.conf"
    path.write_text("\n".join(lines) + "\n")
    return ["/usr/sbin/mosquitto", "-c", str(path)]


class Broker:
    """One broker process. `port`, `pid`, `log()` and `rss()` are what tests use.
    As a context manager it is started, and stopped and judged."""

    def __init__(self, directory, *options, workers=None, expect_exit=0, **popen):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.options = [str(option) for option in options]
        self.popen = popen      # more arguments of subprocess.Popen
        self.workers = workers or os.environ.get("BUD_WORKERS", "2")
        self.expect_exit, self.process, self.port = expect_exit, None, None
        self.log_path = self.directory / "stderr.log"
        self.condition, self.lines = threading.Condition(), []

    def command(self):
        if IS_STAND_IN:
            self.port = free_port()
            return stand_in_config(self.directory, self.port, self.options)
        return [str(BUD), "serve", "-p", "0", "--bind", "127.0.0.1",
                "--workers", str(self.workers), "--data", str(self.directory / "data"),
                "--user", "root",       # pytest's directories are closed to others
                *self.options]

    def environment(self):
        """What its environment has besides; for subclasses."""
        return {}

    def start(self):
        command = self.command()
        self.lines = []     # of an earlier start
        self.process = subprocess.Popen(
            command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, **self.popen,
            env=os.environ | {"HOME": str(self.directory)} | self.environment())
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()
        if IS_STAND_IN:
            self.wait_for_log(r"running$")
        else:
            self.port = int(self.wait_for_log(LISTENING.pattern).group(1))
        return self

    @property
    def pid(self):
        return self.process.pid

    def _collect(self):
        """Keeps every line of stderr in a file and wakes those who wait for one."""
        with self.log_path.open("ab") as file:
            for line in self.process.stderr:
                file.write(line)
                file.flush()
                with self.condition:
                    self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self.condition.notify_all()
        with self.condition:
            self.lines.append(None)
            self.condition.notify_all()

    def log(self):
        """What it has written to stderr so far."""
        with self.condition:
            return "\n".join(line for line in self.lines if line is not None)

    def wait_for_log(self, pattern, timeout=START_SECONDS, start=0):
        """Waits for a stderr line that matches; returns the match. `start` is the number of the
        first line to look at (see log_position)."""
        with self.condition:
            found = None

            def look():
                nonlocal found
                found = next((m for line in self.lines[start:] if line is not None
                              if (m := re.search(pattern, line))), None)
                return found or (self.lines and self.lines[-1] is None)
            self.condition.wait_for(look, timeout)
        assert found, f"no line matches {pattern!r} in stderr:\n{self.log()}"
        return found

    def log_position(self):
        with self.condition:
            return len(self.lines)

    def rss(self, field="VmRSS"):
        """Resident memory in bytes; field "VmHWM" is its peak."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE).group(1)) * 1024

    def has_sanitizer(self):
        """Its shadow memory is terabytes of address space; RSS then says nothing."""
        return self.rss("VmSize") > 1 << 40

    def reset_peak(self):
        """Sets VmHWM back to VmRSS."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=STOP_SECONDS):
        """Waits for its end; returns the exit status."""
        status = self.process.wait(timeout)
        self.reader.join()
        return status

    def kill(self):
        """SIGKILL: a crash. stop() then judges nothing."""
        self.process.kill()
        self.wait()
        self.expect_exit = None

    def stop(self):
        """SIGTERM by pid, then: exit status 0, no sanitizer report, no failed assertion."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"no exit within {STOP_SECONDS} s of SIGTERM:\n{self.log()}")
        self.process = None
        report = TROUBLE.search(self.log())
        assert not report, f"{report.group(0)!r} in {self.log_path}:\n{self.log()[-8000:]}"
        if self.expect_exit is not None:
            assert status == self.expect_exit, f"exit status {status}:\n{self.log()[-8000:]}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
