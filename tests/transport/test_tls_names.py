# SPDX-License-Identifier: MIT
"""use_identity_as_username and use_subject_as_username: who TLS says it is counts for the access
rules, whatever CONNECT says; and no name in a certificate gains anything by its characters."""
import pytest

import pki
import tls
from mqtt import Connack, Reason
from pki import CLIENT, HERE, SERVER, Identity
from server import free_port
from test_listeners import Configured, listener

KEY = "00010203040506070809"
SUBJECT = "CN=lamp,OU=light,O=Test"
RULES = f"""
user lamp
topic readwrite house/lamp
user {SUBJECT}
topic readwrite house/lamp
user admin
topic readwrite house/#
pattern readwrite own/%u/#
"""
POISON = ["+", "#", "own/lamp", "lamp/#", "$", ".*", "[a-z]", "../lamp", "%u", "__proto__", "lamp ",
          "lamp\nclient connected", "\x1b[2Jlamp", "lamp\0", "\N{SNOWMAN}" * 60]


class World:
    def __init__(self, directory):
        directory.mkdir()
        self.directory, self.authority = directory, pki.authority()
        self.ports = {kind: free_port() for kind in ("identity", "subject", "key")}
        self.server = Identity("localhost", self.authority, names=HERE, usage=SERVER).write(
            directory, "server")
        (directory / "ca.pem").write_bytes(self.authority.pem)
        self.private("rules", RULES)
        self.private("keys", f"lamp:{KEY}\nother:{KEY[::-1]}\n")

    def private(self, name, text):
        (self.directory / name).write_text(text)
        (self.directory / name).chmod(0o600)

    def lines(self):
        here = self.directory
        asks = ["protocol any", "require_certificate true", f"cafile {here}/ca.pem",
                f"certfile {self.server[0]}", f"keyfile {self.server[1]}"]
        return ["log_type all", f"acl_file {here}/rules",
                *listener(self.ports["identity"], *asks, "use_identity_as_username true"),
                *listener(self.ports["subject"], *asks, "use_subject_as_username true"),
                *listener(self.ports["key"], "protocol any", "psk_hint house",
                          f"psk_file {here}/keys", "use_identity_as_username true")]

    def client_of(self, name, unit=None):
        """A context of somebody with this common name."""
        made = Identity(name, self.authority, usage=CLIENT, unit=unit)
        return tls.context(authority=self.directory / "ca.pem",
                           certificate=made.write(self.directory, "client"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("names") / "files")
    # With one worker a PINGRESP comes after what others have caused, too.
    with Configured(made.directory / "broker", *made.lines(), workers=1) as broker:
        made.broker = broker
        made.lamp = tls.TlsClient(made.ports["identity"], 5, "lamp", how=made.client_of("lamp"))
        yield made
        made.lamp.disconnect()


def expect_lamp(client):
    """May what lamp may, and not what admin may, as which it connected."""
    assert client.publish("house/lamp", "x", qos=1).reason in (0, Reason.NO_MATCHING_SUBSCRIBERS)
    assert client.publish("house/door", "x", qos=1).reason == Reason.NOT_AUTHORIZED
    client.disconnect()


@pytest.mark.parametrize("transport", tls.CLIENTS)
@pytest.mark.parametrize("kind", ("identity", "subject", "key"))
def test_the_name_is_the_one_of_tls(world, kind, transport, new_id):
    how = tls.by_key("lamp", KEY) if kind == "key" else world.client_of("lamp", "light")
    for _ in range(2):
        expect_lamp(tls.CLIENTS[transport](world.ports[kind], 5, new_id(), how=how,
                                           username="admin", password=b"whatever"))


def test_who_may_read_it_gets_it(world, new_id):
    """Or the test below could not fail."""
    admin = tls.TlsClient(world.ports["identity"], 5, new_id(), how=world.client_of("admin"))
    admin.try_subscribe("house/#", "own/#")
    world.lamp.publish("house/lamp", "x", qos=1)
    admin.receive("house/lamp", "x")
    admin.disconnect()


@pytest.mark.parametrize("name", POISON, ids=[repr(name[:12]) for name in POISON])
def test_a_name_is_only_a_name(world, name, new_id):
    """It comes in as who it is, or not at all; what is others' it can neither read nor write, and
    the log has one line for it."""
    client_id, position = new_id(), world.broker.log_position()
    client = tls.TlsClient(world.ports["identity"], 5, client_id, how=world.client_of(name),
                           connect=False)
    client.send_connect(username="admin", password=b"whatever")
    if client.expect(Connack).reason == 0:
        for topic in ("own/lamp/x", "house/lamp", "house/door"):
            assert client.publish(topic, "x", qos=1).reason == Reason.NOT_AUTHORIZED
        client.try_subscribe("own/lamp/#", "own/+/#", "own/#", "house/#", "#", "own/[a-z]/#")
        for topic in ("own/lamp/x", "house/lamp"):
            world.lamp.publish(topic, "x", qos=1)
        client.expect_nothing()
    client.abort()
    world.broker.wait_for_log(f"(client disconnected|connection refused).*{client_id}",
                              start=position)
    lines = world.broker.log().splitlines()[position:]
    assert not [line for line in lines if line.startswith("client connected") or "\x1b" in line]
    assert len([line for line in lines if client_id in line and " client connected " in line]) < 2
