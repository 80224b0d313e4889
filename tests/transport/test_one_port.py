# SPDX-License-Identifier: MIT
"""One port understands everything, by its first bytes; and a socket in the data directory is for
the owner alone."""
import os
import socket
import ssl
import stat

import pytest

import mqtt
from client import Client

CONNECT = bytes([0x10, 12, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 0])
CONNACK = b"\x20\x02\0\0"
SECONDS = 10


def connect_to(broker, tls=None):
    connection = socket.create_connection(("127.0.0.1", broker.port), timeout=SECONDS)
    return connection if tls is None else tls.wrap_socket(connection, server_hostname="localhost")


def read_all(connection):
    """Until the other side closes."""
    text = b""
    while piece := connection.recv(65536):
        text += piece
    return text


@pytest.fixture
def own_tls(broker):
    """Trusts the certificate that the broker has made for itself."""
    return ssl.create_default_context(cafile=str(broker.directory / "data/tls/cert.pem"))


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize("encrypted", [False, True])
def test_mqtt_with_and_without_tls(broker, own_tls, encrypted, piece):
    with connect_to(broker, own_tls if encrypted else None) as connection:
        for start in range(0, len(CONNECT), piece):
            connection.sendall(CONNECT[start:start + piece])
        assert connection.recv(100) == CONNACK
        connection.sendall(b"\xc0\0")
        assert connection.recv(100) == b"\xd0\0"


def test_a_handshake_in_pieces(broker, own_tls):
    """Byte by byte, as a slow line brings it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = own_tls.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with connect_to(broker) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def step(call):
            while True:
                try:
                    result = call()
                except ssl.SSLWantReadError:
                    result = None
                for byte in outgoing.read():
                    connection.sendall(bytes([byte]))
                if result is not None:
                    return result
                incoming.write(connection.recv(65536))
        step(lambda: tls.do_handshake() or True)
        step(lambda: tls.write(CONNECT))
        assert step(lambda: tls.read(100)) == CONNACK


@pytest.mark.parametrize("encrypted", [False, True])
def test_http_is_answered(broker, own_tls, encrypted):
    with connect_to(broker, own_tls if encrypted else None) as connection:
        connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 404 ") and b"Connection: close" in answer


@pytest.mark.parametrize("request_head, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400),                                  # no Host
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n", 431),
])
def test_requests_that_are_refused(broker, connect, request_head, status):
    with connect_to(broker) as connection:
        connection.sendall(request_head)
        assert read_all(connection).startswith(b"HTTP/1.1 %d " % status)
    connect(5).ping()


def test_what_is_nothing_is_closed(broker, connect):
    for text in (b"\x16\x02\x01\0", b"SSH-2.0-x\r\n", b"\0" * 20, b"GETX / HTTP/1.1\r\n\r\n"):
        with connect_to(broker) as connection:
            connection.sendall(text)
            assert read_all(connection) == b""
    connect(5).ping()


def test_a_proxy_nobody_trusts(broker):
    """Else anybody could say where it comes from."""
    position = broker.log_position()
    with connect_to(broker) as connection:
        connection.sendall(b"PROXY TCP4 10.0.0.7 10.0.0.1 1234 1883\r\n" + CONNECT)
        assert read_all(connection) == b""
    broker.wait_for_log("trusted_proxies", start=position)


def test_the_socket_of_the_owner(broker, connect):
    path = broker.directory / "data/bud.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_ISSOCK(path.stat().st_mode)
    listener = connect(5)
    listener.subscribe("of/the/owner", qos=1)
    # A Unix socket's path is short, a test's directory is long.
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(f"/proc/self/fd/{here}/bud.sock")
        connection.sendall(CONNECT)
        assert connection.recv(100) == CONNACK
        connection.sendall(mqtt.encode(mqtt.Publish("of/the/owner", b"here"), 4))
        listener.receive("of/the/owner", "here")
    os.close(here)


def test_tls_and_websocket_and_plain_meet(broker, own_tls, connect, prefix):
    listener = connect(4)
    listener.subscribe(prefix, qos=1)
    with connect_to(broker, own_tls) as connection:
        connection.sendall(CONNECT)
        assert connection.recv(100) == CONNACK
        big = os.urandom(300_000).hex()
        connection.sendall(mqtt.encode(mqtt.Publish(prefix, big.encode()), 4))
        listener.receive(prefix, big)


def test_many_handshakes_at_once_all_finish(broker, own_tls):
    """More than a turn allows: the rest goes on in the next ones."""
    own_tls.check_hostname = False
    raw = [connect_to(broker) for _ in range(40)]
    try:
        pairs = []
        for connection in raw:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            pairs.append((connection, own_tls.wrap_bio(incoming, outgoing), incoming, outgoing))
        for connection, tls, _, outgoing in pairs:
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            connection.sendall(outgoing.read())
        for connection, tls, incoming, outgoing in pairs:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    incoming.write(connection.recv(65536))
            tls.write(CONNECT)
            connection.sendall(outgoing.read())
        for connection, tls, incoming, _ in pairs:
            while True:
                try:
                    assert tls.read(100) == CONNACK
                    break
                except ssl.SSLWantReadError:
                    incoming.write(connection.recv(65536))
    finally:
        for connection in raw:
            connection.close()


def test_the_broker_still_serves_plain_clients(broker):
    Client(broker.port).disconnect()
