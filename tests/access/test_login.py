# SPDX-License-Identifier: MIT
"""Who says who it is, and how: every way to say it wrong, against each file; files that are empty,
missing, malformed or replaced while the broker runs; many at once."""
import base64
import hashlib
import hmac
import itertools
import os
import re
import resource
import signal
import socket
import subprocess
import threading

import pytest

from client import Client, Closed
from mqtt import Auth, Connack, Connect, Disconnect, Publish, Reason, encode
from server import BUD

BAD = {5: 0x86, 4: 4, 3: 4}          # bad user name or password
NOBODY = {5: 0x87, 4: 5, 3: 5}       # not authorized
numbers = itertools.count()
QUICK = ("--login-delay-ms", "0")    # a wrong password is answered at once


def answer(port, version, user=None, password=None):
    """The reason of the CONNACK to this CONNECT."""
    name = f"c{next(numbers)}"
    with Client(port, version, name, connect=False) as client:
        client.send(Connect(client_id=name, username=user, password=password))
        return client.expect(Connack).reason


@pytest.fixture(scope="session")
def hashes(bud, tmp_path_factory):
    """Lines for password files, of `ada` with the password `right`; cheap and dear."""
    lines = {}
    for scheme in ("sha512", "sha512-pbkdf2", "argon2id"):
        path = tmp_path_factory.mktemp("hashes") / "passwd"
        assert bud("passwd", "-H", scheme, "-I", "101", "-c", "-b", path, "ada",
                   "right").returncode == 0
        lines[scheme] = path.read_text()
    return lines


@pytest.fixture
def start_with(fresh_broker, bud, tmp_path, hashes):
    """start_with("users" or a scheme of a password file, *options): (broker, its file)."""
    def start(kind, *options):
        directory = tmp_path / kind
        if kind == "users":
            path = directory / "data/users"
            assert bud("user", "add", "ada", "-f", path, "--password-stdin",
                       stdin="right\n").returncode == 0
        else:
            directory.mkdir(parents=True)
            path = directory / "passwd"
            path.write_text(hashes[kind])
            path.chmod(0o600)
            options += ("--password-file", str(path))
        return fresh_broker(*QUICK, *options, directory=directory), path
    return start


@pytest.mark.parametrize("kind", ["users", "sha512", "sha512-pbkdf2", "argon2id"])
def test_every_way_to_say_it(start_with, kind):
    """Each twice: what was right once is remembered, what was wrong never."""
    port = start_with(kind)[0].port
    is_dear = kind in ("users", "argon2id")
    for version in (5,) if is_dear else (3, 4, 5):
        for _ in range(1 if is_dear else 2):
            assert answer(port, version, user="ada", password=b"right") == 0
            assert answer(port, version) == 0                                   # from here
            for user, password in (("ada", b"wrong"), ("ada", b""), ("ada", b"right\0"),
                                   ("eve", b"right"), ("", b"right"), ("", b""), ("ADA", b"right"),
                                   ("ada ", b"right"), (" ada", b"right"), ("#", b"right"),
                                   ("ada", b"\0right"), ("ada", b"right" + 60000 * b"x")):
                assert answer(port, version, user=user, password=password) == BAD[version]
            assert answer(port, version, user="ada") == BAD[version]
            assert answer(port, version, user="") == BAD[version]
    assert answer(port, 5, password=b"right") == 0      # it says nobody's name, so it is nobody


@pytest.mark.parametrize("kind", ["users", "argon2id"])
def test_without_a_name_nobody_comes_in_where_that_is_not_allowed(start_with, kind):
    port = start_with(kind, "--allow-anonymous", "false")[0].port
    for version in (3, 4, 5):
        assert answer(port, version, user="ada", password=b"right") == 0
        assert answer(port, version) == NOBODY[version]
        assert answer(port, version, user="", password=b"") == BAD[version]
    assert answer(port, 5, password=b"right") == NOBODY[5]


POISON = ["+", "#", "/", "$SYS", "ada\x01", "\x1b[2J", ".*", "[a-z]", "../ada", "%u", "%c",
          "__proto__", "ada:x", "a" * 60000, "ada,eve", "ada\n", "🦆"]


def test_poison_names_are_nobody(start_with):
    broker, _ = start_with("sha512")
    for name in POISON:
        for version in (4, 5):
            try:
                assert answer(broker.port, version, user=name, password=b"right") == BAD[version]
            except Closed:      # control characters may be refused without a word
                assert name < " " or "\x01" in name or "\n" in name or "\x1b" in name
    assert answer(broker.port, 5, user="ada", password=b"right") == 0
    assert "\x1b[2J" not in broker.log()


def test_where_nobody_knows_users_a_name_is_as_good_as_none(fresh_broker):
    port = fresh_broker().port
    for version in (3, 4, 5):
        assert answer(port, version, user="DVES_USER", password=b"DVES_PASS") == 0
        assert answer(port, version, user="DVES_USER") == 0


# -------------------------------------------------------------------------- files that are not good

BROKEN = {"plain": "ada:right\n", "twice": "{0}{0}", "no name": ":{0}", "cut": "ada:$6$AAAA",
          "absurd": "ada:$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\n",
          "NUL": "ada\0:x\n"}


@pytest.mark.parametrize("kind", ["users", "passwd"])
@pytest.mark.parametrize("what", [*BROKEN, "missing", "directory", "symlink"])
def test_it_does_not_start_with_a_file_that_is_not_good(tmp_path, hashes, kind, what):
    data = tmp_path / "data"
    data.mkdir()
    path = data / "users" if kind == "users" else tmp_path / "passwd"
    if what == "directory":
        path.mkdir()
    elif what == "symlink":
        (tmp_path / "elsewhere").write_text(hashes["sha512"])
        path.symlink_to(tmp_path / "elsewhere")
    elif what != "missing":
        path.write_text(BROKEN[what].format(hashes["sha512"]))
    if kind == "users" and what == "missing":
        pytest.skip("no users is how it begins")
    options = [] if kind == "users" else ["--password-file", path]
    done = subprocess.run([BUD, "serve", "-p", "0", "--bind", "127.0.0.1", "--user", "root",
                           "--data", data, *options],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and str(path) in done.stderr and "listening on" not in done.stderr
    assert "right" not in done.stderr


@pytest.mark.parametrize("kind", ["users", "passwd"])
def test_an_empty_file_lets_nobody_in_by_name(fresh_broker, tmp_path, kind):
    directory = tmp_path / "broker"
    (directory / "data").mkdir(parents=True)
    path = directory / ("data/users" if kind == "users" else "passwd")
    path.write_text("")
    options = () if kind == "users" else ("--password-file", str(path))
    port = fresh_broker(*QUICK, *options, directory=directory).port
    assert answer(port, 5, user="ada", password=b"right") == BAD[5]
    assert answer(port, 5, user="ada") == BAD[5]


def test_users_change_while_it_runs(start_with, bud):
    """Within a second, in both directions; and only those whose own line changed are closed."""
    broker, path = start_with("users")
    for name in ("bob", "eva"):
        bud("user", "add", name, "-f", path, "--password-stdin", stdin="right\n")
        broker.wait_for_log(rf"users have changed.*users={2 if name == 'bob' else 3}")
    clients = {name: Client(broker.port, 5, name, username=name, password=b"right")
               for name in ("ada", "bob", "eva")}
    position = broker.log_position()
    bud("user", "del", "ada", "-f", path)
    clients["ada"].expect(Disconnect, reason=Reason.NOT_AUTHORIZED)
    bud("user", "add", "bob", "-f", path, "--password-stdin", stdin="another\n")
    clients["bob"].expect(Disconnect, reason=Reason.NOT_AUTHORIZED)
    clients["eva"].ping()
    broker.wait_for_log(r"disconnected client=bob.*removed or has a new password", start=position)
    assert answer(broker.port, 5, user="ada", password=b"right") == BAD[5]
    assert answer(broker.port, 5, user="bob", password=b"right") == BAD[5]
    assert answer(broker.port, 5, user="bob", password=b"another") == 0
    for one in clients.values():
        one.abort()


@pytest.mark.parametrize("text", [BROKEN["plain"], "ada:$6$AAAA"])
def test_a_users_file_that_is_broken_while_it_runs_changes_nothing(start_with, text):
    broker, path = start_with("users")
    before = path.read_text()
    with Client(broker.port, 5, "x", username="ada", password=b"right") as ada:
        path.write_text(text)
        broker.wait_for_log("users cannot be read.*users:1:")
        assert answer(broker.port, 5, user="ada", password=b"right") == 0
        assert answer(broker.port, 5, user="ada", password=b"wrong") == BAD[5]
        path.write_text(before)
        broker.wait_for_log("users have changed")
        ada.ping()


def test_a_users_file_that_is_gone_lets_nobody_in(start_with):
    broker, path = start_with("users")
    with Client(broker.port, 5, "x", username="ada", password=b"right") as ada:
        path.unlink()
        ada.expect(Disconnect, reason=Reason.NOT_AUTHORIZED)
    assert answer(broker.port, 5, user="ada", password=b"right") == BAD[5]


def test_without_descriptors_the_users_stay_as_they_were(start_with, bud):
    broker, path = start_with("users")
    used = max(int(name) for name in os.listdir(f"/proc/{broker.pid}/fd")) + 1
    before = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (used, before[1]))
    bud("user", "add", "eve", "-f", path, "--password-stdin", stdin="right\n")
    broker.wait_for_log("users cannot be read.*Too many open files")
    resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, before)
    broker.wait_for_log("users have changed.*users=2")      # by itself
    assert answer(broker.port, 5, user="eve", password=b"right") == 0
    assert answer(broker.port, 5, user="eve", password=b"wrong") == BAD[5]


def test_a_password_file_is_read_again_on_sighup(tmp_path, hashes, fresh_broker):
    directory = tmp_path / "broker"
    directory.mkdir()
    path = directory / "passwd"
    path.write_text(hashes["sha512"] + hashes["sha512"].replace("ada:", "bob:"))
    broker = fresh_broker(*QUICK, "--password-file", str(path), directory=directory)
    ada, bob = (Client(broker.port, 5, name, username=name, password=b"right")
                for name in ("ada", "bob"))
    path.write_text("ada:broken\n")
    broker.signal(signal.SIGHUP)
    broker.wait_for_log("not read again.*passwd:1:")
    ada.ping()
    path.write_text(hashes["sha512"])
    broker.signal(signal.SIGHUP)
    bob.expect(Disconnect, reason=Reason.NOT_AUTHORIZED)
    ada.ping()
    assert answer(broker.port, 5, user="bob", password=b"right") == BAD[5]
    ada.abort()
    bob.abort()


# ------------------------------------------------------------------------------------- not blocking

def test_three_hundred_at_once_and_nobody_else_notices(start_with):
    """300 clients with argon2id passwords: all get in, and a connected pair goes on meanwhile."""
    broker, _ = start_with("users", "--connect-timeout", "60")
    sender, receiver = (Client(broker.port, 5, name, username="ada", password=b"right")
                        for name in ("sender", "receiver"))
    receiver.subscribe("pair")
    over = threading.Event()
    exchanged = []

    def exchange():
        while not over.is_set() or len(exchanged) < 10:
            sender.publish("pair", str(len(exchanged)))
            exchanged.append(receiver.receive("pair", str(len(exchanged))))
    pair = threading.Thread(target=exchange)
    pair.start()
    for _ in range(2):
        crowd = [Client(broker.port, 5, f"c{number}", connect=False) for number in range(300)]
        for number, one in enumerate(crowd):
            one.send(Connect(client_id=f"c{number}", username="ada",
                             password=b"right" if number % 50 else b"wrong"))
        for number, one in enumerate(crowd):
            assert one.expect(Connack, timeout=60).reason == (0 if number % 50 else BAD[5])
            one.abort()
    over.set()
    pair.join()
    assert len(exchanged) >= 10
    sender.abort()
    receiver.abort()


def test_what_is_sent_before_the_answer_waits_for_it(start_with):
    """CONNECT, SUBSCRIBE, PUBLISH in one piece: in order after CONNACK, or nothing at all."""
    port = start_with("argon2id")[0].port
    for password, reason in ((b"right", 0), (b"wrong", BAD[5]), (b"right", 0)):
        client = Client(port, 5, "c", connect=False)
        client.send_raw(encode(Connect(client_id="c", username="ada", password=password), 5)
                        + b"\x82\x07\x00\x01\x00\x00\x01a\x00" + b"\x30\x05\x00\x01a\x00x")
        assert client.expect(Connack).reason == reason
        if reason == 0:
            client.wait_for(Publish, topic="a", payload="x")
        else:
            assert client.read_to_end() == b""
        client.abort()


def test_who_goes_away_meanwhile_leaves_nothing(start_with):
    broker, _ = start_with("argon2id")
    for _ in range(20):
        client = Client(broker.port, 5, "c", connect=False)
        client.send(Connect(client_id="c", username="ada", password=b"wrong"))
        client.abort()
    assert answer(broker.port, 5, user="ada", password=b"right") == 0


# ------------------------------------------------------------------------------------------ SCRAM

class Scram:
    """The client's side of SCRAM-SHA-256."""

    def __init__(self, user, password, header="n,,"):
        self.user, self.password, self.header = user, password, header
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n={user},r={self.nonce}"

    def first(self):
        return (self.header + self.bare).encode()

    def final(self, challenge):
        server = challenge.decode()
        nonce, salt, count = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d+)", server).groups()
        assert nonce.startswith(self.nonce) and len(nonce) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(salt),
                                     int(count))
        key = hmac.digest(salted, b"Client Key", "sha256")
        bare = f"c={base64.b64encode(self.header.encode()).decode()},r={nonce}"
        message = f"{self.bare},{server},{bare}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self.expected = b"v=" + base64.b64encode(hmac.digest(server_key, message, "sha256"))
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()


def properties(data):
    return {"authentication_method": "SCRAM-SHA-256", "authentication_data": data}


def scram_login(port, user, password, **keywords):
    """(client, Scram, its CONNACK)."""
    scram, client = Scram(user, password, **keywords), Client(port, 5, "scram", connect=False)
    client.send(Connect(client_id="scram", properties=properties(scram.first())))
    challenge = client.expect(Auth, reason=0x18).properties["authentication_data"]
    client.send(Auth(0x18, properties(scram.final(challenge))))
    return client, scram, client.expect(Connack)


def test_scram_lets_in_who_knows_the_password(start_with, bud):
    broker, path = start_with("users", "--allow-anonymous", "false")
    client, scram, connack = scram_login(broker.port, "ada", "right")
    assert connack.reason == 0
    assert connack.properties["authentication_data"] == scram.expected   # the broker knows it, too
    again = Scram("ada", "right")
    client.send(Auth(0x19, properties(again.first())))
    challenge = client.expect(Auth, reason=0x18).properties["authentication_data"]
    client.send(Auth(0x18, properties(again.final(challenge))))
    assert client.expect(Auth, reason=0).properties["authentication_data"] == again.expected
    bud("user", "del", "ada", "-f", path)
    client.expect(Disconnect, reason=Reason.NOT_AUTHORIZED)
    client.abort()


@pytest.mark.parametrize("user, password", [("ada", "wrong"), ("eve", "right"), ("ada", "")])
def test_scram_keeps_out_who_does_not(start_with, user, password):
    port = start_with("users")[0].port
    client, _, connack = scram_login(port, user, password)
    assert connack.reason == 0x87
    client.abort()


@pytest.mark.parametrize("first", [b"", b"x", b"n,,", b"p=tls-unique,,n=ada,r=abc",
                                   b"n,a=eve,n=ada,r=abc", b"n,,n=a\0da,r=abc", b"n,,n=\xff,r=abc",
                                   b"n,,n=" + 3000 * b"a" + b",r=abc"])
def test_scram_refuses_what_it_does_not_understand(start_with, first):
    port = start_with("users")[0].port
    with Client(port, 5, "scram", connect=False) as client:
        client.send(Connect(client_id="scram", properties=properties(first)))
        assert client.expect(Connack).reason == 0x87


def test_where_there_are_no_users_there_is_no_scram(fresh_broker):
    with Client(fresh_broker().port, 5, "scram", connect=False) as client:
        client.send(Connect(client_id="scram",
                            properties=properties(b"n,,n=ada,r=abc")))
        assert client.expect(Connack).reason == 0x8C


# ---------------------------------------------------------------------------------- the admin key

def test_the_admin_key_is_printed_once(fresh_broker, tmp_path):
    broker = fresh_broker(directory=tmp_path / "broker")
    key = broker.wait_for_log(r"admin key, shown this once .*: ([\w-]{43})$").group(1)
    path = tmp_path / "broker/data/admin.key"
    assert path.read_text() == key + "\n" and path.stat().st_mode & 0o777 == 0o600
    broker.stop()
    assert fresh_broker(directory=tmp_path / "broker").log().count("admin key") == 0


# ------------------------------------------------------------------------------------ the gateway

def test_who_comes_through_the_gateway_may_be_anybody(own_network, fresh_broker):
    """As in a container: everybody outside seems to be the gateway."""
    # pylint: disable=unused-argument
    for command in ("address add 10.9.9.2/32 dev lo",
                    "route add default via 10.9.9.1 dev lo onlink",
                    "address add 10.9.9.1/32 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    broker = fresh_broker()
    assert refused_from(broker.port, "10.9.9.1") == NOBODY[5]
    broker.wait_for_log("refused.*gateway.*--allow-anonymous true")
    assert refused_from(broker.port, "10.9.9.2") == 0
    assert refused_from(fresh_broker("--allow-anonymous", "true").port, "10.9.9.1") == 0


def refused_from(port, source):
    with Client(port, 5, "c", connect=False, source=source) as client:
        client.send(Connect(client_id="c"))
        return client.expect(Connack).reason
