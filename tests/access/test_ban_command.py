# SPDX-License-Identifier: MIT
"""`bud ban` and the routes behind it: who may use them, and every way to get them wrong."""
import pytest

from owner import ask


def test_nobody_is_banned_at_first(fresh_broker, bud):
    broker = fresh_broker()
    data = broker.directory / "data"
    result = bud("ban", "list", "--data", data)
    assert (result.returncode, result.stdout) == (0, "Nobody is banned.\n")
    result = bud("ban", "lift", "all", f"--data={data}")
    assert (result.returncode, result.stdout) == (0, "0 bans lifted.\n")


@pytest.mark.parametrize("arguments, status, words", (
    ((), 2, "list or lift"),
    (("show",), 2, "list or lift, not show"),
    (("lift",), 2, "which address"),
    (("list", "all"), 2, "what is all"),
    (("lift", "all", "more"), 2, "what is more"),
    (("list", "--date", "x"), 2, "no option --date"),
    (("list", "--data"), 2, "a directory is missing"),
    (("lift", "192.0.2.1"), 1, "not banned"),
    (("lift", "2001:db8::/64"), 1, "not banned"),
    (("lift", "192.0.2.1/64"), 1, "no address"),
    (("lift", "anna"), 1, "no address"),
    (("lift", "../../etc"), 1, "no address"),
    (("lift", "%00\n"), 1, "no address"),
    (("lift", "x" * 200), 1, "no address"),
))
def test_mistakes_are_explained(module_broker_once, bud, arguments, status, words):
    data = module_broker_once.directory / "data"
    options = () if "--data" in arguments else ("--data", data)
    result = bud("ban", *arguments, *options)
    assert (result.returncode, result.stdout) == (status, "")
    assert words in result.stderr and result.stderr.count("\n") == 1, result.stderr


@pytest.fixture(scope="module")
def module_broker_once(tmp_path_factory):
    from server import Broker
    with Broker(tmp_path_factory.mktemp("ban")) as own:
        yield own


def test_without_a_broker_it_says_so(bud, tmp_path):
    result = bud("ban", "list", "--data", tmp_path)
    assert result.returncode == 1 and "no broker runs" in result.stderr


def test_help(bud):
    result = bud("ban", "--help")
    assert result.returncode == 0 and result.stdout.startswith("usage: bud ban list")


def test_over_the_network_the_key_is_needed(module_broker_once):
    for key in (None, "", "wrong", "x" * 5000):
        status, answer = ask(module_broker_once, "GET", "/api/v1/bans", key, by_network=True)
        assert status == 401 and "admin key" in answer["error"]


def test_with_the_key_it_is_let_through(fresh_broker, tmp_path):
    key, data = "k" * 43, tmp_path / "own" / "data"
    data.mkdir(parents=True)
    (data / "admin.key").write_text(key + "\n")
    (data / "admin.key").chmod(0o600)
    broker = fresh_broker(directory=tmp_path / "own")
    assert ask(broker, "GET", "/api/v1/bans", key, by_network=True) == (200, {"bans": []})
    for wrong in (key[:-1], key + "k", key.upper(), "k"):
        assert ask(broker, "GET", "/api/v1/bans", wrong, by_network=True)[0] == 401


@pytest.mark.parametrize("method, path, status", (
    ("GET", "/api/v1/bans", 200),
    ("GET", "/api/v1/bans?x=1", 200),
    ("GET", "/api/v1/bans/", 404),
    ("GET", "/api/v1/bans/192.0.2.1", 405),
    ("POST", "/api/v1/bans", 405),
    ("DELETE", "/api/v1/bans/a/b", 404),
    ("DELETE", "/api/v1/bans/192.0.2.1", 404),
    ("DELETE", "/api/v1/bans/2001%3Adb8%3A%3A%2F64", 404),
    ("DELETE", "/api/v1/bans/%zz", 405),
    ("DELETE", "/api/v1/bans/%00", 405),
    ("DELETE", "/api/v1/bans/%", 405),
    ("DELETE", "/api/v1/bans/anna", 400),
    ("GET", "/api/v1", 404),
    ("GET", "/api/v2/bans", 404),
    ("GET", "/", 404),
))
def test_routes(module_broker_once, method, path, status):
    assert ask(module_broker_once, method, path)[0] == status


def test_the_socket_is_for_its_owner_alone(module_broker_once):
    socket = module_broker_once.directory / "data" / "bud.sock"
    assert socket.stat().st_mode & 0o777 == 0o600
