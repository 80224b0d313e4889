# SPDX-License-Identifier: MIT
"""Our broker and Debian's mosquitto have to look alike to random clients, but for what
explained.toml explains. More scripts: tests/differential/run."""
import os
import re
from pathlib import Path

import pytest

import compare
import mqtt
from brokers import MOSQUITTO, Mosquitto, Ours
from campaign import Campaign
from compare import Difference, Rule, load_rules, unexplained
from mqtt import Subscription
from script import MISDEEDS, MISDEEDS_5, NAMES, Step, generate
from shrink import shrink

SEEDS_IN_ALL = 300
PARTS = 6


@pytest.fixture(scope="session")
def brokers(tmp_path_factory):
    assert os.access(MOSQUITTO, os.X_OK), "mosquitto is missing: tools/install differential"
    with (Ours(tmp_path_factory.mktemp("ours")) as ours,
          Mosquitto(tmp_path_factory.mktemp("theirs")) as theirs):
        yield ours, theirs


@pytest.mark.parametrize("part", range(PARTS))
def test_random_scripts(brokers, part):
    ours, theirs = brokers
    campaign = Campaign(ours.port, theirs.port)
    size = SEEDS_IN_ALL // PARTS
    reports = [campaign.try_seed(seed) for seed in range(part * size, part * size + size)]
    failures = [report for report in reports if report]
    assert not failures, "\n\n".join(failures)


def test_a_script_is_its_seed():
    assert [str(step) for step in generate(7)] == [str(step) for step in generate(7)]
    assert [str(step) for step in generate(7)] != [str(step) for step in generate(8)]


def test_scripts_are_about_everything():
    """Of every kind of step there are many, in every version, and of every misdeed some."""
    steps = [step for seed in range(SEEDS_IN_ALL) for step in generate(seed)]
    kinds = {step.kind for step in steps}
    assert kinds == {"connect", "disconnect", "drop", "subscribe", "unsubscribe", "publish",
                     "publish_twice", "publish_resumed", "acknowledge", "misbehave"}
    assert {step.arguments["version"] for step in steps if step.kind == "connect"} == {3, 4, 5}
    assert {step.client for step in steps} == set(NAMES)
    misdeeds = {step.arguments["how"] for step in steps if step.kind == "misbehave"}
    assert misdeeds == set(MISDEEDS + MISDEEDS_5)


def difference(ours, theirs, step="anna: publish x", version=5):
    return Difference(0, step, "anna", version, ours, theirs)


def test_rules_have_a_clause_and_a_reason():
    statement = re.compile(r"(3\.1\.1 |3\.1: )?(MQTT-)?\d+\.\d+[.\d]*(-\d+)?|3\.1: \d+\.\d+")
    for rule in load_rules():
        assert statement.fullmatch(rule.clause), rule
        assert len(rule.why) > 20, rule


@pytest.mark.parametrize("ours, theirs", [
    ("PUBLISH @/x 'm1.1' qos=1 retain=0 dup=0", "-"),
    ("-", "PUBLISH @/x 'm1.1' qos=1 retain=0 dup=0"),
    ("PUBLISH @/x 'm1.1' qos=0 retain=0 dup=0", "PUBLISH @/x 'm1.1' qos=1 retain=0 dup=0"),
    ("PUBLISH @/x 'm1.1' qos=1 retain=1 dup=0", "PUBLISH @/x 'm1.1' qos=1 retain=0 dup=0"),
    ("PUBLISH @/x 'm1.1' qos=1 retain=0 dup=1 renumbered",
     "PUBLISH @/x 'm1.1' qos=1 retain=0 dup=1 again"),
    ("PUBACK id=1 reason=0x00", "-"), ("END", "-"),
    ("PUBACK id=1 reason=0x00", "PUBACK id=1 reason=0x10"),
    ("SUBACK 0x00", "SUBACK 0x01"), ("UNSUBACK 0x00", "UNSUBACK 0x11"),
    ("CONNACK present=0 reason=0x00", "CONNACK present=1 reason=0x00"),
])
@pytest.mark.parametrize("step", ["publish", "subscribe", "unsubscribe", "connect", "disconnect",
                                  "drop", "acknowledge"])
def test_no_rule_explains_what_matters(step, ours, theirs):
    """The rules are narrow: none swallows a lost, doubled or changed message."""
    one = difference(ours, theirs, step=f"anna: {step} topic='@/x'")
    assert not [rule.name for rule in load_rules() if rule.explains(one)]


def subscribed_to(*filters):
    return Step("subscribe", "anna", {"subscriptions": [Subscription(one) for one in filters]})


def test_order_is_compared_where_it_is_promised():
    steps = [subscribed_to("@/+", "@/#"), Step("publish", "anna")]
    first, second = ("PUBLISH @/x 'm1.1' qos=1 retain=0 dup=0",
                     "PUBLISH @/x 'm2.1' qos=1 retain=0 dup=0")
    other = "PUBLISH @/y 'm3.1' qos=1 retain=0 dup=0"

    def differ(ours, theirs):
        return list(compare.differences(steps, [{}, {"anna": ours}], [{}, {"anna": theirs}]))

    assert not differ([first, second, other], [other, first, second])
    assert differ([first, second], [second, first])
    assert differ([first], [first, second])
    assert differ([first, first], [first]), "two copies of ours"
    assert not differ([first], [first, first]), "one for each filter is their choice"
    steps[0] = subscribed_to("@/+")
    assert differ([first], [first, first]), "there is one filter only"
    steps[0] = subscribed_to("@/+", "$share/^/@/+")
    assert not differ([first, first], [first, first]), "a shared subscription has its own copy"
    assert differ(["PUBREC id=1 reason=0x00"], ["PUBREC id=2 reason=0x00"])


def test_copies_are_compared_with_the_one_that_stands_for_them():
    steps = [subscribed_to("@/+", "@/#"), Step("publish", "anna")]
    ours = ["PUBLISH @/x 'm1.1' qos=1 retain=0 dup=0 subscription_identifier=[1, 7] content_type=a"]
    theirs = ["PUBLISH @/x 'm1.1' qos=0 retain=0 dup=0 content_type=a subscription_identifier=[7]",
              "PUBLISH @/x 'm1.1' qos=1 retain=0 dup=0 content_type=a subscription_identifier=[1]"]
    assert not list(compare.differences(steps, [{}, {"anna": ours}], [{}, {"anna": theirs}]))
    assert list(compare.differences(steps, [{}, {"anna": ours}], [{}, {"anna": theirs[1:]}]))


def test_after_a_divergence_nothing_is_judged():
    steps = [Step("connect", "anna", {"version": 5}), Step("drop", "anna"), Step("drop", "anna")]
    ours = [{}, {"anna": ["END"]}, {"anna": ["PUBACK id=1 reason=0x00"]}]
    theirs = [{}, {}, {}]
    rule = Rule("x", "MQTT-1.1.1-1", "because", ours="END", diverges=True)
    assert not unexplained(steps, ours, theirs, [rule])
    assert rule.used == 1
    rule.diverges = False
    assert [one.ours for one in unexplained(steps, ours, theirs, [rule])] == [
        "PUBACK id=1 reason=0x00"]
    assert [one.ours for one in unexplained(steps, ours, theirs, [])] == ["END"]


def test_shrinking_leaves_what_is_needed():
    assert shrink(list(range(30)), lambda steps: {3, 17} <= set(steps)) == [3, 17]
    assert shrink([1], lambda steps: True) == [1]


@pytest.mark.parametrize("mutilate, what", [
    (lambda packet: setattr(packet, "qos", 0), "qos"),
    (lambda packet: setattr(packet, "retain", not packet.retain), "retain"),
    (lambda packet: setattr(packet, "payload", b"changed"), "payload"),
])
def test_a_broker_that_is_wrong_is_found(brokers, monkeypatch, mutilate, what):
    """Ours, with each PUBLISH that comes from it changed on the way."""
    ours, theirs = brokers
    decode = mqtt.decode

    def decode_wrongly(data, version):
        packet = decode(data, version)
        if isinstance(packet, mqtt.Publish) and packet.qos != 2 and wrong:
            mutilate(packet)
        return packet

    monkeypatch.setattr(mqtt, "decode", decode_wrongly)
    campaign = Campaign(ours.port, theirs.port)
    found = False
    for seed in range(20):
        steps = generate(seed)
        wrong = False
        right_answer = Campaign(theirs.port, theirs.port).play(steps)[0]
        wrong = True
        wrong_answer = campaign.play(steps)[0]
        found = found or bool(unexplained(steps, wrong_answer, right_answer, campaign.rules))
    assert found, what
