# SPDX-License-Identifier: MIT
"""`bud user add|del|list`: a family's users, in the broker's own file."""
import re
import stat


def test_users_come_and_go(bud, tmp_path):
    data = tmp_path / "new" / "data"
    done = bud("user", "add", "anna", "--data", data, "--password-stdin", stdin="one\n")
    assert (done.returncode, done.stdout) == (0, "anna may come in.\n"), done.stderr
    path = data / "users"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.fullmatch(r"anna:\$argon2id\$[^:]+:SCRAM-SHA-256\$\d+:[^$]+\$[^:]+:[^:]+\n",
                        path.read_text())
    assert bud("user", "add", "Kari Nordmann", "-f", path, "--generate").returncode == 0
    assert bud("user", "list", "--data", data).stdout == "anna\nKari Nordmann\n"
    done = bud("user", "add", "anna", "--password-stdin", "--data", data, stdin="two\n")
    assert done.stdout == "anna has a new password.\n"
    assert bud("user", "del", "anna", "--data", data).stdout == "anna is gone.\n"
    done = bud("user", "del", "anna", "--data", data)
    assert done.returncode == 1 and "no user anna" in done.stderr
    assert bud("user", "list", "-f", path).stdout == "Kari Nordmann\n"
    assert [entry.name for entry in data.iterdir()] == ["users"]


def test_a_made_up_password_is_printed_once(bud, tmp_path):
    words = set()
    for name in ("a", "b"):
        done = bud("user", "add", name, "--data", tmp_path, "--generate")
        words.add(re.search(r"once: ((?:[a-z2-9]{5}-){3}[a-z2-9]{5})$", done.stdout, re.M).group(1))
    assert len(words) == 2
    assert not any(word in (tmp_path / "users").read_text() for word in words)


def test_what_is_wrong_is_said(bud, tmp_path):
    for arguments, status, words in (
            ((), 2, "usage"), (("add",), 2, "who"), (("remove", "x"), 2, "add, del or list"),
            (("add", "x", "y"), 2, "what is y"), (("add", "x", "--colour"), 2, "--colour"),
            (("list", "x"), 2, "what is x"), (("add", "x", "--data"), 2, "missing"),
            (("add", "a:b", "--generate"), 1, "':'"), (("add", "a\nb", "--generate"), 1, "control"),
            (("add", "", "--generate"), 1, "empty"), (("add", "x"), 1, "--password-stdin"),
            (("add", "x", "--password-stdin"), 1, "ended")):
        done = bud("user", *arguments, env={"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)})
        assert done.returncode == status and words in done.stderr.lower(), (arguments, done.stderr)
    done = bud("user", "add", "x", "--data", tmp_path, "--password-stdin", stdin="\n")
    assert done.returncode == 1 and "empty" in done.stderr
    assert not (tmp_path / "users").exists()
    (tmp_path / "users").write_text("anna:swordfish\n")
    done = bud("user", "list", "--data", tmp_path)
    assert done.returncode == 1 and "users:1:" in done.stderr and "swordfish" not in done.stderr
