# SPDX-License-Identifier: MIT
"""RFC 6455, chapter 4: who gets a WebSocket, and what everybody else is told.

Pages that come from elsewhere, sub-protocols, heads that are bad, too large, slow, or in pieces.
"""
import base64
import re

import pytest

import mqtt
from client import Client
from mqtt import Connack, Connect, Reason
from websocket import frame, BINARY, WebSocketClient, request

no_upgrade = {"upgrade": False}


def ask(port, text, **how):
    """One request on a connection of its own, and the answer to it."""
    with WebSocketClient(port, 4, upgrade=False, **how) as peer:
        return peer.ask(text)


def assert_refused(answer, status):
    """With words for whoever looks, and nothing that lets a page of another origin read them."""
    assert answer.status == status, answer
    assert answer.headers["content-type"].startswith("text/plain")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert re.match(rb"%d [A-Z][\w ]+: \w.{10,}\n$" % status, answer.body), answer.body
    assert not any(name.startswith("access-control") for name in answer.headers)


# ------------------------------------------------------------------------------------- the request

@pytest.mark.parametrize("path", ("/", "/mqtt", "/ws", "/a/b?c=d&token=x%20y", "//"))
def test_any_path(over_websocket, path):
    client = over_websocket(upgrade={"start": f"GET {path} HTTP/1.1"})
    client.ping()


@pytest.mark.parametrize("changes", (
    {"Upgrade": "WebSocket"}, {"Upgrade": "h2c, websocket"}, {"Connection": "upgrade"},
    {"Connection": "keep-alive, Upgrade"}, {"Connection": ["keep-alive", "Upgrade"]},
    {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"},
    {"Cookie": "a=b", "User_Agent": "x" * 4000}, {"Sec_WebSocket_Key": "A" * 22 + "=="},
), ids=repr)
def test_what_clients_write_differently(over_websocket, changes):
    over_websocket(upgrade=changes).ping()


@pytest.mark.parametrize("status, changes", (
    (400, {"Connection": None}), (400, {"Connection": "close"}), (400, {"Host": None}),
    (400, {"Host": ["a", "b"]}),
    (400, {"Sec_WebSocket_Key": None}), (400, {"Sec_WebSocket_Key": ["A" * 22 + "=="] * 2}),
    (400, {"Sec_WebSocket_Key": base64.b64encode(b"x" * 15).decode()}),
    (400, {"Sec_WebSocket_Key": "A" * 22}), (400, {"Content_Length": "5"}),
    (426, {"Sec_WebSocket_Version": None}), (426, {"Sec_WebSocket_Version": "8"}),
    (405, {"start": "POST /mqtt HTTP/1.1"}), (505, {"start": "GET /mqtt HTTP/1.0"}),
    (505, {"start": "GET /mqtt HTTP/2.0"}), (400, {"start": "GET mqtt HTTP/1.1"}),
    (400, {"start": "GET /a b HTTP/1.1"}), (400, {"X Y": "z"}), (400, {"X": "\x01"}),
), ids=repr)
def test_requests_that_are_refused(broker, status, changes):
    answer = ask(broker.port, request(**changes))
    assert_refused(answer, status)
    if status == 426:
        assert answer.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize("upgrade", (None, "websockets", "h2c"))
def test_without_upgrade_it_is_a_request_for_a_page(broker, upgrade):
    answer = ask(broker.port, request(start="GET /no/such/page HTTP/1.1", Upgrade=upgrade))
    assert answer.status in (401, 404)


@pytest.mark.parametrize("status, text", (
    (400, request().replace("\r\n", "\n")), (400, request().replace("Host", " Host")),
    (400, request().replace("Host:", "Host :")), (414, "GET /" + "x" * 8200),
    (431, "GET / HTTP/1.1\r\nX: " + "y" * 16384), (414, request(start="GET /" + "x" * 20000)),
    (431, request(X=["y"] * 64)), (431, request(X="y" * 20000)),
), ids=("bare LF", "folded", "space before colon", "path without end", "header without end",
        "long path", "65 headers", "large header"))
def test_heads_that_are_refused(broker, status, text):
    assert_refused(ask(broker.port, text), status)


def test_heads_at_the_limits(over_websocket):
    over_websocket(upgrade={"X": ["y"] * 57}).ping()   # six more and Host make 64
    over_websocket(upgrade={"X": "y" * 15000}).ping()


def test_a_handshake_cut_at_each_byte(broker):
    """With the first frame in the same segment as the last byte, too."""
    text = request().encode()
    for cut in range(1, len(text) + 1):
        connect = frame(BINARY, mqtt.encode(Connect(f"cut-{cut}"), 4))
        with WebSocketClient(broker.port, 4, upgrade=False) as peer:
            peer.send_bytes(text[:cut])
            peer.send_bytes(text[cut:] + connect)
            assert peer.read_answer().status == 101
            peer.expect(Connack, reason=0)


def test_a_handshake_in_single_bytes(broker):
    with WebSocketClient(broker.port, 4, upgrade=False) as peer:
        for byte in request().encode() + frame(BINARY, mqtt.encode(Connect("slow"), 4)):
            peer.send_bytes(bytes([byte]))
        assert peer.read_answer().status == 101
        peer.expect(Connack, reason=0)


@pytest.mark.parametrize("sent", (b"", b"G", request()[:-2].encode()),
                         ids=("nothing", "one byte", "no end"))
@pytest.mark.parametrize("upgraded", (False, True), ids=("handshake", "upgraded"))
def test_who_does_not_go_on_is_closed(fresh_broker, sent, upgraded):
    """connect_timeout counts from the first moment to CONNECT, whatever stands in between."""
    broker = fresh_broker("--connect-timeout", "1")
    with WebSocketClient(broker.port, 4, upgrade={} if upgraded else False, connect=False) as peer:
        peer.send_bytes(frame(BINARY, b"\x10") if upgraded and sent else sent)
        peer.read_to_end()


def test_half_a_request_and_the_end(broker):
    with WebSocketClient(broker.port, 4, upgrade=False) as peer:
        peer.send_bytes(request().encode()[:50])
        peer.end_stream()
        assert peer.read_to_end() == b""


# ----------------------------------------------------------------------------------- sub-protocols

@pytest.mark.parametrize("offered, chosen", (
    ("mqtt", "mqtt"), ("mqttv3.1", "mqttv3.1"), ("mqttv3.1, mqtt", "mqtt"),
    ("mqtt,mqttv3.1", "mqtt"), ("chat, superchat, mqtt", "mqtt"), (["chat", "mqtt"], "mqtt"),
    (None, None),
), ids=repr)
@pytest.mark.parametrize("version", (3, 4, 5))
def test_sub_protocols(over_websocket, version, offered, chosen):
    """Any version of MQTT may then be spoken: clients in the field do not agree on the names."""
    client = over_websocket(version, upgrade=False)
    assert client.upgrade(offered).get("sec-websocket-protocol") == chosen
    client.connect()
    client.ping()


@pytest.mark.parametrize("offered", ("chat", "MQTT", "mqttv5", "", "mqtt/1"))
def test_unknown_sub_protocols(broker, offered):
    answer = ask(broker.port, request(Sec_WebSocket_Protocol=offered))
    assert_refused(answer, 400)
    assert b"sub-protocol" in answer.body


# ----------------------------------------------------------------------------------------- origins

@pytest.mark.parametrize("host, origin", (
    ("broker:1883", "http://broker:1883"), ("broker:1883", "https://broker:1883"),
    ("broker", "http://broker"), ("broker", "https://BROKER"), ("broker:80", "http://broker"),
    ("broker:443", "https://broker"), ("[::1]:1883", "http://[::1]:1883"),
))
def test_pages_of_the_same_host(over_websocket, host, origin):
    over_websocket(upgrade={"Host": host, "Origin": origin}).ping()


@pytest.mark.parametrize("origin", (
    "http://evil.example", "http://broker", "http://broker:1884", "https://broker:18830", "null",
    "file://", "http://broker:1883.evil.example", "http://evil.example/broker:1883", "broker:1883",
    "chrome-extension://broker:1883", "http://user@broker:1883", "",
))
def test_foreign_pages(broker, origin):
    answer = ask(broker.port, request(Host="broker:1883", Origin=origin))
    assert_refused(answer, 403)
    assert b"websockets_origin" in answer.body


def test_a_page_that_calls_by_a_public_name(fresh_broker):
    """Its name may point in here (DNS rebinding): who comes that way is no neighbour."""
    broker = fresh_broker()
    for name, reason in (("evil.example", 0x87), ("broker.local", 0), ("192.168.1.7", 0)):
        client = WebSocketClient(broker.port, 5, upgrade=False)
        client.upgrade(Host=f"{name}:1883", Origin=f"http://{name}:1883")
        client.send(Connect(""))
        client.expect(Connack, reason=reason)
        client.abort()
    broker.wait_for_log("name of the public net")


def test_the_log_says_who_was_refused(fresh_broker):
    broker = fresh_broker()
    ask(broker.port, request(Origin="http://evil.example"))
    broker.wait_for_log("websockets_origin")
    ask(broker.port, request(Sec_WebSocket_Protocol="chat"))
    broker.wait_for_log("sub-protocols")
    ask(broker.port, "GET / HTTP/1.1\n\n")
    broker.wait_for_log("without CR")


def test_two_origins(broker):
    assert_refused(ask(broker.port, request(Origin=["http://127.0.0.1", "http://evil"])), 400)


# ------------------------------------------------------------------------------------- other things

def test_mqtt_and_websocket_share_the_port(broker, over_websocket, new_id, prefix):
    over = over_websocket(5).listen(prefix)
    with Client(broker.port, 5, new_id()) as plain:
        plain.subscribe(prefix)
        plain.publish(prefix, b"from plain")
        over.expect_echo(b"from plain")
        plain.receive(prefix, b"from plain")
        over.echo(b"from WebSocket")
        plain.receive(prefix, b"from WebSocket")


def test_mqtt_within_a_websocket_within_nothing_else(over_websocket):
    """What comes out of the frames is MQTT, and not once more a handshake."""
    client = over_websocket(connect=False)
    client.send_frame(request().encode())
    client.expect_close(1002)


def test_rubbish_in_place_of_connect(over_websocket):
    client = over_websocket(5, connect=False)
    client.send_frame(b"\x30\x03\0\1a")
    client.expect_close(1002)


@pytest.mark.parametrize("version", (4, 5))
def test_a_session_moves_between_tcp_and_websocket(broker, over_websocket, new_id, prefix, version):
    """Who takes over is told from who is taken over by the client identifier alone."""
    over = over_websocket(version).listen(prefix)
    with Client(broker.port, version, over.client_id) as plain:
        over.expect_close(1008)
        if version == 5:
            over.expect(mqtt.Disconnect, reason=Reason.SESSION_TAKEN_OVER)
        plain.ping()
