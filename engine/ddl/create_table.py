"""CREATE TABLE: rows that clients insert, update and delete.

Storage is engine.table_<id>; clients see the updatable view <schema>.<name>. Statement-level triggers with transition tables
copy every change into engine.changes_<id>, from which the next barrier takes it. What an INSERT of an existing primary key
does says `engine.ddl.conflicts`; inserts into one such table take turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.catalog.objects import CatalogObject
from engine.compile.program import delta_name, temporary_table
from engine.ddl.conflicts import conflicts_of, triggers
from engine.ddl.context import DdlContext, Reply
from engine.ddl.names import ColumnDefinition, column_definition, object_name, options
from engine.ddl.retention import EXPIRING, OPTION, retention_of, written_column
from engine.operators.base import Column, names, quote
from engine.operators.project import sql
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.dialect import AppendOnlyProperty
from tailrace.sql.names import ObjectName, folded

TAG = "CREATE_TABLE"
ROW_ID = Column("_row_id", "bigint", hidden=True)


def create_table(context: DdlContext, tree: exp.Create) -> Reply:
    """Run CREATE TABLE."""
    name = context.place(object_name(tree.this))
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(TAG, notices=context.notices)
    if tree.expression is not None:
        raise UnsupportedFeature(
            "CREATE TABLE AS", hint="CREATE MATERIALIZED VIEW, or CREATE TABLE and INSERT ... SELECT"
        )
    if "connector" in options(tree):
        raise UnsupportedFeature(
            "CREATE TABLE with a connector", hint="CREATE SOURCE and a materialized view over it"
        )
    definitions, key = _elements(tree)
    properties = tree.args.get("properties")
    append_only = any(
        isinstance(p, AppendOnlyProperty) for p in (properties.expressions if properties else ())
    )
    retention_s = retention_of(tree)
    if retention_s is not None and not append_only:
        raise UnsupportedFeature(
            f"{OPTION} on a table that is not append-only", hint="add APPEND ONLY, or DELETE old rows"
        )
    id_ = context.new_id()
    columns = _typed(context, definitions)
    conflicts = conflicts_of(tree, columns, key, append_only=append_only)
    stored = columns if key else (*columns, ROW_ID)
    body = {
        "columns": [{"name": c.name, "type": c.type, "hidden": c.hidden} for c in stored],
        "key": list(key or (ROW_ID.name,)),
        "append_only": append_only,
        "retention_s": retention_s,
    }
    context.execute(*_statements(id_, name, definitions, stored, key, append_only=append_only))
    if key:
        settable = [d.name for d in definitions if d.generated is None]
        context.execute(*triggers(id_, key, settable, conflicts))
    if retention_s is not None:
        context.execute(*written_column(f"engine.table_{id_}"), *_unguarded(id_))
    context.record(
        CatalogObject(id_, name.name, "table", context.user, context.text, body, schema=name.schema)
    )
    return Reply(TAG, notices=context.notices)


def temporaries(id_: int, columns: Sequence[Column]) -> list[str]:
    """The delta table of a stored relation or plain source."""
    return [temporary_table(delta_name(id_), columns)]


def _elements(tree: exp.Create) -> tuple[list[ColumnDefinition], tuple[str, ...]]:
    definitions: list[ColumnDefinition] = []
    key: tuple[str, ...] = ()
    for element in tree.this.expressions if isinstance(tree.this, exp.Schema) else ():
        if isinstance(element, exp.ColumnDef):
            definitions.append(column_definition(element))
        elif isinstance(element, exp.PrimaryKey):
            key = tuple(
                folded(e.this if isinstance(e, exp.Ordered | exp.Column) else e) for e in element.expressions
            )
        elif isinstance(element, exp.WatermarkColumnConstraint):
            raise UnsupportedFeature("WATERMARK on a table", hint="declare it on a source")
        else:
            raise UnsupportedFeature(f"{element.sql(dialect='postgres')} in CREATE TABLE")
    if not definitions:
        raise UnsupportedFeature("a table without columns")
    declared = tuple(d.name for d in definitions if d.primary_key)
    if declared and key:
        raise InvalidStatement("multiple primary keys are not allowed", sqlstate="42P16")
    key = key or declared
    unknown = [k for k in key if k not in {d.name for d in definitions}]
    if unknown:
        raise InvalidStatement(
            f'column "{unknown[0]}" named in the primary key does not exist', sqlstate="42703"
        )
    return definitions, key


def _typed(context: DdlContext, definitions: list[ColumnDefinition]) -> tuple[Column, ...]:
    shown = ", ".join(f"NULL::{d.type} AS {quote(d.name)}" for d in definitions)
    return tuple(context.environment.describe(f"SELECT {shown}"))


def _statements(
    id_: int,
    name: ObjectName,
    definitions: list[ColumnDefinition],
    stored: tuple[Column, ...],
    key: tuple[str, ...],
    *,
    append_only: bool,
) -> list[str]:
    table, changes = f"engine.table_{id_}", f"engine.changes_{id_}"
    parts = []
    for definition in definitions:
        part = f"{quote(definition.name)} {definition.type}"
        if definition.generated is not None:
            part += f" GENERATED ALWAYS AS ({sql(definition.generated)}) STORED"
        if definition.default is not None:
            part += f" DEFAULT {sql(definition.default)}"
        parts.append(part + (" NOT NULL" if definition.not_null else ""))
    if not key:
        parts.append(f"{ROW_ID.name} bigint NOT NULL DEFAULT nextval('engine.row_id')")
    visible = names([c for c in stored if not c.hidden])
    logged = ", ".join(f"{quote(c.name)} {c.type}" for c in stored)
    statements = [
        f"CREATE TABLE {table} ({', '.join(parts)}) WITH (fillfactor = 70)",
        f"CREATE UNIQUE INDEX ON {table} ({names(key or (ROW_ID.name,))}) NULLS NOT DISTINCT",
        f"CREATE TABLE {changes} ({logged}, _w smallint NOT NULL)",
        *_capture(id_, stored),
        f"CREATE VIEW {name.sql} AS SELECT {visible} FROM {table}",
        f"GRANT SELECT ON {name.sql} TO root, dashboard",
        f"GRANT INSERT, UPDATE, DELETE ON {name.sql} TO root",
        f"GRANT INSERT ({visible}) ON {table} TO root",  # COPY FROM STDIN, which views do not take
    ]
    if append_only:
        statements.append(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION engine.refuse_append_only()"
        )
    return statements


def _capture(id_: int, stored: tuple[Column, ...]) -> list[str]:
    """Triggers that log each statement's changes; one event each, as transition tables demand."""
    columns = names(stored)
    into = f"INSERT INTO engine.changes_{id_} ({columns}, _w) SELECT {columns}"
    body = {
        "INSERT": f"{into}, 1 FROM new_rows;",
        "DELETE": f"{into}, -1 FROM old_rows;",
        "UPDATE": f"{into}, -1 FROM old_rows; {into}, 1 FROM new_rows;",
    }
    tables = {
        "INSERT": "NEW TABLE AS new_rows",
        "DELETE": "OLD TABLE AS old_rows",
        "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    }
    statements = []
    for event in ("INSERT", "UPDATE", "DELETE"):
        function = f"engine.capture_{id_}_{event.lower()}"
        statements += [
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path = pg_catalog, pg_temp AS $capture$ BEGIN {body[event]} "
            f"IF FOUND THEN PERFORM pg_notify('tailrace_changes', '{id_}'); END IF; RETURN NULL; END $capture$",
            f"CREATE TRIGGER capture_{event.lower()} AFTER {event} ON engine.table_{id_} REFERENCING {tables[event]} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        ]
    return statements


def _unguarded(id_: int) -> list[str]:
    """Let the flow, and nobody else, delete rows of an append-only table without a trace in its changes."""
    table, by_client = (
        f"engine.table_{id_}",
        f"pg_catalog.current_setting('{EXPIRING}', true) IS DISTINCT FROM 'on'",
    )
    return [
        f"DROP TRIGGER append_only ON {table}",
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH STATEMENT WHEN ({by_client}) "
        f"EXECUTE FUNCTION engine.refuse_append_only()",
        f"DROP TRIGGER capture_delete ON {table}",
    ]


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
