"""A handful of autocommit connections to the SQL endpoint, shared by every viewer of the page.

Assumes that all statements are reads, so that a statement whose connection broke can be sent once more on a
new one. A restarted engine is the normal case, not an exception: the broken connections are dropped, the
caller gets `EngineUnreachableError`, and a later call connects anew. Nothing is prepared on the server,
because a prepared plan does not outlive a view that was replaced. Called by app.feeds (which holds the one
instance) and through it by app.queries.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import args_row, tuple_row

logger = logging.getLogger(__name__)

Row = TypeVar("Row")
Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_S = 3
QUERY_TIMEOUT_S = 8.0
CHECKOUT_TIMEOUT_S = 10.0
RETRY_AFTER_S = 1.0
UNDEFINED_TABLE = "42P01"


class EngineUnreachableError(Exception):
    """No answer from the SQL endpoint just now: try again later."""


class PipelineMissingError(Exception):
    """The endpoint answers, but a relation the page reads does not exist yet."""


class Database:
    """At most `size` connections; `fetch` is safe to call from many threads."""

    def __init__(self, url: str, *, size: int = 4, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._retry_at = 0.0
        self._down_since: float | None = None

    @property
    def down_for_s(self) -> float | None:
        """Seconds since the endpoint stopped answering; None while it answers."""
        since = self._down_since
        return None if since is None else self._clock() - since

    def fetch(
        self, row: Callable[..., Row], query: LiteralString, params: Sequence[object] = ()
    ) -> list[Row]:
        """Every row of `query` as `row(*columns)`.

        Raises EngineUnreachableError (no connection, or lost twice), PipelineMissingError (no such
        relation), or the psycopg.Error of a statement that the engine refused.
        """
        if not self._slots.acquire(timeout=CHECKOUT_TIMEOUT_S):
            raise EngineUnreachableError(
                f"no free connection within {CHECKOUT_TIMEOUT_S:.0f} s: every query is waiting"
            )
        try:
            return self._fetch(row, query, params)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _fetch(self, row: Callable[..., Row], query: LiteralString, params: Sequence[object]) -> list[Row]:
        connection = self._take_idle()
        if connection is not None:
            try:
                return self._run(connection, row, query, params)
            except EngineUnreachableError:
                self.close()  # its siblings are as old: most likely the engine was restarted
        return self._run(self._connect(), row, query, params)

    def _take_idle(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _connect(self) -> Connection:
        if self._clock() < self._retry_at:
            raise EngineUnreachableError("the last attempt to connect failed a moment ago")
        try:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=CONNECT_TIMEOUT_S,
                row_factory=tuple_row,
                application_name="tailrace-dashboard",
            )
        except psycopg.Error as error:
            self._note_failure(error)
            raise EngineUnreachableError(str(error)) from error
        return connection

    def _run(
        self, connection: Connection, row: Callable[..., Row], query: LiteralString, params: Sequence[object]
    ) -> list[Row]:
        try:
            with (
                _deadline(connection, QUERY_TIMEOUT_S),
                connection.cursor(row_factory=args_row(row)) as cursor,
            ):
                rows = cursor.execute(query, params).fetchall()
        except psycopg.Error as error:
            if connection.closed or isinstance(error, psycopg.OperationalError):
                connection.close()
                self._note_failure(error)
                raise EngineUnreachableError(str(error)) from error
            self._give_back(connection)
            # RisingWave reports a missing relation under other SQLSTATEs than PostgreSQL; its text is stable.
            if error.sqlstate == UNDEFINED_TABLE or "not found" in str(error):
                raise PipelineMissingError(str(error).splitlines()[0]) from error
            raise
        except BaseException:
            connection.close()  # its protocol state is unknown
            raise
        self._down_since = None
        self._give_back(connection)
        return rows

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            self._idle.append(connection)

    def _note_failure(self, error: psycopg.Error) -> None:
        if self._down_since is None:
            self._down_since = self._clock()
            logger.warning(
                "SQL endpoint lost: %s", str(error).strip().splitlines()[0] if str(error) else error
            )
        self._retry_at = self._clock() + RETRY_AFTER_S


@contextmanager
def _deadline(connection: Connection, seconds: float) -> Iterator[None]:
    """Break the connection's socket after `seconds`: a silent server must not hold a viewer's thread.

    A server-side statement_timeout would not do: engines differ in its unit, and it needs a live server.
    """

    def cut() -> None:
        try:
            with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error):
            pass  # closed already: nobody waits on it any more

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
