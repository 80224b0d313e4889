# SPDX-License-Identifier: MIT
"""`bud serve -c`: what is said of a file, and how the command line goes with it."""
import re
import shutil
import subprocess

import pytest

from server import BUD, STOP_SECONDS


def run(*arguments):
    done = subprocess.run([str(BUD), *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          timeout=STOP_SECONDS)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def effective(output):
    """{option: (value, source)} of the part before the listeners, then one for each listener."""
    parts = [{}]
    for line in output.splitlines():
        if line.startswith("listener "):
            parts.append({"": line})
        elif line:
            found = re.match(r" *(\S+) +(.*?) +(default|command line|\S+:\d+)$", line)
            assert found, line
            parts[-1][found[1]] = (found[2], found[3])
    return parts


def test_every_mistake_is_named_with_its_line_and_the_status_is_3(run_with):
    status, output, errors = run_with("sys_interval 1\nalow_anonymous true\n # x\nlistener\n"
                                      "persistence maybe\n", "--check-config")
    assert status == 3 and not output
    assert ("run.conf:2: there is no option 'alow_anonymous'. Did you mean: allow_anonymous"
            in errors)
    assert "run.conf:3: a comment begins in the first column" in errors
    assert "run.conf:4: listener needs a port" in errors
    assert "run.conf:5: persistence: 'maybe' is not one of false|true" in errors


def test_a_broken_file_starts_nothing(run_with):
    assert run_with("rabbit 1\n")[0] == 3


@pytest.mark.parametrize("flag", ["--check-config", "--test-config"])
def test_effective_values_have_their_sources(run_with, flag):
    status, output, errors = run_with("max_queued_messages 0x10\nlistener 1884 127.0.0.1\n"
                                      "max_qos 1\n", flag, "--sys-interval", "3")
    assert status == 0 and not errors
    common, listener = effective(output)
    assert common["max_queued_messages"][0] == "16"
    assert common["max_queued_messages"][1].endswith("run.conf:1")
    assert common["sys_interval"] == ("3", "command line")
    assert common["max_packet_size"] == ("2000000", "default")
    assert listener[""].startswith("listener 1884 127.0.0.1")
    assert listener["max_qos"][0] == "1" and listener["max_qos"][1].endswith("run.conf:3")
    assert listener["allow_anonymous"] == ("false", "default")


def test_lenient_goes_on(run_with):
    status, _, errors = run_with("rabbit 1\n", "--lenient", "--check-config")
    assert status == 0 and "rabbit" in errors and "ignored" in errors


def test_a_dump_reads_back_to_itself(run_with):
    text = ("per_listener_settings true\nlistener 1884\nallow_anonymous true\nlistener 1885 ::1\n"
            "acl_file /a b\nlog_type all\nconnection one\naddress x\ntopic # in\n")
    status, first, _ = run_with(text, "--dump-config")
    assert status == 0
    status, second, _ = run_with(first, "--dump-config")
    assert status == 0 and second == first


def test_a_bare_start_can_be_dumped_and_reads_back_the_same(run_with):
    status, first, _ = run("serve", "--dump-config", "--data", "/x")
    assert status == 0
    status, second, _ = run_with(first, "--dump-config")
    assert status == 0 and second == first
    assert "listener 1883\n" in first and "listener_allow_anonymous private\n" in first


def rows_of_dump(text):
    return dict(line.split(" ", 1) for line in text.splitlines()
                if line and not line.startswith("#") and " " in line)


def test_the_manual_page_says_the_defaults_that_hold(run_with):
    status, manual, _ = run("serve", "--manual")
    assert status == 0
    _, dump, _ = run_with("listener 1883\n", "--dump-config")
    said = {}
    for entry in re.split(r"^\.It Ic ", manual, flags=re.MULTILINE)[1:]:
        default = re.search(r"^Default: (.*)\.$", entry, re.MULTILINE)
        if default:
            said[entry.split()[0]] = default[1].replace("\\-", "-")
    rows = rows_of_dump(dump)
    rows = {name.removeprefix("listener_"): value for name, value in rows.items()}
    compared = {name for name in said if name in rows and rows[name] != "\"\""}
    assert len(compared) > 80
    for name in compared - {"durability"}:      # auto becomes what it stands for
        assert rows[name] == said[name], name


def test_the_help_says_the_defaults_that_hold_without_a_file():
    _, text, _ = run("serve", "--help")
    _, dump, _ = run("serve", "--dump-config", "--data", "/x", "--durability", "commit")
    rows = {name.removeprefix("listener_"): value for name, value in rows_of_dump(dump).items()}
    said = dict(re.findall(r"^  --(\S+) .*\((.*)\)$", text, re.MULTILINE))
    for flag, value in said.items():
        name = flag.replace("-", "_")
        if name in rows and rows[name] != '""' and name not in ("durability",
                                                                "persistence_location"):
            assert rows[name] == value, name


def test_the_manual_page_is_good_mdoc():
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc")
    _, manual, _ = run("serve", "--manual")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=manual.encode(),
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [("-c",), ("--config-file",), ("-c", "a", "-c", "b")])
def test_one_file(arguments):
    assert run("serve", *arguments)[0] == 2


def test_a_missing_file_is_a_mistake(tmp_path):
    status, _, errors = run("serve", "-c", str(tmp_path / "none"))
    assert status == 3 and "No such file" in errors


def test_called_as_mosquitto_it_is_the_broker(tmp_path):
    link = tmp_path / "mosquitto"
    link.symlink_to(BUD)
    done = subprocess.run([str(link), "--test-config"], capture_output=True, check=False,
                          timeout=STOP_SECONDS, stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    listeners = effective(done.stdout.decode())[1:]
    assert [one[""] for one in listeners] == ["listener 1883 127.0.0.1", "listener 1883 ::1"]


def test_the_version():
    status, output, _ = run("serve", "--version")
    assert status == 0 and output.startswith("bud ")


@pytest.mark.parametrize("plugin, remedy", [
    ("/usr/lib/go-auth.so", "plugins cannot be loaded"),
    ("mosquitto_dynamic_security.so", "dynamic security"),
    ("mosquitto_acl_file.so", "plugin_opt_acl_file"),
])
def test_it_does_not_start_without_what_may_keep_people_out(run_with, plugin, remedy):
    status, _, errors = run_with(f"listener 1884\nplugin {plugin}\n")
    assert status == 3 and "run.conf:2" in errors and remedy in errors
