# SPDX-License-Identifier: MIT
"""With per_listener_settings each listener has its own ACL file; and what somebody left behind is
asked about by the rules of the listener that he came by, also after a restart."""
import os
import signal

import pytest

from client import durable
from server import free_port

TEXT = """per_listener_settings true
listener {0} 127.0.0.1
allow_anonymous true
acl_file {{directory}}/inner
listener {1} 127.0.0.1
allow_anonymous true
acl_file {{directory}}/outer
persistence true
persistence_location {{directory}}/data
"""


@pytest.fixture
def house(start_with, tmp_path):
    """A broker, its inner port and its outer port; `write` writes both files."""
    ports = free_port(), free_port()
    directory = tmp_path / "broker0"
    directory.mkdir()

    def write(inner, outer):
        (directory / "inner").write_text(inner)
        (directory / "outer").write_text(outer)
    write("topic #\n", "topic read open/#\ntopic write box\n")
    broker = start_with(TEXT.format(*ports))
    broker.write_rules = write
    return broker, *ports


def test_each_has_its_own(house, connect):
    _, inner, outer = house
    one, other = connect(5, port=inner), connect(5, port=outer)
    assert other.try_subscribe("open/a", "shut/a").reasons == [0, 0x87]
    assert other.publish("open/a", "m", qos=1).reason == 0x87
    one.publish("open/a", "m", qos=1)
    other.receive("open/a", "m")


def test_the_same_client_by_another_door(house, connect, version):
    """What waited for it is sent by the rules of the listener that it comes by."""
    _, inner, outer = house
    client = connect(version, "tv", port=inner, **durable(version))
    client.subscribe("open/#", "shut/#", qos=1)
    client.disconnect()
    helper = connect(5, port=inner)
    for topic in ("shut/a", "open/a"):
        helper.publish(topic, "m", qos=1)
    client = connect(version, "tv", port=outer, **durable(version))
    client.receive("open/a", "m")
    helper.publish("shut/a", "m", qos=1)
    helper.publish("open/a", "later", qos=1)
    client.receive("open/a", "later")


def test_retained_by_one_listener_is_asked_about_by_its_rules(house, connect):
    broker, inner, outer = house
    connect(5, "o", port=outer).publish("box", "m", qos=1, retain=True)
    connect(5, "i", port=inner).publish("box/inner", "m", qos=1, retain=True)
    reader = connect(5, port=inner)
    reader.subscribe("box/#")
    assert {packet.topic for packet in reader.receive_all(reader)} == {"box", "box/inner"}
    broker.write_rules("topic #\n", "topic read open/#\n")
    position = broker.log_position()
    os.kill(broker.pid, signal.SIGHUP)
    broker.wait_for_log("configuration read again", start=position)
    reader = connect(5, port=inner)
    reader.subscribe("box/#")
    assert {packet.topic for packet in reader.receive_all(reader)} == {"box/inner"}
    broker.stop()
    broker.lines.clear()
    broker.start()
    reader = connect(5, port=inner)
    reader.subscribe("box/#")
    assert {packet.topic for packet in reader.receive_all(reader)} == {"box/inner"}
