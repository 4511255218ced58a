"""Correlated subqueries made plain ones: what they read of the query around them becomes a condition of a join.

Pure: syntax trees whose columns are qualified to syntax trees. A subquery reads an outer column where no FROM clause inside it
defines the column's alias.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

from sqlglot import exp

from tailrace.errors import UnsupportedFeature

_REFUSAL = "this form of a correlated subquery in a view"


@dataclass(frozen=True, slots=True)
class Uncorrelated:
    """A query that stands by itself, and when its rows belong to an outer row.

    `equal` pairs an outer expression with the query's output column; `rest` are conditions over outer columns and over output
    columns, the latter qualified by `alias`. `whole`: without GROUP BY it gave one row for every outer row, also for those
    that nothing matches; `missing` is the value of its first column then, None where that is NULL.
    """

    query: exp.Select
    alias: str
    equal: tuple[tuple[exp.Expr, str], ...]
    rest: tuple[exp.Expr, ...]
    whole: bool
    missing: exp.Expr | None


def free_columns(query: exp.Expr) -> list[exp.Column]:
    """The columns that `query` reads of what is around it.

    >>> import sqlglot
    >>> [c.sql() for c in free_columns(sqlglot.parse_one("SELECT u.a FROM u WHERE u.b = t.b"))]
    ['t.b']
    """
    query = query.unnest()
    if isinstance(query, exp.SetOperation):
        return [*free_columns(query.this), *free_columns(query.expression)]
    local = _aliases(query)
    inner = [q for q in query.find_all(exp.Query) if q is not query and q.find_ancestor(exp.Query) is query]
    nested = {id(c) for q in inner for c in q.find_all(exp.Column)}
    own = [c for c in query.find_all(exp.Column) if c.table and id(c) not in nested]
    below = [c for q in inner for c in free_columns(q)]
    unique = {id(c): c for c in [*own, *below] if c.table and c.table not in local}
    return list(unique.values())


def _aliases(select: exp.Expr) -> set[str]:
    source = select.args.get("from_")
    items = [source.this] if source is not None else []
    items += [j.this for j in select.args.get("joins") or []]
    found: set[str] = set()
    while items:
        item = items.pop()
        found.add(item.alias_or_name)
        items += [j.this for j in item.args.get("joins") or []]
        if isinstance(item, exp.Subquery) and not isinstance(item.this, exp.Query):
            items.append(item.this)  # (a JOIN b ON ...)
    return found


def queries_in(expression: exp.Expr) -> list[exp.Expr]:
    """The outermost queries of an expression; the expression itself where it is one."""
    found: list[exp.Expr] = []
    stack = [expression]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Query):
            found.append(node)
        else:
            stack.extend(node.iter_expressions())
    return found


def is_scalar(subquery: exp.Expr) -> bool:
    """Does it stand for a value, not for rows?"""
    rows = (
        *(exp.From, exp.Join, exp.Exists, exp.Any, exp.All, exp.Lateral, exp.SetOperation),
        *(exp.Array, exp.CTE, exp.Subquery),
    )
    return not isinstance(subquery.parent, (*rows, type(None))) and subquery.arg_key != "query"


def gives_one_row(query: exp.Expr, single: Container[str] = ()) -> bool:
    """Is it sure that `query` gives at most one row? `single` are the names of CTEs that do."""
    query = query.unnest()
    limit = query.args.get("limit")
    if limit is not None and isinstance(limit.expression, exp.Literal):
        return limit.expression.name in ("0", "1")
    if not isinstance(query, exp.Select) or query.args.get("group") is not None:
        return False
    source = query.args.get("from_")
    if source is None or query.args.get("having") is not None or own_aggregates(query):
        return True
    item = source.this
    if query.args.get("joins") or query.args.get("laterals"):
        return False
    if isinstance(item, exp.Subquery):
        return gives_one_row(item, single)
    return isinstance(item, exp.Table) and not item.db and item.name in single


def uncorrelated(query: exp.Expr, fresh: Callable[[], int], *, exists: bool = False) -> Uncorrelated:
    """`query` without its outer columns; `exists` says that only whether it has rows counts, not what these are.

    Raises UnsupportedFeature for forms that a join does not express.
    """
    tree = query.unnest().copy()
    number = fresh()
    if not isinstance(tree, exp.Select):
        if free_columns(tree):
            raise UnsupportedFeature(_REFUSAL)
        subquery = exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier(f"_s{number}")))
        outputs = [s.alias_or_name for s in _first_select(tree).selects]
        listed = [exp.column(exp.to_identifier(n, quoted=True), table=f"_s{number}") for n in outputs]
        plain = exp.select(*listed).from_(subquery)
        return Uncorrelated(plain, f"_q{number}", (), (), whole=False, missing=None)
    if exists:
        _simplify(tree)
    return _Separation(tree, number, exists=exists).result()


@dataclass(slots=True)
class _Separation:
    """A subquery while its WHERE is taken apart."""

    select: exp.Select
    number: int
    exists: bool
    added: list[exp.Expr] = field(default_factory=list)  # output columns for the join's conditions

    @property
    def alias(self) -> str:
        return f"_q{self.number}"

    def result(self) -> Uncorrelated:
        select, grouped = self.select, self.select.args.get("group") is not None
        whole = not grouped and bool(own_aggregates(select))
        equal, rest = self._conditions(whole=whole)
        missing = _missing(select) if whole else None
        if self.exists:
            select.set("expressions", [])
        _add(select, self.added, grouped=grouped or whole)
        if not select.expressions:
            select.select(exp.alias_(exp.Literal.number(1), f"_c{self.number}_one"), copy=False)
        if not select.args.get("limit"):
            select.set("order", None)
        elif self.added:
            select = _limited(select, self.added, self.number)
        if free_columns(select) or (self.added and select.args.get("offset")):
            raise UnsupportedFeature(_REFUSAL)
        return Uncorrelated(select, self.alias, tuple(equal), tuple(rest), whole, missing)

    def _conditions(self, *, whole: bool) -> tuple[list[tuple[exp.Expr, str]], list[exp.Expr]]:
        """Take the conditions that read outer columns out of WHERE: the equalities, and the others."""
        select = self.select
        bounded = ("group", "distinct", "limit", "offset", "having")
        plain = not whole and not any(select.args.get(k) for k in bounded)
        where = select.args.get("where")
        outer = {id(c) for c in free_columns(select)}
        equal: list[tuple[exp.Expr, str]] = []
        rest: list[exp.Expr] = []
        kept: list[exp.Expr] = []
        for condition in _conjuncts(where.this if where is not None else None):
            if not any(id(c) in outer for c in condition.find_all(exp.Column)):
                kept.append(condition)
                continue
            if condition.find(exp.Query):
                raise UnsupportedFeature(_REFUSAL)
            sides = _equality(condition, outer)
            if sides is not None:
                equal.append((sides[0].copy(), self._output(sides[1])))
            elif plain:
                rest.append(_outside(condition, outer, self.alias, self._output))
            else:
                raise UnsupportedFeature(_REFUSAL)
        select.set("where", None)
        for condition in kept:
            select.where(condition, copy=False)
        return equal, rest

    def _output(self, inner: exp.Expr) -> str:
        name = f"_c{self.number}_{len(self.added)}"
        self.added.append(exp.alias_(inner.copy(), name, quoted=True))
        return name


def _first_select(query: exp.Expr) -> exp.Select:
    """The SELECT that names the columns of a set operation."""
    while not isinstance(query, exp.Select):
        query = query.this
    return query


def _simplify(select: exp.Select) -> None:
    """Drop what does not change whether there are rows."""
    limit = select.args.get("limit")
    if limit is not None and isinstance(limit.expression, exp.Literal) and limit.expression.name != "0":
        select.set("limit", None)
    if not select.args.get("limit"):
        select.set("order", None)
        if not select.args.get("offset"):
            select.set("distinct", None)


def _add(select: exp.Select, added: list[exp.Expr], *, grouped: bool) -> None:
    """Put the columns of the join into the output, and into the groups where there are some."""
    select.set("expressions", [*select.expressions, *added])
    if grouped:
        group = select.args.get("group") or exp.Group(expressions=[])
        group.set("expressions", [*group.expressions, *(a.this.copy() for a in added)])
        select.set("group", group if group.expressions else None)
    on = (select.args.get("distinct") or exp.Distinct()).args.get("on")
    if added and on is not None:
        on.set("expressions", [*on.expressions, *(a.this.copy() for a in added)])


def _limited(select: exp.Select, added: list[exp.Expr], number: int) -> exp.Select:
    """LIMIT for each combination of the join's columns: a bounded row_number().

    `SELECT a, b AS _c ... ORDER BY a LIMIT 2` becomes
    `SELECT a, _c FROM (SELECT a, b AS _c, row_number() OVER (PARTITION BY b ORDER BY a) AS _rank ...) AS _r WHERE _rank <= 2`.
    """
    limit = select.args["limit"].expression
    aggregated = select.args.get("group") or select.args.get("distinct") or own_aggregates(select)
    if aggregated or select.args.get("offset") or not isinstance(limit, exp.Literal):
        raise UnsupportedFeature(_REFUSAL)
    alias, rank, order = f"_r{number}", f"_rank{number}", select.args.get("order")
    shown = [exp.alias_(e.unalias(), f"_l{number}_{i}", quoted=True) for i, e in enumerate(select.selects)]
    by = exp.Order(expressions=[_named(o, select) for o in order.expressions]) if order is not None else None
    window = exp.Window(this=exp.RowNumber(), partition_by=[a.this.copy() for a in added], order=by)
    inner = select.copy()
    inner.set("order", None)
    inner.set("limit", None)
    inner.set("expressions", [*shown, exp.alias_(window, rank, quoted=True)])

    def column(name: str) -> exp.Column:
        return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))

    outputs = [
        exp.alias_(column(s.alias), e.alias_or_name, quoted=True)
        for s, e in zip(shown, select.selects, strict=True)
    ]
    bound = exp.LTE(this=column(rank), expression=limit.copy())
    return exp.select(*outputs).from_(inner.subquery(exp.to_identifier(alias, quoted=True))).where(bound)


def _named(ordered: exp.Expr, select: exp.Select) -> exp.Expr:
    """ORDER BY an output column's name as the expression that it stands for."""
    found = {s.alias_or_name: s.unalias() for s in select.selects}
    ordered = ordered.copy()
    if isinstance(ordered.this, exp.Column) and not ordered.this.table and ordered.this.name in found:
        ordered.set("this", found[ordered.this.name].copy())
    return ordered


def own_aggregates(select: exp.Select) -> list[exp.Expr]:
    """The aggregate calls of a select list and HAVING, those of window functions and of subqueries left out."""
    having = select.args.get("having")
    found = [n for s in [*select.selects, *([having] if having else [])] for n in s.find_all(exp.AggFunc)]
    return [n for n in found if n.find_ancestor(exp.Query) is select and not isinstance(n.parent, exp.Window)]


def _missing(select: exp.Select) -> exp.Expr | None:
    """The first output over no rows: count() gives 0, every other aggregate NULL."""
    if not select.selects or select.args.get("having"):
        return None
    item = select.selects[0].unalias().copy()
    if not item.find(exp.Count, exp.Coalesce, exp.Case, exp.Is, exp.If, exp.Anonymous):
        return None  # NULL goes through all else

    def empty(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Filter):
            node = node.this
        if isinstance(node, exp.Count):
            return exp.Literal.number(0)
        return exp.Null() if isinstance(node, exp.AggFunc) else node

    return item.transform(empty)


def _conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    if condition is None:
        return []
    condition = condition.unnest()
    if not isinstance(condition, exp.And):
        return [condition]
    return [c for side in (condition.this, condition.expression) for c in _conjuncts(side)]


def _equality(condition: exp.Expr, outer: set[int]) -> tuple[exp.Expr, exp.Expr] | None:
    """(outer, inner) of an equality of the two; None for anything else."""
    if not isinstance(condition, exp.EQ):
        return None
    sides = [condition.this, condition.expression]
    reads = [[id(c) in outer for c in s.find_all(exp.Column)] for s in sides]
    for one, other in ((0, 1), (1, 0)):
        if reads[one] and all(reads[one]) and reads[other] and not any(reads[other]):
            return sides[one], sides[other]
    return None


def _outside(condition: exp.Expr, outer: set[int], alias: str, output: Callable[[exp.Expr], str]) -> exp.Expr:
    """The condition over outer columns and output columns: what it reads inside is put out."""
    named: dict[str, str] = {}
    ids = {id(c): c for c in condition.find_all(exp.Column) if id(c) not in outer}
    for column in ids.values():
        if column.sql() not in named:
            named[column.sql()] = output(column)

    def walk(node: exp.Expr) -> exp.Expr:
        if id(node) in ids:
            return exp.column(exp.to_identifier(named[node.sql()], quoted=True), table=alias)
        for child in list(node.iter_expressions()):
            replaced = walk(child)
            if replaced is not child:
                child.replace(replaced)
        return node

    return walk(condition)
