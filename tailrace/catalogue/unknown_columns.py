"""Columns that a query names and none of its relations has: found before anything is deployed. Pure.

Cautious: a name is reported only where the columns of all relations that it could come from are known. Called by `columns`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from tailrace.catalogue.objects import Column, Problem, SqlObject
from tailrace.sql.names import ObjectName, folded

Known = Mapping[ObjectName, tuple[Column, ...] | None]
Sources = dict[str, list[str] | None]
"""By alias the columns of an item of FROM; None where they are not known."""


def unknown_columns(item: SqlObject, node: exp.Expr, known: Known) -> Iterator[Problem]:
    """The problems of a prepared query, or of the Index of a CREATE INDEX."""
    if isinstance(node, exp.Index):
        columns = known.get(item.reads[0]) if item.reads else None
        if columns is not None:
            sources: Sources = {str(item.reads[0]): [c.name for c in columns]}
            parameters = node.args.get("params") or node
            for column in parameters.find_all(exp.Column):
                yield from _judge(item, column, [sources], frozenset())
        return
    for scope in traverse_scope(node):
        if scope.is_udtf:
            continue
        chain = _chain(scope, known)
        aliases = frozenset(a.alias.lower() for a in scope.expression.find_all(exp.Alias) if a.alias)
        for column in scope.find_all(exp.Column):
            if isinstance(column.this, exp.Identifier):
                yield from _judge(item, column, chain, aliases)


def _chain(scope: Scope, known: Known) -> list[Sources]:
    """The sources of a scope, then those of the queries around it."""
    found: list[Sources] = []
    at: Scope | None = scope
    while at is not None:
        sources: Sources = {alias: _columns(source, known) for alias, source in at.sources.items()}
        if any(isinstance(e, exp.Lateral | exp.Unnest) for e in at.find_all(exp.Lateral, exp.Unnest)):
            sources[""] = None
        found.append(sources)
        at = at.parent
    return found


def _columns(source: exp.Table | Scope | exp.Expr, known: Known) -> list[str] | None:
    if isinstance(source, exp.Table):
        if not isinstance(source.this, exp.Identifier):
            return None
        schema, _, name = source.name.rpartition(".")
        columns = known.get(ObjectName(name, schema))
        return None if columns is None else _renamed(source, [c.name for c in columns])
    if not isinstance(source, Scope) or source.is_udtf:
        return None
    return _outputs(source, known)


def _outputs(scope: Scope, known: Known) -> list[str] | None:
    """The names of a subquery's columns; its stars are written out."""
    query = scope.expression
    if isinstance(query, exp.SetOperation):
        left = scope.set_operation_scopes[0] if scope.set_operation_scopes else None
        return None if left is None else _renamed_scope(scope, _outputs(left, known))
    if not isinstance(query, exp.Select):
        return None
    found: list[str] = []
    for item in query.expressions:
        if not item.is_star:
            found.append(item.alias_or_name.lower() if not _quoted(item) else item.alias_or_name)
            continue
        if isinstance(item, exp.Star) and (item.args.get("except_") or item.args.get("rename")):
            return None
        wanted = [item.table] if isinstance(item, exp.Column) else list(scope.sources)
        for alias in wanted:
            inner = scope.sources.get(alias)
            columns = None if inner is None else _columns(inner, known)
            if columns is None:
                return None
            found += columns
    return _renamed_scope(scope, found)


def _renamed(source: exp.Expr, columns: list[str]) -> list[str]:
    """After `AS t (a, b)`."""
    alias = source.args.get("alias")
    listed = [folded(c if isinstance(c, exp.Identifier) else c.this) for c in alias.columns] if alias else []
    return listed + columns[len(listed) :]


def _renamed_scope(scope: Scope, columns: list[str] | None) -> list[str] | None:
    around = scope.expression.parent
    if columns is None or not isinstance(around, exp.Subquery | exp.CTE):
        return columns
    return _renamed(around, columns)


def _quoted(item: exp.Expr) -> bool:
    named = item.args.get("alias") if isinstance(item, exp.Alias) else item.this
    return isinstance(named, exp.Identifier) and bool(named.args.get("quoted"))


def _judge(
    item: SqlObject, column: exp.Column, chain: list[Sources], aliases: frozenset[str]
) -> Iterator[Problem]:
    name, table = folded(column.this), column.args.get("table")
    if name.startswith("_") or column.args.get("db") or isinstance(column.this, exp.Star):
        return
    if table is not None:
        yield from _judge_qualified(item, column, folded(table), chain)
        return
    candidates: list[str] = []
    for sources in chain:
        for alias, columns in sources.items():
            if columns is None or name in columns or name == alias:
                return
            candidates += columns
    if name in aliases or not any(chain):
        return
    relations = ", ".join(chain[0]) if chain else ""
    yield _problem(item, column, f"column {name} of {relations} does not exist", name, candidates)


def _judge_qualified(
    item: SqlObject, column: exp.Column, table: str, chain: list[Sources]
) -> Iterator[Problem]:
    name = folded(column.this)
    for sources in chain:
        if table in sources:
            columns = sources[table]
            if columns is not None and name not in columns:
                yield _problem(item, column, f"column {name} of {table} does not exist", name, columns)
            return
        if any(columns is None or table in columns for columns in sources.values()):
            return  # a field of a struct, or of something that is not known
    aliases = [alias for sources in chain for alias in sources]
    yield _problem(item, column, f"{table}.{name}: there is no {table} in FROM", table, aliases)


def _problem(item: SqlObject, column: exp.Column, message: str, name: str, candidates: list[str]) -> Problem:
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(dict.fromkeys(candidates))}"
    shown = f"{message}, did you mean {close[0]}?" if close else message
    return Problem("unknown_column", shown, item.path, item.line_of(column.this), "" if close else hint)
