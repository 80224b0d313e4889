# SPDX-License-Identifier: MIT
"""Several listeners of one file, each held to what it is told; and what a SIGHUP does to them."""
import os
import signal
import socket

import pytest

import mqtt
from client import Client, Closed
from server import Broker, free_port
from websocket import WebSocketClient

CONNECT = bytes([0x10, 12, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 0])
CONNACK = b"\x20\x02\0\0"
SECONDS = 10


class Configured(Broker):
    """Started with a file: `lines` after what every test has."""

    def __init__(self, directory, *lines, **more):
        super().__init__(directory, **more)
        self.path = self.directory / "bud.conf"
        self.write(*lines)

    def write(self, *lines):
        self.path.write_text("\n".join(["allow_anonymous true", "user root", *lines]) + "\n")

    def command(self):
        command = super().command()
        start = command.index("-p")
        return [*command[:start], "-c", str(self.path), *command[start + 4:]]

    def reload(self, *lines, expect="configuration read again"):
        self.write(*lines)
        position = self.log_position()
        self.signal(signal.SIGHUP)
        return self.wait_for_log(expect, start=position)


@pytest.fixture
def configured(tmp_path):
    started = []

    def start(*lines):
        started.append(Configured(tmp_path, *lines).start())
        return started[-1]
    yield start
    for broker in started:
        broker.stop()


def listener(port, *lines):
    return [f"listener {port} 127.0.0.1", *lines]


def speaks_mqtt(port):
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(CONNECT)
        return connection.recv(100) == CONNACK


def speaks_websocket(port):
    try:
        client = WebSocketClient(port, 4, clean=True)
    except (AssertionError, Closed, OSError):
        return False
    client.disconnect()
    return True


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("protocol, mqtt, websocket", [
    ("mqtt", True, False), ("websockets", False, True), ("any", True, True),
    ("http_api", False, False),
])
def test_a_listener_is_held_to_its_protocol(configured, protocol, mqtt, websocket):
    plain, held = free_port(), free_port()
    configured(*listener(plain), *listener(held, f"protocol {protocol}"))
    assert speaks_mqtt(held) == mqtt
    assert speaks_websocket(held) == websocket
    assert speaks_mqtt(plain) and not speaks_websocket(plain)   # as Mosquitto: mqtt alone


def test_a_unix_socket(configured, tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    path = f"/proc/self/fd/{here}/a.sock"
    port = free_port()
    broker = configured(*listener(port), f"listener 0 {tmp_path}/a.sock")
    client = Client(port)
    client.subscribe("a", qos=1)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(CONNECT)
        assert connection.recv(100) == CONNACK
        connection.sendall(bytes([0x30, 5, 0, 1]) + b"ahi")
        client.receive("a", "hi")
    os.close(here)
    broker.stop()
    assert not (tmp_path / "a.sock").exists()


@pytest.mark.parametrize("domain, host, other", [
    ("ipv4", "127.0.0.1", "::1"), ("ipv6", "::1", "127.0.0.1")])
def test_one_version_of_ip(configured, domain, host, other):
    first, port = free_port(), free_port()
    configured(*listener(first), f"listener {port}", f"socket_domain {domain}")
    socket.create_connection((host, port), timeout=SECONDS).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((other, port), timeout=SECONDS)


def test_listeners_come_and_go_and_nobody_else_notices(configured):
    kept, going, coming = free_port(), free_port(), free_port()
    broker = configured(*listener(kept), *listener(going))
    stays, leaves = Client(kept, 5, "stays"), Client(going, 5, "leaves")
    stays.subscribe("a", qos=1)
    broker.reload(*listener(kept), *listener(coming))
    leaves.expect_closed(0x98)
    assert not is_open(going)
    comes = Client(coming, 5, "comes")
    comes.publish("a", "still there", qos=1)
    stays.receive("a", "still there")
    broker.reload(*listener(kept), *listener(coming), *listener(going))
    assert speaks_mqtt(going)
    stays.ping()
    comes.ping()


def test_an_option_of_a_listener_changes(configured):
    port = free_port()
    broker = configured(*listener(port, "max_qos 2"))
    before = Client(port, 5, "before")
    broker.reload(*listener(port, "max_qos 1"))
    assert Client(port, 5).connack.properties["maximum_qos"] == 1
    before.ping()


@pytest.mark.parametrize("mistake, said", [
    (["listenerr 1"], "listener"),
    (["listener 70000"], "70000"),
    (["max_qos 3"], "max_qos"),
    (["listener 0 /no/such/place/a.sock"], "/no/such/place"),
    (["certfile /no/such/cert.pem", "keyfile /no/such/key.pem"], "/no/such"),
    (["acl_file /no/such/acl"], "/no/such/acl"),
])
def test_a_reload_that_cannot_be_changes_nothing(configured, mistake, said):
    port = free_port()
    broker = configured(*listener(port))
    client = Client(port, 5, "unmoved")
    broker.reload(*listener(port, "max_qos 0"), *mistake, expect=f"nothing has changed.*|{said}")
    client.ping()
    assert "maximum_qos" not in Client(port, 5).connack.properties
    broker.reload(*listener(port))
    client.ping()


def test_a_port_that_is_taken_changes_nothing(configured):
    port = free_port()
    broker = configured(*listener(port))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        broker.reload(*listener(port), *listener(taken), expect="nothing has changed")
    assert speaks_mqtt(port)


def test_many_reloads_under_traffic(configured, tmp_path):
    """Nobody is disconnected and nothing is lost, however often."""
    port, coming = free_port(), free_port()
    broker = configured(*listener(port))
    publisher, subscriber = Client(port, 5), Client(port, 5)
    subscriber.subscribe("count", qos=1)
    for number in range(40):
        more = listener(coming) if number % 2 == 0 else []
        broker.write(*listener(port), *more)
        broker.signal(signal.SIGHUP)
        publisher.publish("count", f"{number}", qos=1)
        subscriber.receive("count", f"{number}")


def test_a_mount_point_is_not_seen_by_those_below_it(configured):
    inside, outside = free_port(), free_port()
    configured(*listener(inside, "mount_point floor/3/"), *listener(outside))
    lamp, house = Client(inside, 5, "lamp"), Client(outside, 5, "house")
    house.subscribe("#", qos=2)
    lamp.subscribe("lamp/+", qos=2)
    lamp.publish("lamp/a", "1", qos=1, retain=True)
    lamp.receive("lamp/a", "1")
    house.receive("floor/3/lamp/a", "1")
    house.publish("floor/3/lamp/b", "2", qos=2)
    lamp.receive("lamp/b", "2")
    house.receive("floor/3/lamp/b", "2")
    house.publish("lamp/c", "not for those below", qos=1)
    house.receive("lamp/c", "not for those below")
    late = Client(inside, 4, "late")
    late.subscribe("#", qos=1)
    late.receive("lamp/a", "1", retain=True)
    lamp.expect_nothing(after=late)


def test_a_mount_point_goes_for_shares_wills_and_unsubscribing(configured):
    inside, outside = free_port(), free_port()
    configured(*listener(inside, "mount_point floor/3/"), *listener(outside))
    house = Client(outside, 5, "house")
    house.subscribe("floor/3/work", qos=1)
    house.subscribe("floor/3/gone", qos=1)
    worker = Client(inside, 5, "worker")
    assert worker.subscribe("$share/all/work", qos=1)
    house.publish("floor/3/work", "x", qos=1)
    worker.receive("work", "x")
    house.receive("floor/3/work", "x")
    worker.unsubscribe("$share/all/work")
    house.publish("floor/3/work", "y", qos=1)
    house.receive("floor/3/work", "y")
    worker.expect_nothing(after=Client(inside, 5, "fence"))
    dying = Client(inside, 5, "dying", will=mqtt.Will("gone", b"bye", qos=1))
    dying.abort()
    house.receive("floor/3/gone", "bye")
