"""What the relay answers in PostgreSQL's place, as bytes. Pure; used by `engine.wire.session`."""

from __future__ import annotations

from engine.wire import protocol
from engine.wire.commands import RelayedError, Reply
from engine.wire.prepared import Portal
from tailrace.errors import TailraceError


def encode_reply(reply: Reply, portal: Portal | None = None) -> bytes:
    """The answer to a command. With a `portal` the client has had the description of its rows, and has asked for formats."""
    columns, formats = (portal.plan.columns, portal.formats) if portal is not None else (reply.columns, ())
    parts = [protocol.encode_notice(notice) for notice in reply.notices]
    if columns:
        if portal is None:
            parts.append(protocol.encode_row_description(columns))
        parts += (protocol.encode_data_row(row, columns, formats) for row in reply.rows)
    parts.append(protocol.encode_command_complete(reply.tag))
    return b"".join(parts)


def encode_failure(error: TailraceError | RelayedError) -> bytes:
    """An error of ours, or PostgreSQL's as it came."""
    if isinstance(error, RelayedError):
        return protocol.encode(b"E", error.body)
    return protocol.encode_error(error)


def too_long(length: int) -> TailraceError:
    """A message that is not read to its end."""
    limit = protocol.MAX_MESSAGE_BYTES
    return TailraceError(
        f"message of {length} bytes is longer than the {limit} that are accepted",
        sqlstate="54000",
        hint="write fewer rows in one statement",
    )
