"""JOIN: equal columns, what else must hold, and which of the join operators it is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.compile.clauses.asof import asof_join
from engine.compile.clauses.ranges import ONE_INDEX, ranges_of
from engine.compile.expressions import check_scalars, identifier
from engine.compile.relations import describe_over
from engine.compile.scope import Planner, Scope, bind, computed
from engine.operators.base import Operator
from engine.operators.join import Join
from engine.operators.matching import Match, Pairs, Range
from engine.operators.outer_join import OuterJoin
from engine.operators.project import rename
from engine.operators.temporal_join import TemporalJoin
from tailrace.errors import UnsupportedFeature

MOST_FULL_JOINS = 12
"""Each is planned over the columns of those below it: a query with a hundred would hold up the barriers while it is planned."""


def joined(planner: Planner, left: Scope, right: Scope, on: Sequence[exp.Expr], kind: str) -> Scope:
    """`left` joined with `right` where all of `on` holds; `kind` is inner, left, right or full."""
    if kind == "right":
        return joined(planner, right, left, on, "left")
    scope = _both(planner, left, right)
    one, other, match = _match(planner, scope, left.operator, scope.operator, on)
    if kind == "inner":
        operator: Operator = Join(one, other, match)
    else:
        full = kind == "full"
        if full and max(map(_full_joins, (one, other))) >= MOST_FULL_JOINS:
            raise UnsupportedFeature(
                f"more than {MOST_FULL_JOINS} full joins above each other, kept incrementally",
                hint="make materialized views of some of them, and join those",
            )
        operator = OuterJoin(one, other, match, full=full)
    return Scope(operator, scope.names)


def _full_joins(operator: Operator) -> int:
    """How many full joins lie above each other in `operator`."""
    full = isinstance(operator, OuterJoin) and operator.full
    return full + max((_full_joins(i) for i in operator.inputs), default=0)


def combine(
    planner: Planner, left: Scope, right: Scope, on: Sequence[exp.Expr]
) -> tuple[Operator, Operator, Match]:
    """Both sides, with columns of disjoint names, and when their rows match."""
    scope = _both(planner, left, right)
    return _match(planner, scope, left.operator, scope.operator, on)


def temporal(planner: Planner, left: Scope, right: Scope, on: Sequence[exp.Expr], *, outer: bool) -> Scope:
    """`left` joined with `right` as it is when a row of `left` comes."""
    scope = _both(planner, left, right)
    one, other, match = _match(planner, scope, left.operator, scope.operator, on)
    if match.null_safe:
        raise UnsupportedFeature(
            "IS NOT DISTINCT FROM in a temporal join", hint="join ON l.column = r.column"
        )
    return Scope(TemporalJoin(one, other, match, outer), scope.names)


def asof(planner: Planner, left: Scope, right: Scope, on: Sequence[exp.Expr], *, outer: bool) -> Scope:
    """`left` joined with the nearest row of `right`."""
    scope = _both(planner, left, right)
    one, other, pairs, safe, rest = _pairs(planner, scope, left.operator, scope.operator, on)
    if safe:
        raise UnsupportedFeature("IS NOT DISTINCT FROM in an ASOF JOIN", hint="join ON l.column = r.column")
    return Scope(asof_join(planner, scope, (one, other), pairs, rest, outer=outer), scope.names)


def _both(planner: Planner, left: Scope, right: Scope) -> Scope:
    """The names of both sides over the right operator, whose columns are renamed where the left one has such."""
    taken = {c.name for c in left.operator.columns}
    mapping: dict[str, str] = {}
    for column in right.operator.columns:
        name = column.name
        while name in taken:
            name = f"{column.name}_{planner.fresh()}"
        taken.add(name)
        mapping[column.name] = name
    of_right = {a: {k: mapping[v] for k, v in m.items()} for a, m in right.names.items()}
    return Scope(rename(right.operator, mapping), {**left.names, **of_right})


def _match(
    planner: Planner, scope: Scope, left: Operator, right: Operator, on: Sequence[exp.Expr]
) -> tuple[Operator, Operator, Match]:
    left, right, pairs, safe, rest = _pairs(planner, scope, left, right, on)
    left, right, conditions = _conditions(planner, scope, left, right, rest)
    ranges: tuple[Range, ...] = ()
    if not pairs:
        left, right, ranges = ranges_of(planner, left, right, conditions)
    return left, right, Match(pairs, _over_both(left, conditions), safe, ranges)


def _pairs(
    planner: Planner, scope: Scope, left: Operator, right: Operator, on: Sequence[exp.Expr]
) -> tuple[Operator, Operator, Pairs, frozenset[str], list[exp.Expr]]:
    """Split join conditions into equal columns and the rest; computed sides become columns first."""
    left_names, right_names = {c.name for c in left.columns}, {c.name for c in right.columns}
    equalities: list[tuple[exp.Expr, exp.Expr, bool]] = []
    rest: list[exp.Expr] = []
    for condition in on:
        condition = condition.unnest()
        if isinstance(condition, exp.EQ | exp.NullSafeEQ):
            a, b = bind(scope, condition.this), bind(scope, condition.expression)
            reads_a = {c.name for c in a.find_all(exp.Column)}
            reads_b = {c.name for c in b.find_all(exp.Column)}
            if reads_a and reads_b and reads_a <= right_names and reads_b <= left_names:
                a, b, reads_a, reads_b = b, a, reads_b, reads_a
            # one side twice is not two keys: the planner would compare the other sides among each other
            fresh = all(a != c and b != d for c, d, _ in equalities)
            if reads_a and reads_b and reads_a <= left_names and reads_b <= right_names and fresh:
                equalities.append((a, b, isinstance(condition, exp.NullSafeEQ)))
                continue
        rest.append(condition)
    sides = [_aligned(planner, left, right, a, b) for a, b, _ in equalities]
    left, left_columns = computed(planner, left, [a for a, _ in sides])
    right, right_columns = computed(planner, right, [b for _, b in sides])
    safe = frozenset(c for c, (_, _, s) in zip(left_columns, equalities, strict=True) if s)
    return left, right, tuple(zip(left_columns, right_columns, strict=True)), safe, rest


def _aligned(
    planner: Planner, left: Operator, right: Operator, a: exp.Expr, b: exp.Expr
) -> tuple[exp.Expr, exp.Expr]:
    """Both sides in types that one index compares; raises what PostgreSQL says where they cannot be compared."""
    one, other = (
        describe_over(planner.environment, left, [a])[0],
        describe_over(planner.environment, right, [b])[0],
    )
    if one == other or any({one, other} <= family for family in ONE_INDEX):
        return a, b
    planner.environment.describe(f"SELECT NULL::{one} = NULL::{other} AS c")
    common = planner.environment.describe(f"SELECT NULL::{one} AS c UNION ALL SELECT NULL::{other}")[0].type
    return _cast(a, one, common), _cast(b, other, common)


def _cast(side: exp.Expr, type_: str, wanted: str) -> exp.Expr:
    return side if type_ == wanted else exp.cast(side, wanted, dialect="postgres")


def _conditions(
    planner: Planner, scope: Scope, left: Operator, right: Operator, conditions: Sequence[exp.Expr]
) -> tuple[Operator, Operator, list[exp.Expr]]:
    """What else must hold, over the columns of both. What reads one side and may fail is computed there, softly."""
    if not conditions:
        return left, right, []
    bound = [bind(scope, c) for c in conditions]
    check_scalars(planner.environment, bound)
    sides = []
    for operator in (left, right):
        columns = {c.name for c in operator.columns}
        found = [n for b in bound for n in _failing(b, columns)]
        operator, names = computed(planner, operator, found)
        for node, name in zip(found, names, strict=True):
            bound = [identifier(name) if b is node else b for b in bound]
            if node.parent is not None:
                node.replace(identifier(name))
        sides.append(operator)
    left, right = sides
    if any(_may_fail(n) for b in bound for n in b.walk()):
        raise UnsupportedFeature("an expression over both sides that may fail, in a join condition of a view")
    return left, right, bound


def _over_both(left: Operator, conditions: Sequence[exp.Expr]) -> exp.Expr | None:
    """The conditions as one, their columns qualified by l and r."""
    if not conditions:
        return None
    lefts = {c.name for c in left.columns}

    def qualified(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            side = "l" if node.name in lefts else "r"
            return exp.column(exp.to_identifier(node.name, quoted=True), table=side)
        return node

    return exp.and_(*(c.transform(qualified) for c in conditions))


def _failing(node: exp.Expr, columns: set[str]) -> list[exp.Expr]:
    """The largest expressions over these columns alone in which something may fail."""
    read = {c.name for c in node.find_all(exp.Column)}
    if read and read <= columns and not isinstance(node, exp.Connector | exp.Predicate | exp.Not):
        return [node] if any(_may_fail(n) for n in node.walk()) else []
    return [found for child in node.iter_expressions() for found in _failing(child, columns)]


def _may_fail(node: exp.Expr) -> bool:
    if isinstance(node, exp.Cast):
        return not isinstance(node.this, exp.Literal | exp.Null | exp.Boolean)
    return isinstance(node, exp.Div | exp.Mod) and not isinstance(node.expression, exp.Literal)
