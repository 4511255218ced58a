"""CREATE TABLE ... WITH (connector = ...): a table that a source of its own fills, FORMAT PLAIN.

Made of what is there: a source `<table>_connector` with the columns that come from outside, the table, and a sink INTO
it. Rows of the same key overwrite by the table's own conflict rules; clients may write too. Source and sink belong to the
table and go with it.
"""

from __future__ import annotations

from dataclasses import replace

from psycopg.types.json import Jsonb
from sqlglot import exp

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply
from engine.ddl.create_sink import create_sink
from engine.ddl.create_source import create_source
from engine.ddl.create_source import temporaries as source_temporaries
from engine.ddl.create_table import TAG, create_table
from engine.ddl.create_table import temporaries as table_temporaries
from engine.ddl.filling import Filling
from engine.ddl.names import object_name
from tailrace.errors import UnsupportedFeature
from tailrace.sql.names import ObjectName

_OF_THE_SOURCE = (exp.IncludeProperty, exp.FileFormatProperty, exp.EncodeProperty)
OWNER = "feeds"
"""In the body of a source or sink: the id of the table that it belongs to."""


def create_connector_table(context: DdlContext, tree: exp.Create, filling: Filling) -> Reply:
    """Run CREATE TABLE with a connector."""
    name = context.place(object_name(tree.this))
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(TAG, notices=context.notices)
    if not isinstance(tree.this, exp.Schema):
        raise UnsupportedFeature("CREATE TABLE with a connector and no columns", hint="list the columns")
    feed = ObjectName(f"{name.name}_connector", name.schema)
    pump = ObjectName(f"{name.name}_connector_sink", name.schema)
    create_source(context, source_of_table(tree, feed))
    source = context.existing(feed)
    physical = [column for column in source.columns if not column.hidden]
    create_table(context, _table(tree, [(column.name, column.type) for column in physical]))
    table = context.existing(name)
    context.execute(
        *source_temporaries(source), *table_temporaries(table.id, table.columns)
    )  # for the sink, already now
    _set_owner(context, source, table)
    job = create_pump(context, table, source, pump, filling)
    return Reply(TAG, notices=context.notices, job=job)


def create_pump(
    context: DdlContext,
    table: CatalogObject,
    source: CatalogObject,
    name: ObjectName,
    filling: Filling,
    *,
    snapshot: bool = True,
) -> int | None:
    """The sink from the source into the table, from the source's start or from where it stands; returns the job that fills it."""
    physical = [column for column in source.columns if not column.hidden]
    columns = ", ".join(exp.to_identifier(column.name, quoted=True).sql("postgres") for column in physical)
    how = "type = 'append-only', force_append_only = 'true'" + ("" if snapshot else ", snapshot = 'false'")
    into, feed = table.full_name.sql, source.full_name.sql
    text = f"CREATE SINK {name.sql} INTO {into} ({columns}) FROM {feed} WITH ({how})"
    reply = create_sink(replace(context, text=text), filling)
    made = context.catalog.find(name)
    assert made is not None  # noqa: S101 - it has just been recorded
    _set_owner(context, made, table)
    return reply.job


def _set_owner(context: DdlContext, owned: CatalogObject, table: CatalogObject) -> None:
    owned.body[OWNER] = table.id
    context.connection.execute(
        "UPDATE engine.objects SET body = body || %s WHERE id = %s", (Jsonb({OWNER: table.id}), owned.id)
    )


def owned_by(context: DdlContext, table_id: int) -> list[int]:
    """The source and the sink that fill a table; empty for a table without a connector."""
    return [item.id for item in context.catalog.objects.values() if item.body.get(OWNER) == table_id]


def source_of_table(tree: exp.Create, name: ObjectName) -> exp.Create:
    """CREATE SOURCE of the columns that come from outside, constraints left to the table."""
    source = tree.copy()
    kept = []
    for element in source.this.expressions:
        if isinstance(element, exp.ColumnDef) and not _is_generated(element):
            element.set("constraints", [])
            kept.append(element)
    source.this.set("expressions", kept)
    source.this.set("this", exp.to_table(name.sql, dialect="postgres"))
    _keep_properties(source, of_source=True)
    source.set("exists", False)
    return source


def _table(tree: exp.Create, physical: list[tuple[str, str]]) -> exp.Create:
    """CREATE TABLE of all columns, with those that INCLUDE adds; without what is the source's."""
    table = tree.copy()
    listed = {column.name.lower() for column in table.this.find_all(exp.ColumnDef)}
    for name, type_ in physical:
        if name not in listed:
            kind = exp.DataType.build(type_, dialect="postgres")
            table.this.append(
                "expressions", exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=kind)
            )
    _keep_properties(table, of_source=False)
    return table


def _is_generated(column: exp.ColumnDef) -> bool:
    return any(
        isinstance(c.kind, exp.ComputedColumnConstraint | exp.GeneratedAsRowColumnConstraint)
        for c in column.args.get("constraints") or ()
    )


def _keep_properties(tree: exp.Create, *, of_source: bool) -> None:
    properties = tree.args.get("properties")
    if properties is not None:
        chosen = [
            p
            for p in properties.expressions
            if (type(p) is exp.Property or isinstance(p, _OF_THE_SOURCE)) == of_source
        ]
        properties.set("expressions", chosen)
