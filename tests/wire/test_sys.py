# SPDX-License-Identifier: MIT
"""$SYS/broker/...: Mosquitto's tree topic for topic, so that dashboards made for it work."""
import re

import pytest

from client import eventually
from mqtt import Publish, Reason
from server import Broker

RATES = [f"load/{name}/{minutes}" for name in (
    "messages/received", "messages/sent", "publish/dropped", "publish/received", "publish/sent",
    "bytes/received", "bytes/sent", "sockets", "connections")
    for minutes in ("1min", "5min", "15min")]
NUMBERS = [
    "clients/total", "clients/maximum", "clients/connected", "clients/active",
    "clients/disconnected", "clients/inactive", "clients/expired",
    "messages/received", "messages/sent", "messages/stored",
    "store/messages/count", "store/messages/bytes",
    "publish/messages/received", "publish/messages/sent", "publish/messages/dropped",
    "publish/bytes/received", "publish/bytes/sent", "bytes/received", "bytes/sent",
    "packet/out/count", "packet/out/bytes", "connections/socket/count",
    "subscriptions/count", "shared_subscriptions/count", "retained messages/count",
]


@pytest.fixture(scope="module")
def sys_broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("sys_broker"), "--sys-interval", "1") as own:
        yield own


@pytest.fixture
def watcher(connect, sys_broker):
    """A client of the broker that publishes $SYS every second."""
    return connect(5, port=sys_broker.port)


def wait_for_value(client, topic, check):
    """The first value of $SYS/broker/<topic> that passes."""
    topic = f"$SYS/broker/{topic}"
    client.subscribe(topic)

    def look():
        value = client.wait_for(Publish, topic=topic).payload.decode()
        return (value,) if check(value) else None
    value = eventually(look, f"a value of {topic} that passes")[0]
    client.unsubscribe(topic)
    return value


def number(client, topic):
    return float(wait_for_value(client, topic, lambda value: True))


@pytest.mark.parametrize("topic", NUMBERS)
def test_a_number_that_is_a_number(watcher, topic):
    """Decimal, without anything else; kept, so that it is there at once."""
    # Expected difference: mosquitto 2.0 lacks packet/out and connections/socket.
    watcher.subscribe(f"$SYS/broker/{topic}", qos=2)
    packet = watcher.receive(f"$SYS/broker/{topic}", qos=2)
    assert re.fullmatch(rb"\d+", packet.payload), packet


@pytest.mark.parametrize("topic", RATES)
def test_a_rate_has_two_decimals(watcher, topic):
    watcher.subscribe(f"$SYS/broker/{topic}", qos=2)
    packet = watcher.receive(f"$SYS/broker/{topic}", qos=2)
    assert re.fullmatch(rb"\d+\.\d\d", packet.payload), packet


def test_version_and_uptime(watcher):
    watcher.subscribe("$SYS/broker/version")
    assert re.search(rb"\w+ .*\d+\.\d+", watcher.receive(retain=True).payload)
    first = wait_for_value(watcher, "uptime", lambda value: re.fullmatch(r"\d+ seconds", value))
    wait_for_value(watcher, "uptime", lambda value: value != first)


def test_wildcards_at_the_start_do_not_reach_it(watcher):
    """[MQTT-4.7.2-1]"""
    watcher.subscribe("#", "+/broker/uptime", "+/#")
    watcher.expect_nothing()
    wait_for_value(watcher, "uptime", lambda value: True)
    assert all(p.topic.startswith("$SYS/broker/uptime") for p in watcher.inbox)


def test_clients_cannot_write_it(watcher, connect, sys_broker, version):
    liar = connect(version, port=sys_broker.port)
    answer = liar.publish("$SYS/broker/version", "lie", qos=1, retain=True)
    if version == 5:
        assert answer.reason in {Reason.NOT_AUTHORIZED, Reason.TOPIC_NAME_INVALID}
    watcher.subscribe("$SYS/broker/version")
    assert watcher.receive(retain=True).payload != b"lie"


def test_connected_and_disconnected_clients(fresh_broker, connect):
    port = fresh_broker("--sys-interval", "1").port  # where nobody else comes and goes
    watcher = connect(5, port=port)

    def expect_counts(**counts):
        for name, count in counts.items():
            wait_for_value(watcher, f"clients/{name}", lambda value: float(value) == count)
    expect_counts(connected=1, active=1, disconnected=0, total=1)
    guest = connect(5, port=port, clean=False, properties={"session_expiry_interval": 3600})
    expect_counts(connected=2, active=2, disconnected=0, total=2, maximum=2)
    guest.disconnect()
    expect_counts(connected=1, active=1, disconnected=1, inactive=1, total=2, maximum=2)


def test_messages_are_counted(watcher, connect, sys_broker, prefix):
    before = {topic: number(watcher, topic) for topic in (
        "publish/messages/received", "publish/bytes/received", "bytes/received",
        "publish/messages/sent", "publish/bytes/sent", "messages/received")}
    client = connect(5, port=sys_broker.port)
    client.subscribe(prefix)
    for _ in range(50):
        client.publish(prefix, bytes(1000))
        client.receive(prefix)
    for topic, least in (("publish/messages/received", 50), ("publish/bytes/received", 50_000),
                         ("bytes/received", 50_000), ("publish/messages/sent", 50),
                         ("publish/bytes/sent", 50_000), ("messages/received", 50)):
        wait_for_value(watcher, topic, lambda value: float(value) >= before[topic] + least)
    wait_for_value(watcher, "load/publish/received/1min", lambda value: float(value) > 0)


def test_subscriptions_and_retained_messages_are_counted(watcher, connect, sys_broker, prefix):
    kept, client = number(watcher, "retained messages/count"), connect(5, port=sys_broker.port)
    client.subscribe(*(f"{prefix}/{n}" for n in range(100)))
    client.subscribe(*(f"$share/group/{prefix}/{n}" for n in range(30)))
    wait_for_value(watcher, "subscriptions/count", lambda value: float(value) >= 100)
    wait_for_value(watcher, "shared_subscriptions/count", lambda value: float(value) >= 30)
    for n in range(20):
        client.publish(f"{prefix}/kept/{n}", "x", qos=1, retain=True)
    wait_for_value(watcher, "retained messages/count", lambda value: float(value) >= kept + 20)


def test_interval_0_switches_it_off(fresh_broker, connect):
    client = connect(5, port=fresh_broker("--sys-interval", "0").port)
    client.subscribe("$SYS/#")
    client.expect_nothing()
