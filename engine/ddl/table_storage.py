"""What stands behind a table: storage, change log, the triggers between them, and the view that clients see.

Statement-level triggers with transition tables copy every change into engine.changes_<id>. One trigger a row computes generated
columns and decides conflicts; inserts into one keyed table take turns, so that two sessions cannot both miss the other's row.
Triggers of one kind fire in the order of their names: not_null_<n>, overwrite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.ddl.conflicts import Conflicts, is_older, merged
from engine.ddl.context import readers, writers
from engine.ddl.retention import EXPIRING
from engine.ddl.table_definition import StoredColumn, over
from engine.operators.base import Column, equal, equal_nulls, names, no_nulls, quote
from tailrace.sql.dialect import IGNORE, UPDATE_IF_NOT_NULL
from tailrace.sql.names import ObjectName

ROW_ID = Column("_row_id", "bigint", hidden=True)
_SECURE = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
_EXPRESSION = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"


@dataclass(frozen=True, slots=True)
class Storage:
    """One table. `hidden` are columns that were dropped while something built on the table still names them."""

    id: int
    columns: tuple[StoredColumn, ...]
    key: tuple[str, ...]
    append_only: bool
    conflict: Conflicts = field(default_factory=Conflicts)
    hidden: tuple[Column, ...] = ()

    @property
    def stored(self) -> tuple[Column, ...]:
        """All columns of the storage, the hidden ones behind."""
        shown = tuple(Column(c.name, c.type) for c in self.columns)
        return (*shown, *self.hidden) if self.key else (*shown, *self.hidden, ROW_ID)

    @property
    def table(self) -> str:
        return f"engine.table_{self.id}"

    @property
    def generated(self) -> tuple[StoredColumn, ...]:
        return tuple(c for c in self.columns if c.generated is not None)


def create_storage(storage: Storage, name: ObjectName, owner: str, *, writable: bool = True) -> list[str]:
    """The statements of CREATE TABLE by `owner`; clients may change the rows if it is `writable`."""
    table, changes = storage.table, f"engine.changes_{storage.id}"
    parts = [column_clause(c) for c in storage.columns]
    if not storage.key:
        parts.append(f"{ROW_ID.name} bigint NOT NULL DEFAULT nextval('engine.row_id')")
    logged = "".join(f"{quote(c.name)} {c.type}, " for c in storage.stored)
    visible = names([c.name for c in storage.columns])
    statements = [
        f"CREATE TABLE {table} ({', '.join(parts)}) WITH (fillfactor = 70)",
        f"CREATE UNIQUE INDEX ON {table} ({names(storage.key or (ROW_ID.name,))}) NULLS NOT DISTINCT",
        f"CREATE TABLE {changes} ({logged}_w smallint NOT NULL)",
        *capture(storage, triggers=True),
        f"CREATE VIEW {name.sql} AS {visible_view(storage)}",
        *visible_defaults(storage, name.sql),
        f"GRANT SELECT ON {name.sql} TO {readers(owner)}",
        f"GRANT SELECT ON {table} TO {writers(owner)}",  # queries that name _row_id
        *(not_null_trigger(storage, c.name) for c in storage.columns if c.not_null),
        *row_functions(storage),
        *_row_triggers(storage),
    ]
    if writable:
        statements.append(f"GRANT INSERT, UPDATE, DELETE ON {name.sql} TO {writers(owner)}")
    if visible and writable:
        statements.append(
            f"GRANT INSERT ({visible}) ON {table} TO {writers(owner)}"
        )  # COPY FROM STDIN, which views do not take
    if storage.append_only:
        statements.append(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION engine.refuse_append_only()"
        )
    return statements


def visible_view(storage: Storage) -> str:
    """The query of what clients see."""
    return f"SELECT {names([c.name for c in storage.columns])} FROM {storage.table}"


def visible_defaults(storage: Storage, visible: str) -> list[str]:
    """The defaults once more, of what clients see: UPDATE ... SET c = DEFAULT looks there."""
    return [
        f"ALTER VIEW {visible} ALTER COLUMN {quote(c.name)} SET DEFAULT {c.default}"
        for c in storage.columns
        if c.default is not None
    ]


def drop_storage(id_: int) -> list[str]:
    """The statements of DROP TABLE; the visible view is gone already."""
    functions = [f"engine.capture_{id_}_{e}()" for e in ("insert", "update", "delete")]
    functions += [f"engine.take_turn_{id_}()", f"engine.overwrite_{id_}()"]
    return [
        f"DROP TABLE engine.table_{id_}, engine.changes_{id_}",
        *parked_objects(id_),
        *(f"DROP FUNCTION IF EXISTS {f}" for f in functions),
    ]


def parked_objects(id_: int) -> list[str]:
    """The statements that remove what a throttled table has more than others (`engine.ddl.rate_limits`), but its trigger."""
    return [
        f"DROP FUNCTION IF EXISTS engine.release_{id_}(integer)",
        f"DROP FUNCTION IF EXISTS engine.park_{id_}()",
        f"DROP TABLE IF EXISTS engine.parked_{id_}",
    ]


def column_clause(column: StoredColumn) -> str:
    """A column as CREATE TABLE and ADD COLUMN have it; generated columns are computed by `row_functions`."""
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    return f"{quote(column.name)} {column.type}{default}{' NOT NULL' if column.not_null else ''}"


def not_null_trigger(storage: Storage, column: str) -> str:
    """Refuse a NULL under the name that clients know the table by, before PostgreSQL does under its own."""
    number = next(i for i, c in enumerate(storage.columns) if c.name == column)
    generated = {c.name for c in storage.generated}
    name = f"{'p' if column in generated else 'not'}_null_{number}"
    return (
        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {storage.table} FOR EACH ROW WHEN (NEW.{quote(column)} IS NULL) "
        f"EXECUTE FUNCTION engine.refuse_null({quote(column)})"
    )


def capture(storage: Storage, *, triggers: bool) -> list[str]:
    """Functions that log each statement's changes, one event each as transition tables demand; and their triggers."""
    id_, columns = storage.id, names(storage.stored)
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
        statements.append(
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger {_SECURE} AS $capture$ BEGIN {body[event]} "
            f"IF FOUND THEN PERFORM pg_notify('tailrace_changes', '{id_}'); END IF; RETURN NULL; END $capture$"
        )
        if triggers:
            statements.append(
                f"CREATE TRIGGER capture_{event.lower()} AFTER {event} ON engine.table_{id_} REFERENCING {tables[event]} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            )
    return statements


def unguarded(id_: int) -> list[str]:
    """Let the flow, and nobody else, delete rows of an append-only table without a trace in its changes."""
    table = f"engine.table_{id_}"
    by_client = f"pg_catalog.current_setting('{EXPIRING}', true) IS DISTINCT FROM 'on'"
    return [
        f"DROP TRIGGER append_only ON {table}",
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH STATEMENT WHEN ({by_client}) "
        f"EXECUTE FUNCTION engine.refuse_append_only()",
        f"DROP TRIGGER capture_delete ON {table}",
    ]


def row_functions(storage: Storage) -> list[str]:
    """The functions behind the row triggers; replaced when columns come or go."""
    if not storage.key and not storage.generated:
        return []
    statements = []
    if storage.key:
        statements.append(
            f"CREATE OR REPLACE FUNCTION engine.take_turn_{storage.id}() RETURNS trigger {_SECURE} AS $turn$ BEGIN "
            f"PERFORM pg_advisory_xact_lock(4566, {storage.id}); RETURN NULL; END $turn$"
        )
    computed = _compute(storage.generated)
    conflict = f"IF TG_OP = 'INSERT' THEN {_conflict(storage)} " if storage.key else ""
    update = _updated(storage) if storage.key else ""
    if storage.key:
        conflict += f"{'ELSE ' + update if update else ''} END IF; "
    declared = "DECLARE found_row record; " if storage.key else ""
    kind = _EXPRESSION if storage.generated else _SECURE
    statements.append(
        f"CREATE OR REPLACE FUNCTION engine.overwrite_{storage.id}() RETURNS trigger {kind} AS $overwrite$ {declared}BEGIN "
        f"{computed}{conflict}RETURN NEW; END $overwrite$"
    )
    return statements


def _row_triggers(storage: Storage) -> list[str]:
    table, statements = storage.table, []
    if storage.key:
        statements += [
            f"CREATE TRIGGER take_turn BEFORE INSERT ON {table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION engine.take_turn_{storage.id}()",
            f"CREATE TRIGGER keep_key BEFORE UPDATE OF {names(storage.key)} ON {table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION engine.refuse_update('PK')",
        ]
    statements += keep_generated(storage)
    if storage.key or storage.generated:
        on_update = (
            storage.generated or storage.conflict.behaviour == UPDATE_IF_NOT_NULL or storage.conflict.versions
        )
        events = "INSERT OR UPDATE" if on_update else "INSERT"
        statements.append(
            f"CREATE TRIGGER overwrite BEFORE {events} ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION engine.overwrite_{storage.id}()"
        )
    return statements


def keep_generated(storage: Storage) -> list[str]:
    """The trigger that refuses an UPDATE of a generated column, if there is one."""
    if not storage.generated:
        return []
    return [
        f"CREATE TRIGGER keep_generated BEFORE UPDATE OF {names([c.name for c in storage.generated])} ON {storage.table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION engine.refuse_update('generated')"
    ]


def no_row_function(storage: Storage) -> list[str]:
    """Statements that take the row trigger away, where nothing is left for it to do."""
    return [f"DROP TRIGGER overwrite ON {storage.table}", f"DROP FUNCTION engine.overwrite_{storage.id}()"]


def _compute(generated: Sequence[StoredColumn]) -> str:
    """Generated columns of NEW, NULL where the expression fails, as in a stream."""
    return "".join(
        f"BEGIN NEW.{quote(c.name)} := {over(c.generated or 'NULL', 'NEW')}; "
        f"EXCEPTION WHEN data_exception THEN NEW.{quote(c.name)} := NULL; END; "
        for c in generated
    )


def _conflict(storage: Storage) -> str:
    """What an INSERT does to the row that has its key already. In one statement too: each row sees those before it."""
    table, key, conflict = storage.table, storage.key, storage.conflict
    strict, nulls = (f"{table} AS t WHERE {match('t', 'NEW', key)}" for match in (equal, equal_nulls))
    delete = f"IF {no_nulls('NEW', key)} THEN DELETE FROM {strict}; ELSE DELETE FROM {nulls}; END IF; "
    if conflict == Conflicts():
        return delete
    find = (
        f"IF {no_nulls('NEW', key)} THEN SELECT * INTO found_row FROM {strict}; "
        f"ELSE SELECT * INTO found_row FROM {nulls}; END IF; "
    )
    if conflict.behaviour == IGNORE:
        return f"{find}IF FOUND THEN RETURN NULL; END IF; "
    merged = (
        _merge(storage, "found_row") + _compute(storage.generated)
        if conflict.behaviour == UPDATE_IF_NOT_NULL
        else ""
    )
    return f"{find}IF FOUND THEN {_skip_older(conflict, 'found_row')}{merged}{delete}END IF; "


def _updated(storage: Storage) -> str:
    """What an UPDATE has to obey: in RisingWave its new row conflicts with the old one like any other."""
    merged = (
        _merge(storage, "OLD") + _compute(storage.generated)
        if storage.conflict.behaviour == UPDATE_IF_NOT_NULL
        else ""
    )
    return f"{_skip_older(storage.conflict, 'OLD')}{merged}"


def _merge(storage: Storage, old: str) -> str:
    return merged(old, storage.key, [c.name for c in storage.columns if c.generated is None])


def _skip_older(conflict: Conflicts, old: str) -> str:
    return f"IF {is_older(old, conflict.versions)} THEN RETURN NULL; END IF; " if conflict.versions else ""
