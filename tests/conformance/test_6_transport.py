# SPDX-License-Identifier: MIT
"""Chapters 3.14, 4.2 and 6: goodbye, and the streams that MQTT goes over."""
import pytest

import mqtt
from exchange import MALFORMED_OR_PROTOCOL_ERROR, listener_on, session
from mqtt import Connack, Connect, Disconnect, Puback, Publish, Reason, Subscribe, Suback
from mqtt import Subscription, Will
from websocket import TEXT, WebSocketClient

proves = pytest.mark.proves


# -------------------------------------------------------------------------------------- DISCONNECT

@proves("5.0", "MQTT-3.14.4-1", "MQTT-3.14.4-2")
@proves("3.1.1", "MQTT-3.14.4-1", "MQTT-3.14.4-2")
def test_what_follows_a_disconnect_is_ignored(connect, prefix, version):
    """In the same segment; the broker closes, and says nothing more."""
    listener, client = listener_on(connect, prefix, version=version), connect(version)
    packets = (Publish(prefix, b"before", 1, packet_id=1), Disconnect(),
               Publish(prefix, b"behind", 1, True, packet_id=2), Connect("x"))
    client.send_raw(b"".join(mqtt.encode(packet, version) for packet in packets))
    client.expect(Puback, packet_id=1)
    client.expect_closed()
    listener.receive(prefix, "before")
    listener.expect_nothing(after=connect(version))
    listener_on(connect, prefix, version=version).expect_nothing()


@proves("5.0", "MQTT-3.14.4-3", "MQTT-3.1.2-8", "MQTT-3.1.2-10")
@pytest.mark.parametrize("reason", (0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x93, 0x95, 0x97, 0x99))
def test_only_disconnect_0_deletes_the_will(connect, prefix, reason):
    """In its short form and in its long ones."""
    listener = listener_on(connect, prefix)
    for data in (b"\xe0\1" + bytes([reason]), b"\xe0\2" + bytes([reason, 0]), b"\xe0\0"):
        client = connect(5, will=Will(prefix, b"gone"))
        client.send_raw(data)
        client.expect_closed()
        if data[2:3] not in (b"", b"\0"):
            listener.receive(prefix, "gone")
    listener.expect_nothing(after=connect(5))


@proves("5.0", "MQTT-4.13.1-1", "MQTT-4.13.2-1", "MQTT-3.14.2-1")
def test_a_session_expiry_in_disconnect_where_there_was_none(connect, prefix):
    listener = listener_on(connect, prefix)
    client = connect(5, will=Will(prefix, b"gone"))
    client.send(Disconnect(0, {"session_expiry_interval": 60}))
    client.expect_closed(Reason.PROTOCOL_ERROR)
    listener.receive(prefix, "gone")


@proves("5.0", "MQTT-4.13.1-1")
@pytest.mark.parametrize("properties", (
    {"topic_alias": 1}, {"receive_maximum": 1}, [("session_expiry_interval", 1)] * 2, b"\x11\0\0\0",
), ids=repr)
def test_properties_that_disconnect_may_not_have(connect, new_id, properties):
    client = session(connect, new_id())
    client.send(Disconnect(0, properties))
    client.expect_closed(MALFORMED_OR_PROTOCOL_ERROR)


# ----------------------------------------------------------------------------------------- streams

@proves("5.0", "MQTT-4.2.0-1")
@proves("3.1.1", "MQTT-7.1.1-1")
@pytest.mark.parametrize("piece", (1, 2, 3, 7, 1000))
def test_tcp_is_a_stream(connect, prefix, version, piece):
    """Packets are found in it however it is cut."""
    client = connect(version, connect=False)
    packets = (Connect(client.client_id), Subscribe(1, [Subscription(prefix, 1)]),
               Publish(prefix, b"x" * 300, 1, packet_id=2))
    client.send_slowly(b"".join(mqtt.encode(packet, version) for packet in packets), piece)
    client.expect(Connack, reason=0)
    client.expect(Suback)
    client.wait_for(Puback, packet_id=2)
    client.receive(prefix, b"x" * 300)


# --------------------------------------------------------------------------------------- WebSocket

@pytest.fixture(name="over_websocket")
def fixture_over_websocket(broker, new_id):
    """A factory of clients over WebSocket."""
    clients = []

    def make(version=5, **fields):
        clients.append(WebSocketClient(broker.port, version, new_id(), **fields))
        return clients[-1]
    yield make
    for client in clients:
        client.abort()


@proves("5.0", "MQTT-6.0.0-4")
@proves("3.1.1", "MQTT-6.0.0-4")
@pytest.mark.parametrize("offered", ("mqtt", "mqttv3.1, mqtt", "mqtt, chat"))
def test_the_sub_protocol_is_mqtt(over_websocket, version, offered):
    client = over_websocket(version, upgrade=False)
    assert client.upgrade(offered)["sec-websocket-protocol"] == "mqtt"
    client.connect()
    client.ping()


@proves("5.0", "MQTT-6.0.0-1")
@proves("3.1.1", "MQTT-6.0.0-1")
def test_a_text_frame_ends_the_connection(over_websocket, connect, prefix, version):
    """And the will is due; what the broker sends is in binary frames, which the client checks."""
    listener = listener_on(connect, prefix, version=version)
    client = over_websocket(version, will=Will(prefix, b"gone"))
    client.ping()
    client.opcode = TEXT
    client.send(Publish(prefix, b"x"))
    client.read_to_end()
    listener.receive(prefix, "gone")
    listener.expect_nothing(after=connect(version))


@proves("5.0", "MQTT-6.0.0-2")
@proves("3.1.1", "MQTT-6.0.0-2")
@pytest.mark.parametrize("frame_size", (1, 2, 5, 100, 100_000))
def test_frames_are_not_packets(over_websocket, prefix, version, frame_size):
    """Many packets in a frame, a packet over many frames, and borders anywhere."""
    client = over_websocket(version, connect=False)
    client.frame_size = frame_size
    packets = (Connect(client.client_id), Subscribe(1, [Subscription(prefix, 1)]),
               *(Publish(prefix, b"%d" % number, 1, packet_id=number + 1) for number in range(50)))
    client.send_raw(b"".join(mqtt.encode(packet, version) for packet in packets))
    client.expect(Connack, reason=0)
    client.expect(Suback)
    got = [client.wait_for(Publish).payload for _ in range(32)]
    assert got == [b"%d" % number for number in range(32)]
