"""Case files of SQL unit tests: their form, what rows count as equal, the clock, and what is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tailrace.cases import Case, Outcome, load_cases
from tailrace.cases.clock import at
from tailrace.cases.difference import difference, equal
from tailrace.cases.report import line_of, summary, write_junit
from tailrace.errors import TailraceError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_of_cases(tmp_path: Path) -> None:
    file = written(
        tmp_path / "v.yaml",
        """
- name: first
  given: {t: [{a: 1, ts: now - 20s, data: "b'\\\\x00'"}]}
  expect: [{n: 1}]
- {name: second, view: w, now: '2026-01-01T00:00:00Z', then: {t: [{ts: now - 1h}]}, error: does not exist}
""",
    )
    first, second = load_cases([tmp_path], NOON)
    assert (first.path, first.view, first.now, first.error) == (file, "v", None, None)
    assert first.given["t"] == [{"a": 1, "ts": datetime(2026, 1, 1, 11, 59, 40, tzinfo=UTC), "data": b"\x00"}]
    assert (second.view, second.expect, second.error) == ("w", None, "does not exist")
    assert second.then["t"] == [{"ts": datetime(2025, 12, 31, 23, tzinfo=UTC)}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "expected a list of cases"),
        ("- {name: x}", r"case 1 \(x\): wanted a name, and either expect or error"),
        ("- {name: x, expect: [], error: y}", "either expect or error"),
        ("- {name: x, expects: []}", "no key expects"),
        ("- [", "is no YAML"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TailraceError, match=message) as caught:
        load_cases([written(tmp_path / "v.yaml", text)])
    assert "v.yaml" in caught.value.message


@pytest.mark.parametrize(
    ("wanted", "got", "same"),
    [
        (1, 1.0000000000001, True),
        ("2026-01-01T12:00:00Z", NOON, True),
        ("2026-01-01T13:00:00+01:00", NOON, True),
        ("2026-01-01T12:00:01Z", NOON, False),
        ("a", b"a", True),
        (None, 0, False),
        (True, 1, True),
        (False, None, False),
        ([1, 2], [1.0, 2.0], True),
        ("1.5", 1.5, True),
        ("x", 1, False),
    ],
)
def test_equal(wanted: object, got: object, same: bool) -> None:
    assert equal(wanted, got) is same


def test_rows_are_matched_one_to_one_in_any_order() -> None:
    shown = [{"k": "a", "v": 1}, {"k": "b", "v": 2}]
    assert not difference([{"v": 2}, {"k": "a"}], shown)
    assert difference([{"k": "a"}, {"k": "a"}], shown).missing == ({"k": "a"},)
    assert difference([{"v": 1, "k": "a"}], shown).surplus == ({"k": "b", "v": 2},)


def test_a_difference_is_told_by_columns() -> None:
    found = difference([{"k": "a", "v": 3}, {"k": "c"}], [{"k": "a", "v": 1}, {"k": "b", "v": 2}])
    assert found.lines() == [
        "differs   k='a'",
        "            v: expected 3, got 1",
        "missing   k='c'",
        "surplus   k='b' v=2",
    ]
    assert difference([{"k": "a", "z": 1}], [{"k": "a"}]).lines()[1].strip() == "z: there is no such column"


def test_the_clock_stands_where_the_case_says() -> None:
    text = "CREATE MATERIALIZED VIEW v AS SELECT 'now()' AS n FROM t -- now()\nWHERE ts < NOW ( ) OR u < CURRENT_TIMESTAMP"
    literal = "'2026-01-01T12:00:00+00:00'::timestamptz"
    assert at(text, NOON).endswith(f"'now()' AS n FROM t -- now()\nWHERE ts < {literal} OR u < {literal}")


def test_what_is_told(tmp_path: Path) -> None:
    case = Case(Path("tests/sql/v.yaml"), "v", "one", {}, {}, [])
    outcomes = [Outcome(case, 0.5, ()), Outcome(case, 0.25, ("missing   a=1",))]
    assert "ok" in line_of(outcomes[0]).plain
    assert "missing   a=1" in line_of(outcomes[1]).plain
    assert summary(outcomes).plain == "1 passed, 1 failed; 1 views, 0.8 s"
    write_junit(outcomes, tmp_path / "report.xml")
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [failure.get("message") for failure in suite.iter("failure")] == ["missing   a=1"]
