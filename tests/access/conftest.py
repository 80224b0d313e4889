# SPDX-License-Identifier: MIT
"""Who may come in: users, password files, logins. Broker, clients and fixtures are those of
tests/wire. Environment: see there.
"""
import ctypes
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

WIRE = Path(__file__).resolve().parent.parent / "wire"
sys.path.insert(0, str(WIRE))
from server import BUD  # noqa: E402  pylint: disable=wrong-import-position

_spec = importlib.util.spec_from_file_location("wire_conftest", WIRE / "conftest.py")
wire = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wire)

pytest_configure = wire.pytest_configure
pytest_collection_modifyitems = wire.pytest_collection_modifyitems
fresh_broker, new_id, connect = wire.fresh_broker, wire.new_id, wire.connect
version = wire.version


@pytest.fixture(scope="session")
def bud():
    """bud("passwd", ..., stdin="") runs it to its end: .returncode, .stdout, .stderr (text)."""
    def run(*arguments, stdin="", **keywords):
        return subprocess.run([BUD, *map(str, arguments)], input=stdin, capture_output=True,
                              text=True, timeout=60, check=False, **keywords)
    return run


CLONE_NEWNET = 0x40000000


@pytest.fixture
def own_network():
    """This thread, and what it starts, in a network of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", encoding="ascii") as home:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"a network of its own needs root: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0
