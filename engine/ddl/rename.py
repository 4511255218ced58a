"""ALTER ... RENAME TO: the object's new name, wherever its old one is written down.

What is built on the object stays built on it. As in RisingWave the stored definitions of its dependents are rewritten to read
by the new name, the old one becoming the alias. Inside PostgreSQL views refer to each other by oid, so that renaming the
visible one is enough; texts of ours that hold the name (a plain view's query, an index's relation, the refusal of a query
over a source) are rewritten. Prepared statements of clients are analysed anew by PostgreSQL, by the names in their text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.catalog.objects import Catalog, CatalogObject, update
from engine.ddl.context import DdlContext
from engine.ddl.names import refusal
from engine.ddl.words import Name
from engine.operators.base import quote
from tailrace.errors import InvalidStatement
from tailrace.sql.names import ObjectName
from tailrace.sql.rename import Written, rename_created, rewrite_references

_MAX_NAME_BYTES = 63
VISIBLE = ("table", "source", "materialized view", "view")
_REFUSES = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_proc'::regclass
        AND d.refobjid = 'engine.refuse_source'::regproc AND c.oid = %s::regclass
)
"""


def rename(context: DdlContext, item: CatalogObject, new: Name) -> None:
    """Give `item` the name `new`. Raises DuplicateObject if it is taken."""
    context.is_new(ObjectName(new.folded, item.schema), if_not_exists=False)
    if len(new.folded.encode()) > _MAX_NAME_BYTES:
        raise InvalidStatement(
            f'the name "{new.folded}" is longer than {_MAX_NAME_BYTES} bytes', sqlstate="42622", hint="choose a shorter one"
        )  # fmt: skip
    move_relation(context, item, item.name, new.folded)
    give_names(context, {item.id: new})


def move_relation(context: DdlContext, item: CatalogObject, name: str, new: str) -> None:
    """Rename what PostgreSQL has under an object's name: the view that clients see. The others go by their ids."""
    if item.kind in (*VISIBLE, "index"):
        context.execute(f"ALTER VIEW IF EXISTS {ObjectName(name, item.schema).sql} RENAME TO {quote(new)}")


def give_names(context: DdlContext, names: Mapping[int, Name]) -> None:
    """Write new names, by object id, into the catalog: the objects' own, and the texts of what is built on them."""
    objects = context.catalog.objects
    written = {objects[id_].name: name.written for id_, name in names.items()}
    touched = {d.id for id_ in names for d in context.catalog.dependents(id_)} | names.keys()
    after = [_renamed(context.catalog, objects[id_], names, written) for id_ in sorted(touched)]
    context.execute("SET CONSTRAINTS engine.objects_schema_name_key DEFERRED")  # two may change places
    for item in after:
        update(context.connection, item)
        objects[item.id] = item
    context.execute("SET CONSTRAINTS engine.objects_schema_name_key IMMEDIATE")
    for item in after:
        if item.id in names and item.kind in ("source", "view"):
            _refuse_by_name(context, item)


def _renamed(
    catalog: Catalog, item: CatalogObject, names: Mapping[int, Name], written: Mapping[str, str]
) -> CatalogObject:
    """The object under its new name if it has one, its texts reading by `written` (old name to new text)."""

    def new_name(name: ObjectName) -> Written | None:
        found = meant(catalog, item, name)
        return None if found is None or found.id not in names else Written(written[found.name])

    item = rewritten(item, new_name)
    body = dict(item.body)
    for id_, name in names.items():
        if item.kind == "index" and id_ in item.references:
            body["relation"] = name.folded
    own = names.get(item.id)
    if own is None:
        return replace(item, body=body)
    if item.kind == "source":
        spec: dict[str, Any] = body["spec"]
        body["spec"] = {**spec, "name": own.folded}  # what the reader's messages call it
    definition = rename_created(item.definition, own.written)
    return replace(item, name=own.folded, definition=definition, body=body)


def meant(catalog: Catalog, item: CatalogObject, name: ObjectName) -> CatalogObject | None:
    """The object that a reference in the texts of `item` is to: one that it refers to, first in its search path."""
    schemas = (name.schema,) if name.schema else item.path
    found = (catalog.by_name(name.name, schema) for schema in schemas)
    return next((o for o in found if o is not None and o.id in item.references), None)


def rewritten(item: CatalogObject, written: Callable[[ObjectName], Written | None]) -> CatalogObject:
    """The object with the references in its texts as `written` says."""
    if item.kind in ("function", "connection", "secret"):
        return item  # their texts hold none
    body = dict(item.body)
    if isinstance(body.get("query"), str):
        body["query"] = rewrite_references(body["query"], written)
    return replace(item, definition=rewrite_references(item.definition, written), body=body)


def _refuse_by_name(context: DdlContext, item: CatalogObject) -> None:
    """The view of a source, or of what can be read only through a materialized view, says its name when it is queried."""
    if context.connection.execute(_REFUSES, (item.visible,)).fetchone() == (True,):
        context.execute(f"CREATE OR REPLACE VIEW {item.visible} AS {refusal(item.name, item.columns)}")
