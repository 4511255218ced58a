"""Scalar subqueries of a select list or of HAVING moved to where joins are: LEFT JOIN LATERAL.

Pure: syntax trees whose columns are qualified to syntax trees. A query that aggregates is split in two first, so that what stands
over the groups is a plain query.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from engine.compile.correlation import free_columns, gives_one_row, is_scalar, own_aggregates, queries_in
from tailrace.errors import UnsupportedFeature

MORE_THAN_ONE = "a scalar subquery that might produce more than one row"
ONE_ROW_HINT = "aggregate it without GROUP BY, or end it with LIMIT 1: (SELECT max(x) FROM v)"


def laterals(select: exp.Select, fresh: Callable[[], int]) -> exp.Select:
    """The query with its scalar subqueries as lateral joins; itself where it has none.

    `SELECT a, (SELECT max(x) FROM u WHERE u.b = t.b) AS m FROM t` becomes
    `SELECT a, _l1._v AS m FROM t LEFT JOIN LATERAL (SELECT max(x) AS _v FROM u WHERE u.b = t.b) AS _l1 ON TRUE`.
    """
    having = select.args.get("having")
    over = [*select.selects, *([having] if having is not None else [])]
    if not any(queries_in(e) for e in over):
        return select
    select = select.copy()
    if select.args.get("group") is not None or own_aggregates(select):
        select = _split(select, fresh)
    for item in select.selects:
        for node in _scalars(item):
            _move(select, node, fresh)
    return select


def _scalars(item: exp.Expr) -> list[exp.Expr]:
    """The outermost scalar subqueries and EXISTS of an expression."""
    found: list[exp.Expr] = []
    stack = [item]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Exists) or (isinstance(node, exp.Subquery) and is_scalar(node)):
            found.append(node)
        elif isinstance(node, exp.Query):
            raise UnsupportedFeature("this form of a subquery in a select list of a view")
        else:
            stack.extend(node.iter_expressions())
    return found


def _move(select: exp.Select, node: exp.Expr, fresh: Callable[[], int]) -> None:
    query = counted(node.this) if isinstance(node, exp.Exists) else node.this.unnest()
    if not gives_one_row(query):
        raise UnsupportedFeature(MORE_THAN_ONE, hint=ONE_ROW_HINT)
    query = query.copy()
    if not isinstance(query, exp.Select) or len(query.selects) != 1:
        raise UnsupportedFeature("this form of a subquery in a select list of a view")
    alias, value = f"_l{fresh()}", "_v"
    query.set("expressions", [exp.alias_(query.selects[0].unalias(), value, quoted=True)])
    lateral = exp.Lateral(
        this=exp.Subquery(this=query), alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
    )
    if select.args.get("from_") is None:
        select.set("from_", exp.From(this=exp.values([(0,)], alias=f"_l{fresh()}", columns=["n"])))
    select.append("joins", exp.Join(this=lateral, side="LEFT", on=exp.true()))
    column = exp.column(exp.to_identifier(value, quoted=True), table=exp.to_identifier(alias, quoted=True))
    if node.parent is not None:
        node.replace(column)


def counted(query: exp.Expr) -> exp.Select:
    """EXISTS (SELECT ...) as SELECT count(*) > 0 ..."""
    select = query.unnest().copy()
    special = ("group", "having", "distinct", "limit", "offset")
    if (
        not isinstance(select, exp.Select)
        or any(select.args.get(k) for k in special)
        or own_aggregates(select)
    ):
        raise UnsupportedFeature("this form of EXISTS in an expression of a view")
    many = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0))
    select.set("expressions", [exp.alias_(many, "_exists")])
    select.set("order", None)
    return select


def _split(select: exp.Select, fresh: Callable[[], int]) -> exp.Select:
    """A query over its own groups: what is computed of groups and aggregates, with HAVING as WHERE, stands outside."""
    group = select.args.get("group")
    if group is not None and any(group.args.get(k) for k in ("grouping_sets", "cube", "rollup")):
        raise UnsupportedFeature("a subquery over GROUPING SETS, CUBE or ROLLUP in a view")
    if any(s.find(exp.Window) for s in select.selects):
        raise UnsupportedFeature("a subquery beside a window function and GROUP BY in a view")
    alias = f"_g{fresh()}"
    inner: dict[str, exp.Expr] = {}

    def column(node: exp.Expr) -> exp.Expr:
        name = next((n for n, e in inner.items() if e == node), None)
        if name is None:
            name = f"_v{len(inner)}"
            inner[name] = node.copy()
        return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))

    keys = list(group.expressions) if group is not None else []
    for key in keys:
        column(key)

    def outside(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Query):
            for read in free_columns(node):
                if read in keys:
                    read.replace(column(read))
            return node
        called = node.this if isinstance(node, exp.Filter | exp.WithinGroup) else node
        if node in keys or isinstance(called, exp.AggFunc):
            return column(node)
        for child in list(node.iter_expressions()):
            new = outside(child)
            if new is not child:
                child.replace(new)
        return node

    outputs = [
        s if isinstance(s, exp.Alias) else exp.alias_(s, s.alias_or_name, quoted=True) for s in select.selects
    ]
    outputs = [outside(s) for s in outputs]
    having = select.args.get("having")
    condition = outside(having.this) if having is not None else None
    below = select.copy()
    for part in ("having", "order", "limit", "offset", "distinct"):
        below.set(part, None)
    below.set("expressions", [exp.alias_(e, n, quoted=True) for n, e in inner.items()])
    above = exp.select(*outputs).from_(below.subquery(exp.to_identifier(alias, quoted=True)))
    if condition is not None:
        above.where(condition, copy=False)
    for part in ("order", "limit", "offset", "distinct"):
        if select.args.get(part) is not None:
            above.set(part, select.args[part].copy())
    return above
