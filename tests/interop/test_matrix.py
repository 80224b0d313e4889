# SPDX-License-Identifier: MIT
"""Every client, at every version it speaks: messages of each QoS in both directions, retained
messages, wills, sessions that wait, and a payload that no buffer was made for."""
import pytest

from interop_clients import (CLIENTS, PAIRS, QUALITIES, REFERENCE, Message, Will, as_shown, new_id,
                             only, without_marker)

TEXT = "Blåbær: ½ \"kg\" 'til' {json} €".encode()
BINARY = bytes(range(256)) + b"\xff\xfe\n\r\n\0" + TEXT
LARGE_BYTES = 300_000


def payload_for(client):
    return BINARY if client.is_binary else TEXT


each_client = pytest.mark.parametrize("client, version", PAIRS)


@pytest.mark.parametrize("qos", QUALITIES)
@each_client
def test_messages(client, version, qos, port, topic, subscribed):
    """To itself, to another client and from another client: the same bytes, once, the lower QoS."""
    it = CLIENTS[client]
    own = subscribed(it, version, f"{topic}/#", qos)
    other = subscribed(REFERENCE, "5", f"{topic}/#", 2)
    it.publish(port, version, f"{topic}/from", payload_for(it), qos)
    own.until(f"{topic}/from")
    other.until(f"{topic}/from")
    REFERENCE.publish(port, "5", f"{topic}/to", payload_for(it), 2)
    REFERENCE.publish(port, "5", f"{topic}/end", b"end", 2)
    own.until(f"{topic}/end")
    other.until(f"{topic}/end")
    come = Message(f"{topic}/from", payload_for(it), qos, False)
    gone = [Message(f"{topic}/to", payload_for(it), qos, False),
            Message(f"{topic}/end", b"end", qos, False)]
    assert without_marker(own) == as_shown(it, come, *gone)
    assert without_marker(other)[0] == come
    assert len(without_marker(other)) == 3


@each_client
def test_retained(client, version, port, topic, subscribed):
    """Seen with RETAIN by a later subscriber, without it by an earlier one; an empty payload
    removes it."""
    it = CLIENTS[client]
    state = Message(f"{topic}/state", payload_for(it), 1, True)
    live = subscribed(REFERENCE, "5", f"{topic}/#", 2)
    it.publish(port, version, state.topic, state.payload, 1, True)
    live.until(state.topic)
    assert without_marker(live) == [Message(state.topic, state.payload, 1, False)]
    later = subscribed(it, version, f"{topic}/#", 2)
    later.until(state.topic)
    assert without_marker(later) == as_shown(it, state)
    it.publish(port, version, state.topic, b"", 1, True)
    REFERENCE.publish(port, "5", f"{topic}/end", b"end", 1, True)
    live.until(f"{topic}/end")
    assert without_marker(live)[1] == Message(state.topic, b"", 1, False)
    last = subscribed(REFERENCE, version, f"{topic}/#", 2)
    last.until(f"{topic}/end")
    assert without_marker(last) == [Message(f"{topic}/end", b"end", 1, True)]


@each_client
def test_will(client, version, port, topic, subscribed):
    """kill -9 brings the will, as live message and, when it says so, as retained one."""
    it = CLIENTS[client]
    will = Will(f"{topic}/will", "gått bort", 2, it.can_retain_will)
    watcher = subscribed(REFERENCE, "5", f"{topic}/#", 2)
    subscribed(it, version, f"{topic}/other/#", 1, will=will).kill()
    watcher.until(will.topic)
    assert only(watcher, will.topic) == [Message(will.topic, will.payload.encode(), 2, False)]
    REFERENCE.publish(port, "3.1.1", f"{topic}/end", b"end", 1, True)
    later = subscribed(REFERENCE, "3.1.1", f"{topic}/#", 1)
    later.until(f"{topic}/end")
    retained = [Message(will.topic, will.payload.encode(), 1, True)] if will.retain else []
    assert only(later, will.topic) == retained


@pytest.mark.parametrize("client, version",
                         [pair for pair in PAIRS if CLIENTS[pair[0]].says_goodbye])
def test_polite_end(client, version, port, topic, subscribed):
    """DISCONNECT takes the will away, unless it asks for it [MQTT-3.14.4-3]."""
    it = CLIENTS[client]
    will = Will(f"{topic}/will", "nei", 1, False)
    watcher = subscribed(REFERENCE, "5", f"{topic}/#", 2)
    subscribed(it, version, f"{topic}/other/#", 1, will=will).stop()
    if version in it.will_at_end:
        watcher.until(will.topic)
    REFERENCE.publish(port, "5", f"{topic}/end", b"end", 1)
    watcher.until(f"{topic}/end")
    wanted = [Message(will.topic, b"nei", 1, False)] if version in it.will_at_end else []
    assert only(watcher, will.topic) == wanted


@pytest.mark.parametrize("client, version",
                         [pair for pair in PAIRS if CLIENTS[pair[0]].can_persist])
def test_persistent_session(client, version, port, topic, subscribed):
    """What came while the client was away is there when it returns: all of it, once. A client
    shows QoS 2 a step later than QoS 1, so the order holds within each [MQTT-4.6.0-6]."""
    it = CLIENTS[client]
    session = new_id()
    subscribed(it, version, f"{topic}/#", 2, session=session).stop()
    waiting = [Message(f"{topic}/{number}", b"%d. mens du var borte" % number, number % 2 + 1,
                       False) for number in range(6)]
    for message in waiting:
        REFERENCE.publish(port, "3.1.1", message.topic, message.payload, message.qos)
    back = subscribed(it, version, f"{topic}/#", 2, session=session)
    back.until(*(message.topic for message in waiting))
    REFERENCE.publish(port, "5", f"{topic}/end", b"end", 2)
    back.until(f"{topic}/end")
    received = without_marker(back)
    assert len(received) == len(waiting) + 1
    assert received[-1].topic == f"{topic}/end"
    for start in (0, 1):
        one_quality = as_shown(it, *waiting[start::2])
        assert [message for message in received if message in one_quality] == one_quality


@each_client
def test_large_payload(client, version, port, topic, subscribed):
    it = CLIENTS[client]
    payload = (payload_for(it) * (LARGE_BYTES // len(payload_for(it)) + 1))[:LARGE_BYTES]
    payload = payload if it.is_binary else payload.decode("utf-8", "ignore").encode()
    own = subscribed(it, version, f"{topic}/#", 2)
    other = subscribed(REFERENCE, "3.1.1", f"{topic}/#", 1)
    it.publish(port, version, f"{topic}/large", payload, 2)
    for subscription in (own, other):
        subscription.until(f"{topic}/large")
        (message,) = without_marker(subscription)
        assert message.payload == payload
