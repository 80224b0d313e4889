# SPDX-License-Identifier: MIT
"""The ledger must not say that something is proven that is not. Each test seeds one untruth."""
import importlib.machinery
import importlib.util
import os

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
STATEMENTS = """\
version,id,role,requirement,observable
5.0,MQTT-1.1.1-1,server,"Seen, at the broker.",yes
5.0,MQTT-1.1.1-2,client,Nobody sees it.,no
5.0,MQTT-1.1.1-3,both,A broker's matter that nobody sees.,no
3.1.1,MQTT-1.1.1-1,client,The broker refuses a client that breaks it.,yes
"""
NOTES = "version,id,kind,why,where\n5.0,MQTT-1.1.1-3,unobservable,Because.,src/x.c:do_it\n"
TESTS = """\
import pytest
proves = pytest.mark.proves
TABLE = [pytest.param(1, marks=proves("3.1.1", "MQTT-1.1.1-1"))]
known = pytest.mark.xfail(strict=True, reason="not yet")

@pytest.mark.proves("5.0", "MQTT-1.1.1-1")
def test_one():
    pass

@pytest.mark.parametrize("case", TABLE)
def test_table(case):
    pass
"""


@pytest.fixture(name="ledger")
def fixture_ledger():
    loader = importlib.machinery.SourceFileLoader("ledger", os.path.join(HERE, "ledger"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("ledger", loader))
    loader.exec_module(module)
    return module


@pytest.fixture(name="judge")
def fixture_judge(ledger, tmp_path):
    """judge(statements=, notes=, tests=, client=) -> (the ledger of such a project, complaints)."""
    def judge(statements=STATEMENTS, notes=NOTES, tests=TESTS, client=""):
        files = {"docs/normative.csv": statements, "docs/conformance_notes.csv": notes,
                 "tests/kind/test_it.py": tests, "src/x.c": "int do_it(void)\n",
                 "src/client/it_test.c": client}
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        found = ledger.Ledger(str(tmp_path))
        return found, "\n".join(found.complaints)
    return judge


def states(found):
    return {" ".join(key): found.state(one) for key, one in found.statements.items()}


def test_what_is_in_order(judge):
    found, complaints = judge()
    assert not complaints
    assert states(found) == {
        "5.0 MQTT-1.1.1-1": "proven", "5.0 MQTT-1.1.1-2": "client library",
        "5.0 MQTT-1.1.1-3": "no outsider can see it",
        "3.1.1 MQTT-1.1.1-1": "broker's half proven"}


def test_a_statement_without_a_test(judge):
    found, complaints = judge(tests="")
    assert "5.0 MQTT-1.1.1-1 has no test" in complaints
    assert "3.1.1 MQTT-1.1.1-1 has no test" in complaints
    assert states(found)["5.0 MQTT-1.1.1-1"] == "open"
    assert "5.0 MQTT-1.1.1-3 has no note" in judge(notes=NOTES.split("\n")[0])[1]


@pytest.mark.parametrize("mark", ("skip", 'skip(reason="x")', "slow", 'skipif(True, reason="x")'))
def test_a_test_that_is_not_run_proves_nothing(judge, mark):
    tests = TESTS.replace("def test_one", f"@pytest.mark.{mark}\ndef test_one")
    assert "5.0 MQTT-1.1.1-1 has no test" in judge(tests=tests)[1]


def test_a_test_that_is_expected_to_fail_proves_nothing(judge):
    found, complaints = judge(tests=TESTS.replace("def test_one", "@known\ndef test_one"))
    assert not complaints and states(found)["5.0 MQTT-1.1.1-1"] == "known to fail"
    assert "not yet" in found.page()


@pytest.mark.parametrize("tag, complaint", (
    ('"5.0", "MQTT-9.9.9-9"', "no statement 5.0 MQTT-9.9.9-9"),
    ('"3.1", "MQTT-1.1.1-1"', "no statement 3.1 MQTT-1.1.1-1"),
    ('"5.0"', "in literals"), ('"5.0", NUMBER', "in literals"), ('', "in literals"),
))
def test_a_tag_that_names_nothing(judge, tag, complaint):
    tests = TESTS + f"\n@proves({tag})\ndef test_two():\n    pass\n"
    assert complaint in judge(tests=tests)[1]


@pytest.mark.parametrize("row, complaint", (
    ("5.0,MQTT-9.9.9-9,later,Because.,", "no such statement"),
    ("5.0,MQTT-1.1.1-2,unobservable,,", "says why"),
    ("5.0,MQTT-1.1.1-2,because,Because.,", "a note is one of"),
    ("5.0,MQTT-1.1.1-1,unobservable,Because.,", "observable in"),
    ("5.0,MQTT-1.1.1-2,later,Because.,src/none.c:do_it", "no file src/none.c"),
    ("5.0,MQTT-1.1.1-2,later,Because.,src/x.c:do_that", "no function do_that"),
    ("5.0,MQTT-1.1.1-3,later,Because.,", "a second note"),
))
def test_a_note_that_is_not_true(judge, row, complaint):
    assert complaint in judge(notes=NOTES + row + "\n")[1]


@pytest.mark.parametrize("row", (
    "5.0,MQTT-1.1.1-1,server,Again.,no", "3.1,MQTT-1.1.1-7,server,x,no", "5.0,MQTT-1.1.1-7,x,x,no",
    "5.0,MQTT-1.1.1-7,client,x,maybe"))
def test_a_statement_that_is_not_of_the_form(judge, row):
    assert judge(statements=STATEMENTS + row + "\n")[1]


def test_what_the_client_library_proves(judge):
    client = ("// proves 5.0 MQTT-1.1.1-2\n// proves 5.0 MQTT-1.1.1-3\n"
              "static void test_that(void **state)\n{\n}\n\nstatic void test_other(void **state)\n")
    found, complaints = judge(client=client)
    assert not complaints
    assert [test.name for test in found.client_tests["5.0", "MQTT-1.1.1-2"]] == ["test_that"]
    assert [test.name for test in found.client_tests["5.0", "MQTT-1.1.1-3"]] == ["test_that"]
    for wrong in ("5.0 MQTT-1.1.1-1", "5.0 MQTT-9.9.9-9"):
        assert "binds no client" in judge(client=f"// proves {wrong}\nstatic void test_x(void)")[1]


def test_a_page_that_is_out_of_date(ledger, judge, tmp_path):
    found, _ = judge()
    page = tmp_path / "page.md"
    assert "missing" in "\n".join(ledger.check(found, page))
    page.write_text(found.page())
    assert not ledger.check(found, page)
    page.write_text(found.page() + "\n")
    assert "out of date" in "\n".join(ledger.check(found, page))
