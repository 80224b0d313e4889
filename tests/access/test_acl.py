# SPDX-License-Identifier: MIT
"""The ACL file of a broker: what is answered, what happens to a file that is wrong, what is still
asked after a restart, and `bud acl`."""
import re

import pytest

from client import durable, settle
from mqtt import Publish, Will
from rules import FENCES, NOT_READ_AGAIN, Rules
from server import Broker


@pytest.fixture
def rules(tmp_path):
    return Rules(tmp_path / "acl")


@pytest.fixture
def start(fresh_broker, rules):
    """Starts a broker with the rules; keywords as fresh_broker's."""
    def make(*options, **keywords):
        rules.broker = fresh_broker("--acl-file", rules.path, "--allow-anonymous", "true",
                                    *options, **keywords)
        return rules.broker
    return make


# ---- answers ----

def test_a_hopeless_subscription_is_refused(start, rules, connect, version):
    rules.sections = {"kari": ["read home/#", "deny home/safe/#", "write office/#"]}
    rules.write()
    port = start().port
    client = connect(version, port=port, username="kari")
    filters = ["home/door", "#", "home/safe/#", "office/+", "$share/g/home/+", "$share/g/x/+"]
    no = 0x87 if version == 5 else 0x80
    assert client.try_subscribe(*filters).reasons == [0, 0, no, no, 0, no]
    # Having been refused it is no subscription: it cannot be left.
    if version == 5:
        assert client.unsubscribe("office/+", "home/door") == [0x11, 0]


def test_as_mosquitto_it_is_granted_and_gets_nothing(start, rules, connect, version):
    rules.sections = {"kari": ["write home/#"]}
    rules.write()
    port = start("--acl-subscribe", "mosquitto").port
    client = connect(version, port=port, username="kari")
    assert client.try_subscribe("home/#", qos=1).reasons == [1]
    client.publish("home/x", "m", qos=1)
    client.expect_nothing(after=client)


def test_a_message_that_may_not_be_written(start, rules, connect, version):
    """5.0 is told; 3.x has no word for it."""
    rules.sections = {"kari": ["read home/#"], "ola": ["home/#"]}
    rules.write()
    broker = start()
    reader = connect(5, port=broker.port, username="ola")
    reader.subscribe("home/#")
    writer = connect(version, port=broker.port, username="kari")
    for qos in (0, 1, 2):
        position = broker.log_position()
        answer = writer.publish("home/x", "m", qos=qos)
        if qos and version == 5:
            assert answer.reason == 0x87
        broker.wait_for_log("message refused.*home/x.*not authorized", start=position)
    writer.ping()
    reader.expect_nothing(after=reader)


def test_the_brokers_own_topics(start, rules, connect):
    rules.sections = {"kari": ["#", "$SYS/#", "$CONTROL/#"], "ola": ["#"]}
    rules.write()
    port = start().port
    kari, ola = (connect(5, port=port, username=name) for name in ("kari", "ola"))
    assert kari.publish("$SYS/broker/version", "9", qos=1).reason == 0x87
    assert kari.publish("$SYS/broker/connection/far/state", "1", qos=1).reason in (0, 0x10)
    assert kari.publish("$CONTROL/x", "1", qos=1).reason in (0, 0x10)
    for topic in ("$SYS/broker/connection/far/state", "$CONTROL/x"):
        assert ola.publish(topic, "1", qos=1).reason == 0x87
        assert ola.try_subscribe(topic).reasons == [0x87]


def test_without_rules_orders_to_the_broker_reach_nobody(fresh_broker, connect):
    port = fresh_broker().port
    client = connect(5, port=port)
    client.subscribe("$CONTROL/#", "free")
    assert client.publish("$CONTROL/dynamic-security/v1", "{}", qos=1).reason == 0x87
    assert client.publish("free", "m", qos=1).reason == 0
    client.receive("free", "m")
    client.expect_nothing(after=client)


POISON = ["+", "#", "/", "$", "a\nb", "\x1b[31m", ".*", "[a-z]", "../kari", "%u", "%c",
          "__proto__", "kari/", "kari\u200b", "x" * 60000]


@pytest.fixture(scope="module")
def patterns_broker(tmp_path_factory):
    directory = tmp_path_factory.mktemp("patterns")
    (directory / "acl").write_text(
        "pattern dev/%c/#\npattern home/%u/#\nuser kari\ntopic own/#\n")
    with Broker(directory, "--acl-file", directory / "acl", "--allow-anonymous", "true",
                "--max-client-id-bytes", "65535") as broker:
        yield broker


@pytest.mark.parametrize("name", POISON, ids=[repr(name[:12]) for name in POISON])
def test_poison_names(patterns_broker, connect, name):
    """As user and as client id they get what their bytes say, and one line of log an event."""
    broker = patterns_broker
    kari = connect(5, "tv", port=broker.port, username="kari")
    kari.subscribe("dev/tv/#", "home/kari/#", "own/#")
    position = broker.log_position()
    bad = connect(5, name, port=broker.port, username=name, connect=False)
    try:
        bad.connect()
    except AssertionError:
        return  # not taken as a name at all: nothing is gained either
    topics = ["dev/tv", "dev/tv/x", "home/kari", "home/kari/x", "own/a"]
    assert bad.try_subscribe(*topics, "dev/tv/#", "home/+/x/y").reasons[:6] == [0x87] * 6
    for topic in topics:
        assert bad.publish(topic, "m", qos=1).reason == 0x87
    kari.publish("own/a", "m", qos=1)
    kari.receive("own/a", "m")
    broker.wait_for_log("client connected", start=position)
    lines = broker.log().splitlines()[position:]
    assert lines and all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in lines)


# ---- files ----

WRONG = {"missing": None, "a directory": "directory", "no rule": "user kari\nfoo bar\ntopic\n",
         "no filter": "user kari\ntopic read a/#/b\n"}


def make_wrong(path, content):
    path.unlink(missing_ok=True)
    if content == "directory":
        path.mkdir()
    elif content is not None:
        path.write_text(content)


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_it_does_not_start_with_a_file_that_is_wrong(bud, rules, tmp_path, content):
    make_wrong(rules.path, content)
    done = bud("serve", "-p", "0", "--bind", "127.0.0.1", "--data", tmp_path / "data",
               "--acl-file", rules.path, "--user", "root")
    assert done.returncode != 0
    assert str(rules.path) in done.stderr
    if content not in (None, "directory"):
        assert re.search(r"line 2: ", done.stderr)


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_wrong_file_changes_nothing_while_it_runs(start, rules, connect, content):
    rules.sections = {"kari": ["home/#"], "ola": ["read home/#"]}
    rules.write()
    port = start().port
    reader, writer = (connect(5, port=port, username=name) for name in ("ola", "kari"))
    reader.subscribe("home/#")
    make_wrong(rules.path, content)
    rules.read_again(NOT_READ_AGAIN)
    assert writer.publish("home/x", "m", qos=1).reason == 0
    reader.receive("home/x", "m")
    assert reader.publish("home/x", "m", qos=1).reason == 0x87
    if rules.path.is_dir():
        rules.path.rmdir()
    rules.set(kari=["read home/#"])
    assert writer.publish("home/x", "m", qos=1).reason == 0x87


@pytest.mark.parametrize("content", ("", "\n", "# nothing\n"), ids=("empty", "blank", "comment"))
def test_an_empty_file_lets_nobody_do_anything(start, rules, connect, content):
    rules.write(content)
    broker = start()
    broker.wait_for_log("there is no rule in it")
    for user in (None, "kari", ""):
        client = connect(5, port=broker.port, username=user)
        assert client.publish("a", "m", qos=1).reason == 0x87
        assert client.try_subscribe("#", "a").reasons == [0x87, 0x87]


def test_rules_come_and_go_within_one_second(start, rules, connect):
    """However often the file changes: what was read last holds, whatever its time says."""
    rules.sections = {"kari": ["home/#"]}
    rules.write()
    client = connect(5, port=start().port, username="kari")
    for number in range(20):
        allowed = number % 2 == 1
        rules.set(kari=["home/#"] if allowed else ["deny home/#"])
        reason = client.publish("home/x", "m", qos=1).reason
        assert reason in ((0, 0x10) if allowed else (0x87,))


def test_nobody_is_disconnected(start, rules, connect, version):
    rules.sections = {"kari": ["home/#"]}
    rules.write()
    client = connect(version, port=start().port, username="kari")
    client.subscribe("home/#")
    rules.set(kari=None)
    rules.set(kari=["home/#"])
    client.publish("home/x", "m")
    client.receive("home/x", "m")  # the subscription is still there


# ---- after a restart ----

@pytest.fixture(params=("kept", "denied", "gone"))
def fate(request):
    return request.param


def meet_fate(rules, fate, user, topic):
    if fate == "denied":
        rules.sections[user] = ["home/#", f"deny {topic}"]
    elif fate == "gone":
        del rules.sections[user]
    rules.write()


def test_a_will_is_asked_about_after_a_restart(start, rules, connect, fate):
    """The broker goes while the client is there: its will waits a little, as its user's."""
    rules.sections = {"kari": ["home/#"], "ola": ["home/#"]}
    rules.write()
    broker = start("--will-grace", "1")
    connect(4, "tv", port=broker.port, username="kari",
            will=Will("home/last", b"m", qos=1))
    broker.kill()
    meet_fate(rules, fate, "kari", "home/last")
    broker = start("--will-grace", "1", directory=broker.directory)
    reader = connect(5, port=broker.port, username="ola")
    reader.subscribe("home/#", qos=1)
    if fate == "kept":
        reader.receive("home/last", "m")
    else:
        broker.wait_for_log("not delivered.*home/last.*not authorized")
    reader.expect_nothing(after=reader)


def test_retained_is_asked_about_after_a_restart(start, rules, connect, fate):
    rules.sections = {"kari": ["home/#"], "ola": ["home/#"]}
    rules.write()
    broker = start()
    connect(5, "tv", port=broker.port, username="kari").publish(
        "home/lamp", "on", qos=1, retain=True)
    connect(4, "x", port=broker.port, username="ola").publish(
        "home/door", "shut", qos=1, retain=True)
    broker.stop()
    meet_fate(rules, fate, "kari", "home/lamp")
    broker = start(directory=broker.directory)
    reader = connect(5, port=broker.port, username="ola")
    reader.subscribe("home/#")
    got = {packet.topic for packet in reader.receive_all(reader)}
    assert got == {"home/door"} | ({"home/lamp"} if fate == "kept" else set())


def test_without_check_retain_source_it_is_given_out(start, rules, connect):
    rules.sections = {"kari": ["home/#"], "ola": ["home/#"]}
    rules.write()
    broker = start("--check-retain-source", "false")
    connect(5, "tv", port=broker.port, username="kari").publish(
        "home/lamp", "on", qos=1, retain=True)
    rules.set(kari=None)
    reader = connect(5, port=broker.port, username="ola")
    reader.subscribe("home/#")
    reader.receive("home/lamp", "on")


def test_a_queue_on_the_disk_is_asked_about(start, rules, connect, fate):
    """Beyond the window that is in memory, and across a restart."""
    rules.sections = {"kari": ["home/#"], "ola": ["home/#"]}
    rules.write()
    broker = start("--max-queued-messages", "3000")
    reader = connect(5, "tv", port=broker.port, username="kari", **durable(5))
    reader.subscribe("home/#", qos=1)
    reader.disconnect()
    writer = connect(5, port=broker.port, username="ola")
    for number in range(1100):
        writer.send(Publish("home/secret", b"%d" % number, 1, packet_id=number + 1))
    writer.publish("home/open", "m", qos=1)
    writer.ping()
    broker.stop()
    meet_fate(rules, fate, "kari", "home/secret")
    broker = start("--max-queued-messages", "3000", directory=broker.directory)
    reader = connect(5, "tv", port=broker.port, username="kari", **durable(5))
    assert reader.connack.session_present
    secret = 1100 if fate == "kept" else 0
    for number in range(secret):
        reader.receive("home/secret", str(number))
    if fate != "gone":
        reader.receive("home/open", "m")
    helper = connect(5, port=broker.port, username="ola")
    settle(helper, reader)
    assert not reader.inbox


# ---- bud acl ----

@pytest.mark.parametrize("question, status, line, words", (
    ("kari publish home/x", 0, 4, "kari may publish to 'home/x'"),
    ("kari subscribe home/safe", 1, 5, "kari may NOT read 'home/safe'"),
    ("- subscribe open/+", 0, 2, "a client without a user name may read 'open/+'"),
    ("ola publish dev/tv/x --client-id tv", 0, 6, "ola may publish to"),
    ("ola publish dev/tv/x --client-id t+", 1, None, "'+' or '#' is in the user's name"),
    ("ola publish x", 1, None, "what no rule gives is denied"),
    ("kari publish $SYS/x", 1, None, "the broker's own"),
    ("kari subscribe $share/g/home/#", 0, 4, "some of it at least"),
))
def test_explain(bud, rules, question, status, line, words):
    rules.write(FENCES + "topic read open/#\nuser kari\ntopic home/#\ntopic deny home/safe\n"
                "pattern dev/%c/#\n")
    for option in (["--acl-file", rules.path], ["-c", rules.path.with_name("bud.conf")]):
        option[-1].with_name("bud.conf").write_text(f"listener 1883\nacl_file {rules.path}\n")
        done = bud("acl", "explain", *question.split(), *option)
        assert done.returncode == status, done.stdout + done.stderr
        assert words in done.stdout
        if line:
            assert f"{rules.path}, line {line}: " in done.stdout


@pytest.mark.parametrize("arguments", (
    ["explain", "kari", "publish", "a/+"], ["explain", "kari", "write", "a"], ["explain", "kari"],
    ["explain", "kari", "publish", "a", "-x"], [], ["check"], ["exlpain", "kari", "publish", "a"]))
def test_what_is_not_understood(bud, rules, arguments):
    done = bud("acl", *arguments, *(["--acl-file", rules.path] if arguments else []))
    assert done.returncode == 2 and done.stderr.startswith("bud acl: ")


def test_explain_of_a_file_that_is_wrong(bud, rules):
    rules.write("topik a\n")
    done = bud("acl", "explain", "kari", "publish", "a", "--acl-file", rules.path)
    assert done.returncode == 2 and "line 1: 'topik'" in done.stderr


def test_check(bud, rules):
    rules.write("topic read a\nuser kari\nfoo\npattern read b\ntopic read c+\n")
    done = bud("acl", "check", rules.path)
    assert done.returncode == 1
    found = re.findall(r"^.*acl:(\d+): (\w+): ", done.stdout, re.MULTILINE)
    assert found == [("1", "warning"), ("3", "error"), ("4", "warning"), ("5", "error")]
    rules.write("user kari\ntopic read a\n")
    assert bud("acl", "check", rules.path).returncode == 0
