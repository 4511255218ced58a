"""SHOW CREATE: statements printed as RisingWave prints them."""

from __future__ import annotations

import pytest

from tailrace.sql.shown import shown_definition


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("create view v as\n  select Sum(a) from t", "CREATE VIEW v AS SELECT Sum(a) FROM t"),
        ("create index i on t (a,b desc) include(c)", "CREATE INDEX i ON t(a, b DESC) INCLUDE (c)"),
        (
            'create table t (v struct<"A" int, b varchar>[], d double precision, primary key (v))',
            'CREATE TABLE t (v STRUCT<"A" INT, b CHARACTER VARYING>[], d DOUBLE, PRIMARY KEY (v))',
        ),
        (
            "create source s (a int) with (connector='x', o.p = '1') format plain encode json",
            "CREATE SOURCE s (a INT) WITH (connector = 'x', o.p = '1') FORMAT PLAIN ENCODE JSON",
        ),
        (
            "create source s (primary key(k), watermark for b as b, a int, b timestamp,) include KEY as k include offset as o "
            "include header 'x' bytea with (a.b='c') format upsert encode json (timestamptz.handling.mode='micro')",
            "CREATE SOURCE s (a INT, b TIMESTAMP, PRIMARY KEY (k), WATERMARK FOR b AS b) INCLUDE KEY AS k INCLUDE offset AS o "
            "INCLUDE header 'x' BYTEA WITH (a.b = 'c') FORMAT UPSERT ENCODE JSON (timestamptz.handling.mode = 'micro')",
        ),
        ("create table date (int int, text int)", "CREATE TABLE date (int INT, text INT)"),
        ("create view v as select 'from  t' -- why", "CREATE VIEW v AS SELECT 'from  t'"),
    ],
)
def test_shown(written: str, shown: str) -> None:
    assert shown_definition(written) == shown
    assert shown_definition(shown) == shown
