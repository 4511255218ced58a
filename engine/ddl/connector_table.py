"""CREATE TABLE ... WITH (connector = ...), and CREATE SOURCE of rows that change: what a source of its own fills.

Made of what is there: a source `<name>_connector` with the columns that come from outside, the table, and a sink INTO it. With
FORMAT PLAIN rows come, and overwrite by the table's own conflict rules; with UPSERT and DEBEZIUM the sink's log takes from each
message whether its row comes or goes, and what was last in the topic decides. Clients may write to a table too. CREATE SOURCE
... FORMAT UPSERT makes such a table that is called a source, and that only its messages change. Source and sink belong to the
table and go with it.
"""

from __future__ import annotations

from dataclasses import replace

from psycopg.types.json import Jsonb
from sqlglot import exp

from engine.catalog.objects import CatalogObject
from engine.connectors.formats import UPSERT, Format, check_format, check_key, check_source
from engine.connectors.source import short_type
from engine.ddl.context import DdlContext, Reply
from engine.ddl.create_sink import create_sink
from engine.ddl.create_source import OP, create_feed
from engine.ddl.create_source import temporaries as source_temporaries
from engine.ddl.create_table import TAG, create_table
from engine.ddl.create_table import temporaries as table_temporaries
from engine.ddl.filling import Filling
from engine.ddl.names import column_definition, object_name
from engine.ddl.source_format import connector_of, format_of, included_names
from engine.ddl.table_definition import declared_key, is_append_only
from engine.operators.base import names
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.names import ObjectName, folded

_OF_THE_SOURCE = (exp.IncludeProperty, exp.FileFormatProperty, exp.EncodeProperty)
OWNER = "feeds"
"""In the body of a source or sink: the id of the table that it belongs to."""
SOURCE_TAG = "CREATE_SOURCE"
_NATIVE = Format("native", "native")


def create_connector_table(context: DdlContext, tree: exp.Create, filling: Filling) -> Reply:
    """Run CREATE TABLE with a connector."""
    name = context.place(object_name(tree.this))
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(TAG, notices=context.notices)
    if not isinstance(tree.this, exp.Schema):
        check_format(format_of(tree) or _NATIVE, connector_of(tree))
        raise UnsupportedFeature("CREATE TABLE with a connector and no columns", hint="list the columns")
    return Reply(TAG, notices=context.notices, job=_create(context, tree, filling, name, is_source=False))


def keeps_rows(tree: exp.Create) -> bool:
    """Is it CREATE SOURCE of rows that change, which are kept as a table's are?"""
    format_ = format_of(tree)
    return format_ is not None and format_.name == UPSERT


def create_kept_source(context: DdlContext, tree: exp.Create, filling: Filling) -> Reply:
    """Run CREATE SOURCE ... FORMAT UPSERT: what views see of it are the rows as the messages have left them."""
    name = context.place(object_name(tree.this))
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(SOURCE_TAG, notices=context.notices)
    format_ = format_of(tree)
    if format_ is not None:
        context.notices += check_source(format_)
    if not isinstance(tree.this, exp.Schema):
        raise InvalidStatement("a source needs at least one column")
    if any(isinstance(e, exp.WatermarkColumnConstraint) for e in tree.this.expressions):
        raise UnsupportedFeature(
            "Defining watermarks on source requires the source connector to be append only: FORMAT UPSERT",
            hint="use FORMAT PLAIN, or put the watermark on a table",
        )
    return Reply(
        SOURCE_TAG, notices=context.notices, job=_create(context, tree, filling, name, is_source=True)
    )


def _create(
    context: DdlContext, tree: exp.Create, filling: Filling, name: ObjectName, *, is_source: bool
) -> int | None:
    """Make all three; the job that has to end before the statement has, if any."""
    key = _checked_key(context, tree)
    feed = ObjectName(f"{name.name}_connector", name.schema)
    pump = ObjectName(f"{name.name}_connector_sink", name.schema)
    format_ = format_of(tree)
    changes = format_ is not None and format_.has_changes
    source = create_feed(context, source_of_table(tree, feed), feed, key if changes else ())
    physical = [column for column in source.columns if not column.hidden]
    definition = _table(tree, [(column.name, column.type) for column in physical], key if changes else ())
    create_table(context, definition, called_source=is_source)
    table = context.existing(name)
    context.execute(
        *source_temporaries(source), *table_temporaries(table.id, table.columns)
    )  # for the sink, already now
    _set_owner(context, source, table)
    return create_pump(context, table, source, pump, filling)


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
    columns = names([column.name for column in source.columns if not column.hidden])
    op = OP if any(column.name == OP for column in source.columns) else None
    into, feed = table.full_name.sql, source.full_name.sql
    how = "type = 'append-only', force_append_only = 'true'" + ("" if snapshot else ", snapshot = 'false'")
    text = f"CREATE SINK {name.sql} INTO {into} ({columns}) FROM {feed} WITH ({how})"
    reply = create_sink(replace(context, text=text), filling, op=op)
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


def _checked_key(context: DdlContext, tree: exp.Create) -> tuple[str, ...]:
    """The primary key, the format having been checked against it, the columns and the rest of the statement."""
    key = declared_key(tree)
    format_ = format_of(tree) or _NATIVE
    context.notices += check_format(format_, connector_of(tree))
    if format_.has_changes and is_append_only(tree):
        raise UnsupportedFeature(
            f"Append only table does not support format {format_.name.upper()}: APPEND ONLY",
            hint="remove the APPEND ONLY clause, or use FORMAT PLAIN",
        )
    listed = [e for e in tree.this.expressions if isinstance(e, exp.ColumnDef) and not _is_generated(e)]
    columns = {d.name: short_type(d.type) for d in map(column_definition, listed)}
    return check_key(format_, key, included_names(tree), columns)


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


def _table(tree: exp.Create, physical: list[tuple[str, str]], key: tuple[str, ...]) -> exp.Create:
    """CREATE TABLE of all columns, with those that INCLUDE adds; without what is the source's. `key`: the primary key, if it
    has to be added.
    """
    table = tree.copy()
    listed = {folded(column.this) for column in table.this.expressions if isinstance(column, exp.ColumnDef)}
    for name, type_ in physical:
        if name not in listed:
            kind = exp.DataType.build(type_, dialect="postgres", udt=True)
            table.this.append(
                "expressions", exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=kind)
            )
    if key and not declared_key(table):
        table.this.append(
            "expressions", exp.PrimaryKey(expressions=[exp.to_identifier(k, quoted=True) for k in key])
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
