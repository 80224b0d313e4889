# SPDX-License-Identifier: MIT
"""The unit that systemd is given: it parses, and it leaves a service little to do wrong."""
import re
import shutil
import subprocess

import pytest

from server import ROOT

UNIT = ROOT / "packaging/systemd/bud.service"
EXPOSURE_MAX = 20           # tenths, of 100

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                reason="systemd is not installed")


def judge(*options):
    return subprocess.run(["systemd-analyze", "security", "--offline=true", *options, str(UNIT)],
                          capture_output=True, text=True, timeout=60, check=False)


def test_the_unit_is_understood_and_exposes_little():
    done = judge(f"--threshold={EXPOSURE_MAX}")
    assert "ignoring" not in done.stderr and "Failed" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stdout[-2000:]
    assert re.search(r"Overall exposure level.*: [01]\.\d", done.stdout), done.stdout[-500:]


def test_the_judgement_can_fail():
    assert judge("--threshold=5").returncode != 0
