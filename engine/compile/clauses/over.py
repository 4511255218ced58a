"""Window functions: `function(...) OVER (PARTITION BY ... ORDER BY ... frame)`, each a column computed per partition.

Arguments, partitions, orders and filters become columns first; windows of one partition share an operator. Where ties would
leave the result open (row_number(), lag(), ROWS frames) the stream key decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.compile.clauses.reach import function_name, function_of, reach
from engine.compile.clauses.session import with_sessions, within_sessions, without_session
from engine.compile.expressions import identifier
from engine.compile.relations import describe_over
from engine.compile.scope import Planner, Scope, bind, computed
from engine.operators.base import Column, Operator, names, quote
from engine.operators.over_rows import OverRows
from engine.operators.project import sql
from engine.operators.recompute_groups import RecomputeGroups
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.aggregate_calls import aggregate_calls

_BY_PEERS = ("RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST")
"""Functions that rows of equal order share."""
_BY_ROWS = ("ROW_NUMBER", "NTILE", "LAG", "LEAD")
_Item = tuple[str, Column]
"""A window as SQL over the columns of the operator below, and its column."""


def windows_of(expressions: Sequence[exp.Expr]) -> list[exp.Window]:
    """The window functions in `expressions`."""
    return [w for e in expressions for w in e.find_all(exp.Window)]


def name_windows(tree: exp.Select, expressions: Sequence[exp.Expr]) -> None:
    """Put the definitions of the WINDOW clause in the place of their names."""
    named = {w.this.name: w for w in tree.args.get("windows") or []}
    for window in windows_of(expressions):
        _define(window, named, 0)


def _define(window: exp.Window, named: dict[str, exp.Window], depth: int) -> None:
    name = window.args.get("alias")
    if name is None:
        return
    found = named.get(name.name)
    if found is None or depth > len(named):
        raise InvalidStatement(f'window "{name.name}" does not exist', sqlstate="42704")
    definition = found.copy()
    _define(definition, named, depth + 1)
    window.set("alias", None)
    for part in ("partition_by", "order", "spec"):
        if not window.args.get(part):
            window.set(part, definition.args.get(part))


def over(planner: Planner, scope: Scope, selects: list[exp.Expr]) -> None:
    """Compute the windows of the select list below it; `selects` then read their columns."""
    holder = exp.Tuple(expressions=[bind(scope, s) for s in selects])
    windows = windows_of(holder.expressions)
    if any(w.find(exp.Window) is not w or any(n is not w for n in w.find_all(exp.Window)) for w in windows):
        raise InvalidStatement("window function calls cannot be nested", sqlstate="42P20")
    slots = [slot for w in windows for slot in _slots(w)]
    scope.operator, columns = computed(planner, scope.operator, slots)
    for slot, column in zip(slots, columns, strict=True):
        slot.replace(identifier(column))
    for window in windows:
        _settle_ties(window, scope.operator.key)
    shown = [_postgres(within_sessions(w)) for w in windows]
    plain = [_postgres(without_session(w)) for w in windows]
    types = describe_over(planner.environment, scope.operator, plain)
    outputs = [Column(f"_over{planner.fresh()}", t) for t in types]
    items = [(sql(text), output) for text, output in zip(shown, outputs, strict=True)]
    by_partition: dict[tuple[str, ...], list[int]] = {}
    for index, window in enumerate(windows):
        partition = tuple(sorted({p.name for p in window.args.get("partition_by") or []}))
        by_partition.setdefault(partition, []).append(index)
    for partition, members in by_partition.items():
        scope.operator = _operators(
            scope.operator, partition, [windows[i] for i in members], [items[i] for i in members]
        )
    for window, output in zip(windows, outputs, strict=True):
        window.replace(identifier(output.name))
    selects[:] = [_named(new, old) for new, old in zip(list(holder.expressions), selects, strict=True)]


def _named(new: exp.Expr, old: exp.Expr) -> exp.Expr:
    name = old.alias_or_name
    return new if isinstance(new, exp.Alias) or not name else exp.alias_(new, name, quoted=True)


def _operators(
    below: Operator, partition: tuple[str, ...], windows: Sequence[exp.Window], items: Sequence[_Item]
) -> Operator:
    """The windows of one partition: by neighbouring rows where each looks at some rows only, else by the whole partition."""
    reaches = [reach(below, partition, w) for w in windows]
    by_order: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for index, found in enumerate(reaches):
        if found is None:
            return _whole_partitions(below, partition, windows, items)
        by_order.setdefault((found.order, found.descending), []).append(index)
    for (order, descending), members in by_order.items():
        behind = max(r.behind for i in members if (r := reaches[i]) is not None)
        ahead = max(r.ahead for i in members if (r := reaches[i]) is not None)
        chosen = tuple(items[i] for i in members)
        below = OverRows(below, partition, order, descending, behind, ahead, chosen)
    return below


def _whole_partitions(
    below: Operator, partition: tuple[str, ...], windows: Sequence[exp.Window], items: Sequence[_Item]
) -> Operator:
    kept = names(below.columns)
    computed_items = ", ".join(f"{text} AS {quote(column.name)}" for text, column in items)
    columns = (*below.columns, *(column for _, column in items))
    shown = ", ".join(text for text, _ in items)

    def query(rows: str) -> str:
        return f"SELECT {kept}, {computed_items} FROM {with_sessions(rows, windows)} AS q"

    return RecomputeGroups(below, partition, columns, below.key, query, "Over", shown, tuple(windows))


def _slots(window: exp.Window) -> list[exp.Expr]:
    """The expressions of a window that must be columns; constants among its partitions and orders are left out of it."""
    function, found = function_of(window), []
    for value in function.args.values():
        for argument in value if isinstance(value, list) else [value]:
            if isinstance(argument, exp.Distinct | exp.Order):
                raise UnsupportedFeature(
                    "DISTINCT or ORDER BY inside a window function", hint="aggregate in a subquery"
                )
            if isinstance(argument, exp.Expr) and argument.find(exp.Column):
                found.append(argument)
    condition = window.find(exp.Filter)
    if condition is not None:
        found.append(condition.expression.this)
    partition = [p for p in window.args.get("partition_by") or [] if p.find(exp.Column)]
    window.set("partition_by", partition)
    order = window.args.get("order")
    if order is not None:
        order.set("expressions", _flat(order.expressions))
        if not order.expressions:
            window.set("order", None)
    return [*found, *partition, *(o.this for o in (order.expressions if order is not None else []))]


def _flat(items: Sequence[exp.Expr]) -> list[exp.Expr]:
    """ORDER BY (a, b) DESC is ORDER BY a DESC, b DESC."""
    flat: list[exp.Expr] = []
    for item in items:
        of = item.this.unnest()
        for part in of.expressions if isinstance(of, exp.Tuple) else [of]:
            if part.find(exp.Column):
                flat.append(
                    exp.Ordered(this=part.copy(), **{k: v for k, v in item.args.items() if k != "this"})
                )
    return flat


def _settle_ties(window: exp.Window, key: Sequence[str]) -> None:
    name, spec = function_name(function_of(window)), window.args.get("spec")
    by_rows = name in _BY_ROWS or (spec is not None and str(spec.args.get("kind") or "").upper() == "ROWS")
    if name in _BY_PEERS or not by_rows:
        return
    order = window.args.get("order")
    ordered = list(order.expressions) if order is not None else []
    taken = {o.this.name for o in ordered}
    down = bool(ordered and ordered[-1].args.get("desc"))
    ordered += [exp.Ordered(this=identifier(k), desc=down, nulls_first=down) for k in key if k not in taken]
    window.set("order", exp.Order(expressions=ordered))


def _postgres(window: exp.Window) -> exp.Expr:
    """The window as PostgreSQL runs it."""
    wrapped = window.find(exp.IgnoreNulls)
    name = function_name(function_of(window))
    if wrapped is not None and name not in ("FIRST_VALUE", "LAST_VALUE"):
        raise UnsupportedFeature(
            f"IGNORE NULLS of {name.lower()}()", hint="only first_value and last_value have it"
        )
    changed = window.copy()
    target = changed.find(exp.IgnoreNulls)
    if target is not None:
        call = f"rw.{name.lower()}_not_null({sql(function_of(changed).this)})"
        target.replace(exp.maybe_parse(call, dialect="postgres"))
    return exp.var(aggregate_calls(sql(changed)))
