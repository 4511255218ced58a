"""Hidden columns in ad-hoc queries: `_row_id` and `_changelog_row_id`, the keys that the engine gives, and `_rw_timestamp`.

Clients see relations as views without them. A query that names one reads what is stored in their place (a table's storage, a
materialized view's engine.rows_<id>), which takes a look into the catalog first; a star still leaves them out. `_rw_timestamp` is
when the barrier, or the client's statement, committed that wrote the row; NULL once PostgreSQL has forgotten it. Pure; the
session asks and sends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlglot import exp

from tailrace.sql.dialect import parse_statement

_HIDDEN = ("_row_id", "_changelog_row_id", "_rw_timestamp")
NAMED = re.compile(rf"\b(?:{'|'.join(_HIDDEN)})\b", re.IGNORECASE)
"""What a query must hold to be looked at."""
_TIMESTAMP = "pg_catalog.pg_xact_commit_timestamp(xmin)"


@dataclass(frozen=True, slots=True)
class _Stored:
    """A relation of schema engine: what a client sees of it, and its hidden columns as SQL by name."""

    name: str
    columns: list[str]
    hidden: dict[str, str]


def lookup(sql: str) -> str:
    """The question to the catalog: schema, name, storage, visible and hidden columns (JSON) of the relations it may mean."""
    names = sorted({t.name for t in parse_statement(sql).find_all(exp.Table) if t.name})
    listed = ", ".join(exp.Literal.string(n).sql(dialect="postgres") for n in names) or "NULL"
    hidden = ", ".join(f"'{name}'" for name in _HIDDEN)
    return (
        "SELECT r.schema_name, r.name, s.stored, (SELECT pg_catalog.json_agg(c.name ORDER BY c.position) "  # noqa: S608
        "FROM rw_catalog.rw_columns AS c WHERE c.relation_id = r.id AND NOT c.is_hidden), "
        "(SELECT pg_catalog.json_agg(a.attname) FROM pg_catalog.pg_attribute AS a "
        f"WHERE a.attrelid = pg_catalog.to_regclass('engine.' || s.stored) AND a.attname IN ({hidden})), "
        "r.schema_name = ANY (pg_catalog.current_schemas(true)::text[]) "
        "FROM rw_catalog.rw_relations AS r CROSS JOIN LATERAL (SELECT "
        "CASE r.relation_type WHEN 'table' THEN 'table_' ELSE 'rows_' END || r.id AS stored) AS s "
        f"WHERE r.relation_type IN ('table', 'materialized view') AND r.name IN ({listed}) "
        "AND pg_catalog.to_regclass('engine.' || s.stored) IS NOT NULL "
        "ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true)::text[], r.schema_name)"
    )


def rewrite(sql: str, rows: Sequence[Sequence[str | None]]) -> str:
    """The query over the storage of the relations that `lookup` has found; as it is where none has what it names."""
    wanted = {match.lower() for match in NAMED.findall(sql)}
    found: dict[tuple[str, str], _Stored] = {}
    for schema, name, stored, columns, hidden, in_path in rows:
        entry = _stored(stored or "", orjson.loads(columns or "[]"), orjson.loads(hidden or "[]"), wanted)
        if not entry.hidden:
            continue
        found.setdefault((schema or "", name or ""), entry)
        if in_path == "t":
            found.setdefault(("", name or ""), entry)
    return _over(sql, found) if found else sql


def _stored(name: str, columns: list[str], hidden: list[str], wanted: set[str]) -> _Stored:
    shown = {h: exp.column(exp.to_identifier(h, quoted=True)).sql(dialect="postgres") for h in hidden}
    if name.startswith("table_"):
        shown.setdefault("_rw_timestamp", _TIMESTAMP)
    return _Stored(name, columns, {h: s for h, s in shown.items() if h in wanted and h not in columns})


def _over(sql: str, found: dict[tuple[str, str], _Stored]) -> str:
    tree = parse_statement(sql)
    for select in list(tree.find_all(exp.Select)):
        source = select.args.get("from_")
        if source is not None and isinstance(source.this, exp.Table) and not select.args.get("joins"):
            entry = found.get((source.this.db, source.this.name))
            if entry is not None:
                _expand_star(select, entry.columns)
    ctes = {c.alias for c in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        stored = found.get((table.db, table.name))
        if stored is None or (not table.db and table.name in ctes):
            continue
        shown: list[exp.Expr] = [exp.column(exp.to_identifier(c, quoted=True)) for c in stored.columns]
        shown += [
            exp.alias_(exp.maybe_parse(text, dialect="postgres"), name, quoted=True)
            for name, text in stored.hidden.items()
        ]
        inner = exp.select(*shown).from_(
            exp.Table(this=exp.to_identifier(stored.name), db=exp.to_identifier("engine"))
        )
        alias = (
            table.args["alias"].copy() if table.args.get("alias") else exp.TableAlias(this=table.this.copy())
        )
        subquery = exp.Subquery(this=inner, alias=alias)
        subquery.set("joins", table.args.get("joins"))
        table.replace(subquery)
    return tree.sql(dialect="postgres")


def _expand_star(select: exp.Select, columns: Sequence[str]) -> None:
    items: list[exp.Expr] = []
    for item in select.expressions:
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            items.extend(exp.column(exp.to_identifier(c, quoted=True)) for c in columns)
        else:
            items.append(item)
    select.set("expressions", items)
