"""What a statement comes to: one small frozen class for each way of answering it.

`Forward` goes to PostgreSQL as text; every other plan is a command that the session carries out and answers
itself (`engine.wire.commands`). `columns` is what Describe tells a client before the command runs; () means
no rows. Made by `engine.wire.classify`, carried out by `engine.wire.commands`.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.wire.protocol import TEXT_OID, VARCHAR_OID, Column
from tailrace.errors import TailraceError
from tailrace.sql.types import ComposedType

QUERY_PLAN = (Column("QUERY PLAN", TEXT_OID),)


@dataclass(frozen=True, slots=True)
class Forward:
    """Text for PostgreSQL: the client's own, or (`rewritten`) one that positions in error messages do not fit."""

    sql: str
    rewritten: bool = False
    types: tuple[ComposedType, ...] = ()
    """Structs and maps that the text names; they have to be there before it runs."""


@dataclass(frozen=True, slots=True)
class RowIdQuery:
    """A query that names `_row_id`: text for PostgreSQL, once the catalog has been asked which tables it means."""

    sql: str


@dataclass(frozen=True, slots=True)
class ColumnsQuery:
    """A statement with `* EXCEPT (...)` or CORRESPONDING: text for PostgreSQL, once the names of columns have been asked for."""

    sql: str


@dataclass(frozen=True, slots=True)
class Begin:
    """BEGIN READ ONLY, which is real, or any other BEGIN, which starts nothing, as in RisingWave."""

    sql: str
    tag: str
    read_only: bool
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """COMMIT or ROLLBACK of a read-only transaction, or of nothing."""

    tag: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Set:
    """SET of one variable; `values` is None for SET ... TO DEFAULT and RESET."""

    name: str
    values: tuple[str, ...] | None
    tag: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class SetConfig:
    """SELECT set_config(name, value, false): a SET that gives the value back as a row."""

    set: Set
    value: str
    columns: tuple[Column, ...] = (Column("set_config", TEXT_OID),)


@dataclass(frozen=True, slots=True)
class ResetAll:
    """RESET ALL, or DISCARD ALL (which forgets prepared statements too)."""

    sql: str
    tag: str
    discard: bool
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class ShowVariable:
    name: str
    columns: tuple[Column, ...] = (Column("Name", VARCHAR_OID),)


@dataclass(frozen=True, slots=True)
class ShowAll:
    columns: tuple[Column, ...] = (Column("Name"), Column("Setting"), Column("Description"))


@dataclass(frozen=True, slots=True)
class Lookup:
    """A SELECT over rw_catalog whose rows are shown under RisingWave's column names.

    `missing` is raised if there is no row; None: no row is an answer too. With `definitions` the last column holds statements,
    which are shown as RisingWave prints them.
    """

    sql: str
    columns: tuple[Column, ...]
    tag: str
    missing: TailraceError | None = None
    definitions: bool = False


@dataclass(frozen=True, slots=True)
class NoOperation:
    """Accepted for compatibility: answered, and nothing done."""

    tag: str
    notice: str | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Deallocate:
    """DEALLOCATE of one prepared statement, or (name None) of all."""

    sql: str
    name: str | None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Flush:
    """Wait until every view shows what was written before."""

    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class FlowCommand:
    """DDL and the like: the flow executes it in a barrier of its own."""

    sql: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseCommand:
    """CREATE, DROP or ALTER of a DATABASE or USER, which no database's flow can carry out: see `engine.databases`."""

    sql: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyIn:
    """COPY ... FROM STDIN: the target as the client named it (no columns: all), and the rest of the text, FROM on."""

    schema: str | None
    relation: str
    into: tuple[str, ...]
    rest: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclareSubscription:
    """DECLARE name SUBSCRIPTION CURSOR FOR [schema.]subscription: from now on, unless one of the last three says otherwise."""

    name: str
    schema: str | None
    subscription: str
    full: bool = False
    begin: bool = False
    since_ms: int | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchSubscription:
    """FETCH from a subscription cursor, or from one of PostgreSQL's until the session says which."""

    sql: str
    name: str
    count: int
    timeout_s: float | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseSubscription:
    """CLOSE of a subscription cursor, or of one of PostgreSQL's until the session says which."""

    sql: str
    name: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class ShowCursors:
    """SHOW CURSORS, or (`subscriptions`) SHOW SUBSCRIPTION CURSORS."""

    subscriptions: bool
    columns: tuple[Column, ...]


Command = (
    Begin
    | End
    | Set
    | SetConfig
    | ResetAll
    | ShowVariable
    | ShowAll
    | Lookup
    | NoOperation
    | Deallocate
    | Flush
    | FlowCommand
    | DatabaseCommand
    | DeclareSubscription
    | FetchSubscription
    | CloseSubscription
    | ShowCursors
)
