# SPDX-License-Identifier: MIT
"""Started as root: whom it becomes, what it hands over, and what the kernel refuses it from then
on. Directories are in /tmp itself, because pytest's are closed to everybody else."""
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from client import Client, durable, eventually
from server import BUD, IS_STAND_IN, STOP_SECONDS, Broker

pytestmark = [pytest.mark.skipif(IS_STAND_IN, reason="about our program's own manners"),
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")]
NOBODY = pwd.getpwnam("nobody")


def usual_user():
    for name in ("bud", "mosquitto", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise AssertionError("there is always nobody")


@pytest.fixture
def place():
    """A directory that every user can pass through."""
    directory = Path(tempfile.mkdtemp(prefix="bud-confinement-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


class Confined(Broker):
    """As somebody starts it who says nothing about users; `variables` join its environment."""

    variables = {}

    def command(self):
        command = super().command()
        at = command.index("--user")
        del command[at:at + 2]
        return command

    def environment(self):
        return super().environment() | self.variables


@pytest.fixture
def confined(place):
    started = []

    def start(*options, **variables):
        broker = Confined(place / "broker", "-v", *options)
        broker.variables = variables
        started.append(broker)
        return broker.start()

    yield start
    for one in started:
        one.stop()


def status_of(broker):
    text = Path(f"/proc/{broker.pid}/status").read_text()
    return {name: value.split() for name, value in
            re.findall(r"^(\w+):[ \t]*(.*)$", text, re.MULTILINE)}


def ids(number):
    return [str(number)] * 4


def kept(port, client_id="keeper"):
    """A lasting session with one message in it."""
    with Client(port, 5, client_id, **durable(5)) as keeper:
        keeper.subscribe("a/#", qos=1)
    with Client(port, 5, "publisher") as publisher:
        publisher.publish("a/b", b"kept", qos=1)


def refused(*arguments, **variables):
    done = subprocess.run([str(BUD), "serve", "-p", "0", "--bind", "127.0.0.1",
                           *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=STOP_SECONDS, check=False, env=os.environ | variables)
    assert done.returncode == 1, done
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("bud serve: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_bare_start_becomes_the_usual_user_and_keeps_no_group(confined):
    broker, user = confined(), usual_user()
    status = status_of(broker)
    assert status["Uid"] == ids(user.pw_uid) and status["Gid"] == ids(user.pw_gid)
    assert set(status["Groups"]) <= {str(g) for g in os.getgrouplist(user.pw_name, user.pw_gid)}
    assert status["NoNewPrivs"] == ["1"]
    assert int(status["CapEff"][0], 16) == 0 and int(status["CapPrm"][0], 16) == 0
    limits = Path(f"/proc/{broker.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)
    assert not broker.has_sanitizer() or status["Seccomp"] == ["0"]
    assert broker.has_sanitizer() or status["Seccomp"] == ["2"]


def test_every_thread_is_confined(confined):
    broker = confined("--user", "nobody")
    tasks = [path.read_text() for path in Path(f"/proc/{broker.pid}/task").glob("*/status")]
    assert len(tasks) >= 4, "main, two workers, the writer"
    wanted = "0" if broker.has_sanitizer() else "2"
    for task in tasks:
        assert re.search(rf"^Uid:(\s+{NOBODY.pw_uid}){{4}}$", task, re.MULTILINE), task
        assert re.search(rf"^Seccomp:\s+{wanted}$", task, re.MULTILINE), task


def test_without_the_sandbox_it_still_gives_up_root(confined):
    status = status_of(confined("--user", "nobody", "--sandbox", "false"))
    assert status["Uid"] == ids(NOBODY.pw_uid) and status["Seccomp"] == ["0"]


def test_its_store_survives_restarts_and_belongs_to_the_user(confined):
    broker = confined("--user", "nobody")
    kept(broker.port)
    broker.stop()
    data = broker.directory / "data"
    assert {path.stat().st_uid for path in [data, *data.iterdir()]} == {NOBODY.pw_uid}
    again = confined("--user", "nobody")
    with Client(again.port, 5, "keeper", **durable(5)) as keeper:
        assert keeper.connack.session_present
        assert keeper.next().payload == b"kept"


def test_a_store_that_root_made_is_handed_over(confined):
    first = confined("--user", "root")
    assert status_of(first)["Uid"] == ids(0)
    first.wait_for_log("runs as root")
    kept(first.port)
    first.stop()
    again = confined("--user", "nobody")
    with Client(again.port, 5, "keeper", **durable(5)) as keeper:
        assert keeper.connack.session_present


def test_after_a_crash_it_is_handed_over_as_well(confined):
    first = confined("--user", "root")
    kept(first.port)
    first.kill()
    again = confined("--user", "nobody")
    with Client(again.port, 5, "keeper", **durable(5)) as keeper:
        assert keeper.connack.session_present


def test_links_in_the_data_directory_give_nothing_away(confined, place):
    """Whoever broke in once may leave links to what is root's."""
    secret = place / "secret"
    secret.write_text("root's")
    data = place / "broker" / "data"
    data.mkdir(parents=True)
    (data / "store.db-old").symlink_to(secret)
    os.link(secret, data / "store.db-hard")
    broker = confined("--user", "nobody")
    broker.stop()
    assert data.stat().st_uid == NOBODY.pw_uid
    assert secret.stat().st_uid == 0


def test_a_directory_of_other_things_is_not_taken(place):
    (place / "letters").write_text("dear all")
    message = refused("--data", place, "--user", "nobody")
    assert f"user 'nobody' may not write {place}" in message and "chgrp" in message
    assert place.stat().st_uid == 0


def test_a_place_that_is_closed_is_named_with_its_remedy(place):
    (place / "closed").mkdir(mode=0o700)
    message = refused("--data", place / "closed" / "data", "--user", "nobody")
    assert f"user 'nobody' may not pass through {place}/closed" in message
    assert f"chmod o+x {place}/closed" in message


def test_a_user_that_does_not_exist_is_an_error(place):
    message = refused("--data", place / "data", "--user", "no-such-user")
    assert "'no-such-user'" in message and "useradd" in message
    assert not (place / "data").exists()


def test_numbers_of_a_container(confined):
    broker = confined(PUID="54321", PGID="54322")
    status = status_of(broker)
    assert status["Uid"] == ids(54321) and status["Gid"] == ids(54322)
    assert status.get("Groups", []) == []
    assert (broker.directory / "data").stat().st_uid == 54321


def test_a_number_of_nothing_is_an_error(place):
    assert "PUID" in refused("--data", place / "data", PUID="jens")
    assert "PUID" in refused("--data", place / "data", PUID="1", PGID="x")


def test_it_reloads_as_the_user(confined):
    broker = confined("--user", "nobody")
    position = broker.log_position()
    broker.signal(signal.SIGHUP)
    broker.wait_for_log("configuration read again", start=position)
    kept(broker.port)


def test_the_kernel_refuses_other_files(confined):
    """By the files that are open: whatever else it opened, it would be there."""
    broker = confined("--user", "nobody")
    kept(broker.port)
    here = str(broker.directory)
    for link in Path(f"/proc/{broker.pid}/fd").iterdir():
        name = os.readlink(link)
        assert not name.startswith("/") or name.startswith((here, "/dev/")), name
    assert broker.has_sanitizer() or re.search("confined landlock=", broker.log())


def replace(path, text, mode=0o644):
    """By renaming, as editors and configuration tools do."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


def reload(broker, expected="configuration read again"):
    position = broker.log_position()
    broker.signal(signal.SIGHUP)
    broker.wait_for_log(expected, start=position)


def test_files_that_were_replaced_are_read_again(confined, place):
    main, more = place / "bud.conf", place / "conf.d"
    more.mkdir(mode=0o755)
    replace(main, f"persistence true\nallow_anonymous true\ninclude_dir {more}\n")
    broker = confined("-c", main, "--user", "nobody")
    replace(more / "queues.conf", "max_queued_messages 7\n")
    reload(broker, r"option=max_queued_messages")
    replace(main, "persistence true\nallow_anonymous true\nmax_keepalive 77\n")
    reload(broker, r"option=max_keepalive")
    kept(broker.port)


def test_a_file_that_the_user_may_not_read_is_named_at_the_start(place):
    main, users = place / "bud.conf", place / "users"
    replace(users, "", mode=0o600)
    replace(main, f"password_file {users}\n")
    message = refused("-c", main, "--data", place / "data", "--user", "nobody")
    assert f"user 'nobody' may not read {users} (root:root 0600): chgrp nogroup {users}" in message


def test_the_log_file_is_written_on_by_the_user(confined, place):
    main, log = place / "bud.conf", place / "logs" / "bud.log"
    log.parent.mkdir()
    os.chown(log.parent, NOBODY.pw_uid, NOBODY.pw_gid)
    replace(main, f"allow_anonymous true\nlog_dest stderr\nlog_dest file {log}\n")
    broker = confined("-c", main, "--user", "nobody")
    assert log.stat().st_uid == NOBODY.pw_uid
    reload(broker)
    eventually(lambda: "configuration read again" in log.read_text(), "a line in the file")
    log.rename(log.with_suffix(".1"))       # as logrotate does
    reload(broker)
    eventually(lambda: "configuration read again" in log.read_text(), "a line in the new file")
