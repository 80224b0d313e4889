# SPDX-License-Identifier: MIT
"""Who sends more than the limits allow is read from more slowly: nothing is lost, nobody else
notices, and the log says it once. Connects beyond their rate are refused and counted."""
import re
import signal
import struct

import pytest

from client import eventually
from mqtt import Connack, Publish, Reason
from proxied import TRUSTED, client_from

def limits(of, kind, rate, burst):
    return (f"--max-{of}-{kind}-rate", rate, f"--max-{of}-{kind}-burst", burst)


LIMITS = {
    "client messages": limits("client", "publish", "100", "20"),
    "client bytes": limits("client", "byte", "4k", "1k"),
    "user messages": limits("user", "publish", "100", "20"),
    "user bytes": limits("user", "byte", "4k", "1k"),
    "listener messages": limits("listener", "publish", "100", "20"),
    "listener bytes": limits("listener", "byte", "4k", "1k"),
}


def flood(client, topic, count, qos=0):
    """All in one piece, so that they wait in the broker and not in the socket."""
    raw = bytearray()
    for number in range(count):
        name = topic.encode()
        rest = struct.pack(">H", len(name)) + name
        rest += struct.pack(">H", number + 1) if qos else b""
        rest += (b"\0" if client.version == 5 else b"") + b"%d" % number
        assert len(rest) < 128
        raw += bytes([0x30 | qos << 1, len(rest)]) + rest
    client.send_raw(bytes(raw))


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("qos", (0, 1))
def test_nothing_is_lost(fresh_broker, connect, limit, qos):
    broker = fresh_broker(*LIMITS[limit], "--allow-anonymous", "true")
    reader = connect(5, port=broker.port)
    reader.subscribe("flood", qos=1)
    writer = connect(4, "writer", port=broker.port, username="anna", password=b"x")
    flood(writer, "flood", 120, qos)
    for number in range(120):
        reader.receive("flood", b"%d" % number, qos=qos)
    writer.ping()   # and it goes on
    lines = re.findall(r".*beyond its limit.*client=writer.*", broker.log())
    assert len(lines) == 1 and f"of one {limit.split()[0]} " in lines[0]


def test_debt_is_paid_in_time(fresh_broker, connect):
    """Ten a second after a burst of ten: forty cannot be there before the rest had its time."""
    broker = fresh_broker("--max-client-publish-rate", "20", "--max-client-publish-burst", "10")
    writer, reader = connect(5, port=broker.port), connect(5, port=broker.port)
    reader.subscribe("flood")
    flood(writer, "flood", 40)
    got = [reader.expect(Publish).payload for _ in range(10)]
    assert got == [b"%d" % number for number in range(10)]
    reader.ping()
    assert len(reader.inbox) < 30   # the rest is still waiting
    for number in range(10, 40):
        reader.receive("flood", b"%d" % number)


def test_others_are_not_slowed_down(fresh_broker, connect):
    broker = fresh_broker("--max-client-publish-rate", "1", "--max-client-publish-burst", "5")
    flooder, reader = connect(5, port=broker.port), connect(5, port=broker.port)
    reader.subscribe("well")
    flood(flooder, "flood", 1000)
    for number in range(20):
        other = connect(5, port=broker.port)
        other.publish("well", b"%d" % number, qos=1)
        reader.receive("well", b"%d" % number)
    flooder.abort()


def test_one_users_clients_share_their_limit(fresh_broker, connect):
    broker = fresh_broker("--max-user-publish-rate", "1", "--max-user-publish-burst", "3",
                          "--allow-anonymous", "true")
    first = connect(5, "first", port=broker.port, username="anna", password=b"x")
    second = connect(5, "second", port=broker.port, username="anna", password=b"x")
    stranger = connect(5, "stranger", port=broker.port, username="berit", password=b"x")
    for number in range(3):
        first.publish("t", b"x", qos=1)
    flood(second, "t", 3)
    broker.wait_for_log(r"beyond its limit.*client=second")
    stranger.publish("t", b"x", qos=1)
    stranger.publish("t", b"x", qos=1)
    assert "client=stranger" not in "".join(re.findall(r".*beyond its limit.*", broker.log()))


def test_coming_back_pays_no_debt(fresh_broker, connect):
    broker = fresh_broker("--max-client-publish-rate", "1", "--max-client-publish-burst", "2")
    reader = connect(5, "reader", port=broker.port)
    reader.subscribe("flood")
    first = connect(5, "again", port=broker.port)
    flood(first, "flood", 60)
    broker.wait_for_log(r"beyond its limit.*client=again")
    start = broker.log_position()
    first.abort()
    second = connect(5, "again", port=broker.port)
    flood(second, "flood", 2)
    broker.wait_for_log(r"beyond its limit.*client=again", start=start)


def test_a_slow_client_is_kept_alive_and_can_be_taken_over(fresh_broker, connect):
    broker = fresh_broker("--max-client-publish-rate", "1", "--max-client-publish-burst", "1")
    slow = connect(5, "slow", port=broker.port, keep_alive=1)
    flood(slow, "flood", 100)
    broker.wait_for_log(r"beyond its limit.*client=slow")
    newer = connect(5, "slow", port=broker.port)
    slow.expect_closed(Reason.SESSION_TAKEN_OVER)
    newer.ping()


def test_a_reload_changes_the_limits_of_who_is_connected(fresh_broker, connect, tmp_path):
    file = tmp_path / "bud.conf"
    file.write_text("allow_anonymous true\n")
    broker = fresh_broker("-c", file)

    def reload(text):
        file.write_text("allow_anonymous true\n" + text)
        start = broker.log_position()
        broker.signal(signal.SIGHUP)
        broker.wait_for_log(r"configuration read again", start=start)
    client = connect(5, "here", port=broker.port)
    flood(client, "flood", 100)
    client.ping()
    reload("max_client_publish_rate 1\nmax_client_publish_burst 2\n")
    flood(client, "flood", 100)
    broker.wait_for_log(r"beyond its limit.*client=here")
    reload("")
    newer = connect(5, "newer", port=broker.port)
    flood(newer, "flood", 100)
    newer.ping()


def test_stopping_does_not_wait_for_debt(fresh_broker, connect):
    broker = fresh_broker("--max-client-publish-rate", "1", "--max-client-publish-burst", "1")
    slow = connect(5, "slow", port=broker.port)
    flood(slow, "flood", 100)
    broker.wait_for_log(r"beyond its limit.*client=slow")
    broker.stop()


def test_a_large_message_is_only_delayed(fresh_broker, connect):
    broker = fresh_broker("--max-client-byte-rate", "200k", "--max-client-byte-burst", "100k")
    writer, reader = connect(5, port=broker.port), connect(5, port=broker.port)
    reader.subscribe("large")
    payload = bytes(range(256)) * 1200
    writer.publish("large", payload, qos=1)
    reader.receive("large", payload)


@pytest.mark.parametrize("version", (4, 5))
def test_too_many_connects_are_refused(fresh_broker, version):
    broker = fresh_broker(*TRUSTED, "--max-connect-rate", "1", "--max-connect-burst", "4")
    clients = [client_from(f"203.0.{number}.1", broker.port, version, f"c{number}")
               for number in range(12)]
    reasons = [client.expect(Connack).reason for client in clients]
    refusal = Reason.CONNECTION_RATE_EXCEEDED if version == 5 else 3
    assert set(reasons) == {0, refusal} and 4 <= reasons.count(0) <= 8, reasons
    for client in clients:
        client.abort()


def test_connects_of_one_network_do_not_hold_up_another(fresh_broker):
    broker = fresh_broker(*TRUSTED, "--max-network-connect-rate", "1",
                          "--max-network-connect-burst", "2")
    flooding = [client_from(f"203.0.113.{number}", broker.port, client_id=f"c{number}")
                for number in range(8)]
    reasons = {client.expect(Connack).reason for client in flooding}
    assert Reason.CONNECTION_RATE_EXCEEDED in reasons
    for address in ("198.51.100.7", "203.0.114.1", "2001:db8::1"):
        other = client_from(address, broker.port, client_id=f"from-{address}")
        assert other.expect(Connack).reason == 0
        other.abort()
    for client in flooding:
        client.abort()


def test_this_machine_may_come_as_fast_as_it_likes(fresh_broker, connect):
    broker = fresh_broker("--max-connect-rate", "1", "--max-connect-burst", "1")
    for _ in range(20):
        connect(5, port=broker.port).abort()


def test_refused_connects_are_counted(fresh_broker, connect):
    broker = fresh_broker(*TRUSTED, "--max-connect-rate", "1", "--max-connect-burst", "1",
                          "--sys-interval", "1")
    watcher = connect(5, port=broker.port)
    watcher.subscribe("$SYS/broker/refused/connect rate")
    clients = [client_from("203.0.113.1", broker.port, client_id=f"c{n}") for n in range(6)]
    refused = sum(client.expect(Connack).reason != 0 for client in clients)
    assert refused > 0
    eventually(lambda: int(watcher.expect(Publish).payload) == refused, "the count")
    for client in clients:
        client.abort()
