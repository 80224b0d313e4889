# SPDX-License-Identifier: MIT
"""What passes below the messages: pings that are answered, topic aliases in both directions."""
import pytest

from interop_clients import (CLIENTS, REFERENCE, Message, Subscription, driver_messages, new_id,
                             without_marker)
from interop_process import Child, run

TIMES = 5


@pytest.mark.parametrize("version", CLIENTS["paho-c"].versions)
@pytest.mark.needs("paho-c")
def test_pings_are_answered(version, port, topic, subscribed):
    """A silent client with a keep-alive of one second stays, and is still served."""
    quiet = subscribed(CLIENTS["paho-c"], version, f"{topic}/#", 1, keep_alive=1)
    quiet.child.wait_for(lambda output: output.count(b"<- PINGRESP") >= 3, "three PINGRESP")
    REFERENCE.publish(port, version, f"{topic}/late", b"late", 1)
    quiet.until(f"{topic}/late")
    assert without_marker(quiet) == [Message(f"{topic}/late", b"late", 1, False)]


def mqtt_js(port, verb, *words):
    return [*CLIENTS["mqtt.js"].command, verb, f"port={port}", "version=5", f"id={new_id()}",
            "aliases=16", *words]


@pytest.mark.needs("mqtt.js")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_topic_aliases(qos, port, topic):
    """MQTT.js uses aliases when it may, and takes them: every message arrives under its name. At
    QoS 2 it would forget the name of a message that came by alias, so it must get none there."""
    REFERENCE.publish(port, "5", f"{topic}/ready", b"ready", 1, True)
    receiver = Subscription(Child(mqtt_js(port, "subscribe", f"filter={topic}/#", f"qos={qos}")),
                            driver_messages)
    receiver.until(f"{topic}/ready")
    for name in ("a", "b"):
        run(mqtt_js(port, "publish", f"topic={topic}/{name}", f"qos={qos}", "retain=0",
                    f"times={TIMES}"), name.encode())
    receiver.until_payloads(*[b"a"] * TIMES, *[b"b"] * TIMES)
    receiver.stop()
    assert sorted(without_marker(receiver), key=lambda message: message.topic) == [
        Message(f"{topic}/{name}", name.encode(), qos, False) for name in "ab"
        for _ in range(TIMES)]
