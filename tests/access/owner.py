# SPDX-License-Identifier: MIT
"""HTTP to a broker: over the socket in its data directory, or over the network."""
import http.client
import json
import socket

TIMEOUT = 20


class _OwnersConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("bud", timeout=TIMEOUT)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self.path)


def ask(broker, method, path, key=None, by_network=False):
    """(status, JSON or text) of one request."""
    connection = (http.client.HTTPConnection("127.0.0.1", broker.port, timeout=TIMEOUT)
                  if by_network else _OwnersConnection(broker.directory / "data" / "bud.sock"))
    connection.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    is_json = answer.getheader("Content-Type") == "application/json"
    return answer.status, json.loads(body) if is_json else body


def bans(broker):
    """{(address, user or None)}"""
    status, answer = ask(broker, "GET", "/api/v1/bans")
    assert status == 200, answer
    return {(ban["address"], ban["user"]) for ban in answer["bans"]}
