# SPDX-License-Identifier: MIT
"""The program around the broker: how it starts, what it logs, how it stops."""
import json
import os
import re
import signal
import subprocess
import threading

import pytest

import mqtt
from client import Client, eventually
from mqtt import Connect, Disconnect, Publish, Reason, Subscribe, Subscription
from server import BUD, IS_STAND_IN, STOP_SECONDS

pytestmark = pytest.mark.skipif(IS_STAND_IN, reason="about our program's own manners")
IS_RELEASE = bool(os.environ.get("BUD_RELEASE"))


def run(*arguments):
    """Runs `bud ...` to its end: (exit status, stdout, stderr)."""
    done = subprocess.run([str(BUD), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=STOP_SECONDS, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ----------------------------------------------------------------------------------------- start-up

def test_it_says_where_it_listens_and_complains_about_nothing(fresh_broker):
    broker = fresh_broker()
    assert re.search(r"listening on 127\.0\.0\.1:\d+", broker.log())
    assert not re.search("warning|error", broker.log(), re.IGNORECASE), broker.log()


def test_an_occupied_port_is_one_clear_line(fresh_broker):
    port = fresh_broker().port
    status, _, errors = run("serve", "-p", port, "--bind", "127.0.0.1")
    assert status == 1
    assert len(errors.splitlines()) == 1, errors
    assert str(port) in errors and re.search("in use|occupied|taken", errors), errors


@pytest.mark.parametrize("arguments, named", [
    (("--no-such-option",), "no-such-option"),
    (("--max-packet-size", "banana"), "banana"),
    (("--max-packet-size", "1"), "max"),
    (("--max-inflight-messages", "65536"), "65536"),
    (("--max-inflight-messages",), "max-inflight-messages"),
    (("--log-format", "xml"), "xml"),
    (("-p", "70000"), "70000"),
    (("surplus",), "surplus"),
])
def test_what_it_does_not_understand_ends_it_with_2(arguments, named):
    status, output, errors = run("serve", *arguments)
    assert status == 2 and named in errors and not output, errors
    assert len(errors.splitlines()) <= 3, "short enough to be read"


def test_a_misspelt_option_is_guessed():
    status, _, errors = run("serve", "--max-inflight-mesages", "3")
    assert status == 2 and "max-inflight-messages" in errors


def test_help_names_every_option_used_here():
    status, output, errors = run("serve", "--help")
    assert status == 0 and not errors
    for name in ("--workers", "--max-packet-size", "--connect-timeout", "--sys-interval",
                 "--log-format", "--max-keepalive"):
        assert name in output


# --------------------------------------------------------------------------------------------- end

@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_a_signal_ends_it_in_good_order(fresh_broker, connect, number):
    broker = fresh_broker()
    clients = [connect(version, port=broker.port) for version in (3, 4, 5)]
    broker.signal(number)
    for client in clients:
        client.expect_closed(Reason.SERVER_SHUTTING_DOWN)
    assert broker.wait() == 0


def flood(port, prefix, acknowledged):
    """Publishes QoS 1 until the broker goes away; notes what was acknowledged."""
    publisher = Client(port, 5, f"flood-{prefix}")
    try:
        while True:
            number = len(acknowledged)
            publisher.publish(prefix, b"%d" % number, qos=1)
            acknowledged.append(number)
    except (AssertionError, OSError):
        publisher.abort()


def test_stopping_under_load_delivers_what_was_acknowledged(fresh_broker, connect, prefix):
    broker, acknowledged = fresh_broker(), []
    subscribers = [connect(version, port=broker.port) for version in (4, 5)]
    for subscriber in subscribers:
        subscriber.subscribe(prefix, qos=0)
    idle = [connect(5, port=broker.port) for _ in range(50)]
    thread = threading.Thread(target=flood, args=(broker.port, prefix, acknowledged))
    thread.start()
    for number in range(200):
        for subscriber in subscribers:
            subscriber.expect(Publish, payload=str(number))
    broker.signal(signal.SIGTERM)
    status = broker.wait(2 if IS_RELEASE else STOP_SECONDS)
    thread.join()
    assert status == 0
    for client in idle:
        client.expect_closed(Reason.SERVER_SHUTTING_DOWN)
    for subscriber in subscribers:
        data, last = subscriber.read_to_end(), 199
        while data:
            end = mqtt.read_header(data)[2]
            packet = mqtt.decode(data[:end], subscriber.version)
            last = int(packet.payload) if isinstance(packet, Publish) else last
            data = data[end:]
        assert last >= acknowledged[-1], "acknowledged, and never delivered"
        assert subscriber.version < 5 or isinstance(packet, Disconnect)


def test_a_client_that_does_not_read_cannot_hold_up_the_end(fresh_broker, connect, prefix):
    broker = fresh_broker()
    stuck = connect(5, port=broker.port, receive_buffer=4096)
    stuck.subscribe(prefix)
    publisher = connect(5, port=broker.port)
    for _ in range(20):
        publisher.publish(prefix, bytes(1_000_000), qos=1)
    broker.signal(signal.SIGTERM)
    assert broker.wait() == 0


# -------------------------------------------------------------------------------------- log lines

def test_a_life_in_two_lines(fresh_broker, connect, prefix, version):
    """Who, from where, speaking what; and in the end why, how old, and how much."""
    broker = fresh_broker()
    client = connect(version, "garage-door", port=broker.port, username="kari",
                     password=b"Very-Secret", keep_alive=33)
    address = f"127.0.0.1:{client.socket.getsockname()[1]}"
    client.subscribe(prefix)
    for _ in range(3):
        client.publish(prefix, "x")
        client.receive(prefix)
    client.disconnect()
    hello = broker.wait_for_log("^.*client connected.*garage-door.*$").group(0)
    goodbye = broker.wait_for_log("^.*client disconnected.*garage-door.*$").group(0)
    name = {3: "3.1", 4: "3.1.1", 5: "5.0"}[version]
    for line in (hello, goodbye):
        assert "client=garage-door" in line and "user=kari" in line
        assert f"address={address}" in line and f"protocol={name} " in line
    assert "keep_alive=33" in hello
    assert 'reason="the client said goodbye"' in goodbye
    assert re.search(r"age_s=\d+ ", goodbye)
    assert "messages_received=3" in goodbye and "messages_sent=3" in goodbye
    assert "Very-Secret" not in broker.log(), "a password is never logged"


def ends(connect, port, version):
    """(how it ends, words that the log line must hold), each with a client of its own."""
    def bad_packet(client):
        client.send_raw(b"\x36\x06\0\1t\0\1x")
        client.expect_closed({0x81, 0x82})

    def taken_over(client):
        connect(version, client.client_id, port=port)
        client.expect_closed(0x8E)

    def silent(client):
        client.expect_closed(0x8D)
    return {"abort": (Client.abort, "closed|lost|end"),
            "reset": (Client.reset, "reset|lost|closed"),
            "bad packet": (bad_packet, "malformed|protocol|QoS"),
            "taken over": (taken_over, "taken over|same client"),
            "silent": (silent, "keep.alive|silent")}


@pytest.mark.parametrize("name", ("abort", "reset", "bad packet", "taken over", "silent"))
def test_why_a_client_is_gone_is_said_in_words(fresh_broker, connect, version, name):
    broker = fresh_broker()
    end, words = ends(connect, broker.port, version)[name]
    client = connect(version, "sensor-7", port=broker.port, keep_alive=1)
    end(client)
    line = broker.wait_for_log("^.*client disconnected.*sensor-7.*$").group(0)
    reason = re.search(r'reason="?([^"]*)', line).group(1)
    assert re.search(words, reason, re.IGNORECASE), line


def test_a_refused_client_is_logged_with_its_reason(fresh_broker, connect):
    broker = fresh_broker("--allow-anonymous", "false")
    client = connect(4, "stranger", port=broker.port, connect=False)
    client.send_connect()
    client.expect_refused(5)
    line = broker.wait_for_log("^.*refused.*stranger.*$").group(0)
    assert "127.0.0.1:" in line and re.search('reason="?.*(author|anonymous)', line)


EVIL = 'a\nb\x1b[31m"c" d\\e=\x7fæ\u202e'


@pytest.mark.parametrize("log_format", ("text", "logfmt", "json"))
def test_what_clients_choose_cannot_forge_a_line(fresh_broker, connect, version, log_format):
    """A newline or an escape sequence in a name would write into the log or to the terminal."""
    broker = fresh_broker("--log-format", log_format)
    start = broker.log_position()
    client = connect(version, EVIL[:20], port=broker.port, username=EVIL, password=b"")
    client.disconnect()
    broker.wait_for_log("disconnected", start=start)
    text = broker.log()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), text
    lines = [line for line in text.splitlines() if "client" in line and "onnected" in line]
    assert len(lines) == 2, lines
    for line in lines:
        assert "[31m" in line and "æ" in line, "readable, but harmless"


def test_a_long_name_is_cut(fresh_broker, connect):
    broker = fresh_broker()
    connect(5, "x" * 200, port=broker.port, username="y" * 5000).disconnect()
    line = broker.wait_for_log("^.*client disconnected.*$").group(0)
    assert "x" * 200 in line and "y" * 200 in line and "y" * 300 not in line
    client = connect(5, "listener", port=broker.port)
    client.try_subscribe("x/" * 500)
    line = broker.wait_for_log("^.*subscription refused.*$").group(0)
    assert "x/" * 100 in line and "x/" * 200 not in line


def test_json_lines_are_json(fresh_broker, connect):
    broker = fresh_broker("--log-format", "json")
    client = connect(5, EVIL, port=broker.port, username=EVIL)
    client.send_raw(b"\x36\x06\0\1t\0\1x")
    client.expect_closed({0x81, 0x82})
    broker.wait_for_log("disconnected")
    lines = [json.loads(line) for line in broker.log().splitlines()]
    assert all({"time", "level", "event", "message"} <= set(line) for line in lines)
    gone = next(line for line in lines if line["event"] == "disconnected")
    assert gone["client"] == EVIL and gone["user"] == EVIL and gone["protocol"] == "5.0"
    assert isinstance(gone["messages_received"], int) and gone["reason"]


def test_logfmt_lines_are_logfmt(fresh_broker, connect):
    broker = fresh_broker("--log-format", "logfmt")
    connect(5, "a b=c", port=broker.port).disconnect()
    broker.wait_for_log("event=disconnected")
    pair = r'[a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^\s"=]*)'
    for line in broker.log().splitlines():
        assert re.fullmatch(rf"{pair}(?: {pair})*", line), line
    assert 'client="a b=c"' in broker.log()


def test_a_flood_of_refusals_does_not_flood_the_log(fresh_broker, connect):
    broker = fresh_broker("--allow-anonymous", "false")
    tried = 0

    def refuse_one():
        nonlocal tried
        tried += 1
        with Client(broker.port, 4, f"flood-{tried}", connect=False) as client:
            client.send_connect()
            client.expect_refused(5)
    for _ in range(300):
        refuse_one()

    def is_said():
        refuse_one()
        return "left out" in broker.log()
    eventually(is_said, "lines that were left out are counted")
    lines = [line for line in broker.log().splitlines() if " connection refused " in line]
    assert len(lines) < tried


def test_health_checks_are_not_logged_as_errors(fresh_broker, connect):
    broker = fresh_broker()
    for _ in range(20):
        Client(broker.port, connect=False).abort()
    connect(5, "after", port=broker.port).disconnect()
    broker.wait_for_log("client disconnected.*after")
    assert not re.search("warning|error", broker.log(), re.IGNORECASE), broker.log()


# ------------------------------------------------------------------------------ anonymous, ports

def test_anonymous_clients_are_an_option(fresh_broker, connect, version):
    port = fresh_broker("--allow-anonymous", "false").port
    client = connect(version, port=port, connect=False)
    client.send_connect()
    client.expect_refused({Reason.NOT_AUTHORIZED, Reason.BAD_USER_NAME_OR_PASSWORD}
                          if version == 5 else {4, 5})


def test_one_worker_and_many_behave_the_same(fresh_broker, connect, prefix):
    for workers in (1, 4):
        port = fresh_broker(workers=workers).port
        clients = [connect(5, f"{prefix}-{n}", port=port) for n in range(20)]
        for client in clients:
            client.subscribe(prefix, qos=1)
        for client in clients[:5]:
            client.publish(prefix, client.client_id, qos=1)
        for client in clients:
            got = [client.receive(prefix).payload.decode() for _ in range(5)]
            assert sorted(got) == sorted(one.client_id for one in clients[:5])


def test_what_came_before_the_goodbye_is_answered(connect, prefix, version):
    """A script that writes all it has, DISCONNECT included, and then reads the answers."""
    client = connect(version, connect=False)
    client.send_raw(b"".join(mqtt.encode(packet, version) for packet in (
        Connect(client.client_id), Subscribe(1, [Subscription(prefix, 1)]),
        Publish(f"{prefix}/1", b"x", 1, packet_id=2), Disconnect())))
    client.expect(mqtt.Connack, reason=0)
    client.expect(mqtt.Suback, packet_id=1)
    client.expect(mqtt.Puback, packet_id=2)
    client.expect_closed()


def test_what_was_sent_before_the_goodbye_is_done(fresh_broker, connect, prefix):
    """CONNECT, SUBSCRIBE, PUBLISH and DISCONNECT in one segment: a script that does not wait."""
    port = fresh_broker().port
    listener = connect(5, port=port)
    listener.subscribe(prefix, qos=1)
    hasty = connect(4, port=port, connect=False)
    hasty.send_raw(b"".join(mqtt.encode(packet, 4) for packet in (
        Connect("hasty"), Subscribe(1, [Subscription("x")]), Publish(prefix, b"1"),
        Publish(prefix, b"2", 1, packet_id=2), Disconnect())))
    hasty.abort()
    listener.receive(prefix, "1")
    listener.receive(prefix, "2", qos=1)

