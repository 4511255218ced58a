"""ALTER SOURCE | TABLE | CONNECTION ... CONNECTOR WITH (...): other options of what runs; TABLE ... DROP CONNECTOR.

As in RisingWave only options of the client may change, not where it reads or writes: a reader that goes on from its positions and
a sink that goes on with its log cannot tell the difference. What is altered is described once more by its own, changed
definition; the flow and the delivery open anew what has another description than before. A connection's options are given to all
that was made with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from engine.catalog.objects import CatalogObject, update
from engine.connectors.sink import SinkSpec, producer_property
from engine.connectors.sink_kafka import check_client as check_producer
from engine.connectors.source import CLIENT_PROPERTIES
from engine.connectors.sources import check_client
from engine.ddl.alter_source import described_anew, parsed
from engine.ddl.connector_table import owned_by, source_of_table
from engine.ddl.context import DdlContext
from engine.ddl.create_sink import announce
from engine.ddl.create_source import spec_of
from engine.ddl.drop import drop_one
from engine.ddl.secret_options import USED, resolved
from engine.ddl.words import Words
from engine.operators.base import quote
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.columns import with_column
from tailrace.sql.names import folded
from tailrace.sql.options import with_options, without_connector
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.sinks import parse_create_sink

_FIXED = ("connector", "topic", "properties.bootstrap.server", "connection", "scan.startup.mode")
"""Options that say what is read or written."""


def connector_options(words: Words) -> dict[str, str]:
    """What stands behind CONNECTOR: WITH (key = value, ...), keys as words or strings, values as SQL. Raises InvalidStatement."""
    if not (words.accept("WITH") and words.accept("(")):
        raise InvalidStatement("syntax error: CONNECTOR WITH (option = value, ...)")
    given: dict[str, str] = {}
    while not words.accept(")"):
        quoted = words.accept_string()
        key = quoted if quoted is not None else words.take()
        while quoted is None and words.accept("."):
            key += "." + words.take()
        if not words.accept("="):
            raise InvalidStatement(f"syntax error: expected = behind {key}")
        given[key.lower()] = _value(words)
        words.accept(",")
    words.end()
    if not given:
        raise InvalidStatement("CONNECTOR WITH () changes nothing", hint="CONNECTOR WITH (option = value)")
    for key in _FIXED:
        if key in given:
            raise UnsupportedFeature(
                f"ALTER ... CONNECTOR WITH ({key} = ...)", hint="DROP it and CREATE it with another one"
            )
    return given


def _value(words: Words) -> str:
    if words.accept("SECRET"):
        name = words.qualified_name()
        return f"SECRET {name.object.sql}"
    text = words.accept_string()
    if text is None:
        sign = "-" if words.accept("-") else ""
        text = sign + words.take()
    return exp.Literal.string(text).sql(dialect="postgres")


def alter_source_options(context: DdlContext, source: CatalogObject, given: Mapping[str, str]) -> None:
    """Give a source other options; it goes on where it stands. A table with a connector: that of its source."""
    owned = [context.catalog.objects[i] for i in owned_by(context, source.id)]
    feed = next((o for o in owned if o.kind == "source"), source if source.kind == "source" else None)
    if feed is None:
        raise InvalidStatement(
            f'"{source.name}" has no connector',
            sqlstate="42809",
            hint="only tables made with one have options",
        )
    definition = with_options(source.definition, given)
    tree = parsed(context, definition)
    if feed.id != source.id:
        tree = source_of_table(tree, feed.full_name)
        table = replace(source, definition=definition)
        update(context.connection, table)
        context.catalog.objects[table.id] = table
    check_client(spec_of(described_anew(context, feed, tree, definition)))


def alter_connection_options(
    context: DdlContext, connection: CatalogObject, given: Mapping[str, str]
) -> None:
    """Give a connection other options, and all sources and sinks that were made with it."""
    known = {f"properties.{each}" for each in CLIENT_PROPERTIES}
    for key in given:
        if key not in known:
            raise UnsupportedFeature(f"option {key} of a connection", hint="give it to the source or sink")
    definition = with_options(connection.definition, given)
    marked = {k: _marked(v) for k, v in given.items()}
    options = {**connection.body["given"], **marked}
    values, shown, secrets = resolved(replace(context, search_path=connection.path), options)
    body = {
        **connection.body,
        "options": {"type": connection.body["options"]["type"], **shown},
        "given": options,
    }
    body.pop(USED, None)
    changed = replace(
        connection, definition=definition, body={**body, **({USED: secrets} if secrets else {})}
    )
    update(context.connection, changed)
    context.catalog.objects[connection.id] = changed
    for item in list(context.catalog.objects.values()):
        if connection.id not in item.body.get(USED, ()):
            continue
        if item.kind == "sink":
            _sink_again(context, item, {key: str(values[key]) for key in given})
        elif item.kind == "source":
            _described_again(context, item)


def _described_again(context: DdlContext, source: CatalogObject) -> None:
    tree = parsed(context, source.definition)
    if str(tree.args.get("kind")).upper() == "TABLE":
        tree = source_of_table(tree, source.full_name)
    check_client(spec_of(described_anew(context, source, tree, source.definition)))


def _sink_again(context: DdlContext, sink: CatalogObject, values: Mapping[str, str]) -> None:
    """Give the client of a sink other properties; the delivery begins anew where it stands."""
    spec = SinkSpec.from_json(sink.body["sink"])
    properties = {producer_property(key): value for key, value in values.items()}
    changed = replace(spec, properties={**spec.properties, **properties})
    check_producer(sink.name, changed)
    new = replace(sink, body={**sink.body, "sink": changed.to_json()})
    update(context.connection, new)
    context.catalog.objects[sink.id] = new
    announce(context)


def _marked(value: str) -> str:
    """An option's value as `resolved` takes it, from how it is written in SQL."""
    tree = parse_create_sink(mark_secrets(f"CREATE SINK s FROM t WITH (v = {value})"))
    return tree.options["v"]


def drop_connector(context: DdlContext, table: CatalogObject) -> None:
    """ALTER TABLE ... DROP CONNECTOR: the table keeps its rows, and nothing comes from outside any more."""
    owned = [context.catalog.objects[i] for i in owned_by(context, table.id)]
    if not owned:
        raise InvalidStatement(
            f'"{table.name}" has no connector', sqlstate="42809", hint="nothing is to be done"
        )
    listed = {
        folded(c.this)
        for c in parsed(context, table.definition).this.expressions
        if isinstance(c, exp.ColumnDef)
    }
    included = [c for c in table.columns if not c.hidden and c.name not in listed]
    for item in sorted(owned, key=lambda o: o.kind != "sink"):  # the sink reads the source
        drop_one(context, item)
    definition = without_connector(table.definition)
    for column in included:
        definition = with_column(definition, f"{quote(column.name)} {column.type}")
    changed = replace(table, definition=definition)
    update(context.connection, changed)
    context.catalog.objects[table.id] = changed
