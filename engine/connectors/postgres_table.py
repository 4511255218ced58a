"""The table that a sink writes to: how it is reached, its columns, and whether the sink fits them.

Types must be the table's own, as RisingWave asks; a varchar may also go where PostgreSQL reads text for it (uuid, enums,
numeric). Used by `engine.connectors.sink_postgres`; `check_table` by the DDL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from engine.connectors.sink import SinkSpec, SinkType
from engine.operators.base import Column
from tailrace.errors import InvalidStatement, TailraceError, UndefinedObject

Connection = psycopg.Connection[tuple[Any, ...]]
CONNECT_S: Final = 5
CHECK_S: Final = 5
"""How long CREATE SINK waits for an answer: no barrier passes meanwhile."""
_TEXT: Final = ("text", "character varying")
_ALIKE: Final[Mapping[str, str]] = {
    "json": "jsonb",
    "bpchar": "text",
    "character varying": "text",
    "name": "text",
}
_FROM_TEXT: Final = ("uuid", "numeric", "citext", "xml", "inet", "cidr", "macaddr", "ltree")


@dataclass(frozen=True, slots=True)
class Table:
    """Of each column the type's name, to be cast to, and the type that decides whether a sink's column fits; `enums` are columns
    that only certain texts fit; `generated` cannot be written.
    """

    types: Mapping[str, str]
    base: Mapping[str, str]
    enums: frozenset[str]
    generated: frozenset[str]
    key: tuple[str, ...]


def where(spec: SinkSpec) -> str:
    """The table, for a message."""
    o = spec.options
    return f"table {o['schema']}.{o['table']} of {o['database']} at {o['host']}:{o['port']}"


def reason(error: psycopg.Error) -> str:
    """What PostgreSQL or the client said, in a line."""
    said = error.diag.message_primary
    return said or str(error).rpartition("FATAL:")[2].strip().splitlines()[0]


def connect(spec: SinkSpec, timeout_s: int | None = None) -> Connection:
    """A session of the sink's user, whose statements take `timeout_s` at most; raises psycopg.OperationalError. Nothing is
    prepared, so that the server may stand behind a pool of connections.
    """
    o = spec.options
    more: dict[str, Any] = {"sslrootcert": o["ssl.root.cert"]} if o["ssl.root.cert"] else {}
    if "tcp.keepalive.idle" in o:
        names = {"keepalives_idle": "idle", "keepalives_interval": "interval", "keepalives_count": "count"}
        more |= {name: int(o[f"tcp.keepalive.{option}"]) for name, option in names.items()}
    timeout_ms = (timeout_s or int(o.get("timeout_s", "600"))) * 1000
    connection: Connection = psycopg.connect(
        host=o["host"], port=int(o["port"]), user=o["user"], password=o["password"], dbname=o["database"],
        sslmode=o["ssl_mode"], connect_timeout=CONNECT_S, application_name="tailrace sink", autocommit=True,
        client_encoding="utf8", prepare_threshold=None, **more,
    )  # fmt: skip
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(timeout_ms),))
    return connection


def read_table(connection: Connection, spec: SinkSpec) -> Table:
    """Its columns; raises psycopg.errors.UndefinedTable where it is not there."""
    relation = (spec.options["schema"], spec.options["table"])
    rows = connection.execute(
        "SELECT a.attname::text, format_type(a.atttypid, -1), "
        "format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END, -1), t.typtype = 'e', "
        "a.attgenerated <> '' OR a.attidentity = 'a', coalesce(array_position(i.indkey::int2[], a.attnum), -1) "
        "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid "
        "JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary "
        "WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        relation,
    ).fetchall()
    if not rows:
        raise psycopg.errors.UndefinedTable(f"relation {'.'.join(relation)} does not exist")
    keyed = sorted((row[5], row[0]) for row in rows if row[5] >= 0)
    return Table(
        {row[0]: row[1] for row in rows},
        {row[0]: row[2] for row in rows},
        frozenset(row[0] for row in rows if row[3]),
        frozenset(row[0] for row in rows if row[4]),
        tuple(name for _, name in keyed),
    )


def check_table(name: str, spec: SinkSpec, columns: Sequence[Column]) -> str | None:
    """What a user should know, if anything; raises TailraceError where the table cannot be reached or does not fit the sink."""
    from engine.connectors.postgres_position import make_room

    try:
        with connect(spec, CHECK_S) as connection:
            table = read_table(connection, spec)
            _check_columns(spec, columns, table)
            return make_room(connection, spec) if spec.type is SinkType.APPEND_ONLY else None
    except psycopg.errors.UndefinedTable as error:
        raise UndefinedObject(
            f"sink {name}: {where(spec)} does not exist",
            hint="CREATE TABLE there first, or check schema and table",
        ) from error
    except psycopg.Error as error:
        raise TailraceError(
            f"sink {name}: cannot reach {where(spec)}: {reason(error)}",
            sqlstate=error.sqlstate or "08001",
            hint="check host, port, user, password, database and ssl_mode",
        ) from error


def _check_columns(spec: SinkSpec, columns: Sequence[Column], table: Table) -> None:
    what = where(spec)
    for column in columns:
        if column.name not in table.types:
            raise InvalidStatement(
                f"Column `{column.name}` not found in Postgres {what}",
                sqlstate="42703",
                hint=f"name it as one of the table's: {', '.join(table.types)}",
            )
        if column.name in table.generated:
            raise InvalidStatement(
                f"column {column.name} of {what} is generated and cannot be written",
                sqlstate="428C9",
                hint="leave it out of the sink's query",
            )
        if not _fits(column, table):
            raise InvalidStatement(
                f"Column `{column.name}` in Postgres {what} has type {table.types[column.name]}, "
                f"but the sink's has type {column.type}",
                sqlstate="42804",
                hint=f"cast it in the sink's query: {column.name}::{table.types[column.name]}",
            )
    if spec.type is SinkType.UPSERT and set(spec.primary_key) != set(table.key):
        raise InvalidStatement(
            f"Primary key mismatch: {what} has ({', '.join(table.key)}), the sink ({', '.join(spec.primary_key)})",
            hint=f"primary_key = '{','.join(table.key)}'"
            if table.key
            else "give the table a primary key of these columns",
        )


def _fits(column: Column, table: Table) -> bool:
    given, wanted = _alike(column.type), _alike(table.base[column.name])
    return given == wanted or (
        column.type in _TEXT and (column.name in table.enums or wanted.removeprefix("public.") in _FROM_TEXT)
    )


def _alike(type_: str) -> str:
    """The type that stands for all that are read and written alike.

    >>> _alike("numeric(10,2)"), _alike("character varying[]"), _alike("timestamp(3) without time zone")
    ('numeric', 'text[]', 'timestamp without time zone')
    """
    array = "[]" if type_.endswith("[]") else ""
    plain = type_.removesuffix("[]")
    if "(" in plain:
        plain = plain[: plain.index("(")] + plain[plain.index(")") + 1 :]
    return _ALIKE.get(plain, plain) + array
