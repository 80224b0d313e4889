# SPDX-License-Identifier: MIT
"""Clients over TLS: Python's for certificates, openssl's command for pre-shared keys."""
import socket
import ssl
import subprocess
import warnings

from client import TIMEOUT, Client
from websocket import WebSocketClient

VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Drained(ssl.SSLSocket):
    """What OpenSSL has decrypted already, no select tells: so nothing is left there."""

    def recv(self, size=1024, flags=0):
        data = super().recv(size, flags)
        while size > 4096 and self.pending():
            data += super().recv(size, flags)
        return data


def context(*, authority=None, certificate=None, version=None, ciphers=None, protocols=None):
    """A client's. Without an authority it trusts everybody; `certificate` is its own, as
    (certificate, key). `version`: no other one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.sslsocket_class = Drained
    if authority:
        made.load_verify_locations(authority)
    else:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if ciphers:
        made.set_ciphers(ciphers)
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)     # 1.0 and 1.1
            made.maximum_version = made.minimum_version = VERSIONS[version]
    if certificate:
        made.load_cert_chain(*certificate)
    if protocols:
        made.set_alpn_protocols(protocols)
    return made


class Over:
    """What the two clients below share. `how`: a context of context(), or a function from a port
    to a connected socket. `host`: whom it asks for."""

    def __init__(self, port, version=4, client_id="", *, how, host="localhost", session=None,
                 connect=True, upgrade=None, before=b"", **fields):
        self.early = {"upgrade": False} if isinstance(self, WebSocketClient) else {}
        super().__init__(port, version, client_id, connect=False, **self.early)
        try:
            self.put_on_tls(how, host, session, before)
            if isinstance(self, WebSocketClient) and upgrade is not False:
                self.upgrade(**(upgrade or {}))
            if connect:
                self.connack = self.connect(**fields)
        except BaseException:
            self.socket.close()
            raise

    def put_on_tls(self, how, host, session, before):
        if callable(how):
            self.socket.close()
            self.socket = how(self.port)
            return
        self.socket.sendall(before)
        self.socket = how.wrap_socket(self.socket, server_hostname=host, session=session)


class TlsClient(Over, Client):
    pass


class TlsWebSocketClient(Over, WebSocketClient):
    pass


CLIENTS = {"tcp": TlsClient, "websocket": TlsWebSocketClient}


class Command:
    """`openssl s_client` as a socket: what is sent goes through it. Ended by close()."""

    def __init__(self, port, *options):
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", *options],
            stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        theirs.close()
        ours.settimeout(TIMEOUT)

    def close(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def __getattr__(self, name):
        return getattr(self.socket, name)


def by_key(identity, key, *options):
    """How to connect with a pre-shared key (hexadecimal)."""
    return lambda port: Command(port, "-psk_identity", identity, "-psk", key, *options)
