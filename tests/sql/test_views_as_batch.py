"""Each view's query, run once as a batch on plain PostgreSQL, shows what its case file says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from engine import functions
from tests.sql.batch import SOFT_FUNCTIONS, batch_query
from tests.sql.cases import SQL, Case, Row, definition, load_cases, unmatched
from tests.sql.relations import RELATIONS

CASES = list(load_cases())
VIEWS = sorted(set(RELATIONS) - {"devices", "metric_limits", "readings_raw"})
Connection = psycopg.Connection[Row]


@pytest.fixture(scope="module")
def stand_ins(postgres) -> Iterator[Connection]:
    """A connection in whose temporary schema every relation is an empty table of its promised columns."""
    with psycopg.connect(postgres.dsn(), row_factory=dict_row) as connection:
        connection.execute("SET check_function_bodies = off")
        for text in functions.texts():
            connection.execute(text)  # taken back with the rest
        connection.execute("CREATE SCHEMA views_as_batch")
        connection.execute("SET search_path TO views_as_batch")
        connection.execute(SOFT_FUNCTIONS)
        for name, relation in RELATIONS.items():
            columns = ", ".join(f"{column} {kind}" for column, kind in relation.columns.items())
            connection.execute(f"CREATE TABLE {name} ({columns})")
        yield connection
        connection.rollback()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(stand_ins: Connection, case: Case) -> None:
    with stand_ins.transaction(force_rollback=True):
        for rows_of in (case.given, case.then):
            for relation, rows in rows_of.items():
                for row in rows:
                    insert(stand_ins, relation, row)
        shown = stand_ins.execute(batch_query(definition(case.view))).fetchall()
    assert not unmatched(case.expect, shown)


@pytest.mark.parametrize("view", VIEWS)
def test_columns_are_as_promised(stand_ins: Connection, view: str) -> None:
    with stand_ins.transaction(force_rollback=True):
        stand_ins.execute(f"CREATE VIEW it AS {batch_query(definition(view))}")
        rows = stand_ins.execute(
            """SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute
               WHERE attrelid = 'it'::regclass AND attnum > 0 ORDER BY attnum"""
        ).fetchall()
    long_names = {"timestamptz": "timestamp with time zone", "varchar": "text", "int": "integer"}
    got = {row["attname"]: row["type"].replace("character varying", "text") for row in rows}
    assert got == {name: long_names.get(kind, kind) for name, kind in RELATIONS[view].columns.items()}
    assert list(got) == list(RELATIONS[view].columns)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_cases(view: str) -> None:
    assert any(case.view == view for case in CASES)


def test_every_relation_has_a_promise() -> None:
    files = {path.stem for path in SQL.rglob("*.sql")}
    others = {name for name in files if re.search("^CREATE (INDEX|SINK)", definition(name), re.MULTILINE)}
    assert files - others == set(RELATIONS)


def insert(connection: Connection, relation: str, row: Row) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(relation),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    connection.execute(statement, tuple(row.values()))
