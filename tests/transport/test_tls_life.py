# SPDX-License-Identifier: MIT
"""TLS over time: certificates that change, tickets that outlive a restart, silent peers."""
import hashlib
import os
import re
import signal
import socket
import ssl
import time

import pytest

import pki
import tls
from client import Client, Closed, eventually
from pki import HERE, Identity
from server import free_port
from test_listeners import Configured, listener

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)


class House:
    """An authority, a server's certificate that can be replaced, and a broker with one listener."""

    def __init__(self, directory):
        self.directory, self.authority = directory, pki.authority()
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(self.authority.pem)
        self.port = free_port()
        self.made = self.renew()

    def renew(self, days=(-1, 90), authority=None):
        """A new certificate in the place of the old one, as certbot does: beside it, then over."""
        made = Identity("localhost", authority or self.authority, names=HERE, days=days)
        made.write(self.directory, "new")
        os.replace(self.directory / "new.key", self.directory / "server.key")
        os.replace(self.directory / "new.pem", self.directory / "server.pem")
        return made

    def lines(self, *more):
        return listener(self.port, "protocol any", f"certfile {self.directory}/server.pem",
                        f"keyfile {self.directory}/server.key", *more)

    def start(self, *more, **keywords):
        self.broker = Configured(self.directory / "broker", *self.lines(*more), **keywords)
        return self.broker.start()

    def client(self, name, how=None, **more):
        how = how or tls.context(authority=self.ca)
        return tls.TlsClient(self.port, client_id=name, how=how, **more)

    def shown(self):
        """The certificate that a client is shown, as DER."""
        how = tls.context()
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain, \
                how.wrap_socket(plain) as one:
            return one.getpeercert(binary_form=True)


def der(identity):
    return identity.certificate.public_bytes(pki.serialization.Encoding.DER)


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.broker.stop()


# ------------------------------------------------------------------------ certificates that change

def test_a_new_certificate_is_taken_on_when_its_file_changes(house, new_id):
    house.start()
    with house.client(new_id()) as client:
        assert house.shown() == der(house.made)
        renewed = house.renew()
        eventually(lambda: house.shown() == der(renewed), "the new certificate is shown")
        client.subscribe("a")       # who is in stays in, on the old one
        client.publish("a", "still here")
        client.receive("a", "still here")
        house.client(new_id()).abort()
        client.disconnect()


def test_and_on_sighup(house):
    house.start()
    renewed = house.renew()
    position = house.broker.log_position()
    house.broker.signal(signal.SIGHUP)
    house.broker.wait_for_log("configuration read again", start=position)
    eventually(lambda: house.shown() == der(renewed), "the new certificate is shown")


@pytest.mark.parametrize("damage, words", [
    (lambda path: path.unlink(), "No such file"),
    (lambda path: path.write_bytes(b""), "is not PEM"),
    (lambda path: path.write_bytes(path.read_bytes()[:300]), "is damaged"),
    (lambda path: path.write_bytes(Identity("localhost", names=HERE).pem), "does not belong to"),
])
def test_one_that_cannot_be_used_changes_nothing(house, damage, words, new_id):
    house.start()
    position = house.broker.log_position()
    damage(house.directory / "server.pem")
    house.broker.wait_for_log(words, start=position)
    assert house.shown() == der(house.made)
    house.client(new_id()).abort()
    renewed = house.renew()
    eventually(lambda: house.shown() == der(renewed), "the new certificate is shown")


def test_without_a_usable_one_it_does_not_start(house, new_id):
    (house.directory / "server.key").unlink()
    house.broker = Configured(house.directory / "broker", *house.lines(), expect_exit=None)
    with pytest.raises(AssertionError, match=r"keyfile .*server\.key cannot be read: No such file"):
        house.broker.start()


@pytest.mark.parametrize("days, words", [((-9, 20), "expires in (19|20) days"),
                                         ((-9, -1), "has expired"), ((1, 9), "not valid yet")])
def test_one_that_expires_is_warned_of_and_serves(house, days, words):
    house.renew(days)
    house.start().wait_for_log(words)
    assert house.shown()


def test_who_is_revoked_while_it_runs_does_not_come_back(house, new_id):
    lamp = Identity("lamp", house.authority)
    crl = house.directory / "crl.pem"
    crl.write_bytes(house.authority.crl())
    house.start(f"cafile {house.ca}", "require_certificate true", f"crlfile {crl}")
    how = tls.context(authority=house.ca, certificate=lamp.write(house.directory, "lamp"))
    client = house.client(new_id(), how)
    session = client.socket.session
    client.disconnect()
    crl.write_bytes(house.authority.crl(lamp))

    def is_out():
        try:
            house.client(new_id(), how, session=session).abort()
        except (OSError, Closed, AssertionError):
            return True
    eventually(is_out, "the revoked client stays out, with a ticket too")
    house.broker.wait_for_log("the client's certificate was revoked")


# ------------------------------------------------------------------------------------------ tickets

@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tickets_outlive_a_restart(house, new_id, version):
    how = tls.context(authority=house.ca, version=version)
    house.start("persistence true")
    with house.client(new_id(), how) as client:
        assert not client.socket.session_reused
        session = client.socket.session
        client.disconnect()
    house.broker.stop()
    house.broker.start()
    with house.client(new_id(), how, session=session) as client:
        assert client.socket.session_reused
        client.ping()


def test_a_broker_without_files_makes_its_own_certificate(fresh_broker, new_id, tmp_path):
    broker = fresh_broker(directory=tmp_path / "own")
    path = tmp_path / "own/data/tls/cert.pem"
    shown = broker.wait_for_log(r"SHA-256 of the certificate: ([0-9A-F:]{95})").group(1)
    expected = hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).digest()
    assert shown == expected.hex(":").upper()
    how = tls.context(authority=path)
    with tls.TlsClient(broker.port, client_id=new_id(), how=how) as client, \
            Client(broker.port, client_id=new_id()) as plain:    # on the same port
        client.subscribe("a")
        plain.publish("a", "x")
        client.receive("a", "x")
    broker.stop()
    again = fresh_broker(directory=tmp_path / "own")
    again.wait_for_log(f"SHA-256 of the certificate: {shown}")


# ------------------------------------------------------------------------------------ on the wire

def test_what_was_agreed_upon(house):
    house.start()
    how = tls.context(authority=house.ca, protocols=["x-amzn-mqtt-ca"])
    with house.client("a", how) as client:
        assert client.socket.selected_alpn_protocol() is None
        assert client.socket.compression() is None
        assert client.socket.version() == "TLSv1.3"
    how = tls.context(authority=house.ca, protocols=["h2", "http/1.1"])
    with tls.TlsWebSocketClient(house.port, client_id="b", how=how) as client:
        assert client.socket.selected_alpn_protocol() == "http/1.1"


def test_small_devices_get_small_records(house):
    house.start()
    how = tls.Command
    command = how(house.port, "-maxfraglen", "512", "-tls1_2")
    try:
        with tls.TlsClient(house.port, client_id="small", how=lambda port: command) as client:
            client.subscribe("a")
            client.publish("a", "x" * 5000)
            client.receive("a", "x" * 5000)
    finally:
        command.close()


@pytest.mark.parametrize("size", [1, 100_000, 1_900_000])
def test_large_messages_go_both_ways(house, size):
    house.start()
    with house.client("large") as client:
        client.subscribe("a")
        client.publish("a", b"x" * size)
        client.receive("a", b"x" * size)


def test_tls_inside_tls_and_other_nonsense_is_refused(house):
    house.start()
    position = house.broker.log_position()
    with house.client("nest", connect=False) as client:
        client.send_raw(CLIENT_HELLO)
        client.expect_closed()
    for data, words in [(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "does not speak TLS"),
                        (b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "does not speak TLS"),
                        (CLIENT_HELLO[:6] + b"\x7f" + CLIENT_HELLO[7:], "more than 16384 bytes")]:
        with socket.create_connection(("127.0.0.1", house.port), timeout=10) as one:
            one.sendall(data)
            while one.recv(1000):
                pass
        house.broker.wait_for_log(words, start=position)


# ------------------------------------------------------------------------------ who says nothing

def begins_tls(port):
    one = socket.create_connection(("127.0.0.1", port), timeout=20)
    one.sendall(CLIENT_HELLO[:20])
    return one


def speaks_tls_and_nothing_else(port):
    one = socket.create_connection(("127.0.0.1", port), timeout=20)
    return tls.context().wrap_socket(one)


def sends_half_a_connect(port):
    one = speaks_tls_and_nothing_else(port)
    one.sendall(b"\x10\x20\x00\x04MQ")
    return one


def sends_half_a_request(port):
    one = speaks_tls_and_nothing_else(port)
    one.sendall(b"GET /mqtt HTTP/1.1\r\nHost: a\r\nX: ")
    return one


SILENT = [begins_tls, speaks_tls_and_nothing_else, sends_half_a_connect, sends_half_a_request]


def is_at_its_end(one):
    one.settimeout(0)
    try:
        while one.recv(1000):
            pass
        return True
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    except OSError:
        return True


def test_who_says_nothing_or_little_is_closed(house):
    """All at once, because each takes the whole time: 2 bytes a second do not make it longer."""
    house.start("connect_timeout 2")
    silent = [begin(house.port) for begin in SILENT]
    dripping = [begin(house.port) for begin in SILENT]
    open_ones = silent + dripping

    def are_closed():
        for one in dripping:
            try:
                one.send(b"a")
            except (OSError, ssl.SSLError):
                pass
        open_ones[:] = [one for one in open_ones if not is_at_its_end(one)]
        time.sleep(0.1)     # so slowly that it is never whole
        return not open_ones
    eventually(are_closed, "all of them are closed", timeout=10)
    with house.client("fine") as client:
        client.ping()


def test_a_flood_of_handshakes_leaves_the_others_alone(house, new_id):
    """Clients that are in are served while new ones shake hands, and all of these come in."""
    house.start()
    with house.client("in") as client:
        client.subscribe("a")
        how = tls.context(authority=house.ca)
        opened = []
        for _ in range(60):
            one = socket.create_connection(("127.0.0.1", house.port), timeout=10)
            one.setblocking(False)
            opened.append(how.wrap_socket(one, do_handshake_on_connect=False,
                                          server_hostname="localhost"))
        waiting = list(opened)
        while waiting:
            waiting = [one for one in waiting if not has_shaken_hands(one)]
            client.publish("a", "x")
            client.receive("a", "x")
        for one in opened:
            one.close()


def has_shaken_hands(one):
    try:
        one.do_handshake()
        return True
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
