# SPDX-License-Identifier: MIT
"""A disk that refuses: no more answers, a last line that says so, status 74, nothing lost."""
import re
import resource

import pytest

from client import Closed, durable
from mqtt import Publish, Puback, Pubrec
from server import Broker
from small_disk import DiskBroker, SmallDisk

EXIT_IO_ERROR = 74
LAST_LINE = (r"the store cannot be written any more: .*Nothing more is acknowledged; stopping with "
             r"status 74\. What was acknowledged is safe")


@pytest.fixture
def broker_until_74(tmp_path):
    """A broker that is to end with status 74."""
    with Broker(tmp_path / "broker", expect_exit=EXIT_IO_ERROR) as broker:
        yield broker


def publish_until_closed(writer, topic, qos):
    """One message after the other, 3000 bytes each; how many were acknowledged."""
    acked = 0
    try:
        while True:
            writer.send(Publish(topic, f"{acked}".rjust(3000), qos, packet_id=acked + 1))
            writer.expect(Puback if qos == 1 else Pubrec, packet_id=acked + 1, reason=0)
            acked += 1
    except Closed:
        return acked


@pytest.mark.parametrize("qos", (1, 2))
def test_a_write_fails(broker_until_74, fresh_broker, connect, new_id, prefix, qos):
    """Files may not grow any more (RLIMIT_FSIZE): a write fails with EFBIG in mid traffic."""
    broker, name = broker_until_74, new_id()
    reader = connect(5, name, broker.port, **durable(5))
    reader.subscribe(f"{prefix}/#", qos=2)
    reader.abort()
    writer = connect(4, new_id(), broker.port, **durable(4))
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    acked = publish_until_closed(writer, f"{prefix}/a", qos)
    assert acked > 20
    assert broker.wait() == EXIT_IO_ERROR
    broker.wait_for_log(LAST_LINE)
    assert "stopping with status 74" in broker.log().splitlines()[-1]

    again = fresh_broker("--max-queued-messages", "0", directory=broker.directory)
    assert "damaged=0" in again.log()
    with connect(5, name, again.port, **durable(5)) as reader:
        for number in range(acked):
            assert int(reader.receive(f"{prefix}/a").payload) == number


def test_the_files_are_removed_underneath(broker_until_74, connect, new_id, prefix):
    """Who removes the store of a running broker gets no more answers from it."""
    broker = broker_until_74
    writer = connect(4, new_id(), broker.port, **durable(4))
    writer.publish(f"{prefix}/a", "x", qos=1, retain=True)
    for path in (broker.directory / "data").glob("store*"):
        path.unlink()
    acked = 0
    try:
        for number in range(1000):
            writer.publish(f"{prefix}/a", f"{number}", qos=1, retain=True)
            acked += 1
    except Closed:
        pass
    assert acked < 1000
    assert broker.wait() == EXIT_IO_ERROR
    broker.wait_for_log(LAST_LINE)


def test_a_directory_that_cannot_be_written(tmp_path):
    """Here a file stands where it should be."""
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker/data").write_text("not a directory")
    refused(Broker(tmp_path / "broker", expect_exit=1), str(tmp_path / "broker/data"))


@pytest.mark.parametrize("has_store", (True, False), ids=("a store", "nothing"))
def test_a_read_only_file_system(tmp_path, has_store):
    disk = SmallDisk(tmp_path / "disk", "64m")
    try:
        if has_store:
            with DiskBroker(disk, tmp_path / "broker"):
                pass
        disk.make_read_only()
        refused(DiskBroker(disk, tmp_path / "broker", expect_exit=1), str(tmp_path / "disk/data"),
                "[Rr]ead-only file system")
    finally:
        disk.end()


def refused(broker, *named):
    """It does not start: one clear line and status 1."""
    with pytest.raises(AssertionError, match="no line matches"):
        broker.start()
    assert broker.wait() == 1
    assert len(broker.log().splitlines()) == 1, broker.log()
    for name in named:
        assert re.search(name, broker.log()), broker.log()
    broker.stop()
