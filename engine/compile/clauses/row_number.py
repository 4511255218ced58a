"""row_number(): a column that waits in its subquery until an outer WHERE bounds it, and then is a top-N."""

from __future__ import annotations

from sqlglot import exp

from engine.compile.clauses.projection import project
from engine.compile.expressions import identifier
from engine.compile.scope import COMPARISONS, FLIPPED, Planner, Rank, Scope, bind, computed, over, unbounded
from engine.operators.base import Operator
from engine.operators.project import rename
from engine.operators.top_n import SortKey, TopN
from tailrace.errors import UnsupportedFeature


def row_number(
    planner: Planner, scope: Scope, selects: list[exp.Expr], windows: list[exp.Expr]
) -> tuple[Operator, Rank | None]:
    """Plan a select list with a row_number(); the rank is left to be bounded outside."""
    item = windows[0]
    window = item.unalias()
    if len(windows) > 1 or not isinstance(window, exp.Window) or not isinstance(window.this, exp.RowNumber):
        name = window.this.sql() if isinstance(window, exp.Window) else "an expression over a window function"
        raise UnsupportedFeature(
            f"{name} OVER in a view",
            hint="only one row_number() bounded by an outer WHERE rn <= n is maintained",
        )
    partition = [bind(scope, p) for p in window.args.get("partition_by") or []]
    ordered = window.args["order"].expressions if window.args.get("order") else []
    order = [bind(scope, o.this) for o in ordered]
    operator, columns = computed(planner, scope.operator, [*partition, *order])
    rest = [s for s in selects if s is not item]
    inner = over(scope, operator)
    wanted = [exp.alias_(identifier(c), f"_r{i}") for i, c in enumerate(columns)]
    projected = project(planner, inner, [*rest, *wanted])
    names = [f"_r{i}" for i in range(len(columns))]
    hidden = rename(projected, {c.name: c.name for c in projected.columns}, names)
    keys = tuple(
        SortKey(names[len(partition) + i], bool(o.args.get("desc")), bool(o.args.get("nulls_first")))
        for i, o in enumerate(ordered)
    )
    rank = Rank(item.alias, tuple(names[: len(partition)]), keys)
    return hidden, rank


def bound_rank(scope: Scope, conditions: list[exp.Expr], tree: exp.Select) -> None:
    """Turn a waiting row_number() and its bound in WHERE into a TopN."""
    rank = scope.ranked
    assert rank is not None  # noqa: S101 - the caller checked
    alias = next(iter(scope.names))
    limit = None
    for condition in list(conditions):
        bound = _rank_bound(condition, alias, rank.column)
        if bound is not None:
            conditions.remove(condition)
            limit = bound if limit is None else min(limit, bound)
    if limit is None:
        raise unbounded()
    joined = [j.args["on"] for j in tree.args.get("joins") or [] if j.args.get("on")]
    reads = [c for s in [*tree.selects, *conditions, *joined] for c in s.find_all(exp.Column)]
    emitted = any(c.table == alias and c.name == rank.column for c in reads)
    for part in ("group", "having", "order"):
        node = tree.args.get(part)
        emitted = emitted or (
            node is not None and any(c.name == rank.column for c in node.find_all(exp.Column))
        )
    scope.operator = TopN(scope.operator, rank.partition, rank.order, limit, rank.column if emitted else None)
    scope.names[alias] = {**scope.names[alias], rank.column: rank.column}
    scope.ranked = None


def _rank_bound(condition: exp.Expr, alias: str, column: str) -> int | None:
    """n for `rn <= n`, `rn < n + 1`, `rn = 1` and their mirror images; None for anything else."""
    left, right = condition.args.get("this"), condition.args.get("expression")
    op = "=" if isinstance(condition, exp.EQ) else COMPARISONS.get(type(condition))
    if op is None or left is None or right is None:
        return None
    if isinstance(right, exp.Column):
        left, right, op = right, left, FLIPPED.get(op, op)
    if not isinstance(left, exp.Column) or left.name != column or left.table != alias:
        return None
    if not isinstance(right, exp.Literal) or not right.name.isdigit():
        return None
    number = int(right.name)
    if op == "<=":
        return number
    if op == "<":
        return number - 1
    return 1 if op == "=" and number == 1 else None
