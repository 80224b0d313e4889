# SPDX-License-Identifier: MIT
"""What was acknowledged survives: kill -9, full and failing disks, damaged files, long queues.

Broker, clients and codec are those of tests/wire; crash.py holds what is killed and who talks to
it meanwhile. Environment, besides that of tests/wire:
  BUD_CRASH_KILLS  kills for each kind (default 2, which makes about 20 in all)
  BUD_CRASH_SEED   chooses the moments and the traffic (default 1)
The figures of each kind are printed at the end of the run.
"""
import importlib.util
import random
import sys
from pathlib import Path

import pytest

WIRE = Path(__file__).resolve().parent.parent / "wire"
sys.path.insert(0, str(WIRE))
_spec = importlib.util.spec_from_file_location("wire_conftest", WIRE / "conftest.py")
wire = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wire)

import crash  # noqa: E402  (it needs the path)

pytest_configure = wire.pytest_configure
pytest_collection_modifyitems = wire.pytest_collection_modifyitems
broker, fresh_broker = wire.broker, wire.fresh_broker
prefix, new_id, connect = wire.prefix, wire.new_id, wire.connect


@pytest.fixture
def numbers(request):
    """Random numbers of this test's own, the same in every run with the same seed."""
    return random.Random(f"{crash.SEED}/{request.node.name}")


@pytest.fixture
def figures(request):
    """A dict that is printed at the end of the run, beside the test's name."""
    kept = {}
    yield kept
    text = ", ".join(f"{name} {value}" for name, value in kept.items())
    request.node.user_properties.append(("figures", text))


def pytest_terminal_summary(terminalreporter):
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", []):
                if name == "figures" and report.when == "teardown" and text:
                    terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {text}")


@pytest.fixture
def world(tmp_path):
    """A factory of crash.World, each ended and judged after the test."""
    started = []

    def start(*options, **keywords):
        started.append(crash.World(tmp_path / f"world{len(started)}", *options, **keywords))
        return started[-1]

    yield start
    for one in started:
        one.end()
