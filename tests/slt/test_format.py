"""The runner's own parts: the format, comparison, errors, substitution, causes and counts. No server needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slt.compare import same_error, same_rows, shown
from tests.slt.demos import statements
from tests.slt.outcome import Missing, Outcome, Status, normalised
from tests.slt.parser import ParseError, load, parse
from tests.slt.records import (
    Condition,
    ExpectedError,
    ExpectedRows,
    Include,
    Let,
    Place,
    Query,
    Retry,
    SortMode,
    Statement,
    System,
)
from tests.slt.report import Report
from tests.slt.substitution import Variables

FILE = Path("/suite/streaming/a.slt")


def one(text: str) -> object:
    (item,) = parse(text, FILE)
    return item


def test_a_statement_and_what_stands_before_it() -> None:
    record = one(
        "# a remark\nskipif madsim\nconnection other\nstatement count 2\ninsert into t\nvalues (1), (2);\n"
    )
    assert record == Statement(
        Place(FILE, 4), (Condition("madsim", False),), "insert into t\nvalues (1), (2);", "other", 2
    )


def test_errors_by_pattern_by_text_and_by_state() -> None:
    assert one("statement error not  found\nselect 1") == Statement(
        Place(FILE, 1), (), "select 1", "default", error=ExpectedError("not found")
    )
    text = "query error\nselect 1\n----\ndb error: ERROR: no\n\nCaused by:\n  x\n\n\nstatement ok\nselect 2\n"
    first, second = parse(text, FILE)
    assert isinstance(first, Query)
    assert first.expected == ExpectedError(text="db error: ERROR: no\n\nCaused by:\n  x")
    assert isinstance(second, Statement)
    assert second.place.line == 10
    third = one("statement error (22012)\nselect 1/0")
    assert isinstance(third, Statement)
    assert third.error == ExpectedError(sqlstate="22012")


def test_a_query_with_sort_and_retry_ends_at_the_empty_line() -> None:
    record = one("query IT rowsort retry 3 backoff 500ms\nselect 1\n----\n1 a\n2 (empty)\n\n\n")
    assert record == Query(
        Place(FILE, 1),
        (),
        "select 1",
        "default",
        ExpectedRows(("1 a", "2 (empty)"), SortMode.ROWSORT),
        Retry(3, 0.5),
    )


def test_commands_variables_and_includes() -> None:
    assert one("system ok retry 2 backoff 1s\necho a\n----\na\n") == System(
        Place(FILE, 1), (), "echo a", "a", Retry(2, 1)
    )
    assert one("let a, b\nselect 1, 2") == Let(Place(FILE, 1), (), "select 1, 2", "default", ("a", "b"))
    assert one("include ../x/*.slt.part") == Include(Place(FILE, 1), "../x/*.slt.part")


@pytest.mark.parametrize("text", ["nonsense\n", "statement fine\nselect 1", "statement ok", "sleep long"])
def test_what_is_not_the_format_is_told_with_its_line(text: str) -> None:
    with pytest.raises(ParseError, match=r"a\.slt:1: "):
        parse(text, FILE)


def test_included_records_keep_their_own_places(tmp_path: Path) -> None:
    (tmp_path / "b.slt.part").write_text("\nstatement ok\nselect 'b'\n")
    (tmp_path / "a.slt").write_text("include ./*.slt.part\nstatement ok\nselect 'a'\n")
    assert [
        (r.place.file.name, r.place.line) for r in load(tmp_path / "a.slt") if isinstance(r, Statement)
    ] == [
        ("b.slt.part", 2),
        ("a.slt", 2),
    ]
    (tmp_path / "a.slt").write_text("include ./none\n")
    with pytest.raises(ParseError, match="no such file"):
        load(tmp_path / "a.slt")


def test_rows_are_compared_with_blanks_normalised_and_sorted_as_texts() -> None:
    rows = [["10", "a  b"], ["9", "(empty)"]]
    assert same_rows(shown(rows, None, 0, False), ["10 a b", "9   (empty)"])
    assert shown(rows[::-1], SortMode.ROWSORT, 0, False) == rows
    assert shown([["2", "1"]], SortMode.VALUESORT, 0, False) == [["1"], ["2"]]
    assert shown(rows, None, 0, True) == [["10"], ["a  b"], ["9"], ["(empty)"]]
    assert shown(rows, None, 3, False)[0][0].startswith("4 values hashing to ")
    assert not same_rows(rows, ["10 a b"])
    assert same_rows([["cost=1 rows=2"]], ["cost=<slt:ignore> rows=2"])
    assert not same_rows([["cost=1 rows=2"]], ["cost=<slt:ignore> rows=3"])


def test_errors_match_by_pattern_whole_text_or_state() -> None:
    message = "db error: ERROR: Failed to run\n\nCaused by:\n  division by zero"
    assert same_error(message, "22012", ExpectedError())
    assert same_error(message, "22012", ExpectedError("division"))
    assert not same_error(message, "22012", ExpectedError("^division"))
    assert same_error(message, "22012", ExpectedError(sqlstate="22012"))
    assert same_error(message, "22012", ExpectedError(text=message))
    assert not same_error(message, "22012", ExpectedError(text="division by zero"))
    assert same_error("v(1", "42601", ExpectedError("v(1"))


def test_substitution_knows_bound_special_and_environment_variables() -> None:
    variables = Variables({"HOME": "/h"}, {"id": "42"})
    assert variables.in_sql(r"$id ${id} ${none:$id} $HOME \$id \\") == r"42 42 42 /h $id \ ".strip()
    assert variables.in_sql("$__NOW__").isdecimal()
    with pytest.raises(KeyError, match="none"):
        variables.in_sql("$none")
    assert variables.in_command("$id $HOME") == "42 $HOME"


def test_a_failure_for_want_of_what_failed_before_has_its_cause() -> None:
    assert normalised('relation "t 3" has 17 columns') == 'relation "…" has N columns'
    assert normalised("CREATE TABLE T3 is not supported") == "CREATE TABLE … is not supported"
    missing = Missing()
    missing.note('create materialized view if not exists "mv1" as select 1', "no percentile")
    assert missing.cause_of('relation "mv1" does not exist') == "no percentile"
    assert missing.cause_of('relation "mv2" does not exist') is None
    assert missing.cause_of("mv1 is full") is None


def test_records_count_once_and_where_their_file_lies() -> None:
    def outcome(file: str, line: int, status: Status, kind: str = "query") -> Outcome:
        return Outcome(
            Place(Path(file), line), kind, status, "a cause" if status is not Status.PASSED else ""
        )

    report = Report.of(
        Path("/e2e"),
        [
            outcome("/e2e/streaming/a.slt", 1, Status.PASSED),
            outcome("/e2e/tpch/q1.slt.part", 1, Status.PASSED),
            outcome("/e2e/tpch/q1.slt.part", 1, Status.FAILED),
            outcome("/e2e/tpch/q1.slt.part", 5, Status.PASSED, "statement"),
            outcome("/e2e/tpch/q1.slt.part", 9, Status.SKIPPED),
            outcome("/e2e/batch/x/b.slt", 1, Status.NOT_RUN),
        ],
    )
    counts = {
        name: (d.records.passed, d.records.total, d.queries.total, d.files.passed)
        for name, d in report.directories().items()
    }
    assert counts == {"batch": (0, 1, 1, 0), "streaming": (1, 1, 1, 1), "tpch": (1, 2, 1, 0)}
    assert report.causes().startswith("    2  a cause   (2 directly, 2 queries, 2 files)")
    assert report.directory(Path("/other/c.slt")) == "../other"


def test_statements_of_a_script_end_at_semicolons_outside_of_texts() -> None:
    text = "select 'a;b'; -- c;\nselect \"d;\";\n/* ; */ ;create function f as $$ select 1; $$;\n\n"
    assert list(statements(text)) == [
        "select 'a;b'",
        '-- c;\nselect "d;"',
        "create function f as $$ select 1; $$",
    ]
