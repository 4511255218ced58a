"""ALTER ... SET SCHEMA and ALTER ... OWNER TO: an object's other place and other owner; its indexes go with it.

As with new names, nothing stored is touched, whatever is built on the object stays so, and the texts that name it are rewritten.
"""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.objects import CatalogObject, update
from engine.ddl.context import DdlContext, readers, writers
from engine.ddl.names import signature
from engine.ddl.rename import VISIBLE, meant, rewritten
from engine.operators.base import quote
from tailrace.errors import UndefinedObject
from tailrace.sql.names import ObjectName
from tailrace.sql.rename import Written, rename_created


def set_schema(context: DdlContext, item: CatalogObject, schema: str) -> None:
    """Move `item` into `schema`. Raises UndefinedObject, or DuplicateObject if its name is taken there."""
    if schema == item.schema:
        return
    target = context.place(ObjectName(item.name, schema)).schema
    objects = context.catalog.objects
    moved = {item.id, *(i.id for i in _indexes(context, item))}
    for id_ in moved:
        context.is_new(ObjectName(objects[id_].name, target), if_not_exists=False)
    written = Written(schema=ObjectName(target).sql)
    touched = moved | {d.id for id_ in moved for d in context.catalog.dependents(id_)}
    after = []
    for id_ in sorted(touched):
        old = objects[id_]

        def elsewhere(name: ObjectName, old: CatalogObject = old) -> Written | None:
            found = meant(context.catalog, old, name)
            return written if found is not None and found.id in moved else None

        new = rewritten(old, elsewhere)
        if id_ in moved:
            definition = new.definition
            if old.kind != "index":  # an index lies where its table does, and its statement names no schema
                definition = rename_created(definition, None, written.schema)
            new = replace(new, schema=target, definition=definition)
        after.append(new)
    if item.kind in VISIBLE:
        context.execute(f"ALTER VIEW {item.visible} SET SCHEMA {quote(target)}")
    elif item.kind == "function":
        context.execute(f"ALTER FUNCTION {signature(item)} SET SCHEMA {quote(target)}")
    for id_ in moved - {item.id}:
        context.execute(f"ALTER VIEW IF EXISTS {objects[id_].visible} SET SCHEMA {quote(target)}")
    for new in after:
        update(context.connection, new)
        objects[new.id] = new


def set_owner(context: DdlContext, item: CatalogObject, owner: str) -> None:
    """Give `item`, with its indexes, to another user; raises UndefinedObject."""
    check_user(context, owner)
    for each in (item, *_indexes(context, item)):
        new = replace(each, owner=owner)
        update(context.connection, new)
        context.catalog.objects[each.id] = new
    if item.kind in VISIBLE:
        context.execute(f"GRANT SELECT ON {item.visible} TO {readers(owner)}")
    if item.shown_kind == "table":
        context.execute(f"GRANT INSERT, UPDATE, DELETE ON {item.visible} TO {writers(owner)}")


def check_user(context: DdlContext, user: str) -> None:
    """Raises UndefinedObject unless there is a user of that name."""
    found = context.connection.execute(
        "SELECT FROM pg_catalog.pg_roles WHERE rolname = %s AND rolcanlogin AND NOT rolsuper", (user,)
    ).fetchone()
    if found is None:
        raise UndefinedObject(
            f"user not found: {user}",
            sqlstate="42704",
            detail=f'user "{user}" does not exist',
            hint="SELECT name FROM rw_catalog.rw_users",
        )


def _indexes(context: DdlContext, item: CatalogObject) -> list[CatalogObject]:
    return [d for d in context.catalog.dependents(item.id) if d.kind == "index"]
