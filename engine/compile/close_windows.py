"""EMIT ON WINDOW CLOSE: from the operators of a query to those of the same query, put out once and for good.

Every aggregate puts out its groups when they close; where no aggregate does so, the rows of the result are held until the
watermark passes them. What can change its mind after that is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

from engine.compile.clauses.close_reach import order_column, reach_of
from engine.operators.aggregate import Aggregate
from engine.operators.base import Operator
from engine.operators.changelog import Changelog
from engine.operators.dedup import Dedup
from engine.operators.emit_on_close import EmitOnClose
from engine.operators.expand import Expand
from engine.operators.gap_fill import GapFill
from engine.operators.join import Join
from engine.operators.outer_join import OuterJoin
from engine.operators.over_on_close import OverOnClose, Reach
from engine.operators.over_rows import OverRows
from engine.operators.project import Filter, Project
from engine.operators.recompute_groups import RecomputeGroups
from engine.operators.repeat import Repeat
from engine.operators.scan import Scan
from engine.operators.semi_join import SemiJoin
from engine.operators.temporal_filter import TemporalFilter
from engine.operators.temporal_join import TemporalJoin
from engine.operators.top_n import TopN
from engine.operators.union_all import UnionAll
from tailrace.errors import UnsupportedFeature

_KEPT = (
    Aggregate,
    Changelog,
    Dedup,
    Expand,
    Filter,
    GapFill,
    Join,
    Project,
    TopN,
    Repeat,
    Scan,
    SemiJoin,
    TemporalJoin,
    UnionAll,
)


def close_windows(operator: Operator) -> Operator:
    """The operators of `operator` in this mode; raises UnsupportedFeature where no watermark leads to them."""
    closing = _closing(operator)
    if _is_closed(closing):
        return closing
    for column in closing.visible:
        watermark = closing.watermarks.get(column.name)
        if watermark is not None and watermark.moves:
            return EmitOnClose(closing, column.name)
    raise UnsupportedFeature(
        "Emit-On-Window-Close mode without a watermark column in the result",
        hint="select the column that the source declares WATERMARK FOR, or a window of it",
    )


def _closing(operator: Operator) -> Operator:
    if isinstance(operator, TemporalFilter):
        raise UnsupportedFeature(
            "now() in Emit-On-Window-Close mode",
            hint="the watermark says when rows are complete: leave now() out",
        )
    if isinstance(operator, OverRows) or (isinstance(operator, RecomputeGroups) and operator.windows):
        return _closed_over(operator)
    if not isinstance(operator, _KEPT):
        raise UnsupportedFeature(
            f"{operator.describe().operator} in Emit-On-Window-Close mode",
            hint="put it into a second view over this one",
        )
    if isinstance(operator, GapFill):
        return _closed_gaps(operator)
    changed = _with_inputs(operator)
    if not isinstance(changed, Aggregate | TopN):
        return changed
    for column in changed.group if isinstance(changed, Aggregate) else changed.partition:
        watermark = changed.input.watermarks.get(column)
        if watermark is not None and watermark.moves:
            return EmitOnClose(changed, column)
    if isinstance(changed, TopN):
        raise UnsupportedFeature(
            "a top-N in Emit-On-Window-Close mode without a watermark column in PARTITION BY",
            hint="PARTITION BY window_start, or another column that has a watermark",
        )
    raise UnsupportedFeature(
        "Emit-On-Window-Close mode requires a watermark column in GROUP BY; a query without one",
        hint="GROUP BY a column that the source declares WATERMARK FOR, or the window_start or window_end of one",
    )


def _closed_over(operator: RecomputeGroups | OverRows) -> Operator:
    """Window functions over rows that have closed, each row put out when all that its frames reach has."""
    query: Callable[[str], str]
    if isinstance(operator, OverRows):
        time, reach = operator.order[0], Reach(operator.ahead, operator.behind)
        group, query, detail = (
            operator.partition,
            operator.query,
            ", ".join(text for text, _ in operator.items),
        )
        if operator.descending:
            raise UnsupportedFeature(
                "OVER (ORDER BY ... DESC) in Emit-On-Window-Close mode", hint="order it ascending"
            )
    else:
        time, reach = order_column(operator.windows), reach_of(operator.windows)
        group, query, detail = operator.group, operator.query, operator.detail
    below = _closing(operator.input)
    if not _is_closed(below):
        watermark = below.watermarks.get(time)
        if watermark is None or not watermark.moves:
            raise UnsupportedFeature(
                "OVER in Emit-On-Window-Close mode without a watermark on the column it is ordered by",
                hint="OVER (PARTITION BY ... ORDER BY the column that has the watermark)",
            )
        below = EmitOnClose(below, time)
    return OverOnClose(below, group, operator.columns, query, detail, time, reach)


def _closed_gaps(operator: GapFill) -> Operator:
    """Rows in the order of their time, each once: what lies between two of them is filled when the later one has closed."""
    below = _closing(operator.input)
    if not _is_closed(below):
        watermark = below.watermarks.get(operator.time)
        if watermark is None or not watermark.moves:
            raise UnsupportedFeature(
                "GAP_FILL with EMIT ON WINDOW CLOSE requires a watermark on the time column",
                hint=f"declare WATERMARK FOR {operator.time}",
            )
        below = EmitOnClose(below, operator.time)
    return replace(operator, input=below)


def _with_inputs(operator: Operator) -> Operator:
    """The same operator over inputs in this mode; the look-up side of a temporal join stays as it is."""
    new: dict[str, object] = {}
    for each in fields(operator):  # type: ignore[arg-type]
        value = getattr(operator, each.name)
        if isinstance(value, Operator) and not (isinstance(operator, TemporalJoin) and each.name == "right"):
            new[each.name] = _closing(value)
        elif isinstance(value, tuple) and value and all(isinstance(v, Operator) for v in value):
            new[each.name] = tuple(_closing(v) for v in value)
    return replace(operator, **new) if new else operator  # type: ignore[type-var]


def _is_closed(operator: Operator) -> bool:
    """Does everything that it puts out come from closed windows?"""
    if isinstance(operator, EmitOnClose):
        return True
    if isinstance(
        operator, OuterJoin | SemiJoin
    ):  # a row of one side may come a barrier before its match closes
        return False
    inputs = operator.inputs[:1] if isinstance(operator, TemporalJoin) else operator.inputs
    return bool(inputs) and all(_is_closed(i) for i in inputs)
