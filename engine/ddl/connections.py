"""CREATE, ALTER and DROP CONNECTION: options for reaching a broker that sources and sinks share by naming the connection.

`WITH (connector = 'kafka', connection = c, topic = 't')` has the options of `c` and its own (`engine.ddl.secret_options`). They
are taken over when a source or sink is made, and again when the connection is altered (`engine.ddl.alter_connector`); a
connection cannot go while something was made with it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sqlglot import exp

from engine.catalog.objects import CatalogObject, update
from engine.connectors.source import CLIENT_PROPERTIES
from engine.ddl.alter_connector import alter_connection_options, connector_options
from engine.ddl.connector_table import OWNER
from engine.ddl.context import DdlContext, Reply
from engine.ddl.drop import drop_unused
from engine.ddl.move import set_owner, set_schema
from engine.ddl.names import options
from engine.ddl.secret_options import CONNECTION, USED, find_connection, resolved
from engine.ddl.words import Words
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.dialect import parse_statement
from tailrace.sql.options import with_options
from tailrace.sql.secrets import mark_secrets

STATEMENT = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:CREATE|DROP)\s+CONNECTION\b", re.IGNORECASE | re.DOTALL
)
_BOOTSTRAP = "properties.bootstrap.server"
_ALIASES = {"kafka.brokers": _BOOTSTRAP}
_REGISTRY = "schema_registry"
_KNOWN = {
    "kafka": frozenset({_BOOTSTRAP, *(f"properties.{each}" for each in CLIENT_PROPERTIES)}),
    _REGISTRY: frozenset({"schema.registry", "schema.registry.username", "schema.registry.password"}),
}
_NEEDED = {"kafka": (_BOOTSTRAP, "127.0.0.1:9092"), _REGISTRY: ("schema.registry", "http://127.0.0.1:8081")}


def connection_statement(context: DdlContext) -> Reply:
    """Run CREATE or DROP CONNECTION."""
    words = Words(context.text)
    if words.accept("CREATE", "CONNECTION"):
        return _create(context, words)
    return drop_unused(context, words, "CONNECTION")


def alter_connection(context: DdlContext, words: Words) -> Reply:
    """ALTER CONNECTION name CONNECTOR WITH (...) | SET SCHEMA schema | OWNER TO user."""
    name = words.qualified_name().object
    found = find_connection(context, name)
    if found.body["options"]["type"] == _REGISTRY:
        raise UnsupportedFeature("ALTER CONNECTION of a schema registry", hint="DROP it and CREATE it anew")
    if words.accept("CONNECTOR"):
        alter_connection_options(context, found, connector_options(words))
    elif words.accept("SET", "SCHEMA"):
        schema = words.name().folded
        words.end()
        set_schema(context, found, schema)
        moved = context.catalog.objects[found.id].full_name.sql
        for user in list(context.catalog.objects.values()):
            if found.id in user.body.get(USED, ()):
                _name_anew(context, user, moved)
    elif words.accept("OWNER", "TO"):
        owner = words.name().folded
        words.end()
        set_owner(context, found, owner)
    else:
        raise UnsupportedFeature(
            f"ALTER CONNECTION ... {words.take().upper()}", hint="CONNECTOR WITH, SET SCHEMA or OWNER TO"
        )
    return Reply("ALTER_CONNECTION", notices=context.notices)


def _name_anew(context: DdlContext, user: CatalogObject, connection: str) -> None:
    """Let the text of what was made with a connection, and of the table that it feeds, name it by its new name."""
    objects = context.catalog.objects
    for item in (user, objects.get(user.body.get(OWNER, 0))):
        if item is not None:
            changed = replace(item, definition=with_options(item.definition, {CONNECTION: connection}))
            update(context.connection, changed)
            objects[item.id] = changed


def _create(context: DdlContext, words: Words) -> Reply:
    if_not_exists = words.accept("IF", "NOT", "EXISTS")
    name = context.place(words.qualified_name().object)
    given = _options(words.rest())
    if not context.is_new(name, if_not_exists=if_not_exists):
        return Reply("CREATE_CONNECTION", notices=context.notices)
    kind = given.pop("type", None)
    if kind is None:
        raise InvalidStatement('Required property "type" is not provided', hint="WITH (type = 'kafka', ...)")
    kind = kind.lower()
    if kind not in _KNOWN:
        raise UnsupportedFeature(f'connection type "{kind}"', hint=f"type = 'kafka' or '{_REGISTRY}'")
    if CONNECTION in given:
        raise InvalidStatement("Connection reference is not allowed in options in CREATE CONNECTION")
    given = {_ALIASES.get(key, key): value for key, value in given.items()}
    needed, example = _NEEDED[kind]
    if needed not in given:
        raise InvalidStatement(
            f"option {needed} is missing", sqlstate="22023", hint=f"{needed} = '{example}'"
        )
    unknown = sorted(given.keys() - _KNOWN[kind])
    if unknown and kind == _REGISTRY:
        listed = ", ".join(f"`{option}`" for option in sorted(_KNOWN[kind]))
        raise InvalidStatement(f"unknown field `{unknown[0]}`, expected one of {listed}")
    if unknown:
        raise UnsupportedFeature(f"option {unknown[0]} of a connection", hint="give it to the source or sink")
    _, shown, secrets = resolved(context, given)
    body: dict[str, Any] = {"options": {"type": kind, **shown}, "given": given}
    if secrets:
        body[USED] = secrets
    new = CatalogObject(
        context.new_id(), name.name, "connection", context.user, context.text, body, schema=name.schema
    )
    context.record(new)
    return Reply("CREATE_CONNECTION", notices=context.notices)


def _options(text: str) -> dict[str, str]:
    """WITH (...), secrets marked."""
    tree = parse_statement(f"CREATE SOURCE c {mark_secrets(text)}")
    if not isinstance(tree, exp.Create):
        raise InvalidStatement("CREATE CONNECTION name WITH (type = 'kafka', ...)")
    return options(tree)
