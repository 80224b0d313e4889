# SPDX-License-Identifier: MIT
"""Makes a failing script short: takes out steps as long as it still fails."""


def shrink(steps, fails, tries_max=400):
    """`fails(steps)` plays and judges. Takes out halves, then quarters, ... then single steps, and
    starts again until nothing more can go."""
    size, tries = max(len(steps) // 2, 1), 0
    while size >= 1 and tries < tries_max:
        at, shortened = 0, False
        while at < len(steps) and tries < tries_max:
            candidate = steps[:at] + steps[at + size:]
            tries += 1
            if candidate and fails(candidate):
                steps, shortened = candidate, True
            else:
                at += size
        if not shortened or size > 1:
            size = size // 2 if size > 1 or not shortened else 1
    return steps
