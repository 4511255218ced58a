"""From a view's query to operators: names are resolved by sqlglot, types by PostgreSQL, the rest is refused by name.

`plan` is called for CREATE MATERIALIZED VIEW and EXPLAIN. Each clause has its module in `engine.compile.clauses`; here they
meet, since a FROM clause holds queries.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from engine.compile.clauses.recompute import recompute
from engine.compile.clauses.select import select
from engine.compile.clauses.union import union
from engine.compile.relations import Environment, Relation, refuse_repeated
from engine.compile.resolve import UnresolvedName, relations_of, resolve
from engine.compile.scalar_subqueries import laterals
from engine.compile.scope import Queries, Rank
from engine.operators.base import Column, Operator
from engine.operators.shared import Shared
from tailrace.errors import TailraceError, UndefinedObject, UnsupportedFeature
from tailrace.sql.dialect import TailraceSQL, parse_query
from tailrace.sql.names import ObjectName
from tailrace.sql.system_relations import SYSTEM_SCHEMAS
from tailrace.sql.windows import expand_windows

__all__ = ["plan", "relations_of"]


def plan(query: exp.Query, environment: Environment) -> Operator:
    """The operator tree of `query`; its visible columns are the view's, in order.

    Raises InvalidStatement, UndefinedObject or UnsupportedFeature.
    """
    planner = _Planner(environment)
    operator = planner.whole(query)
    refuse_repeated(c.name for c in operator.visible)
    return operator


class _Planner:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._unique = 0

    def fresh(self) -> int:
        self._unique += 1
        return self._unique

    def whole(self, query: exp.Query) -> Operator:
        """A query by itself: names resolved here."""
        try:
            tree: exp.Expr = resolve(self, query)
        except UnresolvedName as error:
            return self._unresolved(query, error)
        operator, _ = self.query(tree, {})
        return operator

    def _unresolved(self, query: exp.Query, error: UnresolvedName) -> Operator:
        """What sqlglot cannot resolve PostgreSQL may; where neither can, the first one's error stands."""
        tree = normalize_identifiers(expand_windows(query.copy()), dialect=TailraceSQL)
        try:
            return recompute(self, tree, {}, UnsupportedFeature(error.message))
        except TailraceError as second:
            if isinstance(second, UnsupportedFeature):
                raise
            raise error from None

    def relation(self, name: str, schema: str = "") -> Relation:
        relation = self.environment.lookup(ObjectName(name, schema))
        if relation is None and schema in SYSTEM_SCHEMAS:
            raise UnsupportedFeature(
                "a system relation in a materialized view", hint="CREATE VIEW, which reads it when it is read"
            )
        if relation is None:
            raise UndefinedObject(
                f'relation "{ObjectName(name, schema)}" does not exist',
                hint="SHOW TABLES; SHOW SOURCES; SHOW MATERIALIZED VIEWS",
            )
        return relation

    def visible(self, relation: Relation) -> list[Column]:
        if relation.query is not None:
            return [c for c in plan(parse_query(relation.query), self.environment).columns if not c.hidden]
        return [c for c in relation.columns if not c.hidden]

    def view(self, relation: Relation) -> Operator:
        return self.whole(parse_query(relation.query or ""))

    def query(self, tree: exp.Expr, ctes: Queries) -> tuple[Operator, Rank | None]:
        defined = tree.args.get("with_")
        if defined is not None:
            ctes = self._defined(tree, ctes)
        if isinstance(tree, exp.Subquery):
            return self.query(tree.this, ctes)
        try:
            if isinstance(tree, exp.SetOperation):
                return union(self, tree, ctes), None
            if not isinstance(tree, exp.Select):
                raise UnsupportedFeature(f"{tree.key.upper()} in a view")
            return select(self, laterals(tree, self.fresh), ctes)
        except UnsupportedFeature as refusal:
            return recompute(self, tree, ctes, refusal), None

    def _defined(self, tree: exp.Expr, ctes: Queries) -> Queries:
        """The CTEs in force in `tree`; those that it reads more than once are planned here, once for all."""
        ctes = dict(ctes)
        for cte in tree.args["with_"].expressions:
            ctes[cte.alias] = cte.this
            readers = [t for t in tree.find_all(exp.Table) if t.name == cte.alias and not t.db]
            if len(readers) > 1:
                inner = {k: v for k, v in ctes.items() if k != cte.alias}
                ctes[cte.alias] = Shared(self.query(cte.this, inner)[0], cte.alias)
        return ctes
