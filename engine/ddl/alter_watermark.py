"""ALTER TABLE ... ALTER WATERMARK FOR column AS expression [WITH TTL]: another expression for a watermark that there is.

The watermark itself stays where it stands and never goes back; the new expression moves it from the next barrier on. Readers are
not touched: what they know is where the watermark stands, not what moves it. Cost: O(1).
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from engine.catalog.objects import CatalogObject, update
from engine.ddl.context import DdlContext
from engine.ddl.create_table import storage_of
from engine.ddl.watermark import check_watermark, declared_watermark, watermark_program
from engine.ddl.words import Words
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.columns import with_watermark
from tailrace.sql.dialect import parse_statement


def alter_watermark(context: DdlContext, table: CatalogObject, words: Words) -> None:
    """FOR column AS expression [WITH TTL]; raises InvalidStatement where the table declares no such watermark."""
    text = f"WATERMARK {words.rest()}"
    tree = parse_statement(f"CREATE TABLE t (c INT, {text})")
    found = tree.find(exp.WatermarkColumnConstraint)
    if found is None:
        raise InvalidStatement("ALTER WATERMARK FOR column AS expression [WITH TTL]")
    watermark = declared_watermark(found)
    if watermark.column not in table.body.get("watermarks", {}):
        raise InvalidStatement(
            f'no watermark defined on column "{watermark.column}" of table "{table.name}"',
            hint="a watermark can be changed, not added: create a new table with it, and INSERT ... SELECT",
        )
    if watermark.ttl != bool(table.body.get("ttl")):
        raise UnsupportedFeature("toggling WITH TTL via ALTER WATERMARK", hint="drop and recreate the table")
    storage = storage_of(table)
    check_watermark(context, watermark, storage.stored, append_only=storage.append_only)
    key = table.body.get("stored_key") or table.body["key"]
    program = watermark_program(table.id, watermark, storage.stored, key, append_only=storage.append_only)
    context.execute(program.function)
    changed = replace(
        table,
        body={**table.body, "program": program.to_json()},
        definition=with_watermark(table.definition, text),
    )
    update(context.connection, changed)
    context.catalog.objects[table.id] = changed
