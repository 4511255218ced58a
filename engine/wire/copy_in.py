"""COPY ... FROM STDIN: where the rows go, and the client's part of the COPY sub-protocol.

A relation that clients see is a view, and PostgreSQL copies into a view only row by row through a trigger, which would slow
every INSERT too. So the rows go into the table behind it: all that an INSERT means (the last row of a key wins, append-only,
the change log) hangs on that table's triggers, and COPY fires the same ones. Its name is looked up each time, never kept,
so that a prepared COPY follows the visible name. RisingWave has no COPY FROM; the syntax is PostgreSQL's.

Pure, bytes and values only; `engine.wire.copy_rows` does the talking.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from sqlglot import exp

from engine.wire.plans import CopyIn
from engine.wire.protocol import MAX_MESSAGE_BYTES, protocol_violation
from tailrace.errors import InvalidStatement, TailraceError, UndefinedObject

_HEADER = struct.Struct("!ci").unpack_from


def lookup(plan: CopyIn) -> str:
    """A query for the target: one row a visible column with (id, kind, column, 't' if it is generated)."""
    name = exp.Literal.string(plan.relation).sql(dialect="postgres")
    schema = (
        "(SELECT f.schema_name FROM rw_catalog.rw_relations AS f WHERE f.name = "  # noqa: S608 - literals quoted
        f"{name} AND f.schema_name = ANY (pg_catalog.current_schemas(true)) "
        "ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true), f.schema_name::name) LIMIT 1)"
        if plan.schema is None
        else exp.Literal.string(plan.schema).sql(dialect="postgres")
    )
    return (
        "SELECT r.id, r.relation_type, c.name, coalesce(c.is_generated, false) "  # noqa: S608 - literals quoted
        "FROM rw_catalog.rw_relations AS r "
        "LEFT JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id AND NOT c.is_hidden "
        f"WHERE r.name = {name} AND r.schema_name = {schema} ORDER BY c.position"
    )


def storage(rows: Sequence[Sequence[str | None]]) -> str:
    """The table, in schema engine, behind the relation that `lookup` found."""
    return f"table_{rows[0][0]}"


def statement(plan: CopyIn, rows: Sequence[Sequence[str | None]]) -> str:
    """What PostgreSQL is told, given the rows of `lookup`. Raises TailraceError where nothing can be copied into."""
    shown = plan.relation
    if not rows:
        raise UndefinedObject(
            f'relation "{shown}" does not exist', hint="SHOW TABLES lists what can be copied into"
        )
    kind = rows[0][1]
    if kind != "table":
        hints = {"source": "produce to its topic", "view": "copy into the tables that it reads"}
        raise TailraceError(
            f'cannot copy into {kind} "{shown}"', sqlstate="42809",
            hint=hints.get(str(kind), "only tables take rows from clients"),
        )  # fmt: skip
    known = {str(row[2]): row[3] == "t" for row in rows}
    columns = plan.into or tuple(name for name, generated in known.items() if not generated)
    for name in columns:
        if name not in known:
            raise InvalidStatement(f'column "{name}" of relation "{shown}" does not exist', sqlstate="42703")
        if known[name]:
            raise TailraceError(
                f'column "{name}" is a generated column',
                sqlstate="42P10",
                hint="leave it out: it is computed",
            )
    listed = ", ".join(exp.to_identifier(name, quoted=True).sql(dialect="postgres") for name in columns)
    return f"COPY engine.{storage(rows)} ({listed}) {plan.rest}"


class CopyStream:
    """The client's messages while PostgreSQL takes rows: data passes through in whatever pieces it comes.

    `flowing` until the client ends or breaks off, or PostgreSQL has had enough. `rest` counts bytes of a CopyData that are
    still to come: PostgreSQL waits for them even after an error, so they are passed on in any case.
    """

    def __init__(self) -> None:
        self.flowing = True
        self.terminated = False
        self.cancelled = False
        self.rest = 0

    def take(self, inbox: bytearray) -> bytes:
        """Take out of `inbox` what may be taken; returns what PostgreSQL gets. Raises TailraceError on other messages.

        Flush and Sync mean nothing here (libpq sends them without knowing that its command was a COPY): they are dropped.
        """
        size = len(inbox)
        position = min(self.rest, size)
        self.rest -= position
        start = 0
        kept: list[bytes | bytearray] = []
        while self.flowing and not self.rest and size - position >= 5:
            kind, length = _HEADER(inbox, position)
            end = position + 1 + length
            if length < 4:
                raise protocol_violation(f"message of type {kind!r} and length {length}")
            if kind == b"d":
                self.rest = max(end - size, 0)
                position = min(end, size)
                continue
            if kind not in b"cfHSX":
                raise protocol_violation(f"unexpected message type {kind!r} during COPY from stdin")
            if length > MAX_MESSAGE_BYTES:
                raise protocol_violation(f"message of type {kind!r} and length {length}")
            if end > size:
                break
            if kind in b"HS":
                kept.append(inbox[start:position])
                start = end
            elif kind == b"X":
                self.flowing, self.terminated = False, True
            else:
                self.flowing = False
            position = end
        kept.append(inbox[start:position])
        del inbox[:position]
        return b"".join(kept)
