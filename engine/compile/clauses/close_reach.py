"""How far the frames of window functions reach: what EMIT ON WINDOW CLOSE has to wait for, and what it has to keep."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.compile.clauses.reach import function_name
from engine.operators.over_on_close import Reach
from engine.operators.project import sql
from tailrace.errors import UnsupportedFeature
from tailrace.sql.event_syntax import SESSION

_COUNTING = ("ROW_NUMBER", "RANK", "DENSE_RANK")
_HINT = (
    "frames that end at a row: ROWS BETWEEN ... AND n FOLLOWING, lag() and lead(), ranks, SESSION WITH GAP"
)


def reach_of(windows: Sequence[exp.Window]) -> Reach:
    """What all of them need together; raises UnsupportedFeature where a frame never closes."""
    reaches = [_reach(w) for w in windows]
    gaps = {sql(r.gap): r.gap for r in reaches if r.gap is not None}
    if len(gaps) > 1:
        raise UnsupportedFeature("SESSION frames of several gaps in Emit-On-Window-Close mode")
    before = [r.preceding for r in reaches]
    return Reach(
        max((r.following for r in reaches), default=0),
        None if None in before else max((b or 0 for b in before), default=0),
        next(iter(gaps.values()), None),
    )


def order_column(windows: Sequence[exp.Window]) -> str:
    """The column that all windows are ordered by first; raises UnsupportedFeature if there is no such one."""
    firsts = set()
    for window in windows:
        order = window.args.get("order")
        first = order.expressions[0] if order is not None else None
        if first is None or not isinstance(first.this, exp.Column) or first.args.get("desc"):
            raise UnsupportedFeature(
                "OVER without ORDER BY of the watermark column, ascending, in Emit-On-Window-Close mode",
                hint="OVER (PARTITION BY ... ORDER BY the column that has the watermark)",
            )
        firsts.add(first.this.name)
    if len(firsts) != 1:
        raise UnsupportedFeature(
            "OVER with several orders in Emit-On-Window-Close mode", hint="order all by one column"
        )
    return firsts.pop()


def _reach(window: exp.Window) -> Reach:
    call = window.this
    while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        call = call.this
    name, spec = function_name(call), window.args.get("spec")
    if name in _COUNTING:
        return Reach(0, None)
    if name in ("LAG", "LEAD"):
        offset = call.args.get("offset") if not isinstance(call, exp.Anonymous) else None
        count = 1 if offset is None else _number(offset)
        return Reach(0, count) if name == "LAG" else Reach(count, 0)
    if name in ("NTILE", "PERCENT_RANK", "CUME_DIST"):
        raise UnsupportedFeature(f"{name.lower()}() in Emit-On-Window-Close mode", hint=_HINT)
    if spec is None:
        return Reach(0, None)
    kind = str(spec.args.get("kind") or "").upper()
    if kind == SESSION:
        return Reach(0, 0, spec.args["start"])
    before = _bound(spec, "start")
    after = _bound(spec, "end")
    if kind != "ROWS" and after not in (0,):
        raise UnsupportedFeature(f"{kind} frames that reach forward in Emit-On-Window-Close mode", hint=_HINT)
    if after is None:
        raise UnsupportedFeature("UNBOUNDED FOLLOWING in Emit-On-Window-Close mode", hint=_HINT)
    return Reach(max(after, 0), None if before is None or kind != "ROWS" else max(-before, 0))


def _bound(spec: exp.Expr, side: str) -> int | None:
    """Rows from the current one: negative before it, None for UNBOUNDED."""
    value, direction = spec.args.get(side), str(spec.args.get(f"{side}_side") or "").upper()
    if value is None or value == "CURRENT ROW":
        return 0
    if value == "UNBOUNDED":
        return None
    number = _number(value) if isinstance(value, exp.Expr) else 0
    return -number if direction == "PRECEDING" else number


def _number(node: exp.Expr) -> int:
    literal = node.unnest()
    if isinstance(literal, exp.Cast):
        literal = literal.this
    if not isinstance(literal, exp.Literal) or not literal.name.isdigit():
        raise UnsupportedFeature("an offset that is no number in Emit-On-Window-Close mode", hint=_HINT)
    return int(literal.name)
