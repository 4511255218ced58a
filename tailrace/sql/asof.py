"""ASOF and temporal joins of ad-hoc queries as plain SQL.

A query sees now, so FOR SYSTEM_TIME AS OF PROCTIME() says nothing there. ASOF becomes a lateral look-up of the nearest right row;
among equals it takes the least row, as views take the one with the least key.
"""

from __future__ import annotations

from sqlglot import exp

from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.event_syntax import is_changelog

_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}


def expand_asof(query: exp.Expr) -> exp.Expr:
    """Replace ASOF joins by lateral ones and leave out FOR SYSTEM_TIME AS OF PROCTIME().

    >>> import sqlglot
    >>> tree = sqlglot.parse_one("SELECT * FROM a ASOF JOIN b ON a.k = b.k AND a.t >= b.t", read="risingwave")
    >>> expand_asof(tree).sql("postgres").removeprefix("SELECT * FROM a CROSS JOIN LATERAL ")
    '(SELECT * FROM b WHERE a.k = b.k AND a.t >= b.t ORDER BY b.t DESC NULLS LAST, b LIMIT 1) AS b'

    Raises InvalidStatement where the condition is not made of equalities and one inequality.
    """
    for table in query.find_all(exp.Table):
        if is_changelog(table):
            raise UnsupportedFeature(
                "AS CHANGELOG in an ad-hoc query",
                hint="create a materialized view over the changelog and query that",
            )
        table.set("version", None)
    for join in list(query.find_all(exp.Join)):
        if (join.method or "").upper() == "ASOF":
            _expand(join)
    return query


def _expand(join: exp.Join) -> None:
    on, right = join.args.get("on"), join.this
    if on is None:
        raise InvalidStatement("ASOF JOIN needs ON", hint="ON l.key = r.key AND l.ts >= r.ts")
    unequal = [c for c in on.flatten() if type(c) in _FLIPPED] if isinstance(on, exp.And) else []
    if len(unequal) != 1:
        raise InvalidStatement(
            "ASOF JOIN requires at least one equal condition and exactly one inequality condition",
            hint="ON l.key = r.key AND l.ts >= r.ts",
        )
    alias = right.alias_or_name
    if not alias or not isinstance(right, exp.Table | exp.Subquery):
        raise UnsupportedFeature("this right side of an ASOF JOIN", hint="give it an alias")
    kind, nearest = type(unequal[0]), unequal[0].expression
    if _reads(unequal[0].this, alias) and not _reads(nearest, alias):
        kind, nearest = _FLIPPED[kind], unequal[0].this
    order = [
        exp.Ordered(this=nearest.copy(), desc=kind in (exp.GT, exp.GTE)),
        exp.Ordered(this=exp.column(exp.to_identifier(alias, quoted=_quoted(right)))),
    ]
    inner = exp.select("*").from_(right.copy()).where(on.copy()).order_by(*order, copy=False).limit(1)
    name = exp.TableAlias(this=exp.to_identifier(alias, quoted=_quoted(right)))
    join.set("this", exp.Lateral(this=inner.subquery(), alias=name))
    outer = (join.side or "").upper() == "LEFT"
    join.set("method", None)
    join.set("on", exp.true() if outer else None)
    join.set("kind", None if outer else "CROSS")


def _reads(expression: exp.Expr, alias: str) -> bool:
    return any(c.table == alias for c in expression.find_all(exp.Column))


def _quoted(item: exp.Expr) -> bool:
    name = item.args["alias"].this if item.args.get("alias") is not None else item.this
    return isinstance(name, exp.Identifier) and bool(name.args.get("quoted"))
