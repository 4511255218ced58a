"""ALTER SOURCE ... ADD COLUMN: the reader fills one more column from here on; what was built on the source keeps its columns.

A view that is made afterwards reads the topic from its start, so that it finds the column in old messages too, as in RisingWave.
The source is described once more by its own, changed definition. A connector's table (`engine.ddl.connector_table`) takes
its columns from outside in the same way, by a source and a sink of its own, which follow the table here. Cost: nothing stored
is touched; the reader begins anew where it stood.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from engine.catalog.objects import CatalogObject, update
from engine.compile.sink import log_name
from engine.ddl.alter_table import parsed_column, pin_stars, refuse_repeated_column
from engine.ddl.connector_table import OWNER, create_pump, owned_by, source_of_table
from engine.ddl.context import DdlContext
from engine.ddl.create_source import source_body
from engine.ddl.create_view import dropped_temporaries
from engine.ddl.drop import drop_one
from engine.ddl.filling import Filling
from engine.ddl.grant import rights_on
from engine.ddl.names import refusal
from engine.ddl.words import Words
from engine.functions.composed import provide
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.columns import with_column
from tailrace.sql.dialect import parse_statement
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.types import expand_types

_ENCODINGS = ("json", "csv", "bytes")


def add_source_column(context: DdlContext, source: CatalogObject, words: Words) -> None:
    """ADD [COLUMN] name type."""
    words.accept("COLUMN")
    definition, text = parsed_column(context, words.rest())
    if OWNER in source.body:
        raise UnsupportedFeature(
            "alter table with connector with ALTER SOURCE statement", hint="try to use ALTER TABLE instead"
        )
    if source.body["spec"]["encode"] not in _ENCODINGS:
        raise UnsupportedFeature(
            f"alter source with encode {source.body['spec']['encode'].upper()}",
            hint="Only source with encode JSON | CSV | BYTES can be altered",
        )
    if definition.generated is not None:
        raise UnsupportedFeature(
            "ALTER SOURCE ... ADD COLUMN of a generated column", hint="compute it in a view over the source"
        )
    refuse_repeated_column(source, definition.name)
    changed = with_column(source.definition, text)
    pin_stars(context, source)
    described_anew(context, source, parsed(context, changed), changed)


def feed_anew(context: DdlContext, table: CatalogObject, filling: Filling) -> None:
    """After a connector's table got or lost a column: its source and its sink follow. Nothing to do for other tables.

    Raises TailraceError (55P03) while rows of the old shape wait for the table: try again behind the next barrier.
    """
    owned = [context.catalog.objects[i] for i in owned_by(context, table.id)]
    if not owned:
        return
    source = next(o for o in owned if o.kind == "source")
    pump = next(o for o in owned if o.kind == "sink")
    if pump.is_creating:
        raise InvalidStatement(
            f"{table.name} is being filled from its topic", sqlstate="55006", hint="WAIT until that is done"
        )
    waiting = f"SELECT EXISTS (SELECT FROM {log_name(pump.id)})"
    if context.connection.execute(waiting).fetchone() == (True,):
        raise TailraceError("rows wait for the table", sqlstate="55P03", hint="try again")
    tree = parsed(context, table.definition)
    drop_one(context, pump)
    source = described_anew(context, source, source_of_table(tree, source.full_name), table.definition)
    lost = {c.name for c in source.columns if not c.hidden} - {c.name for c in table.columns if not c.hidden}
    if lost:
        raise UnsupportedFeature(
            f'DROP COLUMN "{min(lost)}", which INCLUDE adds', hint="leave it out in a view over the table"
        )
    create_pump(context, table, source, pump.full_name, filling, snapshot=False)


def parsed(context: DdlContext, definition: str) -> exp.Create:
    """The tree of a definition, the types that it names made."""
    """The statement that made a source or table, its types made and its secrets marked."""
    expanded = expand_types(mark_secrets(definition))
    provide(context.connection, expanded.types)
    tree = parse_statement(expanded.sql)
    if not isinstance(tree, exp.Create):
        raise InvalidStatement(f"the definition cannot be read any more: {definition}")
    return tree


def described_anew(
    context: DdlContext, source: CatalogObject, tree: exp.Create, definition: str
) -> CatalogObject:
    """Put what `tree` describes in the place of the source; its position, start and limits stay."""
    own = replace(context, search_path=source.path)
    order = [c.name for c in source.columns]
    key = source.body["spec"].get("key", ())
    _, program, body = source_body(own, source.name, tree, source.id, order, key=key)
    changed = replace(source, body={**source.body, **body}, definition=definition)
    before, after = ([(c.name, c.type) for c in s.columns if not c.hidden] for s in (source, changed))
    query = refusal(source.name, changed.columns)
    if after[: len(before)] == before:
        context.execute(f"CREATE OR REPLACE VIEW {source.visible} AS {query}")
    else:
        rights = rights_on(context, source)
        context.execute(f"DROP VIEW {source.visible}", f"CREATE VIEW {source.visible} AS {query}", *rights)
    if program is not None:
        context.execute(program.function)
    context.execute(*dropped_temporaries(source))
    update(context.connection, changed)
    context.catalog.objects[source.id] = changed
    context.created.append(changed)  # the flow makes its delta table
    return changed
