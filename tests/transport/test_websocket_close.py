# SPDX-License-Identifier: MIT
"""RFC 6455, chapter 7: how a WebSocket ends, and what it means to the MQTT in it."""
import pytest

import mqtt
from mqtt import Connack, Connect, Disconnect, Publish, Reason, Will
from websocket import BINARY, CLOSE, CONTINUATION, PING, close_frame, frame


def publish(topic, payload):
    return mqtt.encode(Publish(topic, payload), 4)


@pytest.mark.parametrize("code", (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
                                  1014, 3000, 3999, 4000, 4999))
@pytest.mark.parametrize("text", (b"", "ha det på badet".encode(), b"x" * 123),
                         ids=("no text", "text", "long text"))
def test_a_close_is_answered_with_its_code(echo, code, text):
    echo.send_bytes(close_frame(code, text))
    echo.expect_close(code)


@pytest.mark.parametrize("piece", (1, 1000))
def test_a_close_without_a_code(echo, piece):
    echo.send_slowly_past_frames(close_frame(), piece)
    echo.expect_close(0)


@pytest.mark.parametrize("code", (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000,
                                  65535))
def test_codes_that_may_not_be_sent(echo, code):
    echo.send_bytes(close_frame(code))
    echo.expect_close(1002)


@pytest.mark.parametrize("data, code", (
    (frame(CLOSE, b"\x03"), 1002), (close_frame(1000, b"x" * 124), 1002),
    (frame(CLOSE, fin=False), 1002), (close_frame(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80"), 1007),
    (close_frame(1000, b"\xff"), 1007),
), ids=("one byte", "126 bytes", "fragment", "surrogate", "no UTF-8"))
def test_closes_that_may_not_be(echo, data, code):
    echo.send_bytes(data)
    echo.expect_close(code)


@pytest.mark.parametrize("after", (
    close_frame(1001), frame(PING, b"late"), frame(BINARY, b"\xc0\0"), frame(CONTINUATION, b"x"),
    b"\xff" * 100_000,
), ids=("close", "ping", "message", "continuation", "rubbish"))
def test_what_follows_a_close_is_not_heard(echo, watcher, after):
    echo.send_bytes(close_frame(1000) + after + frame(BINARY, publish(echo.topic, b"late")))
    echo.expect_close(1000)
    assert not echo.controls
    watcher.expect_nothing()


def test_a_close_between_fragments(echo):
    data = publish(echo.topic, b"cut")
    echo.send_bytes(frame(BINARY, data[:-1], fin=False) + close_frame(1000) +
                    frame(CONTINUATION, data[-1:]))
    echo.expect_close(1000)


def test_what_came_before_a_close_is_done(echo, watcher):
    echo.send_bytes(frame(BINARY, publish(echo.topic, b"x" * 262144)) + close_frame(1000) +
                    frame(PING))
    watcher.expect_echo(b"x" * 262144)
    echo.expect_close(1000)


def test_a_close_is_no_goodbye_in_mqtt(over_websocket, prefix):
    """Without DISCONNECT the will is due, whatever the code."""
    watcher = over_websocket().listen(prefix)
    client = over_websocket(will=Will(prefix, b"gone"))
    client.send_bytes(close_frame(1000))
    client.expect_close(1000)
    watcher.expect_echo(b"gone")


def test_disconnect_closes_normally(over_websocket, prefix):
    watcher = over_websocket().listen(prefix)
    client = over_websocket(will=Will(prefix, b"gone"))
    client.send(Disconnect())
    client.expect_close(1000)
    watcher.expect_nothing()


@pytest.mark.parametrize("version", (4, 5))
def test_an_error_in_mqtt_closes_the_websocket_too(over_websocket, version):
    """5.0 says why in DISCONNECT; the close frame comes behind it."""
    client = over_websocket(version)
    client.send_raw(b"\xf7\0" if version == 4 else b"\x00\0")
    client.expect_close(1002)
    if version == 5:
        client.expect(Disconnect, reason={Reason.MALFORMED_PACKET, Reason.PROTOCOL_ERROR})


def test_a_refusal_in_mqtt_is_read_before_the_close(over_websocket):
    client = over_websocket(5, connect=False)
    client.send(Connect(protocol_level=9))
    client.expect_close(1002)
    client.expect(Connack, reason=Reason.UNSUPPORTED_PROTOCOL_VERSION)


def test_a_stopping_broker_is_going_away(fresh_broker, over_websocket):
    broker = fresh_broker()
    client = over_websocket(5, port=broker.port)
    broker.stop()
    client.expect_close(1001)
    client.expect(Disconnect, reason=Reason.SERVER_SHUTTING_DOWN)


def test_a_packet_that_is_too_large_says_so(fresh_broker, over_websocket, prefix):
    broker = fresh_broker("--max-packet-size", "1000")
    client = over_websocket(5, port=broker.port)
    client.send(Publish(prefix, b"x" * 2000))
    client.expect_close(1009)
    client.expect(Disconnect, reason=Reason.PACKET_TOO_LARGE)
