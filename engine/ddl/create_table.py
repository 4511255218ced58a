"""CREATE TABLE: rows that clients insert, update and delete.

Storage is engine.table_<id> (`engine.ddl.table_storage`); clients see the updatable view <schema>.<name>. Every change is logged
in engine.changes_<id>, from which the next barrier takes it. An INSERT of an existing primary key overwrites the row, or does
what ON CONFLICT says, also twice in one statement. CREATE TABLE AS inserts the rows that its query has now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from engine.catalog.objects import SHOWN_AS, CatalogObject
from engine.compile.program import delta_name, temporary_table
from engine.compile.relations import refuse_repeated
from engine.ddl.conflicts import Conflicts, conflicts_of
from engine.ddl.context import DdlContext, Reply
from engine.ddl.default_rights import give_defaults
from engine.ddl.names import ColumnDefinition, column_definition, object_name
from engine.ddl.retention import CLEANED, OPTION, retention_of, written_column
from engine.ddl.table_definition import (
    StoredColumn,
    TableDefinition,
    empty_row,
    is_append_only,
    postgres_expression,
    quoted_columns,
    table_definition,
)
from engine.ddl.table_storage import ROW_ID, Storage, create_storage, unguarded
from engine.ddl.watermark import (
    TableWatermark,
    check_watermark,
    cleaned_storage,
    index_for_readers,
    key_for_readers,
    watermark_of,
    watermark_program,
    watermark_storage,
)
from engine.operators.base import Column, names, nulls, quote
from engine.operators.project import sql
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.batch import to_postgres
from tailrace.sql.dialect import AppendOnlyProperty
from tailrace.sql.names import ObjectName, folded

__all__ = ["ROW_ID", "create_table", "storage_of", "take_changes", "take_changes_as_text", "temporaries"]
TAG = "CREATE_TABLE"


def create_table(context: DdlContext, tree: exp.Create, *, called_source: bool = False) -> Reply:
    """Run CREATE TABLE. What is `called_source` shows as a source, and clients cannot write to it."""
    name = context.place(object_name(tree.this))
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(TAG, notices=context.notices)
    if tree.expression is not None:
        _create_as(context, tree, name)
        return Reply(TAG, notices=context.notices)
    definition = table_definition(tree)
    _create(context, tree, name, definition, _stored(context, definition), called_source=called_source)
    return Reply(TAG, notices=context.notices)


def _create(
    context: DdlContext,
    tree: exp.Create,
    name: ObjectName,
    definition: TableDefinition,
    columns: tuple[StoredColumn, ...],
    *,
    called_source: bool = False,
) -> Storage:
    key, append_only = definition.key, definition.append_only
    retention_s = retention_of(tree)
    if retention_s is not None and not append_only:
        raise UnsupportedFeature(
            f"{OPTION} on a table that is not append-only", hint="add APPEND ONLY, or DELETE old rows"
        )
    conflict = conflicts_of(tree, {c.name: c.type for c in columns}, key, append_only=append_only)
    storage = Storage(context.new_id(), columns, key, append_only, conflict)
    hidden = [] if key else [{"name": ROW_ID.name, "type": ROW_ID.type, "hidden": True}]
    body: dict[str, Any] = {
        "columns": [c.to_json() for c in columns] + hidden,
        "key": list(key or (ROW_ID.name,)),
        "append_only": append_only,
        "retention_s": retention_s,
        "conflict": {"behaviour": conflict.behaviour, "versions": list(conflict.versions)},
        **({SHOWN_AS: "source"} if called_source else {}),
    }
    if definition.watermark is not None:
        body.update(_watermarked(context, storage, definition.watermark))
    context.execute(*create_storage(storage, name, context.user, writable=not called_source))
    if retention_s is not None:
        context.execute(*written_column(storage.table), *unguarded(storage.id))
    elif definition.watermark is not None and append_only:
        context.execute(*unguarded(storage.id))
    if definition.watermark is not None and definition.watermark.ttl:
        context.execute(*cleaned_storage(storage.id, definition.watermark.column, append_only=append_only))
        if key:
            context.execute(index_for_readers(storage.id, body["key"]))
    context.record(
        CatalogObject(storage.id, name.name, "table", context.user, context.text, body, schema=name.schema)
    )
    give_defaults(context, context.created[-1])
    return storage


def _watermarked(context: DdlContext, storage: Storage, watermark: TableWatermark) -> dict[str, Any]:
    """Make the watermark and the step that moves it; what the catalog keeps of them."""
    id_, append_only = storage.id, storage.append_only
    column = check_watermark(context, watermark, storage.stored, append_only=append_only)
    own = storage.key or (ROW_ID.name,)
    program = watermark_program(id_, watermark, storage.stored, own, append_only=append_only)
    context.execute(*watermark_storage(id_, column), program.function)
    return {
        "key": list(own if append_only else key_for_readers(watermark, own)),
        "stored_key": list(own),
        "program": program.to_json(),
        "watermarks": watermark_of(id_, column.name),
        "ttl": watermark.ttl,
        **({CLEANED: column.name} if watermark.ttl else {}),
    }


def storage_of(table: CatalogObject) -> Storage:
    """What stands behind a table of the catalog."""
    body = table.body
    columns = tuple(StoredColumn.from_json(c) for c in body["columns"] if not c["hidden"])
    hidden = tuple(c for c in table.columns if c.hidden and c != ROW_ID)
    key = tuple(k for k in body.get("stored_key") or body["key"] if k != ROW_ID.name)
    kept = body.get("conflict")
    conflict = Conflicts(kept["behaviour"], tuple(kept["versions"])) if kept else Conflicts()
    return Storage(table.id, columns, key, bool(body["append_only"]), conflict, hidden)


def _create_as(context: DdlContext, tree: exp.Create, name: ObjectName) -> None:
    """CREATE TABLE AS: columns from the query, some renamed by a list; then its rows as they are now."""
    query = tree.expression.unnest() if isinstance(tree.expression, exp.Subquery) else tree.expression
    if not isinstance(query, exp.Query):
        raise InvalidStatement("CREATE TABLE ... AS needs a query")
    context.qualify(query)
    batch = to_postgres(query.sql(dialect="risingwave"))
    found = list(context.environment.describe(batch))
    listed = _listed(tree)
    if len(listed) > len(found):
        raise InvalidStatement(
            f"{len(listed)} column names for a query of {len(found)} columns", sqlstate="42601"
        )
    columns = tuple(
        StoredColumn(listed[i] if i < len(listed) else c.name, "varchar" if c.type == "text" else c.type)
        for i, c in enumerate(found)
    )
    refuse_repeated((c.name for c in columns), hint="name the columns with AS in the query")
    written = replace(context, text=_written(context, tree, name, columns))
    storage = _create(written, tree, name, TableDefinition((), (), is_append_only(tree)), columns)
    into = names([c.name for c in columns])
    context.execute(f"INSERT INTO {storage.table} ({into}) {batch}")


def _written(context: DdlContext, tree: exp.Create, name: ObjectName, columns: Sequence[StoredColumn]) -> str:
    """The statement that makes the same table, columns listed, as SHOW CREATE TABLE has it."""
    properties = tree.args.get("properties")
    items = properties.expressions if properties is not None else []
    if any(not isinstance(p, AppendOnlyProperty) for p in items):
        return context.text
    row = context.connection.execute(
        "SELECT quote_ident(%s), string_agg(quote_ident(c.name) || ' ' || "
        "replace(replace(rw.shown_type(c.type), ' without time zone', ''), 'timestamp with time zone', 'timestamptz'), "
        "', ' ORDER BY c.place) "
        "FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS c (name, type, place)",
        (name.name, [c.name for c in columns], [c.type for c in columns]),
    ).fetchone()
    table, listed = row or ("", "")
    return f"CREATE TABLE {table} ({listed or ''}){' APPEND ONLY' if items else ''}"


def _listed(tree: exp.Create) -> list[str]:
    elements = tree.this.expressions if isinstance(tree.this, exp.Schema) else ()
    listed = []
    for element in elements:
        if isinstance(element, exp.ColumnDef) and element.args.get("kind") is not None:
            column_definition(element)  # its own errors first
        if not isinstance(element, exp.Identifier | exp.ColumnDef | exp.Column) or element.args.get("kind"):
            raise UnsupportedFeature(
                "CREATE TABLE AS with column types or a key",
                hint="list names only: CREATE TABLE t (a, b) AS SELECT ..., or CREATE TABLE and INSERT ... SELECT",
            )
        listed.append(folded(element if isinstance(element, exp.Identifier) else element.this))
    return listed


def _stored(context: DdlContext, definition: TableDefinition) -> tuple[StoredColumn, ...]:
    """The columns with their types as PostgreSQL has them and their expressions checked."""
    columns = definition.columns
    if not columns:
        return ()
    typed = context.environment.describe(f"SELECT {nulls(columns)}")
    plain = [d for d in columns if d.generated is None]
    return tuple(stored_column(context, d, c.type, plain) for d, c in zip(columns, typed, strict=True))


def stored_column(
    context: DdlContext, definition: ColumnDefinition, type_: str, plain: Sequence[ColumnDefinition]
) -> StoredColumn:
    """One column; `plain` are those that a generated one may read. Raises what PostgreSQL says of wrong expressions."""
    default = generated = None
    if definition.default is not None:
        if definition.default.find(exp.Column):
            raise InvalidStatement(
                "column references are not allowed in a default expression", sqlstate="0A000",
                hint="Use generated columns instead if you mean to reference other columns.",
            )  # fmt: skip
        default = sql(postgres_expression(definition.default))
        context.environment.describe(f"SELECT CAST({default} AS {definition.type})")
    if definition.generated is not None:
        generated = sql(quoted_columns(postgres_expression(definition.generated)))
        source = f" FROM {empty_row(plain)}" if plain else ""
        context.environment.describe(f"SELECT CAST({generated} AS {definition.type}){source}")
    return StoredColumn(definition.name, type_, definition.not_null, default, generated)


def temporaries(id_: int, columns: Sequence[Column]) -> list[str]:
    """The delta table of a stored relation or plain source."""
    return [temporary_table(delta_name(id_), columns)]


def take_changes(id_: int, columns: Sequence[Column]) -> str:
    """The statement that moves a table's logged changes into its delta table, consolidated.

    Rows that the barrier's snapshot does not show yet stay for a later one, so slow transactions lose nothing.
    """
    listed = names(columns)
    return (
        f"WITH taken AS (DELETE FROM engine.changes_{id_} RETURNING *) "
        f"INSERT INTO {delta_name(id_)} ({listed}, _w) SELECT {listed}, sum(_w) FROM taken GROUP BY {listed} HAVING sum(_w) <> 0"
    )


def take_changes_as_text(id_: int, columns: Sequence[Column]) -> str:
    """As `take_changes`, but the changes are returned, every value as text and the weight last: no value is beyond the client."""
    listed = names(columns)
    shown = ", ".join(f"{quote(c.name)}::text" for c in columns)
    return (
        f"WITH taken AS (DELETE FROM engine.changes_{id_} RETURNING *) "
        f"SELECT {shown}, sum(_w)::integer FROM taken GROUP BY {listed} HAVING sum(_w) <> 0"
    )
