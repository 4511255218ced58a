"""Rows and structs in the expressions of views: each ROW(...) gets a type of its own, `(s).*` its fields.

PostgreSQL's anonymous record cannot be stored. So a row becomes a struct of its fields' types, or takes the type of what it is
compared with; rows on both sides of a comparison stay as they are, since PostgreSQL compares those field by field. The cast of a
row to a struct casts its fields, each where it can be seen, so that one that fails makes the struct NULL.
Before: `ROW(a, 1)`; after: `CAST(ROW(a, 1) AS rw.struct_...)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.compile.relations import Environment, describe_over
from engine.operators.base import Operator, nulls
from engine.operators.project import sql
from tailrace.sql.batch import to_postgres
from tailrace.sql.dialect import TailraceSQL, parse_query
from tailrace.sql.types import struct_of

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)


def is_row(node: exp.Expr | None) -> bool:
    """Is it ROW(...) or (a, b)?"""
    return isinstance(node, exp.Tuple) or (isinstance(node, exp.Anonymous) and node.name.lower() == "row")


def typed_rows(
    environment: Environment, operator: Operator, expressions: Sequence[exp.Expr]
) -> list[exp.Expr]:
    """The expressions, over the operator's columns, with every row that stands for a value cast to its struct."""
    if not any(is_row(node) for e in expressions for node in e.walk()):
        return list(expressions)
    return [_typed(environment, operator, e) for e in expressions]


def _typed(environment: Environment, operator: Operator, node: exp.Expr) -> exp.Expr:
    keeps_rows = isinstance(node, exp.Cast | exp.In) or (
        isinstance(node, _COMPARISONS) and is_row(node.this) and is_row(node.expression)
    )
    for child in list(node.iter_expressions()):
        if keeps_rows and is_row(child):
            continue
        beside = _beside(node, child)
        if beside is not None and is_row(child):
            type_ = describe_over(environment, operator, [beside])[0]
            new: exp.Expr = _cast(child, type_) if type_.startswith("rw.") else child
        else:
            new = _typed(environment, operator, child)
        if new is not child:
            child.replace(new)
    if isinstance(node, exp.Cast) and is_row(node.this):
        return _cast_fields(environment, operator, node)
    if not is_row(node):
        return node
    fields = describe_over(environment, operator, node.expressions)
    made = struct_of("character varying" if f in ("unknown", "text") else f for f in fields)
    environment.provide([made])
    return _cast(node, made.name)


def _cast_fields(environment: Environment, operator: Operator, node: exp.Cast) -> exp.Expr:
    """`ROW(x, ...)::struct` as `CASE WHEN x IS NULL OR x::int IS NOT NULL THEN ROW(x::int, ...)::struct END`."""
    struct = node.to.sql(dialect="postgres")
    wanted = environment.describe(f"SELECT (q.s).* FROM (SELECT NULL::{struct} AS s) AS q")
    given = list(node.this.expressions)
    types = describe_over(environment, operator, given)
    if len(wanted) != len(given):
        return node
    node, conditions = node.copy(), []
    for field, type_, column in zip(list(node.this.expressions), types, wanted, strict=True):
        if type_ in (column.type, "unknown", "record") or isinstance(field, exp.Literal | exp.Null):
            continue
        cast = exp.cast(field.copy(), column.type, dialect="postgres")
        conditions.append(
            exp.or_(field.copy().is_(exp.null()), exp.not_(cast.copy().is_(exp.null())), copy=False)
        )
        field.replace(cast)
    if not conditions:
        return node
    return exp.Case(ifs=[exp.If(this=exp.and_(*conditions, copy=False), true=node)])


def _beside(node: exp.Expr, child: exp.Expr) -> exp.Expr | None:
    """The other side of a comparison."""
    if not isinstance(node, _COMPARISONS):
        return None
    other = node.expression if child is node.this else node.this
    return other if isinstance(other, exp.Expr) else None


def _cast(node: exp.Expr, type_: str) -> exp.Expr:
    schema, name = type_.split(".")
    kind = exp.Dot(this=exp.to_identifier(schema), expression=exp.to_identifier(name))
    return exp.Cast(this=node.copy(), to=exp.DataType(this=exp.DType.USERDEFINED, kind=kind))


def with_structs(environment: Environment, query: str) -> str:
    """A plain view's query whose select list has no anonymous record: PostgreSQL makes no view with a column of such a type."""
    tree = parse_query(query)
    if not isinstance(tree, exp.Select) or not any(is_row(item.unalias()) for item in tree.expressions):
        return query
    for item in tree.expressions:
        row = item.unalias()
        if not is_row(row):
            continue
        fields = exp.Select(expressions=[f.copy() for f in row.expressions])
        for clause in ("with_", "from_", "joins", "group"):
            fields.set(clause, copied(tree.args.get(clause)))
        types = [c.type for c in environment.describe(to_postgres(fields.sql(dialect=TailraceSQL)))]
        if "record" in types:
            continue
        made = struct_of("character varying" if t in ("unknown", "text") else t for t in types)
        environment.provide([made])
        row.replace(_cast(row, made.name))
    return tree.sql(dialect=TailraceSQL)


def copied(part: exp.Expr | Sequence[exp.Expr] | None) -> exp.Expr | list[exp.Expr] | None:
    """A clause of a query once more."""
    if part is None or isinstance(part, exp.Expr):
        return part if part is None else part.copy()
    return [p.copy() for p in part]


def fields_of(environment: Environment, operator: Operator, struct: exp.Expr) -> list[str]:
    """The names of a struct's fields, in order; `struct` is over the operator's columns."""
    query = f"SELECT (s).* FROM (SELECT {sql(struct)} AS s FROM (SELECT {nulls(operator.columns)}) AS i) AS i"
    return [c.name for c in environment.describe(query)]


def expanded_stars(
    environment: Environment, operator: Operator, selects: Sequence[exp.Expr], bound: Sequence[exp.Expr]
) -> list[exp.Expr]:
    """The select list with every `(s).*` replaced by its fields; `bound[i]` is `selects[i]` over the operator."""
    found: list[exp.Expr] = []
    for item, over in zip(selects, bound, strict=True):
        star = item.unalias()
        if not (isinstance(star, exp.Dot) and isinstance(star.expression, exp.Star)):
            found.append(item)
            continue
        for name in fields_of(environment, operator, over.unalias().this):
            field = exp.Dot(this=exp.paren(star.this.copy()), expression=exp.to_identifier(name, quoted=True))
            found.append(exp.alias_(field, name, quoted=True))
    return found
