"""How far a window function looks: the rows behind and ahead that its value depends on, where that is bounded."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from engine.operators.base import Operator
from engine.operators.over_rows import ZERO, base_type
from engine.operators.project import sql

_FAR = 1000
"""Frames of more rows cost as much as their partition."""


@dataclass(frozen=True, slots=True)
class Reach:
    """`order` and direction of the window, the stream key left out; counts of rows."""

    order: tuple[str, ...]
    descending: bool
    behind: int
    ahead: int


def function_of(window: exp.Window) -> exp.Expr:
    """The call itself, without FILTER and IGNORE NULLS."""
    node: exp.Expr = window.this
    while isinstance(node, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        node = node.this
    return node


def function_name(node: exp.Expr) -> str:
    """The name of a call in upper case."""
    return node.name.upper() if isinstance(node, exp.Anonymous) else sql(node).split("(")[0].upper()


def reach(below: Operator, partition: tuple[str, ...], window: exp.Window) -> Reach | None:
    """None where the window looks at a whole partition, or where no index on its order would serve (see `OverRows`)."""
    rows = _rows(window)
    ordered = window.args["order"].expressions if window.args.get("order") else []
    down = {bool(o.args.get("desc")) for o in ordered}
    usual = all(bool(o.args.get("nulls_first")) == bool(o.args.get("desc")) for o in ordered)
    if rows is None or sum(rows) > _FAR or len(down) != 1 or not usual:
        return None
    order = tuple(o.this.name for o in ordered)
    places = (*partition, *order, *below.key)
    if any(base_type(below.column(c).type) not in ZERO for c in places):
        return None
    return Reach(order, down.pop(), *rows)


def _rows(window: exp.Window) -> tuple[int, int] | None:
    name, spec = function_name(function_of(window)), window.args.get("spec")
    if name in ("LAG", "LEAD"):
        offset = function_of(window).args.get("offset")
        distance = 1 if offset is None else _number(offset)
        if distance is None:
            return None
        return (distance, 0) if name == "LAG" else (0, distance)
    if spec is None or str(spec.args.get("kind") or "").upper() != "ROWS":
        return None
    behind = ahead = 0
    for bound in ("start", "end"):
        value, side = spec.args.get(bound), str(spec.args.get(f"{bound}_side") or "").upper()
        if value is None or str(value).upper() == "CURRENT ROW":
            continue
        distance = _number(value)
        if distance is None:
            return None
        if side == "PRECEDING":
            behind = max(behind, distance)
        else:
            ahead = max(ahead, distance)
    return behind, ahead


def _number(node: object) -> int | None:
    if isinstance(node, exp.Expr):
        node = node.unnest()
    return int(node.name) if isinstance(node, exp.Literal) and node.is_int else None
