# SPDX-License-Identifier: MIT
"""`bud passwd` does what mosquitto_passwd does, on the same files; where Debian's mosquitto is
installed the two are compared, and mosquitto takes what we wrote."""
import os
import pty
import shutil
import socket
import stat
import subprocess
import threading

import pytest

from server import BUD, free_port

OTHERS = shutil.which("mosquitto_passwd")
MOSQUITTO = "/usr/sbin/mosquitto"


def lines_of(path):
    return dict(line.split(":", 1) for line in path.read_text().splitlines())


def test_users_are_added_changed_and_deleted(bud, tmp_path):
    path = tmp_path / "passwd"
    done = bud("passwd", "-c", "-b", path, "ada", "one")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Adding password for user ada\n", "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bud("passwd", "-b", path, "Kari Nordmann", "two").returncode == 0
    before = lines_of(path)
    assert all(value.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for value in before.values())
    done = bud("passwd", "-b", path, "ada", "three")
    assert (done.returncode, done.stdout) == (0, "Updating password for user ada\n")
    after = lines_of(path)
    assert list(after) == ["ada", "Kari Nordmann"] and before["ada"] != after["ada"]
    assert before["Kari Nordmann"] == after["Kari Nordmann"]
    assert bud("passwd", "-D", path, "ada").returncode == 0
    assert list(lines_of(path)) == ["Kari Nordmann"]
    done = bud("passwd", "-D", path, "ada")
    assert done.returncode == 1 and "User ada not found" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["passwd"]   # nothing is left behind


def test_the_file_keeps_its_mode_and_its_comments(bud, tmp_path):
    path = tmp_path / "passwd"
    path.write_text("# of the house\n\nada:$6$AAAA$" + "A" * 86 + "==\n")
    path.chmod(0o640)
    os.chown(path, os.getuid(), os.getgid())
    assert bud("passwd", "-b", path, "bob", "x").returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_text().startswith("# of the house\n\nada:$6$AAAA$")


def test_a_new_file_may_be_standard_output(bud, tmp_path):
    done = bud("passwd", "-c", "-b", "-", "ada", "one", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("ada:$argon2id$")
    assert done.stdout.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("scheme, prefix", [("sha512", "$6$"), ("sha512-pbkdf2", "$7$"),
                                            ("argon2id", "$argon2id$")])
def test_the_kind_of_hash_can_be_chosen(bud, tmp_path, scheme, prefix):
    path = tmp_path / "passwd"
    assert bud("passwd", "-H", scheme, "-c", "-b", path, "ada", "one").returncode == 0
    assert lines_of(path)["ada"].startswith(prefix)


def test_iterations_can_be_chosen(bud, tmp_path):
    path = tmp_path / "passwd"
    bud("passwd", "-H", "sha512-pbkdf2", "-c", "-b", path, "ada", "one")
    assert lines_of(path)["ada"].startswith("$7$210000$")
    assert bud("passwd", "-H", "sha512-pbkdf2", "-I", "5", "-b", path, "ada", "one").returncode == 0
    assert lines_of(path)["ada"].startswith("$7$5$")


def test_plain_text_is_hashed_in_place(bud, tmp_path):
    path = tmp_path / "passwd"
    hashed = "bob:$6$AAAA$" + "A" * 86 + "=="
    path.write_text(f"# old\nada:swordfish\n{hashed}\n")
    assert bud("passwd", "-U", path).returncode == 0
    text = path.read_text().splitlines()
    assert text[0] == "# old" and text[1].startswith("ada:$argon2id$") and text[2] == hashed
    assert "swordfish" not in path.read_text()
    path.write_text("ada:one\nbob:\n")
    done = bud("passwd", "-U", path)
    assert done.returncode == 1 and "line 2" in done.stderr
    assert path.read_text() == "ada:one\nbob:\n"


@pytest.mark.parametrize("arguments", [
    (), ("FILE",), ("-b", "FILE", "u"), ("-c", "-D", "FILE", "u"), ("-b", "-D", "FILE", "u", "p"),
    ("-U", "-c", "FILE"), ("-U", "-D", "FILE"), ("-H", "md5", "-b", "FILE", "u", "p"), ("-H",),
    ("-I", "0", "-b", "FILE", "u", "p"), ("-I", "x", "-b", "FILE", "u", "p"), ("-I",),
    ("-b", "FILE", "a:b", "p"), ("-b", "FILE", "", "p"), ("-b", "FILE", "a\nb", "p"),
    ("-b", "FILE", "a\x1b[2J", "p"), ("-b", "FILE", "#a", "p"), ("-x", "FILE", "u"),
    ("-b", "MISSING", "u", "p"), ("-b", "DIRECTORY", "u", "p"), ("FILE", "u")])
def test_whatever_is_wrong_ends_with_1_and_changes_nothing(bud, tmp_path, arguments):
    path = tmp_path / "passwd"
    path.write_text("ada:one\n")
    names = {"FILE": path, "MISSING": tmp_path / "missing", "DIRECTORY": tmp_path}
    done = bud("passwd", *[names.get(argument, argument) for argument in arguments])
    assert done.returncode == 1 and done.stderr
    assert path.read_text() == "ada:one\n" and len(list(tmp_path.iterdir())) == 1


def test_a_password_comes_twice_from_a_pipe(bud, tmp_path):
    path = tmp_path / "passwd"
    assert bud("passwd", "-c", path, "ada", stdin="one\none\n").returncode == 0
    before = path.read_text()
    for typed, complaint in (("one\ntwo\n", "do not match"), ("\n", "Empty"), ("one\n", "ended"),
                             ("", "ended")):
        done = bud("passwd", path, "ada", stdin=typed)
        assert done.returncode == 1 and complaint in done.stderr
        assert path.read_text() == before


@pytest.mark.parametrize("_", range(20))   # the prompt once came before the silence, by a hair
def test_a_terminal_does_not_show_it(tmp_path, _):
    path = tmp_path / "passwd"
    ours, theirs = pty.openpty()
    with subprocess.Popen([BUD, "passwd", "-c", path, "ada"], stdin=theirs, stdout=theirs,
                          stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        # Whoever waits for the other for ever is ended: then reading fails, and the test.
        end = threading.Timer(30, process.kill)
        end.start()
        seen = b""
        for prompt in (b"Password: ", b"Reenter password: "):
            while not seen.endswith(prompt):
                seen += os.read(ours, 1000)
            os.write(ours, b"swordfish\n")
        try:
            while data := os.read(ours, 1000):
                seen += data
        except OSError:     # the other end is closed
            pass
        assert process.wait() == 0
        end.cancel()
    os.close(ours)
    assert b"swordfish" not in seen and path.read_text().startswith("ada:$argon2id$")


def test_a_link_of_the_other_name_is_the_other_program(tmp_path):
    link = tmp_path / "mosquitto_passwd"
    link.symlink_to(BUD)
    done = subprocess.run([link, "-c", "-b", tmp_path / "passwd", "ada", "one"], check=False)
    assert done.returncode == 0 and (tmp_path / "passwd").read_text().startswith("ada:$argon2id$")


@pytest.mark.skipif(OTHERS is None, reason="needs Debian's mosquitto")
def test_exit_statuses_are_those_of_the_other(bud, tmp_path):
    cases = [["-b", "F", "ada", "x"], ["-D", "F", "nobody"], ["-D", "F", "bob"],
             ["-b", "M", "a", "b"],
             ["-b", "F", "a:b", "c"], [], ["-b", "F", "u"], ["-H", "sha512", "-b", "F", "c", "d"],
             ["-c", "-D", "F", "c"], ["-b", "-D", "F", "c", "d"], ["-U", "-c", "F"]]
    for number, case in enumerate(cases):
        statuses = []
        for program in ([OTHERS], [BUD, "passwd"]):
            path = tmp_path / f"passwd{number}-{len(program)}"
            path.write_text("bob:$6$AAAAAAAAAAAAAAAA$" + "A" * 86 + "==\n")
            names = {"F": str(path), "M": str(tmp_path / "missing")}
            done = subprocess.run(program + [names.get(word, word) for word in case],
                                  capture_output=True, check=False)
            statuses.append((done.returncode, path.read_text().count("\n")))
        assert statuses[0] == statuses[1], case


def connack_of(port, user, password):
    """What a broker answers to this login, as a number of 3.1.1."""
    body = b"\0\4MQTT\4\xc2\0\x3c\0\1x"
    for text in (user.encode(), password.encode()):
        body += len(text).to_bytes(2, "big") + text
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(bytes([0x10, len(body)]) + body)
        return client.recv(4)[3]


@pytest.fixture
def start_mosquitto(tmp_path):
    started = []

    def start(passwords):
        port = free_port()
        (tmp_path / "mosquitto.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
            "user root\n")
        started.append(subprocess.Popen([MOSQUITTO, "-c", tmp_path / "mosquitto.conf"],
                                        stderr=subprocess.PIPE, text=True))
        while "running" not in (line := started[-1].stderr.readline()):
            assert line, "mosquitto does not start"
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait(10)
        process.stderr.close()


@pytest.mark.skipif(not os.path.exists(MOSQUITTO), reason="needs Debian's mosquitto")
@pytest.mark.parametrize("scheme", ["sha512", "sha512-pbkdf2"])
def test_mosquitto_reads_what_we_write(bud, tmp_path, start_mosquitto, scheme):
    path = tmp_path / "passwd"
    bud("passwd", "-H", scheme, "-I", "101", "-c", "-b", path, "ada", "one")
    port = start_mosquitto(path)
    assert connack_of(port, "ada", "one") == 0 and connack_of(port, "ada", "two") != 0
