# SPDX-License-Identifier: MIT
"""Proxies that are trusted by their address: PROXY headers, X-Forwarded-For and its kin.

Anonymous clients come in from private networks alone, so who is refused was believed to be FOREIGN,
or to be hidden by somebody who is not trusted to tell. `behind_proxy` trusts this machine, as one
that stands behind nginx does.
"""
import pytest

from client import Client
from mqtt import Connack, Connect, Reason
from server import Broker
from websocket import WebSocketClient, request

FOREIGN, PRIVATE = "203.0.113.9", "10.1.2.3"
GOOD, BAD = Reason.SUCCESS, Reason.NOT_AUTHORIZED


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("behind"), "--trusted-proxies", "127.0.0.0/8,192.0.2.1",
                "--websockets-origin", "https://panel.example",
                "--websockets-origin", "null") as broker:
        yield broker


def over_websocket(port, before=b"", **headers):
    """The reason in CONNACK for who came with these headers."""
    with WebSocketClient(port, 5, upgrade=headers, before=before, connect=False) as peer:
        peer.send(Connect(""))
        return peer.expect(Connack).reason


def over_tcp(port, before):
    with Client(port, 5, connect=False) as peer:
        peer.send_raw(before)
        peer.send(Connect(""))
        return peer.expect(Connack).reason


@pytest.mark.parametrize("reason, headers", (
    (GOOD, {}), (GOOD, {"X_Forwarded_For": PRIVATE}), (BAD, {"X_Forwarded_For": FOREIGN}),
    (BAD, {"X_Forwarded_For": f"{PRIVATE}, {FOREIGN}"}),
    (GOOD, {"X_Forwarded_For": f"{FOREIGN}, {PRIVATE}"}),
    (GOOD, {"X_Forwarded_For": f"{FOREIGN}, {PRIVATE}, 192.0.2.1"}),
    (BAD, {"X_Forwarded_For": ["127.0.0.1", FOREIGN]}), (BAD, {"X_Forwarded_For": "unknown"}),
    (BAD, {"X_Forwarded_For": ""}), (BAD, {"X_Real_IP": FOREIGN}), (GOOD, {"X_Real_IP": PRIVATE}),
    (BAD, {"Forwarded": f"for={FOREIGN}"}), (GOOD, {"Forwarded": f"for={PRIVATE};proto=https"}),
    (BAD, {"Forwarded": "for=_hidden"}), (GOOD, {"Forwarded": 'for="[fd00::7]:1"'}),
    (BAD, {"X_Forwarded_For": PRIVATE, "X_Real_IP": FOREIGN}), (BAD, {"Via": "1.1 proxy"}),
), ids=repr)
def test_headers_of_a_trusted_proxy(behind_proxy, reason, headers):
    assert over_websocket(behind_proxy.port, **headers) == reason


@pytest.mark.parametrize("source, reason", ((PRIVATE, GOOD), (FOREIGN, BAD)))
def test_a_proxy_header_where_it_may_come(behind_proxy, source, reason):
    """And where it need not: others of this machine come without one."""
    header = f"PROXY TCP4 {source} 127.0.0.1 1 1883\r\n".encode()
    assert over_tcp(behind_proxy.port, header) == reason
    assert over_websocket(behind_proxy.port, header) == reason
    assert over_tcp(behind_proxy.port, b"") == GOOD


def test_who_comes_by_a_proxy_is_no_proxy(behind_proxy):
    """After a PROXY header the peer is the client, whose own headers are lies."""
    header = f"PROXY TCP4 {FOREIGN} 127.0.0.1 1 1883\r\n".encode()
    assert over_websocket(behind_proxy.port, header, X_Forwarded_For="127.0.0.1") == BAD


@pytest.mark.parametrize("headers", (
    {"X_Forwarded_For": PRIVATE}, {"X_Real_IP": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"},
    {"Via": "1.1 proxy"}, {"X_Forwarded_Proto": "https"},
), ids=repr)
def test_headers_of_a_stranger_hide_him(broker, headers):
    """Somebody is between, and nobody said who may be believed: that must be set first."""
    assert over_websocket(broker.port, **headers) == BAD
    assert over_websocket(broker.port) == GOOD


def test_the_log_says_what_to_do_about_a_proxy(fresh_broker):
    broker = fresh_broker()
    over_websocket(broker.port, X_Forwarded_For=PRIVATE)
    broker.wait_for_log("--trusted-proxies")


@pytest.mark.parametrize("origin", ("https://panel.example", "null", "http://127.0.0.1"))
def test_listed_pages(behind_proxy, origin):
    assert over_websocket(behind_proxy.port, Origin=origin) == GOOD


@pytest.mark.parametrize("origin", ("http://panel.example", "https://panel.example:8443",
                                    "https://panel.example.evil", "https://PANEL.example"))
def test_pages_that_are_not_quite_listed(behind_proxy, origin):
    with WebSocketClient(behind_proxy.port, 5, upgrade=False) as peer:
        assert peer.ask(request(Origin=origin)).status == 403


def test_every_page_may_be_let_in(fresh_broker):
    broker = fresh_broker("--websockets-origin", "*")
    assert over_websocket(broker.port, Origin="http://anywhere.example") == GOOD
