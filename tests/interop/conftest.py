# SPDX-License-Identifier: MIT
"""Real clients against our broker: what the tests of this folder share.

The clients are installed before the first test (./install); one that cannot be had fails the run,
unless BUD_INTEROP_OPTIONAL=1 says that its tests may be skipped. All that goes over the wire is
captured, and judged after the last test: see interop_wire.py. BUD, BUD_WORKERS, BUD_TEST_PEER:
see interop_broker.py. BUD_TIMEOUT is the bound of every wait, in seconds.
"""
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from interop_broker import Broker
from interop_clients import BUILD, CLIENTS, HERE, REFERENCE
from interop_process import run
from interop_wire import Capture, judge

IS_OPTIONAL = os.environ.get("BUD_INTEROP_OPTIONAL") == "1"
NEEDS = {
    "mosquitto": "mosquitto_sub", "paho-c": "paho_c_sub", "paho-cs": "paho_cs_sub",
    "paho-python": "/usr/lib/python3/dist-packages/paho/mqtt/client.py",
    "mqtt.js": HERE / "node_modules/mqtt/package.json", "paho-go": BUILD / "paho_go",
    "fusesource": "/usr/share/java/mqtt-client.jar",
    "paho-js": HERE / "node_modules/paho-mqtt/package.json", "chromium": "chromium",
    "node-red": HERE / "node_modules/node-red/red.js",
    "curl": "curl", "collectd": "/usr/sbin/collectd", "tshark": "tshark",
}


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(name...): the clients that a test runs")


def pytest_sessionstart(session):
    """Installs, once: with pytest-xdist before the workers start."""
    if hasattr(session.config, "workerinput"):
        return
    done = subprocess.run([HERE / "install"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=600)
    if done.returncode and not IS_OPTIONAL:
        pytest.exit(f"tests/interop/install failed:\n{done.stdout}{done.stderr}", 1)


def is_there(name):
    need = NEEDS[name]
    return Path(need).exists() if "/" in str(need) else shutil.which(need) is not None


@pytest.fixture(autouse=True)
def _installed(request):
    """A test whose client is missing fails, or is skipped where that was allowed."""
    marker = request.node.get_closest_marker("needs")
    names = set(marker.args if marker else ()) | {"mosquitto", "tshark"}
    client = getattr(request.node, "callspec", None) and request.node.callspec.params.get("client")
    names |= {client} if client else set()
    missing = sorted(name for name in names if not is_there(name))
    if missing and IS_OPTIONAL:
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert not missing, f"not installed: {', '.join(missing)} (tests/interop/install)"


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The broker that all tests of this process share; its bytes are judged at the end."""
    directory = tmp_path_factory.mktemp("broker")
    started = Broker(directory).start()
    capture = Capture(directory / "wire.pcapng", started.port)
    yield started
    try:
        for client in CLIENTS.values():
            client.close()
        mark = f"last-{uuid.uuid4().hex}".encode()
        REFERENCE.publish(started.port, "3.1.1", "interop/last", mark, 1)
        capture.stop_after(mark)
    finally:
        started.stop()
    verdict = judge(capture.path, started.port)
    assert verdict.packets, "nothing was captured"
    assert not verdict.complaints, "\n".join(
        [f"{capture.path}: Wireshark objects to {len(verdict.complaints)} frames of ours"]
        + verdict.complaints[:40])


@pytest.fixture
def port(broker):
    return broker.port


@pytest.fixture
def topic():
    """A first topic level that only this test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def subscribed(port):
    """A factory: subscribed(client, version, "x/#", qos, ...) returns a Subscription that has its
    SUBACK: a retained marker under x/ has come through. All are ended after the test."""
    made, marked = [], set()

    def make(client, version, topic_filter, qos=0, **how):
        stem = topic_filter.removesuffix("#")
        if stem not in marked:
            marked.add(stem)
            REFERENCE.publish(port, "3.1.1", f"{stem}ready", b"ready", 0, True)
        one = client.subscribe(port, version, topic_filter, qos, **how)
        made.append(one)
        one.until(f"{stem}ready")
        return one

    yield make
    for one in made:
        if one.is_own:
            one.kill()
        else:
            one.stop()
