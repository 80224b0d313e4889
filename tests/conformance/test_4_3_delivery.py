# SPDX-License-Identifier: MIT
"""Chapters 3.4 to 3.7 and 4.1 to 4.6: acknowledgements, QoS 1 and 2 from both sides, order."""
import pytest

import mqtt
from exchange import (DAY, expect_violation, leave_session, listener_on, session, wait_out_a_second,
                      will_after)
from mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Reason, Subscription

proves = pytest.mark.proves
NOT_UTF8 = {"payload_format_indicator": 1}


# ---------------------------------------------------------------------- QoS 1, the broker receives

@proves("5.0", "MQTT-4.3.2-4", "MQTT-4.3.2-5")
@proves("3.1.1", "MQTT-4.3.2-2")
@pytest.mark.parametrize("dup", (False, True))
def test_after_puback_the_identifier_stands_for_a_new_message(connect, prefix, version, dup):
    listener, publisher = listener_on(connect, prefix, version=version), connect(version)
    for number in range(3):
        publisher.send(Publish(prefix, b"%d" % number, 1, packet_id=7, dup=dup))
        publisher.expect(Puback, packet_id=7, reason=0)
        listener.receive(prefix, b"%d" % number, dup=False)


@proves("5.0", "MQTT-4.5.0-1", "MQTT-4.3.2-4")
@proves("3.1.1", "MQTT-4.5.0-1", "MQTT-4.3.2-2", "MQTT-3.1.2-5")
@pytest.mark.parametrize("qos", (1, 2))
def test_what_was_acknowledged_is_in_the_session_of_everyone_who_subscribed(connect, new_id, prefix,
                                                                            version, qos):
    """Of those who are here and of those who are away, whatever their worker."""
    names, publisher = [new_id() for _ in range(6)], connect(version)
    for name in names:
        leave_session(connect, name, f"{prefix}/+", version=version)
    here = [listener_on(connect, f"{prefix}/#", version=version) for _ in range(4)]
    publisher.publish(f"{prefix}/x", "x", qos=qos)
    publisher.abort()
    for client in (*here, *(session(connect, name, version=version) for name in names)):
        client.receive(f"{prefix}/x", "x", qos=qos)
        client.expect_nothing(after=connect(version))


# ---------------------------------------------------------------------- QoS 2, the broker receives

@proves("5.0", "MQTT-4.3.3-8", "MQTT-4.3.3-10", "MQTT-4.3.3-11", "MQTT-4.3.3-12")
@proves("3.1.1", "MQTT-4.3.3-2")
@pytest.mark.parametrize("reconnects", (False, True))
def test_qos_2_exactly_once(connect, new_id, prefix, version, reconnects):
    """A repeated PUBLISH is answered and not delivered again, also after a reconnect; PUBREL and a
    repeated PUBREL get PUBCOMP; then the identifier is new, and so is the message."""
    name, listener = new_id(), listener_on(connect, prefix, version=version)
    for payload in ("first", "second"):
        publisher = session(connect, name, version=version)
        for dup in (False, True, True, False):
            publisher.send(Publish(prefix, payload.encode(), 2, packet_id=7, dup=dup))
            publisher.expect(Pubrec, packet_id=7, reason=0)
            if reconnects:
                publisher.abort()
                publisher = session(connect, name, version=version)
        for _ in range(2):
            publisher.send(Pubrel(7))
            publisher.expect(Pubcomp, packet_id=7)
        listener.receive(prefix, payload, qos=2)
        listener.expect_nothing(after=publisher)


@proves("5.0", "MQTT-4.3.3-10", "MQTT-4.3.3-12")
@proves("3.1.1", "MQTT-4.3.3-2")
def test_exchanges_of_different_identifiers_do_not_mix(connect, prefix, version):
    """Released in another order than begun, with QoS 1 of the same number in between."""
    listener, publisher = listener_on(connect, prefix, version=version), connect(version)
    for packet_id in (5, 6, 7, 0x0500):
        publisher.send(Publish(prefix, b"%d" % packet_id, 2, packet_id=packet_id))
        publisher.expect(Pubrec, packet_id=packet_id)
        listener.receive(prefix, b"%d" % packet_id)
    publisher.send(Pubrel(6))
    publisher.expect(Pubcomp, packet_id=6)
    publisher.send(Publish(prefix, b"one", 1, packet_id=5))
    publisher.expect(Puback, packet_id=5)
    listener.receive(prefix, "one", qos=1)
    for packet_id, is_new in ((5, False), (6, True), (7, False), (0x0500, False)):
        publisher.send(Publish(prefix, b"again", 2, packet_id=packet_id, dup=True))
        publisher.expect(Pubrec, packet_id=packet_id)
        if is_new:
            listener.receive(prefix, "again")
    listener.expect_nothing(after=publisher)


@proves("5.0", "MQTT-4.3.3-9", "MQTT-3.5.2-1")
def test_after_a_refusing_pubrec_the_identifier_is_free(connect, prefix):
    """Its next use is a new message, with no PUBREL in between."""
    listener, publisher = listener_on(connect, prefix), connect(5)
    for topic in ("$SYS/not-yours", prefix):
        publisher.send(Publish(topic, b"x", 2, packet_id=7))
        answer = publisher.expect(Pubrec, packet_id=7)
        assert answer.reason == (0 if topic == prefix else Reason.NOT_AUTHORIZED)
    listener.receive(prefix, "x")
    publisher.send(Pubrel(7))
    publisher.expect(Pubcomp, packet_id=7, reason=0)


@proves("5.0", "MQTT-4.3.3-13", "MQTT-4.3.3-7")
def test_qos_2_is_completed_though_the_message_has_expired(connect, new_id, prefix):
    """Towards the broker and from it; a PUBLISH that is out does not expire any more."""
    name, publisher = new_id(), connect(5)
    listener = session(connect, name)
    listener.subscribe(prefix, qos=2)
    publisher.send(Publish(prefix, b"x", 2, packet_id=7, properties={"message_expiry_interval": 1}))
    publisher.expect(Pubrec, packet_id=7, reason=0)
    begun = listener.expect(Publish, qos=2)
    listener.abort()
    wait_out_a_second(connect, f"{prefix}/clock")
    publisher.send(Publish(prefix, b"x", 2, packet_id=7, dup=True,
                           properties={"message_expiry_interval": 1}))
    publisher.expect(Pubrec, packet_id=7, reason=0)
    publisher.send(Pubrel(7))
    publisher.expect(Pubcomp, packet_id=7, reason=0)
    back = session(connect, name)
    back.receive(prefix, "x", qos=2, dup=True, packet_id=begun.packet_id)
    back.expect_nothing(after=publisher)


# ------------------------------------------------------------------------------- the broker sends

@proves("5.0", "MQTT-4.3.3-4", "MQTT-4.3.3-5", "MQTT-4.3.3-6", "MQTT-2.2.1-5", "MQTT-4.4.0-1")
@proves("3.1.1", "MQTT-4.3.3-1", "MQTT-2.3.1-6", "MQTT-4.4.0-1")
def test_pubrec_is_answered_by_pubrel_until_pubcomp(connect, new_id, prefix, version):
    """Once per connection, and again per repeated PUBREC; PUBLISH never comes after PUBREL."""
    name, publisher = new_id(), connect(version)
    client = session(connect, name, version=version)
    client.subscribe(prefix, qos=2)
    publisher.publish(prefix, "x", qos=2)
    packet_id = client.expect(Publish, qos=2).packet_id
    for _ in range(2):
        client.send(Pubrec(packet_id))
        client.expect(Pubrel, packet_id=packet_id, reason=0)
    for _ in range(3):
        client.abort()
        client = session(connect, name, version=version)
        client.expect(Pubrel, packet_id=packet_id)
        client.expect_nothing(after=publisher)
    client.send(Pubcomp(packet_id))
    client.ping()
    client.abort()
    session(connect, name, version=version).expect_nothing(after=publisher)


@proves("5.0", "MQTT-4.4.0-2", "MQTT-4.3.2-3", "MQTT-4.3.3-4")
@pytest.mark.parametrize("reason", (0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99))
def test_a_refusing_acknowledgement_is_one(connect, new_id, prefix, reason):
    """What PUBACK or PUBREC refuses is not sent again; a PUBREC below 0x80 goes on to PUBREL."""
    name, publisher = new_id(), connect(5)
    client = session(connect, name)
    client.subscribe(prefix, qos=2)
    publisher.publish(prefix, "1", qos=1)
    client.send(Puback(client.expect(Publish, qos=1).packet_id, reason))
    publisher.publish(prefix, "2", qos=2)
    packet_id = client.expect(Publish, qos=2).packet_id
    client.send(Pubrec(packet_id, reason))
    if reason < 0x80:
        client.expect(Pubrel, packet_id=packet_id)
        client.send(Pubcomp(packet_id))
    client.expect_nothing(after=publisher)
    client.abort()
    back = session(connect, name)
    back.expect_nothing(after=publisher)
    publisher.publish(prefix, "next", qos=1)
    back.receive(prefix, "next", dup=False)


@proves("5.0", "MQTT-4.4.0-1")
@proves("3.1.1", "MQTT-4.4.0-1")
def test_nothing_is_sent_again_on_a_live_connection(connect, prefix, version):
    """Not after a while, not with other messages, not after SUBSCRIBE or PINGREQ."""
    publisher, client = connect(version), connect(version)
    client.subscribe(prefix, qos=2)
    for qos in (1, 2, 2):
        publisher.publish(prefix, "held", qos=qos)
    held = [client.expect(Publish, payload="held") for _ in range(3)]
    client.send(Pubrec(held[2].packet_id))
    client.expect(Pubrel)
    wait_out_a_second(connect, f"{prefix}/clock")
    client.subscribe(f"{prefix}/other")
    for qos in (0, 1, 2):
        publisher.publish(prefix, "next", qos=qos)
        client.receive(prefix, "next")
    client.expect_nothing(after=publisher)


@proves("5.0", "MQTT-4.4.0-1", "MQTT-4.3.2-3", "MQTT-4.6.0-6")
@proves("3.1.1", "MQTT-4.4.0-1", "MQTT-4.6.0-1", "MQTT-2.3.1-4")
@pytest.mark.parametrize("acknowledged", (set(), {0}, {3}, {1, 2}, {0, 2, 4}))
def test_what_is_unacknowledged_comes_again_in_its_order(connect, new_id, prefix, version,
                                                         acknowledged):
    """And before anything newer, whatever was acknowledged out of order."""
    name, publisher = new_id(), connect(version)
    client = session(connect, name, version=version)
    client.subscribe(prefix, qos=1)
    for number in range(5):
        publisher.publish(prefix, str(number), qos=1)
    sent = [client.expect(Publish, payload=str(number)) for number in range(5)]
    for number in acknowledged:
        client.send(Puback(sent[number].packet_id))
    client.ping()
    client.abort()
    publisher.publish(prefix, "newer", qos=1)
    back = session(connect, name, version=version)
    for number in sorted(set(range(5)) - acknowledged):
        back.receive(prefix, str(number), dup=True, packet_id=sent[number].packet_id)
    back.receive(prefix, "newer", dup=False)
    back.expect_nothing(after=publisher)


@proves("5.0", "MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-2.2.1-4")
@proves("3.1.1", "MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-2.3.1-4")
def test_all_that_is_in_flight_has_its_own_identifier(connect, new_id, prefix, version):
    """QoS 1 and 2, released or not, before and after a reconnect: identifiers are one space."""
    name, publisher = new_id(), connect(version)
    client = session(connect, name, version=version)
    client.subscribe(prefix, qos=2)
    held = set()
    for number in range(20):
        publisher.publish(prefix, str(number), qos=1 + number % 2)
        packet = client.expect(Publish, payload=str(number))
        assert packet.packet_id not in held
        held.add(packet.packet_id)
        if number % 4 == 3:
            client.send(Pubrec(packet.packet_id))
            client.expect(Pubrel, packet_id=packet.packet_id)
    client.abort()
    client = session(connect, name, version=version)
    for _ in range(20):
        assert client.next().packet_id in held
    for number in range(8):
        publisher.publish(prefix, "more", qos=1)
        packet = client.expect(Publish, payload="more", dup=False)
        assert packet.packet_id not in held
        held.add(packet.packet_id)


# -------------------------------------------------------------------- acknowledgements in detail

@proves("5.0", "MQTT-3.6.2-1", "MQTT-3.7.2-1")
def test_pubrel_and_pubcomp_for_what_is_unknown(connect):
    client = connect(5)
    client.send(Pubrel(4711))
    client.expect(Pubcomp, packet_id=4711, reason=Reason.PACKET_IDENTIFIER_NOT_FOUND)
    client.send(Pubrec(4712))
    client.expect(Pubrel, packet_id=4712, reason=Reason.PACKET_IDENTIFIER_NOT_FOUND)
    client.publish("t", "x", qos=2, packet_id=4711)
    client.send(Pubrel(4711, Reason.PACKET_IDENTIFIER_NOT_FOUND))
    client.expect(Pubcomp, packet_id=4711)


@proves("5.0", "MQTT-3.4.2-1", "MQTT-3.5.2-1")
def test_reasons_of_puback_and_pubrec(connect, prefix):
    """Each way to be refused, and both to be taken; the client's decoder knows the table."""
    publisher = connect(5)
    for qos in (1, 2):
        taken = publisher.publish(prefix, "x", qos=qos).reason
        assert taken in (0, Reason.NO_MATCHING_SUBSCRIBERS)
        for topic, payload, properties, reason in (
                ("$SYS/x", b"x", {}, Reason.NOT_AUTHORIZED),
                (prefix, b"\xff", NOT_UTF8, Reason.PAYLOAD_FORMAT_INVALID),
                (prefix + "/x" * 200, b"x", {}, Reason.TOPIC_NAME_INVALID),
                (prefix + "x" * 5000, b"x", {}, Reason.TOPIC_NAME_INVALID),
                (prefix, b"x", {"user_property": [("k", "v")] * 100}, Reason.QUOTA_EXCEEDED)):
            answer = publisher.publish(topic, payload, qos=qos, properties=properties)
            assert answer.reason == reason
    listener_on(connect, prefix)
    assert publisher.publish(prefix, "x", qos=1).reason == 0


BAD_REASONS = [
    pytest.param(Puback, 0x92, marks=proves("5.0", "MQTT-3.4.2-1"), id="puback"),
    pytest.param(Pubrec, 0x92, marks=proves("5.0", "MQTT-3.5.2-1"), id="pubrec"),
    pytest.param(Pubrel, 0x80, marks=proves("5.0", "MQTT-3.6.2-1"), id="pubrel"),
    pytest.param(Pubcomp, 0x10, marks=proves("5.0", "MQTT-3.7.2-1"), id="pubcomp"),
    pytest.param(lambda _, reason: mqtt.Disconnect(reason), 0x19,
                 marks=proves("5.0", "MQTT-3.14.2-1"), id="disconnect"),
]


@pytest.mark.parametrize("packet, reason", BAD_REASONS)
def test_a_reason_that_is_not_in_the_table(connect, prefix, packet, reason):
    """As a violation, it makes the will due."""
    listener = listener_on(connect, prefix)
    for number in (reason, 0xFF, 0x7F):
        client = connect(5, will=mqtt.Will(prefix, b"gone"))
        client.send(packet(1, number))
        expect_violation(client)
        listener.receive(prefix, "gone")


ANSWERS = [
    pytest.param(lambda c: c.publish("$SYS/x", "x", qos=1), id="puback",
                 marks=proves("5.0", "MQTT-3.4.2-2", "MQTT-3.4.2-3", "MQTT-3.1.2-24")),
    pytest.param(lambda c: c.publish("$SYS/x", "x", qos=2), id="pubrec",
                 marks=proves("5.0", "MQTT-3.5.2-2", "MQTT-3.5.2-3", "MQTT-3.1.2-24")),
    pytest.param(lambda c: c.send(Pubrec(4711)) or c.expect(Pubrel), id="pubrel",
                 marks=proves("5.0", "MQTT-3.6.2-2", "MQTT-3.6.2-3", "MQTT-3.1.2-24")),
    pytest.param(lambda c: c.send(Pubrel(4711)) or c.expect(Pubcomp), id="pubcomp",
                 marks=proves("5.0", "MQTT-3.7.2-2", "MQTT-3.7.2-3", "MQTT-3.1.2-24")),
]


@pytest.mark.parametrize("ask", ANSWERS)
def test_words_are_left_out_where_they_do_not_fit(connect, ask):
    """The acknowledgement itself always comes, with its reason; the client checks each size."""
    words = ask(connect(5)).properties["reason_string"].encode()
    for size in range(8, 16 + len(words)):
        packet = ask(connect(5, properties={"maximum_packet_size": size}))
        assert packet.reason >= 0x80 and "user_property" not in packet.properties
        whole = 2 + 2 + 1 + 1 + 3 + len(words)
        assert ("reason_string" in packet.properties) == (size >= whole)


@proves("5.0", "MQTT-3.1.2-24", "MQTT-3.1.2-25")
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_a_message_too_large_for_a_client_counts_as_sent(connect, new_id, prefix, qos):
    """Live, retained and queued: it never comes, blocks no window, and others get it."""
    name, publisher, other = new_id(), connect(5), listener_on(connect, prefix)
    limits = {"maximum_packet_size": 100, "receive_maximum": 1}
    client = session(connect, name, properties=limits)
    client.subscribe(prefix, qos=2)
    for number in range(3):
        publisher.publish(prefix, bytes(100), qos=qos, retain=True)
        publisher.publish(prefix, str(number), qos=qos)
        client.receive(prefix, str(number), qos=qos)
        other.receive(prefix, bytes(100))
        other.receive(prefix, str(number))
    client.subscribe(prefix, qos=2)
    client.expect_nothing(after=publisher)
    client.disconnect()
    for payload in (bytes(100), b"small"):
        publisher.publish(prefix, payload, qos=2)
    back = session(connect, name, properties=limits)
    back.receive(prefix, "small")
    back.expect_nothing(after=publisher)
    again = session(connect, name)
    again.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.1.2-24", "MQTT-3.1.2-25")
def test_the_largest_message_that_fits_comes(connect, prefix):
    """To the byte, with and without properties and identifiers; one byte more does not."""
    publisher = connect(5)
    for size in (30, 128, 129, 130, 131, 400):
        client = connect(5, properties={"maximum_packet_size": size})
        client.subscribe(prefix, qos=1)
        room = size
        while len(mqtt.encode(Publish(prefix, bytes(room), 1, packet_id=1), 5)) > size:
            room -= 1
        publisher.publish(prefix, bytes(room + 1), qos=1)
        publisher.publish(prefix, bytes(room), qos=1)
        client.receive(prefix, bytes(room))
        client.unsubscribe(prefix)


# --------------------------------------------------------------------------------- session's end

@proves("5.0", "MQTT-4.1.0-2", "MQTT-3.1.2-23", "MQTT-3.1.2-8")
def test_a_session_ends_when_its_expiry_is_over_and_not_before(connect, new_id, prefix):
    """One that lives a second, one a minute and one a day; the delayed will comes with the end."""
    short, minute, long = new_id(), new_id(), new_id()
    listener = listener_on(connect, f"{prefix}/will")
    leave_session(connect, long, f"{prefix}/x")
    session(connect, minute, seconds=60).abort()
    client = session(connect, short, seconds=1, will=will_after(f"{prefix}/will", DAY))
    client.subscribe(f"{prefix}/x", qos=1)
    client.abort()
    listener.receive(f"{prefix}/will")
    connect(5).publish(f"{prefix}/x", "missed", qos=1)
    ended = session(connect, short)
    assert not ended.connack.session_present
    ended.expect_nothing(after=connect(5))
    wait_out_a_second(connect, f"{prefix}/clock")
    assert session(connect, minute).connack.session_present
    kept = session(connect, long)
    assert kept.connack.session_present
    kept.receive(f"{prefix}/x", "missed")


# ------------------------------------------------------------------------------------------ order

@proves("5.0", "MQTT-4.6.0-5", "MQTT-4.6.0-6")
@proves("3.1.1", "MQTT-4.6.0-5", "MQTT-4.6.0-6")
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_messages_of_one_publisher_stay_in_order(connect, new_id, prefix, version, qos):
    """To subscribers of several workers, with several publishers at once, and across an absence."""
    name = new_id()
    publishers = [connect(version) for _ in range(3)]
    listeners = [listener_on(connect, f"{prefix}/#", version=version) for _ in range(3)]
    leave_session(connect, name, f"{prefix}/#", version=version)
    for number in range(60):
        for index, publisher in enumerate(publishers):
            publisher.send(Publish(f"{prefix}/{index}", b"%d" % number, qos, packet_id=number + 1))
            if qos == 2:
                publisher.wait_for(Pubrec, packet_id=number + 1)
                publisher.send(Pubrel(number + 1))
    if qos:
        listeners.append(session(connect, name, version=version))
    for listener in listeners:
        got = {index: [] for index in range(3)}
        for _ in range(180):
            packet = listener.receive()
            got[int(packet.topic[-1])].append(int(packet.payload))
        assert all(numbers == list(range(60)) for numbers in got.values())


@proves("5.0", "MQTT-4.6.0-6")
@proves("3.1.1", "MQTT-4.6.0-6")
def test_a_full_window_does_not_reorder(connect, prefix, version):
    """What is acknowledged last to first, in pieces of the window, still comes in order."""
    publisher, client = connect(version), connect(version)
    client.subscribe(Subscription(prefix, 1))
    for number in range(100):
        publisher.publish(prefix, str(number), qos=1)
    expected = 0
    while expected < 100:
        window = []
        while len(window) < 32 and expected < 100:
            window.append(client.expect(Publish, payload=str(expected)))
            expected += 1
        for packet in reversed(window):
            client.send(Puback(packet.packet_id))
