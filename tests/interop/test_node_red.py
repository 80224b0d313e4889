# SPDX-License-Identifier: MIT
"""Node-RED's broker node tells the world of itself: birth, close and will, at each version."""
import pytest

from interop_clients import REFERENCE, Message, NodeRed, only

pytestmark = pytest.mark.needs("node-red")


def presence(topic):
    fields = {}
    for event, payload in (("birth", "online"), ("close", "stopped"), ("will", "lost")):
        fields |= {f"{event}Topic": f"{topic}/node-red", f"{event}Payload": payload,
                   f"{event}Qos": "1", f"{event}Retain": "true"}
    return fields


@pytest.mark.parametrize("version", NodeRed.versions)
def test_birth_close_and_will(version, port, topic, subscribed):
    watcher = subscribed(REFERENCE, "5", f"{topic}/#", 2)
    first = NodeRed.start(port, version, **presence(topic))
    watcher.until_payloads(b"online")
    first.stop()
    watcher.until_payloads(b"online", b"stopped")
    second = NodeRed.start(port, version, **presence(topic))
    watcher.until_payloads(b"online", b"online")
    second.kill()
    watcher.until_payloads(b"lost")
    assert only(watcher, f"{topic}/node-red") == [
        Message(f"{topic}/node-red", payload, 1, False)
        for payload in (b"online", b"stopped", b"online", b"lost")]
    later = subscribed(REFERENCE, "3.1.1", f"{topic}/#", 1)
    later.until(f"{topic}/node-red")
    assert only(later, f"{topic}/node-red") == [Message(f"{topic}/node-red", b"lost", 1, True)]
