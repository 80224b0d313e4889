# SPDX-License-Identifier: MIT
"""Wrong passwords make answers come later, and then ban: the address, nobody elsewhere, for a
while. Through a proxy that is believed, since this machine itself is never banned."""
import pytest

from client import Client, Closed, eventually
from mqtt import Connack, Publish, Reason
from owner import ask, bans
from proxied import TRUSTED, client_from, header

BAD_LOGIN = Reason.BAD_USER_NAME_OR_PASSWORD
FIRST, SECOND = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def guarded(fresh_broker, bud):
    """guarded(*options): a broker with the user anna, password good, that bans after three."""
    def start(*options, **keywords):
        broker = fresh_broker(*TRUSTED, "--ban-failures", "3", "--login-delay-ms", "0", *options,
                              **keywords)
        added = bud("user", "add", "anna", "--password-stdin", "--data",
                    broker.directory / "data", stdin="good\n")
        assert added.returncode == 0, added.stderr
        broker.wait_for_log(r"users have changed")
        return broker
    return start


def log_in(broker, address, password=b"bad", version=5, username="anna"):
    """The reason in CONNACK; None if the connection was closed without one."""
    client = client_from(address, broker.port, version, "device", username=username,
                         password=password)
    try:
        reason = client.expect(Connack).reason
    except Closed:
        reason = None
    client.abort()
    return reason


def ban(broker, address=FIRST, username="anna"):
    for _ in range(3):
        assert log_in(broker, address, username=username) == BAD_LOGIN


def test_the_third_bans_the_address_and_nobody_else(guarded, bud):
    broker = guarded()
    ban(broker)
    broker.wait_for_log(rf"too many wrong passwords, banned address={FIRST} user=anna seconds=600")
    assert log_in(broker, FIRST, b"good") is None
    assert log_in(broker, FIRST, b"good", username="berit") is None
    assert log_in(broker, SECOND, b"good") == 0
    assert bans(broker) == {(FIRST, None), (FIRST, "anna")}
    data = ("--data", broker.directory / "data")
    listed = bud("ban", "list", *data).stdout
    assert listed.count(FIRST) == 2 and 'user "anna"' in listed
    lifted = bud("ban", "lift", FIRST, *data)
    assert (lifted.returncode, lifted.stdout) == (0, "2 bans lifted.\n")
    assert log_in(broker, FIRST, b"good") == 0
    assert bans(broker) == set()


def test_of_ipv6_the_network(guarded, bud):
    broker = guarded()
    for number in range(3):
        assert log_in(broker, f"2001:db8::{number}:1") == BAD_LOGIN
    assert log_in(broker, "2001:db8::ffff", b"good") is None
    assert log_in(broker, "2001:db8:0:1::1", b"good") == 0
    assert ("2001:db8::/64", None) in bans(broker)
    assert bud("ban", "lift", "2001:db8::/64", "--data",
               broker.directory / "data").returncode == 0
    assert log_in(broker, "2001:db8::ffff", b"good") == 0


def test_success_forgives_the_user_and_covers_nobody_else(guarded):
    broker = guarded()
    for _ in range(4):
        for _ in range(2):
            assert log_in(broker, FIRST) == BAD_LOGIN
        assert log_in(broker, FIRST, b"good") == 0
    for _ in range(3):   # guesses at others in between
        assert log_in(broker, FIRST, username="berit") == BAD_LOGIN
        reason = log_in(broker, FIRST, b"good")
    assert reason is None


@pytest.mark.parametrize("version", (4, 5))
def test_who_was_accepted_before_is_told(guarded, version):
    """One worker: what came before a whole exchange was handled before it."""
    broker = guarded(workers=1)
    early = Client(broker.port, version, "device", connect=False)
    early.send_raw(header(FIRST).encode())
    ban(broker)
    early.send_connect(username="anna", password=b"good")
    early.expect_refused(Reason.BANNED if version == 5 else 5)


def test_this_machine_is_never_banned(guarded, connect):
    broker = guarded()
    for _ in range(6):
        client = connect(5, port=broker.port, connect=False)
        client.send_connect(username="anna", password=b"bad")
        assert client.expect(Connack).reason == BAD_LOGIN
    connect(5, port=broker.port, username="anna", password=b"good").ping()


def test_answers_come_later_and_nobody_else_waits(guarded, connect):
    broker = guarded("--login-delay-ms", "60000", "--login-delay-max-ms", "60000",
                     "--connect-timeout", "60")
    slow = client_from(FIRST, broker.port, username="anna", password=b"bad")
    broker.wait_for_log(rf"connection refused .*address={FIRST}:")
    connect(5, port=broker.port, username="anna", password=b"good").ping()
    assert not slow.buffer and not slow.is_eof
    slow.reset()
    broker.stop()


def test_the_answer_comes_after_the_delay(guarded):
    broker = guarded("--login-delay-ms", "200")
    assert log_in(broker, FIRST, version=4) == 4
    assert log_in(broker, FIRST) == BAD_LOGIN


def test_it_is_counted(guarded, connect):
    broker = guarded("--sys-interval", "1")
    ban(broker)
    for _ in range(2):
        assert log_in(broker, FIRST) is None
    watcher = connect(5, port=broker.port, username="anna", password=b"good")
    counts = {}
    watcher.subscribe("$SYS/broker/refused/banned", "$SYS/broker/bans")

    def look():
        packet = watcher.expect(Publish)
        counts[packet.topic.rsplit("/", 1)[1]] = int(packet.payload)
        return counts == {"banned": 2, "bans": 1}
    eventually(look, "both counts")


def test_bans_outlive_a_reload_and_follow_its_options(guarded):
    broker = guarded()
    ban(broker)
    start = broker.log_position()
    broker.signal(1)
    broker.wait_for_log(r"configuration read again", start=start)
    assert log_in(broker, FIRST, b"good") is None


def test_wrong_admin_keys_count_as_wrong_passwords(guarded):
    broker = guarded("--ban-failures", "2")
    for _ in range(2):
        assert ask_with(broker, "wrong").startswith(b"HTTP/1.1 401")
    assert ask_with(broker, "wrong") == b""
    assert (FIRST, None) in bans(broker)


def ask_with(broker, key):
    """What a request of FIRST is answered with."""
    client = Client(broker.port, connect=False)
    client.send_raw(header(FIRST).encode() + b"GET /api/v1/bans HTTP/1.1\r\nHost: x\r\n"
                    b"Authorization: Bearer " + key.encode() + b"\r\n\r\n")
    return client.read_to_end()


def test_turned_off(guarded):
    broker = guarded("--ban-failures", "0")
    for _ in range(12):
        assert log_in(broker, FIRST) == BAD_LOGIN
    assert log_in(broker, FIRST, b"good") == 0
