"""ALTER SOURCE and ALTER TABLE ... REFRESH SCHEMA: the columns follow the newest schema that ENCODE AVRO or PROTOBUF names.

What is new comes behind the columns that there are, filled from then on; a table's columns that the schema has lost go, and
those of structs get their new fields, as ADD, DROP and ALTER COLUMN do each. A source loses no column. What was built before
keeps its columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.catalog.objects import CatalogObject
from engine.connectors.external import ENCODES, columns_of
from engine.connectors.source import short_type
from engine.ddl.alter_source import described_anew, feed_anew, parsed
from engine.ddl.alter_table import add_column, drop_column, pin_stars
from engine.ddl.alter_type import alter_type
from engine.ddl.context import DdlContext
from engine.ddl.external_columns import named_type, schema_of
from engine.ddl.filling import Filling
from engine.ddl.source_format import format_of
from engine.ddl.words import Words
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.columns import with_column
from tailrace.sql.derived_columns import column_list, written_name


def refresh_schema(context: DdlContext, relation: CatalogObject, filling: Filling) -> None:
    """Bring the columns of a source, or of a table with a connector, up to date. Raises what their changes raise."""
    derived = _derived(context, relation)
    found = column_list(relation.definition)
    listed, generated = (found.names, found.generated) if found is not None else ((), ())
    twice = next((name for name in generated if name in derived), None)
    if twice is not None:
        raise InvalidStatement(f'column "{twice}" specified more than once', sqlstate="42701")
    types = {c.name: short_type(c.type) for c in relation.columns}
    added = [name for name in derived if name not in listed]
    gone = [name for name in listed if name not in derived]
    changed = [name for name in listed if name in derived and types.get(name) != named_type(derived[name])]
    if not added and not gone and not changed:
        return
    if relation.kind == "source":
        _source(context, relation, derived, added, [*gone, *changed])
    else:
        _table(context, relation, derived, (added, gone, changed))
        feed_anew(context, context.catalog.objects[relation.id], filling)


def _derived(context: DdlContext, relation: CatalogObject) -> dict[str, str]:
    """Names and types of the columns that the schema has now."""
    tree = parsed(context, relation.definition)
    format_ = format_of(tree) if tree.args.get("properties") is not None else None
    if format_ is None or format_.encode not in ENCODES:
        raise UnsupportedFeature(
            f"altering a {relation.shown_kind} without schema registry",
            hint=f"try `ALTER {relation.shown_kind.upper()} .. ADD COLUMN ...` instead",
        )
    schema, format_, _ = schema_of(context, tree, format_)
    if schema is None or format_ is None:
        raise InvalidStatement(f"{relation.name} has no schema", hint="DROP it and CREATE it anew")
    return dict(columns_of(format_, schema).columns)


def _source(
    context: DdlContext,
    source: CatalogObject,
    derived: Mapping[str, str],
    added: Sequence[str],
    gone: Sequence[str],
) -> None:
    if gone:
        raise UnsupportedFeature(
            f"this altering statement will drop columns: {', '.join(gone)}",
            hint="CREATE SOURCE under another name",
        )
    definition = source.definition
    for name in added:
        definition = with_column(definition, f"{written_name(name)} {derived[name]}")
    pin_stars(context, source)
    described_anew(context, source, parsed(context, definition), definition)


def _table(
    context: DdlContext,
    table: CatalogObject,
    derived: Mapping[str, str],
    changes: tuple[Sequence[str], Sequence[str], Sequence[str]],
) -> None:
    added, gone, changed = changes
    for name in gone:
        try:
            drop_column(context, context.catalog.objects[table.id], Words(f"COLUMN {written_name(name)}"))
        except TailraceError as error:
            raise TailraceError(
                f"failed to refresh schema: {error.message}",
                sqlstate=error.sqlstate,
                detail=error.detail,
                hint=error.hint,
            ) from error
    for name in changed:
        text = f"COLUMN {written_name(name)} TYPE {derived[name]}"
        alter_type(context, context.catalog.objects[table.id], Words(text))
    for name in added:
        text = f"COLUMN {written_name(name)} {derived[name]}"
        add_column(context, context.catalog.objects[table.id], Words(text))
