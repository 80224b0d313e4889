# SPDX-License-Identifier: MIT
"""It always starts. Files of the store are torn, flipped, zeroed, emptied and removed between two
runs; then what was not damaged is delivered, nothing wrong ever is, and the log says what is lost.

Environment: BUD_CRASH_DAMAGES, how many bits are flipped (default 50); a fifth of that many
pages are zeroed, and misdirected. src/store/store_damage_test.c does a thousand without a broker.
"""
import os
import re
import shutil
import stat

import pytest

from client import Client, durable
from server import Broker

FLIPS = int(os.environ.get("BUD_CRASH_DAMAGES", "50"))

MESSAGES = 200
CLIENTS = 3
PAGE = 4096
TEXT = "message {client} {number} " + "x" * 100


class Kept:
    """What a broker was given to keep: queued messages, subscriptions and retained values."""

    names = [f"keep-{index}" for index in range(CLIENTS)]

    def give(self, port):
        for index, name in enumerate(self.names):
            with Client(port, 5, name, **durable(5)) as client:
                client.subscribe(f"queue/{index}", qos=1)
        with Client(port, 5, "writer") as writer:
            for number in range(MESSAGES):
                index = number % CLIENTS
                writer.publish(f"queue/{index}", TEXT.format(client=index, number=number), qos=1)
                writer.publish(f"retained/{number}", f"value {number}", qos=1, retain=True)

    def take(self, port):
        """(queued, retained) messages that are still there; each must be one that was given, in
        the order it was given."""
        queued, retained = 0, 0
        with Client(port) as other:
            for index, name in enumerate(self.names):
                last = -1
                with Client(port, 5, name, **durable(5)) as client:
                    for packet in client.receive_all(after=other):
                        number = int(packet.payload.split()[2])
                        assert packet.payload.decode() == TEXT.format(client=index, number=number)
                        assert packet.topic == f"queue/{index}"
                        assert last < number and number % CLIENTS == index
                        last, queued = number, queued + 1
            with Client(port) as reader:
                reader.subscribe("retained/#", qos=1)
                for packet in reader.receive_all(after=other):
                    number = packet.topic.rpartition("/")[2]
                    assert packet.payload.decode() == f"value {number}" and packet.retain
                    retained += 1
            assert other.publish("still/works", "x", qos=1).reason in (0, 0x10)
        return queued, retained


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What was given, and for each way to end the directory of a store that a broker left behind:
    after SIGTERM all of it is in store.db, after SIGKILL most of it is in the log."""
    kept, directories = Kept(), {}
    for end in ("SIGTERM", "SIGKILL"):
        broker = Broker(tmp_path_factory.mktemp(end), workers=1).start()
        kept.give(broker.port)
        if end == "SIGKILL":
            broker.kill()
        broker.stop()
        directories[end] = broker.directory / "data"
    return kept, directories


@pytest.fixture
def kept(given):
    return given[0]


@pytest.fixture
def data(given, tmp_path):
    """data("SIGTERM"): a copy of that directory, to be damaged."""
    def copy(end):
        (tmp_path / end).mkdir()
        return shutil.copytree(given[1][end], tmp_path / end / "data",
                               ignore=shutil.ignore_patterns("*.sock"))
    return copy


def start_and_take(fresh_broker, kept, data):
    """(the log, queued, retained) of the next start."""
    broker = fresh_broker(workers=1, directory=data.parent)
    queued, retained = kept.take(broker.port)
    broker.stop()
    return broker.log(), queued, retained


def check(fresh_broker, kept, data):
    """It starts; what is missing is mentioned; and the next start has nothing to say."""
    log, queued, retained = start_and_take(fresh_broker, kept, data)
    lost = MESSAGES - queued + MESSAGES - retained
    said = re.findall(r'^.*store what=".*$', log, re.MULTILINE)
    assert said or not lost, f"{lost} are missing and the log does not say so:\n{log}"
    broker = fresh_broker(workers=1, directory=data.parent)
    assert " damaged=0 " in broker.log()
    return lost, said


def test_the_store_is_whole(fresh_broker, kept, data):
    """Positive control: both ends, nothing is missing, nothing is said."""
    for end in ("SIGTERM", "SIGKILL"):
        lost, said = check(fresh_broker, kept, data(end))
        assert not lost and not said


@pytest.mark.parametrize("size", (1, 100, 5000, 100000))
def test_a_torn_tail(fresh_broker, kept, data, size):
    directory = data("SIGKILL")
    log = directory / "store.db-wal"
    os.truncate(log, max(0, log.stat().st_size - size))
    lost, _ = check(fresh_broker, kept, directory)
    assert 0 < lost < 2 * MESSAGES


@pytest.mark.parametrize("turn", range(FLIPS))
def test_a_flipped_bit(fresh_broker, kept, data, numbers, turn):
    end, name = (("SIGTERM", "store.db"), ("SIGKILL", "store.db-wal"))[turn % 2]
    directory = data(end)
    content = bytearray((directory / name).read_bytes())
    at = numbers.randrange(len(content))
    content[at] ^= 1 << numbers.randrange(8)
    (directory / name).write_bytes(content)
    check(fresh_broker, kept, directory)


@pytest.mark.parametrize("turn", range(FLIPS // 5))
@pytest.mark.parametrize("how", ("zeroed", "misdirected"))
def test_a_page(fresh_broker, kept, data, numbers, how, turn):
    """Zeroed: all of it. Misdirected: what was written to one page stands in another."""
    directory = data("SIGTERM")
    content = bytearray((directory / "store.db").read_bytes())
    one, other = (at * PAGE for at in numbers.sample(range(len(content) // PAGE), 2))
    content[one:one + PAGE] = bytes(PAGE) if how == "zeroed" else content[other:other + PAGE]
    (directory / "store.db").write_bytes(content)
    check(fresh_broker, kept, directory)


@pytest.mark.parametrize("end", ("SIGTERM", "SIGKILL"))
@pytest.mark.parametrize("name", ("store.db", "store.db-wal", "store.db-mark", "reserve", "lock"))
@pytest.mark.parametrize("how", ("removed", "emptied"))
def test_a_file_is_gone(fresh_broker, kept, data, end, name, how):
    directory = data(end)
    path = directory / name
    if how == "removed":
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(b"")
    lost, _ = check(fresh_broker, kept, directory)
    if name in ("store.db-mark", "reserve", "lock") or (end, name) == ("SIGTERM", "store.db-wal"):
        assert not lost


def crc32c(data):
    """As the store's pages carry it (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def refused(directory):
    """The one line with which it refuses to start; its status is 1."""
    broker = Broker(directory, expect_exit=1)
    with pytest.raises(AssertionError, match="no line matches"):
        broker.start()
    assert broker.wait() == 1
    lines = broker.log().splitlines()
    broker.stop()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_store_of_a_newer_format(data):
    """Refused, and left as it is. The number is SQLite's user_version, in the first page, whose
    last eight bytes are its checksum and its number."""
    path = data("SIGTERM") / "store.db"
    content = bytearray(path.read_bytes())
    number = (1).to_bytes(4, "little")
    assert content[PAGE - 8:PAGE - 4] == crc32c(number + content[:PAGE - 8]).to_bytes(4, "little")
    content[60:64] = (99).to_bytes(4, "big")
    content[PAGE - 8:PAGE - 4] = crc32c(number + content[:PAGE - 8]).to_bytes(4, "little")
    path.write_bytes(content)
    assert re.search(r"^bud serve: .*store\.db was written by a newer bud \(format 99, this one "
                     r"knows \d+\): update bud, or choose another directory$",
                     refused(path.parent.parent))
    assert path.read_bytes() == content


def test_a_second_broker_on_the_same_directory(fresh_broker, connect):
    broker = fresh_broker()
    assert re.search(r"^bud serve: another bud uses .*/data$", refused(broker.directory))
    connect(5, port=broker.port).publish("a", "x", qos=1)


def test_only_the_owner_reads_the_files(fresh_broker, connect):
    before = os.umask(0)
    try:
        broker = fresh_broker()
        connect(5, port=broker.port).publish("a", "x", qos=1, retain=True)
    finally:
        os.umask(before)
    data = broker.directory / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    modes = {str(path.relative_to(data)): stat.S_IMODE(path.stat().st_mode)
             for path in data.rglob("*")}
    assert {"store.db", "store.db-wal", "bud.sock", "tls/key.pem", "tls/tickets"} <= set(modes)
    assert modes.pop("tls") == 0o700
    modes.pop("tls/cert.pem")       # clients need it
    assert set(modes.values()) == {0o600}, modes
