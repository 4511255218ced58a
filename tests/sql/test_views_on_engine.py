"""Each view as a materialized view on an engine of its own: what is there before it and what comes after both count.

What a view reads is stood in for by tables. With TAILRACE_TEST_SQL_URL the same cases run on the engine given there, which
must hold nothing of the pipeline.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from sqlglot import exp

from tailrace.sql import parse_statement
from tests.sql.cases import Case, Row, definition, load_cases, unmatched
from tests.sql.relations import RELATIONS
from tests.support.engine import running_engine

CASES = list(load_cases())
Connection = psycopg.Connection[Row]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    given = os.environ.get("TAILRACE_TEST_SQL_URL")
    if given:
        yield from _session(given)
        return
    with running_engine(tmp_path_factory.mktemp("views") / "state") as server:
        yield from _session(server.url)


@pytest.mark.parametrize("case", [case for case in CASES if case.view != "messages"], ids=str)
def test_case(connection: Connection, case: Case) -> None:
    check(connection, case)


def test_messages_of_all_cases_at_once(connection: Connection) -> None:
    """One offset a case: a bad message does not hurt those beside it."""
    cases = [case for case in CASES if case.view == "messages"]
    rows, expect = [], []
    for offset, case in enumerate(cases):
        ((row,),) = case.given.values()
        rows.append({**row, "kafka_offset": str(offset)})
        expect.append({**case.expect[0], "kafka_offset": offset})
    half = len(rows) // 2
    whole = replace(
        cases[0], given={"readings_raw": rows[:half]}, then={"readings_raw": rows[half:]}, expect=expect
    )
    check(connection, whole)


def check(connection: Connection, case: Case) -> None:
    text = definition(case.view)
    stand_ins = sorted(
        {t.name for t in parse_statement(text).find_all(exp.Table)} & RELATIONS.keys() - {case.view}
    )
    stand_ins += [name for name in _tumbled(text) if name not in stand_ins]
    made: list[tuple[str, str]] = []
    try:
        for name in stand_ins:
            connection.execute(table(name))
            made.append(("TABLE", name))
        insert(connection, case.given)
        connection.execute(text)
        made.append(("MATERIALIZED VIEW", case.view))
        insert(connection, case.then)
        shown = connection.execute(f"SELECT * FROM {case.view}").fetchall()
    finally:
        for kind, name in reversed(made):
            connection.execute(f"DROP {kind} {name}")
    assert not unmatched(case.expect, shown)
    if shown:
        assert list(shown[0]) == list(RELATIONS[case.view].columns)


def table(name: str) -> str:
    """The stand-in for a relation: append-only where that is what it promises."""
    relation = RELATIONS[name]
    columns = [f"{column} {kind}" for column, kind in relation.columns.items()]
    if relation.key:
        return f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(relation.key)}))"
    return f"CREATE TABLE {name} ({', '.join(columns)}) APPEND ONLY"


def insert(connection: Connection, rows_of: dict[str, list[Row]]) -> None:
    for relation, rows in rows_of.items():
        for row in rows:
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(relation),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            )
            connection.execute(statement, tuple(row.values()))


def _tumbled(text: str) -> list[str]:
    functions = (t.this for t in parse_statement(text).find_all(exp.Table) if isinstance(t.this, exp.Func))
    return [function.expressions[0].name for function in functions]


def _session(url: str) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET RW_IMPLICIT_FLUSH TO true")
        yield connection
