# SPDX-License-Identifier: MIT
"""RFC 6455, chapter 5: data frames, fragments, control frames, reserved bits and kinds.

An MQTT packet that is published to its own publisher is what elsewhere is an echoed message.
"""
import pytest

import mqtt
from mqtt import Connack, Connect, Publish, Suback, Subscribe, Subscription
from websocket import BINARY, CONTINUATION, PING, PONG, TEXT, close_frame, frame


def packet(topic, size):
    """A PUBLISH of exactly `size` bytes, and its payload."""
    for payload_size in range(max(size - len(topic) - 7, 0), size):
        payload = bytes(index * 7 % 256 for index in range(payload_size))
        data = mqtt.encode(Publish(topic, payload), 4)
        if len(data) == size:
            return data, payload
    raise ValueError(f"no packet for this topic has {size} bytes")


def publish(topic, payload):
    return mqtt.encode(Publish(topic, payload), 4)


# ------------------------------------------------------------------------------------- data frames

@pytest.mark.parametrize("size", (100, 125, 126, 127, 128, 4095, 4096, 65535, 65536, 300_000))
def test_lengths(echo, size):
    data, payload = packet(echo.topic, size)
    echo.send_bytes(frame(BINARY, data))
    echo.expect_echo(payload)


@pytest.mark.parametrize("piece", (1, 2, 3, 5, 13, 997))
def test_a_frame_in_pieces(echo, piece):
    data, payload = packet(echo.topic, 700 if piece < 997 else 65536)
    echo.send_slowly_past_frames(frame(BINARY, data), piece)
    echo.expect_echo(payload)


def test_empty_frames_and_messages(echo):
    empty = frame(BINARY) + frame(BINARY, fin=False) + frame(CONTINUATION, fin=False)
    echo.send_bytes(empty + frame(CONTINUATION) + frame(BINARY))
    echo.echo(b"and on")


@pytest.mark.parametrize("mask", (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\2\3\4", b"\0\0\0\x80"))
def test_masks(echo, mask):
    echo.send_bytes(frame(BINARY, publish(echo.topic, b"masked" * 50), mask=mask))
    echo.expect_echo(b"masked" * 50)


def test_many_packets_in_a_frame_and_many_frames_in_a_segment(echo):
    packets = b"".join(publish(echo.topic, b"%d" % number) for number in range(300))
    echo.send_bytes(frame(BINARY, packets))
    echo.send_bytes(b"".join(frame(BINARY, packets[at:at + 1]) for at in range(len(packets))))
    for number in (*range(300), *range(300)):
        echo.expect_echo(b"%d" % number)


def test_cut_at_each_byte(broker, over_websocket, prefix):
    """Handshake excluded, everything in two segments: frames, their headers and masks included."""
    def stream(number):
        packets = (Connect(f"cut-{number:03}"), Subscribe(1, [Subscription(prefix)]),
                   Publish(prefix, b"x" * 130))
        data = b"".join(mqtt.encode(one, 4) for one in packets)
        return (frame(BINARY, data[:20], fin=False, mask=b"abcd") +
                frame(PING, b"p", mask=b"efgh") + frame(CONTINUATION, data[20:], mask=b"ijkl"))

    for cut in range(1, len(stream(0))):
        client = over_websocket(connect=False)
        client.send_bytes(stream(cut)[:cut])
        client.send_bytes(stream(cut)[cut:])
        client.expect_control(PONG, b"p")
        client.expect(Connack, reason=0)
        client.expect(Suback)
        client.receive(prefix, b"x" * 130)
        client.abort()


# --------------------------------------------------------------------------------- pings and pongs

@pytest.mark.parametrize("payload", (b"", b"Hello", bytes(range(0xf8, 0x100)), b"x" * 125),
                         ids=("empty", "text", "binary", "125 bytes"))
@pytest.mark.parametrize("piece", (1, 1000))
def test_ping(echo, payload, piece):
    echo.send_slowly_past_frames(frame(PING, payload), piece)
    echo.expect_control(PONG, payload)
    echo.echo(b"and on")


def test_pongs_that_nobody_asked_for(echo):
    echo.send_bytes(frame(PONG) + frame(PONG, b"unasked") + frame(PING, b"asked"))
    echo.expect_control(PONG, b"asked")
    echo.echo(b"and on")
    assert not echo.controls


@pytest.mark.parametrize("piece", (1, 1000))
def test_ten_pings(echo, piece):
    echo.send_slowly_past_frames(b"".join(frame(PING, b"%d" % n) for n in range(10)), piece)
    for number in range(10):
        echo.expect_control(PONG, b"%d" % number)


def test_a_ping_before_connect(over_websocket):
    client = over_websocket(connect=False)
    client.send_bytes(frame(PING, b"early"))
    client.expect_control(PONG, b"early")
    client.connect()


@pytest.mark.parametrize("data", (
    frame(PING, b"x" * 126), frame(PONG, b"x" * 126), frame(PING, b"x" * 70000),
    frame(PING, b"half", fin=False), frame(PONG, b"half", fin=False),
    frame(PING, fin=False) + frame(CONTINUATION), frame(PING, b"x", width=3),
), ids=("ping 126", "pong 126", "ping 70000", "ping fragment", "pong fragment", "ping continued",
        "long length"))
def test_control_frames_that_may_not_be(echo, data):
    echo.send_bytes(data)
    echo.expect_close(1002)


# ----------------------------------------------------------------------- reserved bits and kinds

@pytest.mark.parametrize("reserved", range(1, 8))
@pytest.mark.parametrize("opcode", (BINARY, PING, 8))
def test_reserved_bits(echo, watcher, opcode, reserved):
    echo.send_bytes(frame(BINARY, publish(echo.topic, b"good")) +
                    frame(opcode, b"bad!", reserved=reserved))
    echo.expect_close(1002)
    watcher.expect_echo(b"good")


def test_a_continuation_with_reserved_bits(echo):
    echo.send_bytes(frame(BINARY, publish(echo.topic, b"x"), fin=False))
    echo.send_bytes(frame(CONTINUATION, b"x", reserved=4))
    echo.expect_close(1002)


@pytest.mark.parametrize("payload", (b"", b"payload"))
@pytest.mark.parametrize("opcode", (3, 4, 5, 6, 7, 11, 12, 13, 14, 15))
def test_reserved_kinds(echo, watcher, opcode, payload):
    echo.send_bytes(frame(BINARY, publish(echo.topic, b"good")) + frame(opcode, payload) +
                    frame(PING))
    echo.expect_close(1002)
    watcher.expect_echo(b"good")
    assert not echo.controls


@pytest.mark.parametrize("data", (frame(TEXT, b"text"), frame(TEXT), frame(TEXT, b"te", fin=False)),
                         ids=("text", "empty", "fragment"))
def test_text(echo, data):
    echo.send_bytes(data)
    echo.expect_close(1003)


@pytest.mark.parametrize("data", (
    frame(BINARY, b"\xc0\0", mask=b""), frame(PING, mask=b""), frame(8, mask=b""),
    frame(BINARY, b"x" * 70000, mask=b""),
), ids=("binary", "ping", "close", "large"))
def test_without_a_mask(echo, data):
    echo.send_bytes(data)
    echo.expect_close(1002)


@pytest.mark.parametrize("data", (
    frame(BINARY, b"\xc0\0", width=3), frame(BINARY, b"\xc0\0", width=9),
    frame(BINARY, b"x" * 200, width=9), frame(BINARY, size=1 << 63, width=9),
    frame(BINARY, size=(1 << 64) - 1, width=9),
), ids=("16 bits", "64 bits", "64 for 16", "the top bit", "all bits"))
def test_lengths_that_may_not_be(echo, data):
    echo.send_bytes(data)
    echo.expect_close(1002)


# -------------------------------------------------------------------------------------- fragments

@pytest.mark.parametrize("piece", (1, 1000))
@pytest.mark.parametrize("size", (1, 2, 7, 130))
def test_fragments(echo, size, piece):
    data = publish(echo.topic, b"fragmented" * 20)
    parts = [data[at:at + size] for at in range(0, len(data), size)]
    stream = b"".join(frame(CONTINUATION if n else BINARY, part, fin=n == len(parts) - 1)
                      for n, part in enumerate(parts))
    echo.send_slowly_past_frames(stream, piece)
    echo.expect_echo(b"fragmented" * 20)


@pytest.mark.parametrize("piece", (1, 1000))
def test_pings_between_fragments(echo, piece):
    data = publish(echo.topic, b"fragmented")
    stream = (frame(BINARY, data[:2], fin=False) + frame(PING, b"1") +
              frame(CONTINUATION, data[2:5], fin=False) + frame(PING, b"2") + frame(PONG) +
              frame(CONTINUATION, data[5:]))
    echo.send_slowly_past_frames(stream, piece)
    echo.expect_control(PONG, b"1")
    echo.expect_control(PONG, b"2")
    echo.expect_echo(b"fragmented")


@pytest.mark.parametrize("data", (
    frame(CONTINUATION, b"x"), frame(CONTINUATION, b"x", fin=False), frame(CONTINUATION),
    frame(BINARY) + frame(CONTINUATION),
    frame(BINARY, fin=False) + frame(CONTINUATION) + frame(CONTINUATION),
    frame(BINARY, fin=False) + frame(BINARY),
    frame(BINARY, fin=False) + frame(PING) + frame(BINARY, fin=False),
), ids=("last", "first", "empty", "after a message", "one too many", "message within",
        "fragments within"))
def test_fragments_that_may_not_be(echo, watcher, data):
    """What came before the bad frame was done; what was to be said about it is not, for nothing
    may follow the close frame."""
    echo.send_bytes(frame(BINARY, publish(echo.topic, b"good")) + data)
    echo.expect_close(1002)
    watcher.expect_echo(b"good")


def test_the_end_within_a_frame(echo, watcher):
    """No close frame, and half a frame: the connection is lost, and nothing of the half is done."""
    data, _ = packet(echo.topic, 500)
    echo.send_bytes(frame(BINARY, data)[:-1])
    echo.end_stream()
    echo.read_to_end()
    assert echo.closed_with in (None, 1000, 1002)
    watcher.expect_nothing()


def test_goodbye_in_mqtt_and_in_websocket(echo):
    """DISCONNECT and the close frame in one segment."""
    echo.send_bytes(frame(BINARY, b"\xe0\0") + close_frame(1000))
    echo.expect_close(1000)
