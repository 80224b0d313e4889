# SPDX-License-Identifier: MIT
"""A small blocking MQTT client on a plain socket, for tests.

Nothing is sent that the test did not ask for and nothing that arrives is swallowed:
  - `expect(...)` takes the NEXT packet and demands that it is the one described;
  - `wait_for(...)` takes the next packet of that description and keeps the others, in order, for
    later `expect` calls;
  - what the broker may never send raises (see mqtt.py), in every call.
No method sleeps. Each waits for its condition, at most TIMEOUT seconds.
"""
from __future__ import annotations

import itertools
import os
import select
import socket
import time
from collections import deque

import mqtt
from mqtt import (Connack, Connect, Disconnect, Pingreq, Pingresp, Puback, Pubcomp, Publish,
                  Pubrec, Pubrel, Suback, Subscribe, Subscription, Unsuback, Unsubscribe)

TIMEOUT = float(os.environ.get("BUD_TIMEOUT", "10"))
FENCE = "wire-fence/"
_fence_numbers = itertools.count(1)


class Closed(AssertionError):
    """The broker closed the connection while a packet was expected."""


class TimedOut(AssertionError):
    """Nothing arrived within the bound."""


def describe(packet_class, fields):
    wanted = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return f"{packet_class.__name__}({wanted})"


def short(packet):
    text = repr(packet)
    return text if len(text) < 500 else text[:500] + "..."


def matches(packet, packet_class, fields):
    """Is it that packet? `properties` must hold at least those given; a value of None means
    "absent"; a field's value may be a set or range of allowed values."""
    if not isinstance(packet, packet_class):
        return False
    for name, wanted in fields.items():
        actual = getattr(packet, name)
        if name == "properties":
            if any(actual.get(key) != value for key, value in wanted.items()):
                return False
        elif isinstance(wanted, (set, frozenset, range)):
            if actual not in wanted:
                return False
        elif actual != (wanted.encode() if name == "payload" and isinstance(wanted, str)
                        else wanted):
            return False
    return True


def is_fence(packet):
    """A message of settle()'s own; a test whose filter is # does not see it."""
    return isinstance(packet, Publish) and packet.topic.startswith(FENCE)


def durable(version, seconds=3600):
    """Client arguments that ask for a session which outlives the connection."""
    properties = {"session_expiry_interval": seconds} if version == 5 else {}
    return {"clean": False, "properties": properties}


def eventually(check, what, timeout=None):
    """Calls `check` until it returns something true, and returns that; bounded by `timeout`."""
    deadline = time.monotonic() + (timeout or TIMEOUT)
    while not (result := check()):
        assert time.monotonic() < deadline, f"never came to be: {what}"
        time.sleep(0.02)
    return result


class Client:
    """One TCP connection. `version` is 3, 4 or 5. A context manager: leaving it aborts the TCP
    connection unless it was ended before.

    connect=False leaves the socket open and silent; else CONNECT is sent with **fields of
    mqtt.Connect and CONNACK with success is awaited, and kept as `connack`. `source` is the
    address to come from.
    """

    def __init__(self, port, version=5, client_id="", *, connect=True, receive_buffer=None,
                 source=None, **fields):
        self.version, self.client_id, self.port = version, client_id, port
        self.buffer, self.inbox = bytearray(), deque()
        self.connack, self.is_eof = None, False
        self.aliases, self.limits = {}, {}
        self._packet_ids = itertools.cycle(range(1, 65536))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if connect:
            self.connack = self.connect(**fields)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.abort()

    # ------------------------------------------------------------------------------ raw access

    def send_raw(self, data):
        """Sends these bytes as they are. A connection that the broker has closed is no error
        here: the test says what it expects next."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send_slowly(self, data, piece=1):
        """Sends the bytes in pieces of `piece`, each in a segment of its own."""
        for at in range(0, len(data), piece):
            self.send_raw(data[at:at + piece])

    def send(self, packet, flags=None):
        """Encodes and sends a packet, right or wrong, and waits for nothing."""
        self.send_raw(mqtt.encode(packet, self.version, flags))

    def end_stream(self):
        """Sends FIN, and can still read. No error if the broker was faster."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def abort(self):
        """Closes without DISCONNECT, as a device whose battery is flat: the will must fire."""
        self.socket.close()

    def reset(self):
        """Closes with a TCP RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    # --------------------------------------------------------------------------------- reading

    def _receive(self, deadline):
        """Reads once; False at the end of the stream."""
        left = deadline - time.monotonic()
        if not select.select([self.socket], [], [], max(left, 0))[0]:
            raise TimedOut(f"{self.client_id!r}: nothing within the bound; "
                           f"undecoded: {bytes(self.buffer[:80])!r}")
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        self.is_eof = not data
        return bool(data)

    def _frame(self, deadline):
        """The next whole packet's bytes, or None at the end of the stream."""
        while True:
            header = mqtt.read_header(self.buffer)
            if header and len(self.buffer) >= header[2]:
                size = header[2]
                with memoryview(self.buffer) as view:
                    data = bytes(view[:size])
                del self.buffer[:size]
                self._check_size(data)
                return data
            if self.is_eof or not self._receive(deadline):
                mqtt.need(not self.buffer, f"half a packet before the end: {bytes(self.buffer)!r}")
                return None

    def _check_size(self, data):
        limit = self.limits.get("maximum_packet_size")
        mqtt.need(not limit or len(data) <= limit, f"{len(data)} bytes, our maximum is {limit}")

    def _resolve_alias(self, packet):
        alias = packet.properties.get("topic_alias")
        if alias is None:
            return
        limit = self.limits.get("topic_alias_maximum", 0)
        mqtt.need(alias <= limit, f"topic alias {alias}, our maximum is {limit} [MQTT-3.1.2-26]")
        if not packet.topic:
            mqtt.need(alias in self.aliases, f"unknown topic alias {alias}")
            packet.topic = self.aliases[alias]
        self.aliases[alias] = packet.topic

    def _from_socket(self, timeout):
        """The next decoded packet, or None at the end of the stream."""
        deadline = time.monotonic() + (TIMEOUT if timeout is None else timeout)
        while True:
            data = self._frame(deadline)
            if data is None:
                return None
            packet = mqtt.decode(data, self.version)
            if isinstance(packet, Publish):
                self._resolve_alias(packet)
            return packet

    def receive_raw(self, count):
        """The next `count` bytes exactly as they came, undecoded."""
        deadline = time.monotonic() + TIMEOUT
        while len(self.buffer) < count:
            assert self._receive(deadline), f"the stream ends after {bytes(self.buffer)!r}"
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read_to_end(self):
        """Everything until the broker closes the connection, undecoded."""
        deadline = time.monotonic() + TIMEOUT
        while not self.is_eof:
            self._receive(deadline)
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def next(self, timeout=None):
        """The next packet, whatever it is. Raises Closed at the end of the stream."""
        while True:
            packet = self.inbox.popleft() if self.inbox else self._from_socket(timeout)
            if packet is None:
                raise Closed(f"{self.client_id!r}: the broker closed the connection")
            if not is_fence(packet):
                return packet

    def expect(self, packet_class, timeout=None, **fields):
        """The next packet must be this one; returns it.
        expect(Publish, topic="a", payload="1", qos=1, properties={"content_type": "x"})
        A field may be a set of allowed values; a property of None must be absent."""
        try:
            packet = self.next(timeout)
        except (Closed, TimedOut) as error:
            raise type(error)(f"expected {describe(packet_class, fields)}; {error}") from None
        assert matches(packet, packet_class, fields), (
            f"expected {describe(packet_class, fields)}, got {short(packet)}")
        return packet

    def wait_for(self, packet_class, timeout=None, **fields):
        """The next packet of that description; those before it stay in the inbox, in order."""
        for packet in self.inbox:
            if matches(packet, packet_class, fields):
                self.inbox.remove(packet)
                return packet
        while True:
            try:
                packet = self._from_socket(timeout)
            except TimedOut as error:
                raise TimedOut(f"waited for {describe(packet_class, fields)}; {error}; inbox: "
                               f"{[short(p) for p in self.inbox]}") from None
            if packet is None:
                raise Closed(f"closed while waiting for {describe(packet_class, fields)}; inbox: "
                             f"{[short(p) for p in self.inbox]}")
            if matches(packet, packet_class, fields):
                return packet
            if not is_fence(packet):
                self.inbox.append(packet)

    def expect_closed(self, reason=None, timeout=None):
        """The broker ends the connection. With `reason` (one or a set) a version 5 client must
        get DISCONNECT with that reason first; a 3.x client must get nothing first."""
        if reason is not None and self.version == 5:
            allowed = {reason} if isinstance(reason, int) else set(reason)
            self.expect(Disconnect, timeout, reason=allowed)
        try:
            packet = self.next(timeout)
        except Closed:
            self.socket.close()
            return
        raise AssertionError(f"expected the end of the connection, got {short(packet)}")

    def expect_refused(self, reason, timeout=None):
        """CONNACK with this reason (one or a set), then the end of the connection."""
        allowed = {reason} if isinstance(reason, int) else set(reason)
        connack = self.expect(Connack, timeout, reason=allowed, session_present=False)
        self.expect_closed(timeout=timeout)
        return connack

    def expect_nothing(self, after=None):
        """Nothing has arrived and nothing is on its way. The fence is PINGREQ/PINGRESP for what
        this connection caused itself; for what another client caused pass it as `after`, and a
        message from it follows the same way through the broker (see settle)."""
        if after is not None:
            settle(after, self)
        self.ping()
        assert not self.inbox, f"unexpected: {[short(packet) for packet in self.inbox]}"

    # ------------------------------------------------------------------------ whole exchanges

    def connect(self, clean=True, **fields):
        """Sends CONNECT and returns the successful CONNACK."""
        self.send_connect(clean=clean, **fields)
        connack = self.expect(Connack)
        assert connack.reason == 0, f"refused: {short(connack)}"
        self.client_id = connack.properties.get("assigned_client_identifier", self.client_id)
        return connack

    def send_connect(self, **fields):
        """Sends CONNECT, remembers the limits it announces, and waits for nothing."""
        packet = Connect(client_id=fields.pop("client_id", self.client_id), **fields)
        if isinstance(packet.properties, dict):
            self.limits = dict(packet.properties)
        self.send(packet)

    def packet_id(self):
        return next(self._packet_ids)

    def subscribe(self, *filters, qos=0, properties=None):
        """Subscribes and returns the SUBACK's reason codes, which must not be errors.
        A filter is text (then at `qos`), a (filter, qos) pair or a mqtt.Subscription."""
        suback = self.try_subscribe(*filters, qos=qos, properties=properties)
        assert all(reason < 0x80 for reason in suback.reasons), suback
        return suback.reasons

    def try_subscribe(self, *filters, qos=0, properties=None):
        """As subscribe, but returns the SUBACK packet whatever it says."""
        subscriptions = [one if isinstance(one, Subscription)
                         else Subscription(*one) if isinstance(one, tuple)
                         else Subscription(one, qos) for one in filters]
        packet_id = self.packet_id()
        self.send(Subscribe(packet_id, subscriptions, properties or {}))
        suback = self.wait_for(Suback, packet_id=packet_id)
        assert len(suback.reasons) == len(subscriptions), suback
        return suback

    def unsubscribe(self, *filters, properties=None):
        packet_id = self.packet_id()
        self.send(Unsubscribe(packet_id, list(filters), properties or {}))
        return self.wait_for(Unsuback, packet_id=packet_id).reasons

    def publish(self, topic, payload=b"", qos=0, retain=False, properties=None, **fields):
        """Publishes and completes the exchange; returns the PUBACK or PUBREC (None at QoS 0)."""
        packet = Publish(topic, payload, qos, retain, properties=properties or {}, **fields)
        if qos:
            packet.packet_id = packet.packet_id or self.packet_id()
        self.send(packet)
        if qos == 0:
            return None
        answer = self.wait_for(Puback if qos == 1 else Pubrec, packet_id=packet.packet_id)
        if qos == 2 and answer.reason < 0x80:
            self.send(Pubrel(packet.packet_id))
            self.wait_for(Pubcomp, packet_id=packet.packet_id, reason=0)
        return answer

    def acknowledge(self, packet):
        """Completes the exchange for a PUBLISH that was received."""
        if packet.qos == 1:
            self.send(Puback(packet.packet_id))
        elif packet.qos == 2:
            self.send(Pubrec(packet.packet_id))
            self.wait_for(Pubrel, packet_id=packet.packet_id)
            self.send(Pubcomp(packet.packet_id))

    def receive(self, topic=None, payload=None, timeout=None, **fields):
        """expect(Publish, ...), and completes the exchange. Returns the packet."""
        fields |= {} if topic is None else {"topic": topic}
        fields |= {} if payload is None else {"payload": payload}
        packet = self.expect(Publish, timeout, **fields)
        self.acknowledge(packet)
        return packet

    def receive_all(self, after):
        """Every message that `after` (or what it triggered) has caused so far, acknowledged: in
        rounds, as acknowledging makes room in the window for what still waits in the broker."""
        packets = []
        while True:
            settle(after, self)
            if not self.inbox:
                return packets
            while self.inbox:
                packets.append(self.next())
                if isinstance(packets[-1], Publish):
                    self.acknowledge(packets[-1])

    def ping(self):
        self.send(Pingreq())
        return self.wait_for(Pingresp)

    def disconnect(self, reason=0, properties=None):
        """A clean goodbye: the will must not fire. Waits until the broker has closed its side."""
        self.send(Disconnect(reason, properties or {}))
        while self._from_socket(None) is not None:
            pass
        self.socket.close()


def settle(publisher, *subscribers):
    """Returns when everything `publisher` published before has reached `subscribers`' sockets:
    a QoS 0 message from it travels the same way behind them. What arrived waits in their
    inboxes. It overtakes what a full window of unacknowledged messages holds back."""
    for subscriber in subscribers:
        topic = f"{FENCE}{os.getpid()}/{next(_fence_numbers)}"
        subscriber.subscribe(topic)
        publisher.send(Publish(topic))
        subscriber.wait_for(Publish, topic=topic)
        subscriber.unsubscribe(topic)
