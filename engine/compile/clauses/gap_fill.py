"""FROM GAP_FILL(...): the call's columns found among those of the relation."""

from __future__ import annotations

from sqlglot import exp

from engine.compile.scope import Planner
from engine.operators.base import Operator
from engine.operators.gap_fill import GapFill
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.gap_fill import GAP_FILL, INTERPOLATE, GapFillCall

_NUMBERS = ("smallint", "integer", "bigint", "real", "double precision", "numeric")


def gap_fill(planner: Planner, relation: Operator, table: exp.Expr) -> Operator:
    """The relation with its gaps filled as the call says that `table` stands for."""
    call: GapFillCall = table.meta[GAP_FILL]
    shown = {c.name: c for c in relation.visible}
    for name in (call.time, *call.strategies):
        if name not in shown:
            raise InvalidStatement(f'column "{name}" of GAP_FILL does not exist', sqlstate="42703")
    if not shown[call.time].type.startswith("timestamp"):
        raise InvalidStatement("The 2nd arg of GAP_FILL should be a column of type timestamp or timestamptz")
    for name, strategy in call.strategies.items():
        if strategy == INTERPOLATE and shown[name].type.split("(")[0] not in _NUMBERS:
            raise InvalidStatement(f'INTERPOLATE needs a number, and "{name}" is {shown[name].type}')
    if not relation.key:
        raise UnsupportedFeature("GAP_FILL over this relation", hint="over a table or a materialized view")
    return GapFill(relation, call.time, call.interval, dict(call.strategies))
