"""Every kind of statement finds its way, and what must not pass does not."""

from __future__ import annotations

import pytest

from engine.wire import plans
from engine.wire.catalog_rewrite import rewrite_catalog
from engine.wire.classify import classify
from engine.wire.plans import (
    Begin,
    CopyIn,
    End,
    FlowCommand,
    Flush,
    Forward,
    Lookup,
    NoOperation,
    Set,
    ShowVariable,
)
from tailrace.errors import TailraceError


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing",
        "select 1",
        "(select 1) union (select 2)",
        "/* a */ -- b\n SELECT 1",
        "with x as (select 1) select * from x",
        "VALUES (1)",
        "TABLE t",
        "insert into t values (1)",
        "UPDATE t SET a = 1",
        "delete from t",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "EXPLAIN SELECT 1",
        "EXPLAIN (ANALYZE, COSTS off) SELECT 1",
        "explain analyze insert into t values (1)",
    ],
)
def test_goes_to_postgresql_as_written(sql: str) -> None:
    assert classify(sql) == Forward(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE MATERIALIZED VIEW a AS SELECT 1",
        "drop table a",
        "ALTER TABLE a ADD COLUMN b int",
        "COMMENT ON TABLE a IS 'x'",
        "GRANT SELECT ON a TO b",
        "WAIT",
        "EXPLAIN CREATE MATERIALIZED VIEW a AS SELECT 1",
        "explain (verbose) create materialized view a as select 1",
    ],
)
def test_goes_to_the_flow(sql: str) -> None:
    plan = classify(sql)
    assert isinstance(plan, FlowCommand)
    assert plan.sql == sql


@pytest.mark.parametrize(
    ("sql", "sqlstate", "words"),
    [
        ("TRUNCATE t", "0A000", "TRUNCATE"),
        ("LISTEN a", "0A000", "LISTEN"),
        ("DO $$ begin end $$", "0A000", "DO"),
        ("SAVEPOINT a", "0A000", "SAVEPOINT"),
        ("PREPARE a AS SELECT 1", "0A000", "PREPARE"),
        ("ROLLBACK TO a", "0A000", "SAVEPOINT"),
        ("COMMIT AND CHAIN", "0A000", "CHAIN"),
        ("COPY t FROM '/etc/x'", "0A000", "COPY FROM a file"),
        ("COPY t FROM STDOUT", "42601", "STDOUT"),
        ("COPY t TO STDIN", "42601", "STDIN"),
        ("COPY (SELECT 1) FROM STDIN", "42601", "FROM"),
        ("COPY t FROM STDIN (FORMAT csv) WHERE a > 1", "0A000", "COPY FROM with WHERE"),
        ("COPY t (a, ) FROM STDIN", "42601", "end of input"),
        ("COPY t INTO STDIN", "42601", "INTO"),
        ("COPY t TO '/etc/x'", "0A000", "COPY TO a file"),
        ("COPY t FROM PROGRAM 'rm'", "0A000", "COPY FROM"),
        ("SHOW TABLES WHERE a = 1", "0A000", "WHERE"),
        ("SET ROLE x", "0A000", "SET ROLE"),
        ("SET nonsense = 1", "42704", "nonsense"),
        ("SHOW nonsense", "42704", "nonsense"),
        ("SET transaction_timeout = 0", "42704", "transaction_timeout"),
        ("SET query_mode", "42601", "end of input"),
        ("SET query_mode = 1, 2", "22023", "one argument"),
        ("frobnicate", "42601", "frobnicate"),
        ("123", "42601", "123"),
        ("SHOW TABLES garbage", "42601", "garbage"),
        ("FLUSH it", "42601", "it"),
    ],
)
def test_refused_with_a_reason(sql: str, sqlstate: str, words: str) -> None:
    with pytest.raises(TailraceError) as caught:
        classify(sql)
    assert caught.value.sqlstate == sqlstate
    assert words in caught.value.message


def test_transactions() -> None:
    assert classify("begin") == Begin("begin", "BEGIN", read_only=False)
    assert classify("START TRANSACTION READ WRITE") == Begin(
        "START TRANSACTION READ WRITE", "START_TRANSACTION", read_only=False
    )
    read_only = "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY"
    assert classify(read_only) == Begin(read_only, "BEGIN", read_only=True)
    assert [classify(sql) for sql in ("END", "commit work", "ABORT", "rollback and no chain")] == [
        End("COMMIT"),
        End("COMMIT"),
        End("ROLLBACK"),
        End("ROLLBACK"),
    ]


@pytest.mark.parametrize(
    ("sql", "name", "values"),
    [
        ("SET rw_implicit_flush TO true", "rw_implicit_flush", ("true",)),
        ("SET RW_IMPLICIT_FLUSH = on", "rw_implicit_flush", ("on",)),
        ("set session source_rate_limit = -1", "source_rate_limit", ("-1",)),
        ("SET TIME ZONE 'Europe/Paris'", "timezone", ("Europe/Paris",)),
        ("SET TIME ZONE LOCAL", "timezone", None),
        ("SET NAMES 'UTF8'", "client_encoding", ("UTF8",)),
        ('SET search_path TO "My Schema", public', "search_path", ("My Schema", "public")),
        ("SET query_mode TO DEFAULT", "query_mode", None),
        ("RESET query_mode", "query_mode", None),
        ("set rw_enable_share_plan = false", "enable_share_plan", ("false",)),
    ],
)
def test_set(sql: str, name: str, values: tuple[str, ...] | None) -> None:
    plan = classify(sql)
    assert isinstance(plan, Set)
    assert (plan.name, plan.values) == (name, values)


def test_other_commands() -> None:
    assert classify("flush") == Flush()
    assert classify("SHOW TIME ZONE") == ShowVariable("timezone")
    assert classify("show transaction isolation level") == ShowVariable("transaction_isolation")
    assert isinstance(classify("SET TRANSACTION READ ONLY"), NoOperation)
    assert classify("DEALLOCATE PREPARE a") == plans.Deallocate("DEALLOCATE PREPARE a", "a")
    assert classify("DEALLOCATE ALL") == plans.Deallocate("DEALLOCATE ALL", None)


def test_names_in_show_are_quoted_as_literals() -> None:
    plan = classify("""SHOW TABLES FROM "it's" LIKE 'a''b%'""")
    assert isinstance(plan, Lookup)
    assert "schema_name = 'it''s' AND name LIKE 'a''b%'" in plan.sql
    plan = classify('DESCRIBE "My""Table"')
    assert isinstance(plan, Lookup)
    assert """name = 'My"Table'""" in plan.sql


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        ("COPY devices TO STDOUT", "COPY (SELECT * FROM devices) TO STDOUT"),
        ('copy "A".b (x, "y z") to stdout csv', 'copy (SELECT x, "y z" FROM "A".b) to stdout csv'),
        ("COPY (SELECT (1)) TO STDOUT", "COPY (SELECT (1)) TO STDOUT"),
    ],
)
def test_copy(sql: str, rewritten: str) -> None:
    plan = classify(sql)
    assert isinstance(plan, Forward)
    assert plan.sql == rewritten


@pytest.mark.parametrize(
    ("sql", "plan"),
    [
        ("COPY Devices FROM STDIN", CopyIn(None, "devices", (), "FROM STDIN")),
        (
            'copy public."A b" (x, "Y") from stdin with (format csv, null \'where\')',
            CopyIn("public", "A b", ("x", "Y"), "from stdin with (format csv, null 'where')"),
        ),
        ("COPY t -- rows\nFROM STDIN csv header", CopyIn(None, "t", (), "FROM STDIN csv header")),
    ],
)
def test_copy_in(sql: str, plan: CopyIn) -> None:
    assert classify(sql) == plan


@pytest.mark.parametrize("prefix", ["", "EXPLAIN ", "DECLARE c CURSOR WITH HOLD FOR "])
def test_windows_are_expanded_wherever_a_query_stands(prefix: str) -> None:
    plan = classify(f"{prefix}SELECT window_start FROM TUMBLE(readings, ts, INTERVAL '10 seconds')")
    assert isinstance(plan, Forward)
    assert plan.rewritten
    assert plan.sql.startswith(prefix)
    assert "tumble" not in plan.sql.lower()


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        ("SELECT 'pg_class'", "SELECT 'pg_class'"),
        ("SELECT pg_class.oid FROM pg_class", "SELECT pg_class.oid FROM rw_catalog.pg_class"),
        ("SELECT * FROM other.pg_class", "SELECT * FROM other.pg_class"),
        ("SELECT pg_class FROM t", "SELECT pg_class FROM t"),
        ("SELECT 1 FROM a, pg_class c -- pg_class", "SELECT 1 FROM a, rw_catalog.pg_class c -- pg_class"),
        ("SELECT version FROM versions", "SELECT version FROM versions"),
        ("SELECT my.version()", "SELECT my.version()"),
    ],
)
def test_catalog_names(sql: str, rewritten: str) -> None:
    assert rewrite_catalog(sql) == rewritten


def test_derived_relations_keep_their_names() -> None:
    assert rewrite_catalog("SELECT * FROM pg_tables WHERE true").endswith(") AS pg_tables WHERE true")
    assert rewrite_catalog("SELECT * FROM pg_tables t WHERE true").endswith(") t WHERE true")
    assert rewrite_catalog("SELECT * FROM pg_tables AS t").endswith(") AS t")
    qualified = rewrite_catalog("SELECT pg_catalog.pg_tables.tablename FROM pg_catalog.pg_tables")
    assert qualified.startswith("SELECT pg_tables.tablename FROM (")
    assert rewrite_catalog("SELECT version()").startswith(
        "SELECT (SELECT version FROM (VALUES ('PostgreSQL 13.14.0"
    )
