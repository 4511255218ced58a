"""Composed types and map literals in statements: what becomes of the text, and which types it names."""

from __future__ import annotations

import pytest

from tailrace.errors import InvalidStatement
from tailrace.sql.type_inference import canonical, common_type
from tailrace.sql.types import (
    MapType,
    StructType,
    expand_types,
    struct_of,
    types_from_json,
    types_to_json,
)

PAIR = StructType((("a", "integer"), ("b", "character varying")))


def test_text_without_types_stays() -> None:
    text = "SELECT map, 'struct<a int>' FROM t"
    assert expand_types(text).sql is text


def test_a_struct_is_replaced_and_the_rest_stays() -> None:
    expanded = expand_types("CREATE TABLE t (s /* here */ Struct<A INT, b text>[], c int)")
    assert expanded.sql == f"CREATE TABLE t (s /* here */ {PAIR.name}[], c int)"
    assert expanded.types == (PAIR,)


def test_names_tell_types_apart_and_equal_ones_are_equal() -> None:
    same, other = (
        expand_types("SELECT NULL::struct<a int4, b varchar>"),
        expand_types("SELECT NULL::struct<a int8, b varchar>"),
    )
    assert same.types == (PAIR,)
    assert other.types[0].name != PAIR.name
    assert expand_types('SELECT NULL::struct<"A" int, b varchar>').types[0].name != PAIR.name


def test_inner_types_come_first() -> None:
    types = expand_types(
        "SELECT NULL::struct<x struct<y double precision>[], z timestamp with time zone>"
    ).types
    inner = StructType((("y", "double precision"),))
    assert types == (inner, StructType((("x", f"{inner.name}[]"), ("z", "timestamp with time zone"))))


def test_map_literals_get_the_types_of_their_parts() -> None:
    made = MapType("integer", "numeric")
    expanded = expand_types("SELECT MAP {1: 1, '2': 2.5}[2]")
    assert expanded.types == (made.entry, made)
    assert expanded.sql == (
        "SELECT map_access(map_from_key_values(ARRAY[1, '2']::integer[], ARRAY[1, 2.5]::numeric[]), (2)::integer)"
    )


def test_maps_of_arrays_are_made_of_entries() -> None:
    made = MapType("character varying", "integer[]")
    expanded = expand_types("SELECT MAP {'a': ARRAY[1], 'b': ARRAY[2, 3]}['a'][1]")
    entries = f"ARRAY[ROW('a', ARRAY[1]), ROW('b', ARRAY[2, 3])]::{made.entry.name}[]"
    assert expanded.types == (made.entry, made)
    assert expanded.sql == f"SELECT (map_access(map_from_entries({entries}), ('a')::character varying))[1]"
    called = expand_types("SELECT map_from_key_values(ARRAY['a'], ARRAY[ARRAY[1, 2]])").sql
    assert called == f"SELECT {made.name}_of(ARRAY['a'], ARRAY[ARRAY[1, 2]])"


def test_what_follows_a_subscript_by_a_text() -> None:
    assert expand_types("SELECT (t.v['a'][1]).b FROM t").sql == "SELECT ((map_access(t.v, 'a'))[1]).b FROM t"


def test_an_empty_map_needs_a_type() -> None:
    with pytest.raises(InvalidStatement, match="cannot determine type of empty map"):
        expand_types("SELECT MAP {}")
    made = MapType("character varying", "integer")
    assert expand_types("SELECT MAP {}::MAP(VARCHAR, INT)").sql == (
        f"SELECT map_from_key_values(ARRAY[]::character varying[], ARRAY[]::integer[])::{made.name}"
    )


@pytest.mark.parametrize("type_", ["float", "numeric", "jsonb", "int[]"])
def test_map_keys_are_texts_or_integers(type_: str) -> None:
    with pytest.raises(InvalidStatement, match="invalid map key type"):
        expand_types(f"CREATE TABLE t (m map({type_}, int))")


def test_computed_keys_leave_the_type_to_postgres() -> None:
    expanded = expand_types("SELECT MAP {k: v} FROM t")
    assert expanded.sql == "SELECT map_from_key_values(ARRAY[k], ARRAY[v]) FROM t"
    assert expanded.types == ()


def test_json_and_back() -> None:
    types = expand_types("SELECT NULL::map(varchar, struct<a int>)").types
    assert tuple(types_from_json(types_to_json(types))) == types


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidStatement):
        types_from_json([{"key": "integer", "value": "integer); DROP TABLE t; --"}])


def test_rows_have_fields_by_place() -> None:
    assert struct_of(["int", "text"]).fields == (("f1", "integer"), ("f2", "character varying"))


def test_canonical_names() -> None:
    assert [canonical(t) for t in ("INT", "float[]", "rw.struct_1[]", "numeric(10, 2)")] == [
        "integer",
        "double precision[]",
        "rw.struct_1[]",
        "numeric(10, 2)",
    ]


def test_common_types() -> None:
    assert common_type(["integer", "unknown", "bigint"]) == "bigint"
    assert common_type(["integer", "boolean"]) is None
    assert common_type([]) == "unknown"


def test_arrays_of_constant_rows_and_their_fields() -> None:
    pair = StructType((("f1", "integer"), ("f2", "character varying")))
    assert expand_types("INSERT INTO t VALUES (ARRAY[ROW(1, 'a'), (2, NULL)])").sql == (
        f"INSERT INTO t VALUES (ARRAY[ROW(1, 'a'), (2, NULL)]::{pair.name}[])"
    )
    assert expand_types("SELECT (ROW(1, 'a')).f2").sql == f"SELECT ((ROW(1, 'a'))::{pair.name}).f2"
    assert expand_types("SELECT ARRAY[ROW(a)] FROM t").sql == "SELECT ARRAY[ROW(a)] FROM t"


def test_filters_and_subscripts_of_maps() -> None:
    assert expand_types("SELECT map_filter(m, |k, v| v['x'] > 1) FROM t").sql == (
        "SELECT (SELECT map_from_entries(array_agg(_entry ORDER BY _at)) FROM "
        "(SELECT _m[_at] AS _entry, _at, (_m[_at]).key AS k, (_m[_at]).value AS v FROM (SELECT map_entries(m) AS _m) AS _map, "
        "generate_subscripts(_map._m, 1) AS _at) AS _entries WHERE map_access(v, 'x') > 1) FROM t"
    )
    assert expand_types("SELECT t.\"M\"['a']['b'], ARRAY['a'], a[1] FROM t").sql == (
        "SELECT map_access(map_access(t.\"M\", 'a'), 'b'), ARRAY['a'], a[1] FROM t"
    )
