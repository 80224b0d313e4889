# SPDX-License-Identifier: MIT
"""Everybody to everybody: all clients at all versions subscribe at once, then all of them publish.

Some 22 publishers by 22 subscribers for each QoS: every pair of implementations and versions meets.
"""
from concurrent.futures import ThreadPoolExecutor

import pytest

from interop_clients import CLIENTS, PAIRS, QUALITIES, Message, as_shown, without_marker

TOGETHER = 3


def missing_or_wrong(name, version, subscription, expected):
    """Complaints about what one subscriber received; each message once, the order between
    publishers being open."""
    wanted = as_shown(CLIENTS[name], *expected)
    received = without_marker(subscription)
    return [f"{name} {version} did not receive {message}" for message in wanted
            if message not in received] + \
        [f"{name} {version} received {message}, {received.count(message)} times"
         for message in set(received) if message not in wanted or received.count(message) > 1]


@pytest.mark.needs(*CLIENTS)
@pytest.mark.parametrize("qos", QUALITIES)
def test_everybody_to_everybody(qos, port, topic, subscribed):
    with ThreadPoolExecutor(TOGETHER) as pool:
        made = list(pool.map(lambda pair: subscribed(CLIENTS[pair[0]], pair[1], f"{topic}/#", qos),
                             PAIRS))
        messages = [Message(f"{topic}/{name}/{version}", f"{name} {version} æøå".encode(), qos,
                            False) for name, version in PAIRS]
        list(pool.map(lambda job: CLIENTS[job[0][0]].publish(
            port, job[0][1], job[1].topic, job[1].payload, qos), zip(PAIRS, messages)))
    for subscription in made:
        subscription.until(*(message.topic for message in messages))
    complaints = []
    for (name, version), subscription in zip(PAIRS, made):
        complaints += missing_or_wrong(name, version, subscription, messages)
    assert not complaints, "\n".join(complaints)
