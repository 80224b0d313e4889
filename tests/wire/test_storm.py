# SPDX-License-Identifier: MIT
"""Devices that fight for twenty identifiers, while a healthy pair must lose nothing."""
import random
import threading
import time

from client import Client, Closed, durable
from mqtt import Will

IDS = 20
CONNECTS = 250                                       # of each of two threads: 50 a second
INTERVAL = 0.04


def one_life(port, name, version, prefix, numbers):
    """Connects, subscribes, publishes, hears its echo, and goes one way or another. It may be
    taken over at any moment after CONNACK, and may be told so; nothing else may happen to it."""
    fields = durable(version) if numbers.random() < 0.5 else {"clean": True}
    client = Client(port, version, name, will=Will(f"{prefix}/will", name.encode()), **fields)
    try:
        client.subscribe(f"{prefix}/{name}", qos=1)
        client.publish(f"{prefix}/{name}", "birth", qos=1)
        client.receive(f"{prefix}/{name}")
        if numbers.random() < 0.3:
            client.disconnect()
    except Closed:
        pass
    except AssertionError as error:
        assert "reason=142" in str(error) or "Publish(" in str(error), error
    return client


def storm(port, prefix, seed, failures):
    numbers, living = random.Random(seed), []
    try:
        for _ in range(CONNECTS):
            started = time.monotonic()
            name, version = f"storm-{numbers.randrange(IDS)}", numbers.choice((3, 4, 5))
            living.append(one_life(port, name, version, prefix, numbers))
            if len(living) > 15:
                living.pop(0).abort()
            time.sleep(max(0, INTERVAL - (time.monotonic() - started)))   # the storm's own pace
    except (AssertionError, OSError) as error:
        failures.append(error)
    for client in living:
        client.abort()


def test_a_storm_of_take_overs(fresh_broker, connect, prefix):
    port, failures = fresh_broker("--max-takeovers", "0").port, []
    publisher, subscriber = connect(5, port=port), connect(4, port=port)
    subscriber.subscribe(f"{prefix}/healthy", qos=2)
    threads = [threading.Thread(target=storm, args=(port, prefix, seed, failures))
               for seed in (1, 2)]
    for thread in threads:
        thread.start()
    sent = 0
    while any(thread.is_alive() for thread in threads) or sent < 100:
        publisher.publish(f"{prefix}/healthy", b"%d" % sent, qos=1 + sent % 2)
        subscriber.receive(f"{prefix}/healthy", b"%d" % sent, qos=1 + sent % 2, dup=False)
        sent += 1
        time.sleep(0.005)
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    subscriber.expect_nothing(after=publisher)
    for number in range(IDS):
        last = connect(5, f"storm-{number}", port=port, clean=True)
        last.ping()


def test_many_clients_at_once_after_a_power_cut(fresh_broker, connect, prefix):
    """Three hundred devices connect before the first of them is served."""
    port = fresh_broker().port
    devices = [connect(3 + number % 3, port=port, connect=False) for number in range(300)]
    for device in devices:
        device.send_connect(will=Will(f"{prefix}/will", b"x"))
    for device in devices:
        assert device.next().reason == 0
    watcher = connect(5, port=port)
    watcher.subscribe(f"{prefix}/will")
    for device in devices:
        device.abort()
    for _ in devices:
        watcher.receive(f"{prefix}/will")
    watcher.expect_nothing()
