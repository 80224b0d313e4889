# SPDX-License-Identifier: MIT
"""Sessions and their ends: expiry, wills and their delay, keep-alive, take-over."""
import select
import time

import pytest

from client import durable, eventually
from mqtt import Publish, Reason, Will

DAY = 86400


def session(connect, name, *, seconds, **fields):
    """A version 5 client whose session outlives the connection by so many seconds."""
    return connect(5, name, clean=False, properties={"session_expiry_interval": seconds}, **fields)


def listener_on(connect, topic, version=5):
    listener = connect(version)
    listener.subscribe(topic, qos=2)
    return listener


# ---------------------------------------------------------------------------------- session expiry

@pytest.mark.proves("5.0", "MQTT-4.1.0-2")
def test_session_expiry_0_ends_with_the_connection(connect, new_id, prefix):
    name = new_id()
    with connect(5, name, clean=False) as client:
        client.subscribe(prefix, qos=1)
        client.disconnect()
    assert not session(connect, name, seconds=DAY).connack.session_present


@pytest.mark.proves("5.0", "MQTT-4.1.0-2", "MQTT-3.1.2-23", "MQTT-3.1.2-8")
def test_a_session_expires(connect, new_id, prefix):
    """The will is the witness: it is due with the end of the session, and not a day later."""
    name, listener = new_id(), listener_on(connect, f"{prefix}/will")
    client = session(connect, name, seconds=1, will=Will(
        f"{prefix}/will", b"session over", properties={"will_delay_interval": DAY}))
    client.subscribe(prefix, qos=1)
    client.abort()
    listener.receive(payload="session over")
    assert not session(connect, name, seconds=DAY).connack.session_present


def test_disconnect_changes_the_expiry(connect, new_id, prefix):
    name = new_id()
    client = session(connect, name, seconds=DAY)
    client.subscribe(prefix, qos=1)
    client.disconnect(properties={"session_expiry_interval": 0})
    client = session(connect, name, seconds=1)
    assert not client.connack.session_present
    client.disconnect(properties={"session_expiry_interval": DAY})
    listener = listener_on(connect, f"{prefix}/later")
    other = session(connect, new_id(), seconds=1, will=Will(
        f"{prefix}/later", b"x", properties={"will_delay_interval": DAY}))
    other.abort()
    listener.receive(payload="x")                   # more than a second later
    assert session(connect, name, seconds=0).connack.session_present


def test_disconnect_cannot_revive_a_session_that_was_to_end(connect):
    client = connect(5)
    client.send_raw(b"\xe0\x07\0\5\x11\0\0\0\1")
    client.expect_closed(Reason.PROTOCOL_ERROR)


@pytest.mark.proves("5.0", "MQTT-3.1.2-4", "MQTT-3.1.2-23")
def test_clean_start_with_expiry_keeps_the_new_session(connect, new_id, prefix):
    name = new_id()
    first = connect(5, name, clean=True, properties={"session_expiry_interval": DAY})
    assert not first.connack.session_present
    first.subscribe(prefix, qos=1)
    first.disconnect()
    connect(5).publish(prefix, "missed", qos=1)
    back = session(connect, name, seconds=0)
    assert back.connack.session_present
    back.receive(prefix, "missed")


def test_a_session_is_resumed_by_another_version(connect, new_id, prefix, versions):
    """Home Assistant moves from 3.1.1 to 5 without a word: nothing may be lost on the way."""
    name = new_id()
    with connect(versions[0], name, **durable(versions[0])) as client:
        client.subscribe(prefix, qos=1)
        client.disconnect()
    connect(5).publish(prefix, "missed", qos=1)
    back = connect(versions[1], name, **durable(versions[1]))
    assert back.connack.session_present == (versions[1] > 3)
    back.receive(prefix, "missed", qos=1)


@pytest.mark.proves("5.0", "MQTT-4.6.0-6")
@pytest.mark.proves("3.1.1", "MQTT-4.6.0-6")
def test_order_is_kept_across_reconnects(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    with connect(version, name, **durable(version)) as client:
        client.subscribe(prefix, qos=1)
    for number in range(60):
        publisher.publish(prefix, b"%d" % number, qos=1)
    got = []
    while len(got) < 60:
        with connect(version, name, **durable(version)) as client:
            for _ in range(13):
                if len(got) < 60:
                    got.append(int(client.receive(prefix).payload))
            client.ping()
    assert got == list(range(60))


# ------------------------------------------------------------------------------------------- wills

@pytest.mark.proves("5.0", "MQTT-3.1.2-8", "MQTT-3.1.2-14", "MQTT-3.1.2-15")
@pytest.mark.proves("3.1.1", "MQTT-3.1.2-8", "MQTT-3.1.2-16", "MQTT-3.1.2-17")
@pytest.mark.parametrize("qos", (0, 1, 2))
@pytest.mark.parametrize("retain", (False, True))
def test_a_will_is_a_message_like_others(connect, prefix, version, qos, retain):
    listener = listener_on(connect, prefix, version)
    device = connect(version, will=Will(prefix, b"\0gone\xff", qos, retain))
    device.abort()
    listener.receive(prefix, b"\0gone\xff", qos=qos, retain=False)
    late = connect(version)
    late.subscribe(prefix, qos=2)
    if retain:
        late.receive(prefix, b"\0gone\xff", qos=qos, retain=True)
    late.expect_nothing()


def test_an_empty_retained_will_deletes(connect, prefix, version):
    listener = listener_on(connect, prefix, version)
    device = connect(version, will=Will(prefix, b"", 1, True))
    device.publish(prefix, "kept", qos=1, retain=True)
    listener.receive(prefix, "kept")
    device.abort()
    listener.receive(prefix, b"")
    late = connect(version)
    late.subscribe(prefix)
    late.expect_nothing()


def test_bad_input_fires_the_will(connect, prefix, version):
    listener = listener_on(connect, prefix, version)
    device = connect(version, will=Will(prefix, b"gone", 1))
    device.send_raw(b"\x36\x06\0\1t\0\1x")
    device.expect_closed({Reason.MALFORMED_PACKET, Reason.PROTOCOL_ERROR})
    listener.receive(prefix, "gone", qos=1)


@pytest.mark.proves("5.0", "MQTT-3.1.2-8")
def test_a_will_waits_for_its_delay(connect, new_id, prefix):
    """Its ordering: after a will without delay that was due later."""
    listener = listener_on(connect, f"{prefix}/+")
    late = session(connect, new_id(), seconds=DAY, will=Will(
        f"{prefix}/late", b"x", properties={"will_delay_interval": 1}))
    soon = connect(5, will=Will(f"{prefix}/soon", b"x"))
    late.abort()
    soon.abort()
    listener.receive(f"{prefix}/soon")
    listener.receive(f"{prefix}/late", properties={"will_delay_interval": None})


@pytest.mark.proves("5.0", "MQTT-3.1.3-9")
def test_coming_back_in_time_cancels_the_will(connect, new_id, prefix):
    name, listener = new_id(), listener_on(connect, f"{prefix}/+")
    will = Will(f"{prefix}/back", b"x", properties={"will_delay_interval": 1})
    session(connect, name, seconds=DAY, will=will).abort()
    back = session(connect, name, seconds=DAY)
    session(connect, new_id(), seconds=DAY, will=Will(
        f"{prefix}/witness", b"x", properties={"will_delay_interval": 2})).abort()
    listener.receive(f"{prefix}/witness")           # long after the other was due
    listener.expect_nothing(after=back)


@pytest.mark.proves("5.0", "MQTT-3.1.3-9")
def test_taking_over_cancels_a_delayed_will(connect, new_id, prefix):
    name, listener = new_id(), listener_on(connect, prefix)
    will = Will(prefix, b"x", properties={"will_delay_interval": DAY})
    old = session(connect, name, seconds=DAY, will=will)
    back = session(connect, name, seconds=DAY)
    old.expect_closed(Reason.SESSION_TAKEN_OVER)
    listener.expect_nothing(after=back)


@pytest.mark.proves("5.0", "MQTT-3.1.2-8")
def test_a_clean_start_ends_the_session_and_so_fires_a_delayed_will(connect, new_id, prefix):
    name, listener = new_id(), listener_on(connect, prefix)
    will = Will(prefix, b"x", properties={"will_delay_interval": DAY})
    session(connect, name, seconds=DAY, will=will).abort()
    connect(5, name, clean=True)
    listener.receive(prefix, "x")


def test_a_will_delay_does_not_outlive_the_session(connect, prefix):
    listener = listener_on(connect, prefix)
    device = connect(5, will=Will(prefix, b"x", properties={"will_delay_interval": DAY}))
    device.abort()
    listener.receive(prefix, "x")


def test_a_new_connection_brings_a_new_will(connect, new_id, prefix, version):
    name, listener = new_id(), listener_on(connect, f"{prefix}/+", version)
    connect(version, name, will=Will(f"{prefix}/first", b"x")).disconnect()
    connect(version, name, will=Will(f"{prefix}/second", b"x")).abort()
    listener.receive(f"{prefix}/second")
    connect(version, name).abort()
    listener.expect_nothing(after=connect(version))


def test_a_will_expires_like_a_message(connect, prefix):
    listener = listener_on(connect, prefix)
    connect(5, will=Will(prefix, b"x", properties={"message_expiry_interval": 60})).abort()
    assert 0 < listener.receive(prefix).properties["message_expiry_interval"] <= 60


# -------------------------------------------------------------------------------------- keep-alive

@pytest.mark.proves("5.0", "MQTT-3.1.2-22", "MQTT-3.2.2-22")
@pytest.mark.proves("3.1.1", "MQTT-3.1.2-24")
def test_a_silent_client_is_closed_after_one_and_a_half_times(connect, prefix, version):
    listener = listener_on(connect, prefix, version)
    forever = connect(version, keep_alive=0)
    patient = connect(version, keep_alive=2)
    sent = time.monotonic()
    silent = connect(version, keep_alive=1, will=Will(prefix, b"silent"))
    silent.expect_closed(Reason.KEEP_ALIVE_TIMEOUT)
    assert time.monotonic() - sent > 1.49, "too early: a late PINGREQ would have been in time"
    listener.receive(prefix, "silent")
    patient.ping()                                  # the one that may be silent longer is there
    patient.expect_closed(Reason.KEEP_ALIVE_TIMEOUT)
    forever.ping()


@pytest.mark.proves("5.0", "MQTT-3.1.2-22")
@pytest.mark.proves("3.1.1", "MQTT-3.1.2-24")
def test_any_packet_keeps_a_client_alive(connect, prefix, version):
    """Not only PINGREQ. That a silent witness is closed meanwhile shows that enough time passed."""
    listener = listener_on(connect, prefix, version)
    client = connect(version, keep_alive=1)
    witness = connect(version, keep_alive=1)

    def keep_alive_until_the_witness_is_closed():
        client.publish(prefix, "still here")
        listener.receive(prefix, "still here")
        return select.select([witness.socket], [], [], 0.05)[0]
    eventually(keep_alive_until_the_witness_is_closed, "the witness is closed")
    client.ping()


@pytest.mark.proves("5.0", "MQTT-3.1.2-22")
def test_what_the_broker_sends_does_not_count(connect, prefix):
    """A half-open connection must not live on what is sent into it."""
    publisher, client = connect(5), connect(5, keep_alive=1)
    client.subscribe(prefix)
    with pytest.raises(AssertionError, match="KEEP_ALIVE|reason=141"):
        while True:
            publisher.publish(prefix, "x")
            client.expect(Publish)
            select.select([client.socket], [], [], 0.05)


@pytest.mark.proves("5.0", "MQTT-3.2.2-21")
def test_server_keep_alive(fresh_broker, connect):
    port = fresh_broker("--max-keepalive", "1").port
    client = connect(5, port=port, keep_alive=600)
    assert client.connack.properties["server_keep_alive"] == 1
    unlimited = connect(5, port=port, keep_alive=0)
    assert unlimited.connack.properties["server_keep_alive"] == 1
    agreed = connect(5, port=port, keep_alive=1)
    assert agreed.connack.properties.get("server_keep_alive", 1) == 1
    old = connect(4, port=port, keep_alive=600)     # is not told, so it cannot know
    client.expect_closed(Reason.KEEP_ALIVE_TIMEOUT)
    unlimited.expect_closed(Reason.KEEP_ALIVE_TIMEOUT)
    agreed.expect_closed(Reason.KEEP_ALIVE_TIMEOUT)
    old.ping()


# --------------------------------------------------------------------------------------- take-over

@pytest.mark.proves("5.0", "MQTT-3.1.4-3", "MQTT-4.4.0-1")
@pytest.mark.proves("3.1.1", "MQTT-3.1.4-2", "MQTT-4.4.0-1")
def test_the_session_goes_to_the_new_connection(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    old = connect(version, name, **durable(version))
    old.subscribe(prefix, qos=1)
    publisher.publish(prefix, "unacknowledged", qos=1)
    packet = old.expect(Publish)
    new = connect(version, name, **durable(version))
    assert new.connack.session_present == (version > 3)
    old.expect_closed(Reason.SESSION_TAKEN_OVER)
    new.receive(prefix, "unacknowledged", packet_id=packet.packet_id, dup=True)
    publisher.publish(prefix, "next", qos=1)
    new.receive(prefix, "next", dup=False)


@pytest.mark.proves("5.0", "MQTT-3.1.2-4", "MQTT-3.1.4-3")
@pytest.mark.proves("3.1.1", "MQTT-3.1.2-6", "MQTT-3.1.4-2")
def test_taking_over_with_a_clean_start_forgets(connect, new_id, prefix, version):
    name = new_id()
    old = connect(version, name, **durable(version))
    old.subscribe(prefix, qos=1)
    new = connect(version, name, clean=True)
    assert not new.connack.session_present
    old.expect_closed(Reason.SESSION_TAKEN_OVER)
    new.expect_nothing(after=connect(version))
    connect(version).publish(prefix, "x", qos=1)
    new.expect_nothing(after=connect(version))


def test_taking_over_fires_the_will_of_the_old(connect, new_id, prefix, version):
    name, listener = new_id(), listener_on(connect, prefix, version)
    old = connect(version, name, will=Will(prefix, b"old"))
    new = connect(version, name, will=Will(prefix, b"new"))
    listener.receive(prefix, "old")
    old.expect_closed(Reason.SESSION_TAKEN_OVER)
    new.disconnect()
    listener.expect_nothing(after=connect(version))
