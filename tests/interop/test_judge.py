# SPDX-License-Identifier: MIT
"""The judge of our bytes catches what it is there for: a broker of nonsense is shown to it."""
import socket
import threading

import pytest

from interop_wire import Capture, judge

CONNECT = {"3.1.1": bytes.fromhex("100d 0004 4d515454 04 02 003c 0001 61"),
           "5": bytes.fromhex("100e 0004 4d515454 05 02 003c 00 0001 61")}
CONNACK = {"3.1.1": bytes.fromhex("2002 0000"), "5": bytes.fromhex("2003 0000 00")}

# name: (version, what the broker sends after its CONNACK)
WRONG = {
    "unknown-property": ("5", "3009 0001 74 04 7f000000 78"),
    "property-of-another-packet": ("5", "9006 0001 02 2401 00"),
    "topic-longer-than-packet": ("3.1.1", "3005 0020 74 7878"),
    "properties-longer-than-packet": ("5", "9004 0001 7f 00"),
    "remaining-length-of-five-bytes": ("3.1.1", "30 ffffffff7f 0001 74"),
}
RIGHT = {"publish": ("3.1.1", "3005 0001 74 7878"), "suback": ("5", "9004 0001 00 00")}


def say(version, speech, path):
    """One connection in which the broker's side says CONNACK and then the speech."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    capture = Capture(path, port)

    def serve():
        peer, _ = listener.accept()
        with peer:
            peer.recv(100)
            peer.sendall(CONNACK[version])
            peer.sendall(speech)
            peer.recv(100)

    server = threading.Thread(target=serve)
    server.start()
    with listener, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(CONNECT[version])
        received = b""
        while len(received) < len(CONNACK[version] + speech):
            received += client.recv(1000)
        client.sendall(b"the last words")
    server.join()
    capture.stop_after(b"the last words")
    return judge(path, port)


@pytest.mark.parametrize("name", WRONG)
def test_nonsense_is_seen(name, tmp_path):
    version, speech = WRONG[name]
    verdict = say(version, bytes.fromhex(speech), tmp_path / "wire.pcapng")
    assert len(verdict.complaints) == 1, verdict


@pytest.mark.parametrize("name", RIGHT)
def test_sense_is_counted(name, tmp_path):
    version, speech = RIGHT[name]
    verdict = say(version, bytes.fromhex(speech), tmp_path / "wire.pcapng")
    assert verdict.complaints == []
    assert verdict.packets == {(version, "CONNACK"): 1, (version, name.upper()): 1}
