# SPDX-License-Identifier: MIT
"""What somebody left behind who is no user any more: a connection, a session, a will, retained
messages. The rules have not changed, and would allow it. Each test has its control, where it is
somebody else who is removed."""
import itertools
import signal

import pytest

from client import Client, durable, settle
from mqtt import Connack, Publish, Will
from server import Broker
from websocket import WebSocketClient

_numbers = itertools.count(1)
REFUSED = {4: {4, 5}, 5: {0x86, 0x87}}


class Users:
    """A password file; everybody has the same password."""

    def __init__(self, path, hashed):
        self.path, self.hashed, self.broker = path, hashed, None
        self.names = set()

    def change(self, add=(), remove=()):
        self.names = (self.names | set(add)) - set(remove)
        self.path.write_text("".join(f"{name}:{self.hashed}\n" for name in sorted(self.names)))
        if self.broker is not None:
            position = self.broker.log_position()
            self.broker.signal(signal.SIGHUP)
            self.broker.wait_for_log("configuration read again", start=position)


@pytest.fixture(scope="module")
def users(bud, tmp_path_factory):
    directory = tmp_path_factory.mktemp("removed")
    path = directory / "passwd"
    assert bud("passwd", "-c", "-b", "-H", "sha512", path, "x", "secret").returncode == 0
    shared = Users(path, path.read_text().split(":", 1)[1].strip())
    shared.change(add=["x"])
    with Broker(directory / "broker", "--password-file", path, "--will-grace", "0",
                "--login-delay-ms", "0") as broker:
        shared.broker = broker
        yield shared


class Case:
    def __init__(self, users, is_removed, version, make):
        number = next(_numbers)
        self.users, self.is_removed, self.version, self.make = users, is_removed, version, make
        self.name, self.bystander, self.friend = (f"{word}{number}" for word in "abc")
        self.topic = f"u{number}/x"
        users.change(add=[self.name, self.bystander, self.friend])
        self.helper = self.come(self.friend, version=5)

    def come(self, user, version=None, client_id=None, **fields):
        return self.make(version or self.version, client_id or user, username=user,
                         password=b"secret", **fields)

    def remove(self):
        """The user, or somebody who has nothing to do with it."""
        self.users.change(remove=[self.name if self.is_removed else self.bystander])

    def messages(self, reader):
        settle(self.helper, reader)
        return [packet for packet in reader.inbox
                if isinstance(packet, Publish) and packet.topic == self.topic]


@pytest.fixture(params=(False, True), ids=("somebody else", "the user"))
def is_removed(request):
    return request.param


@pytest.fixture(params=(4, 5), ids=("3.1.1", "5.0"))
def version(request):
    return request.param


@pytest.fixture(params=(Client, WebSocketClient), ids=("tcp", "websocket"))
def case(request, users, is_removed, version):
    clients = []

    def make(*arguments, **fields):
        clients.append(request.param(users.broker.port, *arguments, **fields))
        return clients[-1]

    yield Case(users, is_removed, version, make)
    for one in clients:
        one.abort()


def test_a_connection(case):
    """It ends at once, and gets nothing on the way out; it does not come back."""
    reader = case.come(case.name)
    reader.subscribe(case.topic, qos=1)
    case.remove()
    case.helper.publish(case.topic, "m", qos=1)
    if not case.is_removed:
        reader.receive(case.topic, "m")
        return
    reader.expect_closed(reason=0x87)
    again = case.come(case.name, connect=False)
    again.send_connect(username=case.name, password=b"secret")
    again.expect(Connack, reason=REFUSED[case.version])


def test_a_queue(case):
    """Nobody gets what was queued, whoever comes with the client id; a new user begins anew."""
    reader = case.come(case.name, client_id=f"device-{case.name}", **durable(case.version))
    reader.subscribe(case.topic, qos=1)
    reader.disconnect()
    case.helper.publish(case.topic, "m", qos=1)
    case.remove()
    if not case.is_removed:
        reader = case.come(case.name, client_id=f"device-{case.name}", **durable(case.version))
        reader.receive(case.topic, "m")
        return
    other = case.come(case.bystander, client_id=f"device-{case.name}", **durable(case.version))
    assert not other.connack.session_present
    assert not case.messages(other)


def test_what_was_in_flight(case):
    reader = case.come(case.name, **durable(case.version))
    reader.subscribe(case.topic, qos=2)
    case.helper.publish(case.topic, "m", qos=2)
    reader.expect(Publish, topic=case.topic)
    reader.abort()
    case.remove()
    again = case.come(case.name, connect=False)
    again.send_connect(username=case.name, password=b"secret", **durable(case.version))
    if case.is_removed:
        again.expect(Connack, reason=REFUSED[case.version])
    else:
        again.expect(Connack, reason=0, session_present=True)
        again.expect(Publish, topic=case.topic, dup=True)


def test_retained(case):
    writer = case.come(case.name)
    writer.publish(case.topic, "m", qos=1, retain=True)
    writer.disconnect()
    case.remove()
    case.helper.subscribe(case.topic)
    assert len(case.messages(case.helper)) == (not case.is_removed)


def test_a_will(case):
    """Ending its connection is what fires it, and it is nobody's by then."""
    case.helper.subscribe(case.topic)
    position = case.users.broker.log_position()
    writer = case.come(case.name, will=Will(case.topic, b"m", qos=1))
    case.remove()
    if case.is_removed:
        writer.expect_closed(reason=0x87)
        case.users.broker.wait_for_log(f"not delivered.*{case.topic}.*not authorized",
                                       start=position)
    else:
        writer.abort()
        case.helper.wait_for(Publish, topic=case.topic, payload=b"m")
    assert not case.messages(case.helper)


def test_a_delayed_will(case):
    if case.version < 5:
        pytest.skip("3.1.1 has no delay")
    case.helper.subscribe(case.topic)
    position = case.users.broker.log_position()
    writer = case.come(case.name, clean=False, properties={"session_expiry_interval": 60},
                       will=Will(case.topic, b"m", properties={"will_delay_interval": 1}))
    writer.abort()
    case.remove()
    if case.is_removed:
        case.users.broker.wait_for_log(f"not delivered.*{case.topic}.*not authorized",
                                       start=position)
    else:
        case.helper.wait_for(Publish, topic=case.topic, payload=b"m")
    assert not case.messages(case.helper)


def test_a_member_of_a_group(case):
    """It is away; what comes is for who is there or may come back."""
    gone = case.come(case.name, **durable(case.version))
    away = case.come(case.bystander, **durable(case.version))
    for member in (gone, away):
        member.subscribe(f"$share/g/{case.topic}", qos=1)
        member.disconnect()
    if case.is_removed:
        case.remove()
    for number in range(6):
        case.helper.publish(case.topic, str(number), qos=1)
    away = case.come(case.bystander, **durable(case.version))
    got = len(case.messages(away))
    assert got == 6 if case.is_removed else 0 < got < 6
