# SPDX-License-Identifier: MIT
"""A session belongs to the user who made it: another user with the same client id gets nothing of
it, and takes nothing from it."""
import pytest

from client import durable

REFUSED = {3: 2, 4: 2, 5: 0x85}
WHY = "belongs to another user"


@pytest.fixture(scope="module")
def password_file(bud, tmp_path_factory):
    path = tmp_path_factory.mktemp("users") / "passwd"
    for user in ("kari", "ola"):
        create = ["-c"] if not path.exists() else []
        done = bud("passwd", *create, "-b", "-H", "sha512", path, user, f"of {user}")
        assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def house(fresh_broker, password_file, connect):
    """house(user, version, client_id, **fields): a client of that user, None for no user."""
    broker = fresh_broker("--password-file", password_file, "--allow-anonymous", "true",
                          "--login-delay-ms", "0")

    def make(user, version=5, client_id="tv", **fields):
        password = None if user is None else f"of {user}".encode()
        return connect(version, client_id, port=broker.port, connect=False), dict(
            username=user, password=password, **fields)
    make.broker = broker
    return make


def come(house, *arguments, **fields):
    client, connect = house(*arguments, **fields)
    client.connack = client.connect(**connect)
    return client


def refused(house, *arguments, **fields):
    position = house.broker.log_position()
    client, connect = house(*arguments, **fields)
    client.send_connect(**connect)
    client.expect_refused(REFUSED[client.version])
    house.broker.wait_for_log(f"refused.*{WHY}", start=position)


@pytest.mark.parametrize("clean", (True, False), ids=("clean", "resuming"))
@pytest.mark.parametrize("stranger", ("ola", None), ids=("another user", "anonymous"))
def test_while_it_is_away(house, version, stranger, clean):
    kari = come(house, "kari", version, **durable(version))
    kari.subscribe("home/#", qos=1)
    kari.disconnect()
    helper = come(house, "ola", 5, "helper")
    helper.publish("home/x", "for kari", qos=1)
    fields = durable(version) | {"clean": clean}
    refused(house, stranger, version, **fields)
    kari = come(house, "kari", version, **durable(version))
    assert version == 3 or kari.connack.session_present
    kari.receive("home/x", "for kari")
    helper.publish("home/x", "again", qos=1)
    kari.receive("home/x", "again")


@pytest.mark.parametrize("stranger", ("ola", None), ids=("another user", "anonymous"))
def test_while_it_is_connected(house, version, stranger):
    kari = come(house, "kari", version)
    kari.subscribe("home/#")
    refused(house, stranger, version)
    kari.publish("home/x", "still here")
    kari.receive("home/x", "still here")


def test_the_same_user_takes_it_over(house, version):
    first = come(house, "kari", version, **durable(version))
    second = come(house, "kari", version, **durable(version))
    first.expect_closed(reason=0x8E)
    assert version == 3 or second.connack.session_present


@pytest.mark.parametrize("is_away", (True, False), ids=("away", "connected"))
def test_an_anonymous_one_gives_way_to_a_user(house, version, is_away):
    """A house that adds passwords: the device goes on, with a session that begins anew."""
    before = come(house, None, version, **durable(version))
    before.subscribe("home/#", qos=1)
    helper = come(house, "ola", 5, "helper")
    if is_away:
        before.disconnect()
        helper.publish("home/x", "for nobody now", qos=1)
    after = come(house, "kari", version, **durable(version))
    assert not after.connack.session_present
    if not is_away:
        before.expect_closed(reason=0x8E)
    after.expect_nothing(after=helper)
    refused(house, None, version)


def test_where_nobody_knows_users_a_name_is_a_word(fresh_broker, connect, version):
    port = fresh_broker().port
    first = connect(version, "tv", port=port, username="kari", **durable(version))
    first.subscribe("home/#", qos=1)
    first.disconnect()
    second = connect(version, "tv", port=port, username="ola", **durable(version))
    assert version == 3 or second.connack.session_present
