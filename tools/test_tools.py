# SPDX-License-Identifier: MIT
"""The tools that decide whether the project is well must not be wrong about it themselves."""
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def stub(folder, name, script):
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, **options)


# tools/test

@pytest.fixture(name="runner")
def fixture_runner():
    loader = importlib.machinery.SourceFileLoader("runner", os.path.join(HERE, "test"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("xml, status, wanted", [
    ('<testsuite tests="5" failures="0" skipped="0"/>', 0, (5, 0, 0)),
    ('<testsuites><testsuite tests="7" failures="1" errors="2" skipped="1"/></testsuites>', 1,
     (3, 3, 1)),
    ('<testsuites><testsuite tests="2"/><testsuite tests="3" failures="1"/></testsuites>', 1,
     (4, 1, 0)),
    ('<testsuite tests="0"/>', 5, (0, 1, 0)),  # pytest that collected nothing has not passed
    ('<testsuite tests="4"/>', 1, (4, 1, 0)),  # a runner that crashed after its tests
    ("<testsuite", 0, (0, 1, 0)),
    (None, 0, (0, 1, 0)),
])
def test_counts_are_those_of_the_runner(runner, tmp_path, xml, status, wanted):
    path = tmp_path / "junit.xml"
    if xml is not None:
        path.write_text(xml)
    tally = runner.from_junit(path, status, "what it said")
    assert (tally.passed, tally.failed, tally.skipped) == wanted
    assert tally.output == ("what it said" if tally.failed else "")


def run_steps(runner, monkeypatch, capsys, steps, arguments=()):
    monkeypatch.setattr(runner, "STEPS", steps)
    monkeypatch.setattr(runner.sys, "argv", ["test", *arguments])
    status = runner.main()
    return status, capsys.readouterr().out.splitlines()


def absent(runner):
    def step():
        raise runner.Absent("nothing there")
    return step


def test_a_failing_step_does_not_stop_the_next(runner, monkeypatch, capsys):
    steps = {"first": lambda: runner.Tally(1, 2, 0, "line of what failed\n"),
             "second": absent(runner),
             "third": lambda: runner.Tally(3, 0, 1)}
    status, lines = run_steps(runner, monkeypatch, capsys, steps)
    assert status == 1
    assert re.fullmatch(r"first +1 passed, 2 failed, 0 s", lines[0])
    assert lines[1] == "    line of what failed"
    assert lines[2] == "second   absent: nothing there"
    assert re.fullmatch(r"third +3 passed, 0 failed, 1 skipped, 0 s", lines[3])
    assert lines[4:] == ["failed: first: failed", "4 passed, 2 failed, 1 skipped"]


def test_what_failed_is_named_at_the_end(runner, monkeypatch, capsys, tmp_path):
    path = tmp_path / "junit.xml"
    path.write_text('<testsuite tests="3" failures="1" errors="1"><testcase name="well"/>'
                    '<testcase classname="a.b" name="c"><failure/></testcase>'
                    '<testcase name="d"><error/></testcase></testsuite>')
    steps = {"one": lambda: runner.from_junit(path, 1, ""),
             "two": lambda: runner.from_junit(tmp_path / "none", 1, "")}
    lines = run_steps(runner, monkeypatch, capsys, steps)[1]
    assert lines[-4:] == ["failed: one: a.b c", "failed: one: d",
                          f"failed: two: the runner wrote no {tmp_path}/none",
                          "1 passed, 3 failed"]


def test_all_well_ends_with_status_0(runner, monkeypatch, capsys):
    steps = {"first": lambda: runner.Tally(2), "second": lambda: runner.Tally(0, 1)}
    assert run_steps(runner, monkeypatch, capsys, steps, ["first"])[0] == 0
    assert run_steps(runner, monkeypatch, capsys, steps)[0] == 1


def test_nothing_run_is_not_success(runner, monkeypatch, capsys):
    status, lines = run_steps(runner, monkeypatch, capsys, {"only": absent(runner)})
    assert (status, lines[-1]) == (1, "0 passed, 0 failed")


def test_a_sanitizer_report_is_a_failure(runner, monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "built", lambda path: str(tmp_path / path))
    (tmp_path / "dev").mkdir()
    options = runner.sanitizer_options("dev")
    assert runner.sanitizer_reports("dev").failed == 0
    log = re.search(r"log_path=([^:]+)", options["ASAN_OPTIONS"]).group(1)
    assert log == re.search(r"log_path=([^:]+)", options["TSAN_OPTIONS"]).group(1)
    with open(log + ".4711", "w", encoding="utf-8") as stream:
        stream.write("heap-use-after-free")
    tally = runner.sanitizer_reports("dev")
    assert tally.failed == 1 and "heap-use-after-free" in tally.output
    runner.sanitizer_options("dev")  # a new run does not inherit the old report
    assert runner.sanitizer_reports("dev").failed == 0


def test_a_command_that_hangs_is_ended(runner, monkeypatch):
    monkeypatch.setattr(runner, "COMMAND_SECONDS_MAX", 0.2)
    status, output = runner.run(["sh", "-c", "echo started; exec sleep 1000"])
    assert status == 1 and "was ended" in output


# .ci/run

@pytest.mark.parametrize("make, wanted, status", [
    ("echo '5 passed, 0 failed'", "5 passed, 0 failed", 0),
    ("echo '5 passed, 0 failed, 2 skipped'", "5 passed, 0 failed, 2 skipped", 0),
    ("echo '4 passed, 1 failed'; echo 'make: *** [test] Error 1' >&2; exit 2",
     "4 passed, 1 failed", 2),
    ("echo 'install: no network'; exit 2", "0 passed, 1 failed", 2),
    ("true", "0 passed, 1 failed", 1),
])
def test_the_last_line_of_ci_is_the_count(tmp_path, make, wanted, status):
    stub(tmp_path, "make", make + "\n")
    done = run(os.path.join(ROOT, ".ci", "run"),
               env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.stdout.splitlines()[-1] == wanted
    assert done.stdout.splitlines().count(wanted) <= 2
    assert done.returncode == status


# tools/install

@pytest.fixture(name="machine")
def fixture_machine(tmp_path):
    """install with a list of its own, and stubs for what would change this machine."""
    tools = tmp_path / "tools"
    tools.mkdir()
    shutil.copy(os.path.join(HERE, "install"), tools)
    (tools / "packages.txt").write_text(
        "# what this is\n\n# == build ==\ngcc\n\n# == test ==\n# reason\ncmocka  # another\nlist\n")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    stub(binaries, "id", "echo 0\n")
    stub(binaries, "apt-get", f'echo "$@" >>{tmp_path}/calls; exit ${{APT_STATUS:-0}}\n')

    def install(*sections, installed="", **environment):
        stub(binaries, "dpkg-query", "".join(f"echo installed {p}\n" for p in installed.split())
             + "echo not-installed list\nexit 1\n")
        (tmp_path / "calls").write_text("")
        done = run(tools / "install", *sections,
                   env={"PATH": f"{binaries}:{os.environ['PATH']}", **environment})
        return done, (tmp_path / "calls").read_text()
    return install


def test_install_does_nothing_when_everything_is_there(machine):
    done, calls = machine("build", "test", installed="gcc cmocka list")
    assert (done.returncode, done.stdout, done.stderr, calls) == (0, "", "", "")


def test_install_asks_for_what_is_missing_only(machine):
    done, calls = machine("build", "test", installed="gcc")
    assert done.returncode == 0
    assert calls.splitlines()[0].endswith(" install --no-install-recommends cmocka list")
    assert len(calls.splitlines()) == 1


def test_install_knows_sections(machine):
    assert machine("build", installed="gcc")[1] == ""
    assert " gcc\n" in machine("build")[1] and "cmocka" not in machine("build")[1]
    assert machine("nosuch")[0].returncode == 2
    assert machine()[0].returncode == 2 and "build test" in machine()[0].stderr


def test_install_fetches_lists_and_then_says_what_it_could_not(machine):
    done, calls = machine("build", APT_STATUS="100")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "install: apt-get could not install: gcc"
    assert calls.splitlines()[1].endswith(" update")


# tools/mcu_report

def library(folder, *sources):
    objects = []
    for number, source in enumerate(sources):
        (folder / f"{number}.c").write_text(source)
        subprocess.run(["gcc", "-c", "-O0", "-fno-builtin", "-ffreestanding", f"{number}.c"],
                       cwd=folder, check=True)
        objects.append(f"{number}.o")
    subprocess.run(["ar", "qc", "lib.a", *objects], cwd=folder, check=True)
    return folder / "lib.a"


def test_proto_may_use_itself_and_block_functions(tmp_path):
    made = library(tmp_path, "int one(void) { return 1; }",
                   "int one(void); void *memcpy(void *, const void *, unsigned long);"
                   "int two(void *a, void *b) { memcpy(a, b, 99); return one(); }")
    done = run(os.path.join(HERE, "mcu_report"), made)
    assert done.returncode == 0 and "TOTALS" in done.stdout and "1.o" in done.stdout


def test_proto_may_not_use_anything_else(tmp_path):
    made = library(tmp_path, "int puts(const char *); int one(void) { return puts(0); }")
    done = run(os.path.join(HERE, "mcu_report"), made)
    assert done.returncode == 1 and "puts" in done.stderr
