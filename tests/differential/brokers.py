# SPDX-License-Identifier: MIT
"""The two brokers that are compared: ours, and Debian's mosquitto, configured here."""
import subprocess
import threading

from server import Broker, free_port

MOSQUITTO = "/usr/sbin/mosquitto"
CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
sys_interval 0
set_tcp_nodelay true
allow_duplicate_messages true
max_queued_messages 10000
max_inflight_messages 128
user root
"""


class Ours(Broker):
    """One worker, so that what follows an answer follows its effect on everybody."""

    def __init__(self, directory):
        super().__init__(directory, "--sys-interval", "0", "--persistence", "false", workers=1)


class Mosquitto(Broker):
    """Its end is not judged."""

    def __init__(self, directory):
        super().__init__(directory, expect_exit=None)

    def start(self):
        self.port = free_port()
        path = self.directory / "mosquitto.conf"
        path.write_text(CONFIG.format(port=self.port))
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(path)], cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()
        self.wait_for_log(r"running$")
        return self
