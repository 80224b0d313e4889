# SPDX-License-Identifier: MIT
"""What a durable publish costs against what the disk itself costs, and the memory of a queue.

Each run is a fresh broker whose store is on the file system of --directory; bench_durable puts
slices of raw barriers in the same directory between its slices of publishing, so every ratio is
taken within one run. README.md says how to read the tables.
"""
import argparse
import json
import pathlib
import subprocess

from brokers import Broker, Failure, bud_target, find_mosquitto, mosquitto_target
from figures import attempt, cell, median, print_table, progress

RUN_SECONDS_MAX = 180
SLICE_MILLISECONDS = 100

SCENARIOS = {
    "alone-away": ("1 publisher, 1 under way, the subscriber is away", []),
    "alone": ("1 publisher, 1 under way, the subscriber is there", ["--online", "1"]),
    "many-away": ("64 publishers, 1 under way each, the subscriber is away",
                  ["--publishers", "64"]),
    "many": ("64 publishers, 1 under way each, the subscriber is there",
             ["--publishers", "64", "--online", "1"]),
    "deep": ("64 publishers, 10 under way each, the subscriber is there",
             ["--publishers", "64", "--window", "10", "--online", "1"]),
}

NO_LIMITS = ["--max-queued-messages", "0", "--max-queued-bytes", "0"]
PERSISTENT = "persistence true\npersistence_location {directory}/\n"
ON_CHANGES = PERSISTENT + "autosave_on_changes true\nautosave_interval 1\n"


def find_targets(options):
    bud, against = options.bud, options.against
    targets = []
    if bud.exists():
        targets += [bud_target("bud-1", "bud --workers 1", bud, "--workers", "1", *NO_LIMITS),
                    bud_target("bud", "bud", bud, *NO_LIMITS)]
    if against and against.exists():
        targets.append(bud_target("against", "against --workers 1", against, "--workers", "1",
                                  *NO_LIMITS))
    if find_mosquitto():
        targets += [mosquitto_target("mosquitto", "mosquitto, each 30 min", PERSISTENT),
                    mosquitto_target("mosquitto-changes", "mosquitto, on changes", ON_CHANGES)]
    return [target for target in targets
            if not options.targets or target.name in options.targets]


def run_once(options, target, arguments):
    """One fresh broker: bench_durable's line of JSON."""
    with Broker(target, None, options.directory) as broker:
        command = [str(options.tools / "bench_durable"), "--port", str(broker.port), "--pid",
                   str(broker.process.pid), "--directory", str(options.directory)] + arguments
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  timeout=RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            raise Failure("bench_durable did not come to an end") from error
        if done.returncode:
            raise Failure(done.stderr.strip() or f"bench_durable: status {done.returncode}")
        return json.loads(done.stdout)


def measure_rate(options, target, scenario):
    run = run_once(options, target, SCENARIOS[scenario][1] + [
        "--slice", str(SLICE_MILLISECONDS), "--milliseconds", str(int(options.seconds * 1000))])
    run["rate"] = run["acknowledged"] / run["seconds"]
    run["barrier_rate"] = run["barriers"] / run["barrier_seconds"]
    run["to_barrier"] = run["rate"] / run["barrier_rate"]
    run["p99_to_barrier"] = run["ack_p99_us"] / run["barrier_p99_us"]
    run["bytes_per_message"] = run["written_bytes"] / run["acknowledged"]
    run["cpu_us"] = run["broker_seconds"] / run["acknowledged"] * 1e6
    return run


def measure_memory(options, target):
    run = run_once(options, target, ["--messages", str(options.queued), "--publishers", "8",
                                     "--window", "100"])
    run["bytes_per_queued"] = (run["rss_after"] - run["rss_before"]) / options.queued
    run["bytes_per_message"] = run["written_bytes"] / run["acknowledged"]
    return run


def gather(options, targets):
    """{job: {target: [a run for each round]}}; the innermost loop is over the targets."""
    jobs = [name for name in SCENARIOS if not options.only or name in options.only]
    queued = [] if options.only else ["queued"]
    runs = {job: {target.name: [] for target in targets} for job in jobs + queued}
    for round_number in range(options.rounds):
        for job in jobs:
            progress(f"durable round {round_number + 1} of {options.rounds}: {SCENARIOS[job][0]}")
            for target in targets:
                runs[job][target.name].append(attempt(measure_rate, options, target, job))
    for target in targets if queued else []:
        progress(f"{options.queued} queued messages")
        runs["queued"][target.name].append(attempt(measure_memory, options, target))
    progress("")
    return runs


def summarise(runs_of_targets):
    summary = {}
    for name, runs in runs_of_targets.items():
        good = [run for run in runs if "failure" not in run]
        figures = {key: median(run[key] for run in good) for key in (good[0] if good else {})}
        figures["failures"] = [run["failure"] for run in runs if "failure" in run]
        if good and "to_barrier" in good[0]:
            ratios = [run["to_barrier"] for run in good]
            figures["to_barrier_min"], figures["to_barrier_max"] = min(ratios), max(ratios)
        summary[name] = figures
    return summary


def show(key, form, divisor=1):
    return lambda figures: cell(figures[key] / divisor if key in figures else None, form)


RATE_COLUMNS = [
    ("messages/s", show("rate", "{:,.0f}")),
    ("barriers/s", show("barrier_rate", "{:,.0f}")),
    ("x barriers", show("to_barrier", "{:.2f}")),
    ("from - to", lambda f: "-" if "to_barrier" not in f else
     f"{f['to_barrier_min']:.2f} - {f['to_barrier_max']:.2f}"),
    ("ack p50 ms", show("ack_p50_us", "{:.2f}", 1000)),
    ("ack p99 ms", show("ack_p99_us", "{:.2f}", 1000)),
    ("p99 x barrier's", show("p99_to_barrier", "{:.1f}")),
    ("written B/message", show("bytes_per_message", "{:,.0f}")),
    ("CPU us", show("cpu_us", "{:.1f}")),
]

QUEUED_COLUMNS = [
    ("memory B/message", show("bytes_per_queued", "{:,.0f}")),
    ("written B/message", show("bytes_per_message", "{:,.0f}")),
]


def file_system_of(directory):
    """Its type and device, as the kernel lists them."""
    best = ("", "unknown", "")
    for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        device, place, kind = line.split()[:3]
        if directory.resolve().is_relative_to(place) and len(place) >= len(best[0]):
            best = (place, kind, device)
    return f"{best[1]} on {best[2]}"


def shortened(options):
    """Less, unless --durable asks for it."""
    if options.durable:
        return options
    short = argparse.Namespace(**vars(options))
    short.rounds, short.seconds = min(3, options.rounds), min(0.5, options.seconds)
    return short


def measure(options):
    """Prints the tables; returns the runs and the summaries by job."""
    options = shortened(options)
    options.directory.mkdir(parents=True, exist_ok=True)
    targets = find_targets(options)
    runs = gather(options, targets)
    summaries = {job: summarise(of_targets) for job, of_targets in runs.items()}
    print(f"Durable, QoS 1, 100 B; the store is in {options.directory}: "
          f"{file_system_of(options.directory)}\n")
    for job, summary in summaries.items():
        if job == "queued":
            print_table(f"{options.queued} messages of 100 B queued for a client that is away",
                        QUEUED_COLUMNS, targets, summary)
        else:
            print_table(SCENARIOS[job][0], RATE_COLUMNS, targets, summary)
    return runs, summaries
