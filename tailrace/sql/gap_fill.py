"""GAP_FILL(relation, time, interval [, LOCF(c) | INTERPOLATE(c) | KEEPNULL(c) ...]): rows for the moments that have none.

Between a row and the next one by time there comes a row for every whole interval: LOCF repeats the earlier value, INTERPOLATE
goes in equal steps to the later one, everything else is NULL. Used by the compiler (views) and for ad-hoc queries.
Source: RisingWave 3.0's GAP_FILL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from tailrace.errors import InvalidStatement
from tailrace.sql.windows import interval_us

GAP_FILL = " gap fill"
"""What the resolved name of a relation ends with whose gaps are to be filled, and under what its node keeps the call."""
LOCF, INTERPOLATE, KEEP = "LOCF", "INTERPOLATE", "KEEPNULL"
_FORM = "GAP_FILL(relation, time column, INTERVAL '1 minute', LOCF(a), INTERPOLATE(b), KEEPNULL(c))"


@dataclass(frozen=True, slots=True)
class GapFillCall:
    """`strategies` by column name, as PostgreSQL folds it."""

    relation: exp.Column
    time: str
    interval: exp.Expr
    strategies: Mapping[str, str]


def gap_fill_of(table: exp.Expr) -> GapFillCall | None:
    """The call that a table of FROM is, or None; raises InvalidStatement for wrong arguments."""
    function = table.this if isinstance(table, exp.Table) else None
    if not isinstance(function, exp.Anonymous) or function.name.upper() != "GAP_FILL":
        return None
    given = function.expressions
    if len(given) < 3:
        raise InvalidStatement(
            "GAP_FILL requires at least 3 arguments: input, time_col, interval", hint=_FORM
        )
    relation, time, interval, *rest = given
    if not isinstance(relation, exp.Column):
        raise InvalidStatement("The 1st arg of GAP_FILL should be a table name", hint=_FORM)
    if not isinstance(time, exp.Column):
        raise InvalidStatement("The 2nd arg of GAP_FILL should be a column name", hint=_FORM)
    length = interval_us(interval)
    if length is None:
        raise InvalidStatement("The 3rd arg of GAP_FILL should be an interval of fixed length", hint=_FORM)
    if length <= 0:
        raise InvalidStatement("The gap fill interval must be positive", hint=_FORM)
    strategies: dict[str, str] = {}
    for call in rest:
        column = (
            call.expressions[0] if isinstance(call, exp.Anonymous) and len(call.expressions) == 1 else None
        )
        strategy = call.name.upper() if isinstance(call, exp.Anonymous) else ""
        if strategy not in (LOCF, INTERPOLATE, KEEP) or not isinstance(column, exp.Column):
            raise InvalidStatement(f"not a fill strategy: {call.sql(dialect='postgres')}", hint=_FORM)
        strategies[column.name] = strategy
    return GapFillCall(relation, time.name, interval, strategies)


def name_gap_fills(query: exp.Expr) -> exp.Expr:
    """Each GAP_FILL in FROM as the relation itself, with the call in its node's `meta`: names then resolve as ever."""
    for table in list(query.find_all(exp.Table)):
        call = gap_fill_of(table)
        if call is None:
            continue
        schema = call.relation.args.get("table")
        named = exp.Table(this=call.relation.this.copy(), db=schema.copy() if schema is not None else None)
        named.set(
            "alias",
            table.args["alias"].copy() if table.args.get("alias") else exp.TableAlias(this=named.this.copy()),
        )
        named.set("joins", table.args.get("joins"))
        named.meta[GAP_FILL] = call
        table.replace(named)
    return query


def points(time: str, following: str, interval: exp.Expr) -> str:
    """FROM item `g` (n, at): the moments from `time` up to before `following`, n = 0 being `time` itself."""
    return f"rw.gap_points({time}, {following}, {interval.sql(dialect='postgres')}) AS g"


def steps(columns: Mapping[str, tuple[str, str]], time: str, following: str, interval: exp.Expr) -> str:
    """A subquery `s`: what lies between two values, for each name of an interpolated column with both of them.

    OFFSET 0 keeps PostgreSQL from computing it once for each point.
    """
    length = f"rw.gap_steps({time}, {following}, {interval.sql(dialect='postgres')})"
    items = ", ".join(
        f"rw.interpolated({low}, {high}, {length}) AS {name}" for name, (low, high) in columns.items()
    )
    return f"(SELECT {items or '1 AS none'} OFFSET 0) AS s"


def filled(value: str, strategy: str | None, between: str) -> str:
    """The value of a column at point g.n: `value` is the row's own, `between` what `steps` calls its interpolation."""
    if strategy == LOCF:
        return value
    later = f" ELSE s.{between}[g.n]" if strategy == INTERPOLATE else ""
    return f"CASE WHEN g.n = 0 THEN {value}{later} END"
