"""SESSION WITH GAP frames: a row's session is what holds the rows of its partition that no gap parts from it.

PostgreSQL has no such frame. Sessions become a column, numbered along the order; the frame is then a whole partition.
Source: RisingWave docs, "Window functions", session frames.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.compile.expressions import identifier
from engine.operators.project import sql
from tailrace.errors import InvalidStatement
from tailrace.sql.event_syntax import SESSION

_NUMBER = "_session"


def is_session(window: exp.Expr) -> bool:
    """Has it a SESSION frame?"""
    spec = window.args.get("spec")
    return spec is not None and spec.args.get("kind") == SESSION


def without_session(window: exp.Window) -> exp.Window:
    """The window over its whole partition, for its type."""
    if not is_session(window):
        return window
    plain = window.copy()
    plain.set("spec", _whole())
    return plain


def within_sessions(window: exp.Window) -> exp.Window:
    """The window over the sessions that `with_sessions` numbers."""
    if not is_session(window):
        return window
    within = without_session(window)
    within.set("partition_by", [*(window.args.get("partition_by") or []), identifier(_NUMBER)])
    return within


def with_sessions(rows: str, windows: Sequence[exp.Window]) -> str:
    """The relation `rows` with the number of each row's session, if a window asks for it."""
    asked = [w for w in windows if is_session(w)]
    if not asked:
        return rows
    shapes = {(sql(w.args["order"]), sql(w.args["spec"].args["start"])) for w in asked if w.args.get("order")}
    if len(shapes) != 1 or any(not w.args.get("order") for w in asked):
        raise InvalidStatement(
            "SESSION frames of one partition must have one order and one gap", sqlstate="42P20"
        )
    window = asked[0]
    partition = ", ".join(sql(p) for p in window.args.get("partition_by") or [])
    by = (f"PARTITION BY {partition} " if partition else "") + sql(window.args["order"]).strip()
    ordered = window.args["order"].expressions[0]
    time, gap = sql(ordered.this), sql(window.args["spec"].args["start"])
    before, after = (
        (time, f"lag({time}) OVER ({by})") if ordered.args.get("desc") else (f"lag({time}) OVER ({by})", time)
    )
    begins = (
        f"SELECT q.*, CASE WHEN {after} <= {before} + {gap} THEN 0 ELSE 1 END AS _begins FROM {rows} AS q"
    )
    return f"(SELECT q.*, sum(_begins) OVER ({by}) AS {_NUMBER} FROM ({begins}) AS q)"


def _whole() -> exp.WindowSpec:
    return exp.WindowSpec(
        kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="UNBOUNDED", end_side="FOLLOWING"
    )
