# SPDX-License-Identifier: MIT
"""What MQTT comes in: WebSocket and PROXY headers, from outside and byte by byte.

Broker, clients, codec and fixtures are those of tests/wire. Environment: see there.
"""
import importlib.util
import sys
from pathlib import Path

import pytest

WIRE = Path(__file__).resolve().parent.parent / "wire"
sys.path.insert(0, str(WIRE))
_spec = importlib.util.spec_from_file_location("wire_conftest", WIRE / "conftest.py")
wire = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wire)

from websocket import WebSocketClient  # noqa: E402

pytest_configure = wire.pytest_configure
pytest_collection_modifyitems = wire.pytest_collection_modifyitems
broker, module_broker, fresh_broker = wire.broker, wire.module_broker, wire.fresh_broker
prefix, new_id, connect, start = wire.prefix, wire.new_id, wire.connect, wire.start


class Echo(WebSocketClient):
    """A client that publishes to itself: what comes back has gone through frames twice."""

    def send_slowly_past_frames(self, data, piece):
        for at in range(0, len(data), piece):
            self.send_bytes(data[at:at + piece])

    def listen(self, topic):
        self.topic = topic
        self.subscribe(topic)
        return self

    def expect_echo(self, payload):
        self.receive(self.topic, payload)

    def echo(self, payload):
        self.publish(self.topic, payload)
        self.expect_echo(payload)


@pytest.fixture
def over_websocket(request, new_id):
    """A factory of clients over WebSocket: over_websocket(version, port=None, **fields)."""
    clients = []

    def make(version=4, port=None, **fields):
        port = port or request.getfixturevalue("broker").port
        clients.append(Echo(port, version, new_id(), **fields))
        return clients[-1]
    yield make
    for client in clients:
        client.abort()


@pytest.fixture
def echo(over_websocket, prefix):
    """A client that is connected and subscribed to a topic of its own."""
    return over_websocket().listen(prefix)


@pytest.fixture
def watcher(over_websocket, echo):
    """A second client, which sees what the first one publishes."""
    return over_websocket().listen(echo.topic)
