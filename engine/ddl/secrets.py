"""CREATE, ALTER and DROP SECRET: values that options of sources and sinks name instead of holding them.

The value lies in the object's body, which only the engine's own role reads; what clients see of an object that uses a secret
is the secret's name (`engine.ddl.secret_options`).
"""

from __future__ import annotations

import re
from dataclasses import replace

from engine.catalog.objects import CatalogObject, update
from engine.ddl.context import DdlContext, Reply
from engine.ddl.drop import drop_unused
from engine.ddl.move import set_owner
from engine.ddl.secret_options import USED, find_secret
from engine.ddl.words import Name, Words
from tailrace.errors import InvalidStatement, UnsupportedFeature

STATEMENT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:CREATE|DROP)\s+SECRET\b", re.IGNORECASE | re.DOTALL)


def secret_statement(context: DdlContext) -> Reply:
    """Run CREATE or DROP SECRET."""
    words = Words(context.text)
    if words.accept("CREATE", "SECRET"):
        return _create(context, words)
    return drop_unused(context, words, "SECRET")


def alter_secret(context: DdlContext, words: Words) -> Reply:
    """ALTER SECRET name [WITH (backend = 'meta')] AS 'value', or OWNER TO user."""
    name = words.qualified_name()
    secret = find_secret(context, name.object)
    context.check_may_change(secret)
    if words.accept("OWNER", "TO"):
        owner = words.name().folded
        words.end()
        set_owner(context, secret, owner)
        return Reply("ALTER_SECRET", notices=context.notices)
    value = _value(words)
    changed = replace(secret, body={**secret.body, "value": value})
    update(context.connection, changed)
    context.catalog.objects[secret.id] = changed
    if any(secret.id in o.body.get(USED, ()) for o in context.catalog.objects.values()):
        context.notices.append(
            "sources and sinks that use the secret keep its old value until they are made anew"
        )
    return Reply("ALTER_SECRET", notices=context.notices)


def _create(context: DdlContext, words: Words) -> Reply:
    if_not_exists = words.accept("IF", "NOT", "EXISTS")
    called: Name = words.qualified_name()
    name = context.place(called.object)
    value = _value(words)
    if not context.is_new(name, if_not_exists=if_not_exists):
        return Reply("CREATE_SECRET", notices=context.notices)
    text = f"CREATE SECRET {called.written} WITH (backend = 'meta')"
    new = CatalogObject(
        context.new_id(), name.name, "secret", context.user, text, {"value": value}, schema=name.schema
    )
    context.record(new)
    return Reply("CREATE_SECRET", notices=context.notices)


def _value(words: Words) -> str:
    """[WITH (backend = 'meta')] AS 'value'."""
    if words.accept("WITH"):
        if not words.accept("(", "BACKEND", "="):
            raise InvalidStatement("a secret needs a backend", hint="WITH (backend = 'meta') AS 'value'")
        backend = words.accept_string() or words.take()
        if backend != "meta":
            raise UnsupportedFeature(
                f'secret backend "{backend}"',
                hint="WITH (backend = 'meta') AS 'value'",
            )
        if not words.accept(")"):
            raise InvalidStatement(f'syntax error at or near "{words.take()}"')
    if not words.accept("AS"):
        raise InvalidStatement("a secret needs a value", hint="AS 'value'")
    value = words.accept_string()
    if value is None:
        raise InvalidStatement(f'syntax error at or near "{words.take()}"', hint="AS 'value'")
    words.end()
    return value
