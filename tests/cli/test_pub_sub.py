# SPDX-License-Identifier: MIT
"""`bud pub` and `bud sub` as their users see them: what is printed, byte for byte, and what they
say and return when something is wrong."""
import os
import socket
import subprocess

import pytest

from server import BUD

VERSIONS = ["3.1", "3.1.1", "5"]
ALL_BYTES = bytes(range(256)) * 2


@pytest.fixture
def pub(bud, broker):
    """Sends, and insists that it worked without a word."""
    def run(*arguments, **keywords):
        done = bud("pub", "-p", broker.port, *arguments, **keywords)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", "")
    return run


@pytest.fixture
def kept(bud, broker):
    """Prints what is retained: bud sub with these options, to its end."""
    def run(*arguments):
        done = bud("sub", "-p", broker.port, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout
    return run


# What is sent is what is printed.

@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_arrives(listening, pub, topic, version, qos):
    sub = listening("-V", version, "-q", qos, "-n", "3")
    pub("-V", version, "-q", qos, f"{topic}/a", "21.5")
    assert sub.line() == f"{topic}/a 21.5"
    assert sub.wait() == (0, "")


def test_without_a_wildcard_only_the_payload_is_printed(pub, kept, topic):
    pub("-r", topic, "on")
    assert kept("-n", "1", topic) == b"on\n"
    assert kept("-n", "1", "-v", topic) == f"{topic} on\n".encode()
    assert kept("-n", "1", topic + "/#") == f"{topic} on\n".encode()


def test_payloads_are_bytes(pub, kept, topic):
    pub("-r", topic, "-", stdin=ALL_BYTES)
    assert kept("-n", "1", "--raw", topic) == ALL_BYTES
    assert kept("-n", "1", topic) == ALL_BYTES + b"\n"
    assert kept("-n", "1", "--hex", topic) == ALL_BYTES.hex().encode() + b"\n"


def test_a_large_payload(pub, kept, topic):
    large = bytes(range(256)) * 4096
    pub("-r", "-q", "1", topic, "-", stdin=large)
    assert kept("-n", "1", "--raw", topic) == large


def test_a_file_is_sent(pub, kept, topic, tmp_path):
    path = tmp_path / "value"
    path.write_bytes(ALL_BYTES)
    pub("-r", topic, f"@{path}")
    assert kept("-n", "1", "--raw", topic) == ALL_BYTES
    pub("-r", "--literal", topic, f"@{path}")
    assert kept("-n", "1", topic) == f"@{path}\n".encode()
    pub("-r", "--literal", topic, "-")
    assert kept("-n", "1", topic) == b"-\n"


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_line_is_a_message(listening, pub, topic, qos):
    lines = [f"line {i}" for i in range(200)] + ["", "last without newline"]
    sub = listening("-q", "2", "-n", str(2 + len(lines)))
    pub("-q", qos, f"{topic}/a", "-l", stdin="\n".join(lines).encode())
    assert [sub.line() for _ in lines] == [f"{topic}/a {line}" for line in lines]
    assert sub.wait() == (0, "")


def test_count_repeats(listening, pub, topic):
    sub = listening("-n", "5")
    pub("-n", "3", f"{topic}/a", "x")
    assert sub.rest() == [f"{topic}/a x"] * 3


def test_retained_only(running, broker, pub, topic):
    pub("-r", f"{topic}/kept", "1")
    sub = running("sub", "-p", broker.port, "--retained-only", "-t", "2", f"{topic}/#")
    assert sub.line() == f"{topic}/kept 1"
    pub(f"{topic}/live", "2")
    assert sub.rest() == []
    assert sub.wait() == (27, "")


@pytest.mark.parametrize("version", VERSIONS)
def test_no_retained(bud, broker, pub, topic, version):
    pub("-r", topic, "old")
    done = bud("sub", "-p", broker.port, "-V", version, "--no-retained", "-t", "1", topic)
    assert (done.returncode, done.stdout, done.stderr) == (27, b"", "")


def test_time_out_is_status_27(bud, broker, topic):
    done = bud("sub", "-p", broker.port, "-t", "1", topic)
    assert (done.returncode, done.stdout, done.stderr) == (27, b"", "")


# Coming and going.

def test_interrupted_it_takes_leave(listening, running, broker, pub, topic):
    watcher = listening("-n", "4")
    sub = running("sub", "-p", broker.port, "--will-topic", f"{topic}/will", "--will-payload",
                  "gone", "-v", f"{topic}/alive")
    pub("-r", f"{topic}/alive", "yes")
    assert sub.line() == f"{topic}/alive yes"
    assert sub.end() == (0, "")
    pub(f"{topic}/after", "it")
    assert watcher.rest() == [f"{topic}/alive yes", f"{topic}/after it"]  # and no will


def test_killed_its_will_is_published(listening, running, broker, pub, topic):
    pub("-r", f"{topic}/alive", "yes")
    sub = running("sub", "-p", broker.port, "--will-topic", f"{topic}/will", "--will-payload",
                  "gone", "--will-qos", "1", "--will-retain", "-v", f"{topic}/alive")
    assert sub.line() == f"{topic}/alive yes"
    sub.process.kill()
    done = subprocess.run([BUD, "sub", "-p", str(broker.port), "-n", "1", f"{topic}/will"],
                          capture_output=True, timeout=20, check=False)
    assert done.stdout == b"gone\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kept_session_gets_what_came_meanwhile(bud, broker, pub, topic, version):
    session = ["sub", "-p", broker.port, "-V", version, "-c", "-i", topic[-12:], "-q", "1"]
    assert bud(*session, "-t", "1", topic).returncode == 27
    pub("-q", "1", topic, "missed")
    done = bud(*session, "-n", "1", topic)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"missed\n", "")
    assert bud("sub", "-p", broker.port, "-i", topic[-12:], "-t", "1", topic).stdout == b""


def test_what_could_not_be_written_comes_again(bud, broker, pub, topic):
    session = ["sub", "-p", str(broker.port), "-c", "-i", topic[-12:], "-q", "1"]
    assert bud(*session, "-t", "1", topic).returncode == 27
    pub("-q", "1", topic, "precious")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BUD, *session, "-n", "1", topic], stdout=full,
                              stderr=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == 1
    assert b"cannot write to standard output" in done.stderr
    assert bud(*session, "-n", "1", topic).stdout == b"precious\n"


def test_a_reader_that_has_seen_enough_is_no_failure(broker, pub, topic):
    pub("-r", topic, "first")
    reader, writer = os.pipe()
    with subprocess.Popen([BUD, "sub", "-p", str(broker.port), "-v", topic], stdout=writer,
                          stderr=subprocess.PIPE) as sub:
        os.close(writer)
        assert os.read(reader, 1000) == f"{topic} first\n".encode()
        os.close(reader)
        while sub.poll() is None:
            pub(topic, "more")
        assert (sub.returncode, sub.stderr.read()) == (0, b"")


# What goes wrong is said, with its cause and its remedy.

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("tool", [["pub", "t", "x"], ["sub", "t"]])
def test_no_broker(bud, tool):
    port = free_port()
    done = bud(tool[0], "-p", port, *tool[1:])
    assert done.returncode == 1
    assert done.stderr == (f"bud {tool[0]}: cannot connect to 127.0.0.1:{port}: connection "
                           "refused. Is the broker running? Start it with: bud serve\n")


def test_refused_with_a_reason(bud, peer):
    server = peer(b"\x20\x0a\x00\x87\x07\x1f\x00\x04no!\n")
    done = bud("pub", "-p", server.port, "t", "x")
    assert done.returncode == 1
    assert done.stderr == (f"bud pub: 127.0.0.1:{server.port} refused the connection: not "
                           "authorized (no!?). Give a user with -u and the password in the "
                           "environment: BUD_PASSWORD\n")


@pytest.mark.parametrize("code, words", [(1, "unsupported protocol version"),
                                         (2, "client identifier not valid"),
                                         (3, "server unavailable"),
                                         (4, "bad user name or password"), (5, "not authorized")])
def test_refused_by_a_return_code(bud, peer, code, words):
    done = bud("sub", "-V", "3.1.1", "-p", peer(bytes([0x20, 2, 0, code])).port, "t")
    assert done.returncode == 1
    assert words in done.stderr


def test_credentials_are_sent(bud, peer):
    for arguments, env in [(["-P", "s3cret"], {}), ([], {"BUD_PASSWORD": "s3cret"})]:
        server = peer(b"\x20\x03\x00\x86\x00")
        bud("pub", "-p", server.port, "-u", "me", *arguments, "t", "x", env=env)
        assert server.finish().endswith(b"\x00\x02me\x00\x06s3cret")


def test_a_peer_that_is_no_broker(bud, peer):
    done = bud("pub", "-p", peer(b"HTTP/1.1 400 Bad Request\r\n\r\n").port, "t", "x")
    assert done.returncode == 1
    assert "is not MQTT" in done.stderr


def test_a_peer_that_says_nothing(bud, peer):
    done = bud("pub", "-t", "1", "-p", peer(b"").port, "t", "x")
    assert done.returncode == 1
    assert "did not answer within 1 s" in done.stderr


def test_a_peer_that_hangs_up(bud, peer):
    done = bud("pub", "-p", peer(None).port, "t", "x")
    assert done.returncode == 1
    assert "closed the connection without an answer" in done.stderr
    assert "-V 3.1.1" in done.stderr


def test_a_refused_message(bud, peer):
    server = peer(b"\x20\x03\x00\x00\x00", b"\x40\x03\x00\x01\x97")
    done = bud("pub", "-q", "1", "-p", server.port, "t", "x")
    assert done.returncode == 1
    assert done.stderr == "bud pub: the broker refused the message: quota exceeded\n"
    assert server.finish().endswith(b"\xe0\x00")


def test_an_unanswered_message(bud, peer):
    done = bud("pub", "-t", "1", "-q", "2", "-p", peer(b"\x20\x03\x00\x00\x00").port, "t", "x")
    assert done.returncode == 1
    assert "has not taken the message over within 1 s" in done.stderr


def test_a_message_that_the_broker_does_not_take(bud, peer):
    server = peer(b"\x20\x05\x00\x00\x02\x24\x00")  # Maximum QoS 0
    done = bud("pub", "-q", "1", "-p", server.port, "t", "x")
    assert done.returncode == 1
    assert "does not take such a message: QoS not supported" in done.stderr


def test_a_refused_filter(bud, peer):
    server = peer(b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x87")
    done = bud("sub", "-p", server.port, "secret/#")
    assert done.returncode == 1
    assert done.stderr == "bud sub: the broker refused the filter 'secret/#': not authorized\n"


def test_one_filter_of_two_refused(bud, peer):
    server = peer(b"\x20\x03\x00\x00\x00", b"\x90\x05\x00\x01\x00\x87\x00\x30\x05\x00\x01bx")
    done = bud("sub", "-n", "1", "-t", "5", "-p", server.port, "a", "b")
    assert "refused the filter 'a'" in done.stderr


def test_the_end_of_the_connection_is_told(bud, peer):
    server = peer(b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x00\xe0\x01\x8b")
    done = bud("sub", "-p", server.port, "t")
    assert done.returncode == 1
    assert done.stderr == (f"bud sub: 127.0.0.1:{server.port} closed the connection: server "
                           "shutting down\n")


# What was not understood.

@pytest.mark.parametrize("arguments, complaint", [
    (["pub"], "a topic and a value are missing"),
    (["pub", "t"], "a value is missing"),
    (["pub", "t", "two", "words"], "too many arguments"),
    (["pub", "-l", "t", "x"], "too many arguments"),
    (["pub", "a/#", "x"], "'a/#' is not a topic"),
    (["pub", "", "x"], "'' is not a topic"),
    (["pub", "-q", "3", "t", "x"], "--qos takes a number from 0 to 2, not '3'"),
    (["pub", "-q", "-1", "t", "x"], "--qos takes a number"),
    (["pub", "-p", "0", "t", "x"], "--port takes a number from 1 to 65535"),
    (["pub", "-p", "99999999999999999999", "t", "x"], "--port takes a number"),
    (["pub", "-V", "6", "t", "x"], "-V takes 3.1, 3.1.1 or 5, not '6'"),
    (["pub", "--hots", "x", "t", "x"], "there is no option --hots. Did you mean --host?"),
    (["pub", "-Z", "t", "x"], "there is no option -Z"),
    (["pub", "-p"], "-p needs an argument"),
    (["pub", "--port"], "--port needs an argument"),
    (["pub", "-V", "3.1.1", "-P", "word", "t", "x"], "a password needs a user name"),
    (["pub", "--will-qos", "1", "t", "x"], "a will needs a topic"),
    (["pub", "--will-topic", "a/+", "t", "x"], "--will-topic takes a topic"),
    (["sub"], "a topic filter is missing"),
    (["sub", "a/#/b"], "'a/#/b' is not a topic filter"),
    (["sub", "ok", "a+"], "'a+' is not a topic filter"),
    (["sub", "$share/g"], "'$share/g' is not a topic filter"),
    (["sub", "-n", "0", "t"], "--count takes a number from 1"),
    (["sub", "-c", "t"], "needs a name. Give it with -i"),
    (["sub", "-V", "3.1.1", "--session-expiry", "5", "t"], "--session-expiry needs MQTT 5"),
    (["sub", "--raw", "--hex", "t"], "--raw and --hex exclude each other"),
    (["sub", "--no-retained", "--retained-only", "t"], "exclude each other"),
])
def test_usage(bud, arguments, complaint):
    done = bud(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"bud {arguments[0]}: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there(bud):
    done = bud("pub", "t", "@/nowhere/at/all")
    assert done.returncode == 1
    assert "cannot read '/nowhere/at/all': No such file or directory" in done.stderr
    assert "--literal" in done.stderr


def test_help(bud):
    for tool, option in [("pub", "--retain"), ("sub", "--no-clean")]:
        for arguments in ([tool, "--help"], ["help", tool]):
            done = bud(*arguments)
            assert (done.returncode, done.stderr) == (0, "")
            assert option in done.stdout.decode()


def test_bud_itself(bud):
    assert bud("--version").stdout.startswith(b"bud ")
    listed = bud("help")
    assert listed.returncode == 0
    assert b"bud pub" in listed.stdout and b"bud sub" in listed.stdout
    nothing = bud()
    assert (nothing.returncode, nothing.stdout) == (2, b"")
    assert "usage" in nothing.stderr
    wrong = bud("pubb")
    assert wrong.returncode == 2
    assert wrong.stderr == "bud: there is no command 'pubb'. Did you mean: bud pub?\n"
    assert bud("help", "nothing").returncode == 2
