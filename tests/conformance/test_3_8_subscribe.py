# SPDX-License-Identifier: MIT
"""Chapters 3.8 to 3.12: SUBSCRIBE, UNSUBSCRIBE, their answers, and PINGREQ."""
import pytest

import mqtt
from exchange import (MALFORMED_OR_PROTOCOL_ERROR, expect_violation, leave_session, listener_on,
                      session)
from mqtt import (Pingreq, Pingresp, Publish, Pubrel, Reason, Suback, Subscribe, Subscription,
                  Unsuback, Unsubscribe)

proves = pytest.mark.proves


# ------------------------------------------------------------------------------ what is malformed

@proves("5.0", "MQTT-3.8.3-2")
@proves("3.1.1", "MQTT-3.8.3-3")
def test_subscribe_without_a_filter(connect, version):
    client = connect(version)
    client.send(Subscribe(1, []))
    expect_violation(client)


@proves("5.0", "MQTT-3.10.3-2")
@proves("3.1.1", "MQTT-3.10.3-2")
def test_unsubscribe_without_a_filter(connect, version):
    client = connect(version)
    client.send(Unsubscribe(1, []))
    expect_violation(client)


@proves("5.0", "MQTT-3.8.3-5")
@proves("3.1.1", "MQTT-3.8.3-4")
def test_options_that_may_not_be(connect, prefix, version):
    """Every byte of options: the good ones are granted, of the others nothing is subscribed."""
    publisher = connect(version)
    for options in range(256):
        is_good = options < 3 if version < 5 else (
            options & 3 < 3 and options & 0x30 < 0x30 and not options & 0xC0)
        client = connect(version)
        client.send(Subscribe(1, [Subscription(f"{prefix}/first", 0),
                                  Subscription(f"{prefix}/second", options=options)]))
        if is_good:
            client.expect(Suback, reasons=[0, options & 3])
        else:
            expect_violation(client)
        client.abort()
    publisher.ping()


@proves("5.0", "MQTT-3.8.3-4")
@pytest.mark.parametrize("options", (0x04, 0x05, 0x0E))
def test_no_local_on_a_shared_subscription(connect, prefix, options):
    client = connect(5)
    client.send(Subscribe(1, [Subscription("t"), Subscription(f"$share/g/{prefix}",
                                                              options=options)]))
    expect_violation(client, Reason.PROTOCOL_ERROR)


@proves("5.0", "MQTT-4.13.1-1")
@pytest.mark.parametrize("properties", (
    {"subscription_identifier": 0}, {"subscription_identifier": [1, 2]}, {"reason_string": "x"},
    {"topic_alias": 1}, b"\x0b", b"\x26\0\1k",
), ids=repr)
def test_properties_that_subscribe_may_not_have(connect, properties):
    client = connect(5)
    client.send(Subscribe(1, [Subscription("t")], properties))
    expect_violation(client)


# -------------------------------------------------------------------------------------- the answer

@proves("5.0", "MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-3.8.4-5", "MQTT-3.8.4-6", "MQTT-3.8.4-7",
        "MQTT-3.9.3-1", "MQTT-3.9.3-2")
@proves("3.1.1", "MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-3.8.4-4", "MQTT-3.8.4-5", "MQTT-3.9.3-1",
        "MQTT-3.9.3-2")
def test_one_code_for_each_filter_in_their_order(connect, prefix, version):
    """Granted and refused ones mixed; each granted one works, and one SUBACK is all that comes."""
    client = connect(version)
    filters = [Subscription(f"{prefix}/a", 2), Subscription(f"{prefix}/#/x", 1),
               Subscription(f"{prefix}/b", 0), Subscription(f"{prefix}/x+", 0),
               Subscription(f"{prefix}/c", 1), Subscription(f"{prefix}/a", 1)]
    client.send(Subscribe(0x1234, filters))
    reasons = client.expect(Suback, packet_id=0x1234).reasons
    bad = {Reason.TOPIC_FILTER_INVALID} if version == 5 else {0x80}
    assert [reasons[n] for n in (0, 2, 4, 5)] == [2, 0, 1, 1]
    assert {reasons[1], reasons[3]} == bad
    client.expect_nothing()
    for name, qos in (("a", 1), ("b", 0), ("c", 1)):
        client.publish(f"{prefix}/{name}", "x", qos=2)
        client.receive(f"{prefix}/{name}", qos=qos)
    client.expect_nothing()


@proves("5.0", "MQTT-3.8.4-5", "MQTT-3.10.4-6")
@proves("3.1.1", "MQTT-3.8.4-4", "MQTT-3.10.4-6")
def test_several_filters_act_like_several_packets(connect, prefix, version):
    """Retained messages of each come; taking some away leaves the rest."""
    client, publisher = connect(version), connect(version)
    names = [f"{prefix}/{letter}" for letter in "abcd"]
    for name in names:
        publisher.publish(name, "kept", qos=1, retain=True)
    client.subscribe(*names)
    assert {client.receive(retain=True).topic for _ in names} == set(names)
    client.send(Unsubscribe(7, [names[0], f"{prefix}/none", names[2]]))
    unsuback = client.expect(Unsuback, packet_id=7)
    assert unsuback.reasons == ([0, 0x11, 0] if version == 5 else [])
    for name in names:
        publisher.publish(name, "live")
    assert [packet.topic for packet in client.receive_all(after=publisher)] == names[1::2]


@proves("5.0", "MQTT-3.9.3-2", "MQTT-3.8.4-7")
@proves("3.1.1", "MQTT-3.9.3-2", "MQTT-3.8.4-5")
def test_a_refusal_in_suback_has_a_code_of_the_table(fresh_broker, connect, prefix, version):
    """For each cause there is; the client's decoder knows the table."""
    port = fresh_broker("--max-subscriptions", "2").port
    client = connect(version, port=port)
    for name in ("a#", f"{prefix}/" + "x/" * 200, f"{prefix}/" + "x" * 5000, "$share//t"):
        assert client.try_subscribe(name).reasons[0] >= 0x80
    assert client.subscribe("1", "2") == [0, 0]
    refused = client.try_subscribe("3").reasons
    assert refused == [Reason.QUOTA_EXCEEDED if version == 5 else 0x80]


@proves("5.0", "MQTT-3.9.2-1", "MQTT-3.9.2-2", "MQTT-3.11.2-1", "MQTT-3.11.2-2", "MQTT-3.1.2-24")
@pytest.mark.parametrize("size", (8, 9, 10, 20, 40))
def test_suback_and_unsuback_fit_the_clients_maximum_packet_size(connect, prefix, size):
    """Refusals too have no words that would push them over it; the client checks each size."""
    client = connect(5, properties={"maximum_packet_size": size})
    assert client.try_subscribe("a#").reasons == [Reason.TOPIC_FILTER_INVALID]
    assert client.unsubscribe(prefix) == [Reason.NO_SUBSCRIPTION_EXISTED]


@proves("5.0", "MQTT-3.1.2-24")
@pytest.mark.parametrize("count", (40, 20_000), ids=("short", "long"))
def test_a_suback_that_cannot_fit_is_not_sent(fresh_broker, connect, prefix, count):
    """What it acknowledges is done, and the rest goes on."""
    port = fresh_broker("--max-subscriptions", "100").port
    client = connect(5, port=port, properties={"maximum_packet_size": 20 + len(prefix)})
    client.send(Subscribe(1, [Subscription(prefix)] * count))
    client.send(Unsubscribe(2, ["none"] * count))
    client.ping()
    connect(5, port=port).publish(prefix, "x")
    client.receive(prefix, "x")


# ---------------------------------------------------------------------- subscriptions that exist

@proves("5.0", "MQTT-3.8.4-3", "MQTT-3.8.4-4")
@proves("3.1.1", "MQTT-3.8.4-3")
def test_the_same_filter_again_replaces_the_subscription(connect, prefix, version):
    """One copy of each message, at the new QoS, and the retained ones again; after one UNSUBSCRIBE
    it is gone."""
    client = connect(version)
    client.publish(prefix, "kept", qos=1, retain=True)
    for qos in (2, 0, 1, 1):
        assert client.subscribe(prefix, qos=qos) == [qos]
        client.receive(prefix, "kept", retain=True, qos=min(qos, 1))
        client.publish(prefix, "live", qos=2)
        client.receive(prefix, "live", qos=qos, retain=False)
        client.expect_nothing()
    client.unsubscribe(prefix)
    client.publish(prefix, "late")
    client.expect_nothing()


@proves("5.0", "MQTT-3.8.4-3")
def test_the_new_options_are_in_force(connect, prefix):
    client = connect(5)
    client.subscribe(Subscription(prefix, 1, no_local=True, retain_as_published=True))
    client.publish(prefix, "x", qos=1)
    client.expect_nothing()
    client.subscribe(Subscription(prefix, 1), properties={"subscription_identifier": 5})
    client.publish(prefix, "x", qos=1, retain=True)
    client.receive(prefix, "x", retain=False, properties={"subscription_identifier": [5]})
    client.subscribe(Subscription(prefix, 1, no_local=True, retain_handling=2))
    client.publish(prefix, "x", qos=1)
    client.expect_nothing()


@proves("5.0", "MQTT-3.8.4-3", "MQTT-3.8.4-4")
@proves("3.1.1", "MQTT-3.8.4-3")
@pytest.mark.parametrize("qos", (0, 1))
def test_replacing_a_subscription_loses_and_doubles_nothing(connect, prefix, version, qos):
    """A publisher counts without pause while the subscriber subscribes again and again."""
    publisher, client = connect(version), connect(version)
    client.subscribe(prefix, qos=qos)
    count = 0
    for _ in range(30):
        publisher.send_raw(b"".join(mqtt.encode(
            Publish(prefix, b"%d" % (count + n), qos, packet_id=count + n + 1), version)
            for n in range(20)))
        client.send(Subscribe(5, [Subscription(prefix, qos)]))
        count += 20
    got = [int(packet.payload) for packet in client.receive_all(after=publisher)
           if isinstance(packet, Publish)]
    assert got == list(range(count))


@proves("5.0", "MQTT-3.8.4-8")
@proves("3.1.1", "MQTT-3.8.4-6")
@pytest.mark.parametrize("published", (0, 1, 2))
@pytest.mark.parametrize("granted", (0, 1, 2))
def test_the_lower_qos_counts(connect, new_id, prefix, version, published, granted):
    """Live, retained and kept for one who is away."""
    name, publisher, client = new_id(), connect(version), connect(version)
    leave_session(connect, name, prefix, version=version, qos=granted)
    client.subscribe(prefix, qos=granted)
    publisher.publish(prefix, "x", qos=published, retain=True)
    qos = min(published, granted)
    client.receive(prefix, "x", qos=qos, retain=False)
    late = connect(version)
    late.subscribe(prefix, qos=granted)
    late.receive(prefix, "x", qos=qos, retain=True)
    back = session(connect, name, version=version)
    if qos:
        back.receive(prefix, "x", qos=qos)
    back.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.8.3-3")
def test_no_local_is_about_the_publisher_not_its_connection(connect, new_id, prefix):
    """What the client published before a reconnect is its own still, will included; what others
    publish comes, and so does the client's own on another subscription."""
    name, other = new_id(), connect(5)
    client = session(connect, name, will=mqtt.Will(f"{prefix}/will", b"x", 1))
    client.subscribe(Subscription(f"{prefix}/#", 1, no_local=True))
    client.publish(f"{prefix}/mine", "x", qos=1)
    other.subscribe(f"{prefix}/will")
    client.abort()
    other.receive(f"{prefix}/will")
    client = session(connect, name)
    client.publish(f"{prefix}/mine", "y", qos=1)
    client.publish(f"{prefix}/mine", "y", qos=0)
    client.expect_nothing()
    other.publish(f"{prefix}/theirs", "z", qos=1)
    client.receive(f"{prefix}/theirs", "z")
    client.subscribe(Subscription(f"{prefix}/+", 0))
    client.publish(f"{prefix}/mine", "again")
    client.receive(f"{prefix}/mine", "again")


# ------------------------------------------------------------------------------------- unsubscribe

@proves("5.0", "MQTT-3.10.4-1", "MQTT-3.10.4-4", "MQTT-3.10.4-5", "MQTT-3.11.3-2")
@proves("3.1.1", "MQTT-3.10.4-1", "MQTT-3.10.4-4", "MQTT-3.10.4-5")
@pytest.mark.parametrize("subscribed, others", (
    ("{}/a", ("{}/+", "{}/#", "{}/A", "{}/a/", "/{}/a", "{}/a/#", "+/a", "#", "{}/ a")),
    ("{}/+", ("{}/a", "{}/#", "{}/+/", "+/+")),
    ("{}/#", ("{}", "{}/", "{}/+", "#")),
    ("{}", ("{}/#", "+")),
))
def test_only_the_identical_filter_is_removed(connect, prefix, version, subscribed, others):
    client = connect(version)
    client.subscribe(subscribed.format(prefix))
    topic = subscribed.format(prefix).replace("+", "a").replace("#", "a")
    for other in others:
        client.send(Unsubscribe(3, [other.format(prefix)]))
        unsuback = client.expect(Unsuback, packet_id=3)
        assert version < 5 or unsuback.reasons == [Reason.NO_SUBSCRIPTION_EXISTED]
    client.publish(topic, "x")
    client.receive(topic, "x")
    client.send(Unsubscribe(4, [subscribed.format(prefix)]))
    unsuback = client.expect(Unsuback, packet_id=4)
    assert version < 5 or unsuback.reasons == [0]
    client.publish(topic, "y")
    client.expect_nothing()


@proves("5.0", "MQTT-3.10.4-2")
@proves("3.1.1", "MQTT-3.10.4-2")
def test_nothing_new_comes_behind_unsuback(connect, prefix, version):
    """Neither what is published next, nor the same to others, nor after a reconnect."""
    publisher, client = connect(version), connect(version)
    stays = listener_on(connect, prefix, version=version)
    for _ in range(20):
        client.subscribe(prefix, qos=1)
        publisher.publish(prefix, "before", qos=1)
        client.receive(prefix, "before")
        client.unsubscribe(prefix)
        publisher.publish(prefix, "after", qos=1)
        stays.receive(prefix, "before")
        stays.receive(prefix, "after")
        client.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.10.4-2")
@proves("3.1.1", "MQTT-3.10.4-2")
def test_nothing_is_queued_for_a_session_that_unsubscribed(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    client = session(connect, name, version=version)
    client.subscribe(prefix, qos=1)
    client.unsubscribe(prefix)
    client.disconnect()
    publisher.publish(prefix, "x", qos=1)
    session(connect, name, version=version).expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.10.4-3", "MQTT-4.4.0-1")
@proves("3.1.1", "MQTT-3.10.4-3", "MQTT-4.4.0-1")
def test_deliveries_begun_are_completed_after_unsubscribe(connect, new_id, prefix, version):
    name, publisher = new_id(), connect(version)
    client = session(connect, name, version=version)
    client.subscribe(prefix, qos=2)
    for qos in (1, 2, 2):
        publisher.publish(prefix, str(qos), qos=qos)
    begun = [client.expect(Publish) for _ in range(3)]
    client.send(mqtt.Pubrec(begun[2].packet_id))
    client.expect(Pubrel, packet_id=begun[2].packet_id)
    client.unsubscribe(prefix)
    client.abort()
    client = session(connect, name, version=version)
    client.wait_for(Pubrel, packet_id=begun[2].packet_id)
    client.send(mqtt.Pubcomp(begun[2].packet_id))
    for packet in begun[:2]:
        client.receive(prefix, packet.payload, qos=packet.qos, packet_id=packet.packet_id, dup=True)
    client.expect_nothing(after=publisher)


@proves("5.0", "MQTT-3.11.3-1", "MQTT-3.11.3-2", "MQTT-3.10.4-6")
def test_unsuback_has_a_code_for_each_filter_in_their_order(connect, prefix):
    client = connect(5)
    client.subscribe(f"{prefix}/a", f"{prefix}/b", f"$share/g/{prefix}")
    client.send(Unsubscribe(9, [f"{prefix}/x", f"{prefix}/b", f"{prefix}/b", f"$share/g/{prefix}",
                                f"$share/h/{prefix}", f"{prefix}/a"]))
    assert client.expect(Unsuback, packet_id=9).reasons == [0x11, 0, 0x11, 0, 0x11, 0]


@proves("5.0", "MQTT-4.7.3-1", "MQTT-4.7.1-1")
@proves("3.1.1", "MQTT-4.7.3-1", "MQTT-4.7.1-2")
@pytest.mark.parametrize("name", ("", "a#", "#/a", "a/#/b", "a+"))
def test_a_malformed_filter_in_unsubscribe(connect, version, name):
    """Is an error of some kind, and never a subscription that was there."""
    client = connect(version)
    client.send(Unsubscribe(1, [name]))
    client.end_stream()
    answer = client.read_to_end()
    assert answer[:1] in (b"", b"\xb0", b"\xe0")
    if answer[:1] == b"\xb0" and version == 5:
        assert mqtt.decode(answer[:answer[1] + 2], 5).reasons[0] >= 0x11
    if answer[:1] == b"\xe0":
        packet = mqtt.decode(answer, 5)
        assert packet.reason in MALFORMED_OR_PROTOCOL_ERROR | {Reason.TOPIC_FILTER_INVALID}


# -------------------------------------------------------------------------------------------- ping

@proves("5.0", "MQTT-3.12.4-1")
@proves("3.1.1", "MQTT-3.12.4-1")
def test_each_pingreq_has_its_pingresp(connect, version):
    client = connect(version)
    for _ in range(50):
        client.send(Pingreq())
    for _ in range(50):
        client.expect(Pingresp)
    client.expect_nothing()
