"""row_number() and rank(): where an outer WHERE bounds them they are a top-N, which keeps the top only.

A subquery that selects one of them is planned in full (see `over`); its `Rank` says how the same is planned as a top-N.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from engine.compile.clauses.over import over
from engine.compile.clauses.projection import project
from engine.compile.expressions import identifier
from engine.compile.scope import COMPARISONS, FLIPPED, Planner, Rank, Scope, bind, computed
from engine.operators.base import Operator
from engine.operators.project import rename
from engine.operators.top_n import RANK, ROW_NUMBER, SortKey, TopN

_FUNCTIONS: dict[type[exp.Expr], str] = {exp.RowNumber: ROW_NUMBER, exp.Rank: RANK}


def row_number(
    planner: Planner, scope: Scope, selects: list[exp.Expr], windows: list[exp.Window]
) -> tuple[Operator, Rank | None]:
    """Plan a select list with window functions; the rank is set where a bound outside would make it a top-N."""
    rank = _rank(planner, scope, selects, windows)
    over(planner, scope, selects)
    return project(planner, scope, selects), rank


def _rank(planner: Planner, scope: Scope, selects: list[exp.Expr], windows: list[exp.Window]) -> Rank | None:
    item = next((s for s in selects if s.unalias() is windows[0]), None)
    function = _FUNCTIONS.get(type(windows[0].this))
    if len(windows) > 1 or item is None or function is None or windows[0].args.get("spec"):
        return None
    window = windows[0]
    partition = [bind(scope, p) for p in window.args.get("partition_by") or [] if p.find(exp.Column)]
    ordered = window.args["order"].expressions if window.args.get("order") else []
    if any(isinstance(o.this.unnest(), exp.Tuple) or not o.this.find(exp.Column) for o in ordered):
        return None
    operator, columns = computed(
        planner, scope.operator, [*partition, *(bind(scope, o.this) for o in ordered)]
    )
    rest = [s.copy() for s in selects if s is not item]
    inner = Scope(operator, scope.names)
    wanted = [exp.alias_(identifier(c), f"_r{i}") for i, c in enumerate(columns)]
    projected = project(planner, inner, [*rest, *wanted])
    names = [f"_r{i}" for i in range(len(columns))]
    hidden = rename(projected, {c.name: c.name for c in projected.columns}, names)
    keys = tuple(
        SortKey(names[len(partition) + i], bool(o.args.get("desc")), bool(o.args.get("nulls_first")))
        for i, o in enumerate(ordered)
    )
    return Rank(item.alias_or_name, tuple(names[: len(partition)]), keys, hidden, function)


@dataclass(slots=True)
class _Bounds:
    """The ranks wanted: from `low` to `high`, both included; high is None while nothing bounds it."""

    low: int = 1
    high: int | None = None

    def narrow(self, op: str, number: int) -> None:
        if op in ("<", "<=", "="):
            top = number - 1 if op == "<" else number
            self.high = top if self.high is None else min(self.high, top)
        if op in (">", ">=", "="):
            self.low = max(self.low, number + 1 if op == ">" else number)


def bound_rank(scope: Scope, conditions: list[exp.Expr], tree: exp.Select) -> None:
    """Turn a row_number() or rank() and its bounds in WHERE into a TopN; without an upper bound it stays what it is."""
    rank, scope.ranked = scope.ranked, None
    assert rank is not None  # noqa: S101 - the caller checked
    alias, bounds, serving = next(iter(scope.names)), _Bounds(), []
    for condition in conditions:
        bound = _rank_bound(condition, alias, rank.column)
        if bound is not None:
            serving.append(condition)
            bounds.narrow(*bound)
    if bounds.high is None:
        return
    for condition in serving:
        conditions.remove(condition)
    joined = [j.args["on"] for j in tree.args.get("joins") or [] if j.args.get("on")]
    reads = [c for s in [*tree.selects, *conditions, *joined] for c in s.find_all(exp.Column)]
    emitted = any(c.table == alias and c.name == rank.column for c in reads)
    for part in ("group", "having", "order"):
        node = tree.args.get(part)
        emitted = emitted or (
            node is not None and any(c.name == rank.column for c in node.find_all(exp.Column))
        )
    scope.operator = TopN(
        rank.operator,
        rank.partition,
        rank.order,
        max(bounds.high, 0),
        rank.column if emitted else None,
        offset=bounds.low - 1,
        function=rank.function,
    )
    there = {column.name for column in scope.operator.columns}  # all but a rank that nobody reads
    scope.names = {a: {k: v for k, v in m.items() if v in there} for a, m in scope.names.items()}


def _rank_bound(condition: exp.Expr, alias: str, column: str) -> tuple[str, int] | None:
    """("<=", n) for `rn <= n`, and so on, and their mirror images; None for anything else."""
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
    return op, int(right.name)
