"""What the clauses of a query share: the FROM clause under construction, names bound to columns, computed columns.

Every module of `engine.compile.clauses` takes the `Planner` first (where it needs the world or a subquery) and the `Scope`
that it changes. Every operator keeps its input's stream key; keys that the query does not select are carried along as
hidden columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from engine.compile.correlation import free_columns, queries_in
from engine.compile.expressions import check_scalars, identifier, soften
from engine.compile.relations import Environment, Relation, describe_over
from engine.operators.base import Column, Operator
from engine.operators.project import Filter, Project
from engine.operators.top_n import SortKey
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.dialect import TailraceSQL

COMPARISONS: dict[type[exp.Expr], str] = {exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}

Queries = dict[str, "exp.Expr | Operator"]
"""The CTEs in force, by name: as queries, or planned where several places share them."""


class Planner(Protocol):
    """What a clause asks of the planner."""

    environment: Environment

    def fresh(self) -> int:
        """A number not given before in this plan, for the names of hidden columns."""
        ...

    def query(self, tree: exp.Expr, ctes: Queries) -> tuple[Operator, Rank | None]:
        """Plan a SELECT or UNION whose names are resolved; the rank is set where a bound would make it a top-N."""
        ...

    def relation(self, name: str, schema: str = "") -> Relation:
        """The relation called `name`, '' for schema: in the search path; raises UndefinedObject."""
        ...

    def visible(self, relation: Relation) -> list[Column]:
        """The columns that a query sees of a relation."""
        ...

    def view(self, relation: Relation) -> Operator:
        """The operators of a plain view, to be put in its place."""
        ...


@dataclass(slots=True)
class Scope:
    """A FROM clause under construction: the operator and, per alias, which of its columns each name means."""

    operator: Operator
    names: dict[str, dict[str, str]]
    ranked: Rank | None = None


@dataclass(frozen=True, slots=True)
class Rank:
    """A row_number() or rank() that a bound outside would make a top-N of `operator`, which lacks the rank's column."""

    column: str
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    operator: Operator
    function: str


def nameable(columns: Sequence[Column]) -> list[Column]:
    """The hidden columns that a query may name all the same, and that no star shows: the keys that the engine itself gives."""
    return [c for c in columns if c.hidden and c.name.upper() in TailraceSQL.PSEUDOCOLUMNS]


def bind(scope: Scope, expression: exp.Expr) -> exp.Expr:
    """Replace the query's column references by the operator's columns."""

    def column(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or not node.table:
            return node
        if scope.names and node.table not in scope.names:
            raise UnsupportedFeature("a correlated subquery in this place of a view")
        try:
            return identifier(scope.names[node.table][node.name])
        except KeyError:
            raise InvalidStatement(
                f'column "{node.table}.{node.name}" cannot be used here',
                sqlstate="42803",
                hint="it must appear in GROUP BY or inside an aggregate, and subqueries cannot be correlated",
            ) from None

    return expression.copy().transform(column)


def computed(
    planner: Planner, operator: Operator, expressions: Sequence[exp.Expr]
) -> tuple[Operator, list[str]]:
    """Column names for the expressions, adding a Project of hidden columns for those that are not columns yet."""
    extra = [e for e in expressions if not isinstance(e, exp.Column)]
    if not extra:
        return operator, [e.name for e in expressions]
    check_scalars(planner.environment, extra)
    base, soft = soften(planner.environment, operator, extra)
    types = describe_over(planner.environment, base, soft)
    fresh: list[Column] = []
    for type_ in types:
        fresh.append(Column(f"_x{planner.fresh()}", type_, hidden=True))
    kept = operator.columns
    items = (*(identifier(c.name) for c in kept), *soft)
    project = Project(base, items, (*kept, *fresh), operator.key)
    names, added = [], iter(fresh)
    for expression in expressions:
        names.append(expression.name if isinstance(expression, exp.Column) else next(added).name)
    return project, names


def filtered(planner: Planner, scope: Scope, condition: exp.Expr) -> None:
    """Narrow the scope down to the rows for which `condition` is true: a deterministic one, without subqueries."""
    bound = bind(scope, condition)
    check_scalars(planner.environment, [bound])
    before = scope.operator
    base, soft = soften(planner.environment, before, [bound])
    operator: Operator = Filter(base, soft[0])
    if base is not before:  # drop what was computed only for the condition
        items = tuple(identifier(c.name) for c in before.columns)
        operator = Project(operator, items, before.columns, before.key)
    scope.operator = operator


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """The conditions that are ANDed together in `condition`, with those that all branches of an OR share put before it.

    >>> import sqlglot
    >>> [c.sql() for c in conjuncts(sqlglot.parse_one("(a = b AND c) OR (a = b AND d)"))]
    ['a = b', '(a = b AND c) OR (a = b AND d)']
    """
    if condition is None:
        return []
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return [c for side in (condition.this, condition.expression) for c in conjuncts(side)]
    if not isinstance(condition, exp.Or):
        return [condition]
    first, *others = (conjuncts(branch) for branch in condition.flatten())
    shared = [
        c for c in first if isinstance(c, exp.EQ) and not has_subquery(c) and all(c in o for o in others)
    ]
    return [*(c.copy() for c in shared), condition]


def has_subquery(expression: exp.Expr) -> bool:
    """Does it hold a query: a scalar one, EXISTS or IN (SELECT ...)?"""
    return expression.find(exp.Query) is not None


def tables_of(expression: exp.Expr) -> set[str]:
    """The aliases that an expression reads of the FROM clause it stands over, those read by its subqueries included."""
    outermost = queries_in(expression)
    inner = {id(c) for q in outermost for c in q.find_all(exp.Column)}
    own = {c.table for c in expression.find_all(exp.Column) if id(c) not in inner}
    return own | {c.table for q in outermost for c in free_columns(q)}
