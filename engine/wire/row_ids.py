"""`_row_id` in ad-hoc queries: the hidden key of a table without a primary key.

Clients see tables as views without it. A query that names it reads the table's storage in their place, which takes a look
into the catalog first; a star still leaves it out. Pure; the session asks and sends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson
from sqlglot import exp

from tailrace.sql.dialect import parse_statement

ROW_ID = "_row_id"
NAMED = re.compile(r"\b_row_id\b", re.IGNORECASE)
"""What a query must hold to be looked at."""


def lookup(sql: str) -> str:
    """The question to the catalog: schema, name, id and visible columns (JSON) of the tables that the query may mean."""
    names = sorted({t.name for t in parse_statement(sql).find_all(exp.Table) if t.name})
    listed = ", ".join(exp.Literal.string(n).sql(dialect="postgres") for n in names) or "NULL"
    return (
        "SELECT r.schema_name, r.name, r.id, (SELECT pg_catalog.json_agg(c.name ORDER BY c.position) "  # noqa: S608
        "FROM rw_catalog.rw_columns AS c WHERE c.relation_id = r.id AND NOT c.is_hidden), "
        "r.schema_name = ANY (pg_catalog.current_schemas(true)::text[]) "
        f"FROM rw_catalog.rw_relations AS r WHERE r.relation_type = 'table' AND r.name IN ({listed}) "
        f"AND EXISTS (SELECT FROM rw_catalog.rw_columns AS c WHERE c.relation_id = r.id AND c.name = '{ROW_ID}' AND c.is_hidden) "
        "ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true)::text[], r.schema_name)"
    )


def rewrite(sql: str, rows: Sequence[Sequence[str | None]]) -> str:
    """The query over the storage of the tables that `lookup` has found."""
    tree = parse_statement(sql)
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for schema, name, id_, columns, in_path in rows:
        entry = (id_ or "", list(orjson.loads(columns or "[]")))
        found.setdefault((schema or "", name or ""), entry)
        if in_path == "t":
            found.setdefault(("", name or ""), entry)
    for select in list(tree.find_all(exp.Select)):
        source = select.args.get("from_")
        if source is not None and isinstance(source.this, exp.Table) and not select.args.get("joins"):
            entry_of = found.get((source.this.db, source.this.name))
            if entry_of is not None:
                _expand_star(select, entry_of[1])
    for table in list(tree.find_all(exp.Table)):
        stored = found.get((table.db, table.name))
        if stored is None:
            continue
        shown = [exp.column(exp.to_identifier(c, quoted=True)) for c in (*stored[1], ROW_ID)]
        inner = exp.select(*shown).from_(
            exp.Table(this=exp.to_identifier(f"table_{stored[0]}"), db=exp.to_identifier("engine"))
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
