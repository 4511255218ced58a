"""COMMENT ON TABLE | MATERIALIZED VIEW name, COMMENT ON COLUMN relation.column: IS 'text', or IS NULL to take it away.

PostgreSQL keeps the text with the view that clients see, so that psql's \\d+ shows it and it stays there when the name moves.
"""

from __future__ import annotations

from sqlglot import exp

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply
from engine.ddl.words import Words
from engine.operators.base import quote
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.names import ObjectName

_KINDS = {("TABLE",): "table", ("MATERIALIZED", "VIEW"): "materialized view"}


def comment(context: DdlContext) -> Reply:
    """Run COMMENT ON."""
    words = Words(context.text)
    words.take()
    if not words.accept("ON"):
        raise InvalidStatement(f'syntax error at or near "{words.take()}"')
    kind = next((kind for keywords, kind in _KINDS.items() if words.accept(*keywords)), None)
    if kind is not None:
        found = context.existing(words.qualified_name().object)
        if found.shown_kind != kind:
            raise InvalidStatement(
                f'"{found.name}" is not a {kind}: it is a {found.shown_kind}', sqlstate="42809"
            )
        target = f"VIEW {found.visible}"
    elif words.accept("COLUMN"):
        target = _column(context, words)
    else:
        raise UnsupportedFeature(
            f"COMMENT ON {words.take().upper()}",
            hint="tables, materialized views and their columns take comments",
        )
    if not words.accept("IS"):
        raise InvalidStatement(f'syntax error at or near "{words.take()}"')
    text = "" if words.accept("NULL") else words.accept_string()
    if text is None:
        raise InvalidStatement(f'syntax error at or near "{words.take()}"', hint="IS 'text', or IS NULL")
    words.end()
    literal = exp.Literal.string(text).sql(dialect="postgres") if text else "NULL"  # '' takes it away too
    context.execute(f"COMMENT ON {target} IS {literal}")
    return Reply("COMMENT", notices=context.notices)


def _column(context: DdlContext, words: Words) -> str:
    parts = [words.name().folded]
    while words.accept("."):
        parts.append(words.name().folded)
    if len(parts) not in (2, 3):
        raise InvalidStatement(f"Invalid column: {'.'.join(parts)}", hint="COMMENT ON COLUMN relation.column")
    found: CatalogObject = context.existing(ObjectName(parts[-2], parts[0] if len(parts) == 3 else ""))
    if found.shown_kind not in _KINDS.values():
        raise InvalidStatement(
            f'"{found.name}" is not a table or materialized view: it is a {found.shown_kind}',
            sqlstate="42809",
        )
    if parts[-1] not in {c.name for c in found.columns if not c.hidden}:
        raise InvalidStatement(f'column "{parts[-1]}" does not exist in "{found.name}"', sqlstate="42703")
    return f"COLUMN {found.visible}.{quote(parts[-1])}"
