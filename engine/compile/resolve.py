"""Names: TUMBLE and stars expanded, every column qualified with the alias it belongs to, by sqlglot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from engine.compile.scope import Planner, nameable
from tailrace.errors import InvalidStatement, TailraceError
from tailrace.sql.changelog import OPERATION, ROW_ID, SUFFIX, inline_changelogs
from tailrace.sql.dialect import TailraceSQL
from tailrace.sql.event_syntax import is_changelog
from tailrace.sql.gap_fill import GAP_FILL, name_gap_fills
from tailrace.sql.names import ObjectName, references
from tailrace.sql.windows import expand_windows

_POSITION = re.compile(r"\.? Line: \d+, Col: \d+$")
_NAME = re.compile(r"'\"?([^'\"]+)\"?'")


class UnresolvedName(InvalidStatement):
    """A name that sqlglot cannot resolve; PostgreSQL may know better."""


def resolve(planner: Planner, query: exp.Query) -> exp.Query:
    """Expand TUMBLE and stars, and qualify every column; unknown columns are reported by name."""
    folded = normalize_identifiers(inline_changelogs(query.copy()), dialect=TailraceSQL)
    tree = normalize_identifiers(expand_windows(name_gap_fills(folded)), dialect=TailraceSQL)
    schemas: dict[str, dict[str, dict[str, str]]] = {}
    ctes = {c.alias for c in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            _name_columns(planner, table)
            continue
        if not table.db and table.name in ctes:
            continue
        relation = planner.relation(table.name, table.db)
        table.set("db", exp.to_identifier(relation.schema, quoted=True))
        columns = {c.name: "text" for c in (*planner.visible(relation), *nameable(relation.columns))}
        if GAP_FILL in table.meta:
            table.set("this", exp.to_identifier(table.name + GAP_FILL, quoted=True))
        if is_changelog(table):
            table.set("this", exp.to_identifier(table.name + SUFFIX, quoted=True))
            table.set("version", None)
            table.meta[SUFFIX] = True
            columns |= {OPERATION: "text", ROW_ID: "text"}
        schemas.setdefault(relation.schema, {})[table.name] = columns
    try:
        return qualify(  # type: ignore[return-value]
            tree,
            schema=MappingSchema({**schemas}, dialect=TailraceSQL, normalize=False),
            dialect=TailraceSQL,
            quote_identifiers=True,
        )
    except OptimizeError as error:
        known = {name for tables in schemas.values() for columns in tables.values() for name in columns}
        raise _unresolved(str(error).splitlines()[0], known) from error


def _unresolved(message: str, known: Iterable[str]) -> UnresolvedName:
    """The message without a position, which is one in a part of the statement, and with the name that may be meant."""
    message = _POSITION.sub("", message)
    name = _NAME.search(message)
    close = get_close_matches(name[1], list(known), 1) if name else []
    return UnresolvedName(message, sqlstate="42703", hint=f"did you mean {close[0]}?" if close else None)


def _name_columns(planner: Planner, table: exp.Table) -> None:
    """Give a function of FROM, over constants, the names that PostgreSQL gives it: `abs(-1)` is `abs(-1) AS abs(abs)`."""
    if table.args.get("joins") or table.alias_column_names or table.find(exp.Column, exp.Lambda):
        return
    try:
        columns = planner.environment.describe(f"SELECT * FROM {table.sql(dialect='postgres')}")
    except TailraceError:
        return  # whoever plans it tells what is wrong
    if columns:
        name = table.alias or columns[0].name
        names = [exp.to_identifier(c.name, quoted=True) for c in columns]
        table.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True), columns=names))


def relations_of(query: exp.Expr) -> list[ObjectName]:
    """The relation names that a query reads directly, CTE names left out, in order of appearance."""
    return list(dict.fromkeys(reference.name for reference in references(query)))
