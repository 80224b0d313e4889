# SPDX-License-Identifier: MIT
"""Options about which messages reach whom, and with which QoS."""
import pytest

from client import durable

OPEN = "listener 0 127.0.0.1\nallow_anonymous true\n"


@pytest.mark.parametrize("is_kept", [False, True])
def test_qos_0_for_a_client_that_is_away(start_with, connect, prefix, version, is_kept):
    broker = start_with(f"queue_qos0_messages {str(is_kept).lower()}\n" + OPEN)
    reader = connect(version, "reader", port=broker.port, **durable(version))
    reader.subscribe(prefix, qos=1)
    reader.disconnect()
    reader.expect_closed()
    writer = connect(port=broker.port)
    writer.publish(prefix, b"zero", qos=0)
    writer.publish(prefix, b"one", qos=1)
    reader = connect(version, "reader", port=broker.port, **durable(version))
    payloads = [reader.receive(prefix).payload for _ in range(2 if is_kept else 1)]
    assert payloads == ([b"zero", b"one"] if is_kept else [b"one"])


def test_as_much_qos_0_is_kept_as_may_be_queued(start_with, connect, prefix):
    broker = start_with("queue_qos0_messages true\nmax_queued_messages 3\n" + OPEN)
    reader = connect(5, "reader", port=broker.port, **durable(5))
    reader.subscribe(prefix, qos=0)
    reader.disconnect()
    reader.expect_closed()
    writer = connect(port=broker.port)
    for number in range(5):
        writer.publish(prefix, f"{number}")
    writer.ping()
    reader = connect(5, "reader", port=broker.port, **durable(5))
    assert [reader.receive(prefix).payload for _ in range(3)] == [b"0", b"1", b"2"]
    writer.publish(prefix, b"live")
    assert reader.receive(prefix).payload == b"live"


def test_qos_is_upgraded(start_with, connect, prefix):
    broker = start_with("upgrade_outgoing_qos true\n" + OPEN)
    reader, writer = connect(port=broker.port), connect(port=broker.port)
    writer.publish(prefix, b"retained", qos=0, retain=True)
    writer.ping()
    reader.subscribe((prefix, 2))
    assert reader.receive(prefix).qos == 2
    writer.publish(prefix, b"x", qos=0)
    assert reader.receive(prefix).qos == 2


def test_an_upgraded_message_survives_a_crash(start_with, connect, prefix):
    text = ("upgrade_outgoing_qos true\npersistence true\npersistence_location {directory}/store\n"
            + OPEN)
    broker = start_with(text, expect_exit=None)
    reader = connect(5, "reader", port=broker.port, **durable(5))
    reader.subscribe((prefix, 1))
    reader.disconnect()
    reader.expect_closed()
    writer = connect(port=broker.port)
    writer.publish(prefix, b"zero", qos=0)
    writer.publish(prefix, b"one", qos=1)       # acknowledged: what came before it is there, too
    broker.kill()
    broker.start()
    reader = connect(5, "reader", port=broker.port, **durable(5))
    received = [reader.receive(prefix) for _ in range(2)]
    assert [(one.payload, one.qos) for one in received] == [(b"zero", 1), (b"one", 1)]


@pytest.mark.parametrize("allows", [True, False])
def test_overlapping_subscriptions(start_with, connect, prefix, allows):
    broker = start_with(f"allow_duplicate_messages {str(allows).lower()}\n" + OPEN)
    reader, writer = connect(port=broker.port), connect(port=broker.port)
    reader.subscribe((f"{prefix}/#", 1), properties={"subscription_identifier": [1]})
    reader.subscribe((f"{prefix}/+", 2), properties={"subscription_identifier": [2]})
    for qos in range(3):
        writer.publish(f"{prefix}/a", f"{qos}", qos=qos)
        copies = [reader.receive(f"{prefix}/a", f"{qos}".encode())
                  for _ in range(2 if allows else 1)]
        identifiers = [one.properties["subscription_identifier"] for one in copies]
        assert sorted(sum(identifiers, [])) == [1, 2] and len(identifiers) == len(copies)
    reader.expect_nothing()
