# SPDX-License-Identifier: MIT
"""Whatever is the matter with a file that says who may come in, at start or when it is read again:
nobody gains access. Each kind of file lets ada in and keeps eve out; what is malformed would let
eve in, were it taken as far as it goes. Keys that change by themselves: test_tokens.py and
tests/transport/test_tls_life.py; what else is wrong in a password file: test_login.py."""
import itertools
import os
import re
import resource
import signal
import ssl
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "transport"))
# pylint: disable=wrong-import-position
import pki  # noqa: E402
import tls  # noqa: E402
from client import Client, Closed, eventually  # noqa: E402
from mqtt import Connack, Connect  # noqa: E402
from rules import NOT_READ_AGAIN, READ_AGAIN  # noqa: E402
from server import TROUBLE, Broker  # noqa: E402
from tokens import Key  # noqa: E402

MB = 1 << 20
BOTH = ("ada", "eve")
SMALL_LINES, LARGE_LINES = 1, 100_000
VISITORS = 16           # file descriptors for them, few as they are at a time


names = itertools.count()


def new_name():
    """Who comes twice at once by one name fights with himself, and is held off in the end."""
    return f"visitor-{next(names)}"


def is_taken(port, client=Client, **fields):
    """Is this CONNECT answered with success? A TLS handshake that fails is an answer, too."""
    try:
        name = new_name()
        with client(port, 5, name, connect=False, **fields.pop("tls", {})) as one:
            one.send(Connect(client_id=name, **fields))
            return one.expect(Connack).reason == 0
    except (AssertionError, ssl.SSLError, OSError) as error:
        assert not isinstance(error, TimeoutError), "neither let in nor refused"
        return False


class Kind:
    """`options`: besides the file's own. `is_fine_empty`: then it lets nobody in."""
    is_fine_empty, options = True, ()

    def __init__(self, directory, bud):
        self.directory, self.bud = directory, bud
        self.prepare()

    def prepare(self):
        pass

    def contents(self, name, lines=SMALL_LINES):
        """Lets this one in, and so many more of no importance."""
        raise NotImplementedError

    def broken(self):
        return self.contents("eve") + b"eve\0\n"

    def enters(self, port, name):
        raise NotImplementedError

    def other_ways(self, port):
        """What nobody comes in by; those that were let in nevertheless."""
        return [] if not is_taken(port) else ["without a name"]

    def inside(self, port):
        return [name for name in BOTH if self.enters(port, name)]


class Passwords(Kind):
    option, options = "--password-file", ("--allow-anonymous", "false")

    def prepare(self):
        path = self.directory / "made"
        self.bud("passwd", "-H", "sha512", "-I", "101", "-c", "-b", path, "ada", "right")
        self.hash = path.read_bytes().partition(b":")[2]

    def contents(self, name, lines=SMALL_LINES):
        return (name.encode() + b":" + self.hash
                + b"".join(b"u%d:%b" % (number, self.hash) for number in range(lines)))

    def enters(self, port, name):
        return is_taken(port, username=name, password=b"right")

    def other_ways(self, port):
        return super().other_ways(port) + [
            (name, password) for name in BOTH for password in (b"wrong", b"", None)
            if is_taken(port, username=name, password=password)]


class Rules(Kind):
    """To come in is to read or to write here."""
    option, options = "--acl-file", ("--allow-anonymous", "true")

    def contents(self, name, lines=SMALL_LINES):
        return f"user {name}\ntopic safe/#\n".encode() + b"".join(
            b"topic u/%d\n" % number for number in range(lines))

    def broken(self):
        return self.contents("eve") + b"topic a/#/b\n"

    def enters(self, port, name):
        try:
            with Client(port, 5, new_name(), username=name) as one:
                may_read = one.try_subscribe("safe/x").reasons[0] < 0x80
                may_write = one.publish("safe/x", "x", qos=1).reason < 0x80
        except (Closed, ConnectionError):
            return False    # short of memory
        assert may_read == may_write
        return may_read

    def other_ways(self, port):
        return [name for name in (None, "", "+", "ada ") if self.enters(port, name)]


class SharedKeys(Kind):
    option, options = "--psk-file", ("--psk-hint", "house", "--tls", "only")
    keys = {"ada": "000102030405060708090a0b0c0d0e0f", "eve": "f00d02030405060708090a0b0c0d0e0f"}

    def contents(self, name, lines=SMALL_LINES):
        return f"{name}:{self.keys[name]}\n".encode() + b"".join(
            b"u%d:%032x\n" % (number, number) for number in range(lines))

    def comes(self, port, name, key):
        how = tls.by_key(name, key, "-tls1_2")
        return is_taken(port, tls.TlsClient, tls={"how": how})

    def enters(self, port, name):
        return self.comes(port, name, self.keys[name])

    def other_ways(self, port):
        wrong = self.comes(port, "ada", self.keys["eve"])
        return super().other_ways(port) + (["by another's key"] if wrong else [])


class TokenKeys(Kind):
    option, options = "--jwt-key-file", ("--allow-anonymous", "false")
    is_fine_empty = False

    def prepare(self):
        self.keys = {name: Key("ES256") for name in (*BOTH, "stranger")}

    def contents(self, name, lines=SMALL_LINES):
        return self.keys[name].public() + lines * b"# nothing of importance\n"

    def broken(self):
        return self.keys["eve"].public()[:-40]

    def enters(self, port, name):
        return is_taken(port, username=name, password=self.keys[name].token(sub=name))

    def other_ways(self, port):
        forged = self.keys["stranger"].token(sub="ada")
        return super().other_ways(port) + [
            password for password in (None, b"", b"right", forged)
            if is_taken(port, username="ada", password=password)]


class Certificates(Kind):
    """What both kinds below share: a broker that asks for certificates."""
    is_fine_empty = False

    def prepare(self):
        self.authorities = {name: pki.authority(f"CA of {name}") for name in BOTH}
        self.make_clients()
        server = pki.Identity("localhost", names=pki.HERE).write(self.directory, "server")
        self.options = ("--certfile", server[0], "--keyfile", server[1], "--tls", "only",
                        "--require-certificate", "true", "--allow-anonymous", "true")
        stranger = pki.Identity("stranger").write(self.directory, "stranger")
        self.contexts["stranger"] = tls.context(certificate=stranger)
        self.contexts["none"] = tls.context()

    def make_clients(self):
        self.clients = {name: pki.Identity(name, self.issuer(name)) for name in BOTH}
        self.contexts = {name: tls.context(certificate=one.write(self.directory, name))
                         for name, one in self.clients.items()}

    def issuer(self, name):
        return self.authorities[name]

    def broken(self):
        return self.contents("eve") + self.contents("ada")[:-60]

    def enters(self, port, name):
        return is_taken(port, tls.TlsClient, tls={"how": self.contexts[name]})

    def other_ways(self, port):
        return super().other_ways(port) + [name for name in ("stranger", "none")
                                           if self.enters(port, name)]


class Authorities(Certificates):
    option = "--cafile"

    def contents(self, name, lines=SMALL_LINES):
        return self.authorities[name].pem + lines * b"# nothing of importance\n"


class Revocations(Certificates):
    """Both are of one authority; whoever is not let in is revoked."""
    option = "--crlfile"

    def prepare(self):
        super().prepare()
        (self.directory / "ca.pem").write_bytes(self.issuer("ada").pem)
        self.options += ("--cafile", self.directory / "ca.pem")

    def issuer(self, name):
        return self.authorities["ada"]

    def contents(self, name, lines=SMALL_LINES):
        revoked = [one for other, one in self.clients.items() if other != name]
        return self.issuer(name).crl(*revoked) + lines * b"# nothing of importance\n"


KINDS = {"passwords": Passwords, "rules": Rules, "shared keys": SharedKeys,
         "keys of tokens": TokenKeys, "authorities": Authorities, "revocations": Revocations}


class Guarded(Broker):
    """Reads the file of its kind, as a root that may not read everything. `before`: what it is
    started by besides."""

    def __init__(self, kind, directory, before=(), **more):
        self.kind, self.path, self.before = kind, directory / "guarded", before
        super().__init__(directory, "--login-delay-ms", "0", "--persistence", "false",
                         kind.option, self.path, *kind.options, **more)

    def command(self):
        powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        return [*(powerless if os.geteuid() == 0 else []), *self.before, *super().command()]

    def replace(self, contents, mode=0o600):
        """By a new file that is renamed over it. None: there is none any more."""
        if contents is None:
            self.path.unlink(missing_ok=True)
            return
        new = self.path.with_suffix(".new")
        new.write_bytes(contents)
        new.chmod(mode)
        new.rename(self.path)

    def hang_up(self, expected=READ_AGAIN, meanwhile=lambda: None):
        position = self.log_position()
        self.signal(signal.SIGHUP)
        meanwhile()
        return self.wait_for_log(expected, start=position)

    def read_again(self, expected=READ_AGAIN):
        """Where eve is neither in the old file nor in the new: nor is she let in meanwhile."""
        def stays_out():
            assert not self.kind.enters(self.port, "eve")
        return self.hang_up(expected, stays_out)

    def expect_inside(self, *names):
        assert self.kind.inside(self.port) == list(names)
        assert not self.kind.other_ways(self.port)

    def starts(self):
        """Or it ends, and says why."""
        try:
            self.start()
        except AssertionError:
            status, log = self.wait(), self.log()
            self.process = None
            assert status != 0 and log and not TROUBLE.search(log), (status, log)
            return False
        return True

    def limit(self, what, *values):
        """(soft,) or (soft, hard); returns what they were."""
        before = resource.prlimit(self.pid, what)
        resource.prlimit(self.pid, what, (*values, before[1])[:2])
        return before

    def descriptors(self):
        return {int(name) for name in os.listdir(f"/proc/{self.pid}/fd")}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def kind(request, bud, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("kind"), bud)


@pytest.fixture(scope="module")
def running(kind, tmp_path_factory):
    """A broker with a file as it should be; tests put it back in order."""
    broker = Guarded(kind, tmp_path_factory.mktemp("running"))
    broker.replace(kind.contents("ada"))
    with broker:
        yield broker


@pytest.fixture
def guarded(kind, tmp_path):
    """guarded(before, ...): a broker that is not started yet; keywords as Guarded's."""
    made = []

    def make(before=(), **more):
        made.append(Guarded(kind, tmp_path, before, **more))
        return made[-1]
    yield make
    for broker in made:
        broker.stop()


FAULTS = ("empty", "missing", "unreadable", "malformed")


def put(broker, fault):
    """The file has this fault from now on; returns whether it is one for its kind."""
    kind = broker.kind
    if fault == "unreadable" and os.geteuid() != 0:
        pytest.skip("needs root, to be a root without its powers")
    broker.replace({"empty": b"", "missing": None, "unreadable": kind.contents("eve"),
                    "malformed": kind.broken()}[fault], 0 if fault == "unreadable" else 0o600)
    return fault != "empty" or not kind.is_fine_empty


# ---- at start ----

@pytest.mark.parametrize("fault", FAULTS)
def test_at_start_with_a_fault(guarded, fault):
    broker = guarded()
    is_fault = put(broker, fault)
    assert broker.starts() != is_fault
    if is_fault:
        assert str(broker.path) in broker.log()
    else:
        broker.expect_inside()


def test_at_start_without_descriptors(kind, guarded):
    """As many as any program needs, then one more each time, until it listens: it says each time
    what could not be opened. With some for visitors, too, the file is in force."""
    def poor(count):
        broker = guarded(["prlimit", f"--nofile={count}:{count}"], workers=1)
        broker.replace(kind.contents("ada"))
        return broker

    logs = ""
    for count in itertools.count(4):
        broker = poor(count)
        if broker.starts():
            break
        logs += broker.log()
    broker.stop()
    # Where there is a certificate besides, it is read first, and by the same descriptor.
    assert re.search(f"(certfile|{broker.path}).*Too many open files", logs), logs
    poor(count + VISITORS).start().expect_inside("ada")


@pytest.mark.memory
def test_at_start_without_memory(kind, guarded):
    """It says whose fault it is; with enough, the file is in force."""
    contents, logs = kind.contents("ada", LARGE_LINES), ""
    for size in range(24 * MB, 1 << 30, 4 * MB):
        broker = guarded(["prlimit", f"--as={size}:"], workers=1, expect_exit=None)
        broker.replace(contents)
        if broker.starts():
            break
        logs += broker.log()
    assert str(broker.path) in logs, logs
    assert not kind.enters(broker.port, "eve")
    broker.limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
    broker.expect_inside("ada")


# ---- read again ----

@pytest.mark.parametrize("fault", FAULTS)
def test_read_again_with_a_fault(running, fault):
    running.expect_inside("ada")
    if put(running, fault):
        running.read_again(NOT_READ_AGAIN + f".*{running.path}")
        running.expect_inside("ada")
    else:
        running.read_again()
        running.expect_inside()
    running.replace(running.kind.contents("ada"))
    running.read_again()
    running.expect_inside("ada")


def test_read_again_without_descriptors(kind, guarded):
    """The newer file would let eve in, and does once there are descriptors again."""
    broker = guarded()
    broker.replace(kind.contents("ada"))
    broker.start()
    before = broker.descriptors()
    broker.expect_inside("ada")
    eventually(lambda: broker.descriptors() == before, "all visitors are gone")
    free = next(number for number in itertools.count() if number not in before)
    limits = broker.limit(resource.RLIMIT_NOFILE, free)
    broker.replace(kind.contents("eve"))
    broker.hang_up(NOT_READ_AGAIN + ".*Too many open files")
    broker.replace(kind.contents("ada"))    # some kinds look by themselves
    broker.limit(resource.RLIMIT_NOFILE, *limits)
    broker.expect_inside("ada")
    broker.replace(kind.contents("eve"))
    broker.hang_up()
    broker.expect_inside("eve")


@pytest.mark.memory
def test_read_again_without_memory(kind, guarded):
    """It stays as it was, or it ends."""
    broker = guarded(expect_exit=None)
    broker.replace(kind.contents("ada"))
    broker.start()
    broker.expect_inside("ada")
    broker.replace(kind.contents("ada", LARGE_LINES))
    for more in (0, 1, 4, 16, 64):
        broker.limit(resource.RLIMIT_AS, broker.rss("VmSize") + more * MB)
        broker.read_again(f"{READ_AGAIN}|{NOT_READ_AGAIN}|out of memory")
        if "out of memory" in broker.log():
            assert broker.wait() == -signal.SIGABRT
            return
    assert re.search(f"{NOT_READ_AGAIN}.*{broker.path}", broker.log()), broker.log()
    broker.limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
    broker.read_again()
    broker.expect_inside("ada")


def test_read_again_after_it_was_replaced(running):
    running.expect_inside("ada")
    running.replace(running.kind.contents("eve"))
    running.hang_up()
    running.expect_inside("eve")
    running.replace(running.kind.contents("ada"))
    running.hang_up()
    running.expect_inside("ada")
