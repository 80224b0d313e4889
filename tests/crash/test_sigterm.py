# SPDX-License-Identifier: MIT
"""SIGTERM under load: nothing acknowledged is lost, the status is 0, and it does not take long."""
import os

import pytest

import crash
from test_traffic import drain, publishers, subscribers, tally

STOPS = max(10, crash.KILLS // 2)
STOP_SECONDS_MAX = 2


@pytest.mark.parametrize("workers", (1, 4))
def test_stopping_under_load_loses_nothing(world, new_id, prefix, figures, workers):
    place = world(*crash.UNLIMITED, workers=workers, seed=workers)
    targets = subscribers(new_id, place, prefix)
    sources, longest = publishers(new_id, place, prefix), 0
    for _ in range(STOPS):
        place.wait_progress(int(10 ** place.numbers.uniform(0, 3)))
        longest = max(longest, place.stop())
        place.start()
    drain(place, sources, targets)
    assert tally(figures, place, sources, targets) == (0, 0, 0)
    figures |= {"stops": STOPS, "longest stop in ms": round(longest * 1000)}
    if os.environ.get("BUD_RELEASE"):
        assert longest < STOP_SECONDS_MAX
