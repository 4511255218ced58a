"""WATERMARK FOR column AS expression [WITH TTL] of a table: rows that come late are left out, and readers learn what is complete.

A table with a watermark has a step of its own, which each barrier runs before those of the views. It takes changes that lie below
the watermark of the barriers before out of the table's delta, late rows out of its storage, and then lets the watermark
advance to the greatest value that the expression gives over the barrier's new rows. The watermark is one row of
engine.watermark_<id>, of the column's own type; it never goes back.

Without TTL the table has to be append-only. With it rows may change: a change of a row below the watermark is no change to those
who read the table, so the column belongs to the table's key for them (RisingWave docs, "Watermarks", "WITH TTL"), and the rows
below it are deleted beside the barriers (`engine.flow.retention.clean`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.program import Program, delta_name
from engine.ddl.context import DdlContext
from engine.ddl.retention import EXPIRING
from engine.operators.base import WEIGHT, Column, names, nulls, place_of, quote
from engine.operators.project import sql
from tailrace.errors import InvalidStatement
from tailrace.sql.names import folded


@dataclass(frozen=True, slots=True)
class TableWatermark:
    """`expression` is over the table's columns, unqualified and quoted; `ttl`: rows may change, those below it are done with."""

    column: str
    expression: exp.Expr
    ttl: bool


def declared_watermark(node: exp.Expr) -> TableWatermark:
    """The watermark of a WatermarkColumnConstraint."""

    def unqualified(each: exp.Expr) -> exp.Expr:
        if not isinstance(each, exp.Column):
            return each
        return exp.column(exp.to_identifier(folded(each.this), quoted=True))

    return TableWatermark(
        folded(node.this.this),
        node.args["expression"].copy().transform(unqualified),
        bool(node.args.get("ttl")),
    )


def check_watermark(
    context: DdlContext, watermark: TableWatermark, columns: Sequence[Column], *, append_only: bool
) -> Column:
    """The column that it is declared for; raises InvalidStatement where it cannot be."""
    column = next((c for c in columns if c.name == watermark.column), None)
    if column is None:
        raise InvalidStatement(f'watermark column "{watermark.column}" is not found', sqlstate="42703")
    (found,) = context.environment.describe(
        f"SELECT {sql(watermark.expression)} AS w FROM (SELECT {nulls(columns)}) AS t"
    )
    if found.type != column.type:
        raise InvalidStatement(
            "The return value type of the watermark expression must be identical to the watermark column data type. "
            f"Current data type of watermark return value: `{found.type}`, column `{column.type}`",
            hint=f"cast the expression to {column.type}",
        )
    if not append_only and not watermark.ttl:
        raise InvalidStatement(
            "Defining watermarks on table requires the table to be append only.",
            hint="add APPEND ONLY, or WITH TTL if rows below the watermark may be forgotten",
        )
    return column


def watermark_storage(id_: int, column: Column) -> list[str]:
    """The statements that make a table's watermark, at nothing."""
    return [
        f"CREATE TABLE engine.watermark_{id_} (low {column.type}) WITH (fillfactor = 50)",
        f"INSERT INTO engine.watermark_{id_} VALUES (NULL)",
    ]


def watermark_program(
    id_: int, watermark: TableWatermark, columns: Sequence[Column], key: Sequence[str], *, append_only: bool
) -> Program:
    """The table's own step; `key` is its stored key."""
    type_ = next(c.type for c in columns if c.name == watermark.column)
    time, delta, kept = quote(watermark.column), delta_name(id_), f"engine.watermark_{id_}"
    late = f"(d.{time} < _low) IS NOT FALSE"
    stored = f"engine.table_{id_}"
    guard = f"PERFORM set_config('{EXPIRING}', '{{}}', true);"
    function = (
        f"CREATE OR REPLACE FUNCTION engine.step_{id_}(barrier_now timestamptz, barrier_last timestamptz, initial boolean, "
        f"emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\n"
        f"DECLARE _low {type_}; _newest {type_};\nBEGIN\n"
        f"  SELECT w.low INTO _low FROM {kept} AS w;\n"
        f"  SELECT max({sql(watermark.expression)}) INTO _newest FROM {delta} AS d WHERE {WEIGHT} > 0;\n"
        f"  IF _newest > _low OR (_low IS NULL AND _newest IS NOT NULL) THEN UPDATE {kept} AS w SET low = _newest; END IF;\n"
        f"  IF EXISTS (SELECT 1 FROM {delta} AS d WHERE _low IS NOT NULL AND {late}) THEN {guard.format('on')}\n"
        f"    DELETE FROM {stored} AS t USING (SELECT d.{time}, {place_of(stored, 'd', key)} AS _at FROM {delta} AS d "
        f"WHERE d.{WEIGHT} > 0 AND {late} OFFSET 0) AS g "
        f"WHERE t.ctid = g._at AND t.{time} IS NOT DISTINCT FROM g.{time}; {guard.format('off')}\n"
        f"    DELETE FROM {delta} AS d WHERE {late};\n  END IF;\n"
        f"  RETURN (SELECT count(*) FROM {delta});\nEND $step$"
    )
    return Program(
        (), (), function, (), tuple(key), append_only, "", {}, uses_now=False, stepwise=False, explain=()
    )


def watermark_of(id_: int, column: str) -> dict[str, str]:
    """The catalog's entry: the SQL expression that tells where the watermark stands after the barrier."""
    return {column: f"(SELECT low FROM engine.watermark_{id_})"}


def key_for_readers(watermark: TableWatermark, key: Sequence[str]) -> tuple[str, ...]:
    """By which readers know the table's rows apart."""
    return tuple(key) if not watermark.ttl or watermark.column in key else (*key, watermark.column)


def index_for_readers(id_: int, key: Sequence[str]) -> str:
    """The index that readers take for granted on their key."""
    return f"CREATE INDEX ON engine.table_{id_} ({names(key)})"


def cleaned_storage(id_: int, column: str, *, append_only: bool) -> list[str]:
    """The statements by which rows below the watermark of a table WITH TTL are found, and deleted unseen by its readers."""
    table = f"engine.table_{id_}"
    index = f"CREATE INDEX ON {table} ({quote(column)})"
    if append_only:
        return [index]
    by_client = f"pg_catalog.current_setting('{EXPIRING}', true) IS DISTINCT FROM 'on'"
    return [
        index,
        f"DROP TRIGGER capture_delete ON {table}",
        f"CREATE TRIGGER capture_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT "
        f"WHEN ({by_client}) EXECUTE FUNCTION engine.capture_{id_}_delete()",
    ]
