# SPDX-License-Identifier: MIT
"""MQTT over WebSocket for the tests: the opening handshake and frames, by the book (RFC 6455).

A Client whose bytes go through frames of the test's choosing. It sends what it is told, right or
wrong, and demands of the broker what the standards demand: no masks, no fragments, no reserved
bits, shortest lengths, binary frames only. Control frames wait in `controls`.
"""
import base64
import hashlib
import os
import time
from collections import deque
from dataclasses import dataclass

import client as client_module
import mqtt
from client import Client

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, payload=b"", *, fin=True, mask=None, reserved=0, size=None, width=None):
    """The bytes of one frame. `mask`: four bytes, b"" for none, random by default. `size` and
    `width` (1, 3 or 9 bytes of length) may lie."""
    mask = os.urandom(4) if mask is None else mask
    size = len(payload) if size is None else size
    width = width or (1 if size < 126 else 3 if size < 65536 else 9)
    first = bytes([fin << 7 | reserved << 4 | opcode])
    short = size if width == 1 else 126 if width == 3 else 127
    length = bytes([bool(mask) << 7 | short]) + (size.to_bytes(width - 1, "big") if width > 1
                                                else b"")
    if not mask:
        return first + length + payload
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(
        len(payload), "big")
    return first + length + mask + masked


def close_frame(code=None, text=b""):
    return frame(CLOSE, (b"" if code is None else mqtt.u16(code)) + text)


@dataclass
class Answer:
    """To an HTTP request."""
    status: int
    headers: dict
    body: bytes = b""


def request(*, start="GET /mqtt HTTP/1.1", **changes):
    """A handshake as text. `changes`: headers by their names with _ for -; None leaves one out, a
    list repeats it."""
    headers = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
               "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "mqtt"}
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {one}" for name, value in headers.items() if value is not None
             for one in (value if isinstance(value, list) else [value])]
    return "\r\n".join([start, *lines, "", ""])


class WebSocketClient(Client):
    """`upgrade` (unless it is False) says what the handshake differs in; `before` goes out first
    (a PROXY header). Then `connect` as always."""

    def __init__(self, port, version=5, client_id="", *, upgrade=None, connect=True, before=b"",
                 source=None, receive_buffer=None, **fields):
        self.frames, self.frame_size, self.opcode = bytearray(), None, BINARY
        self.controls, self.closed_with = deque(), None
        super().__init__(port, version, client_id, connect=False, source=source,
                         receive_buffer=receive_buffer)
        super().send_raw(before)
        if upgrade is not False:
            self.upgrade(**(upgrade or {}))
            if connect:
                self.connack = self.connect(**fields)

    # ------------------------------------------------------------------------------- handshake

    def ask(self, text):
        """Sends a request and returns the Answer, with the body when it is no 101."""
        self.send_bytes(text.encode("latin-1") if isinstance(text, str) else text)
        return self.read_answer()

    def read_answer(self):
        head = bytearray()
        while b"\r\n\r\n" not in head:
            data = self.socket.recv(1)
            assert data, f"the end of the connection in place of an answer: {bytes(head)!r}"
            head += data
        status, *lines = head.decode().rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in
                   (line.split(":", 1) for line in lines)}
        assert status.startswith("HTTP/1.1 "), status
        answer = Answer(int(status.split()[1]), headers)
        while answer.status != 101 and (data := self.socket.recv(65536)):
            answer.body += data
        return answer

    def upgrade(self, protocol="mqtt", **changes):
        """The handshake, which must succeed; returns the headers of the answer."""
        text = request(Sec_WebSocket_Protocol=protocol, **changes)
        key = next(line for line in text.split("\r\n") if line.startswith("Sec-WebSocket-Key: "))
        answer = self.ask(text)
        assert answer.status == 101, answer
        digest = hashlib.sha1((key.split()[1] + GUID).encode()).digest()
        assert answer.headers["sec-websocket-accept"] == base64.b64encode(digest).decode()
        assert answer.headers["upgrade"].lower() == "websocket"
        assert answer.headers["connection"].lower() == "upgrade"
        assert "sec-websocket-extensions" not in answer.headers
        return answer.headers

    # ---------------------------------------------------------------------------------- frames

    def send_bytes(self, data):
        """Past the frames."""
        super().send_raw(data)

    def send_frame(self, data, opcode=BINARY, is_last=True, **how):
        self.send_bytes(frame(opcode, data, fin=is_last, **how))

    def send_raw(self, data):
        """In frames of `frame_size` bytes; None: one frame for each call."""
        size = self.frame_size or max(len(data), 1)
        for at in range(0, len(data), size):
            self.send_frame(data[at:at + size], self.opcode)

    def _receive(self, deadline):
        """Reads once, and moves the payload of whole binary frames into the buffer. False at the
        end of the stream or of the WebSocket, if nothing came before it."""
        size, before, self.buffer = len(self.buffer), self.buffer, self.frames
        try:
            is_open = super()._receive(deadline)
        finally:
            self.frames, self.buffer = self.buffer, before
        while self.closed_with is None and (one := self._take_frame()):
            self._sort(*one)
        self.is_eof = self.is_eof or self.closed_with is not None
        return len(self.buffer) > size or (is_open and self.closed_with is None)

    def _sort(self, opcode, payload):
        if opcode == BINARY:
            self.buffer += payload
        elif opcode == CLOSE:
            mqtt.need(len(payload) != 1, "a close code of one byte")
            self.closed_with = int.from_bytes(payload[:2], "big") if payload else 0
        else:
            mqtt.need(opcode in (PING, PONG), f"a frame of opcode {opcode} for MQTT")
            self.controls.append((opcode, payload))

    def _take_frame(self):
        """(opcode, payload) of the first whole frame, or None."""
        data, start = self.frames, 2
        if len(data) < 2:
            return None
        mqtt.need(data[0] & 0xF0 == 0x80, f"fragments or reserved bits: {data[0]:#x}")
        mqtt.need(not data[1] & 0x80, "a server may not mask")
        size = data[1] & 0x7F
        mqtt.need(size <= 125 or data[0] & 15 < CLOSE, "a control frame of more than 125 bytes")
        if size > 125:
            start += 2 if size == 126 else 8
            size = int.from_bytes(data[2:start], "big")
            mqtt.need(len(data) < start or size > (125 if start == 4 else 65535),
                      "a length in a longer form")
        if len(data) < start + size:
            return None
        one = data[0] & 15, bytes(data[start:start + size])
        del data[:start + size]
        return one

    # --------------------------------------------------------------------------- control frames

    def expect_control(self, opcode, payload=b""):
        """The next control frame is this one; messages that come before it are kept."""
        deadline = time.monotonic() + client_module.TIMEOUT
        while not self.controls:
            assert self._receive(deadline), f"closed with {self.closed_with}"
        assert self.controls.popleft() == (opcode, payload)

    def expect_close(self, code):
        """A close frame with this code (0: without one), and then the end of the stream, with
        nothing in between. Messages that come before it are kept."""
        deadline = time.monotonic() + client_module.TIMEOUT
        while not self.is_eof:
            self._receive(deadline)
        assert self.closed_with == code, f"{self.closed_with} in place of {code}"
        assert not self.frames, f"behind the close frame: {bytes(self.frames)!r}"
        try:
            assert self.socket.recv(1) == b""
        except ConnectionResetError:
            pass  # some of what was sent behind the close was never read
