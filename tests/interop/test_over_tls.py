# SPDX-License-Identifier: MIT
"""Clients of the field over TLS: certificates of either side, pre-shared keys, one version only."""
import contextlib
import threading

import pytest

import pki
from interop_broker import LISTENING, Broker, free_port
from interop_clients import REFERENCE, Message, Mosquitto, PahoC, new_id, without_marker
from interop_process import TIMEOUT, Child
from pki import CLIENT, HERE, SERVER, Identity

KEY = "00a1b2c3d4e5f60718293a4b5c6d7e8f"


class Secure(Broker):
    """Listeners: by certificate, by certificates of both sides, by key, and one without TLS."""

    def __init__(self, directory):
        super().__init__(directory)
        self.ports = {name: free_port() for name in ("plain", "server", "mutual", "psk")}
        authority = pki.authority()
        self.ca, self.other_ca = directory / "ca.pem", directory / "other.pem"
        self.ca.write_bytes(authority.pem)
        self.other_ca.write_bytes(pki.authority("Another CA").pem)
        self.pair = Identity("localhost", authority, names=HERE, usage=SERVER).write(
            directory, "server")
        self.client = Identity("lamp", authority, usage=CLIENT).write(directory, "client")
        (directory / "keys").write_text(f"lamp:{KEY}\n")
        self.config = directory / "secure.conf"
        self.config.write_text("\n".join(self.lines()) + "\n")

    def lines(self):
        own = [f"certfile {self.pair[0]}", f"keyfile {self.pair[1]}"]
        kinds = {"plain": [], "server": own,
                 "mutual": [*own, f"cafile {self.ca}", "require_certificate true",
                            "use_identity_as_username true"],
                 "psk": ["psk_hint house", f"psk_file {self.directory}/keys",
                         "use_identity_as_username true"]}
        made = ["allow_anonymous true", "user root", "log_type all"]
        for name, lines in kinds.items():
            made += [f"listener {self.ports[name]} 127.0.0.1", *lines]
        return made

    def _start_ours(self):
        child = self.child_of("serve", "-c", self.config, "--data", self.directory / "data")
        child.wait_for(LISTENING.search, "the broker's start")
        return child, self.ports["plain"]

    def _start_stand_in(self):
        child = Child(["/usr/sbin/mosquitto", "-c", self.config], cwd=self.directory)
        child.wait_for(lambda output: b"running\n" in output, "mosquitto's start")
        return child, self.ports["plain"]


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    broker = Secure(tmp_path_factory.mktemp("secure")).start()
    yield broker
    broker.stop()


# By what means a client comes in: the listener, and the words that mosquitto_* and paho_c_* share.
WAYS = {
    "certificate": ("server", lambda broker: ["--cafile", broker.ca]),
    "both": ("mutual", lambda broker: ["--cafile", broker.ca, "--cert", broker.client[0], "--key",
                                       broker.client[1]]),
    "key": ("psk", lambda _: ["--psk-identity", "lamp", "--psk", KEY]),
}
ONLY_MOSQUITTO = {
    "1.2": ("server", lambda broker: ["--cafile", broker.ca, "--tls-version", "tlsv1.2"]),
    "1.3": ("server", lambda broker: ["--cafile", broker.ca, "--tls-version", "tlsv1.3"]),
    "both, 1.2": ("mutual", lambda broker: [*WAYS["both"][1](broker), "--tls-version", "tlsv1.2"]),
    "alpn": ("server", lambda broker: ["--cafile", broker.ca, "--tls-alpn", "mqtt"]),
}


class OverTls:
    """A client of interop_clients with more words; by a name, since a certificate has one."""

    def __init__(self, words):
        self.words = words

    def _common(self, *what):
        words = super()._common(*what)
        return [*words, *self.words]


class SecureMosquitto(OverTls, Mosquitto):
    def _common(self, *what):
        return ["localhost" if word == "127.0.0.1" else word for word in super()._common(*what)]


class SecurePahoC(OverTls, PahoC):
    """By a connection string: -h and -p are for plain connections."""

    def _common(self, port, *what):
        return [*super()._common(port, *what), "-c", f"ssl://localhost:{port}"]


def there_and_back(client, broker, listener, version, topic):
    """It subscribes and publishes over TLS, and another one without sees and says the same."""
    port, plain = broker.ports[listener], broker.port
    REFERENCE.publish(plain, version, f"{topic}/ready", b"ready", 0, True)
    with contextlib.ExitStack() as ended:
        inside = client.subscribe(port, version, f"{topic}/#", 2)
        ended.callback(inside.kill)
        outside = REFERENCE.subscribe(plain, version, f"{topic}/#", 2)
        ended.callback(outside.kill)
        for one in (inside, outside):
            one.until(f"{topic}/ready")
        client.publish(port, version, f"{topic}/in", b"from inside", 2)
        REFERENCE.publish(plain, version, f"{topic}/out", b"from outside", 1)
        for one in (inside, outside):
            one.until(f"{topic}/in", f"{topic}/out")
            assert sorted(without_marker(one), key=lambda message: message.topic) == [
                Message(f"{topic}/in", b"from inside", 2, False),
                Message(f"{topic}/out", b"from outside", 1, False)]
        assert inside.stop() == 0


@pytest.mark.parametrize("way", [*WAYS, *ONLY_MOSQUITTO])
def test_mosquitto(secure, way, topic):
    listener, words = (WAYS | ONLY_MOSQUITTO)[way]
    there_and_back(SecureMosquitto(words(secure)), secure, listener, "5", topic)


@pytest.mark.needs("paho-c")
@pytest.mark.parametrize("way", ["certificate", "both"])
def test_paho_c(secure, way, topic):
    """Not by key: its program gets in nowhere with one, not at Mosquitto's broker either."""
    listener, words = WAYS[way]
    there_and_back(SecurePahoC(words(secure)), secure, listener, "3.1.1", topic)


@pytest.mark.needs("paho-python")
@pytest.mark.parametrize("listener", ["server", "mutual"])
def test_paho_python(secure, listener, topic):
    """It publishes to itself; its TLS is that of Python."""
    from paho.mqtt import client as mqtt
    subscribed, came, messages = threading.Event(), threading.Event(), []
    client = mqtt.Client(new_id(), protocol=mqtt.MQTTv5)
    own = secure.client if listener == "mutual" else (None, None)
    client.tls_set(secure.ca, *own)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _, __, message: (messages.append(message.payload), came.set())
    client.connect("localhost", secure.ports[listener], 60)
    client.loop_start()
    try:
        client.subscribe(topic, 1)
        assert subscribed.wait(TIMEOUT)
        client.publish(topic, b"to myself", 1)
        assert came.wait(TIMEOUT) and messages == [b"to myself"]
    finally:
        client.disconnect()
        client.loop_stop()


REFUSED = {
    "no certificate": ("mutual", lambda broker: ["--cafile", broker.ca],
                       b"require_certificate is set"),
    "unknown broker": ("server", lambda broker: ["--cafile", broker.other_ca],
                       b"does not trust our certificate"),
    "wrong key": ("psk", lambda _: ["--psk-identity", "lamp", "--psk", KEY[::-1]],
                  b"pre-shared key is another one"),
    "unknown identity": ("psk", lambda _: ["--psk-identity", "pump", "--psk", KEY],
                         b"gave no pre-shared key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mosquitto_is_refused(secure, name, topic):
    """It ends with an error, and the broker's log says why."""
    listener, words, why = REFUSED[name]
    before = len(secure.child.output())
    client = Child(["mosquitto_pub", "-h", "localhost", "-p", secure.ports[listener], "-t", topic,
                    "-m", "in", *words(secure)])
    assert client.process.wait(TIMEOUT) != 0, client
    secure.child.wait_for(lambda log: why in log[before:], "the reason")
