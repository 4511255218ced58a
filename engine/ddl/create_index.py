"""CREATE INDEX on a table or materialized view: a PostgreSQL index on what stores it, built by a job where that is much.

Columns that a view computes when read are indexed as expressions. INCLUDE is accepted for plain stored columns;
DISTRIBUTED BY says nothing on one machine and is ignored.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from engine.backfill.fill import stored_rows
from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply
from engine.ddl.filling import Filling, start_job
from engine.ddl.names import object_name
from tailrace.errors import InvalidStatement, UndefinedObject, UnsupportedFeature
from tailrace.sql.names import ObjectName, folded

TAG = "CREATE_INDEX"


def create_index(context: DdlContext, tree: exp.Create, filling: Filling) -> Reply:
    """Run CREATE INDEX: build it, or start the job that does."""
    index = tree.this
    if not isinstance(index, exp.Index) or index.this is None:
        raise InvalidStatement("CREATE INDEX name ON relation (columns)")
    if tree.args.get("unique"):
        raise UnsupportedFeature("UNIQUE index", hint="declare a PRIMARY KEY")
    target = context.existing(object_name(index.args["table"]))
    name = ObjectName(folded(index.this), target.schema)
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(TAG, notices=context.notices)
    if target.kind not in ("table", "materialized view"):
        raise UndefinedObject(
            f'"{target.name}" is a {target.kind}; an index needs a table or a materialized view',
            sqlstate="42809",
        )
    storage = target.relation().storage
    parameters = index.args.get("params")
    items = parameters.args.get("columns") or [] if parameters is not None else []
    include = [folded(i) for i in (parameters.args.get("include") or [])] if parameters is not None else []
    if not items:
        raise InvalidStatement("CREATE INDEX needs at least one column")
    tables: set[str] = set()
    parts, shown = [], []
    keys: list[tuple[str, str]] = []
    for item in items:
        ordered = item if isinstance(item, exp.Ordered) else exp.Ordered(this=item)
        column = ordered.this
        if not isinstance(column, exp.Column):
            raise UnsupportedFeature("an index on an expression", hint="compute it as a column of the view")
        table, expression = _stored(storage, column.name, target)
        tables.add(table)
        part = expression if expression.startswith('"') else f"({expression})"
        parts.append(part + (" DESC" if ordered.args.get("desc") else ""))
        shown.append(folded(column.this))
        keys.append((shown[-1], "DESC" if ordered.args.get("desc") else "ASC"))
    extra = [_stored(storage, c, target)[1] for c in include]
    if len(tables) != 1:
        raise UnsupportedFeature("an index over columns that are not stored together")
    covering = f" INCLUDE ({', '.join(extra)})" if extra and all(e.startswith('"') for e in extra) else ""
    on = f"{tables.pop()} ({', '.join(parts)}){covering}"
    body: dict[str, Any] = {
        "relation": target.name,
        "indexed": ", ".join(shown),
        "columns": [],
        "key": [],
        "on": on,
    }
    body |= {"keys": keys, "include": include or None}
    new = CatalogObject(
        context.new_id(),
        name.name,
        "index",
        context.user,
        context.text,
        body,
        (target.id,),
        schema=name.schema,
    )
    reply = Reply(TAG, notices=context.notices)
    if stored_rows(context.connection, target, filling.small_index_rows + 1) <= filling.small_index_rows:
        context.execute(f"CREATE INDEX {new.index_name} ON {on}")
        context.record(new)
    else:
        start_job(context, new, reply)
    return reply


def _stored(storage: dict[str, tuple[str, str]], column: str, target: CatalogObject) -> tuple[str, str]:
    if column not in {c.name for c in target.columns if not c.hidden}:
        raise InvalidStatement(f'column "{column}" does not exist in "{target.name}"', sqlstate="42703")
    if column not in storage:
        raise UnsupportedFeature(f'an index on "{column}", which "{target.name}" computes when it is read')
    return storage[column]
