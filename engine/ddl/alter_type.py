"""ALTER TABLE ... ALTER COLUMN c TYPE type: fields come and go in columns that hold structs; see `tailrace.sql.restructure`.

The stored rows are written anew, once. What was built on the table keeps the column as it was: its programs read a former shape
of the table (`engine.ddl.shapes`) from then on. A field that such a program may have in its state cannot go, since a deleted
row would have to take it out again. Cost: O(rows of the table).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import psycopg
from sqlglot import exp

from engine.catalog.objects import CatalogObject, update
from engine.compile.program import Program, delta_name
from engine.ddl.alter_table import (
    comments_of,
    names_column,
    null_triggers_dropped,
    plain_views,
    recreated,
    replace_table,
)
from engine.ddl.connector_table import OWNER
from engine.ddl.context import DdlContext
from engine.ddl.create_table import storage_of
from engine.ddl.grant import rights_on
from engine.ddl.shapes import (
    SHAPES,
    converter,
    dropped_shapes,
    make_converter,
    shape_delta,
    shape_statements,
    shape_view,
    shapes_of,
    types_within,
)
from engine.ddl.table_storage import Storage, not_null_trigger, visible_defaults, visible_view
from engine.ddl.words import Words
from engine.functions.composed import provide
from engine.operators.base import quote
from tailrace.errors import DependentObjects, InvalidStatement, UnsupportedFeature
from tailrace.sql.columns import with_type
from tailrace.sql.dialect import parse_statement
from tailrace.sql.restructure import Restructuring, holds_struct
from tailrace.sql.types import ComposedType, expand_types, types_to_json


def alter_type(context: DdlContext, table: CatalogObject, words: Words) -> None:
    """[COLUMN] name [SET DATA] TYPE type."""
    words.accept("COLUMN")
    name = words.name().folded
    if not (words.accept("TYPE") or words.accept("SET", "DATA", "TYPE")):
        raise UnsupportedFeature(
            f"ALTER COLUMN ... {words.word()} {words.word(1)}".rstrip(),
            hint="create a new table, INSERT INTO it SELECT from this one, and ALTER TABLE ... SWAP WITH",
        )
    written = words.rest()
    before = storage_of(table)
    old = next((c for c in before.columns if c.name == name), None)
    if old is None:
        raise InvalidStatement(f'column "{name}" of table "{table.name}" does not exist', sqlstate="42703")
    known = types_within(table.definition)
    new_type = _described(context, written)
    if new_type == old.type:
        return
    if not holds_struct(old.type, known):
        raise InvalidStatement(
            f'column "{name}" cannot be altered; only types containing struct can be altered',
            sqlstate="42804",
            hint="create a new table, INSERT INTO it SELECT from this one, and ALTER TABLE ... SWAP WITH",
        )
    _check_free(context, table, before, name)
    definition = with_type(table.definition, name, written)
    now = types_within(definition)
    how = Restructuring({**known, **now})
    conversion = make_converter(old.type, new_type, how, name)
    readers = _readers(context, table, name)
    if how.loses and readers:
        raise UnsupportedFeature(
            f'taking a field away from column "{name}" while {", ".join(r.name for r in readers)} reads it',
            detail="fields may be added meanwhile",
            hint="drop what reads it first, and make it anew afterwards",
        )
    columns = tuple(replace(c, type=new_type) if c.name == name else c for c in before.columns)
    after = replace(before, columns=columns)
    context.execute(conversion)
    _store_anew(context, table, after, name, f"{converter(old.type, new_type)}({quote(name)})")
    changed = _with_shape(context, table, before, readers, known)
    context.catalog.objects[table.id] = changed = replace_table(context, changed, after, definition)
    context.execute(*shape_statements(changed, now))


def _described(context: DdlContext, written: str) -> str:
    """The type as PostgreSQL calls it; makes the types within."""
    expanded = expand_types(f"CREATE TABLE t (c {written})")
    provide(context.connection, expanded.types)
    tree = parse_statement(expanded.sql)
    columns = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    if len(columns) != 1 or not isinstance(columns[0], exp.ColumnDef) or columns[0].args.get("constraints"):
        raise InvalidStatement("ALTER COLUMN ... TYPE takes a type and nothing else")
    kind = columns[0].args["kind"].sql(dialect="postgres")
    return context.environment.describe(f"SELECT NULL::{kind} AS c")[0].type


def _check_free(context: DdlContext, table: CatalogObject, storage: Storage, name: str) -> None:
    """Raises where what belongs to the table itself stands in the way."""
    if name in storage.key or name in storage.conflict.versions:
        raise InvalidStatement(f'cannot alter column "{name}" of the primary key', sqlstate="42P16")
    column = next(c for c in storage.columns if c.name == name)
    if column.default is not None or column.generated is not None:
        raise UnsupportedFeature("ALTER COLUMN ... TYPE of a column with a default or a generated one")
    for other in storage.generated:
        if quote(name) in (other.generated or ""):
            raise InvalidStatement(
                f'cannot alter column "{name}" because generated column "{other.name}" refers to it',
                sqlstate="2BP01",
            )
    for sink in context.catalog.dependents(table.id):
        into = sink.body.get("into") if sink.kind == "sink" else None
        own = sink.body.get(OWNER) == table.id
        if into and not own and into["table"] == table.id and name in into["columns"]:
            raise DependentObjects(f'sink {sink.name} writes column "{name}"', hint="drop it first")


def _readers(context: DdlContext, table: CatalogObject, name: str) -> list[CatalogObject]:
    """Views, sinks and subscriptions whose programs name the column."""
    found = [context.catalog.objects[i] for i in sorted(context.catalog.read_by_views(table.id))]
    return [r for r in found if r.program is not None and names_column(r.program, name)]


def _store_anew(context: DdlContext, table: CatalogObject, after: Storage, name: str, value: str) -> None:
    """Change the column in the storage and the change log; the views over them are made anew."""
    comments, views = comments_of(context, table), plain_views(context.catalog, table)
    rights = [right for relation in (table, *views) for right in rights_on(context, relation)]
    type_ = next(c.type for c in after.columns if c.name == name)
    context.execute(
        *dropped_shapes(table),
        *(f"DROP VIEW IF EXISTS {v.visible}" for v in reversed(views)),
        f"DROP VIEW {table.visible}",
        *null_triggers_dropped(context, table),
    )
    try:
        context.execute(
            *(
                f"ALTER TABLE {stored} ALTER COLUMN {quote(name)} TYPE {type_} USING {value}"
                for stored in (after.table, f"engine.changes_{table.id}")
            ),
            f"CREATE VIEW {table.visible} AS {visible_view(after)}",
            *visible_defaults(after, table.visible),
            *(not_null_trigger(after, c.name) for c in after.columns if c.not_null),
            *(s for v in views for s in recreated(v, table, after)),
        )
    except (psycopg.errors.UndefinedColumn, psycopg.errors.FeatureNotSupported) as error:
        raise DependentObjects(
            f'an index or a view over "{table.name}" does not allow the change: {error.diag.message_primary}',
            hint="drop it first",
        ) from error
    context.execute(*rights, *comments)


def _with_shape(
    context: DdlContext,
    table: CatalogObject,
    before: Storage,
    readers: list[CatalogObject],
    known: Mapping[str, ComposedType],
) -> CatalogObject:
    """The table with what `readers` saw of it as one more shape, which their programs read from now on."""
    fresh = [r for r in readers if not _reads_shape(table, r)]
    if not fresh:
        return table
    number = str(1 + max((int(n) for n in shapes_of(table)), default=0))
    for reader in fresh:
        _redirect(context, table, reader, number)
    shape = {
        "columns": [[c.name, c.type] for c in before.stored],
        "types": types_to_json(known.values()),
    }
    return replace(table, body={**table.body, SHAPES: {**shapes_of(table), number: shape}})


def _reads_shape(table: CatalogObject, reader: CatalogObject) -> bool:
    function = reader.program.function if reader.program is not None else ""
    return any(
        shape_delta(table.id, n) in function or shape_view(table.id, n) in function for n in shapes_of(table)
    )


def _redirect(context: DdlContext, table: CatalogObject, reader: CatalogObject, number: str) -> None:
    """Let a program read the shape instead of the table. It names both as whole words, which nothing else does."""
    program = reader.program
    assert program is not None  # noqa: S101 - the caller looked
    names = {
        f"engine.table_{table.id}": shape_view(table.id, number),
        delta_name(table.id): shape_delta(table.id, number),
    }
    pattern = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names))

    def redirected(text: str) -> str:
        return pattern.sub(lambda found: names[found[0]], text)

    if redirected(program.content) != program.content:
        raise UnsupportedFeature(
            f"altering a column that {reader.kind} {reader.name} shows as it is stored in the table",
            hint="drop it first",
        )
    new: Program = replace(program, function=redirected(program.function))
    context.execute(new.function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    changed = replace(reader, body={**reader.body, "program": new.to_json()})
    update(context.connection, changed)
    context.catalog.objects[reader.id] = changed
