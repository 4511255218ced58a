"""What the SQL side says: counts, rows per view, anomalies. Statements only; the numbers are judged
elsewhere.

Assumes the product's views (`sql/`) behind a URL; knows nothing of the engine there. `Poller` asks in a
thread of its own, with its own session, and survives a restart of the engine. Caller: the launcher.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tailrace.refusals import refusal
from tailrace.up.errors import UpError
from tailrace.verify.matching import Anomaly
from tailrace.verify.reconcile import Counts

Connection = psycopg.Connection[tuple[Any, ...]]

STAGES: Final = "SELECT stage, rows FROM pipeline_counts"
REASONS: Final = "SELECT reject_reason, messages FROM reject_counts"
VIEWS: Final = (
    "SELECT v.name FROM rw_catalog.rw_materialized_views AS v JOIN rw_catalog.rw_schemas AS s ON s.id = v.schema_id "
    "WHERE s.name = 'public' ORDER BY v.name"
)
"""Those of the product's schema: whoever makes others beside it need not put them there."""
NEWEST: Final = """
    SELECT rule, device_id, metric, ts, value, detail
    FROM anomalies ORDER BY detected_at DESC, anomaly_id LIMIT 8
"""
ALERTED: Final = "SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies"
SINCE: Final = "SELECT rule, device_id, metric, ts FROM anomalies WHERE ts >= %s"
OFFSETS: Final = "SELECT kafka_partition, last_offset FROM ingest_lag"
_FINAL: Final = ("28P01", "42501", "3D000")
"""Refusals that stay when the engine is asked again."""
POLL_S: Final = 0.4
ANOMALIES_EVERY: Final = 3
"""Every how many polls of the counts the newest anomalies are read: they need a sort."""


def connect(url: str) -> Connection:
    """A session for reading: autocommit, nothing prepared (a plan would not outlive a replaced view)."""
    return psycopg.connect(url, autocommit=True, prepare_threshold=None, connect_timeout=5)


def connect_patiently(url: str, *, timeout_s: float = 20.0) -> Connection:
    """Connect, and try again while the engine restarts. Raises UpError after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            return connect(url)
        except psycopg.OperationalError as error:
            known = refusal(error)
            if time.monotonic() > until or (known is not None and known.sqlstate in _FINAL):
                raise UpError(
                    known.message if known else "the SQL side does not answer",
                    detail=known.detail if known else str(error),
                    hint=known.hint if known else None,
                ) from error
            time.sleep(0.1)


def read_stages(connection: Connection) -> dict[str, int]:
    """Stage -> rows, from the running counts of the pipeline."""
    return {str(stage): int(rows or 0) for stage, rows in connection.execute(STAGES)}


def read_offsets(connection: Connection) -> dict[int, int]:
    """Partition -> offset behind the last message that the views have."""
    return {int(partition): int(last) + 1 for partition, last in connection.execute(OFFSETS)}


def read_counts(connection: Connection) -> Counts:
    """The pipeline's counts, in full."""
    stages = read_stages(connection)
    return Counts(
        messages=stages.get("messages", 0),
        ingested=stages.get("readings", 0),
        rejected=stages.get("rejects", 0),
        duplicates=stages.get("duplicates", 0),
        late=stages.get("late", 0),
        rejects={str(reason): int(count) for reason, count in connection.execute(REASONS)},
    )


def read_views(connection: Connection) -> dict[str, int]:
    """View -> rows, counted one by one: costs a scan of each, so only at the start and the end."""
    names = [str(name) for (name,) in connection.execute(VIEWS)]
    counted = {}
    for name in names:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        counted[name] = int(row[0]) if row else 0
    return counted


def read_anomalies(connection: Connection, since: datetime) -> list[Anomaly]:
    """All anomalies with an event time from `since` on."""
    return [
        Anomaly(str(rule), str(device_id), metric, ts.timestamp())
        for rule, device_id, metric, ts in connection.execute(SINCE, (since,))
        if ts is not None
    ]


def read_alerted(connection: Connection) -> dict[str, dict[str, Any]]:
    """anomaly_id -> the row, of all that should be on the alerts' topic."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return {row["anomaly_id"]: row for row in cursor.execute(ALERTED)}


@dataclass(frozen=True, slots=True)
class Notice:
    """An anomaly as the screen shows it."""

    rule: str
    device_id: str
    metric: str | None
    ts: datetime | None
    value: float | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The newest answer: when it came (monotonic seconds), stage -> rows, newest anomalies; `error` if none
    came.
    """

    at: float = 0.0
    stages: Mapping[str, int] = field(default_factory=dict)
    newest: tuple[Notice, ...] = ()
    error: str | None = None


class Poller:
    """Keeps `figures` fresh, twice a second and more, until `close`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="figures", daemon=True)
        self.figures = Figures()

    def start(self) -> None:
        """Begin asking."""
        self._thread.start()

    def close(self) -> None:
        """Stop asking and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url) as connection:
                    self._poll(connection)
            except psycopg.Error as error:
                known = self.figures
                self.figures = Figures(
                    known.at, known.stages, known.newest, str(error).strip().splitlines()[0]
                )
                self._stop.wait(0.2)

    def _poll(self, connection: Connection) -> None:
        turn = 0
        newest = self.figures.newest
        while not self._stop.is_set():
            stages = read_stages(connection)
            if turn % ANOMALIES_EVERY == 0:
                newest = tuple(Notice(*row) for row in connection.execute(NEWEST))
            self.figures = Figures(time.monotonic(), stages, newest)
            turn += 1
            self._stop.wait(POLL_S)
