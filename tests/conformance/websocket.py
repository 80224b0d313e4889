# SPDX-License-Identifier: MIT
"""MQTT over WebSocket for the tests: the opening handshake and frames, by the book (RFC 6455).

A Client whose bytes go through frames of the test's choosing. It sends what it is told, right or
wrong, and demands of the broker what the standards demand.
"""
import base64
import hashlib
import os

import mqtt
from client import Client

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE = 0, 1, 2, 8


class WebSocketClient(Client):
    """connect=False and no handshake as yet: `upgrade` does that, then `connect` as always."""

    def __init__(self, port, version=5, client_id="", **fields):
        self.frames, self.frame_size, self.opcode = bytearray(), None, BINARY
        super().__init__(port, version, client_id, connect=False)
        if fields.pop("upgrade", True):
            self.upgrade()
            if fields.pop("connect", True):
                self.connack = self.connect(**fields)

    def upgrade(self, protocol="mqtt"):
        """The handshake; returns the headers of the answer, which must be 101."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n").encode())
        answer = bytearray()
        while b"\r\n\r\n" not in answer:
            data = self.socket.recv(1)
            assert data, f"the end of the connection in place of a handshake: {bytes(answer)!r}"
            answer += data
        status, *lines = answer.decode().rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in
                   (line.split(":", 1) for line in lines)}
        digest = hashlib.sha1((key + GUID).encode()).digest()
        assert status.startswith("HTTP/1.1 101 "), status
        assert headers["sec-websocket-accept"] == base64.b64encode(digest).decode()
        return headers

    def send_frame(self, data, opcode=BINARY, is_last=True):
        """One masked frame."""
        mask, size = os.urandom(4), len(data)
        header = bytes([is_last << 7 | opcode])
        if size < 126:
            header += bytes([0x80 | size])
        elif size < 65536:
            header += b"\xfe" + mqtt.u16(size)
        else:
            header += b"\xff" + size.to_bytes(8, "big")
        super().send_raw(header + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(data)))

    def send_raw(self, data):
        """In frames of `frame_size` bytes; None: one frame for each call."""
        size = self.frame_size or max(len(data), 1)
        for at in range(0, len(data), size):
            self.send_frame(data[at:at + size], self.opcode)

    def _receive(self, deadline):
        """Reads once, and moves the payload of whole binary frames into the buffer."""
        before, self.buffer = self.buffer, self.frames
        is_open = super()._receive(deadline)
        self.frames, self.buffer = self.buffer, before
        while frame := self._take_frame():
            opcode, payload = frame
            if opcode == CLOSE:
                self.is_eof = True
                return False
            mqtt.need(opcode in (BINARY, CONTINUATION), f"a frame of opcode {opcode} for MQTT")
            self.buffer += payload
        return is_open

    def _take_frame(self):
        """(opcode, payload) of the first whole frame, or None."""
        data, start = self.frames, 2
        if len(data) < 2:
            return None
        mqtt.need(not data[1] & 0x80, "a server may not mask")
        size = data[1] & 0x7F
        if size > 125:
            start += 2 if size == 126 else 8
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return None
        frame = data[0] & 15, bytes(data[start:start + size])
        del data[:start + size]
        return frame
