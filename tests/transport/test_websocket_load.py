# SPDX-License-Identifier: MIT
"""WebSocket under weight: large messages, many small ones, floods, and lengths that are lies.

Nothing of it may take memory that does not belong to a message, or keep others waiting.
"""
import os
import socket
import time

import pytest

import mqtt
from client import TIMEOUT
from mqtt import Publish
from websocket import BINARY, CONTINUATION, PING, PONG, close_frame, frame

MEGABYTE = 1 << 20


def publish(topic, payload):
    return mqtt.encode(Publish(topic, payload), 4)


@pytest.mark.parametrize("size", (64 << 10, 1 << 20, 4 << 20))
def test_one_large_frame(echo, size):
    payload = os.urandom(size)
    echo.send_bytes(frame(BINARY, publish(echo.topic, payload)))
    echo.expect_echo(payload)


@pytest.mark.parametrize("piece", (64, 1300, 65536))
def test_a_large_message_in_fragments(echo, piece):
    payload = os.urandom(MEGABYTE // 4)
    data = publish(echo.topic, payload)
    starts = range(0, len(data), piece)
    echo.send_bytes(b"".join(
        frame(CONTINUATION if at else BINARY, data[at:at + piece], fin=at == starts[-1])
        for at in starts))
    echo.expect_echo(payload)


@pytest.mark.parametrize("size", (0, 16, 256, 1024))
def test_many_small_messages(echo, size):
    payloads = [b"%05d" % number + b"x" * size for number in range(1000)]
    for payload in payloads:
        echo.send_frame(publish(echo.topic, payload))
    for payload in payloads:
        echo.expect_echo(payload)


def send_while_it_takes(client, data, most):
    """Sends `data` again and again, whole, until the socket is full for a second or `most` bytes
    went. Returns how many times it went, and what was left of the last."""
    client.socket.settimeout(1)
    times, view = 0, b""
    try:
        while times * len(data) < most:
            view = memoryview(data)
            while view:
                view = view[client.socket.send(view):]
            times += 1
    except socket.timeout:
        pass
    client.socket.settimeout(10)
    return times, bytes(view)


def await_pong(client):
    """Reads until the newest ping was answered; those before it need not be [RFC 6455 5.5.3]."""
    client.send_bytes(frame(PING, b"newest"))
    client.controls.clear()
    deadline = time.monotonic() + TIMEOUT
    while (PONG, b"newest") not in client.controls:
        client.controls.clear()
        assert client._receive(deadline), "closed"


def test_a_flood_of_pings_that_nobody_reads(broker, over_websocket, prefix):
    """The pongs fill the socket; the broker goes on reading, keeps one pong, and serves others."""
    flooder = over_websocket(receive_buffer=4096)
    pings = frame(PING, b"p" * 125, mask=b"\0\0\0\0") * 1000
    before = broker.rss()
    _, rest = send_while_it_takes(flooder, pings, 30 * MEGABYTE)
    over_websocket().listen(prefix).echo(b"served")
    flooder.send_bytes(rest)
    await_pong(flooder)
    assert broker.has_sanitizer() or broker.rss() - before < 4 * MEGABYTE
    flooder.ping()


def test_floods_do_not_keep_others_waiting(broker, over_websocket, prefix):
    flooders = [over_websocket() for _ in range(4)]
    client = over_websocket().listen(prefix)
    empty = (frame(PING, mask=b"\0\0\0\0") + frame(BINARY, mask=b"\0\0\0\0")) * 5000
    for flooder in flooders:
        flooder.send_bytes(empty)
        client.echo(b"served")
    for flooder in flooders:
        await_pong(flooder)
        flooder.ping()


@pytest.mark.parametrize("size", ((1 << 63) - 1, 1 << 32, 1 << 20))
def test_a_length_that_is_a_lie(broker, over_websocket, size):
    """It is believed only as bytes come: they are MQTT, and MQTT has its own limits."""
    client = over_websocket()
    before = broker.rss()
    data = b"\xc0\0" * 50_000
    client.send_bytes(frame(BINARY, data, size=size, width=9))
    for _ in range(50_000):
        client.expect(mqtt.Pingresp)
    assert broker.has_sanitizer() or broker.rss() - before < 4 * MEGABYTE
    client.send_bytes(b"\xc0\0" * 3)
    client.abort()


def test_a_packet_that_is_a_lie(fresh_broker, over_websocket, prefix):
    """A PUBLISH of 256 MB is claimed, and 1 MB of it comes."""
    broker = fresh_broker()
    client = over_websocket(5, port=broker.port)
    before = broker.rss()
    head = b"\x30\xff\xff\xff\x7f" + mqtt.binary(prefix.encode()) + b"\0"
    client.send_bytes(frame(BINARY, head + b"x" * MEGABYTE, size=268_435_460, width=9))
    client.end_stream()
    client.read_to_end()
    assert broker.has_sanitizer() or broker.rss() - before < 8 * MEGABYTE


@pytest.mark.memory
def test_256_megabytes_in_one_frame(fresh_broker, over_websocket, prefix):
    """The message exists once; its frame takes nothing."""
    broker = fresh_broker()
    client = over_websocket(5, port=broker.port).listen(prefix)
    client.ping()
    broker.reset_peak()
    before = broker.rss("VmHWM")
    packet = mqtt.encode(Publish(prefix, b"x" * (250 * MEGABYTE)), 5)
    client.send_bytes(frame(BINARY, packet, mask=b"\0\0\0\0"))
    client.receive(prefix, timeout=60)
    assert broker.rss("VmHWM") - before < 300 * MEGABYTE


def test_a_slow_reader_gets_all_in_order(broker, over_websocket, prefix):
    """Frames that the socket takes in parts, with pings in between."""
    slow = over_websocket(receive_buffer=4096)
    slow.subscribe((prefix, 1))
    fast = over_websocket()
    payloads = [b"%03d" % number + b"y" * 40_000 for number in range(60)]
    for payload in payloads:
        fast.publish(prefix, payload, qos=1)
    slow.send_bytes(frame(PING, b"between"))
    for payload in payloads:
        slow.receive(prefix, payload)
    slow.expect_control(PONG, b"between")


def test_a_close_in_the_middle_of_a_large_frame(over_websocket, prefix):
    """The frame that was begun is finished, then comes the answer; the rest of the message is not
    sent any more."""
    slow = over_websocket(receive_buffer=4096)
    slow.subscribe(prefix)
    fast = over_websocket()
    fast.publish(prefix, b"z" * (16 << 20))
    fast.ping()
    slow.send_bytes(close_frame(1000))
    slow.expect_close(1000)
    assert len(slow.buffer) < 16 << 20
