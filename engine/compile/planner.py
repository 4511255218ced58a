"""From a view's query to operators: names are resolved by sqlglot, types by PostgreSQL, the rest is refused by name.

`plan` is called for CREATE MATERIALIZED VIEW and EXPLAIN. Every operator keeps its input's stream key; keys that the query
does not select are carried along as hidden columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify

from engine.compile.expressions import check_scalars, describe_over, identifier, soften
from engine.compile.program import delta_name
from engine.compile.relations import Environment, Relation
from engine.operators.accumulators import AggregateCall
from engine.operators.aggregate import Aggregate
from engine.operators.base import Column, Operator
from engine.operators.dedup import Dedup
from engine.operators.join import Join
from engine.operators.left_join import LeftJoin
from engine.operators.project import Filter, Project, rename
from engine.operators.scan import Scan
from engine.operators.temporal_filter import TemporalFilter
from engine.operators.temporal_join import TemporalJoin
from engine.operators.top_n import SortKey, TopN
from engine.operators.union_all import UnionAll
from tailrace.errors import InvalidStatement, TailraceError, UndefinedObject, UnsupportedFeature
from tailrace.sql.dialect import TailraceSQL, parse_query
from tailrace.sql.windows import expand_tumble

_AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
}
_COMPARISONS: dict[type[exp.Expr], str] = {exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


@dataclass(slots=True)
class _Scope:
    """A FROM clause under construction: the operator and, per alias, which of its columns each name means."""

    operator: Operator
    names: dict[str, dict[str, str]]
    ranked: _Rank | None = None


@dataclass(frozen=True, slots=True)
class _Rank:
    """A row_number() that waits for its bound."""

    column: str
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]


def plan(query: exp.Query, environment: Environment) -> Operator:
    """The operator tree of `query`; its visible columns are the view's, in order.

    Raises InvalidStatement, UndefinedObject or UnsupportedFeature.
    """
    planner = _Planner(environment)
    operator, ranked = planner.query(planner.resolve(query), {})
    if ranked is not None:
        raise _unbounded()
    seen: set[str] = set()
    for column in operator.visible:
        if column.name in seen:
            raise InvalidStatement(f'column "{column.name}" specified more than once', sqlstate="42701")
        seen.add(column.name)
    return operator


def explain(operator: Operator, depth: int = 0) -> list[str]:
    """The tree as EXPLAIN shows it, one operator a line with its maintenance and cost class."""
    line = operator.describe()
    lines = [
        f"{'  ' * depth}{line.operator} [{line.detail}] maintained: {line.maintenance}, cost: {line.cost}"
    ]
    for below in operator.inputs:
        lines.extend(explain(below, depth + 1))
    return lines


def relations_of(query: exp.Expr) -> list[str]:
    """The relation names that a query reads directly, CTE names left out, in order of appearance."""
    tree = expand_tumble(query.copy())
    ctes = {c.alias for c in tree.find_all(exp.CTE)}
    found = [t.name for t in tree.find_all(exp.Table) if t.name and not (t.name in ctes and not t.db)]
    return list(dict.fromkeys(found))


def _unbounded() -> UnsupportedFeature:
    return UnsupportedFeature(
        "row_number() without a bound in a view",
        hint="put it into a subquery and bound it outside: SELECT ... FROM (...) WHERE rn <= 10",
    )


def _conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    if condition is None:
        return []
    condition = condition.unnest()
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


class _Planner:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._unique = 0

    def resolve(self, query: exp.Query) -> exp.Query:
        """Expand TUMBLE and stars, and qualify every column; unknown columns are reported by name."""
        tree = expand_tumble(query.copy())
        schema: dict[str, object] = {}
        ctes = {c.alias for c in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            if isinstance(table.this, exp.Func):
                raise UnsupportedFeature(f"table function {table.this.name.lower()}() in a view")
            if table.db and table.db not in ("public",):
                raise UnsupportedFeature(
                    f'schema "{table.db}" in a view', hint="views read relations of schema public"
                )
            if table.name in ctes:
                continue
            table.set("db", None)
            relation = self._relation(table.name)
            schema[table.name] = {c.name: "text" for c in self._visible(relation)}
        try:
            return qualify(  # type: ignore[return-value]
                tree, schema=schema, dialect=TailraceSQL, quote_identifiers=True
            )
        except OptimizeError as error:
            raise InvalidStatement(str(error).splitlines()[0], sqlstate="42703") from error

    def _relation(self, name: str) -> Relation:
        relation = self.environment.lookup(name)
        if relation is None:
            raise UndefinedObject(
                f'relation "{name}" does not exist', hint="SHOW TABLES; SHOW SOURCES; SHOW MATERIALIZED VIEWS"
            )
        return relation

    def _visible(self, relation: Relation) -> list[Column]:
        if relation.query is not None:
            return [c for c in plan(parse_query(relation.query), self.environment).columns if not c.hidden]
        return [c for c in relation.columns if not c.hidden]

    def query(self, tree: exp.Expr, ctes: dict[str, exp.Expr]) -> tuple[Operator, _Rank | None]:
        """A SELECT or UNION, resolved; the rank is set when a row_number() column waits for its bound."""
        defined = tree.args.get("with_")
        if defined is not None:
            ctes = {**ctes, **{c.alias: c.this for c in defined.expressions}}
        if isinstance(tree, exp.Subquery):
            return self.query(tree.this, ctes)
        if isinstance(tree, exp.Union):
            return self._union(tree, ctes), None
        if isinstance(tree, exp.SetOperation):
            raise UnsupportedFeature(f"{tree.key.upper()} in a view")
        if not isinstance(tree, exp.Select):
            raise UnsupportedFeature(f"{tree.key.upper()} in a view")
        return self._select(tree, ctes)

    # --- FROM -------------------------------------------------------------------------------------------------------

    def _from(self, tree: exp.Select, ctes: dict[str, exp.Expr], conditions: list[exp.Expr]) -> _Scope:
        source = tree.args.get("from_")
        if source is None:
            raise UnsupportedFeature("a view without FROM")
        joins = tree.args.get("joins") or []
        sides = [(j.side or "").upper() for j in joins]
        protected = {
            j.this.alias_or_name for j, side in zip(joins, sides, strict=True) if side in ("LEFT", "FULL")
        }
        if any(side in ("RIGHT", "FULL") for side in sides):
            raise UnsupportedFeature(
                f"{next(s for s in sides if s in ('RIGHT', 'FULL'))} JOIN in a view", hint="use LEFT JOIN"
            )
        temporal = {j.this.alias_or_name for j in joins if j.this.args.get("version")}
        scope = self._item(source.this, ctes)
        if not joins:
            return scope
        if scope.ranked is not None:
            self._bound_rank(scope, conditions, tree)
        self._push(scope, source.this.alias_or_name, conditions)
        for join in joins:
            right = self._item(join.this, ctes)
            alias = join.this.alias_or_name
            if right.ranked is not None:
                self._bound_rank(right, [] if alias in protected else conditions, tree)
            if alias not in protected and alias not in temporal:
                self._push(right, alias, conditions)
            scope = self._join(scope, right, join, conditions)
        return scope

    def _push(self, scope: _Scope, alias: str, conditions: list[exp.Expr]) -> None:
        """Apply the conditions that read only `alias` before it is joined; they are taken out of the list."""
        for condition in list(conditions):
            if {c.table for c in condition.find_all(exp.Column)} == {alias}:
                conditions.remove(condition)
                self._where(scope, condition)

    def _item(self, item: exp.Expr, ctes: dict[str, exp.Expr]) -> _Scope:
        alias = item.alias_or_name
        if isinstance(item, exp.Subquery):
            operator, ranked = self.query(item.this, ctes)
            return _Scope(operator, {alias: {c.name: c.name for c in operator.visible}}, ranked)
        if not isinstance(item, exp.Table):
            raise UnsupportedFeature(f"{item.key.upper()} in FROM of a view")
        if item.name in ctes:
            inner = {k: v for k, v in ctes.items() if k != item.name}
            operator, ranked = self.query(ctes[item.name], inner)
            return _Scope(operator, {alias: {c.name: c.name for c in operator.visible}}, ranked)
        relation = self._relation(item.name)
        operator = self._scan(relation)
        return _Scope(operator, {alias: {c.name: c.name for c in operator.visible}})

    def _scan(self, relation: Relation) -> Operator:
        if relation.query is not None:
            operator, ranked = self.query(self.resolve(parse_query(relation.query)), {})
            if ranked is not None:
                raise _unbounded()
            return operator
        return Scan(
            relation.name,
            delta_name(relation.id),
            relation.content,
            relation.columns,
            relation.key,
            relation.append_only,
            relation.storage,
        )

    def _join(self, left: _Scope, right: _Scope, join: exp.Join, conditions: list[exp.Expr]) -> _Scope:
        taken = {c.name for c in left.operator.columns}
        mapping: dict[str, str] = {}
        for column in right.operator.columns:
            name = column.name
            while name in taken:
                self._unique += 1
                name = f"{column.name}_{self._unique}"
            taken.add(name)
            mapping[column.name] = name
        operator = rename(right.operator, mapping)
        names = {**left.names, **{a: {k: mapping[v] for k, v in m.items()} for a, m in right.names.items()}}
        scope = _Scope(left.operator, names)
        on = _conjuncts(join.args.get("on"))
        outer = (join.side or "").upper() == "LEFT"
        if join.method and join.method.upper() != "":
            raise UnsupportedFeature(f"{join.method.upper()} JOIN in a view")
        if not outer:  # a comma or CROSS JOIN has its condition in WHERE
            here = set(names)
            usable = [
                c for c in conditions if _is_equality(c) and {x.table for x in c.find_all(exp.Column)} <= here
            ]
            for condition in usable:
                conditions.remove(condition)
            on = on + usable
        pairs, rest, left_op, right_op = self._pairs(scope, left.operator, operator, on)
        if not pairs:
            raise UnsupportedFeature(
                "a join without an equality in a view", hint="join ON l.column = r.column"
            )
        residual = self._side_condition(scope, left_op, right_op, rest)
        version = join.this.args.get("version")
        if version is not None:
            scope.operator = self._temporal(left_op, right_op, pairs, residual, outer=outer)
        elif outer:
            scope.operator = LeftJoin(left_op, right_op, pairs, residual)
        else:
            scope.operator = Join(left_op, right_op, pairs, residual)
        return scope

    def _temporal(
        self,
        left: Operator,
        right: Operator,
        pairs: tuple[tuple[str, str], ...],
        condition: exp.Expr | None,
        *,
        outer: bool,
    ) -> Operator:
        if not left.append_only:
            raise UnsupportedFeature(
                "temporal join with a left side that sees updates or deletes",
                hint="put the temporal join before aggregation",
            )
        joined = {b for _, b in pairs}
        if not right.key or not set(right.key) <= joined:
            raise InvalidStatement(
                "temporal join requires equality with the whole primary key of the right relation "
                f"({', '.join(right.key)}), got ({', '.join(sorted(joined))})"
            )
        return TemporalJoin(left, right, pairs, condition, outer)

    def _pairs(
        self, scope: _Scope, left: Operator, right: Operator, on: Sequence[exp.Expr]
    ) -> tuple[tuple[tuple[str, str], ...], list[exp.Expr], Operator, Operator]:
        """Split join conditions into equal columns and the rest; computed sides become columns first."""
        left_names, right_names = {c.name for c in left.columns}, {c.name for c in right.columns}
        equalities: list[tuple[exp.Expr, exp.Expr]] = []
        rest: list[exp.Expr] = []
        for condition in on:
            if isinstance(condition, exp.EQ):
                a, b = self._bind(scope, condition.this), self._bind(scope, condition.expression)
                reads_a = {c.name for c in a.find_all(exp.Column)}
                reads_b = {c.name for c in b.find_all(exp.Column)}
                if reads_a and reads_b and reads_a <= right_names and reads_b <= left_names:
                    a, b, reads_a, reads_b = b, a, reads_b, reads_a
                # one side twice is not two keys: the planner would compare the other sides among each other
                fresh = all(a != c and b != d for c, d in equalities)
                if reads_a and reads_b and reads_a <= left_names and reads_b <= right_names and fresh:
                    equalities.append((a, b))
                    continue
            rest.append(condition)
        left, left_columns = self._computed(left, [a for a, _ in equalities])
        right, right_columns = self._computed(right, [b for _, b in equalities])
        return tuple(zip(left_columns, right_columns, strict=True)), rest, left, right

    def _computed(self, operator: Operator, expressions: Sequence[exp.Expr]) -> tuple[Operator, list[str]]:
        """Column names for the expressions, adding a Project of hidden columns for those that are not columns yet."""
        extra = [e for e in expressions if not isinstance(e, exp.Column)]
        if not extra:
            return operator, [e.name for e in expressions]
        check_scalars(self.environment, extra)
        base, soft = soften(self.environment, operator, extra)
        types = describe_over(self.environment, base, soft)
        fresh: list[Column] = []
        for type_ in types:
            self._unique += 1
            fresh.append(Column(f"_x{self._unique}", type_, hidden=True))
        kept = operator.columns
        items = (*(identifier(c.name) for c in kept), *soft)
        project = Project(base, items, (*kept, *fresh), operator.key)
        names, added = [], iter(fresh)
        for expression in expressions:
            names.append(expression.name if isinstance(expression, exp.Column) else next(added).name)
        return project, names

    def _side_condition(
        self, scope: _Scope, left: Operator, right: Operator, conditions: Sequence[exp.Expr]
    ) -> exp.Expr | None:
        if not conditions:
            return None
        bound = [self._bind(scope, c) for c in conditions]
        check_scalars(self.environment, bound)
        lefts = {c.name for c in left.columns}

        def qualified(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column):
                side = "l" if node.name in lefts else "r"
                return exp.column(exp.to_identifier(node.name, quoted=True), table=side)
            return node

        for expression in bound:
            if any(
                isinstance(n, exp.Cast) and not isinstance(n.this, exp.Literal) for n in expression.walk()
            ):
                raise UnsupportedFeature(
                    "a cast in a join condition that is not an equality", hint="cast in a subquery"
                )
        return exp.and_(*(b.transform(qualified) for b in bound))

    # --- SELECT -----------------------------------------------------------------------------------------------------

    def _select(self, tree: exp.Select, ctes: dict[str, exp.Expr]) -> tuple[Operator, _Rank | None]:
        for clause in (
            "windows",
            "qualify",
            "laterals",
            "connect",
            "sample",
            "cluster",
            "distribute",
            "sort",
        ):
            if tree.args.get(clause):
                raise UnsupportedFeature(f"{clause.upper()} in a view")
        if tree.args.get("offset"):
            raise UnsupportedFeature("OFFSET in a view")
        conditions = _conjuncts(tree.args["where"].this if tree.args.get("where") else None)
        scope = self._from(tree, ctes, conditions)
        if scope.ranked is not None:
            self._bound_rank(scope, conditions, tree)
        for condition in sorted(conditions, key=lambda c: c.find(exp.CurrentTimestamp) is not None):
            self._where(scope, condition)
        selects = [s.copy() for s in tree.selects]
        having = tree.args["having"].this.copy() if tree.args.get("having") else None
        if tree.args.get("group") or any(_aggregates([*selects, *([having] if having else [])])):
            self._aggregate(scope, tree, selects, having)
        windows = [s for s in selects if s.find(exp.Window)]
        if windows:
            return self._ranked(scope, selects, windows)
        operator = self._project(scope, selects)
        return self._finish(operator, tree), None

    def _bind(self, scope: _Scope, expression: exp.Expr) -> exp.Expr:
        """Replace the query's column references by the operator's columns."""

        def column(node: exp.Expr) -> exp.Expr:
            if not isinstance(node, exp.Column) or not node.table:
                return node
            try:
                return identifier(scope.names[node.table][node.name])
            except KeyError:
                raise InvalidStatement(
                    f'column "{node.table}.{node.name}" cannot be used here',
                    sqlstate="42803",
                    hint="it must appear in GROUP BY or inside an aggregate, and subqueries cannot be correlated",
                ) from None

        return expression.copy().transform(column)

    def _where(self, scope: _Scope, condition: exp.Expr) -> None:
        bound = self._bind(scope, condition)
        if bound.find(exp.CurrentTimestamp):
            self._temporal_filter(scope, bound)
            return
        check_scalars(self.environment, [bound])
        before = scope.operator
        base, soft = soften(self.environment, before, [bound])
        filtered: Operator = Filter(base, soft[0])
        if base is not before:  # drop what was computed only for the condition
            items = tuple(identifier(c.name) for c in before.columns)
            filtered = Project(filtered, items, before.columns, before.key)
        scope.operator = filtered

    def _temporal_filter(self, scope: _Scope, condition: exp.Expr) -> None:
        op = _COMPARISONS.get(type(condition))
        form = "column > now() - INTERVAL '...' (or >=, <, <=), ANDed with other conditions"
        if isinstance(condition, exp.Between):
            for side, kind in (("low", exp.GTE), ("high", exp.LTE)):
                self._one_side(
                    scope, kind(this=condition.this.copy(), expression=condition.args[side].copy())
                )
            return
        if op is None:
            raise UnsupportedFeature("this use of now() in a view", hint=f"write {form}")
        left, right = condition.this, condition.expression
        if left.find(exp.CurrentTimestamp):
            left, right, op = right, left, _FLIPPED[op]
        if left.find(exp.CurrentTimestamp) or right.find(exp.Column):
            raise UnsupportedFeature("this use of now() in a view", hint=f"write {form}")
        if not isinstance(right.unnest(), exp.CurrentTimestamp | exp.Sub | exp.Add):
            raise UnsupportedFeature("this use of now() in a view", hint=f"write {form}")
        check_scalars(self.environment, [left])
        scope.operator, columns = self._computed(scope.operator, [left])
        scope.operator = TemporalFilter(scope.operator, columns[0], op, right.unnest())

    def _one_side(self, scope: _Scope, condition: exp.Expr) -> None:
        if condition.find(exp.CurrentTimestamp):
            self._temporal_filter(scope, condition)
        else:
            base, soft = soften(self.environment, scope.operator, [condition])
            scope.operator = Filter(base, soft[0])

    def _aggregate(
        self, scope: _Scope, tree: exp.Select, selects: list[exp.Expr], having: exp.Expr | None
    ) -> None:
        group = tree.args.get("group")
        if group is not None and any(
            group.args.get(k) for k in ("grouping_sets", "cube", "rollup", "totals", "all")
        ):
            raise UnsupportedFeature("GROUPING SETS, CUBE and ROLLUP in a view")
        keys = [self._bind(scope, g) for g in (group.expressions if group else [])]
        outputs = [*selects, *([having] if having is not None else [])]
        calls: list[tuple[exp.Expr, str, exp.Expr | None, exp.Expr | None]] = []
        for node in _aggregates(outputs):
            calls.append(self._call(scope, node))
        arguments = [a for _, _, a, f in calls for a in (a, f) if a is not None]
        operator, columns = self._computed(scope.operator, [*keys, *arguments])
        group_columns = tuple(columns[: len(keys)])
        if len(set(group_columns)) != len(group_columns):
            keys = [k for i, k in enumerate(keys) if columns[i] not in columns[:i]]
        group_columns = tuple(dict.fromkeys(group_columns))
        rest = iter(columns[len(columns) - len(arguments) :])
        bound: list[tuple[exp.Expr, AggregateCall]] = []
        wanted = []
        for node, function, argument, condition in calls:
            a = next(rest) if argument is not None else None
            f = next(rest) if condition is not None else None
            wanted.append((node, function, a, f))
        types = self._aggregate_types(operator, wanted)
        made: dict[tuple[str, str | None, str | None], AggregateCall] = {}
        for (node, function, a, f), type_ in zip(wanted, types, strict=True):
            signature = (function, a, f)
            if signature not in made:
                self._unique += 1
                made[signature] = AggregateCall(function, a, f, Column(f"_a{self._unique}", type_))
            bound.append((node, made[signature]))
        aggregate = Aggregate(operator, group_columns, tuple(made.values()))
        by_node = {id(n): c.output.name for n, c in bound}
        key_of = dict(zip([k.sql() for k in keys], group_columns, strict=True))
        for index, expression in enumerate(outputs):
            outputs[index] = self._over_groups(scope, expression, by_node, key_of)
        selects[:] = outputs[: len(selects)]
        scope.operator = aggregate
        scope.names = {}
        if having is not None:
            check_scalars(self.environment, [outputs[-1]])
            base, soft = soften(self.environment, aggregate, [outputs[-1]])
            scope.operator = (
                replace(aggregate, having=soft[0]) if base is aggregate else Filter(base, soft[0])
            )

    def _over_groups(
        self, scope: _Scope, expression: exp.Expr, by_node: dict[int, str], key_of: dict[str, str]
    ) -> exp.Expr:
        """Rewrite a select item over the aggregate's output: group expressions and calls become its columns."""

        def walk(node: exp.Expr) -> exp.Expr:
            if id(node) in by_node:
                return identifier(by_node[id(node)])
            if not isinstance(node, exp.Alias):
                bound = self._bind_quietly(scope, node)
                if bound is not None and bound in key_of:
                    return identifier(key_of[bound])
            if isinstance(node, exp.Column) and node.table:
                raise InvalidStatement(
                    f'column "{node.table}.{node.name}" must appear in the GROUP BY clause or be used in an aggregate function',
                    sqlstate="42803",
                )
            for child in list(node.iter_expressions()):
                new = walk(child)
                if new is not child:
                    child.replace(new)
            return node

        return walk(expression)

    def _bind_quietly(self, scope: _Scope, node: exp.Expr) -> str | None:
        try:
            return self._bind(scope, node).sql()
        except TailraceError:
            return None

    def _call(self, scope: _Scope, node: exp.Expr) -> tuple[exp.Expr, str, exp.Expr | None, exp.Expr | None]:
        """An aggregate call as (node, function, argument, filter), the latter two over the operator's columns."""
        call, condition = (node.this, node.expression.this) if isinstance(node, exp.Filter) else (node, None)
        name = _AGGREGATES.get(type(call))
        if name is None:
            called = call.sql(dialect="postgres").split("(")[0].lower()
            raise UnsupportedFeature(f"aggregate function {called}() in a view")
        argument = call.this
        if isinstance(argument, exp.Distinct):
            raise UnsupportedFeature(
                f"{name}(DISTINCT ...) in a view", hint=f"{name}() over SELECT DISTINCT in a subquery"
            )
        if isinstance(argument, exp.Order) or call.args.get("expressions"):
            raise UnsupportedFeature(f"{name}() with several arguments or ORDER BY in a view")
        if isinstance(argument, exp.Star) or argument is None:
            argument = None
        filtered = self._bind(scope, condition) if condition is not None else None
        return node, name, self._bind(scope, argument) if argument is not None else None, filtered

    def _aggregate_types(
        self, operator: Operator, calls: Sequence[tuple[exp.Expr, str, str | None, str | None]]
    ) -> list[str]:
        expressions = [
            exp.Anonymous(this=function, expressions=[identifier(a) if a is not None else exp.Star()])
            for _, function, a, _ in calls
        ]
        return describe_over(self.environment, operator, expressions)

    def _project(self, scope: _Scope, selects: Sequence[exp.Expr]) -> Operator:
        bound = [self._bind(scope, s.unalias()) for s in selects]
        check_scalars(self.environment, bound)
        operator, items = soften(self.environment, scope.operator, bound)
        types = describe_over(self.environment, operator, items)
        columns = [
            Column(s.alias_or_name or "?column?", "text" if t == "unknown" else t)
            for s, t in zip(selects, types, strict=True)
        ]
        keys = []
        for key in operator.key:
            at = next(
                (i for i, item in enumerate(items) if isinstance(item, exp.Column) and item.name == key), None
            )
            if at is None:
                at = len(items)
                items = [*items, identifier(key)]
                name = key if key not in {c.name for c in columns} else f"_key_{key}_{at}"
                columns.append(replace(operator.column(key), name=name, hidden=True))
            keys.append(columns[at].name)
        return Project(operator, tuple(items), tuple(columns), tuple(keys))

    # --- DISTINCT, ORDER BY, LIMIT, row_number ------------------------------------------------------------------------

    def _finish(self, operator: Operator, tree: exp.Select) -> Operator:
        distinct, order = tree.args.get("distinct"), tree.args.get("order")
        limit = tree.args.get("limit")
        if distinct is not None and distinct.args.get("on") is None:
            group = tuple(c.name for c in operator.visible)
            operator = Aggregate(operator, group, ())
        elif distinct is not None:
            on = tuple(self._output_column(operator, e) for e in distinct.args["on"].expressions)
            sorting = self._sorting(operator, order)[len(on) :] if order is not None else ()
            if order is None and operator.append_only:
                return Dedup(operator, on)
            return TopN(operator, on, sorting, 1, None)
        if limit is not None:
            count = limit.expression
            if not isinstance(count, exp.Literal) or order is None:
                raise UnsupportedFeature("LIMIT without ORDER BY or without a number in a view")
            return TopN(operator, (), self._sorting(operator, order), int(count.name), None)
        return operator

    def _output_column(self, operator: Operator, expression: exp.Expr) -> str:
        """The output column that DISTINCT ON or ORDER BY means, by name or by the expression it selects."""
        node = expression.unnest()
        if isinstance(node, exp.Column) and any(c.name == node.name for c in operator.visible):
            return node.name
        raise UnsupportedFeature(
            f"{node.sql()} in DISTINCT ON or ORDER BY of a view", hint="name a column of the select list"
        )

    def _sorting(self, operator: Operator, order: exp.Order) -> tuple[SortKey, ...]:
        return tuple(
            SortKey(
                self._output_column(operator, o.this),
                bool(o.args.get("desc")),
                bool(o.args.get("nulls_first")),
            )
            for o in order.expressions
        )

    def _ranked(
        self, scope: _Scope, selects: list[exp.Expr], windows: list[exp.Expr]
    ) -> tuple[Operator, _Rank | None]:
        item = windows[0]
        window = item.unalias()
        if (
            len(windows) > 1
            or not isinstance(window, exp.Window)
            or not isinstance(window.this, exp.RowNumber)
        ):
            name = (
                window.this.sql()
                if isinstance(window, exp.Window)
                else "an expression over a window function"
            )
            raise UnsupportedFeature(
                f"{name} OVER in a view",
                hint="only one row_number() bounded by an outer WHERE rn <= n is maintained",
            )
        partition = [self._bind(scope, p) for p in window.args.get("partition_by") or []]
        ordered = window.args["order"].expressions if window.args.get("order") else []
        order = [self._bind(scope, o.this) for o in ordered]
        operator, columns = self._computed(scope.operator, [*partition, *order])
        rest = [s for s in selects if s is not item]
        inner = replace_operator(scope, operator)
        wanted = [exp.alias_(identifier(c), f"_r{i}") for i, c in enumerate(columns)]
        projected = self._project(inner, [*rest, *wanted])
        names = [f"_r{i}" for i in range(len(columns))]
        hidden = rename(projected, {c.name: c.name for c in projected.columns}, names)
        keys = tuple(
            SortKey(names[len(partition) + i], bool(o.args.get("desc")), bool(o.args.get("nulls_first")))
            for i, o in enumerate(ordered)
        )
        rank = _Rank(item.alias, tuple(names[: len(partition)]), keys)
        return hidden, rank

    def _bound_rank(self, scope: _Scope, conditions: list[exp.Expr], tree: exp.Select) -> None:
        """Turn a waiting row_number() and its bound in WHERE into a TopN."""
        rank = scope.ranked
        assert rank is not None  # noqa: S101 - the caller checked
        alias = next(iter(scope.names))
        limit = None
        for condition in list(conditions):
            bound = _rank_bound(condition, alias, rank.column)
            if bound is not None:
                conditions.remove(condition)
                limit = bound if limit is None else min(limit, bound)
        if limit is None:
            raise _unbounded()
        joined = [j.args["on"] for j in tree.args.get("joins") or [] if j.args.get("on")]
        reads = [c for s in [*tree.selects, *conditions, *joined] for c in s.find_all(exp.Column)]
        emitted = any(c.table == alias and c.name == rank.column for c in reads)
        for part in ("group", "having", "order"):
            node = tree.args.get(part)
            emitted = emitted or (
                node is not None and any(c.name == rank.column for c in node.find_all(exp.Column))
            )
        scope.operator = TopN(
            scope.operator, rank.partition, rank.order, limit, rank.column if emitted else None
        )
        scope.names[alias] = {**scope.names[alias], rank.column: rank.column}
        scope.ranked = None

    # --- UNION --------------------------------------------------------------------------------------------------------

    def _union(self, tree: exp.Union, ctes: dict[str, exp.Expr]) -> Operator:
        branches: list[Operator] = []
        for branch in _flatten_union(tree):
            operator, ranked = self.query(branch, ctes)
            if ranked is not None:
                raise _unbounded()
            branches.append(operator)
        if len({len(b.visible) for b in branches}) != 1:
            raise InvalidStatement("each UNION query must have the same number of columns")
        nulls = [
            "SELECT " + ", ".join(f"NULL::{c.type} AS c{i}" for i, c in enumerate(b.visible))
            for b in branches
        ]
        types = [c.type for c in self.environment.describe(" UNION ALL ".join(nulls))]
        names = [c.name for c in branches[0].visible]
        aligned = tuple(_aligned(b, names, types) for b in branches)
        union = UnionAll(aligned)
        if tree.args.get("distinct"):
            return Aggregate(union, tuple(names), ())
        if tree.args.get("limit") or tree.args.get("order"):
            raise UnsupportedFeature("ORDER BY or LIMIT of a UNION in a view")
        return union


def _aligned(branch: Operator, names: Sequence[str], types: Sequence[str]) -> Operator:
    """A branch with the union's column names and types; its key columns follow, hidden."""
    items: list[exp.Expr] = []
    columns: list[Column] = []
    for column, name, type_ in zip(branch.visible, names, types, strict=True):
        reference = identifier(column.name)
        items.append(reference if column.type == type_ else exp.cast(reference, type_, dialect="postgres"))
        columns.append(Column(name, type_))
    keys = []
    for position, key in enumerate(branch.key):
        items.append(identifier(key))
        columns.append(Column(f"_k{position}", branch.column(key).type, hidden=True))
        keys.append(f"_k{position}")
    return Project(branch, tuple(items), tuple(columns), tuple(keys))


def replace_operator(scope: _Scope, operator: Operator) -> _Scope:
    """The same names over another operator that has all their columns."""
    return _Scope(operator, scope.names, scope.ranked)


def _is_equality(condition: exp.Expr) -> bool:
    return isinstance(condition, exp.EQ) and len({c.table for c in condition.find_all(exp.Column)}) > 1


def _flatten_union(tree: exp.Expr) -> Iterable[exp.Expr]:
    """Branches from left to right; UNION and UNION ALL are not mixed."""
    if isinstance(tree, exp.Union):
        left, right = tree.this, tree.expression
        for side in (left, right):
            if isinstance(side, exp.Union) and bool(side.args.get("distinct")) == bool(
                tree.args.get("distinct")
            ):
                yield from _flatten_union(side)
            else:
                yield side
    else:
        yield tree


def _aggregates(expressions: Iterable[exp.Expr]) -> Iterable[exp.Expr]:
    """The outermost aggregate calls (with their FILTER), those of window functions left out."""
    for expression in expressions:
        stack = [expression]
        while stack:
            node = stack.pop()
            if isinstance(node, exp.Window):
                continue
            if isinstance(node, exp.Filter) or (
                isinstance(node, exp.AggFunc) and not isinstance(node, exp.RowNumber)
            ):
                yield node
                continue
            stack.extend(node.iter_expressions())


def _rank_bound(condition: exp.Expr, alias: str, column: str) -> int | None:
    """n for `rn <= n`, `rn < n + 1`, `rn = 1` and their mirror images; None for anything else."""
    left, right = condition.args.get("this"), condition.args.get("expression")
    op = "=" if isinstance(condition, exp.EQ) else _COMPARISONS.get(type(condition))
    if op is None or left is None or right is None:
        return None
    if isinstance(right, exp.Column):
        left, right, op = right, left, _FLIPPED.get(op, op)
    if not isinstance(left, exp.Column) or left.name != column or left.table != alias:
        return None
    if not isinstance(right, exp.Literal) or not right.name.isdigit():
        return None
    number = int(right.name)
    if op == "<=":
        return number
    if op == "<":
        return number - 1
    return 1 if op == "=" and number == 1 else None
