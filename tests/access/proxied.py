# SPDX-License-Identifier: MIT
"""Clients from anywhere: each connection begins with the PROXY header of a proxy that is believed.
The broker has to be started with TRUSTED. 203.0.113.0/24 and 198.51.100.0/24 are nobody's."""
from client import Client

TRUSTED = ("--trusted-proxies", "127.0.0.1", "--allow-anonymous", "true")


def header(address):
    family = "TCP6" if ":" in address else "TCP4"
    return f"PROXY {family} {address} {'::1' if ':' in address else '127.0.0.1'} 4711 1883\r\n"


def client_from(address, port, version=5, client_id="", **fields):
    """A connection of this address that has sent its CONNECT and awaits the answer."""
    client = Client(port, version, client_id, connect=False)
    client.send_raw(header(address).encode())
    client.send_connect(**fields)
    return client
