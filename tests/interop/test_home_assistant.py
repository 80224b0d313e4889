# SPDX-License-Identifier: MIT
"""What Home Assistant does with Paho Python at version 5: hundreds of filters in one SUBSCRIBE,
birth and will on its status topic, and subscribing again to get the retained states again."""
import pytest

from interop_clients import REFERENCE, Message, Will, only
from interop_paho import Peer

pytestmark = pytest.mark.needs("paho-python")
DEVICES = 300


@pytest.fixture
def home(port, topic):
    """Connected as Home Assistant is, with the will on its status topic."""
    peer = Peer(port, will=Will(f"{topic}/status", "offline", 1, True))
    yield peer
    peer.close()


def state(topic, device):
    return f"{topic}/device{device}/state"


def publish_states(port, topic):
    """Every device's retained state, by a client of their hub."""
    hub = Peer(port)
    hub.publish_all([(state(topic, device), b"state %d" % device, device % 3, True)
                     for device in range(DEVICES)])
    hub.close()


def test_hundreds_of_filters(home, port, topic):
    """One SUBSCRIBE, all granted in order; every retained state once, with RETAIN and the lower
    QoS; then the same again, as after a restart of an integration."""
    publish_states(port, topic)
    filters = [(state(topic, device), device % 2) for device in range(DEVICES)]
    for _ in range(2):
        assert home.subscribe(filters) == [device % 2 for device in range(DEVICES)]
        messages = home.take(DEVICES)
        assert len(messages) == DEVICES
        assert all(message.retain for message in messages)
        wanted = {(state(topic, device), b"state %d" % device, min(device % 3, device % 2))
                  for device in range(DEVICES)}
        assert {(message.topic, message.payload, message.qos) for message in messages} == wanted


def test_live_states(home, port, topic):
    """A subscription that overlaps with others brings one copy at least and RETAIN clear."""
    assert home.subscribe([(f"{topic}/+/state", 1), (f"{topic}/device7/#", 0)]) == [1, 0]
    publish_states(port, topic)
    home.wait(lambda: {message.topic for message in home.messages}
              == {state(topic, device) for device in range(DEVICES)}, "all states")
    assert not any(message.retain for message in home.messages)


def test_birth_and_will(home, port, topic, subscribed):
    """Devices see `online` after the connect; closing without DISCONNECT brings the will."""
    device = subscribed(REFERENCE, "3.1.1", f"{topic}/#", 1)
    home.publish(f"{topic}/status", b"online", 1, True)
    device.until(f"{topic}/status")
    assert only(device, f"{topic}/status") == [Message(f"{topic}/status", b"online", 1, False)]
    home.drop()
    device.until_payloads(b"offline")
    later = subscribed(REFERENCE, "5", f"{topic}/#", 1)
    later.until(f"{topic}/status")
    assert only(later, f"{topic}/status") == [Message(f"{topic}/status", b"offline", 1, True)]


def test_unsubscribe_ends_it(home, port, topic):
    """After UNSUBACK nothing more of that filter arrives; the others go on."""
    home.subscribe([(f"{topic}/a", 1), (f"{topic}/b", 1)])
    assert home.unsubscribe([f"{topic}/a", f"{topic}/never"]) == [0x00, 0x11]
    hub = Peer(port)
    hub.publish(f"{topic}/a", b"no", 1)
    hub.publish(f"{topic}/b", b"yes", 1)
    assert [message.topic for message in home.take(1)] == [f"{topic}/b"]
    hub.close()
