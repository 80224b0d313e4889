# SPDX-License-Identifier: MIT
"""What slow readers and absent sessions cost: bounded memory, and every drop counted.

RSS is judged for release builds only; what is delivered is judged always.
"""
import os
import threading

import pytest

import mqtt
from client import Client, durable, eventually, settle
from mqtt import Publish

MEGABYTE = 1 << 20
IS_RELEASE = bool(os.environ.get("BUD_RELEASE"))


def sys_value(client, topic):
    """A number of $SYS as it is now."""
    client.subscribe(f"$SYS/broker/{topic}")
    value = float(client.receive(f"$SYS/broker/{topic}").payload)
    client.unsubscribe(f"$SYS/broker/{topic}")
    client.ping()
    client.inbox.clear()
    return value


def publish_fast(publisher, topic, count, payload, **fields):
    """Many QoS 0 messages to <topic>/<number>, pushed as fast as the socket takes them."""
    for start in range(0, count, 1000):
        publisher.send_raw(b"".join(
            mqtt.encode(Publish(f"{topic}/{number}", payload, **fields), publisher.version)
            for number in range(start, min(start + 1000, count))))
    publisher.ping()


# ---------------------------------------------------------------------------------------- retained

def test_retained_replay_to_slow_readers(fresh_broker, connect, prefix):
    """A cursor with back-pressure: nothing is lost, and nothing is copied into a queue."""
    # Expected difference: mosquitto copies all of it into each reader's queue, and drops.
    count = 100_000 if IS_RELEASE else 10_000
    broker = fresh_broker("--max-retained-messages", "200000")
    publisher = connect(5, port=broker.port)
    publish_fast(publisher, prefix, count, b"x" * 300, retain=True)
    before = broker.rss()
    readers = [connect(version, port=broker.port, receive_buffer=4096) for version in (4, 5)]
    for reader in readers:
        reader.send(mqtt.Subscribe(1, [mqtt.Subscription(f"{prefix}/#")]))
    for _ in range(50):
        publisher.ping()                             # it lives while the readers do not read
    grown = broker.rss() - before
    for reader in readers:
        reader.expect(mqtt.Suback)
        got = {reader.expect(Publish, retain=True).topic for _ in range(count)}
        assert len(got) == count
        reader.expect_nothing()
    assert not IS_RELEASE or grown < 8 * MEGABYTE, "a queue of copies would be 35 MB each"


def test_retained_replay_at_qos_1_keeps_to_the_window(fresh_broker, connect, prefix):
    port = fresh_broker().port
    publisher = connect(5, port=port)
    publish_fast(publisher, prefix, 3000, b"x", retain=True)
    for number in range(50):
        publisher.publish(f"{prefix}/one/{number}", "x", qos=1, retain=True)
    reader = connect(5, port=port, properties={"receive_maximum": 5})
    reader.subscribe(f"{prefix}/#", qos=1)
    got = {reader.receive(retain=True).topic for _ in range(3050)}
    assert len(got) == 3050
    reader.expect_nothing()


def test_live_messages_during_a_replay(fresh_broker, connect, prefix):
    """A reader that is still behind with retained messages gets the live ones too."""
    port = fresh_broker().port
    publisher = connect(5, port=port)
    publish_fast(publisher, prefix, 5000, b"x" * 100, retain=True)
    reader = connect(5, port=port, receive_buffer=4096)
    reader.send(mqtt.Subscribe(1, [mqtt.Subscription(f"{prefix}/#", 1)]))
    reader.wait_for(mqtt.Suback)
    publisher.publish(f"{prefix}/live", "x", qos=1)
    topics = [reader.receive().topic for _ in range(5001)]
    assert len(set(topics)) == 5001 and f"{prefix}/live" in topics


# ------------------------------------------------------------------------------------------ queues

def test_a_queue_ends_where_it_is_told_and_says_so(fresh_broker, connect, new_id, prefix):
    broker = fresh_broker("--max-queued-messages", "10", "--sys-interval", "1")
    publisher, name = connect(5, port=broker.port), new_id()
    with connect(5, name, port=broker.port, **durable(5)) as away:
        away.subscribe(prefix, qos=1)
        away.disconnect()
    for number in range(25):
        publisher.publish(prefix, b"%d" % number, qos=1)
    back = connect(5, name, port=broker.port, **durable(5))
    got = [int(packet.payload) for packet in back.receive_all(after=publisher)]
    assert len(got) == 10 and got == sorted(got)
    eventually(lambda: sys_value(publisher, "publish/messages/dropped") == 15, "15 are counted")


def test_a_queue_counts_bytes(fresh_broker, connect, new_id, prefix):
    broker = fresh_broker("--max-queued-bytes", "100000")
    publisher, name = connect(5, port=broker.port), new_id()
    with connect(5, name, port=broker.port, **durable(5)) as away:
        away.subscribe(prefix, qos=1)
        away.disconnect()
    for _ in range(30):
        publisher.publish(prefix, b"x" * 10_000, qos=1)
    back = connect(5, name, port=broker.port, **durable(5))
    assert 5 <= len(back.receive_all(after=publisher)) <= 10


def test_the_default_queue_is_generous(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    with connect(version, name, **durable(version)) as away:
        away.subscribe(prefix, qos=1)
        away.disconnect()
    for number in range(2000):
        publisher.send(Publish(prefix, b"%d" % number, 1, packet_id=number + 1))
        publisher.expect(mqtt.Puback)
    back = connect(version, name, **durable(version))
    for number in range(2000):
        back.receive(prefix, b"%d" % number)


def test_a_reader_that_stands_still_harms_nobody(fresh_broker, connect, prefix):
    """QoS 0 for it is dropped and counted, memory stays bounded, the others lose nothing."""
    broker = fresh_broker("--max-output-bytes", "256k", "--sys-interval", "1")
    publisher = connect(5, port=broker.port)
    still = connect(5, port=broker.port, receive_buffer=4096)
    healthy = connect(4, port=broker.port)
    for client in (still, healthy):
        client.subscribe(f"{prefix}/#")
    before = broker.rss()
    for number in range(300):                        # 30 MB
        publisher.publish(f"{prefix}/{number}", bytes(100_000))
        healthy.receive(f"{prefix}/{number}")
    grown = broker.rss() - before
    assert not IS_RELEASE or grown < 8 * MEGABYTE
    eventually(lambda: sys_value(publisher, "publish/messages/dropped") > 0, "drops are counted")
    numbers = [int(p.topic.split("/")[1]) for p in still.receive_all(after=publisher)]
    assert numbers == sorted(numbers) and 0 < len(numbers) < 300
    publisher.publish(f"{prefix}/300", "x")
    still.receive(f"{prefix}/300")


def test_qos_1_for_a_reader_that_stands_still_waits(fresh_broker, connect, prefix):
    broker = fresh_broker("--max-output-bytes", "64k")
    publisher = connect(5, port=broker.port)
    still = connect(5, port=broker.port, receive_buffer=4096)
    still.subscribe(prefix, qos=1)
    for number in range(200):
        publisher.publish(prefix, b"%d " % number + bytes(20_000), qos=1)
    for number in range(200):
        assert still.receive(prefix).payload.startswith(b"%d " % number)


# -------------------------------------------------------------------------------------------- size

def swallow(client, size, failures):
    """Reads `size` bytes and keeps none."""
    buffer = bytearray(1 << 20)
    client.socket.settimeout(60)
    size -= len(client.buffer)
    while size > 0:
        count = client.socket.recv_into(buffer, min(size, len(buffer)))
        if count == 0:
            failures.append(f"{size} bytes missing")
            return
        size -= count


@pytest.mark.slow
@pytest.mark.memory
def test_200_megabytes_to_ten_subscribers_cost_one_copy(fresh_broker, connect, prefix):
    size = 200 * MEGABYTE
    broker = fresh_broker()
    publisher = connect(4, port=broker.port)
    subscribers = [connect(4, port=broker.port) for _ in range(10)]
    for subscriber in subscribers:
        subscriber.subscribe(prefix)
    settle(publisher, *subscribers)
    header = b"\x30" + mqtt.varint(2 + len(prefix) + size) + mqtt.binary(prefix)
    broker.reset_peak()
    before, failures = broker.rss(), []
    threads = [threading.Thread(target=swallow, args=(one, len(header) + size, failures))
               for one in subscribers]
    for thread in threads:
        thread.start()
    publisher.socket.settimeout(60)
    publisher.send_raw(header)
    for _ in range(200):
        publisher.send_raw(bytes(MEGABYTE))
    for thread in threads:
        thread.join()
    assert not failures
    for subscriber in subscribers:
        subscriber.ping()
    assert broker.rss("VmHWM") - before < 2 * size


def test_a_message_of_a_megabyte_to_many(connect, prefix, version):
    publisher, subscribers = connect(version), [connect(version) for _ in range(5)]
    payload = os.urandom(MEGABYTE)
    for subscriber in subscribers:
        subscriber.subscribe(prefix, qos=1)
    publisher.publish(prefix, payload, qos=1)
    for subscriber in subscribers:
        subscriber.receive(prefix, payload, qos=1)


def test_many_subscriptions_on_one_topic(connect, prefix):
    publisher, subscribers = connect(5), [connect(4) for _ in range(200)]
    for subscriber in subscribers:
        subscriber.subscribe(prefix)
    publisher.publish(prefix, "x")
    for subscriber in subscribers:
        subscriber.receive(prefix, "x")


def test_subscriptions_of_one_session_are_limited(fresh_broker, connect, prefix, version):
    port = fresh_broker("--max-subscriptions", "10").port
    client = connect(version, port=port)
    client.subscribe(*(f"{prefix}/{number}" for number in range(10)))
    refused = client.try_subscribe(f"{prefix}/10").reasons
    assert refused == [mqtt.Reason.QUOTA_EXCEEDED if version == 5 else 0x80]
    client.subscribe(f"{prefix}/3", qos=1)           # not one more
    client.unsubscribe(f"{prefix}/0")
    client.subscribe(f"{prefix}/10")


def test_connections_are_limited(fresh_broker, connect, version):
    port = fresh_broker("--max-connections", "3").port
    clients = [connect(version, port=port) for _ in range(3)]
    extra = Client(port, version, "extra", connect=False)
    extra.send_connect()
    if not extra.read_to_end().startswith(b"\x20"):
        assert version < 5, "version 5 is told why"
    clients[0].disconnect()

    def is_let_in():
        with Client(port, version, "next", connect=False) as client:
            client.send_connect()
            client.end_stream()
            return client.read_to_end()[3:4] == b"\0"
    eventually(is_let_in, "there is room again")
