# SPDX-License-Identifier: MIT
"""Wireshark's dissector as an independent judge of every byte that the broker sends.

A Capture records the loopback interface for one port; judge() decodes it and returns the frames
that came from that port and are malformed, or that carry an expert's error, and a count of the
packets by (protocol version, packet type), which shows that there was something to judge.
"""
import collections
import dataclasses
import os
import re
import signal
import time

from interop_process import Child, TIMEOUT, run

ERROR = 0x800000
FIELDS = ("frame.number", "tcp.stream", "tcp.srcport", "mqtt.msgtype", "mqtt.ver", "_ws.malformed",
          "_ws.expert.severity", "_ws.expert.message", "tcp.payload", "mqtt.property_id",
          "mqtt.unknown_version", "mqtt.unknown_topic_alias")
OBJECTIONS = ("_ws.malformed", "mqtt.unknown_version", "mqtt.unknown_topic_alias")
TYPES = ("reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
         "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT",
         "AUTH")
# The properties a server may send, by packet type (MQTT 5.0, table 2-4).
ACKNOWLEDGEMENT = {31, 38}
PROPERTIES = {
    2: {17, 18, 19, 21, 22, 26, 28, 31, 33, 34, 36, 37, 38, 39, 40, 41, 42},
    3: {1, 2, 3, 8, 9, 11, 35, 38}, 4: ACKNOWLEDGEMENT, 5: ACKNOWLEDGEMENT, 6: ACKNOWLEDGEMENT,
    7: ACKNOWLEDGEMENT, 9: ACKNOWLEDGEMENT, 11: ACKNOWLEDGEMENT, 14: {28, 31, 38},
    15: {21, 22, 31, 38},
}
VERSIONS = {"3": "3.1", "4": "3.1.1", "5": "5"}


@dataclasses.dataclass
class Verdict:
    """`packets` counts what the broker sent; `complaints` are the frames that are wrong."""
    packets: collections.Counter
    complaints: list


class Capture:
    """Everything on the loopback interface to and from one port. Listening takes root, or sudo;
    the file is ours."""

    def __init__(self, path, port):
        self.path, self.port = path, port
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        with path.open("wb") as file:
            self.child = Child([*as_root, "dumpcap", "-q", "-i", "lo", "-B", "64", "-f",
                                f"tcp port {port}", "-w", "-"], stdout=file)
        self.child.wait_for(lambda output: b"File: " in output, "the capture's start")

    def stop_after(self, mark):
        """Stops when `mark`, which someone just sent, has reached the file. Nothing may be lost."""
        deadline = time.monotonic() + TIMEOUT
        while mark not in self._tail(len(mark)):
            assert time.monotonic() < deadline, f"{mark!r} is not in {self.path}\n{self.child}"
            time.sleep(0.02)  # the file has no condition to wait for
        assert self.child.stop(signal.SIGINT) == 0, self.child
        lost = re.search(rb"dropped on interface.*: \d+/(\d+)", self.child.output())
        assert lost and lost.group(1) == b"0", f"the capture lost packets\n{self.child}"

    def _tail(self, length):
        with self.path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 65536 - length))
            return file.read()


def decode(path, port):
    """The rows of FIELDS of each frame that carries MQTT or that an expert frowns at."""
    words = ["tshark", "-n", "-r", path, "-d", f"tcp.port=={port},mqtt", "-Y",
             f"mqtt || _ws.malformed || _ws.expert.severity >= {ERROR}", "-T", "fields", "-E",
             "separator=/t"]
    for field in FIELDS:
        words += ["-e", field]
    output = run(words, timeout=4 * TIMEOUT).decode("utf-8", "replace")
    rows = (line.split("\t") for line in output.split("\n"))
    return [dict(zip(FIELDS, row)) for row in rows if len(row) == len(FIELDS)]


def objections(row):
    """Why Wireshark dislikes a frame: a list of words, empty when it does not."""
    why = [field for field in OBJECTIONS if row[field]]
    if any(severity >= ERROR for severity in numbers(row["_ws.expert.severity"])):
        why.append(row["_ws.expert.message"])
    may = set().union(*(PROPERTIES.get(kind, ()) for kind in numbers(row["mqtt.msgtype"])))
    why += [f"property 0x{number:02x}" for number in numbers(row["mqtt.property_id"])
            if number not in may]
    return why


def numbers(field):
    """A field that may come several times in one frame."""
    return [int(word, 0) for word in field.split(",") if word]


def judge(path, port):
    rows = decode(path, port)
    versions = {row["tcp.stream"]: VERSIONS.get(row["mqtt.ver"].split(",")[0])
                for row in rows if row["mqtt.ver"]}
    verdict = Verdict(collections.Counter(), [])
    for row in rows:
        if row["tcp.srcport"] != str(port):
            continue
        why = objections(row)
        if why:
            verdict.complaints.append(f"frame {row['frame.number']} of stream {row['tcp.stream']}: "
                                      f"{', '.join(why)}: {row['tcp.payload'][:400]}")
        for kind in numbers(row["mqtt.msgtype"]):
            verdict.packets[versions.get(row["tcp.stream"]), TYPES[kind]] += 1
    return verdict
