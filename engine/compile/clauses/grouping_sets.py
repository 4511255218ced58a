"""GROUPING SETS, ROLLUP and CUBE: each row once for each set, with the keys outside of the set made NULL.

    SELECT a, b, count(*) FROM t GROUP BY ROLLUP (a, b)
is the grouping by (set, a, b) of t CROSS JOIN (VALUES (0), (1), (2)) AS s(set), where a is NULL in set 2 and b in 1 and 2.
As in RisingWave, an empty set over no rows gives no group.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

from sqlglot import exp

from engine.compile.expressions import identifier
from engine.compile.scope import Planner
from engine.operators.base import Column, Operator
from engine.operators.project import Project
from engine.operators.repeat import Repeat

Sets = list[tuple[exp.Expr, ...]]


def grouping_sets(group: exp.Group | None) -> Sets:
    """The sets of GROUP BY; one for a plain one. Several elements beside each other are multiplied out."""
    elements: list[Sets] = []
    if group is not None:
        for item in group.expressions:
            elements.append(_sets(item))
        for kind in ("rollup", "cube", "grouping_sets"):
            elements.extend(_sets(item) for item in group.args.get(kind) or [])
    return [_flat(choice) for choice in product(*elements)]


def _flat(choice: Sequence[tuple[exp.Expr, ...]]) -> tuple[exp.Expr, ...]:
    return tuple(e for part in choice for e in part)


def _sets(item: exp.Expr) -> Sets:
    if isinstance(item, exp.Rollup):
        parts = [_columns(e) for e in item.expressions]
        return [_flat(parts[:n]) for n in range(len(parts), -1, -1)]
    if isinstance(item, exp.Cube):
        parts = [_columns(e) for e in item.expressions]
        return [_flat(c) for n in range(len(parts), -1, -1) for c in combinations(parts, n)]
    if isinstance(item, exp.GroupingSets):
        return [s for e in item.expressions for s in _sets(e)]
    return [_columns(item)]


def _columns(item: exp.Expr) -> tuple[exp.Expr, ...]:
    if isinstance(item, exp.Tuple):
        return tuple(item.expressions)
    return (item.unnest(),)


def repeated(
    planner: Planner, operator: Operator, keys: Sequence[str], sets: Sequence[Sequence[str]]
) -> tuple[Operator, str, dict[str, str]]:
    """`operator` with each row once a set: the column that numbers the sets, and for each key its column to group by."""
    number = f"_set{planner.fresh()}"
    below = Repeat(operator, number, tuple(range(len(sets))))
    items: list[exp.Expr] = [identifier(c.name) for c in below.columns]
    columns = list(below.columns)
    renamed = {}
    for key in keys:
        renamed[key] = name = f"_g{planner.fresh()}"
        inside = [exp.Literal.number(i) for i, s in enumerate(sets) if key in s]
        test = exp.In(this=identifier(number), expressions=inside) if inside else exp.false()
        items.append(exp.Case(ifs=[exp.If(this=test, true=identifier(key))]))
        columns.append(Column(name, operator.column(key).type, hidden=True))
    return Project(below, tuple(items), tuple(columns), below.key), number, renamed


def grouping(arguments: Sequence[str], number: str, sets: Sequence[Sequence[str]]) -> exp.Expr:
    """grouping(a, b): a bit for each argument, the last one lowest, set where the row's set does not hold it."""
    ifs = []
    for index, keys in enumerate(sets):
        bits = "".join("0" if a in keys else "1" for a in arguments)
        value = exp.Literal.number(int(bits, 2))
        ifs.append(
            exp.If(this=exp.EQ(this=identifier(number), expression=exp.Literal.number(index)), true=value)
        )
    return exp.Case(ifs=ifs)
