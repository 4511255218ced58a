"""`OVER (... SESSION WITH GAP ...)` of ad-hoc queries as plain SQL: sessions become a column of the FROM clause.

A row's session is what holds the rows of its partition that no gap parts from it. Views have it from the compiler
(`engine.compile.clauses.session`). Pure.
"""

from __future__ import annotations

from sqlglot import exp

from tailrace.errors import UnsupportedFeature
from tailrace.sql.event_syntax import SESSION

_BEGINS, _NUMBER, _WHOLE = "_begins", "_session", "_whole"


def expand_sessions(query: exp.Expr) -> exp.Expr:
    """Replace SESSION frames; raises UnsupportedFeature where the query is not simple enough.

    >>> from tailrace.sql.dialect import parse_query
    >>> tree = parse_query("SELECT count(*) OVER (ORDER BY a SESSION WITH GAP 5) FROM t")
    >>> expand_sessions(tree).sql("postgres").split(" FROM ")[0]
    'SELECT COUNT(*) OVER (PARTITION BY _session ORDER BY a ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)'
    """
    for select in list(query.find_all(exp.Select)):
        windows = [w for w in select.find_all(exp.Window) if _is_session(w) and w.parent_select is select]
        if windows:
            _expand(select, windows)
    return query


def _is_session(window: exp.Window) -> bool:
    spec = window.args.get("spec")
    return spec is not None and spec.args.get("kind") == SESSION


def _expand(select: exp.Select, windows: list[exp.Window]) -> None:
    source = select.args.get("from_")
    shapes = {
        (str(w.args.get("partition_by")), str(w.args.get("order")), w.args["spec"].args["start"].sql())
        for w in windows
    }
    if source is None or select.args.get("joins") or select.args.get("group") or len(shapes) != 1:
        raise UnsupportedFeature(
            "SESSION frames here",
            hint="of one partition, order and gap, over one relation or subquery, without GROUP BY",
        )
    order, partition = windows[0].args.get("order"), windows[0].args.get("partition_by") or []
    if order is None:
        raise UnsupportedFeature(
            "SESSION WITH GAP without ORDER BY", hint="OVER (PARTITION BY ... ORDER BY ts SESSION ...)"
        )
    item, gap, ordered = source.this, windows[0].args["spec"].args["start"], order.expressions[0]
    alias = item.alias_or_name
    name = exp.to_identifier(alias)

    def over(function: exp.Expr) -> exp.Window:
        return exp.Window(this=function, partition_by=[p.copy() for p in partition], order=order.copy())

    before: exp.Expr = over(exp.Lag(this=ordered.this.copy()))
    after: exp.Expr = ordered.this.copy()
    if ordered.args.get("desc"):
        before, after = after, before
    near = exp.LTE(this=after, expression=exp.Add(this=before, expression=gap.copy()))
    begins = exp.Case(ifs=[exp.If(this=near, true=exp.Literal.number(0))], default=exp.Literal.number(1))
    every = exp.Column(this=exp.Star(), table=name.copy())
    inner = exp.select(every, exp.alias_(exp.column(name.copy()), _WHOLE), exp.alias_(begins, _BEGINS)).from_(
        item.copy()
    )
    if select.args.get("where"):
        inner.set("where", select.args["where"].copy())
        select.set("where", None)
    number = exp.alias_(over(exp.Sum(this=exp.column(_BEGINS))), _NUMBER)
    middle = exp.select(every.copy(), number).from_(
        exp.Subquery(this=inner, alias=exp.TableAlias(this=name.copy()))
    )
    item.replace(exp.Subquery(this=middle, alias=exp.TableAlias(this=name.copy())))
    for window in windows:
        window.set("partition_by", [*partition, exp.column(_NUMBER)])
        window.set("spec", _frame())
    whole = exp.Dot(this=exp.Paren(this=exp.column(_WHOLE, table=name.copy())), expression=exp.Star())
    select.set("expressions", [whole.copy() if _is_star(e) else e for e in select.expressions])


def _is_star(item: exp.Expr) -> bool:
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def _frame() -> exp.WindowSpec:
    return exp.WindowSpec(
        kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="UNBOUNDED", end_side="FOLLOWING"
    )
