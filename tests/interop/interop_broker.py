# SPDX-License-Identifier: MIT
"""The broker under test as a child process on 127.0.0.1 and a free port, judged by how it ends.

BUD names the program (default build/dev/bud), BUD_WORKERS its number of workers. With
BUD_TEST_PEER=mosquitto it is Debian's broker instead: to develop the tests, and to see whether a
failure is ours or the client's.
"""
import os
import re
import socket
from pathlib import Path

from interop_process import Child

ROOT = Path(__file__).resolve().parents[2]
IS_STAND_IN = os.environ.get("BUD_TEST_PEER") == "mosquitto"
LISTENING = re.compile(rb"listening on 127\.0\.0\.1:(\d+)")
TROUBLE = re.compile(rb"Sanitizer|runtime error:|ASSERT|[Aa]ssertion .*failed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    def __init__(self, directory, *options):
        self.directory, self.options = Path(directory), options

    def start(self):
        start = self._start_stand_in if IS_STAND_IN else self._start_ours
        self.child, self.port = start()
        return self

    def child_of(self, *words):
        program = Path(os.environ.get("BUD", ROOT / "build/dev/bud")).resolve()
        return Child([program, *words, "--workers", os.environ.get("BUD_WORKERS", "2"),
                      *self.options], cwd=self.directory, HOME=str(self.directory))

    def _start_ours(self):
        child = self.child_of("serve", "-p", "0", "--bind", "127.0.0.1", "--data",
                              self.directory / "data", "--user", "root")
        found = child.wait_for(LISTENING.search, "the broker's start")
        return child, int(found.group(1))

    def _start_stand_in(self):
        port = free_port()
        config = self.directory / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type all\n"
                          "set_tcp_nodelay true\nmax_queued_messages 0\n")
        child = Child(["/usr/sbin/mosquitto", "-c", config], cwd=self.directory)
        child.wait_for(lambda output: b"running\n" in output, "mosquitto's start")
        return child, port

    def stop(self):
        """SIGTERM, then: exit status 0, nothing from a sanitizer, no failed assertion."""
        status = self.child.stop()
        log = self.child.output()
        (self.directory / "broker.log").write_bytes(log)
        report = TROUBLE.search(log)
        where = f"see {self.directory}/broker.log\n{log[-6000:].decode('utf-8', 'replace')}"
        assert not report, f"the broker said {report.group(0)!r}; {where}"
        assert status == 0, f"the broker's exit status is {status}; {where}"
