"""Options of sources and sinks that name a secret or a connection: `password = SECRET name`, `connection = name`.

A reader gets the value when its source or sink is made, so a changed secret counts for what is made after it.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext
from engine.ddl.words import Words
from tailrace.errors import DependentObjects, InvalidStatement, UndefinedObject
from tailrace.sql.names import ObjectName
from tailrace.sql.secrets import marked_secret

USED = "secrets"
"""The key of a body under which the ids of the secrets that its options name are kept, and that of its connection."""

CONNECTION = "connection"
"""The option that names a connection (`engine.ddl.connections`)."""


def resolved(
    context: DdlContext, options: Mapping[str, str], *, kind: str | None = None
) -> tuple[dict[str, str], dict[str, str], list[int]]:
    """Options with the secrets' values, options as clients may see them, and the ids of the secrets. `kind` is the type of
    connection that they may name, by default the connector.

    Raises UndefinedObject, or PermissionDenied for another user's secret.
    """
    ids = []
    reference = options.get(CONNECTION)
    if reference is not None:
        connector = options.get("connector", "").lower() if kind is None else kind
        connection, options = _with_connection(context, reference, options, connector)
        ids.append(connection.id)
    values, shown = dict(options), dict(options)
    for key, value in options.items():
        name = marked_secret(value)
        if name is None:
            continue
        secret = find_secret(context, name)
        context.check_may_change(secret)
        values[key], shown[key] = str(secret.body["value"]), f"SECRET {secret.full_name}"
        ids.append(secret.id)
    return values, shown, sorted(set(ids))


def _with_connection(
    context: DdlContext, reference: str, options: Mapping[str, str], connector: str
) -> tuple[CatalogObject, dict[str, str]]:
    """The connection that options name, and the options with its own in their place."""
    words = Words(reference)
    name = words.qualified_name().object
    words.end()
    found = find_connection(context, name)
    kind = found.body["options"]["type"]
    if connector != kind:
        raise InvalidStatement(
            f"Connector {connector} and connection type {kind} are not compatible",
            hint=f"connector = '{kind}'",
        )
    own = {key: value for key, value in options.items() if key != CONNECTION}
    twice = sorted(own.keys() & found.body["given"].keys())
    if twice:
        raise InvalidStatement(
            f"Duplicated key in both WITH clause and Connection catalog: {twice[0]}", hint="give it once"
        )
    return found, {**own, **found.body["given"]}


def refuse_used(context: DdlContext, name: ObjectName, kind: str) -> None:
    """Raises DependentObjects if the secret or connection of that name is used by something."""
    found = context.catalog.find(name, context.path)
    users = [o.name for o in context.catalog.objects.values() if found and found.id in o.body.get(USED, ())]
    if found is not None and found.kind == kind and users:
        raise DependentObjects(
            f"Permission denied: cannot drop {kind} {name} because other objects use it: {', '.join(users)}",
            hint="drop these first",
        )


def find_secret(context: DdlContext, name: ObjectName) -> CatalogObject:
    """The secret of that name; raises UndefinedObject."""
    found = context.catalog.find(name, context.path)
    if found is None or found.kind != "secret":
        raise UndefinedObject(f"secret not found: {name}", sqlstate="42704", hint="SHOW SECRETS lists them")
    return found


def find_connection(context: DdlContext, name: ObjectName) -> CatalogObject:
    """The connection of that name; raises UndefinedObject, or PermissionDenied for another user's."""
    found = context.catalog.find(name, context.path)
    if found is None or found.kind != "connection":
        raise UndefinedObject(
            f"connection not found: {name}", sqlstate="42704", hint="SHOW CONNECTIONS lists them"
        )
    context.check_may_change(found)
    return found
