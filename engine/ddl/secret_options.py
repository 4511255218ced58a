"""Options of sources and sinks that name a secret instead of holding a value: `password = SECRET name`.

A reader gets the value when its source or sink is made, so a changed secret counts for what is made after it.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext
from tailrace.errors import UndefinedObject
from tailrace.sql.names import ObjectName
from tailrace.sql.secrets import marked_secret

USED = "secrets"
"""The key of a body under which the ids of the secrets that its options name are kept."""


def resolved(
    context: DdlContext, options: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str], list[int]]:
    """Options with the secrets' values, options as clients may see them, and the ids of the secrets.

    Raises UndefinedObject, or PermissionDenied for another user's secret.
    """
    values, shown, ids = dict(options), dict(options), []
    for key, value in options.items():
        name = marked_secret(value)
        if name is None:
            continue
        secret = find_secret(context, name)
        context.check_may_change(secret)
        values[key], shown[key] = str(secret.body["value"]), f"SECRET {secret.full_name}"
        ids.append(secret.id)
    return values, shown, sorted(set(ids))


def find_secret(context: DdlContext, name: ObjectName) -> CatalogObject:
    """The secret of that name; raises UndefinedObject."""
    found = context.catalog.find(name, context.path)
    if found is None or found.kind != "secret":
        raise UndefinedObject(f"secret not found: {name}", sqlstate="42704", hint="SHOW SECRETS lists them")
    return found
