"""A client's session by the simple query protocol, with a time limit for every text; values as their texts.

A text runs as one message, as sqllogictest-rs sends it. Of several statements the first one's result
counts; any one's error does.
"""

from __future__ import annotations

import contextlib
import select
import time
from dataclasses import dataclass

import psycopg
from psycopg import pq

from tests.slt.compare import Rows

_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Failed:
    """An error: the text as a driver shows it, the bare message, its SQLSTATE (None: not the server's)."""

    text: str
    message: str
    sqlstate: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows (empty for statements without), and how many rows were affected."""

    rows: Rows
    count: int


class Session:
    """One connection; it is opened again when it has broken."""

    def __init__(self, url: str, limit_s: float) -> None:
        self.url = url
        self.limit_s = limit_s
        self.connection: psycopg.Connection[object] | None = None

    def run(self, text: str) -> Answered | Failed:
        """Send a text and wait for everything that comes of it, at most `limit_s`."""
        try:
            connection = self._connected()
            return _exchange(connection, text, self.limit_s)
        except TimeoutError:
            self.close()
            return _late(self.limit_s)
        except psycopg.Error as error:
            self.close()
            return Failed(str(error), f"connection: {error}", None)

    def _connected(self) -> psycopg.Connection[object]:
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(self.url, autocommit=True, connect_timeout=10)
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(psycopg.Error):
                self.connection.close()
            self.connection = None


def _exchange(connection: psycopg.Connection[object], text: str, limit_s: float) -> Answered | Failed:
    link = connection.pgconn
    link.send_query(text.encode())
    deadline, cancelled = time.monotonic() + limit_s, False
    first: Answered | None = None
    failed: Failed | None = None
    while True:
        while link.is_busy():
            if not select.select([link.socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                if cancelled:
                    raise TimeoutError
                connection.cancel_safe(timeout=_GRACE_S)
                deadline, cancelled = time.monotonic() + _GRACE_S, True
                continue
            link.consume_input()
        result = link.get_result()
        if result is None:
            if cancelled:
                failed = _late(limit_s)
            return failed or first or Answered([], 0)
        if result.status in {pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_BOTH}:
            link.put_copy_end(b"a sqllogictest brings no data")
            link.flush()
        elif result.status == pq.ExecStatus.COPY_OUT:
            while link.get_copy_data(0)[0] > 0:
                pass
        elif result.status == pq.ExecStatus.FATAL_ERROR:
            failed = failed or _failed(result)
            if link.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError(failed.message)
        elif first is None:
            first = Answered(_rows(result), result.command_tuples or 0)


def _late(limit_s: float) -> Failed:
    message = f"no answer within {limit_s:g} s"
    return Failed(message, message, None)


def _rows(result: pq.abc.PGresult) -> Rows:
    return [
        [_shown(result.get_value(row, column)) for column in range(result.nfields)]
        for row in range(result.ntuples)
    ]


def _shown(value: bytes | None) -> str:
    if value is None:
        return "NULL"
    return value.decode(errors="replace") or "(empty)"


def _failed(result: pq.abc.PGresult) -> Failed:
    def part(which: pq.DiagnosticField) -> str | None:
        value = result.error_field(which)
        return None if value is None else value.decode(errors="replace")

    message = part(pq.DiagnosticField.MESSAGE_PRIMARY) or "no message"
    text = f"db error: {part(pq.DiagnosticField.SEVERITY)}: {message}"
    for name, which in (
        ("DETAIL", pq.DiagnosticField.MESSAGE_DETAIL),
        ("HINT", pq.DiagnosticField.MESSAGE_HINT),
    ):
        if (value := part(which)) is not None:
            text += f"\n{name}: {value}"
    return Failed(text, message, part(pq.DiagnosticField.SQLSTATE))
