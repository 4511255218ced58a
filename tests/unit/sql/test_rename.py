"""New names in old texts: every reference follows, nothing else of the text changes."""

from __future__ import annotations

import pytest

from tailrace.sql.rename import rename_created, rename_references

NAMES = {"t": "x", "U": '"Y"'}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SELECT t.a FROM t", "SELECT t.a FROM x AS t"),
        ("SELECT * FROM T WHERE a = 't'", "SELECT * FROM x AS T WHERE a = 't'"),
        ("SELECT * FROM t AS z, t u", "SELECT * FROM x AS z, x u"),
        ("SELECT * FROM public.t -- t\n", "SELECT * FROM public.x AS t -- t\n"),
        ('SELECT * FROM "U" JOIN u ON true', 'SELECT * FROM "Y" AS "U" JOIN u ON true'),
        ("SELECT a FROM u WHERE a IN (SELECT b FROM t)", "SELECT a FROM u WHERE a IN (SELECT b FROM x AS t)"),
        ("SELECT 1 FROM t UNION ALL SELECT t FROM u", "SELECT 1 FROM x AS t UNION ALL SELECT t FROM u"),
        ("WITH t AS (SELECT * FROM t) SELECT * FROM t", "WITH t AS (SELECT * FROM x AS t) SELECT * FROM t"),
        (
            "WITH z AS (SELECT 1 FROM t), t AS (SELECT 2 FROM z) SELECT * FROM t, public.t",
            "WITH z AS (SELECT 1 FROM x AS t), t AS (SELECT 2 FROM z) SELECT * FROM t, public.x AS t",
        ),
        (
            "SELECT * FROM u JOIN t FOR SYSTEM_TIME AS OF PROCTIME() ON u.a = t.a",
            "SELECT * FROM u JOIN x FOR SYSTEM_TIME AS OF PROCTIME() AS t ON u.a = t.a",
        ),
        (
            "SELECT t.a FROM TUMBLE(t, ts, INTERVAL '1' MINUTE) WHERE a > 1",
            "SELECT t.a FROM TUMBLE(x, ts, INTERVAL '1' MINUTE) AS t WHERE a > 1",
        ),
        ("CREATE VIEW t AS SELECT t FROM u", "CREATE VIEW t AS SELECT t FROM u"),
        ("CREATE INDEX t ON t(a) INCLUDE (t)", "CREATE INDEX t ON x(a) INCLUDE (t)"),
        ("CREATE SINK s FROM public.t WITH (connector = 'kafka')", "CREATE SINK s FROM public.x WITH (connector = 'kafka')"),
        ("CREATE TABLE t (t int)", "CREATE TABLE t (t int)"),
        ("CREATE TABLE z (a int AS (extract(day FROM t)))", "CREATE TABLE z (a int AS (extract(day FROM t)))"),
        ('CREATE SINK s INTO t FROM "U"', 'CREATE SINK s INTO x FROM "Y"'),
        ("CREATE SINK s INTO public.t (t, b) AS SELECT t FROM t", "CREATE SINK s INTO public.x (t, b) AS SELECT t FROM x AS t"),
        ("CREATE SINK s AS SELECT a FROM t WITH (a = 'b')", "CREATE SINK s AS SELECT a FROM x AS t WITH (a = 'b')"),
    ],
)  # fmt: skip
def test_references(before: str, after: str) -> None:
    assert rename_references(before, NAMES) == after


def test_two_names_change_places_at_once() -> None:
    swapped = rename_references("CREATE VIEW v AS SELECT * FROM a JOIN b ON a.k = b.k", {"a": "b", "b": "a"})
    assert swapped == "CREATE VIEW v AS SELECT * FROM b AS a JOIN a AS b ON a.k = b.k"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("create table public.t (t int)", "create table public.n (t int)"),
        ("CREATE VIEW IF NOT EXISTS \"T\" AS\n  SELECT 1 -- T", "CREATE VIEW IF NOT EXISTS n AS\n  SELECT 1 -- T"),
        ("CREATE INDEX t ON t (t)", "CREATE INDEX n ON t (t)"),
        ("CREATE TABLE source (a int)", "CREATE TABLE n (a int)"),
        ("CREATE SINK IF NOT EXISTS t INTO t FROM t", "CREATE SINK IF NOT EXISTS n INTO t FROM t"),
        ("CREATE SOURCE t (t int) WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON",
         "CREATE SOURCE n (t int) WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON"),
    ],
)  # fmt: skip
def test_created(before: str, after: str) -> None:
    assert rename_created(before, "n") == after
