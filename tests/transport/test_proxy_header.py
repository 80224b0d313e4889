# SPDX-License-Identifier: MIT
"""PROXY headers of both versions: from whom they are believed, and what they then decide.

The first start lets in who is anonymous only from private networks, so an address from elsewhere
that is refused has been believed; 203.0.113.9 is nobody's.
"""
import socket

import pytest

import mqtt
from client import Client
from mqtt import Connack, Connect, Reason
from server import Broker
from websocket import WebSocketClient

FOREIGN, PRIVATE = "203.0.113.9", "10.1.2.3"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source=PRIVATE, port=51234):
    family = "TCP6" if ":" in source else "TCP4"
    to = "::1" if ":" in source else "127.0.0.1"
    return f"PROXY {family} {source} {to} {port} 1883\r\n".encode()


def tlv(kind, value):
    return bytes([kind]) + mqtt.u16(len(value)) + value


def v2(source=PRIVATE, port=51234, extra=b"", command=0x21, family=None):
    kind = socket.AF_INET6 if ":" in source else socket.AF_INET
    to = "::1" if ":" in source else "127.0.0.1"
    body = (socket.inet_pton(kind, source) + socket.inet_pton(kind, to) + mqtt.u16(port) +
            mqtt.u16(1883) + extra)
    family = family if family is not None else 0x21 if ":" in source else 0x11
    return SIGNATURE + bytes([command, family]) + mqtt.u16(len(body)) + body


def local():
    return SIGNATURE + b"\x20\0\0\0"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """Brokers whose listener wants a header, by version."""
    started = {}

    def start(version):
        if version not in started:
            started[version] = Broker(tmp_path_factory.mktemp(f"v{version}"),
                                      "--enable-proxy-protocol", version).start()
        return started[version]
    yield start
    for one in started.values():
        one.stop()


def connack(port, before, over, new_id):
    """The reason in CONNACK behind this header; None if there is none but the end."""
    if over == "ws":
        peer = WebSocketClient(port, 5, new_id(), before=before, connect=False)
    else:
        peer = Client(port, 5, new_id(), connect=False)
        peer.send_raw(before)
    with peer:
        peer.send(Connect(peer.client_id))
        return peer.expect(Connack).reason


HEADERS = {1: v1, 2: v2}


@pytest.mark.parametrize("over", ("tcp", "ws"))
@pytest.mark.parametrize("version", (1, 2))
@pytest.mark.parametrize("source, reason", (
    (PRIVATE, Reason.SUCCESS), ("fd00::7", Reason.SUCCESS), ("127.0.0.1", Reason.SUCCESS),
    (FOREIGN, Reason.NOT_AUTHORIZED), ("2001:db8::9", Reason.NOT_AUTHORIZED),
))
def test_the_address_in_the_header_is_the_clients(proxied, new_id, version, source, reason, over):
    assert connack(proxied(version).port, HEADERS[version](source), over, new_id) == reason


@pytest.mark.parametrize("version", (1, 2))
def test_the_log_shows_the_address_in_the_header(fresh_broker, new_id, version):
    broker = fresh_broker("--enable-proxy-protocol", version)
    connack(broker.port, HEADERS[version](), "tcp", new_id)
    broker.wait_for_log(rf"{PRIVATE}:51234")
    connack(broker.port, HEADERS[version]("fd00::7"), "ws", new_id)
    broker.wait_for_log(r"\[fd00::7\]:51234")


@pytest.mark.parametrize("header", (b"PROXY UNKNOWN\r\n",
                                    b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", local(),
                                    v2(FOREIGN, command=0x20), v2(FOREIGN, family=0)), ids=repr)
def test_a_proxy_that_speaks_for_itself(proxied, new_id, header):
    """A health check: the address is that of the socket, which is this machine."""
    broker = proxied(1 if header.startswith(b"PROXY") else 2)
    assert connack(broker.port, header, "tcp", new_id) == Reason.SUCCESS


@pytest.mark.parametrize("version", (1, 2))
def test_a_header_cut_at_each_byte(proxied, new_id, version):
    broker = proxied(version)
    header = HEADERS[version]()
    for cut in range(1, len(header) + 1):
        connect = mqtt.encode(Connect(f"cut-{version}-{cut}"), 5)
        with Client(broker.port, 5, connect=False) as peer:
            peer.send_raw(header[:cut])
            peer.send_raw(header[cut:] + connect)
            peer.expect(Connack, reason=0)


BAD = {
    1: (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        b"PROXY UNKNOWN " + b"x" * 100, b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", v2()),
    2: (v2(command=0x31), v2(command=0x22), v2(family=0x12), v2(family=0x21), v2(extra=b"\1\0\5x"),
        SIGNATURE + b"\x21\x11\xff\xff", v2(extra=tlv(0x20, b"\1")), v1()),
}


@pytest.mark.parametrize("version, header",
                         [(version, header) for version, all in BAD.items() for header in all],
                         ids=repr)
def test_bad_headers(proxied, version, header):
    """Closed without a word of MQTT."""
    with Client(proxied(version).port, 5, connect=False) as peer:
        peer.send_raw(header + mqtt.encode(Connect("bad"), 5))
        assert peer.read_to_end() == b""


@pytest.mark.parametrize("first", (
    mqtt.encode(Connect("x"), 5), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\x16\x03\x01\0\5",
), ids=("MQTT", "HTTP", "TLS"))
def test_without_a_header_where_one_is_wanted(proxied, first):
    with Client(proxied(1).port, 5, connect=False) as peer:
        peer.send_raw(first)
        assert peer.read_to_end() == b""


def test_the_log_says_what_was_wrong(fresh_broker):
    broker = fresh_broker("--enable-proxy-protocol", 1)
    for data, why in ((BAD[1][0], "a port in the PROXY line is none"),
                      (mqtt.encode(Connect("x"), 5), "does not begin with a PROXY header")):
        with Client(broker.port, 5, connect=False) as peer:
            peer.send_raw(data)
            assert peer.read_to_end() == b""
        broker.wait_for_log(why)


@pytest.mark.parametrize("header", (v1("127.0.0.1") * 2, v2("127.0.0.1") * 2, v1() + v2()),
                         ids=("1 and 1", "2 and 2", "1 and 2"))
def test_one_header_is_enough(proxied, header):
    broker = proxied(1 if header.startswith(b"PROXY") else 2)
    with Client(broker.port, 5, connect=False) as peer:
        peer.send_raw(header + mqtt.encode(Connect("x"), 5))
        assert Connack.type not in {data >> 4 for data in peer.read_to_end()[:1]}


def test_a_header_where_none_is_wanted_is_not_believed(fresh_broker, new_id):
    """Or whoever comes from abroad would come from next door."""
    broker = fresh_broker()
    for header in (v1("127.0.0.1"), v2("127.0.0.1")):
        position = broker.log_position()
        with Client(broker.port, 5, connect=False) as peer:
            peer.send_raw(header + mqtt.encode(Connect(new_id()), 5))
            assert peer.read_to_end() == b""
        broker.wait_for_log("trusted_proxies", start=position)


def test_names_in_a_header_do_not_reach_the_log_unescaped(fresh_broker):
    broker = fresh_broker("--enable-proxy-protocol", 2)
    poison = b"x\n2026 forged line\x1b[31m\0"
    tls = tlv(0x20, b"\7\0\0\0\0" + tlv(0x22, poison))
    with Client(broker.port, 5, connect=False) as peer:
        peer.send_raw(v2(extra=tlv(2, poison) + tls) + mqtt.encode(Connect("poison"), 5))
        peer.expect(Connack, reason=0)
    broker.wait_for_log("poison")
    assert not any(line.startswith("2026 forged") for line in broker.log().splitlines())
    assert "\x1b" not in broker.log()
