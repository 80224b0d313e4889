# SPDX-License-Identifier: MIT
"""What the conformance tests of all chapters share: refusals, witnesses, what a second does."""
import mqtt
from client import Client, eventually
from mqtt import Reason, Will

MALFORMED_OR_PROTOCOL_ERROR = {Reason.MALFORMED_PACKET, Reason.PROTOCOL_ERROR}
DAY = 86400


def listener_on(connect, *filters, version=5, qos=2):
    """A client that only listens."""
    listener = connect(version)
    listener.subscribe(*filters, qos=qos)
    return listener


def expect_violation(client, reason=None):
    """The broker ends the connection: version 5 hears why, 3.1.1 has no word for it."""
    client.expect_closed(MALFORMED_OR_PROTOCOL_ERROR if reason is None else reason)


def answer_to_connect(port, version, data):
    """What a broker says to the bytes of a CONNECT that it must not accept: all of it, to the end
    of the connection, which must be the broker's own."""
    with Client(port, version, connect=False) as client:
        client.send_raw(data)
        return client.read_to_end()


def expect_malformed_connect(port, version, data, reasons=None):
    """3.1.1: the close and nothing else. 5.0: the close, and CONNACK with an error if anything."""
    answer = answer_to_connect(port, version, data)
    if version < 5:
        assert answer == b"", f"an answer to {data!r}: {answer!r}"
    elif answer:
        connack = mqtt.decode(answer, 5)
        assert connack.type == mqtt.Type.CONNACK and not connack.session_present
        assert connack.reason in (reasons or MALFORMED_OR_PROTOCOL_ERROR), (data, connack)


def wait_out_a_second(connect, topic):
    """Returns when more than a second has passed in the broker: a retained message on `topic`,
    which nobody else may use, has lived its second there."""
    client = connect(5)
    client.publish(topic, "clock", qos=1, retain=True, properties={"message_expiry_interval": 1})

    def is_gone():
        client.subscribe(topic)
        client.ping()
        count = len(client.inbox)
        client.inbox.clear()
        return count == 0
    eventually(is_gone, "a message that expires after a second")
    client.disconnect()


def session(connect, name, seconds=DAY, version=5, **fields):
    """A client whose session outlives the connection; in 5.0 by so many seconds."""
    properties = fields.pop("properties", {})
    if version == 5:
        properties = properties | {"session_expiry_interval": seconds}
    return connect(version, name, clean=False, properties=properties, **fields)


def leave_session(connect, name, *filters, version=5, qos=2):
    """Leaves a stored session behind that has these subscriptions."""
    client = session(connect, name, version=version)
    client.subscribe(*filters, qos=qos)
    client.disconnect()


def will_after(topic, seconds, payload=b"x"):
    return Will(topic, payload, properties={"will_delay_interval": seconds})
