# SPDX-License-Identifier: MIT
"""Runs become figures, and figures tables."""
import statistics
import sys

from brokers import Failure


def attempt(measure, *arguments):
    try:
        return measure(*arguments)
    except Failure as failure:
        return {"failure": str(failure)}


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def median(values):
    values = list(values)
    return statistics.median(values) if values else None


def cell(value, form):
    return "-" if value is None else form.format(value)


def print_table(title, columns, targets, summary):
    columns = [(name, show) for name, show in columns
               if any(show(summary[target.name]) != "-" for target in targets)]
    rows = [[title] + [name for name, _ in columns]]
    for target in targets:
        figures = summary[target.name]
        rows.append(["  " + target.label] + [show(figures) for _, show in columns])
    widths = [max(len(row[i]) for row in rows) for i in range(1, len(rows[0]))]
    print(title if len(title) > 24 else "", end="\n" if len(title) > 24 else "")
    for number, row in enumerate(rows):
        first = "" if number == 0 and len(title) > 24 else row[0]
        cells = (f"{text:>{width}}" for text, width in zip(row[1:], widths))
        print(f"{first:<24}" + "  ".join(cells))
    for target in targets:
        for failure in sorted(set(summary[target.name]["failures"])):
            print(f"  {target.label}: FAILED: {failure}")
    print()
