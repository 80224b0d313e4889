# SPDX-License-Identifier: MIT
"""JSON Web Tokens as passwords: who is let in by one, what it may read and write, and when that
ends. What can be wrong with a token byte by byte is in src/access/jwt_test.c."""
import json
import signal
import time

import pytest

from client import FENCE, Client, durable, eventually
from mqtt import Connack, Disconnect, Reason
from tokens import SECRET, Key, encode

BAD_LOGIN = Reason.BAD_USER_NAME_OR_PASSWORD
QUICK = ("--login-delay-ms", "0")


@pytest.fixture(scope="module")
def keys():
    return {name: Key(name) for name in ("RS256", "ES256", "HS256")}


@pytest.fixture
def taking(fresh_broker, tmp_path):
    """taking(key, *options): a broker that takes tokens of this key."""
    def start(key, *options):
        path = tmp_path / "key"
        path.write_bytes(key.public())
        path.chmod(0o644)
        return fresh_broker("--jwt-key-file", path, "--jwt-algorithms", "RS256,ES256,HS256",
                            *QUICK, *options)
    return start


def log_in(broker, password, version=5, username="anna", client_id="device"):
    """The CONNACK of who brings this."""
    client = Client(broker.port, version, client_id, connect=False)
    client.send_connect(username=username, password=password)
    connack = client.expect(Connack)
    client.abort()
    return connack.reason


@pytest.mark.parametrize("algorithm", ("RS256", "ES256", "HS256"))
@pytest.mark.parametrize("version", (3, 4, 5))
def test_a_good_token_lets_its_user_in(taking, keys, algorithm, version):
    key = keys[algorithm]
    broker = taking(key)
    assert log_in(broker, key.token(), version) == 0
    assert log_in(broker, key.token(), version, username="") == 0
    broker.wait_for_log(r"client connected client=device user=anna .*")


def test_without_a_user_name_it_is_the_tokens(taking, keys):
    broker = taking(keys["ES256"])
    assert log_in(broker, keys["ES256"].token(), username=None) == 0
    broker.wait_for_log(r"client connected client=device user=anna .*")


def test_each_way_to_be_wrong(taking, keys):
    key, now = keys["RS256"], int(time.time())
    broker = taking(key)
    public = key.public().strip()
    confused = Key("HS256")
    confused.key = key.public()
    stripped = Key("HS256")
    stripped.key = public
    unsigned = f"{encode(json.dumps({'alg': 'none'}).encode())}." \
               f"{encode(json.dumps({'sub': 'anna', 'exp': now + 60}).encode())}."
    wrong = {
        "expired": key.token(exp=now - 61), "not yet": key.token(nbf=now + 120),
        "issued tomorrow": key.token(iat=now + 86400), "no exp": key.token(exp=None),
        "no sub": key.token(sub=None), "another user's": key.token(sub="berit"),
        "another key": Key("RS256").token(), "another algorithm": keys["ES256"].token(),
        "the public key as secret": confused.token(), "the same, stripped": stripped.token(),
        "none": unsigned.encode(), "critical": key.token({"crit": ["exp"]}),
        "topics that are none": key.token(publ=["a/#/b"]), "cut": key.token()[:-1],
        "too large": key.token(x="x" * 20000), "no token": b"password", "empty": b"",
    }
    for what, token in wrong.items():
        reason = log_in(broker, token)
        assert reason == BAD_LOGIN, (what, reason)
        assert log_in(broker, token, version=4) == 4, what
    assert log_in(broker, None) in (BAD_LOGIN, Reason.NOT_AUTHORIZED)
    assert log_in(broker, key.token()) == 0


@pytest.mark.parametrize("version", (4, 5))
def test_only_a_token_comes_in(taking, keys, version):
    key = keys["ES256"]
    broker = taking(key, "--allow-anonymous", "false")
    refusals = {4, 5} if version == 4 else {BAD_LOGIN, Reason.NOT_AUTHORIZED}
    for username, password in ((None, None), ("", None), ("anna", None), ("", b""), ("anna", b""),
                               ("anna", b"\0"), ("anna", key.token() + b"\0"),
                               ("anna", b"\0" + key.token()), ("+", key.token())):
        reason = log_in(broker, password, version, username)
        assert reason in refusals, (username, password)
    assert log_in(broker, key.token(), version) == 0


def test_a_token_is_not_logged(taking, keys):
    broker = taking(keys["ES256"])
    token = keys["ES256"].token(sub="berit")
    assert log_in(broker, token) == BAD_LOGIN
    assert token.decode()[:40] not in broker.log()


def test_the_kid_chooses_the_key(fresh_broker, tmp_path):
    one, two = Key("ES256"), Key("RS256")
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [one.jwk("one"), two.jwk("two"), Key("ES256").jwk("3")]}))
    broker = fresh_broker("--jwt-jwks-file", path, *QUICK)
    assert log_in(broker, one.token({"kid": "one"})) == 0
    assert log_in(broker, two.token({"kid": "two"})) == 0
    assert log_in(broker, two.token()) == 0   # the only one of its kind
    assert log_in(broker, one.token()) == BAD_LOGIN
    for kid in ("two", "four", 7, "", "../one"):
        assert log_in(broker, one.token({"kid": kid})) == BAD_LOGIN


@pytest.mark.parametrize("claims", (
    {"publ": ["out/${clientid}/#"], "subs": ["in/+", "out/#", FENCE + "#"]},
    {"acl": {"pub": ["out/%c/#"], "sub": ["in/+", "out/#", FENCE + "#"]}},
    {"acl": [{"permission": "allow", "action": "publish", "topic": "out/%c/#"},
             {"permission": "allow", "action": "subscribe", "topic": "in/+"},
             {"permission": "allow", "action": "subscribe", "topic": FENCE + "#"},
             {"permission": "allow", "action": "subscribe", "topic": "out/#"}]},
), ids=("lists", "object", "rules"))
def test_topics_of_a_token(taking, keys, claims):
    key = keys["ES256"]
    broker = taking(key, "--allow-anonymous", "true")
    bearer = Client(broker.port, 5, "device", username="anna", password=key.token(**claims))
    anybody = Client(broker.port, 5, "anybody")
    assert bearer.try_subscribe("in/+").reasons == [0]
    assert bearer.try_subscribe("elsewhere/#").reasons == [Reason.NOT_AUTHORIZED]
    bearer.subscribe("out/#")
    assert bearer.publish("out/device/1", "x", qos=1).reason in (0, 0x10)
    assert bearer.publish("out/other/1", "x", qos=1).reason == Reason.NOT_AUTHORIZED
    assert bearer.publish("in/a", "x", qos=1).reason == Reason.NOT_AUTHORIZED
    bearer.receive("out/device/1", "x")
    anybody.publish("in/a/b", "no", qos=1)   # matches no subscription
    anybody.publish("in/a", "yes", qos=1)
    bearer.receive("in/a", "yes")
    bearer.expect_nothing(after=anybody)
    for client in (bearer, anybody):
        client.abort()


def test_delivery_follows_the_newer_token(taking, keys):
    """A session that is resumed with a token that allows less gets less."""
    key = keys["ES256"]
    broker = taking(key, "--allow-anonymous", "true")
    first = Client(broker.port, 5, "device", username="anna",
                   password=key.token(subs=["a/#", "b/#"]), **durable(5))
    first.subscribe("a/#", "b/#", qos=1)
    first.abort()
    anybody = Client(broker.port, 5, "anybody")
    for topic in ("a/1", "b/1"):
        anybody.publish(topic, "queued", qos=1)
    second = Client(broker.port, 5, "device", username="anna",
                    password=key.token(subs=["b/#", FENCE + "#"]), **durable(5))
    second.receive("b/1", "queued", qos=1)
    anybody.publish("a/2", "live", qos=1)
    anybody.publish("b/2", "live", qos=1)
    second.receive("b/2", "live", qos=1)
    second.expect_nothing(after=anybody)
    for client in (second, anybody):
        client.abort()


def test_no_claims_no_rules(taking, keys):
    broker = taking(keys["ES256"])
    bearer = Client(broker.port, 5, "device", username="anna", password=keys["ES256"].token())
    bearer.subscribe("anything/#")
    bearer.publish("anything/at/all", "x", qos=1)
    bearer.receive("anything/at/all", "x")
    bearer.abort()


@pytest.mark.parametrize("version", (4, 5))
def test_the_connection_ends_with_the_token(taking, keys, version):
    broker = taking(keys["ES256"], "--jwt-leeway", "0")
    token = keys["ES256"].token(exp=int(time.time()) + 2)
    client = Client(broker.port, version, "device", connect=False)
    client.send_connect(username="anna", password=token)
    assert client.expect(Connack).reason == 0
    if version == 5:
        assert client.expect(Disconnect).reason == Reason.NOT_AUTHORIZED
    client.expect_closed()
    broker.wait_for_log(r"client disconnected client=device .*expired")
    assert log_in(broker, token) == BAD_LOGIN


def test_audience_issuer_and_another_claim(taking, keys):
    key = keys["ES256"]
    broker = taking(key, "--jwt-audience", "home", "--jwt-issuer", "me", "--jwt-user-claim",
                    "name", "--jwt-require-expiry", "false")
    good = {"aud": ["home", "x"], "iss": "me", "name": "anna", "sub": "x", "exp": None}
    assert log_in(broker, key.token(**good)) == 0
    for name, value in (("aud", "hom"), ("aud", None), ("iss", "you"), ("iss", None),
                        ("name", None), ("name", "berit"), ("name", ["anna"])):
        assert log_in(broker, key.token(**good | {name: value})) == BAD_LOGIN, (name, value)


def test_keys_are_read_again_when_the_file_changes(taking, keys, tmp_path):
    broker, newer = taking(keys["ES256"]), Key("ES256")
    assert log_in(broker, newer.token()) == BAD_LOGIN
    replacement = tmp_path / "newer"
    replacement.write_bytes(newer.public())
    replacement.rename(tmp_path / "key")
    eventually(lambda: log_in(broker, newer.token()) == 0, "the newer key")
    assert log_in(broker, keys["ES256"].token()) == BAD_LOGIN
    (tmp_path / "key").write_text("nonsense")
    broker.wait_for_log(r"keys of tokens cannot be read, those of before stay.*32 bytes")
    assert log_in(broker, newer.token()) == 0
    start = broker.log_position()
    broker.signal(signal.SIGHUP)
    broker.wait_for_log(r"not read again", start=start)
    assert log_in(broker, newer.token()) == 0


@pytest.mark.parametrize("contents, words", (
    (b"", "empty"), (SECRET[:31], "32 bytes"), (b"{}", "JSON"),
    (b"-----BEGIN PUBLIC KEY-----\n", "no public key"), (None, "No such file")))
def test_a_bad_key_file_is_no_start(fresh_broker, tmp_path, bud, contents, words):
    path = tmp_path / "key"
    if contents is not None:
        path.write_bytes(contents)
    result = bud("serve", "-p", "0", "--data", tmp_path / "data", "--user", "root",
                 "--jwt-key-file", path)
    assert result.returncode == 1 and words in result.stderr and str(path) in result.stderr


def test_a_session_belongs_to_the_tokens_user(taking, keys):
    key = keys["ES256"]
    broker = taking(key)
    anna = Client(broker.port, 5, "device", username="anna", password=key.token(), **durable(5))
    anna.subscribe("a")
    anna.abort()
    token = key.token(sub="berit")
    assert log_in(broker, token, username="berit") != 0
    again = Client(broker.port, 5, "device", username="anna", password=key.token(), **durable(5))
    assert again.connack.session_present
    again.abort()
