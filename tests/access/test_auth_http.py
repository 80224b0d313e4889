# SPDX-License-Identifier: MIT
"""Somebody else's service decides who may come in. What is no answer lets nobody in; what each
answer means is in src/access/auth_http_answer_test.c."""
import threading
import time

import pytest

from client import Client, eventually
from mqtt import Connack, Disconnect, Reason
from service import Service

ALLOW, DENY = (200, {"result": "allow"}), (200, {"result": "deny"})
BAD_LOGIN, LATER = Reason.BAD_USER_NAME_OR_PASSWORD, Reason.QUOTA_EXCEEDED


def log_in(broker, version=5, client_id="device", username="anna", password=b"secret"):
    client = Client(broker.port, version, client_id, connect=False)
    client.send_connect(username=username, password=password)
    connack = client.expect(Connack)
    client.abort()
    return connack.reason


@pytest.fixture
def asking(fresh_broker):
    """asking(answer, *options): a broker that asks, and the service that answers."""
    services = []

    def start(answer, *options, path="/auth"):
        services.append(Service(answer).__enter__())
        broker = fresh_broker("--auth-http-url", services[-1].url + path, "--login-delay-ms", "0",
                              *options)
        return broker, services[-1]
    yield start
    for service in services:
        service.__exit__()


def test_the_question(asking):
    broker, service = asking(lambda question: ALLOW, "--auth-http-headers", "X-Key: abc|X-B: c")
    assert log_in(broker, username='an"na', password=b"pa\nss") == 0
    question = service.questions[0]
    headers = question.pop("headers")
    assert question == {"action": "connect", "clientid": "device", "username": 'an"na',
                        "password": "pa\nss", "address": "127.0.0.1", "protocol": "mqtt",
                        "listener": f"127.0.0.1:{broker.port}", "path": "/auth"}
    assert headers["X-Key"] == "abc" and headers["X-B"] == "c"


@pytest.mark.parametrize("answer, reason", (
    (ALLOW, 0), ((200, b""), 0), ((204, b""), 0), (DENY, BAD_LOGIN), ((403, b""), BAD_LOGIN),
    ((401, ALLOW[1]), BAD_LOGIN), ((500, ALLOW[1]), LATER), ((404, b""), LATER),
    ((302, b"", {"Location": "/other"}), LATER), ((200, b"<html>welcome</html>"), LATER),
    ((200, {}), LATER), ((200, {"result": "allow", "x": "x" * 70000}), LATER),
    ((200, {"result": "allow", "publ": "a"}), LATER),
    ((200, {"result": "ignore"}), BAD_LOGIN)), ids=range(14))
def test_answers(asking, answer, reason):
    broker, service = asking(lambda question: answer)
    assert log_in(broker) == reason
    assert len(service.questions) == 1   # no redirect was followed
    if reason == LATER:
        assert log_in(broker, version=4) == 3   # and that was no wrong password


def test_who_does_not_answer(asking, connect):
    broker, _ = asking(lambda question: None, "--auth-http-timeout", "1",
                       "--allow-anonymous", "true")
    waiting = Client(broker.port, 5, "device", connect=False)
    waiting.send_connect(username="anna", password=b"secret")
    others = [connect(5, port=broker.port) for _ in range(3)]   # nobody else waits for it
    for other in others:
        other.ping()
    assert waiting.expect(Connack).reason == LATER
    broker.wait_for_log(r"connection refused client=device .*auth_http_timeout")
    waiting.abort()


def test_who_is_not_there(fresh_broker):
    with Service(lambda question: ALLOW) as service:
        url = service.url
    broker = fresh_broker("--auth-http-url", url)
    assert log_in(broker) == LATER
    broker.wait_for_log(r"connection refused client=device .*cannot be reached")


def test_a_client_that_goes_while_it_is_asked_for(asking):
    asked = threading.Event()
    broker, service = asking(lambda question: asked.set() or None, "--auth-http-timeout", "2")
    client = Client(broker.port, 5, "device", connect=False)
    client.send_connect(username="anna", password=b"secret")
    assert asked.wait(20)
    client.reset()
    second = Client(broker.port, 5, "second", connect=False)
    second.send_connect(username="anna", password=b"secret")
    eventually(lambda: len(service.questions) == 2, "the second question")
    broker.stop()   # which waits for nobody


def test_many_are_asked_for_at_once(asking):
    broker, service = asking(lambda question: time.sleep(0.01) or ALLOW)
    clients = [Client(broker.port, 5, f"c{number}", connect=False) for number in range(60)]
    for client in clients:
        client.send_connect(username="anna", password=b"secret")
    assert {client.expect(Connack).reason for client in clients} == {0}
    assert len(service.questions) == 60
    for client in clients:
        client.abort()


def test_answers_are_kept_as_long_as_they_say(asking):
    answers = {"short": {"Cache-Control": "max-age=0"}, "long": {"Cache-Control": "max-age=60"},
               "default": {}}
    broker, service = asking(lambda question: (200, {"result": "allow"},
                                               answers[question["username"]]))
    for name, count in (("short", 3), ("long", 1), ("default", 1)):
        service.questions.clear()
        for _ in range(3):
            assert log_in(broker, username=name) == 0
        assert len(service.questions) == count, name
    service.questions.clear()
    assert log_in(broker, username="long", password=b"other") == 0
    assert len(service.questions) == 1


def test_a_no_is_kept_too_and_a_failure_is_not(asking):
    state = {"answer": DENY}
    broker, service = asking(lambda question: state["answer"])
    assert log_in(broker) == BAD_LOGIN
    state["answer"] = ALLOW
    assert log_in(broker) == BAD_LOGIN
    state["answer"] = (503, b"")
    assert log_in(broker, client_id="other") == LATER
    state["answer"] = ALLOW
    assert log_in(broker, client_id="other") == 0


def test_user_topics_and_end_of_an_answer(asking):
    answer = {"result": "allow", "user": "berit", "subs": ["a/%u"], "publ": ["a/#"],
              "expire_at": time.time() + 2.5}
    broker, _ = asking(lambda question: (200, answer))
    client = Client(broker.port, 5, "device", username="anna", password=b"secret")
    broker.wait_for_log(r"client connected client=device user=berit ")
    assert client.try_subscribe("a/berit", "a/anna").reasons == [0, Reason.NOT_AUTHORIZED]
    client.publish("a/berit", "x", qos=1)
    client.receive("a/berit", "x")
    assert client.expect(Disconnect).reason == Reason.NOT_AUTHORIZED
    client.expect_closed()


def test_topics_from_the_second_url(fresh_broker):
    def answer(question):
        if question["path"] == "/auth":
            return ALLOW
        assert "password" not in question and question["action"] == "topics"
        return {"anna": (200, {"subs": ["a/#"]}), "carl": (403, b""),
                "dora": (200, {"result": "ignore"})}.get(question["username"], (500, b""))
    with Service(answer) as service:
        broker = fresh_broker("--auth-http-url", service.url + "/auth", "--auth-http-acl-url",
                              service.url + "/acl", "--login-delay-ms", "0")
        client = Client(broker.port, 5, "device", username="anna", password=b"secret")
        assert client.try_subscribe("a/1", "b").reasons == [0, Reason.NOT_AUTHORIZED]
        client.publish("b", "x", qos=1)
        count = len(service.questions)
        for _ in range(20):
            client.publish("b", "x", qos=1)
        assert len(service.questions) == count   # a message is not asked about
        client.abort()
        assert log_in(broker, username="berit") == LATER
        assert log_in(broker, username="carl") == BAD_LOGIN
        free = Client(broker.port, 5, "free", username="dora", password=b"secret")
        free.subscribe("anything")
        free.abort()


def test_anonymous_clients_are_not_asked_about(asking):
    broker, service = asking(lambda question: DENY, "--allow-anonymous", "true")
    assert log_in(broker, username=None, password=None) == 0
    assert not service.questions


@pytest.mark.parametrize("version", (4, 5))
@pytest.mark.parametrize("username, password", (
    (None, None), ("", None), ("anna", None), ("", b""), ("anna", b""), ("", b"secret"),
    (None, b"secret"), ("anna", b"se\0cret"), ("anna", b"\xff\xfe")), ids=range(9))
def test_only_the_whole_right_thing_comes_in(asking, version, username, password):
    """A service that lets in who brings anna and secret, and a broker that wants a name."""
    if version == 4 and username is None and password is not None:
        pytest.skip("3.1.1 has no password without a name")
    broker, _ = asking(lambda question: ALLOW if (question.get("username"), question.get(
        "password")) == ("anna", "secret") else DENY, "--allow-anonymous", "false")
    refusals = {4, 5} if version == 4 else {BAD_LOGIN, Reason.NOT_AUTHORIZED}
    assert log_in(broker, version, username=username, password=password) in refusals
    assert log_in(broker, version) == 0


@pytest.mark.parametrize("options, words", (
    (("--auth-http-url", "ftp://x/"), "auth_http_url"),
    (("--auth-http-url", "file:///etc/passwd"), "auth_http_url"),
    (("--auth-http-acl-url", "http://x/"), "auth_http_url"),
    (("--auth-http-url", "http://x/", "--auth-http-acl-url", "x"), "auth_http_acl_url")))
def test_wrong_options_are_no_start(bud, tmp_path, options, words):
    result = bud("serve", "-p", "0", "--data", tmp_path / "data", "--user", "root", *options)
    assert result.returncode == 1 and words in result.stderr, result.stderr
