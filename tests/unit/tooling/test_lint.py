"""Each rule against its fixture: every statement under `-- bad` is found, none under `-- good`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tailrace.catalogue import Catalogue, load, read_statements
from tailrace.lint import RULES, Finding, Severity, lint
from tailrace.lint.report import as_github, as_json, as_text, fails
from tailrace.sql.names import ObjectName

HERE = Path(__file__).parent / "lint"
SQL = Path(__file__).parents[3] / "sql"

BASE = """
CREATE TABLE t (a int PRIMARY KEY, b int, f double precision, ts timestamptz);
CREATE SOURCE s (k varchar, f double precision, ts timestamptz, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
INCLUDE partition AS p WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON;
-- Read by tests.
CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;
"""


def findings(text: str) -> tuple[Finding, ...]:
    catalogue = Catalogue(*read_statements(BASE + text, "f.sql"))
    assert catalogue.problems == ()
    return lint(catalogue)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rule(rule) -> None:
    _, bad, good = (HERE / f"{rule.code}.sql").read_text().replace("-- good\n", "-- bad\n").split("-- bad\n")
    wanted = {str(o.name) for o in read_statements(bad, "")[0]}
    assert {f.relation for f in findings(bad) if f.code == rule.code} == wanted
    assert [f for f in findings(good) if f.code == rule.code] == []


def test_every_fixture_has_a_rule() -> None:
    assert {path.stem for path in HERE.glob("*.sql")} == {rule.code for rule in RULES}


def test_the_products_files_are_clean() -> None:
    assert lint(load([SQL])) == ()


@pytest.mark.parametrize(
    ("excuse", "expected"),
    [
        ("-- lint: ignore order_without_limit kept as its author wrote it", []),
        ("-- lint: ignore order_without_limit", ["excuse", "order_without_limit"]),
        ("-- lint: ignore snake_case the name is given", ["excuse", "order_without_limit"]),
        ("-- lint: ignore no_such_rule really", ["excuse", "order_without_limit"]),
        ("-- lint: ignore costly asked of an engine only", ["order_without_limit"]),
    ],
)
def test_excuses(excuse: str, expected: list[str]) -> None:
    found = findings(
        f"-- Read by nobody: used by tests.\n{excuse}\nCREATE MATERIALIZED VIEW w AS SELECT a FROM t ORDER BY a;"
    )
    assert [f.code for f in found if f.relation == "w"] == expected


def test_costs_of_an_engine_are_findings() -> None:
    catalogue = Catalogue(*read_statements(BASE, "f.sql"))
    found = lint(catalogue, {ObjectName("v"): ("Aggregate [a] is O(group)",)})
    assert [(f.code, f.line) for f in found if f.code == "costly"] == [("costly", 6)]


def test_what_does_not_hold_is_an_error() -> None:
    found = lint(Catalogue(*read_statements("CREATE VIEW v AS SELECT a FROM nowhere;", "f.sql")))
    assert (found[0].code, found[0].severity) == ("unknown_relation", Severity.ERROR)
    assert fails(found)


def test_forms() -> None:
    found = findings("CREATE MATERIALIZED VIEW w AS SELECT a FROM t ORDER BY a;")
    note = next(f for f in found if f.code == "order_without_limit")
    assert not fails([note])
    assert as_github([note]).startswith(
        "::notice file=f.sql,line=7,title=order_without_limit::ORDER BY without LIMIT. Order"
    )
    assert json.loads(json.dumps(as_json([note])))[0]["severity"] == "note"
    assert as_text((note,), 4) is not None
