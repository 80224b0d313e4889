# SPDX-License-Identifier: MIT
"""Who says nothing, half of something, or two bytes a second is closed by the broker: on TCP, TLS,
WebSocket and WebSocket in TLS. And who is refused sees the end of the connection at once."""
import socket
import ssl
import time

import pytest

import pki
import tls
from client import Client, eventually
from mqtt import Connack, Connect, Reason, encode
from pki import HERE, Identity
from server import free_port
from test_listeners import Configured, listener
from watcher import Watcher
from websocket import BINARY, WebSocketClient, frame, request

CONNECT = encode(Connect("x" * 1000), 5)
REQUEST = request(X_Long="x" * 1000).encode()
FRAME = frame(BINARY, CONNECT)
PING = frame(0x9, b"are you there")
COUNTED = "refused/connect timeout"   # all of them; the log has a rate


def hello():
    """The first flight of a real handshake."""
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        tls.context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="hus.no").do_handshake()
    return sent.read()


def over_tcp(kind, **more):
    return lambda ports, **fields: kind(ports["plain"], 5, connect=False, **more, **fields)


def over_tls(kind, **more):
    return lambda ports, **fields: kind(ports["tls"], 5, connect=False, how=tls.context(), **more,
                                        **fields)


# How far the opening goes by itself, and what comes next, of which the end never comes.
STAGES = {
    "tcp": (over_tcp(Client), CONNECT),
    "websocket, request": (over_tcp(WebSocketClient, upgrade=False), REQUEST),
    "websocket, frame": (over_tcp(WebSocketClient), FRAME),
    "tls, hello": (lambda ports: Client(ports["tls"], 5, connect=False), hello()),
    "tls": (over_tls(tls.TlsClient), CONNECT),
    "websocket in tls, request": (over_tls(tls.TlsWebSocketClient, upgrade=False), REQUEST),
    "websocket in tls, frame": (over_tls(tls.TlsWebSocketClient), FRAME),
}


class Peer:
    """`at_once` bytes are said, then one more at each say()."""

    def __init__(self, name, stage, ports, at_once):
        begin, self.words = stage
        self.name, self.client = name, begin(ports)
        self.client.socket.sendall(self.words[:at_once])
        self.said = at_once

    def say(self):
        try:
            self.client.socket.send(self.words[self.said:self.said + 1])
        except OSError:
            pass    # it is closed: is_closed() finds that
        self.said += 1

    def is_closed(self):
        self.client.socket.settimeout(0)
        try:
            return not self.client.socket.recv(1 << 16)
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True


class Ports(dict):
    """A broker with a listener without and one with TLS."""

    def __init__(self, directory, *lines):
        super().__init__(plain=free_port(), tls=free_port())
        pair = Identity("localhost", pki.authority(), names=HERE).write(directory, "server")
        self.broker = Configured(
            directory / "broker", "sys_interval 1", *lines,
            *listener(self["plain"], "protocol any"),
            *listener(self["tls"], "protocol any", f"certfile {pair[0]}", f"keyfile {pair[1]}"))


def are_closed_for_silence(ports, bound):
    """All at once, because each takes the whole time. None is closed for another reason."""
    ports.broker.start()
    kept = Client(ports["plain"], 5, "kept", keep_alive=0)
    silent = [Peer(name, stage, ports, 0) for name, stage in STAGES.items()]
    half = [Peer(name, stage, ports, len(stage[1]) // 2) for name, stage in STAGES.items()]
    dripping = [Peer(name, stage, ports, 1) for name, stage in STAGES.items()]
    everybody = {*silent, *half, *dripping}
    left = set(everybody)

    def nobody_is_left():
        for peer in dripping:
            peer.say()
        left.difference_update([peer for peer in left if peer.is_closed()])
        time.sleep(0.5)     # two bytes a second
        return not left
    eventually(nobody_is_left, "all of them are closed", timeout=bound)
    assert max(peer.said for peer in dripping) < min(len(peer.words) for peer in dripping)
    Watcher(kept).expect({COUNTED: len(everybody)})


def test_who_does_not_go_on_is_closed(tmp_path):
    ports = Ports(tmp_path, "log_type all", "connect_timeout 2")
    try:
        are_closed_for_silence(ports, 10)
    finally:
        ports.broker.stop()


@pytest.mark.slow
def test_who_does_not_go_on_is_closed_by_default(tmp_path):
    """Ten seconds; the bound is for a machine with other things to do."""
    ports = Ports(tmp_path, "log_type all")
    try:
        are_closed_for_silence(ports, 20)
    finally:
        ports.broker.stop()


def test_pings_of_websocket_are_no_connect(tmp_path):
    """They are answered, and buy no time."""
    ports = Ports(tmp_path, "log_type all", "connect_timeout 2")
    try:
        ports.broker.start()
        peers = [Peer(name, STAGES[name], ports, 0) for name in
                 ("websocket, frame", "websocket in tls, frame")]

        def are_closed():
            for peer in peers:
                try:
                    peer.client.socket.send(PING)
                except OSError:
                    pass
            time.sleep(0.1)     # often enough to be alive by any other measure
            return all(peer.is_closed() for peer in peers)
        eventually(are_closed, "pings keep nobody")
        Watcher(Client(ports["plain"], 5, "watcher")).expect({COUNTED: len(peers)})
    finally:
        ports.broker.stop()


# ------------------------------------------------------------------------------ refused at CONNECT

@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """It waits for a CONNECT for an hour, so whom it closes it does not close for silence."""
    ports = Ports(tmp_path_factory.mktemp("patient"), "log_type all", "connect_timeout 3600")
    with ports.broker:
        yield ports


def below(client):
    """The TCP connection of a client, TLS taken off: its end is FIN and nothing else."""
    if not isinstance(client.socket, ssl.SSLSocket):
        return client.socket
    plain = socket.socket(fileno=client.socket.detach())
    plain.settimeout(10)
    return plain


@pytest.mark.parametrize("stage", ["tcp", "tls", "websocket, frame", "websocket in tls, frame"])
def test_after_an_error_in_connack_comes_the_end(patient, stage):
    """The client answers neither the close of WebSocket nor that of TLS, and leaves its side
    open."""
    client = STAGES[stage][0](patient)
    client.send(Connect(protocol_level=9))
    client.expect(Connack, reason=Reason.UNSUPPORTED_PROTOCOL_VERSION)
    with below(client) as connection:
        while connection.recv(1 << 16):
            pass
