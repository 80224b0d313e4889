# SPDX-License-Identifier: MIT
"""MQTT 3.1, 3.1.1 and 5.0 packets, written from the specification and from nothing else.

The encoder writes whatever it is told, right or wrong, so that a test can misbehave on purpose.
The decoder is strict: it raises Malformed on anything a broker may not send, down to a variable
byte integer that is a byte too long. `version` is the protocol level: 3 (3.1), 4 (3.1.1), 5 (5.0).

    data = encode(Publish("hus/stue/online", b"true", qos=1, packet_id=7), version=4)
    packet = decode(data, version=4)              # one whole packet, nothing left over

Properties are a dict by snake_case name ("message_expiry_interval": 60). "user_property" and
"subscription_identifier" hold lists, since they may be repeated. To send a repeated or misplaced
property give a list of (name, value) pairs; to send raw property bytes give `bytes`
(the length in front is added).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

VARINT_MAX = 268_435_455


class Malformed(AssertionError):
    """The bytes break the specification. An AssertionError, for it is the broker's failure."""


class Type(IntEnum):
    CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
    SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)


class Reason(IntEnum):
    SUCCESS = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    REAUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


# Which reason codes each packet may carry in version 5 (section 2.4, table 2-6).
_CONNACK_REASONS = {0, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, *range(0x99, 0xA0)} - {0x9E}
_PUBACK_REASONS = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}
REASONS = {
    Type.CONNACK: _CONNACK_REASONS,
    Type.PUBACK: _PUBACK_REASONS,
    Type.PUBREC: _PUBACK_REASONS,
    Type.PUBREL: {0x00, 0x92},
    Type.PUBCOMP: {0x00, 0x92},
    Type.SUBACK: {0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    Type.UNSUBACK: {0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91},
    Type.DISCONNECT: {0, 4, *range(0x80, 0x84), 0x87, 0x89, 0x8B, *range(0x8D, 0x91),
                      *range(0x93, 0xA3)},
    Type.AUTH: {0x00, 0x18, 0x19},
}

# Property identifier -> name, wire kind, packets that may carry it (section 2.2.2.2, table 2-4).
WILL = "will"
_ACKS = (Type.PUBACK, Type.PUBREC, Type.PUBREL, Type.PUBCOMP, Type.SUBACK, Type.UNSUBACK)
_ALL = (Type.CONNECT, Type.CONNACK, Type.PUBLISH, WILL, *_ACKS, Type.SUBSCRIBE, Type.UNSUBSCRIBE,
        Type.DISCONNECT, Type.AUTH)
PROPERTIES = {
    0x01: ("payload_format_indicator", "bool", (Type.PUBLISH, WILL)),
    0x02: ("message_expiry_interval", "u32", (Type.PUBLISH, WILL)),
    0x03: ("content_type", "text", (Type.PUBLISH, WILL)),
    0x08: ("response_topic", "text", (Type.PUBLISH, WILL)),
    0x09: ("correlation_data", "binary", (Type.PUBLISH, WILL)),
    0x0B: ("subscription_identifier", "varint", (Type.PUBLISH, Type.SUBSCRIBE)),
    0x11: ("session_expiry_interval", "u32", (Type.CONNECT, Type.CONNACK, Type.DISCONNECT)),
    0x12: ("assigned_client_identifier", "text", (Type.CONNACK,)),
    0x13: ("server_keep_alive", "u16", (Type.CONNACK,)),
    0x15: ("authentication_method", "text", (Type.CONNECT, Type.CONNACK, Type.AUTH)),
    0x16: ("authentication_data", "binary", (Type.CONNECT, Type.CONNACK, Type.AUTH)),
    0x17: ("request_problem_information", "bool", (Type.CONNECT,)),
    0x18: ("will_delay_interval", "u32", (WILL,)),
    0x19: ("request_response_information", "bool", (Type.CONNECT,)),
    0x1A: ("response_information", "text", (Type.CONNACK,)),
    0x1C: ("server_reference", "text", (Type.CONNACK, Type.DISCONNECT)),
    0x1F: ("reason_string", "text", (Type.CONNACK, *_ACKS, Type.DISCONNECT, Type.AUTH)),
    0x21: ("receive_maximum", "u16+", (Type.CONNECT, Type.CONNACK)),
    0x22: ("topic_alias_maximum", "u16", (Type.CONNECT, Type.CONNACK)),
    0x23: ("topic_alias", "u16+", (Type.PUBLISH,)),
    0x24: ("maximum_qos", "bool", (Type.CONNACK,)),
    0x25: ("retain_available", "bool", (Type.CONNACK,)),
    0x26: ("user_property", "pair", _ALL),
    0x27: ("maximum_packet_size", "u32+", (Type.CONNECT, Type.CONNACK)),
    0x28: ("wildcard_subscription_available", "bool", (Type.CONNACK,)),
    0x29: ("subscription_identifier_available", "bool", (Type.CONNACK,)),
    0x2A: ("shared_subscription_available", "bool", (Type.CONNACK,)),
}
PROPERTY_BY_NAME = {name: (number, kind) for number, (name, kind, _) in PROPERTIES.items()}
REPEATABLE = {"user_property", "subscription_identifier"}


# ---------------------------------------------------------------------------------- the packets

@dataclass
class Will:
    topic: str | bytes
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: dict = field(default_factory=dict)


@dataclass
class Connect:
    type = Type.CONNECT
    client_id: str | bytes = ""
    clean: bool = True                       # Clean Session in 3.x, Clean Start in 5.0
    keep_alive: int = 60
    will: Will | None = None
    username: str | bytes | None = None
    password: bytes | None = None
    properties: dict = field(default_factory=dict)
    protocol_name: str | bytes | None = None  # None: what the version wants
    protocol_level: int | None = None
    connect_flags: int | None = None          # None: computed from the other fields


@dataclass
class Connack:
    type = Type.CONNACK
    session_present: bool = False
    reason: int = 0                          # the return code 0..5 in 3.x
    properties: dict = field(default_factory=dict)


@dataclass
class Publish:
    type = Type.PUBLISH
    topic: str | bytes
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    packet_id: int = 0                       # written only when qos > 0
    dup: bool = False
    properties: dict = field(default_factory=dict)
    wire_topic: str | None = field(default=None, compare=False)  # before a topic alias was resolved


@dataclass
class _Ack:
    packet_id: int
    reason: int = 0
    properties: dict = field(default_factory=dict)


class Puback(_Ack):
    type = Type.PUBACK


class Pubrec(_Ack):
    type = Type.PUBREC


class Pubrel(_Ack):
    type = Type.PUBREL


class Pubcomp(_Ack):
    type = Type.PUBCOMP


@dataclass
class Subscription:
    filter: str | bytes
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0
    options: int | None = None               # the raw options byte, instead of the four above

    def byte(self):
        if self.options is not None:
            return self.options
        return (self.qos | self.no_local << 2 | self.retain_as_published << 3
                | self.retain_handling << 4)


@dataclass
class Subscribe:
    type = Type.SUBSCRIBE
    packet_id: int
    subscriptions: list[Subscription]
    properties: dict = field(default_factory=dict)


@dataclass
class Suback:
    type = Type.SUBACK
    packet_id: int
    reasons: list[int]
    properties: dict = field(default_factory=dict)


@dataclass
class Unsubscribe:
    type = Type.UNSUBSCRIBE
    packet_id: int
    filters: list[str | bytes]
    properties: dict = field(default_factory=dict)


@dataclass
class Unsuback:
    type = Type.UNSUBACK
    packet_id: int
    reasons: list[int] = field(default_factory=list)  # always empty in 3.x
    properties: dict = field(default_factory=dict)


@dataclass
class Pingreq:
    type = Type.PINGREQ


@dataclass
class Pingresp:
    type = Type.PINGRESP


@dataclass
class Disconnect:
    type = Type.DISCONNECT
    reason: int = 0                          # not written in 3.x
    properties: dict = field(default_factory=dict)


@dataclass
class Auth:
    type = Type.AUTH
    reason: int = 0
    properties: dict = field(default_factory=dict)


PACKETS = (Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback,
           Unsubscribe, Unsuback, Pingreq, Pingresp, Disconnect, Auth)
FLAGS = {Type.PUBREL: 2, Type.SUBSCRIBE: 2, Type.UNSUBSCRIBE: 2}   # all others 0, PUBLISH apart


# ------------------------------------------------------------------------------------- encoding

def varint(value, width=0):
    """A variable byte integer; `width` pads it to that many bytes (not minimal, so illegal)."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        more = value > 0 or len(out) + 1 < width
        out.append(byte | (0x80 if more else 0))
        if not more:
            return bytes(out)


def u16(value):
    return value.to_bytes(2, "big")


def u32(value):
    return value.to_bytes(4, "big")


def binary(value):
    """Two bytes of length, then the bytes. Text is encoded as UTF-8; bytes go as they are."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    return u16(len(value)) + value


def frame(packet_type, flags, body):
    """A whole packet around raw `body` bytes, for tests that write a packet by hand."""
    return bytes([packet_type << 4 | flags]) + varint(len(body)) + body


def encode_property(name, value):
    number, kind = PROPERTY_BY_NAME[name]
    if kind == "pair":
        encoded = binary(value[0]) + binary(value[1])
    elif kind in ("text", "binary"):
        encoded = binary(value)
    elif kind == "varint":
        encoded = varint(value)
    elif kind == "bool":
        encoded = bytes([value])
    else:
        encoded = u16(value) if kind.startswith("u16") else u32(value)
    return varint(number) + encoded


def encode_properties(properties):
    """The property length and the properties, from a dict, a list of pairs, or raw bytes."""
    if isinstance(properties, (bytes, bytearray)):
        return varint(len(properties)) + bytes(properties)
    out = b""
    for name, value in properties.items() if isinstance(properties, dict) else properties:
        repeated = name in REPEATABLE and isinstance(value, list)
        for one in value if repeated else [value]:
            out += encode_property(name, one)
    return varint(len(out)) + out


def _connect_body(packet, version):
    will = packet.will
    flags = packet.connect_flags
    if flags is None:
        flags = packet.clean << 1
        if will:
            flags |= 0x04 | will.qos << 3 | will.retain << 5
        flags |= (packet.password is not None) << 6 | (packet.username is not None) << 7
    name = packet.protocol_name
    if name is None:
        name = "MQIsdp" if version == 3 else "MQTT"
    level = version if packet.protocol_level is None else packet.protocol_level
    body = binary(name) + bytes([level, flags]) + u16(packet.keep_alive)
    if version == 5:
        body += encode_properties(packet.properties)
    body += binary(packet.client_id)
    if will:
        if version == 5:
            body += encode_properties(will.properties)
        body += binary(will.topic) + binary(will.payload)
    for extra in (packet.username, packet.password):
        if extra is not None:
            body += binary(extra)
    return body


def _publish_body(packet, version):
    body = binary(packet.topic)
    if packet.qos > 0:
        body += u16(packet.packet_id)
    if version == 5:
        body += encode_properties(packet.properties)
    payload = packet.payload
    return body + (payload.encode() if isinstance(payload, str) else payload)


def _reason_tail(packet, version):
    """Reason code and properties, left out as far as they say nothing (section 3.4.2.1)."""
    if version < 5 or (not packet.reason and not packet.properties):
        return b""
    tail = bytes([packet.reason])
    return tail + encode_properties(packet.properties) if packet.properties else tail


def _body(packet, version):
    properties = b""
    if version == 5 and hasattr(packet, "properties"):
        properties = encode_properties(packet.properties)
    match packet:
        case Connect():
            return _connect_body(packet, version)
        case Connack():
            return bytes([packet.session_present, packet.reason]) + properties
        case Publish():
            return _publish_body(packet, version)
        case _Ack():
            return u16(packet.packet_id) + _reason_tail(packet, version)
        case Subscribe():
            entries = (binary(s.filter) + bytes([s.byte()]) for s in packet.subscriptions)
            return u16(packet.packet_id) + properties + b"".join(entries)
        case Unsubscribe():
            return u16(packet.packet_id) + properties + b"".join(map(binary, packet.filters))
        case Suback() | Unsuback():
            return u16(packet.packet_id) + properties + bytes(packet.reasons)
        case Disconnect() | Auth():
            return _reason_tail(packet, version)
    return b""


def encode(packet, version, flags=None):
    """The bytes of a packet. `flags` replaces the low four bits of the first byte."""
    if flags is None:
        flags = FLAGS.get(packet.type, 0)
        if isinstance(packet, Publish):
            flags = packet.dup << 3 | packet.qos << 1 | packet.retain
    return frame(packet.type, flags, _body(packet, version))


# ------------------------------------------------------------------------------------- decoding

def need(condition, why):
    if not condition:
        raise Malformed(why)


def read_header(data, minimal=True):
    """(first byte, header size, whole packet size), or None while the header is incomplete."""
    value = 0
    for i in range(1, 5):
        if len(data) <= i:
            return None
        value |= (data[i] & 0x7F) << 7 * (i - 1)
        if not data[i] & 0x80:
            need(i == 1 or data[i] or not minimal, "remaining length not minimal [MQTT-1.5.5-1]")
            return data[0], i + 1, i + 1 + value
    raise Malformed("the remaining length has more than four bytes")


class Reader:
    """Takes fields off a packet's body; every short read raises."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        need(count <= self.left(), f"the packet ends {count - self.left()} bytes too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return int.from_bytes(self.take(2), "big")

    def u32(self):
        return int.from_bytes(self.take(4), "big")

    def varint(self):
        value = 0
        for i in range(4):
            byte = self.u8()
            value |= (byte & 0x7F) << 7 * i
            if not byte & 0x80:
                need(i == 0 or byte != 0, "a variable byte integer is not minimal [MQTT-1.5.5-1]")
                return value
        raise Malformed("a variable byte integer has more than four bytes")

    def binary(self):
        return self.take(self.u16())

    def text(self):
        raw = self.binary()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(f"not UTF-8 [MQTT-1.5.4-1]: {raw!r}") from error
        need("\0" not in text, "U+0000 in a string [MQTT-1.5.4-2]")
        return text

    def packet_id(self):
        value = self.u16()
        need(value != 0, "packet identifier 0 [MQTT-2.2.1-3]")
        return value

    def done(self):
        need(self.left() == 0, f"{self.left()} bytes too many at the end: {self.data!r}")


def _property_value(reader, kind):
    if kind == "pair":
        return reader.text(), reader.text()
    if kind == "bool":
        value = reader.u8()
        need(value in (0, 1), f"a flag property is {value}")
        return value
    read = {"text": reader.text, "binary": reader.binary, "varint": reader.varint}.get(kind)
    if read is None:
        read = reader.u16 if kind.startswith("u16") else reader.u32
    value = read()
    need(value != 0 or not kind.endswith("+"), "a property is 0 that may not be")
    return value


def decode_properties(reader, packet_type):
    reader = Reader(reader.take(reader.varint()))
    found = {}
    while reader.left():
        number = reader.varint()
        need(number in PROPERTIES, f"unknown property 0x{number:02x}")
        name, kind, allowed = PROPERTIES[number]
        need(packet_type in allowed, f"property {name} in {packet_type!s}")
        value = _property_value(reader, kind)
        if name == "subscription_identifier":
            need(value != 0, "subscription identifier 0")
        if name in REPEATABLE:
            found.setdefault(name, []).append(value)
            continue
        need(name not in found, f"property {name} twice")
        found[name] = value
    return found


def _check_topic(topic):
    need(not set("+#") & set(topic), f"a wildcard in a topic name [MQTT-3.3.2-2]: {topic!r}")
    return topic


def _decode_publish(reader, version, flags):
    packet = Publish("", dup=bool(flags & 8), qos=flags >> 1 & 3, retain=bool(flags & 1))
    need(packet.qos < 3, "QoS 3 [MQTT-3.3.1-4]")
    need(packet.qos or not packet.dup, "DUP on QoS 0 [MQTT-3.3.1-2]")
    packet.topic = packet.wire_topic = _check_topic(reader.text())
    if packet.qos:
        packet.packet_id = reader.packet_id()
    if version == 5:
        packet.properties = decode_properties(reader, Type.PUBLISH)
        if "response_topic" in packet.properties:
            _check_topic(packet.properties["response_topic"])
    need(packet.topic or "topic_alias" in packet.properties, "an empty topic without an alias")
    packet.payload = reader.take(reader.left())
    return packet


def _check_reason(packet_type, reason):
    need(reason in REASONS[packet_type], f"reason 0x{reason:02x} in {packet_type.name}")
    return reason


def _decode_reason_tail(reader, packet, version):
    if version == 5 and reader.left():
        packet.reason = _check_reason(packet.type, reader.u8())
        if reader.left():
            packet.properties = decode_properties(reader, packet.type)
    return packet


def _decode_connack(reader, version):
    flags = reader.u8()
    need(flags <= (0 if version == 3 else 1), f"CONNACK flags 0x{flags:02x} [MQTT-3.2.2-1]")
    packet = Connack(bool(flags), reader.u8())
    need(not (flags and packet.reason), "session present with an error [MQTT-3.2.2-6]")
    if version == 5:
        _check_reason(Type.CONNACK, packet.reason)
        packet.properties = decode_properties(reader, Type.CONNACK)
    else:
        need(packet.reason <= 5, f"CONNACK return code {packet.reason}")
    return packet


def _decode_connect(reader, version):
    packet = Connect(protocol_name=reader.text(), protocol_level=reader.u8())
    packet.connect_flags = flags = reader.u8()
    need(not flags & 1 or version == 3, "the reserved connect flag [MQTT-3.1.2-3]")
    need(flags & 4 or not flags & 0x38, "will flags without a will [MQTT-3.1.2-11]")
    need(flags & 0x18 != 0x18, "will QoS 3 [MQTT-3.1.2-12]")
    packet.clean, packet.keep_alive = bool(flags & 2), reader.u16()
    if version == 5:
        packet.properties = decode_properties(reader, Type.CONNECT)
    packet.client_id = reader.text()
    if flags & 4:
        properties = decode_properties(reader, WILL) if version == 5 else {}
        packet.will = Will(_check_topic(reader.text()), reader.binary(), flags >> 3 & 3,
                           bool(flags & 32), properties)
    may_miss = version == 3                  # 3.1 lets a client set the flags and send neither
    packet.username = reader.text() if flags & 128 and (reader.left() or not may_miss) else None
    packet.password = reader.binary() if flags & 64 and (reader.left() or not may_miss) else None
    return packet


def _decode_subscribe(reader, version):
    packet = Subscribe(reader.packet_id(), [])
    if version == 5:
        packet.properties = decode_properties(reader, Type.SUBSCRIBE)
        need(len(packet.properties.get("subscription_identifier", [])) < 2, "two identifiers")
    while reader.left() or not packet.subscriptions:
        name, options = reader.text(), reader.u8()
        need(options & 3 < 3, "subscription QoS 3 [MQTT-3.8.3-4]")
        need(options < {3: 256, 4: 3, 5: 0x30}[version], "reserved subscription options")
        packet.subscriptions.append(Subscription(name, options & 3, bool(options & 4),
                                                 bool(options & 8), options >> 4))
    return packet


def _decode_unsubscribe(reader, version):
    packet = Unsubscribe(reader.packet_id(), [])
    if version == 5:
        packet.properties = decode_properties(reader, Type.UNSUBSCRIBE)
    while reader.left() or not packet.filters:
        packet.filters.append(reader.text())
    return packet


def _decode_reasons(reader, packet, version):
    if version == 5:
        packet.properties = decode_properties(reader, packet.type)
    packet.reasons = list(reader.take(reader.left()))
    if version < 5 and isinstance(packet, Unsuback):
        need(not packet.reasons, "an UNSUBACK of 3.x has no payload")
        return packet
    need(packet.reasons, f"no reason code in {packet.type.name}")
    for reason in packet.reasons:
        need(version == 5 or reason in (0, 1, 2, 0x80), f"SUBACK return code 0x{reason:02x}")
        if version == 5:
            _check_reason(packet.type, reason)
    return packet


def _decode_body(reader, version, packet_type, flags):
    match PACKETS[packet_type - 1]:
        case cls if cls is Publish:
            return _decode_publish(reader, version, flags)
        case cls if issubclass(cls, _Ack):
            return _decode_reason_tail(reader, cls(reader.packet_id()), version)
        case cls if cls in (Suback, Unsuback):
            return _decode_reasons(reader, cls(reader.packet_id(), []), version)
        case cls if cls in (Disconnect, Auth):
            need(version == 5 or cls is Disconnect, "AUTH before version 5")
            return _decode_reason_tail(reader, cls(), version)
        case cls if cls in (Pingreq, Pingresp):
            return cls()
    return {Type.CONNECT: _decode_connect, Type.CONNACK: _decode_connack,
            Type.SUBSCRIBE: _decode_subscribe,
            Type.UNSUBSCRIBE: _decode_unsubscribe}[packet_type](reader, version)


def decode(data, version):
    """The one packet that `data` holds. Raises Malformed when it is not exactly that."""
    header = read_header(data)
    need(header is not None and header[2] == len(data), f"not one whole packet: {data!r}")
    first, start, _ = header
    need(first >> 4 != 0, "packet type 0")
    packet_type, flags = Type(first >> 4), first & 15
    if packet_type != Type.PUBLISH:
        need(flags == FLAGS.get(packet_type, 0), f"flags {flags} of {packet_type.name}")
    reader = Reader(data[start:])
    packet = _decode_body(reader, version, packet_type, flags)
    reader.done()
    return packet
