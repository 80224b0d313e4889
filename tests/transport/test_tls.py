# SPDX-License-Identifier: MIT
"""Who comes in over TLS and who does not: each case twice, with a reconnect, over plain TLS and
over WebSocket in it."""
import socket
import ssl

import pytest

import pki
import tls
from client import Client, Closed
from pki import CLIENT, HERE, SERVER, Identity
from server import free_port
from test_listeners import Configured, listener

KEYS = {"lamp": "00000102030405060708090a0b0c0d0e", "pump": "f00d0102030405060708090a0b0c0d00"}


class World:
    """Everybody of these tests, and one broker with a listener of each kind."""

    def __init__(self, directory):
        self.directory = directory
        self.authority, self.stranger = pki.authority(), pki.authority("Another CA")
        self.middle = pki.authority("Middle", self.authority)
        self.servers, self.clients, self.ports = {}, {}, {}
        self.make_servers()
        self.make_clients()
        self.ca = self.write("ca.pem", self.authority.pem)
        self.write("crl.pem", self.authority.crl(self.revoked) + self.middle.crl())
        self.write("old_crl.pem", self.authority.crl(days=(-9, -1)))
        self.write("other_crl.pem", self.stranger.crl())
        self.write("keys", "".join(f"{one}:{key}\n" for one, key in KEYS.items()).encode())

    def write(self, name, data):
        path = self.directory / name
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    def server(self, name, *args, **kinds):
        self.servers[name] = Identity(name, *args, **kinds).write(self.directory, f"server_{name}")

    def client(self, name, *args, chain=(), **kinds):
        made = Identity(name, *args, **kinds)
        self.clients[name] = made.write(self.directory, f"client_{name}", *chain)
        return made

    def make_servers(self):
        self.server("good", self.authority, names=HERE, usage=SERVER)
        self.server("expired", self.authority, names=HERE, days=(-9, -1))
        self.server("early", self.authority, names=HERE, days=(1, 9))
        self.server("elsewhere", self.authority, names=["example.org", "*.org"])
        self.server("stranger", self.stranger, names=HERE)
        self.server("self", names=HERE)
        self.server("client", self.authority, names=HERE, usage=CLIENT)

    def make_clients(self):
        self.client("good", self.authority)
        self.client("for_clients", self.authority, usage=CLIENT)
        self.client("for_servers", self.authority, usage=SERVER)
        self.client("expired", self.authority, days=(-9, -1))
        self.client("early", self.authority, days=(1, 9))
        self.client("stranger", self.stranger)
        self.client("self")
        self.client("chained", self.middle, chain=[self.middle])
        self.client("unchained", self.middle)
        self.revoked = self.client("revoked", self.authority)
        no_authority = self.client("no_authority", self.authority)
        self.client("forged", no_authority, chain=[no_authority])

    def listener(self, name, *lines, server="good"):
        self.ports[name] = free_port()
        own = [f"certfile {self.servers[server][0]}",
               f"keyfile {self.servers[server][1]}"] if server else []
        return listener(self.ports[name], "protocol any", *own, *lines)

    def lines(self):
        ca, here = f"cafile {self.ca}", self.directory
        made = []
        for name in self.servers:
            made += self.listener(name, server=name)
        made += self.listener("mutual", ca, "require_certificate true", f"crlfile {here}/crl.pem")
        made += self.listener("asking", ca)
        made += self.listener("lenient", ca, "require_certificate true",
                              "disable_client_cert_date_checks true")
        made += self.listener("old_crl", ca, "require_certificate true",
                              f"crlfile {here}/old_crl.pem")
        made += self.listener("other_crl", ca, "require_certificate true",
                              f"crlfile {here}/other_crl.pem")
        made += self.listener("new", "tls_version tlsv1.3")
        made += self.listener("keys", "psk_hint house", f"psk_file {here}/keys", server=None)
        return made


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("tls"))
    with Configured(made.directory / "broker", "log_type all", *made.lines()) as broker:
        made.broker = broker
        yield made


class Case:
    """`listener` by its name; `certificate`: the client's, by its name; `how`: arguments of
    tls.context, or a function from the world to how to connect. `refused`: what the log says
    then; None: the client comes in. `trusts`: does the client verify the server?"""

    def __init__(self, listener, certificate=None, refused=None, *, trusts=True, host="localhost",
                 **how):
        self.listener, self.certificate, self.refused = listener, certificate, refused
        self.trusts, self.host, self.how = trusts, host, how

    def context(self, world):
        if "key" in self.how:
            return tls.by_key(*self.how["key"])
        return tls.context(authority=world.ca if self.trusts else None,
                           certificate=world.clients.get(self.certificate), **self.how)


def key(identity, value=None, *options):
    return {"key": (identity, value or KEYS[identity], *options)}


NO_ISSUER = "who signed the client's certificate is not in cafile or capath"
DISTRUST = r"the client (does not (trust|accept)|says) our certificate"
NOBODY = "it did not show|showed no certificate"
TOO_OLD = "TLS version is too old"

CASES = {
    # Whom the client finds at the other end.
    "good server": Case("good"),
    "good server by address": Case("good", host="127.0.0.1"),
    "server expired": Case("expired", refused=DISTRUST),
    "server not yet valid": Case("early", refused=DISTRUST),
    "server of another host": Case("elsewhere", refused=DISTRUST),
    "server by *.org": Case("elsewhere", refused=DISTRUST, host="evil.org"),
    "server of another CA": Case("stranger", refused=DISTRUST),
    "server self-signed": Case("self", refused=DISTRUST),
    "server with a client's certificate": Case("client", refused=DISTRUST),
    # Whom the server finds.
    "client good": Case("mutual", "good"),
    "client good, in 1.2": Case("mutual", "good", version="1.2"),
    "client for clients": Case("mutual", "for_clients"),
    "client chained": Case("mutual", "chained"),
    "client without one": Case("mutual", refused="require_certificate is set"),
    "client without one, in 1.2": Case("mutual", refused="require_certificate is set",
                                       version="1.2"),
    "client expired": Case("mutual", "expired", "client's certificate has expired"),
    "client not yet valid": Case("mutual", "early", "client's certificate is not valid yet"),
    "client of another CA": Case("mutual", "stranger", NO_ISSUER),
    "client self-signed": Case("mutual", "self", "certificate is self-signed"),
    "client for servers": Case("mutual", "for_servers", "certificate is not for clients"),
    "client revoked": Case("mutual", "revoked", "certificate was revoked"),
    "client revoked, in 1.2": Case("mutual", "revoked", "certificate was revoked", version="1.2"),
    "client without its chain": Case("mutual", "unchained", NO_ISSUER),
    "client by one that is no CA": Case("mutual", "forged", "invalid CA certificate|not in cafile"),
    "CRL expired": Case("old_crl", "good", "revocation list in crlfile has expired"),
    "CRL of another CA": Case("other_crl", "good", "there is no revocation list"),
    "not required, none": Case("asking"),
    "not required, good": Case("asking", "good"),
    "not required, expired": Case("asking", "expired", "client's certificate has expired"),
    "not required, of another CA": Case("asking", "stranger", NO_ISSUER),
    "dates not checked, expired": Case("lenient", "expired"),
    "dates not checked, of another CA": Case("lenient", "stranger", NO_ISSUER),
    # How they speak.
    "TLS 1.0": Case("good", refused=TOO_OLD, version="1.0", ciphers="ALL:@SECLEVEL=0"),
    "TLS 1.1": Case("good", refused=TOO_OLD, version="1.1", ciphers="ALL:@SECLEVEL=0"),
    "TLS 1.2": Case("good", version="1.2"),
    "TLS 1.3": Case("good", version="1.3"),
    "1.2 where 1.3 is asked for": Case("new", refused=TOO_OLD, version="1.2"),
    "no common cipher": Case("good", refused="no common cipher", version="1.2",
                             ciphers="AES128-SHA:AES256-SHA"),
    "ciphers without a certificate": Case("good", refused="no common cipher", version="1.2",
                                          trusts=False, ciphers="aNULL:eNULL:@SECLEVEL=0"),
    # Keys of their own.
    "key": Case("keys", **key("pump")),
    "key with leading zeros": Case("keys", **key("lamp")),
    "key with leading zeros, in 1.2": Case("keys", **key("lamp", None, "-tls1_2")),
    "key without its leading zeros": Case("keys", refused="another",
                                          **key("lamp", KEYS["lamp"][6:])),
    "key without its leading zeros, in 1.2": Case(
        "keys", refused="another", **key("lamp", KEYS["lamp"][6:], "-tls1_2")),
    "key of somebody else": Case("keys", refused="another", **key("lamp", KEYS["pump"])),
    "key of nobody": Case("keys", refused="pre-shared key", **key("nobody", KEYS["pump"])),
    "key of nobody, in 1.2": Case("keys", refused="not in psk_file",
                                  **key("nobody", KEYS["pump"], "-tls1_2")),
    "certificate in place of a key": Case("keys", "good", "pre-shared key", trusts=False),
    "certificate in place of a key, in 1.2": Case("keys", "good", "no common cipher",
                                                  trusts=False, version="1.2"),
}


def expect_refused(broker, connect, words):
    """It never comes in; and the log says why. The log has a limit of lines in a second, which so
    many refusals reach: then it is tried again."""
    for last in (False, False, False, True):
        position = broker.log_position()
        with pytest.raises((ssl.SSLError, OSError, Closed, AssertionError)):
            connect()
        try:
            return broker.wait_for_log(words, start=position, timeout=2)
        except AssertionError:
            if last:
                raise


@pytest.mark.parametrize("transport", tls.CLIENTS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_who_comes_in(world, case, transport, new_id):
    how = case.context(world)

    def connect():
        return tls.CLIENTS[transport](world.ports[case.listener], client_id=new_id(), how=how,
                                      host=case.host)
    for _ in range(2):
        if case.refused is not None:
            expect_refused(world.broker, connect, case.refused)
            continue
        with connect() as client:
            client.ping()
            client.disconnect()
