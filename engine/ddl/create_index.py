"""CREATE INDEX on a table or materialized view: a PostgreSQL index on what stores it, built by a job where that is much.

Columns that a view computes when read are indexed as expressions; what cannot be indexed at all (columns of several state tables)
leaves a name without an index, and a notice. INCLUDE counts for plain stored columns; DISTRIBUTED BY says nothing on one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from engine.backfill.fill import stored_rows
from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply, readers
from engine.ddl.filling import Filling, start_job
from engine.ddl.names import object_name
from engine.ddl.table_definition import postgres_expression, quoted_columns
from engine.ddl.vector_index import MAX_DIMENSIONS, VectorIndex, check_vectors, vector_index
from engine.operators.base import nulls, quote
from engine.operators.project import sql
from tailrace.errors import InvalidStatement, UndefinedObject, UnsupportedFeature
from tailrace.sql.dialect import parse_query
from tailrace.sql.names import ObjectName, folded

TAG = "CREATE_INDEX"


def create_index(context: DdlContext, tree: exp.Create, filling: Filling, distributed_by: str = "") -> Reply:
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
    if target.shown_kind not in ("table", "materialized view"):
        raise UndefinedObject(
            f'"{target.name}" is a {target.shown_kind}; an index needs a table or a materialized view',
            sqlstate="42809",
        )
    parameters = index.args.get("params")
    items = parameters.args.get("columns") or [] if parameters is not None else []
    include = [folded(i) for i in (parameters.args.get("include") or [])] if parameters is not None else []
    if not items:
        raise InvalidStatement("CREATE INDEX needs at least one column")
    vectors = vector_index(parameters)
    keys = [_key(context, target, item) for item in items]
    if vectors is None:
        _check_distribution(distributed_by, [k.shown for k in keys])
        on = _on(target, keys, include)
    else:
        on = _vectors_on(context, target, vectors, keys, items, distributed_by=distributed_by)
    if on is None and (vectors is None or vectors.settings is not None):
        context.notices.append(
            f'"{name.name}" is kept as a name only: what it is on is computed when "{target.name}" is read'
        )
    body: dict[str, Any] = {
        "relation": target.name,
        "indexed": ", ".join(k.shown for k in keys),
        "columns": [],
        "key": [],
        "on": on or "",
        "keys": [(k.shown, "DESC" if k.descending else "ASC") for k in keys],
        "include": include or None,
    }
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
    context.execute(*shown_index(new, [c.name for c in target.columns if not c.hidden], target.visible))
    reply = Reply(TAG, notices=context.notices)
    if on is None:
        context.record(new)
    elif stored_rows(context.connection, target, filling.small_index_rows + 1) <= filling.small_index_rows:
        context.execute(f"CREATE INDEX {new.index_name} ON {on}")
        context.record(new)
    else:
        start_job(context, new, reply)
    return reply


def _vectors_on(
    context: DdlContext,
    target: CatalogObject,
    vectors: VectorIndex,
    keys: Sequence[_Key],
    items: list[exp.Expr],
    *,
    distributed_by: str,
) -> str | None:
    """What stands behind ON for an index on vectors; None where there is nothing to build, or nothing can be."""
    empty = nulls(c for c in target.columns if not c.hidden)

    def type_of() -> str:
        shown = f"SELECT {sql(keys[0].expression)} AS v FROM (SELECT {empty}) AS i"
        return context.environment.describe(shown)[0].type

    dimensions = check_vectors(target, items, distributed_by, type_of)
    placed = _on(target, keys, ())
    if placed is None or dimensions > MAX_DIMENSIONS:
        return None
    table, _, column = placed.partition(" ")
    return vectors.on(table, column.removeprefix("(").removesuffix(")"))


def shown_index(index: CatalogObject, columns: Sequence[str], visible: str) -> list[str]:
    """The statements that let clients read an index as a relation: its keys and what it includes, of its target's columns."""
    keys = [name for name, _ in index.body["keys"] if name in columns]
    included = index.body.get("include") or columns
    listed = dict.fromkeys((*keys, *(c for c in columns if c in included)))
    shown = ", ".join(quote(c) for c in listed)
    return [
        f"CREATE VIEW {index.visible} AS SELECT {shown} FROM {visible}",
        f"GRANT SELECT ON {index.visible} TO {readers(index.owner)}",
    ]


@dataclass(frozen=True, slots=True)
class _Key:
    """One item: as it is shown, its expression over the relation's columns, and how it is sorted."""

    shown: str
    expression: exp.Expr
    descending: bool


def _key(context: DdlContext, target: CatalogObject, item: exp.Expr) -> _Key:
    ordered = item if isinstance(item, exp.Ordered) else exp.Ordered(this=item)
    inner = ordered.this.unnest() if isinstance(ordered.this, exp.Paren) else ordered.this
    descending = bool(ordered.args.get("desc"))
    if isinstance(inner, exp.Column) and not inner.table:
        name = folded(inner.this)
        _check_column(target, name)
        return _Key(name, quoted_columns(inner), descending)
    for column in inner.find_all(exp.Column):
        _check_column(target, folded(column.this))
    expression = quoted_columns(postgres_expression(inner))
    empty = nulls(c for c in target.columns if not c.hidden)
    context.environment.describe(f"SELECT {sql(expression)} FROM (SELECT {empty}) AS i")
    return _Key(sql(expression), expression, descending)


def _on(target: CatalogObject, keys: Sequence[_Key], include: Sequence[str]) -> str | None:
    """What stands behind ON; None where the columns are not stored, or not together."""
    storage = target.relation().storage
    for column in include:
        _check_column(target, column)
    tables: set[str] = set()
    parts = []
    for key in keys:
        names = {c.name for c in key.expression.find_all(exp.Column)}
        if not names <= storage.keys():
            return None
        tables |= {storage[n][0] for n in names}
        placed = key.expression.transform(lambda node: _placed(node, storage))
        text = sql(placed) if isinstance(placed, exp.Column) else f"({sql(placed)})"
        parts.append(text + (" DESC" if key.descending else ""))
    if len(tables) != 1:
        return None
    extra = [storage[c][1] for c in include if c in storage and storage[c][0] in tables]
    covering = f" INCLUDE ({', '.join(extra)})" if extra and all(e.startswith('"') for e in extra) else ""
    return f"{tables.pop()} ({', '.join(parts)}){covering}"


def _placed(node: exp.Expr, storage: dict[str, tuple[str, str]]) -> exp.Expr:
    """A column of the relation as the expression that stores it."""
    if not isinstance(node, exp.Column):
        return node
    stored = parse_query(f"SELECT {storage[node.name][1]}").expressions[0]
    return stored if isinstance(stored, exp.Column) else exp.Paren(this=stored)


def _check_column(target: CatalogObject, column: str) -> None:
    if column not in {c.name for c in target.columns if not c.hidden}:
        raise InvalidStatement(f'column "{column}" does not exist in "{target.name}"', sqlstate="42703")


def _check_distribution(distributed_by: str, keys: Sequence[str]) -> None:
    """One machine distributes nothing; but what RisingWave refuses is refused."""
    if not distributed_by:
        return
    items = parse_query(f"SELECT {distributed_by}").expressions
    wanted = [folded(i.this) if isinstance(i, exp.Column) else sql(quoted_columns(i)) for i in items]
    if list(keys[: len(wanted)]) != wanted:
        raise InvalidStatement(
            "Distributed by columns should be a prefix of index columns", hint="name the index columns in their order"
        )  # fmt: skip
