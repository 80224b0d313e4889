# SPDX-License-Identifier: MIT
"""Each limit, lowered by its option: at the limit everything works; beyond it the client gets the
reason the specification has for it, $SYS counts it once, and a log line names client, topic and
cause.

What queues cost is in test_limits.py, malformed packets are in test_bad_input.py, and memory, file
descriptors and strangers in test_shortage.py.
"""
import pytest

import mqtt
from client import durable
from mqtt import Connect, Publish, Reason, Will
from watcher import expect_line, refused

BOTH = pytest.mark.parametrize("version", (4, 5), ids=("3.1.1", "5.0"))


# ----------------------------------------------------------------------------------------- CONNECT

def test_time_to_connect(start, connect):
    broker, port, watcher = start("--connect-timeout", "1")
    silent, dripping = (connect(5, port=port, connect=False) for _ in range(2))
    dripping.send_raw(mqtt.encode(Connect("drip"), 5)[:-1])
    assert not silent.read_to_end() and not dripping.read_to_end()
    watcher.expect({"refused/connect timeout": 2})
    expect_line(broker, "connection refused", address="127.0.0.1:", reason="no CONNECT within")


def test_pending_connections(start, connect):
    """The oldest goes; who has sent CONNECT is none of them."""
    broker, port, watcher = start("--max-pending-connections", "3", "--connect-timeout", "60",
                                  workers=1)
    waiting = [connect(5, port=port, connect=False) for _ in range(3)]
    watcher.client.ping()
    waiting.append(connect(5, port=port, connect=False))
    assert not waiting[0].read_to_end(), "the oldest"
    for number, client in enumerate(waiting[1:]):
        client.connect(client_id=f"patient-{number}")
    watcher.expect({"refused/pending": 1})
    expect_line(broker, "connection refused", reason="too many connections without CONNECT")


@BOTH
def test_packet_size_before_connect(start, connect, version):
    broker, port, watcher = start("--max-connect-packet-size", "100")
    overhead = len(mqtt.encode(Connect(""), version))
    connect(version, "x" * (100 - overhead), port=port).ping()
    large = connect(version, "x" * (101 - overhead), port=port, connect=False)
    large.send_connect()
    assert large.read_to_end()[:1] in (b"", b"\x20")
    watcher.expect({"refused/packet size": 1})
    expect_line(broker, "connection refused", address="127.0.0.1:", reason="packet too large")


@BOTH
def test_packet_size(start, connect, version, prefix):
    broker, port, watcher = start("--max-packet-size", "200")
    client = connect(version, "sender", port=port)
    fits = Publish(prefix, b"x" * (200 - len(mqtt.encode(Publish(prefix, b"x" * 150), version))
                                   + 150))
    assert len(mqtt.encode(fits, version)) == 200
    client.send(fits)
    client.ping()
    client.send(Publish(prefix, fits.payload + b"x"))
    client.expect_closed(Reason.PACKET_TOO_LARGE)
    watcher.expect({"refused/packet size": 1})
    expect_line(broker, "client disconnected", client="sender", reason="packet too large")


@BOTH
def test_client_identifier(start, connect, version):
    broker, port, watcher = start("--max-client-id-bytes", "30")
    connect(version, "x" * 30, port=port).ping()
    refused(connect, 0x85 if version == 5 else 2, port, version, "y" * 31)
    watcher.expect({"refused/client id": 1})
    expect_line(broker, "connection refused", client="y" * 31,
                reason="client identifier too long (max_client_id_bytes)")


@BOTH
def test_connections(start, connect, version):
    broker, port, watcher = start("--max-connections", "3")
    connect(version, "first", port=port)
    second = connect(version, "second", port=port)
    refused(connect, 0x97 if version == 5 else 3, port, version, "third")
    connect(version, "second", port=port)            # it takes its own place over
    second.expect_closed(Reason.SESSION_TAKEN_OVER)
    watcher.expect({"refused/connections": 1})
    expect_line(broker, "connection refused", client="third", reason="as many clients as max_conn")


@BOTH
def test_sessions(start, connect, version):
    """A session that is kept counts without its client, and its client may come back."""
    broker, port, watcher = start("--max-sessions", "2")
    with connect(version, "away", port=port, **durable(version)) as away:
        away.disconnect()
    refused(connect, 0x97 if version == 5 else 3, port, version, "third")
    connect(version, "away", port=port, clean=True).disconnect()
    connect(version, "third", port=port).ping()
    watcher.expect({"refused/sessions": 1})
    expect_line(broker, "connection refused", client="third", reason="as many sessions as max_ses")


# ------------------------------------------------------------------------------------------ topics

TOPIC_OPTIONS = ("--max-topic-bytes", "60", "--max-topic-levels", "5")
LARGEST = ("x" * 60, "/".join("abcde"))
BEYOND = ("x" * 61, "/".join("abcdef"))
TOO_LONG = "is too long or too deep (max_topic_bytes, max_topic_levels)"


@BOTH
@pytest.mark.parametrize("which", (0, 1), ids=("bytes", "levels"))
def test_a_topic_that_is_published(start, connect, version, which):
    broker, port, watcher = start(*TOPIC_OPTIONS)
    listener, sender = connect(5, port=port), connect(version, "sender", port=port)
    listener.subscribe("#")
    for qos in (0, 1, 2):
        sender.publish(LARGEST[which], "x", qos=qos)
        listener.receive(LARGEST[which])
    sender.publish(BEYOND[which], "x")
    sender.ping()                                    # QoS 0 has no answer, and goes on
    for qos in (1, 2):
        if version == 5:
            answer = sender.publish(BEYOND[which], "x", qos=qos)
            assert answer.reason == Reason.TOPIC_NAME_INVALID
        else:
            sender.send(Publish(BEYOND[which], b"x", qos, packet_id=9))
            sender.expect_closed()
            sender = connect(version, "sender", port=port)
    listener.expect_nothing(after=sender)
    watcher.expect({"refused/topic": 3})
    expect_line(broker, "message refused", client="sender", topic=BEYOND[which],
                cause="the topic " + TOO_LONG)


@BOTH
@pytest.mark.parametrize("which", (0, 1), ids=("bytes", "levels"))
def test_a_filter(start, connect, version, which):
    broker, port, watcher = start(*TOPIC_OPTIONS)
    client = connect(version, "reader", port=port)
    answer = client.try_subscribe(BEYOND[which], LARGEST[which], "$share/g/" + LARGEST[which])
    assert answer.reasons == [Reason.TOPIC_FILTER_INVALID if version == 5 else 0x80, 0, 0]
    watcher.expect({"refused/topic": 1})
    expect_line(broker, "subscription refused", client="reader", filter=BEYOND[which],
                cause="the filter " + TOO_LONG)


@BOTH
@pytest.mark.parametrize("which", (0, 1), ids=("bytes", "levels"))
def test_the_topic_of_a_will(start, connect, version, which):
    broker, port, watcher = start(*TOPIC_OPTIONS)
    connect(version, port=port, will=Will(LARGEST[which], b"x")).ping()
    refused(connect, Reason.TOPIC_NAME_INVALID if version == 5 else 5, port, version, "mortal",
            will=Will(BEYOND[which], b"x"))
    watcher.expect({"refused/topic": 1})
    expect_line(broker, "connection refused", client="mortal", will=BEYOND[which],
                reason="the will's topic " + TOO_LONG)


# -------------------------------------------------------------------------------------- properties

USER_PROPERTIES = [("name", "value")] * 3
PROPERTY_LIMITS = {
    "user": ("--max-user-properties", "2", {"user_property": USER_PROPERTIES[:2]},
             {"user_property": USER_PROPERTIES}),
    "bytes": ("--max-property-bytes", "64", {"correlation_data": bytes(61)},
              {"correlation_data": bytes(62)}),
}
BY_PROPERTY = pytest.mark.parametrize("limit", PROPERTY_LIMITS)


@BY_PROPERTY
def test_properties_of_a_message(start, connect, prefix, limit):
    option, value, largest, beyond = PROPERTY_LIMITS[limit]
    broker, port, watcher = start(option, value)
    listener, sender = connect(5, port=port), connect(5, "sender", port=port)
    listener.subscribe(prefix)
    for qos in (0, 1, 2):
        sender.publish(prefix, "x", qos=qos, properties=largest)
        listener.receive(prefix, properties=largest)
    sender.publish(prefix, "x", properties=beyond)
    for qos in (1, 2):
        assert sender.publish(prefix, "x", qos=qos,
                              properties=beyond).reason == Reason.QUOTA_EXCEEDED
    listener.expect_nothing(after=sender)
    watcher.expect({"refused/properties": 3})
    expect_line(broker, "message refused", client="sender", topic=prefix,
                cause="too many properties (max_user_properties, max_property_bytes)")


@BY_PROPERTY
def test_properties_of_a_will(start, connect, prefix, limit):
    option, value, largest, beyond = PROPERTY_LIMITS[limit]
    broker, port, watcher = start(option, value)
    connect(5, port=port, will=Will(prefix, b"x", properties=largest)).ping()
    refused(connect, Reason.QUOTA_EXCEEDED, port, 5, "mortal",
            will=Will(prefix, b"x", properties=beyond))
    watcher.expect({"refused/properties": 1})
    expect_line(broker, "connection refused", client="mortal", will=prefix,
                reason="the will has too many properties (max_user_properties, max_property_b")


def test_topic_aliases(start, connect, prefix):
    broker, port, _ = start("--max-topic-alias", "2")
    listener, sender = connect(5, port=port), connect(5, "sender", port=port)
    assert sender.connack.properties["topic_alias_maximum"] == 2
    listener.subscribe(prefix)
    sender.publish(prefix, "x", properties={"topic_alias": 2})
    listener.receive(prefix)
    sender.send(Publish(prefix, b"x", properties={"topic_alias": 3}))
    sender.expect_closed(Reason.TOPIC_ALIAS_INVALID)
    expect_line(broker, "client disconnected", client="sender", reason="topic alias invalid")


# ----------------------------------------------------------------------------------- subscriptions

@BOTH
@pytest.mark.parametrize("option, count", (("--max-subscriptions", 5),
                                           ("--max-subscriptions-all", 7)))
def test_subscriptions(start, connect, version, prefix, option, count):
    """Of one session; and of all, where the watcher has two of the seven."""
    broker, port, watcher = start(option, count)
    client = connect(version, "reader", port=port)
    client.subscribe(*(f"{prefix}/{number}" for number in range(5)))
    beyond = Reason.QUOTA_EXCEEDED if version == 5 else 0x80
    answer = client.try_subscribe(f"{prefix}/4", f"{prefix}/5", f"$share/g/{prefix}")
    assert answer.reasons == [0, beyond, beyond], "what is there already is replaced"
    watcher.expect({"refused/subscriptions": 2})
    expect_line(broker, "subscription refused", client="reader", filter=f"{prefix}/5",
                cause="too many subscriptions (max_subscriptions, max_subscriptions_all)")


# ------------------------------------------------------------------------------- queues and output

@BOTH
@pytest.mark.parametrize("option", ("--max-queued-messages", "--max-queued-bytes"))
def test_a_queue(start, connect, version, prefix, option):
    """What waits for an absent client: the oldest stay, what comes then is dropped."""
    limit = 4 if option == "--max-queued-messages" else 4 * 10_500
    broker, port, watcher = start(option, limit)
    with connect(version, "away", port=port, **durable(version)) as away:
        away.subscribe(prefix, qos=1)
        away.disconnect()
    sender = connect(5, port=port)
    for number in range(7):
        sender.publish(prefix, b"%d" % number + bytes(9_999), qos=1)
    watcher.expect({"dropped/queue full": 3})
    expect_line(broker, "message not delivered", client="away", topic=prefix,
                cause="the session's queue is full", qos=1, bytes=10_000)
    back = connect(version, "away", port=port, **durable(version))
    got = [packet.payload[:1] for packet in back.receive_all(after=sender)]
    assert got == [b"0", b"1", b"2", b"3"]


@BOTH
def test_output(start, connect, version, prefix):
    """QoS 0 for who reads slowly: the newest stay."""
    broker, port, watcher = start("--max-output-bytes", "50k")
    slow = connect(version, "slow", port=port, receive_buffer=4096)
    sender = connect(5, port=port)
    slow.subscribe(prefix)
    count = 300
    for number in range(count):
        sender.publish(prefix, b"%d " % number + bytes(40_000))
    sender.ping()
    expect_line(broker, "message not delivered", client="slow", topic=prefix,
                cause="the client reads too slowly", qos=0)
    got = [int(packet.payload.split()[0]) for packet in slow.receive_all(after=sender)]
    assert got == sorted(got) and got[-1] == count - 1
    watcher.expect({"dropped/reads too slowly": count - len(got)})


@BOTH
def test_a_stalled_reader(start, connect, version, prefix):
    """It has output waiting and takes nothing; an idle one may wait for ever."""
    broker, port, watcher = start("--stalled-output-timeout", "1", "--max-output-bytes", "100M")
    idle = connect(version, "idle", port=port, receive_buffer=4096)
    stalled = connect(version, "stalled", port=port, receive_buffer=4096)
    sender = connect(5, port=port)
    stalled.subscribe(prefix)
    for _ in range(16):
        sender.publish(prefix, bytes(1 << 20))
    expect_line(broker, "client disconnected", client="stalled",
                reason="the client reads nothing (stalled_output_timeout)")
    idle.ping()
    watcher.expect_among_others(reads_nothing=1)     # what it had not been sent is "session ended"


@BOTH
@pytest.mark.parametrize("option, value", (("--max-inflight-messages", 3),
                                           ("--max-inflight-bytes", 25_000)))
def test_in_flight(start, connect, version, prefix, option, value):
    """Beyond it messages wait for an acknowledgement; nothing is refused."""
    _, port, _ = start(option, value)
    reader, sender = connect(version, port=port), connect(5, port=port)
    reader.subscribe(prefix, qos=1)
    for number in range(5):
        sender.publish(prefix, b"%d" % number + bytes(9_999), qos=1)
    first = [reader.expect(Publish) for _ in range(3)]
    reader.expect_nothing()
    reader.acknowledge(first[0])
    fourth = reader.expect(Publish)
    reader.expect_nothing()
    for packet in (*first[1:], fourth):
        reader.acknowledge(packet)
    reader.receive(prefix, b"4" + bytes(9_999))
    reader.expect_nothing()


def test_packets_too_large_for_the_client(start, connect, prefix):
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25]"""
    broker, port, watcher = start()
    largest = mqtt.encode(Publish(prefix, bytes(100)), 5)
    small = connect(5, "small", port=port, properties={"maximum_packet_size": len(largest)})
    sender = connect(5, port=port)
    small.subscribe(prefix, qos=1)
    sender.publish(prefix, bytes(101))
    sender.publish(prefix, bytes(99), qos=1)         # two bytes of packet identifier more
    sender.publish(prefix, bytes(100))
    small.receive(prefix, bytes(100))
    watcher.expect({"dropped/too large": 2})
    expect_line(broker, "message not delivered", client="small", topic=prefix,
                cause="larger than the client's maximum packet size", qos=0, bytes=101)


# ---------------------------------------------------------------------------------------- retained

@BOTH
@pytest.mark.parametrize("option, value", (("--max-retained-messages", "2"),
                                           ("--max-retained-bytes", "3000")))
def test_retained_messages(start, connect, version, prefix, option, value):
    broker, port, watcher = start(option, value)
    sender = connect(version, "sender", port=port)
    for number in (0, 1, 1):                         # what is there may be replaced
        sender.publish(f"{prefix}/{number}", bytes(1000), qos=1, retain=True)
    full = f"{prefix}/2"
    sender.publish(full, bytes(1000), retain=True)
    sender.ping()
    for qos in (1, 2):
        if version == 5:
            answer = sender.publish(full, bytes(1000), qos=qos, retain=True)
            assert answer.reason == Reason.QUOTA_EXCEEDED
        else:                                        # what may work later is not acknowledged
            sender.send(Publish(full, bytes(1000), qos, True, packet_id=9))
            sender.expect_closed()
            sender = connect(version, "sender", port=port)
    watcher.expect({"refused/retained": 3})
    expect_line(broker, "message refused", client="sender", topic=full,
                cause="no room to retain it (max_retained_messages, max_retained_bytes)")
    sender.publish(f"{prefix}/0", b"", qos=1, retain=True)
    sender.publish(full, bytes(1000), qos=1, retain=True)
    reader = connect(version, port=port)
    reader.subscribe(f"{prefix}/#")
    assert {reader.receive().topic for _ in range(2)} == {f"{prefix}/1", full}
    reader.expect_nothing()


@BOTH
def test_a_retained_will(start, connect, version, prefix):
    broker, port, watcher = start("--max-retained-messages", "1")
    sender = connect(version, port=port)
    sender.publish(prefix, "x", qos=1, retain=True)
    connect(version, "mortal", port=port, will=Will(f"{prefix}/will", b"x", retain=True)).abort()
    watcher.expect({"refused/retained": 1, "dropped/not retained": 1})
    expect_line(broker, "message not delivered", client="mortal", topic=f"{prefix}/will",
                cause="no room to retain it (max_retained_messages, max_retained_bytes)")
    sender.publish(prefix, "", qos=1, retain=True)
    connect(version, "mortal", port=port, will=Will(f"{prefix}/will", b"x", retain=True)).abort()
    reader = connect(version, port=port)
    reader.subscribe(f"{prefix}/will")
    reader.receive(f"{prefix}/will", "x")
