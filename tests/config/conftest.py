# SPDX-License-Identifier: MIT
"""Brokers that are started with a configuration file, as Mosquitto's users write it."""
import subprocess

import pytest

from server import BUD, STOP_SECONDS, Broker

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

# The fixtures of tests/wire, whose conftest.py has the same name as this file.
_spec = spec_from_file_location("wire_conftest",
                                Path(__file__).resolve().parents[1] / "wire/conftest.py")
_wire = module_from_spec(_spec)
_spec.loader.exec_module(_wire)
pytest_configure = _wire.pytest_configure
pytest_collection_modifyitems = _wire.pytest_collection_modifyitems
version, prefix, new_id, connect = _wire.version, _wire.prefix, _wire.new_id, _wire.connect


class FileBroker(Broker):
    """`text` is the whole file; {directory} in it is the broker's own."""

    def __init__(self, directory, text, *options, **keywords):
        super().__init__(directory, *options, **keywords)
        self.path = self.directory / "bud.conf"
        self.write(text)

    def write(self, text):
        self.path.write_text(text.replace("{directory}", str(self.directory)))

    def command(self):
        return [str(BUD), "serve", "-c", str(self.path), "--workers", str(self.workers),
                "--user", "root", *self.options]


@pytest.fixture
def start_with(tmp_path):
    """start_with("listener 0 127.0.0.1\\n...", "--option", ...): a broker of the test's own."""
    started = []

    def start(text, *options, **keywords):
        started.append(FileBroker(tmp_path / f"broker{len(started)}", text, *options, **keywords))
        return started[-1].start()

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def run_with(tmp_path):
    """run_with("file text", "--check-config", ...): (exit status, stdout, stderr)."""
    def run(text, *options):
        path = tmp_path / "run.conf"
        path.write_text(text)
        done = subprocess.run([str(BUD), "serve", "-c", str(path), *options], cwd=tmp_path,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=STOP_SECONDS)
        return done.returncode, done.stdout.decode(), done.stderr.decode()
    return run
