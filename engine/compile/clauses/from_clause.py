"""FROM: relations, subqueries and CTEs, joined in an order that starts from equalities.

Conditions that read one item alone are applied before it is joined. Inner joins that stand beside each other (commas, CROSS JOIN,
JOIN ON) share their conditions: the next item is the first one that an equality ties to what is joined already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.clauses.dynamic_filter import bounded, comparisons
from engine.compile.clauses.expand import expand_item, is_expanding
from engine.compile.clauses.gap_fill import gap_fill
from engine.compile.clauses.join import asof, joined, temporal
from engine.compile.clauses.row_number import bound_rank
from engine.compile.clauses.where import where
from engine.compile.correlation import Uncorrelated, free_columns, uncorrelated
from engine.compile.program import delta_name
from engine.compile.relations import Relation
from engine.compile.scope import (
    Planner,
    Queries,
    Scope,
    bind,
    computed,
    conjuncts,
    has_subquery,
    nameable,
    tables_of,
)
from engine.operators.base import Operator
from engine.operators.changelog import Changelog
from engine.operators.one_row import OneRow
from engine.operators.repeat import Repeat
from engine.operators.scan import Scan
from engine.operators.watermark import Watermark
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.changelog import SUFFIX
from tailrace.sql.gap_fill import GAP_FILL


def from_clause(planner: Planner, tree: exp.Select, ctes: Queries, conditions: list[exp.Expr]) -> Scope:
    """The FROM clause of `tree`; conditions that are applied here are taken out of `conditions`."""
    source = tree.args.get("from_")
    if source is None:
        return Scope(OneRow(f"_one_{planner.fresh()}"), {})
    return _From(planner, tree, ctes, conditions).scope(source.this, _grouped(tree.args.get("joins") or []))


@dataclass(slots=True)
class _From:
    """One FROM clause; `conditions` are those of WHERE that nothing has applied yet."""

    planner: Planner
    tree: exp.Select
    ctes: Queries
    conditions: list[exp.Expr]

    def scope(self, first: exp.Expr, joins: list[exp.Join]) -> Scope:
        kinds = [_kind(j) for j in joins]
        alone = not joins and not first.args.get("joins")
        scope = self._item(first, usable=not alone and not {"right", "full"} & set(kinds))
        at = 0
        while at < len(joins):
            usable = not {"right", "full"} & set(
                kinds[at + 1 :]
            )  # else WHERE must wait for what pads rows later
            if kinds[at] == "inner":
                end = next((n for n in range(at, len(joins)) if kinds[n] != "inner"), len(joins))
                scope = self._inner(scope, joins[at:end], usable=not {"right", "full"} & set(kinds[end:]))
                at = end
                continue
            scope = self._one(scope, joins[at], kinds[at], usable=usable)
            at += 1
        return scope

    def _inner(self, scope: Scope, joins: list[exp.Join], *, usable: bool) -> Scope:
        """Inner joins side by side, with the conditions of all of them and of WHERE."""
        pool = [c for j in joins for c in conjuncts(j.args.get("on"))]
        waiting = list(joins)
        self._settle(scope, pool)
        while waiting:
            shared = [*pool, *(self.conditions if usable else [])]
            position = _next(scope, waiting, shared)
            tree = waiting.pop(position)
            if is_expanding(tree.this):
                self._expand(scope, tree.this, outer=False)
                self._settle(scope, pool)
                continue
            if isinstance(tree.this, exp.Lateral):
                scope = self._lateral(scope, tree, "inner")
                self._settle(scope, pool)
                continue
            right = self._item(tree.this, usable=usable, pool=pool)
            here = {*scope.names, *right.names}
            on = [c for c in shared if _joins(c, set(scope.names), set(right.names), here)]
            for condition in on:
                _remove(pool, condition)
                _remove(self.conditions, condition)
            scope = self._narrowed(scope, right, on)
            self._settle(scope, pool)
        for condition in pool:
            where(self.planner, scope, condition, self.ctes)
        return scope

    def _narrowed(self, scope: Scope, right: Scope, on: list[exp.Expr]) -> Scope:
        """An inner join; a side of one row bounds the other by an index, where they are compared."""
        left, row = (scope, right) if right.operator.of_one_row else (right, scope)
        found = comparisons(left, row, on) if row.operator.of_one_row else {}
        if not found:
            return self._joined(scope, right, on)
        judged = {id(n) for c in on if id(c) in found for n in c.walk()}
        read = any(c.table in row.names and id(c) not in judged for c in self.tree.find_all(exp.Column))
        rest = [c for c in on if id(c) not in found]
        row = bounded(self.planner, left, row, found.values(), whole=read and not rest)
        return self._joined(left, row, rest) if read or rest else left

    def _joined(self, scope: Scope, right: Scope, on: list[exp.Expr]) -> Scope:
        """An inner join; a condition over both sides that may fail is applied behind it, softly."""
        try:
            return joined(self.planner, scope, right, on, "inner")
        except UnsupportedFeature:
            equal = [c for c in on if isinstance(c.unnest(), exp.EQ | exp.NullSafeEQ)]
            rest = [c for c in on if c not in equal]
            if not rest:
                raise
            scope = joined(self.planner, scope, right, equal, "inner")
            for condition in rest:
                where(self.planner, scope, condition, self.ctes)
            return scope

    def _settle(self, scope: Scope, pool: list[exp.Expr]) -> None:
        """Apply the conditions of joins that have all they read."""
        for condition in [c for c in pool if tables_of(c) <= set(scope.names)]:
            _remove(pool, condition)
            where(self.planner, scope, condition, self.ctes)

    def _one(self, scope: Scope, tree: exp.Join, kind: str, *, usable: bool) -> Scope:
        """An outer or temporal join, in its place."""
        on = conjuncts(tree.args.get("on"))
        version = tree.this.args.get("version")
        if version is not None:
            right = self._item(tree.this, usable=False)
            if kind not in ("temporal", "left"):
                raise UnsupportedFeature(f"temporal {kind} join", hint="use JOIN or LEFT JOIN")
            if kind == "temporal" and usable:
                here = {*scope.names, *right.names}
                shared = [c for c in self.conditions if _joins(c, set(scope.names), set(right.names), here)]
                on = [*on, *(c for c in shared if isinstance(c, exp.EQ))]
                for condition in on:
                    _remove(self.conditions, condition)
            return temporal(self.planner, scope, right, on, outer=kind == "left")
        if kind.startswith("asof"):
            return asof(
                self.planner, scope, self._item(tree.this, usable=False), on, outer=kind == "asof left"
            )
        if is_expanding(tree.this):
            if kind != "left" or any(c != exp.true() for c in on):
                raise UnsupportedFeature(
                    f"{kind} join with a table function or VALUES", hint="LEFT JOIN ... ON true"
                )
            self._expand(scope, tree.this, outer=True)
            return scope
        if isinstance(tree.this, exp.Lateral):
            return self._lateral(scope, tree, kind)
        right = self._item(tree.this, usable=False)
        if any(has_subquery(c) for c in on):
            raise UnsupportedFeature(
                "a subquery in the ON of an outer join", hint="join with the subquery instead"
            )
        if kind == "right":
            self._narrow(scope, on)
        elif kind == "left":
            self._narrow(right, on)
        return joined(self.planner, scope, right, [c for c in on if c != exp.true()], kind)

    def _narrow(self, scope: Scope, on: list[exp.Expr]) -> None:
        """What ON says of the side that is padded alone narrows it down before the join."""
        for condition in [c for c in on if tables_of(c) and tables_of(c) <= set(scope.names)]:
            on.remove(condition)
            where(self.planner, scope, condition, self.ctes)

    def _lateral(self, scope: Scope, tree: exp.Join, kind: str) -> Scope:
        """LATERAL (SELECT ...): a join with the subquery, which reads nothing around it any more."""
        lateral = tree.this
        if kind not in ("inner", "left"):
            raise InvalidStatement(f"LATERAL in a {kind} join", sqlstate="42601")
        on = [c for c in conjuncts(tree.args.get("on")) if c != exp.true()] if kind == "left" else []
        plain = uncorrelated(lateral.this, self.planner.fresh)
        operator, _ = self.planner.query(plain.query, self.ctes)
        names = {c.name: c.name for c in operator.visible}
        listed = lateral.args["alias"].columns if lateral.args.get("alias") else []
        shown = dict(zip([c.name for c in listed], names, strict=False)) or names
        right = Scope(operator, {lateral.alias_or_name: {**names, **shown}, plain.alias: names})
        equal = [
            exp.EQ(this=o.copy(), expression=exp.column(exp.to_identifier(n, quoted=True), table=plain.alias))
            for o, n in plain.equal
        ]
        always = plain.whole and not plain.equal and not on  # one row, for every row
        how = "left" if (kind == "left" and not always) or (plain.whole and plain.equal) else "inner"
        result = joined(self.planner, scope, right, [*equal, *plain.rest, *on], how)
        if plain.missing is not None and plain.equal:
            self._fill(result, plain, lateral.alias_or_name, next(iter(shown)))
        del result.names[plain.alias]
        return result

    def _fill(self, scope: Scope, plain: Uncorrelated, alias: str, output: str) -> None:
        """What count() gives over no rows, in the place of the NULL that the join gives."""
        found = exp.column(exp.to_identifier(plain.equal[0][1], quoted=True), table=plain.alias)
        value = exp.column(exp.to_identifier(output, quoted=True), table=alias)
        assert plain.missing is not None  # noqa: S101 - the caller checked
        filled = exp.Case(ifs=[exp.If(this=found.is_(exp.null()), true=plain.missing.copy())], default=value)
        scope.operator, (column,) = computed(self.planner, scope.operator, [bind(scope, filled)])
        scope.names[alias] = {**scope.names[alias], output: column}

    def _expand(self, scope: Scope, item: exp.Expr, *, outer: bool) -> None:
        if isinstance(item, exp.Values) and not outer and _repeat(self.planner, scope, item):
            return
        expand_item(self.planner, scope, item, outer=outer)

    def _item(self, item: exp.Expr, *, usable: bool, pool: list[exp.Expr] | None = None) -> Scope:
        """An item by itself, narrowed down by what is said of it alone."""
        if item.args.get("joins"):
            return self._apart(item)
        if isinstance(item, exp.Subquery) and not isinstance(item.this, exp.Query):  # (a JOIN b ON ...)
            scope = self._apart(item.this)
        elif is_expanding(item):
            scope = Scope(OneRow(f"_one_{self.planner.fresh()}"), {})
            self._expand(scope, item, outer=False)
        else:
            scope = _item(self.planner, item, self.ctes)
        single = self.tree.args["from_"].this is item and not self.tree.args.get("joins")
        if scope.ranked is not None and not single:
            bound_rank(scope, self.conditions if usable else [], self.tree)
        if usable:
            for source in (self.conditions, pool if pool is not None else []):
                self._push(scope, source)
        return scope

    def _apart(self, item: exp.Expr) -> Scope:
        """What is joined to an item before it is joined to others."""
        joins, first = item.args.get("joins") or [], item.copy()
        first.set("joins", None)
        return _From(self.planner, self.tree, self.ctes, []).scope(first, joins)

    def _push(self, scope: Scope, conditions: list[exp.Expr]) -> None:
        """Apply the conditions that read only this item before it is joined; they are taken out of the list."""
        for condition in list(conditions):
            tables = tables_of(condition)
            if tables and tables <= set(scope.names):
                _remove(conditions, condition)
                where(self.planner, scope, condition, self.ctes)


def _grouped(joins: list[exp.Join]) -> list[exp.Join]:
    """JOIN binds tighter than a comma: `a, b FULL JOIN c` joins b and c first. The parser lists them side by side, which is
    the same unless rows of the left are padded.
    """
    found: list[exp.Join] = []
    comma: int | None = None
    for join in joins:
        if not any(join.args.get(word) for word in ("side", "kind", "method", "on", "using")):
            comma = len(found)
        found.append(join)
        if comma is not None and _kind(join) in ("right", "full"):
            item = found[comma].this.copy()
            item.set("joins", [*(item.args.get("joins") or []), *(j.copy() for j in found[comma + 1 :])])
            found[comma:] = [exp.Join(this=item)]
    return found


def _kind(join: exp.Join) -> str:
    side = (join.side or "").lower()
    if (join.method or "").upper() == "ASOF":
        return f"asof {side}".strip()
    if join.method:
        raise UnsupportedFeature(f"{join.method.upper()} JOIN in a view")
    if (join.kind or "").upper() in ("SEMI", "ANTI"):
        raise UnsupportedFeature(f"{join.kind} JOIN in a view", hint="WHERE EXISTS (SELECT ...)")
    if not side and join.this.args.get("version") is not None:
        return "temporal"
    return side or "inner"


def _next(scope: Scope, waiting: list[exp.Join], conditions: list[exp.Expr]) -> int:
    """Which of the items to join next; see the module's text."""
    here = set(scope.names)
    ready = [n for n, j in enumerate(waiting) if _needs(j.this) <= here]
    tests: tuple[Callable[[exp.Expr], bool], ...] = (
        lambda c: isinstance(c.unnest(), exp.EQ | exp.NullSafeEQ),
        lambda c: True,
    )
    for test in tests:
        for position in ready:
            aliases = _aliases(waiting[position].this)
            found = (c for c in conditions if test(c) and _joins(c, here, aliases, here | aliases))
            if any(found):
                return position
    return ready[0] if ready else 0


def _needs(item: exp.Expr) -> set[str]:
    """The aliases that a lateral item reads."""
    if isinstance(item, exp.Lateral) and isinstance(item.this, exp.Subquery):
        return {c.table for c in free_columns(item.this)}
    if is_expanding(item):
        return {c.table for c in item.find_all(exp.Column) if c.table}
    return set()


def _aliases(item: exp.Expr) -> set[str]:
    if isinstance(item, exp.Subquery) and not isinstance(item.this, exp.Query):
        inner = [item.this, *(j.this for j in item.this.args.get("joins") or [])]
        return {a for i in inner for a in _aliases(i)}
    return {item.alias_or_name, *(j.this.alias_or_name for j in item.args.get("joins") or [])}


def _joins(condition: exp.Expr, left: set[str], right: set[str], here: set[str]) -> bool:
    """Can the join be made by it: does it read both sides, and nothing else?"""
    tables = tables_of(condition)
    return bool(tables & left and tables & right and tables <= here) and _is_plain(condition)


def _is_plain(condition: exp.Expr) -> bool:
    return not has_subquery(condition) and condition.find(exp.CurrentTimestamp) is None


def _remove(conditions: list[exp.Expr], condition: exp.Expr) -> None:
    for position, each in enumerate(conditions):
        if each is condition:
            del conditions[position]
            return


def _repeat(planner: Planner, scope: Scope, values: exp.Values) -> bool:
    """CROSS JOIN (VALUES (0), (1), ...) AS v(n), distinct integers as HOP has them: a watermark passes through."""
    alias = values.args.get("alias")
    numbers = [
        t.expressions[0] for t in values.expressions if isinstance(t, exp.Tuple) and len(t.expressions) == 1
    ]
    whole = all(isinstance(n, exp.Literal) and n.is_int for n in numbers) and numbers
    distinct = tuple(dict.fromkeys(int(n.name) for n in numbers)) if whole else ()
    if alias is None or len(alias.columns) != 1 or not distinct or len(distinct) != len(values.expressions):
        return False
    column = alias.columns[0].name
    number = f"{column}_{planner.fresh()}"
    scope.operator = Repeat(scope.operator, number, distinct)
    scope.names = {**scope.names, values.alias: {column: number}}
    return True


def _item(planner: Planner, item: exp.Expr, ctes: Queries) -> Scope:
    alias = item.alias_or_name
    if isinstance(item, exp.Subquery):
        operator, ranked = planner.query(item.this, ctes)
        return Scope(operator, {alias: {c.name: c.name for c in operator.visible}}, ranked)
    if not isinstance(item, exp.Table):
        raise UnsupportedFeature(f"{item.key.upper()} in FROM of a view")
    if not item.db and item.name in ctes:
        given = ctes[item.name]
        inner = {k: v for k, v in ctes.items() if k != item.name}
        operator, ranked = (given, None) if isinstance(given, Operator) else planner.query(given, inner)
        return Scope(operator, {alias: {c.name: c.name for c in operator.visible}}, ranked)
    if GAP_FILL in item.meta:
        operator = gap_fill(
            planner, scan(planner, planner.relation(item.name.removesuffix(GAP_FILL), item.db)), item
        )
        return Scope(operator, {alias: {c.name: c.name for c in operator.visible}})
    if SUFFIX in item.meta:
        operator = Changelog(scan(planner, planner.relation(item.name.removesuffix(SUFFIX), item.db)))
        return Scope(operator, {alias: {c.name: c.name for c in operator.columns}})
    relation = planner.relation(item.name, item.db)
    operator = scan(planner, relation)
    shown = (*nameable(operator.columns), *operator.visible)
    return Scope(operator, {alias: {c.name: c.name for c in shown}})


def scan(planner: Planner, relation: Relation) -> Operator:
    """A relation's changes and content; a plain view's operators in its place."""
    if relation.query is not None:
        return planner.view(relation)
    return relation_scan(relation)


def relation_scan(relation: Relation) -> Scan:
    """The changes and the content of a stored relation or a source."""
    return Scan(
        relation.name,
        delta_name(relation.id),
        relation.content,
        relation.columns,
        relation.key,
        relation.append_only,
        relation.storage,
        {column: Watermark(expression) for column, expression in relation.watermarks.items()},
    )
