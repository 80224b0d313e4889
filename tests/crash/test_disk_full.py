# SPDX-License-Identifier: MIT
"""Little disk space, none, and a disk that fails, on a small file system of the test's own.

Low: less than 64 MB are free. Durable messages are then refused (5.0) or wait (3.x); all else goes
on, and what subscribers acknowledge is still committed. It ends by itself at twice as much.
"""
import functools
import signal

import pytest

import crash
from client import durable
from mqtt import Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel
from small_disk import DiskBroker, SmallDisk
from test_traffic import drain, publishers, subscribers, tally

MB = 1 << 20
SIZE = "256m"
LOW, ENOUGH = 30 * MB, 200 * MB
QUOTA_EXCEEDED = 0x97
SAYS_LOW = r"little disk space is left: durable messages are not taken"
SAYS_ENOUGH = r"there is disk space again"


@pytest.fixture
def disk(tmp_path):
    small = SmallDisk(tmp_path / "disk", SIZE)
    yield small
    small.end()


@pytest.fixture
def disk_broker(disk, tmp_path):
    """A factory: each broker starts on the disk that the one before left."""
    started = []

    def start(*options, **keywords):
        started.append(DiskBroker(disk, tmp_path / f"broker{len(started)}", *options, **keywords))
        return started[-1].start()
    yield start
    for one in started:
        one.stop()


def make_low(disk, broker, free=LOW):
    position = broker.log_position()
    disk.leave_free(free)
    broker.wait_for_log(SAYS_LOW, start=position)


def make_room(disk, broker):
    position = broker.log_position()
    disk.empty()
    broker.wait_for_log(SAYS_ENOUGH, start=position)


@pytest.mark.parametrize("qos", (1, 2))
def test_low_space_and_a_5_0_publisher(disk, disk_broker, connect, prefix, qos):
    broker = disk_broker()
    reader, writer = connect(5, port=broker.port), connect(5, port=broker.port)
    reader.subscribe(f"{prefix}/#", qos=2)
    make_low(disk, broker)
    answer = writer.publish(f"{prefix}/a", "refused", qos=qos)
    assert answer.reason == QUOTA_EXCEEDED
    retained = writer.publish(f"{prefix}/a", "refused", qos=qos, retain=True)
    assert retained.reason == QUOTA_EXCEEDED
    writer.publish(f"{prefix}/a", "goes on")
    reader.receive(f"{prefix}/a", "goes on", qos=0)
    make_room(disk, broker)
    assert writer.publish(f"{prefix}/a", "taken", qos=qos).reason == 0
    reader.receive(f"{prefix}/a", "taken", qos=qos)
    reader.expect_nothing(after=writer)


@pytest.mark.parametrize("version", (3, 4))
def test_low_space_and_a_3_x_publisher(disk, disk_broker, connect, prefix, version):
    """It has no word for a refusal. What had been read when that was known is stored after all;
    then it is not read from, and not closed, until there is space, and then all is answered."""
    broker, count, text = disk_broker(), 40, "x" * 20000
    reader, writer = connect(5, port=broker.port), connect(version, port=broker.port)
    reader.subscribe(f"{prefix}/#", qos=1)
    make_low(disk, broker)
    for number in range(count):
        writer.send(Publish(f"{prefix}/a", f"{number} {text}", 1, packet_id=number + 1))
    writer.send(Pingreq())
    other = connect(5, port=broker.port)
    taken = len(reader.receive_all(after=other))
    assert 0 < taken < count // 2            # at most what one read takes
    assert other.publish(f"{prefix}/b", "x", qos=1).reason == QUOTA_EXCEEDED
    make_room(disk, broker)
    for number in range(count):
        writer.expect(Puback, packet_id=number + 1)
    writer.expect(Pingresp)
    for number in range(taken, count):
        reader.receive(f"{prefix}/a", f"{number} {text}")


def test_acknowledgements_of_subscribers_are_committed(disk, disk_broker, connect, new_id, prefix):
    """PUBREC, PUBCOMP, SUBACK and UNSUBACK: through low space and a kill. Starting works, too."""
    broker, name, count = disk_broker(), new_id(), 20
    away = connect(5, name, broker.port, **durable(5))
    away.subscribe(f"{prefix}/#", "other", qos=2)
    away.abort()
    writer = connect(5, port=broker.port)
    for number in range(count):
        writer.publish(f"{prefix}/a", f"{number}", qos=2)
    make_low(disk, broker)
    reader = connect(5, name, broker.port, **durable(5))
    packets = [reader.expect(Publish, payload=f"{number}") for number in range(count)]
    for packet in packets:
        reader.send(Pubrec(packet.packet_id))
        reader.expect(Pubrel, packet_id=packet.packet_id)
    for packet in packets[:count // 2]:
        reader.send(Pubcomp(packet.packet_id))
    reader.unsubscribe("other")
    reader.subscribe("another", qos=1)
    broker.kill()

    broker = disk_broker()
    broker.wait_for_log(SAYS_LOW)
    reader = connect(5, name, broker.port, **durable(5))
    assert reader.connack.session_present
    for packet in packets[count // 2:]:
        reader.expect(Pubrel, packet_id=packet.packet_id)
        reader.send(Pubcomp(packet.packet_id))
    writer = connect(5, port=broker.port)
    for topic in ("other", "another", f"{prefix}/b"):
        writer.publish(topic, "x")
    reader.receive("another", "x")
    reader.receive(f"{prefix}/b", "x")
    reader.expect_nothing(after=writer)


def test_not_one_byte_is_left(disk, disk_broker, connect, new_id, prefix):
    """Full to the last page: what was acknowledged is there after a kill, a start on the full disk
    delivers it, and when there is space everything goes on without another start."""
    broker, name = disk_broker(), new_id()
    reader = connect(5, name, broker.port, **durable(5))
    reader.subscribe(f"{prefix}/#", qos=1)
    reader.abort()
    writer = connect(4, new_id(), broker.port, **durable(4))
    for number in range(50):
        writer.publish(f"{prefix}/a", f"{number}", qos=1)
    position = broker.log_position()
    disk.fill()
    for number in range(50, 60):
        writer.send(Publish(f"{prefix}/a", f"{number}".rjust(100000), 1, packet_id=number + 1))
    broker.wait_for_log(SAYS_LOW, start=position)
    connect(5, new_id(), broker.port).ping()
    broker.kill()
    acked = 50
    for _ in range(10):
        try:
            acked = writer.next().packet_id
        except crash.Closed:
            break

    broker = disk_broker()
    reader = connect(5, name, broker.port, **durable(5))
    for number in range(acked):
        assert int(reader.receive(f"{prefix}/a").payload) == number
    make_room(disk, broker)
    other = connect(5, port=broker.port)
    assert other.publish(f"{prefix}/b", "taken", qos=1).reason == 0
    packets = reader.receive_all(after=other)    # perhaps one that was stored and not acknowledged
    assert packets[-1].payload == b"taken"


@pytest.mark.parametrize("workers", (1, 4))
def test_a_disk_that_is_full_now_and_then(disk, world, new_id, prefix, figures, workers):
    """Traffic all the while; some of it is killed while the disk is full."""
    place = world(*crash.UNLIMITED, workers=workers, seed=workers,
                  make=functools.partial(DiskBroker, disk))
    targets = subscribers(new_id, place, prefix)
    sources = publishers(new_id, place, prefix)
    for turn in range(crash.KILLS):
        place.wait_progress(int(10 ** place.numbers.uniform(0, 3)))
        disk.fill()
        place.broker.wait_for_log(SAYS_LOW)
        if turn % 2:
            place.kill()
            place.start()
            place.broker.wait_for_log(SAYS_LOW)
        make_room(disk, place.broker)
        place.crash(2)
    drain(place, sources, targets)
    assert tally(figures, place, sources, targets, may_refuse=True) == (0, 0, 0)
    figures["refused"] = sum(len(one.refused) for one in sources)
    for source in sources:
        assert source.acked | source.refused | source.unsure == set(range(source.sent))
        for target in targets:
            assert not source.refused & set(target.messages[source.topic])
