"""join_without_condition: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import is_aggregated, is_maintained, selects
from tailrace.lint.rule import Place, Rule, Severity

_SERVED = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.NullSafeEQ)


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Sides of one row (an aggregate without GROUP BY) are let alone, and so are table functions."""
    if not is_maintained(item) or item.query is None:
        return
    for select in selects(item.query):
        where = select.args.get("where")
        for join in select.args.get("joins") or []:
            if (
                _is_one_row(join.this)
                or not isinstance(join.this, exp.Table | exp.Subquery)
                or join.args.get("using")
            ):
                continue
            if isinstance(join.this, exp.Table) and isinstance(join.this.this, exp.Func | exp.Anonymous):
                continue
            if str(join.args.get("method") or "").upper() in ("NATURAL", "ASOF"):
                continue
            conditions = [c for c in (join.args.get("on"), where.this if where else None) if c is not None]
            alias = join.this.alias_or_name
            if not any(_serves(condition, alias) for condition in conditions):
                yield join.this, f"the join with {alias} has no condition that an index serves"


def _serves(part: exp.Expr, alias: str) -> bool:
    """A comparison with a column of the joined side, or one that does not say whose columns it names."""
    if isinstance(part, exp.And):
        return any(_serves(p, alias) for p in part.flatten())
    if not isinstance(part.unnest(), _SERVED):
        return False
    tables = {c.table for c in part.find_all(exp.Column)}
    return "" in tables or (alias in tables and len(tables) > 1)


def _is_one_row(side: exp.Expr) -> bool:
    inner = side.this if isinstance(side, exp.Subquery) else None
    return isinstance(inner, exp.Select) and is_aggregated(inner) and not inner.args.get("group")


RULE = Rule(
    "join_without_condition",
    Severity.WARNING,
    "A join on nothing that an index serves compares each changed row with all rows of the other side: O(state)",
    "Join on an equal column or a comparison; UNION the branches of an OR.",
    check,
)
