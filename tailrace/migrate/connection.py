"""The connection that migrations run on: one session in autocommit, statements with a deadline.

RisingWave ignores read-write BEGIN and COMMIT, so nothing here relies on a transaction; and a session does not see what it
wrote before a FLUSH, which `journal` sends where it matters. `open_connection` takes the plain postgresql:// URL that
TAILRACE_SQL_URL holds. Used by `api`, `environment` and `runner`.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import psycopg
import sqlalchemy
from psycopg.pq import TransactionStatus
from sqlalchemy.pool import NullPool

from tailrace.migrate.dialect import DRIVER

Session = psycopg.Connection[Any]

_CANCEL_GRACE_S = 5.0
_CONNECT_TIMEOUT_S = 10


@contextmanager
def open_connection(sql_url: str) -> Iterator[sqlalchemy.Connection]:
    """Connect for the length of a with block; raises SQLAlchemy's OperationalError when nobody answers
    there.
    """
    url = sqlalchemy.make_url(sql_url).set(drivername=DRIVER)
    arguments = {"prepare_threshold": None, "connect_timeout": _CONNECT_TIMEOUT_S}
    engine = sqlalchemy.create_engine(
        url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=arguments
    )
    try:
        with engine.connect() as connection:
            session(connection).execute("SET BACKGROUND_DDL TO false")
            yield connection
    finally:
        engine.dispose()


def session(connection: sqlalchemy.Connection) -> Session:
    """The psycopg connection beneath: statements go through it as they are, `%` included."""
    return cast("Session", connection.connection.driver_connection)


@contextmanager
def deadline(session: Session, seconds: float) -> Iterator[threading.Event]:
    """Cancel what runs on `session` when the block takes longer than `seconds`; cut the connection if that
    does not help.

    Yields an event that is set when the deadline has passed; the statement then ends with a psycopg error.
    """
    passed, over = threading.Event(), threading.Event()

    def watch() -> None:
        if over.wait(seconds):
            return
        passed.set()
        with suppress(psycopg.Error, OSError):
            session.cancel_safe(timeout=_CANCEL_GRACE_S)
        if not over.wait(_CANCEL_GRACE_S):
            _cut(session)

    watcher = threading.Thread(target=watch, name="migration-deadline", daemon=True)
    watcher.start()
    try:
        yield passed
    finally:
        over.set()
        watcher.join()


def is_usable(session: Session) -> bool:
    """Whether another statement can be sent."""
    return not session.closed and session.info.transaction_status != TransactionStatus.UNKNOWN


def _cut(session: Session) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(session.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
