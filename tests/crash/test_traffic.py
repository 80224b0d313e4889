# SPDX-License-Identifier: MIT
"""Kill -9 while messages flow: nothing acknowledged is lost, at QoS 2 nothing comes twice.

Two publishers at QoS 1 and two at QoS 2, sixteen messages under way each; subscribers that stop in
every state of QoS 2, one that goes away and comes back, one at QoS 1. With several workers,
publishers and subscribers live on different ones, and on others after each start.
"""
import pytest

import crash
from crash import Publisher, Subscriber, first_occurrences, out_of_order, wait_subscribed

WORKERS = (1, 2, 4)


def publishers(new_id, world, prefix):
    made = [Publisher(world, new_id(f"pub{qos}"), f"{prefix}/{qos}/{version}", qos, version)
            for qos, version in ((1, 4), (2, 5), (1, 5), (2, 3))]
    return world.add(*made)


def subscribers(new_id, world, prefix):
    everything = f"{prefix}/#"
    made = [Subscriber(world, new_id(stop), everything, 2, version, stop)
            for stop, version in zip(crash.STOPS, (5, 4, 3))]
    made.append(Subscriber(world, new_id("leaves"), everything, 2, 5, leaves=True))
    made.append(Subscriber(world, new_id("qos1"), everything, 1, 4))
    world.add(*made)
    wait_subscribed(world, made)
    return made


def drain(world, sources, targets):
    """The publishers finish what they began, the subscribers get what is there."""
    world.draining.set()
    world.join(*sources)
    finish(world, sources, targets)


def finish(world, sources, targets):
    """A last message of each QoS follows behind all others, from a client of its own."""
    with crash.Link(world.port, 5, "finish") as link:
        for one in sources:
            link.publish(one.topic, "end", qos=one.qos)
    topics = {one.topic for one in sources}
    world.wait_for(lambda: all(one.ends >= topics for one in targets), "the last messages")
    for one in targets:
        one.is_done = True
    world.join(*targets)


def tally(figures, world, sources, targets, may_refuse=False):
    """Lost, twice at QoS 2, and out of order, over all pairs of a publisher and a subscriber. A
    broker that refuses for a while may have refused one message and taken the next when it is
    killed: both are sent again, and the first comes later."""
    lost = twice = disorder = 0
    for source in sources:
        for target in targets:
            received = target.messages.get(source.topic, [])
            lost += len(source.acked - set(received))
            disorder += out_of_order(number for number in received
                                     if not may_refuse or number not in source.resumed)
            if source.qos == target.qos == 2:
                twice += len(received) - len(first_occurrences(received))
    figures |= {"kills": world.kills, "acknowledged": sum(len(one.acked) for one in sources),
                "lost": lost, "twice": twice, "out of order": disorder,
                "noticed repeats": sum(one.repeated for one in targets),
                "connections": sum(one.lives for one in (*sources, *targets))}
    return lost, twice, disorder


@pytest.mark.parametrize("workers", WORKERS)
def test_no_message_is_lost_or_doubled(world, new_id, prefix, figures, workers):
    place = world(*crash.UNLIMITED, workers=workers, seed=workers)
    targets = subscribers(new_id, place, prefix)
    sources = publishers(new_id, place, prefix)
    for _ in range(crash.KILLS):
        place.crash()
    drain(place, sources, targets)
    assert tally(figures, place, sources, targets) == (0, 0, 0)
    assert all(one.acked == set(range(one.sent)) for one in sources)


def lose(place, how):
    """A crash of a broker that promises less, or whose disk forgets the log."""
    place.wait_progress(place.numbers.randrange(100, 400))
    place.kill()
    if how == "log lost":
        (place.directory / "data/store.db-wal").unlink()
    place.start()


@pytest.mark.parametrize("how", ("nothing kept", "log lost"))
def test_the_harness_sees_losses(world, new_id, prefix, figures, how):
    """Negative control: the same traffic where acknowledged messages must get lost."""
    options = ("--persistence", "false") if how == "nothing kept" else ("--durability", "relaxed")
    place = world(*crash.UNLIMITED, *options, strict=False)
    targets = subscribers(new_id, place, prefix)
    sources = publishers(new_id, place, prefix)
    for _ in range(crash.KILLS):
        lose(place, how)
        wait_subscribed(place, targets)
    drain(place, sources, targets)
    assert tally(figures, place, sources, targets)[0] > 0
