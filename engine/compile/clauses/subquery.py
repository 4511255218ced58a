"""Subqueries in conditions and in expressions: EXISTS and IN become semi and anti joins, scalar ones columns of a join."""

from __future__ import annotations

from sqlglot import exp

from engine.compile.cardinality import of_one_row
from engine.compile.clauses.dynamic_filter import dynamic_filter
from engine.compile.clauses.join import combine, joined
from engine.compile.correlation import Uncorrelated, gives_one_row, is_scalar, uncorrelated
from engine.compile.scalar_subqueries import MORE_THAN_ONE, ONE_ROW_HINT, counted
from engine.compile.scope import COMPARISONS, Planner, Queries, Scope, filtered, has_subquery
from engine.operators.base import Operator
from engine.operators.project import Filter
from engine.operators.semi_join import SemiJoin
from engine.operators.shared import Shared
from tailrace.errors import InvalidStatement, UnsupportedFeature


def narrow(planner: Planner, scope: Scope, condition: exp.Expr, ctes: Queries) -> None:
    """Narrow the scope down to the rows for which `condition`, which holds a subquery, is true."""
    negated, inner = _negation(condition)
    inner = _as_membership(inner)
    if isinstance(inner, exp.Not):
        negated, inner = not negated, inner.this
    if isinstance(inner, exp.Exists) and inner.this is not None:
        _exists(planner, scope, inner.this, ctes, anti=negated)
        return
    if isinstance(inner, exp.In) and inner.args.get("query") is not None and not has_subquery(inner.this):
        _member(planner, scope, inner, ctes, anti=negated)
        return
    if not negated and isinstance(condition, (exp.Between, *COMPARISONS)):
        try:
            dynamic_filter(planner, scope, condition, ctes)
        except UnsupportedFeature:
            pass  # with correlation, with = and <>, among other operators: by a join
        else:
            return
    _compared(planner, scope, condition, ctes)


def lift(planner: Planner, scope: Scope, expression: exp.Expr, ctes: Queries) -> exp.Expr:
    """`expression` with its scalar subqueries and EXISTS as columns, which the scope is joined with."""
    expression = expression.copy()
    found = [n for n in expression.find_all(exp.Subquery, exp.Exists) if n.find_ancestor(exp.Query) is None]
    for node in [n for n in found if not isinstance(n.parent, exp.Exists)]:
        if isinstance(node, exp.Exists):
            column = _value(planner, scope, counted(node.this), ctes)
        elif is_scalar(node) or node is expression:
            column = _value(planner, scope, node.this, ctes)
        else:
            raise UnsupportedFeature("this form of a subquery in an expression of a view")
        if node is expression:
            expression = column
        else:
            node.replace(column)
    if has_subquery(expression):
        raise UnsupportedFeature("this form of a subquery in an expression of a view")
    return expression


def _negation(condition: exp.Expr) -> tuple[bool, exp.Expr]:
    negated = False
    condition = condition.unnest()
    while isinstance(condition, exp.Not):
        negated, condition = not negated, condition.this.unnest()
    return negated, condition


def _as_membership(condition: exp.Expr) -> exp.Expr:
    """x = ANY (SELECT ...) as x IN (SELECT ...), x <> ALL (SELECT ...) as its negation."""
    side = condition.args.get("expression")
    for kind, quantifier, negated in ((exp.EQ, exp.Any, False), (exp.NEQ, exp.All, True)):
        if isinstance(condition, kind) and isinstance(side, quantifier) and side.find(exp.Query):
            query = side.this
            query = query if isinstance(query, exp.Subquery) else exp.Subquery(this=query.copy())
            member = exp.In(this=condition.this.copy(), query=query.copy())
            return exp.Not(this=member) if negated else member
    return condition


def _exists(planner: Planner, scope: Scope, query: exp.Expr, ctes: Queries, *, anti: bool) -> None:
    plain = uncorrelated(query, planner.fresh, exists=True)
    if plain.whole:  # an aggregate without GROUP BY has always a row
        if anti:
            scope.operator = Filter(scope.operator, exp.false())
        return
    _semi(planner, scope, plain, [], ctes, anti=anti)


def _member(planner: Planner, scope: Scope, member: exp.In, ctes: Queries, *, anti: bool) -> None:
    plain = uncorrelated(member.args["query"], planner.fresh)
    values = member.this.unnest()
    values = list(values.expressions) if isinstance(values, exp.Tuple) else [values]
    outputs = [s.alias_or_name for s in plain.query.selects][: len(values)]
    width = len(plain.query.selects) - len({n for _, n in plain.equal}) - _extra(plain)
    if width != len(values):
        raise InvalidStatement(f"subquery has too {'many' if width > len(values) else 'few'} columns")
    pairs = list(zip(values, outputs, strict=True))
    if anti:
        if plain.equal or plain.rest or len(values) != 1:
            raise UnsupportedFeature("NOT IN with a correlated subquery or several columns in a view")
        operator = Shared(_planned(planner, plain.query, ctes), "subquery of NOT IN")
        ctes = {**ctes, plain.alias: operator}
        column = exp.column(exp.to_identifier(outputs[0], quoted=True), table=plain.alias)
        _without_nulls(planner, scope, values[0], column, ctes)
        renamed = exp.select(f'"{plain.alias}"."{outputs[0]}" AS "{outputs[0]}"').from_(
            exp.to_table(f'"{plain.alias}"')
        )
        plain = Uncorrelated(renamed, plain.alias, (), (), whole=False, missing=None)
    _semi(planner, scope, plain, pairs, ctes, anti=anti)


def _extra(plain: Uncorrelated) -> int:
    """How many output columns are there for the conditions alone."""
    return len({c.name for r in plain.rest for c in r.find_all(exp.Column) if c.table == plain.alias})


def _without_nulls(
    planner: Planner, scope: Scope, value: exp.Expr, column: exp.Column, ctes: Queries
) -> None:
    """x NOT IN (...): true over no rows; else not for a NULL x, and for none where a NULL is among the values."""
    counted = f"_t{planner.fresh()}"
    inner = exp.select(
        exp.alias_(exp.Count(this=exp.Star()), "n"),
        exp.alias_(exp.Count(this=column.copy()), "m"),
    ).from_(exp.Table(this=exp.to_identifier(column.table, quoted=True)))
    flags = (
        exp.select(
            exp.alias_(
                exp.EQ(this=exp.column("n", table=counted), expression=exp.Literal.number(0)), "empty"
            ),
            exp.alias_(
                exp.EQ(this=exp.column("n", table=counted), expression=exp.column("m", table=counted)),
                "complete",
            ),
        )
        .from_(inner.subquery(counted))
        .distinct()
    )
    operator = _planned(planner, flags, ctes)
    name = f"_t{planner.fresh()}"
    side = Scope(operator, {name: {c.name: c.name for c in operator.visible}})
    result = joined(planner, scope, side, [], "inner")
    scope.operator, scope.names = result.operator, {**scope.names, name: result.names[name]}
    known = exp.and_(exp.column("complete", table=name), value.copy().is_(exp.null()).not_())
    filtered(planner, scope, exp.or_(exp.column("empty", table=name), known))
    del scope.names[name]


def _semi(
    planner: Planner,
    scope: Scope,
    plain: Uncorrelated,
    values: list[tuple[exp.Expr, str]],
    ctes: Queries,
    *,
    anti: bool,
) -> None:
    operator = _planned(planner, plain.query, ctes)
    side = Scope(operator, {plain.alias: {c.name: c.name for c in operator.visible}})
    on = [*_on(plain, plain.equal), *_on(plain, values), *plain.rest]
    left, right, match = combine(planner, scope, side, on)
    scope.operator = SemiJoin(left, right, match, anti)


def _on(
    plain: Uncorrelated, pairs: tuple[tuple[exp.Expr, str], ...] | list[tuple[exp.Expr, str]]
) -> list[exp.Expr]:
    return [
        exp.EQ(
            this=outer.copy(), expression=exp.column(exp.to_identifier(name, quoted=True), table=plain.alias)
        )
        for outer, name in pairs
    ]


def _planned(planner: Planner, query: exp.Expr, ctes: Queries) -> Operator:
    return planner.query(query, ctes)[0]


def _compared(planner: Planner, scope: Scope, condition: exp.Expr, ctes: Queries) -> None:
    """A comparison with scalar subqueries, as a join of which the comparison is a condition; any other by a filter behind it."""
    before = scope.operator
    names = dict(scope.names)
    negated, inner = _negation(condition)
    if not negated and isinstance(inner, exp.EQ):
        sides = [inner.this, inner.expression]
        for one, other in ((0, 1), (1, 0)):
            query = sides[other]
            if isinstance(query, exp.Subquery) and not has_subquery(sides[one]) and is_scalar(query):
                _equal_to_value(planner, scope, sides[one], query.this, ctes)
                return
    try:
        filtered(planner, scope, lift(planner, scope, condition, ctes))
    except UnsupportedFeature:
        scope.operator, scope.names = before, names
        raise
    scope.names = names


def _equal_to_value(planner: Planner, scope: Scope, value: exp.Expr, query: exp.Expr, ctes: Queries) -> None:
    """x = (SELECT ...): an inner join, since a value that is missing equals nothing; but count() is never missing."""
    plain, side = _scalar(planner, query, ctes)
    if plain.whole and plain.missing is not None and plain.equal:
        column = _joined_value(planner, scope, plain, side)
        filtered(planner, scope, exp.EQ(this=value.copy(), expression=column))
        return
    output = plain.query.selects[0].alias_or_name
    on = [*_on(plain, plain.equal), *_on(plain, [(value, output)])]
    scope.operator = joined(planner, scope, side, on, "inner").operator


def _value(planner: Planner, scope: Scope, query: exp.Expr, ctes: Queries) -> exp.Expr:
    plain, side = _scalar(planner, query, ctes)
    return _joined_value(planner, scope, plain, side)


def _scalar(planner: Planner, query: exp.Expr, ctes: Queries) -> tuple[Uncorrelated, Scope]:
    if not gives_one_row(query, of_one_row(ctes)):
        raise UnsupportedFeature(MORE_THAN_ONE, hint=ONE_ROW_HINT)
    plain = uncorrelated(query, planner.fresh)
    if plain.rest:
        raise UnsupportedFeature("this form of a correlated subquery in a view")
    if len(plain.query.selects) - len(plain.equal) != 1:
        raise InvalidStatement("subquery must return only one column")
    operator = _planned(planner, plain.query, ctes)
    return plain, Scope(operator, {plain.alias: {c.name: c.name for c in operator.visible}})


def _joined_value(planner: Planner, scope: Scope, plain: Uncorrelated, side: Scope) -> exp.Expr:
    """The subquery's value as a column, behind a join; NULL (or what count() gives) where it has no row."""
    always = plain.whole and not plain.equal
    result = joined(planner, scope, side, _on(plain, plain.equal), "inner" if always else "left")
    scope.operator, scope.names = result.operator, {**scope.names, plain.alias: result.names[plain.alias]}
    output = plain.query.selects[0].alias_or_name
    column = exp.column(exp.to_identifier(output, quoted=True), table=plain.alias)
    if plain.missing is None or not plain.equal:
        return column
    found = exp.column(exp.to_identifier(plain.equal[0][1], quoted=True), table=plain.alias)
    return exp.Case(ifs=[exp.If(this=found.is_(exp.null()), true=plain.missing.copy())], default=column)
