# SPDX-License-Identifier: MIT
"""Fixtures: a broker to talk to, clients that are cleaned up, topics that nobody else uses.

Environment:
  BUD            the program under test (default: build/dev/bud)
  BUD_WORKERS    its --workers (default 2)
  BUD_TEST_PEER  "mosquitto": run against Debian's broker instead, to develop the tests.
                 It fails some tests on purpose; each says so in a comment.
  BUD_RELEASE    set: the program is a release build, so memory and slow tests run too
  BUD_TIMEOUT    the bound of every wait in seconds (default 10; raise it under valgrind)
"""
import itertools
import os
import uuid

import pytest

import client as client_module
from server import Broker
from watcher import Watcher

VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5.0"}


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: needs a release build (BUD_RELEASE) or much time")
    config.addinivalue_line("markers", "memory: measures RSS, so it needs BUD_RELEASE")
    config.addinivalue_line("markers", "proves(version, number...): see tools/ledger")


def pytest_collection_modifyitems(items):
    if os.environ.get("BUD_RELEASE"):
        return
    skip = pytest.mark.skip(reason="needs a release build: set BUD_RELEASE")
    for item in items:
        if "slow" in item.keywords or "memory" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The broker that the tests of this process share. Options: none but the port's."""
    with Broker(tmp_path_factory.mktemp("broker")) as shared:
        yield shared


@pytest.fixture(scope="module")
def module_broker(tmp_path_factory):
    """A broker for one test file (in one process), which may leave anything behind in it."""
    with Broker(tmp_path_factory.mktemp("module_broker")) as own:
        yield own


@pytest.fixture
def fresh_broker(tmp_path):
    """A factory: fresh_broker("--max-inflight-messages", "20", ...) starts a broker of the test's
    own; it is stopped at the end, and its exit status and stderr are checked. Keywords: those of
    Broker (workers, expect_exit), and directory, to start again where another one ran."""
    started = []

    def start(*options, directory=None, **keywords):
        directory = directory or tmp_path / f"broker{len(started)}"
        started.append(Broker(directory, *options, **keywords))
        return started[-1].start()

    yield start
    for one in started:
        one.stop()


@pytest.fixture(params=VERSIONS, ids=VERSIONS.values())
def version(request):
    """Runs the test for each protocol version: 3, 4, 5."""
    return request.param


@pytest.fixture(params=itertools.product(VERSIONS, VERSIONS),
                ids=lambda pair: f"{VERSIONS[pair[0]]}-to-{VERSIONS[pair[1]]}")
def versions(request):
    """Runs the test for each (publisher's version, subscriber's version)."""
    return request.param


@pytest.fixture
def prefix():
    """A first topic level that only this test uses, without a slash at the end."""
    return "t" + uuid.uuid4().hex[:10]


@pytest.fixture
def new_id():
    """A factory of client identifiers that nobody else uses, short enough for 3.1."""
    stem, numbers = uuid.uuid4().hex[:10], itertools.count(1)
    return lambda name="c": f"{name[:6]}-{stem}-{next(numbers)}"


@pytest.fixture
def connect(request, new_id):
    """A factory of clients: connect(version, client_id=None, port=None, **Client arguments).
    Without a port it is the shared broker's. They are closed after the test."""
    clients = []

    def make(version=5, client_id=None, port=None, **fields):
        if port is None:
            port = request.getfixturevalue("broker").port
        name = new_id() if client_id is None else client_id
        clients.append(client_module.Client(port, version, name, **fields))
        return clients[-1]

    yield make
    for one in clients:
        one.abort()


@pytest.fixture
def start(fresh_broker, connect):
    """start("--option", value, ...): a broker, its port, and a watcher of its counters."""
    def make(*options, **keywords):
        broker = fresh_broker("--sys-interval", "1", *options, **keywords)
        return broker, broker.port, Watcher(connect(5, "watcher", port=broker.port))
    return make
