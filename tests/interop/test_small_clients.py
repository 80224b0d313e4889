# SPDX-License-Identifier: MIT
"""Clients that do one thing only: curl, collectd, mosquitto_rr."""
import re

import pytest

from interop_clients import QUALITIES, REFERENCE, Message, without_marker
from interop_paho import Service
from interop_process import Child, run

COLLECTD = """
Hostname "interop"
Interval 0.2
BaseDir "{directory}"
PIDFile "{directory}/collectd.pid"
TypesDB "/usr/share/collectd/types.db"
{plugins}
"""


@pytest.mark.needs("curl")
@pytest.mark.parametrize("payload", [b"hallo", b"x" * 1000, bytes(range(256)) * 400],
                         ids=["short", "kilobyte", "100-kilobytes"])
def test_curl_publishes(payload, port, topic, tmp_path, subscribed):
    watcher = subscribed(REFERENCE, "5", f"{topic}/#", 2)
    (tmp_path / "payload").write_bytes(payload)
    run(["curl", "-sS", f"mqtt://127.0.0.1:{port}/{topic}/curl", "--data-binary",
         f"@{tmp_path}/payload"])
    watcher.until(f"{topic}/curl")
    assert without_marker(watcher) == [Message(f"{topic}/curl", payload, 0, False)]


@pytest.mark.needs("curl")
def test_curl_subscribes(port, topic):
    """It prints topics, with their lengths, and payloads, and nothing between them. A retained
    message tells that it is there."""
    def shown(name, payload):
        return len(name).to_bytes(2, "big") + name.encode() + payload

    REFERENCE.publish(port, "3.1.1", f"{topic}/state", b"retained", 1, True)
    child = Child(["curl", "-sSN", f"mqtt://127.0.0.1:{port}/{topic}/%23"])
    wanted = shown(f"{topic}/state", b"retained")
    child.wait_for(lambda output: output == wanted, "the retained message")
    for qos in QUALITIES:
        REFERENCE.publish(port, "5", f"{topic}/live", b"live %d" % qos, qos)
        wanted += shown(f"{topic}/live", b"live %d" % qos)
    child.wait_for(lambda output: output == wanted, "the live messages")
    child.kill()


def collectd(directory, plugins):
    config = directory / "collectd.conf"
    config.write_text(COLLECTD.format(directory=directory, plugins=plugins))
    return Child(["stdbuf", "-oL", "/usr/sbin/collectd", "-f", "-C", config], cwd=directory)


@pytest.mark.needs("collectd")
@pytest.mark.parametrize("qos", QUALITIES)
def test_collectd_publishes(qos, port, topic, tmp_path, subscribed):
    """Its first PUBLISH comes in the same segment as its CONNECT, which asks for a session that
    stays; the payload ends in NUL."""
    watcher = subscribed(REFERENCE, "3.1.1", f"{topic}/#", 2)
    child = collectd(tmp_path, f"""LoadPlugin uptime
        LoadPlugin mqtt
        <Plugin mqtt>
            <Publish "bud">
                Host "127.0.0.1"
                Port {port}
                ClientId "{topic}"
                Prefix "{topic}"
                QoS {qos}
            </Publish>
        </Plugin>""")
    name = f"{topic}/interop/uptime/uptime"
    watcher.child.wait_for(lambda _: len(without_marker(watcher)) >= 3, "three values")
    assert child.stop() == 0, child
    for message in without_marker(watcher):
        assert (message.topic, message.qos, message.retain) == (name, qos, False)
        assert re.fullmatch(rb"\d+\.\d+:\d+(\.\d+)?\0", message.payload), message


@pytest.mark.needs("collectd")
def test_collectd_subscribes(port, topic, tmp_path):
    """It wants payloads that end in NUL, as its own do."""
    name = f"{topic}/interop/uptime/uptime"
    REFERENCE.publish(port, "3.1.1", name, b"1234567890.5:42\0", 1, True)
    child = collectd(tmp_path, f"""LoadPlugin csv
        <Plugin csv>
            DataDir "stdout"
        </Plugin>
        LoadPlugin mqtt
        <Plugin mqtt>
            <Subscribe "bud">
                Host "127.0.0.1"
                Port {port}
                ClientId "{topic}"
                Topic "{topic}/#"
                QoS 2
            </Subscribe>
        </Plugin>""")
    child.wait_for(lambda output: b'1234567890.500:42' in output, "the value")
    assert child.stop() == 0, child


def request(port, version, topic, question, *more):
    return run(["mosquitto_rr", "-h", "127.0.0.1", "-p", port, "-V", version, "-t",
                f"{topic}/request", "-e", f"{topic}/answer", "-m", question, "-q", 1, "-W", 20,
                *more])


@pytest.mark.needs("paho-python")
def test_request_and_response(port, topic):
    """mosquitto_rr asks with MQTT 5's Response Topic and Correlation Data, a Paho service answers
    to where it was told; mosquitto_rr refuses an answer without its correlation data."""
    with Service(port, f"{topic}/request") as service:
        assert request(port, "5", topic, "ping", "-D", "publish", "correlation-data", "abc") \
            == b"svar: ping\n"
        assert service.asked == [(f"{topic}/answer", b"abc")]


@pytest.mark.needs("paho-python")
def test_request_and_response_without_version_5(port, topic):
    with Service(port, f"{topic}/request", answer_topic=f"{topic}/answer"):
        assert request(port, "mqttv311", topic, "ping") == b"svar: ping\n"


def test_request_without_an_answer(port, topic):
    """It gives up with its own exit status, having sent DISCONNECT."""
    child = Child(["mosquitto_rr", "-h", "127.0.0.1", "-p", port, "-t", f"{topic}/request", "-e",
                   f"{topic}/answer", "-m", "?", "-W", "1"])
    assert child.process.wait(20) == 27, child
    child.kill()
