"""CREATE, DROP and ALTER SCHEMA: a schema of the catalog is a schema of PostgreSQL that holds the views clients see.

Storage and state lie in schema `engine` whatever schema an object is in, so a schema that is renamed touches texts only.
"""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.objects import Schema, update
from engine.ddl.context import SYSTEM_SCHEMAS, DdlContext, Reply, readers
from engine.ddl.default_rights import give_schema_defaults
from engine.ddl.drop import drop_one
from engine.ddl.move import check_user
from engine.ddl.rename import rewritten
from engine.ddl.words import Name, Words
from engine.operators.base import quote
from tailrace.errors import (
    DependentObjects,
    DuplicateObject,
    InvalidStatement,
    PermissionDenied,
    UndefinedObject,
    UnsupportedFeature,
)
from tailrace.sql.names import ObjectName
from tailrace.sql.rename import Written, rename_created


def schema_statement(context: DdlContext) -> Reply:
    """Run CREATE, DROP or ALTER SCHEMA."""
    words = Words(context.text)
    verb = words.word()
    words.take()
    words.take()
    {"CREATE": _create, "DROP": _drop, "ALTER": _alter}[verb](context, words)
    return Reply(f"{verb}_SCHEMA", notices=context.notices)


def _named(context: DdlContext, words: Words) -> str:
    """The name of a schema, that of its database before it or not. Raises UnsupportedFeature for another database's."""
    name = words.qualified_name()
    if name.schema not in ("", context.connection.info.dbname):
        raise UnsupportedFeature(
            f'schema "{name.folded}" of another database, "{name.schema}"', hint="connect to that database"
        )
    return name.folded


def _create(context: DdlContext, words: Words) -> None:
    if_not_exists = words.accept("IF", "NOT", "EXISTS")
    name = "" if words.word() == "AUTHORIZATION" else _named(context, words)
    owner = context.user
    if words.accept("AUTHORIZATION"):
        owner = words.name().folded
        check_user(context, owner)
        name = name or owner
    words.end()
    if not name:
        raise InvalidStatement("the name of a schema must not be empty")
    if name.startswith("pg_") or name in SYSTEM_SCHEMAS:
        raise PermissionDenied(
            f'unacceptable schema name "{name}"',
            sqlstate="42939",
            hint="names that start with pg_ are the system's, and so are rw_catalog, rw and engine",
        )
    if name in context.catalog.schemas:
        if not if_not_exists:
            raise DuplicateObject(f'schema with name "{name}" exists', sqlstate="42P06")
        context.notices.append(f'schema "{name}" exists, skipping')
        return
    id_ = context.new_id()
    context.execute(
        f"CREATE SCHEMA {quote(name)}", f"GRANT USAGE ON SCHEMA {quote(name)} TO {readers(owner)}"
    )
    context.connection.execute(
        "INSERT INTO engine.schemas (id, name, owner) VALUES (%s, %s, %s)", (id_, name, owner)
    )
    context.catalog.schemas[name] = Schema(id_, name, owner)
    give_schema_defaults(context, name, owner)


def _drop(context: DdlContext, words: Words) -> None:
    if_exists = words.accept("IF", "EXISTS")
    name = _named(context, words)
    cascade = words.accept("CASCADE")
    words.accept("RESTRICT")
    words.end()
    if name not in context.catalog.schemas and if_exists and name not in SYSTEM_SCHEMAS:
        context.notices.append(f'schema "{name}" does not exist, skipping')
        return
    schema = _existing(context, name)
    inside = [o.id for o in context.catalog.objects.values() if o.schema == name]
    doomed = context.catalog.closure(inside)
    if doomed and not cascade:
        listed = ", ".join(f"{o.kind} {o.full_name}" for o in reversed(doomed))
        raise DependentObjects(
            f"cannot drop schema {name} because other objects depend on it: {listed}",
            hint=f"DROP SCHEMA {name} CASCADE drops them too",
        )
    for item in doomed:
        drop_one(context, item)
    context.connection.execute("DELETE FROM engine.schemas WHERE id = %s", (schema.id,))
    context.execute(f"DROP SCHEMA {quote(name)}")
    del context.catalog.schemas[name]


def _alter(context: DdlContext, words: Words) -> None:
    schema = _existing(context, _named(context, words))
    if words.accept("RENAME", "TO"):
        new = words.name()
        words.end()
        _rename(context, schema, new)
    elif words.accept("OWNER", "TO"):
        owner = words.name().folded
        words.end()
        check_user(context, owner)
        context.connection.execute("UPDATE engine.schemas SET owner = %s WHERE id = %s", (owner, schema.id))
        context.catalog.schemas[schema.name] = replace(schema, owner=owner)
    elif words.accept("SWAP", "WITH"):
        other = _existing(context, words.name().folded)
        words.end()
        _swap(context, schema, other)
    else:
        raise UnsupportedFeature(
            f"ALTER SCHEMA ... {words.take().upper()}", hint="RENAME TO, OWNER TO or SWAP WITH"
        )


def _existing(context: DdlContext, name: str) -> Schema:
    if name in SYSTEM_SCHEMAS:
        raise PermissionDenied(f'schema "{name}" is the system\'s', hint="leave it as it is")
    found = context.catalog.schemas.get(name)
    if found is None:
        raise UndefinedObject(f"schema not found: {name}", sqlstate="3F000", hint="SHOW SCHEMAS")
    if not context.is_superuser and found.owner != context.user:
        raise PermissionDenied(
            f"Permission denied: {context.user} is not the owner of schema {name}",
            hint="connect as its owner or as root",
        )
    return found


def _rename(context: DdlContext, schema: Schema, new: Name) -> None:
    if new.folded in context.catalog.schemas or new.folded in SYSTEM_SCHEMAS:
        raise DuplicateObject(f'schema with name "{new.folded}" exists', sqlstate="42P06")
    if new.folded.startswith("pg_"):
        raise PermissionDenied(f'unacceptable schema name "{new.folded}"', sqlstate="42939")
    _give_names(context, {schema.name: new.folded})


def _swap(context: DdlContext, first: Schema, second: Schema) -> None:
    if first.id == second.id:
        raise InvalidStatement(f'cannot swap schema "{first.name}" with itself', hint="name two schemas")
    aside = f"swap of {first.id}"
    _give_names(context, {first.name: aside})
    _give_names(context, {second.name: first.name})
    _give_names(context, {aside: second.name})


def _give_names(context: DdlContext, names: dict[str, str]) -> None:
    """Rename schemas, and write the new names into all texts that hold the old ones."""
    catalog = context.catalog
    for old, new in names.items():
        context.execute(f"ALTER SCHEMA {quote(old)} RENAME TO {quote(new)}")
        schema = replace(catalog.schemas.pop(old), name=new)
        context.connection.execute("UPDATE engine.schemas SET name = %s WHERE id = %s", (new, schema.id))
        catalog.schemas[new] = schema

    def written(name: ObjectName) -> Written | None:
        new = names.get(name.schema)
        return None if new is None else Written(schema=ObjectName(new).sql)

    for item in list(catalog.objects.values()):
        changed = rewritten(item, written)
        if item.schema in names:
            new = names[item.schema]
            definition = changed.definition
            if item.kind != "index":
                definition = rename_created(definition, None, ObjectName(new).sql)
            changed = replace(changed, schema=new, definition=definition)
        if set(item.path) & names.keys():
            path = [names.get(name, name) for name in item.path]
            changed = replace(changed, body={**changed.body, "path": path})
        if changed != item:
            update(context.connection, changed)
            catalog.objects[item.id] = changed
