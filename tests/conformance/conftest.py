# SPDX-License-Identifier: MIT
"""The normative statements of MQTT 5.0 and 3.1.1 at the wire, one folder beside the harness.

Files go by chapter of the standard; a marker says which statements a test proves (see tools/ledger
for its form, docs/conformance.md for the result). Broker, clients, codec and fixtures are those of
tests/wire. Environment: see there.
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

pytest_configure = wire.pytest_configure
pytest_collection_modifyitems = wire.pytest_collection_modifyitems
broker, module_broker, fresh_broker = wire.broker, wire.module_broker, wire.fresh_broker
prefix, new_id, connect = wire.prefix, wire.new_id, wire.connect

VERSIONS = {4: "3.1.1", 5: "5.0"}


@pytest.fixture(params=VERSIONS, ids=VERSIONS.values())
def version(request):
    """Runs the test for 3.1.1 and 5.0: the versions that number their statements."""
    return request.param
