# SPDX-License-Identifier: MIT
"""Two devices with one client identifier throw each other out for ever. After five times in ten
seconds whoever has it keeps it, newcomers are refused, and the log says what it is."""
import re

import pytest

from client import Client
from mqtt import Connack, Publish, Reason


def take_over(connect, broker, version, times, name="twin"):
    held = connect(version, name, port=broker.port)
    for _ in range(times):
        newer = connect(version, name, port=broker.port)
        held.expect_closed(Reason.SESSION_TAKEN_OVER)
        held = newer
    return held


@pytest.mark.parametrize("version", (3, 4, 5))
@pytest.mark.parametrize("workers", (1, 4))
def test_the_newcomer_is_held_off(fresh_broker, connect, version, workers):
    broker = fresh_broker(workers=workers)
    held = take_over(connect, broker, version, 5)
    refusal = Reason.QUOTA_EXCEEDED if version == 5 else 3
    for _ in range(3):
        newcomer = Client(broker.port, version, "twin", connect=False)
        newcomer.send_connect()
        newcomer.expect_refused(refusal)
    held.ping()   # and the one that works goes on working
    broker.wait_for_log("two devices use the same client identifier")
    lines = re.findall(r".*two devices use the same client identifier.*", broker.log())
    assert len(lines) == 1 and "client=twin" in lines[0]
    addresses = re.findall(r"address=(127\.0\.0\.1:\d+)", lines[0])
    assert len(set(addresses)) == 2, lines[0]


def test_who_left_may_come_back_at_once(fresh_broker, connect):
    broker = fresh_broker()
    held = take_over(connect, broker, 5, 5)
    newcomer = Client(broker.port, 5, "twin", connect=False)
    newcomer.send_connect()
    newcomer.expect_refused(Reason.QUOTA_EXCEEDED)
    held.disconnect()
    connect(5, "twin", port=broker.port).ping()


def test_another_identifier_is_another_matter(fresh_broker, connect):
    broker = fresh_broker()
    take_over(connect, broker, 5, 5)
    take_over(connect, broker, 5, 5, name="other").ping()


def test_the_hold_ends(fresh_broker, connect):
    broker = fresh_broker("--takeover-window", "1", "--takeover-hold", "1")
    held = take_over(connect, broker, 5, 5)
    while True:   # bounded by the test's own limit
        newcomer = Client(broker.port, 5, "twin", connect=False)
        newcomer.send_connect()
        if newcomer.expect(Connack).reason == 0:
            break
    held.expect_closed(Reason.SESSION_TAKEN_OVER)
    newcomer.abort()


def test_it_is_counted_and_can_be_turned_off(fresh_broker, connect):
    broker = fresh_broker("--max-takeovers", "0", "--sys-interval", "1")
    take_over(connect, broker, 5, 20).ping()
    counting = fresh_broker("--max-takeovers", "1", "--sys-interval", "1")
    take_over(connect, counting, 5, 1)
    newcomer = Client(counting.port, 5, "twin", connect=False)
    newcomer.send_connect()
    newcomer.expect_refused(Reason.QUOTA_EXCEEDED)
    watcher = connect(5, port=counting.port)
    watcher.subscribe("$SYS/broker/refused/fights for a client id")
    while int(watcher.expect(Publish).payload) != 1:
        pass
