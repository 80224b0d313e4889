# SPDX-License-Identifier: MIT
"""The house of the founding text: two rooms with a sensor each, and those who listen to them.

Every test runs with publishers and subscribers of every pair of protocol versions.
"""
import pytest

from client import durable
from mqtt import Will

READINGS = {
    "soverom/temperatur": "23.4",
    "soverom/luftfuktighet": "48",
    "stue/temperatur": "21.0",
    "stue/luftfuktighet": "51",
}


@pytest.fixture
def house(prefix):
    """The house's own first levels; tests that share a broker have a house each."""
    return f"{prefix}/hus"


def sensor(connect, version, house, room, **fields):
    """A device that says it is here, and whose will says that it is gone."""
    online = f"{house}/{room}/online"
    device = connect(version, keep_alive=600, will=Will(online, b"false", 1, True), **fields)
    device.publish(online, "true", qos=1, retain=True)
    return device


def publish_readings(publisher, house, **fields):
    for name, value in READINGS.items():
        publisher.publish(f"{house}/{name}", value, **fields)


@pytest.mark.parametrize("filter_, wanted", [
    ("soverom/temperatur", {"soverom/temperatur"}),
    ("soverom/#", {"soverom/temperatur", "soverom/luftfuktighet"}),
    ("#", set(READINGS)),
    ("+/temperatur", {"soverom/temperatur", "stue/temperatur"}),
    ("soverom/+", {"soverom/temperatur", "soverom/luftfuktighet"}),
    ("kjøkken/#", set()),
    ("soverom", set()),
])
def test_each_listener_gets_what_it_asked_for(connect, house, versions, filter_, wanted):
    publisher, listener = connect(versions[0]), connect(versions[1])
    listener.subscribe(f"{house}/{filter_}")
    publish_readings(publisher, house)
    got = [(p.topic, p.payload.decode(), p.qos, p.retain)
           for p in listener.receive_all(after=publisher)]
    assert got == [(f"{house}/{name}", value, 0, False)
                   for name, value in READINGS.items() if name in wanted]


def test_everything_is_a_filter_too(fresh_broker, connect, versions):
    port = fresh_broker().port
    publisher, listener = connect(versions[0], port=port), connect(versions[1], port=port)
    listener.subscribe("#")
    publish_readings(publisher, "hus")
    publisher.publish("verden/vær", "sol")
    topics = [p.topic for p in listener.receive_all(after=publisher)]
    assert topics == [f"hus/{name}" for name in READINGS] + ["verden/vær"]


def test_average_temperature_of_all_rooms(connect, house, versions):
    publisher, listener = connect(versions[0]), connect(versions[1])
    publish_readings(publisher, house, qos=1, retain=True)
    listener.subscribe(f"{house}/+/temperatur")
    values = [float(p.payload) for p in listener.receive_all(after=publisher)]
    assert sum(values) / len(values) == pytest.approx((23.4 + 21.0) / 2)


def test_a_late_listener_gets_what_is_kept_and_nothing_else(connect, house, versions):
    publisher = connect(versions[0])
    publish_readings(publisher, house, qos=1, retain=True)
    publisher.publish(f"{house}/soverom/temperatur", "22.9", qos=1, retain=True)
    publisher.publish(f"{house}/soverom/dør", "åpnet", qos=1)
    listener = connect(versions[1])
    listener.subscribe(f"{house}/soverom/#", qos=1)
    got = {p.topic: (p.payload, p.retain, p.qos) for p in listener.receive_all(after=publisher)}
    assert got == {f"{house}/soverom/temperatur": (b"22.9", True, 1),
                   f"{house}/soverom/luftfuktighet": (b"48", True, 1)}


def test_a_topic_is_gone_when_nothing_is_kept_on_it(connect, house, versions):
    publisher = connect(versions[0])
    publish_readings(publisher, house, qos=1, retain=True)
    publisher.publish(f"{house}/stue/temperatur", b"", qos=1, retain=True)
    listener = connect(versions[1])
    listener.subscribe(f"{house}/stue/#")
    listener.receive(f"{house}/stue/luftfuktighet", "51", retain=True)
    listener.expect_nothing(after=publisher)


def test_the_will_of_a_killed_sensor_says_false(connect, house, versions):
    listener = connect(versions[1])
    listener.subscribe(f"{house}/+/online", qos=1)
    device = sensor(connect, versions[0], house, "soverom")
    listener.receive(f"{house}/soverom/online", "true", qos=1, retain=False)
    device.abort()
    listener.receive(f"{house}/soverom/online", "false", qos=1, retain=False)
    late = connect(versions[1])
    late.subscribe(f"{house}/soverom/online", qos=1)
    late.receive(f"{house}/soverom/online", "false", qos=1, retain=True)


def test_a_reset_fires_the_will_too(connect, house, versions):
    listener = connect(versions[1])
    listener.subscribe(f"{house}/stue/online")
    device = sensor(connect, versions[0], house, "stue")
    listener.receive(payload="true")
    device.reset()
    listener.receive(payload="false")


@pytest.mark.proves("5.0", "MQTT-3.14.4-3")
@pytest.mark.proves("3.1.1", "MQTT-3.14.4-3")
def test_a_clean_goodbye_does_not(connect, house, versions):
    listener = connect(versions[1])
    listener.subscribe(f"{house}/+/online", qos=1)
    device = sensor(connect, versions[0], house, "stue")
    listener.receive(payload="true")
    device.disconnect()
    listener.expect_nothing(after=connect(versions[0]))
    late = connect(versions[1])
    late.subscribe(f"{house}/+/online")
    late.receive(f"{house}/stue/online", "true", retain=True)


@pytest.mark.proves("5.0", "MQTT-3.1.2-5", "MQTT-4.5.0-1")
@pytest.mark.proves("3.1.1", "MQTT-3.1.2-5", "MQTT-4.5.0-1")
def test_a_persistent_listener_gets_what_it_missed(connect, new_id, house, versions):
    name, version = new_id(), versions[1]
    listener = connect(version, name, **durable(version))
    assert not listener.connack.session_present
    listener.subscribe(f"{house}/#", qos=2)
    listener.disconnect()
    publisher = connect(versions[0])
    for qos in (0, 1, 2):
        publisher.publish(f"{house}/qos/{qos}", f"{qos}", qos=qos)
    back = connect(version, name, **durable(version))
    assert back.connack.session_present == (version > 3)
    got = [(p.topic, p.qos, p.dup) for p in back.receive_all(after=publisher)]
    # Whether QoS 0 is kept is the broker's choice [MQTT5 4.5]; ours promises that it is not.
    assert got == [(f"{house}/qos/1", 1, False), (f"{house}/qos/2", 2, False)]


def test_a_clean_start_forgets_what_was_missed(connect, new_id, house, versions):
    name, version = new_id(), versions[1]
    listener = connect(version, name, **durable(version))
    listener.subscribe(f"{house}/#", qos=1)
    listener.disconnect()
    publisher = connect(versions[0])
    publisher.publish(f"{house}/stue/temperatur", "20", qos=1)
    back = connect(version, name, clean=True)
    assert not back.connack.session_present
    publisher.publish(f"{house}/stue/temperatur", "21", qos=1)
    back.expect_nothing(after=publisher)


def test_a_listener_without_session_misses_what_is_sent_while_it_is_away(
        connect, new_id, house, versions):
    name = new_id()
    listener = connect(versions[1], name)
    listener.subscribe(f"{house}/#", qos=1)
    listener.disconnect()
    publisher = connect(versions[0])
    publisher.publish(f"{house}/stue/temperatur", "20", qos=1)
    back = connect(versions[1], name)
    back.subscribe(f"{house}/#", qos=1)
    back.expect_nothing(after=publisher)


@pytest.mark.proves("5.0", "MQTT-3.8.4-8")
@pytest.mark.proves("3.1.1", "MQTT-3.8.4-6")
@pytest.mark.parametrize("published", (0, 1, 2))
@pytest.mark.parametrize("subscribed", (0, 1, 2))
def test_delivery_is_downgraded_and_never_upgraded(connect, house, versions, published,
                                                   subscribed):
    publisher, listener = connect(versions[0]), connect(versions[1])
    assert listener.subscribe(f"{house}/#", qos=subscribed) == [subscribed]
    publisher.publish(f"{house}/stue/temperatur", "21", qos=published)
    listener.receive(payload="21", qos=min(published, subscribed), dup=False)
    listener.expect_nothing(after=publisher)


def test_binary_payloads_arrive_as_they_were(connect, house, versions):
    publisher, listener = connect(versions[0]), connect(versions[1])
    listener.subscribe(house)
    for payload in (b"", b"\0", bytes(range(256)) * 300, b"\xff\xfe\xed\xa0\x80"):
        publisher.publish(house, payload)
        listener.receive(house, payload, retain=False)


@pytest.mark.proves("5.0", "MQTT-4.6.0-5")
@pytest.mark.proves("3.1.1", "MQTT-4.6.0-5")
def test_order_is_kept(connect, house, versions):
    publisher, listener = connect(versions[0]), connect(versions[1])
    listener.subscribe(f"{house}/#", qos=1)
    for number in range(200):
        publisher.publish(f"{house}/stue", b"%d" % number, qos=1)
    for number in range(200):
        listener.receive(f"{house}/stue", b"%d" % number)
