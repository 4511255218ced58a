"""Structs, maps and 256-bit integers in tables and views: stored, computed, compared, grouped, taken apart, shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def flow(postgres: PostgresServer) -> Iterator[FlowUnderTest]:
    with running_flow(postgres) as running:
        yield running


@pytest.fixture
def engine(flow: FlowUnderTest) -> Iterator[FlowUnderTest]:
    yield flow
    flow.clear()


def texts(engine: FlowUnderTest, relation: str) -> list[tuple[str | None, ...]]:
    """The rows of a relation as PostgreSQL prints them."""
    found = engine.rows(f"SELECT r::text FROM {relation} AS r ORDER BY 1")
    return [(text,) for (text,) in found]


def test_rows_become_structs_that_can_be_taken_apart(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar)",
        "CREATE MATERIALIZED VIEW rows_of AS SELECT id, ROW(a, ROW(b, id)) AS r FROM t",
        "CREATE MATERIALIZED VIEW apart AS SELECT id, (r).f1 AS a, ((r).f2).f1 AS b, (r).f2.* FROM rows_of",
    )
    engine.settle("INSERT INTO t VALUES (1, 10, 'x'), (2, NULL, 'y z')")
    engine.settle("UPDATE t SET a = 11 WHERE id = 1")
    assert engine.rows("SELECT id, r::text FROM rows_of ORDER BY id") == [
        (1, '(11,"(x,1)")'),
        (2, '(,"(""y z"",2)")'),
    ]
    assert engine.rows("SELECT * FROM apart ORDER BY id") == [
        (1, 11, "x", "x", 1),
        (2, None, "y z", "y z", 2),
    ]


def test_struct_columns_are_grouped_compared_and_aggregated(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, s struct<x int, y struct<z varchar>>)",
        "CREATE MATERIALIZED VIEW g AS SELECT s, count(*) AS n FROM t GROUP BY s",
        "CREATE MATERIALIZED VIEW top AS SELECT max(s) AS most, min((s).y) AS least FROM t",
        "CREATE MATERIALIZED VIEW f AS SELECT id FROM t WHERE s = (1, ROW('a')) OR (s).y < ROW('b')",
    )
    engine.settle(
        "INSERT INTO t VALUES (1, ROW(1, ROW('a'))), (2, (1, ROW('a'))), (3, (2, ROW('c'))), (4, NULL)"
    )
    assert engine.rows("SELECT s::text, n FROM g ORDER BY 1") == [
        ('(1,"(a)")', 2),
        ('(2,"(c)")', 1),
        (None, 1),
    ]
    assert engine.rows("SELECT most::text, least::text FROM top") == [('(2,"(c)")', "(a)")]
    assert engine.rows("SELECT id FROM f ORDER BY id") == [(1,), (2,)]
    engine.settle("DELETE FROM t WHERE id IN (1, 3)")
    assert engine.rows("SELECT s::text, n FROM g ORDER BY 1") == [('(1,"(a)")', 1), (None, 1)]
    assert engine.rows("SELECT most::text, least::text FROM top") == [('(1,"(a)")', "(a)")]
    assert engine.rows("SELECT id FROM f ORDER BY id") == [(2,)]


def test_structs_are_cast_field_by_field(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (s struct<x int, y varchar>[])",
        "CREATE TABLE b (s struct<u varchar, v varchar>[])",
    )
    engine.settle(
        "INSERT INTO a VALUES (ARRAY[(1, 'p q')]::struct<x int, y varchar>[])".replace(
            "struct<x int, y varchar>", struct(engine)
        )
    )
    engine.settle("INSERT INTO b SELECT * FROM a")
    assert engine.rows("SELECT (s[1]).u, (s[1]).v FROM b") == [("1", "p q")]


def struct(engine: FlowUnderTest) -> str:
    """The type of column s of table a, without []: this client does not pass the front door."""
    (type_,) = engine.rows(
        "SELECT rtrim(format_type(atttypid, NULL), '[]') FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 's'"
    )[0]
    assert isinstance(type_, str)
    return type_


def test_maps_in_a_view(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, m map(varchar, int))",
        "CREATE MATERIALIZED VIEW v AS SELECT id, map_access(m, 'a') AS a, map_keys(m) AS k, map_length(m) AS n, "
        "map_cat(m, MAP {'z': 26}) AS longer, to_jsonb(m) AS j FROM t",
    )
    engine.settle(
        "INSERT INTO t VALUES (1, map_from_key_values(ARRAY['b', 'a:,'], ARRAY[2, NULL])), (2, NULL), "
        "(3, map_from_key_values(ARRAY['a'], ARRAY[7]))"
    )
    assert engine.rows("SELECT id, m::text FROM t ORDER BY id") == [
        (1, '{b:2,"a:,":NULL}'),
        (2, None),
        (3, "{a:7}"),
    ]
    assert engine.rows("SELECT id, a, k, n, longer::text, j FROM v ORDER BY id") == [
        (1, None, ["b", "a:,"], 2, '{b:2,"a:,":NULL,z:26}', {"b": 2, "a:,": None}),
        (2, None, None, None, "{z:26}", None),
        (3, 7, ["a"], 1, "{a:7,z:26}", {"a": 7}),
    ]
    with pytest.raises(Exception, match="map keys must be unique"):
        engine.run("INSERT INTO t VALUES (4, map_from_key_values(ARRAY['a', 'a'], ARRAY[1, 2]))")


def test_maps_of_arrays_structs_and_maps(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, a map(varchar, int[]), s map(int, struct<x int, y varchar>[]), "
        "m map(varchar, map(varchar, double)), j map(varchar, jsonb))",
        "CREATE MATERIALIZED VIEW v AS SELECT id, a['k'][2] AS second, map_length(a) AS n, to_jsonb(a) AS j, "
        "map_insert(a, 'z', ARRAY[9]) AS longer, ((map_access(s, 1))[1]).y AS y, m['k']['l'] AS l, to_jsonb(m) AS jm FROM t",
        "CREATE MATERIALIZED VIEW made AS SELECT id, MAP {'a': ARRAY[1], 'b': ARRAY[2, 3]} AS m, "
        "map_from_entries(map_entries(a)) AS a FROM t",
    )
    engine.settle(
        "INSERT INTO t VALUES (1, '{k:{1,2},l:{}}', '{1:{\"(7,\\\"a, b\\\")\"}}', '{k:{l:0.5}}', NULL), "
        "(2, NULL, NULL, NULL, NULL)"
    )
    assert engine.rows("SELECT id, second, n, j, longer::text, y, l, jm FROM v ORDER BY id") == [
        (1, 2, 2, {"k": [1, 2], "l": []}, "{k:{1,2},l:{},z:{9}}", "a, b", 0.5, {"k": {"l": 0.5}}),
        (2, None, None, None, None, None, None, None),
    ]
    assert engine.rows("SELECT m::text, a::text FROM made ORDER BY id") == [
        ("{a:{1},b:{2,3}}", "{k:{1,2},l:{}}"),
        ("{a:{1},b:{2,3}}", None),
    ]
    engine.settle("UPDATE t SET a = NULL WHERE id = 1", "DELETE FROM t WHERE id = 2")
    assert engine.rows("SELECT id, second, longer FROM v") == [(1, None, None)]


def test_arrays_of_arrays_in_a_view_stop_nothing(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, g int, a int[])",
        "CREATE MATERIALIZED VIEW v AS SELECT g, array_agg(a ORDER BY id DESC) FILTER (WHERE id < 10) AS x FROM t GROUP BY g",
        "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t",
    )
    engine.settle("INSERT INTO t VALUES (1, 1, '{1,2}'), (2, 1, '{3,4}'), (3, 2, '{1}'), (11, 3, '{1}')")
    assert engine.rows("SELECT * FROM v ORDER BY g") == [(1, [[3, 4], [1, 2]]), (2, [[1]]), (3, None)]
    engine.settle("INSERT INTO t VALUES (4, 2, '{2,3}'), (5, 1, NULL)")
    assert engine.rows("SELECT * FROM v ORDER BY g") == [(1, None), (2, None), (3, None)]
    engine.settle("DELETE FROM t WHERE id IN (3, 5)")
    assert engine.rows("SELECT * FROM v ORDER BY g") == [(1, [[3, 4], [1, 2]]), (2, [[2, 3]]), (3, None)]
    assert engine.rows("SELECT n FROM n") == [(4,)]


def test_int256_beyond_64_bits(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, v rw_int256)",
        "CREATE MATERIALIZED VIEW s AS SELECT v % 2 AS odd, sum(v) AS total, max(v) AS most, count(*) AS n FROM t GROUP BY v % 2",
    )
    engine.settle("INSERT INTO t VALUES (1, '100000000000000000000000000000000'), (2, 10), (3, 7)")
    engine.settle("DELETE FROM t WHERE id = 2")
    assert engine.rows("SELECT odd::text, total::text, most::text, n FROM s ORDER BY 1") == [
        ("0", "1" + "0" * 32, "1" + "0" * 32, 1),
        ("1", "7", "7", 1),
    ]


def test_types_are_shown_under_risingwaves_names(engine: FlowUnderTest) -> None:
    engine.ddl('CREATE TABLE t (s struct<a int, "b B" map(varchar, bool)[]>, i rw_int256, v varchar[])')
    shown = "SELECT name, data_type FROM rw_catalog.rw_columns AS c WHERE relation_id = %s ORDER BY position"
    (id_,) = engine.rows("SELECT id FROM rw_catalog.rw_tables WHERE name = 't'")[0]
    assert engine.rows(shown.replace("%s", str(id_))) == [
        ("s", 'struct<a integer, "b B" map(character varying,boolean)[]>'),
        ("i", "rw_int256"),
        ("v", "character varying[]"),
        ("_row_id", "serial"),
    ]
