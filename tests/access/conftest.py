# SPDX-License-Identifier: MIT
"""Who may come in: users, password files, logins. Broker, clients and fixtures are those of
tests/wire. Environment: see there.
"""
import importlib.util
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
