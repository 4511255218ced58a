"""The end of a run: wait until the views have everything, then draw up the account.

Assumes that the loader has ended and that broker and engine still run. Caller: the launcher.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from tailrace import config
from tailrace.errors import TailraceError
from tailrace.monitor.estimator import Second, recovered_after_s
from tailrace.up import figures
from tailrace.up.options import Burst
from tailrace.up.report import Report
from tailrace.up.truth import Truth
from tailrace.verify.alerts import AlertReader, Alerts, compare
from tailrace.verify.matching import Stream, score
from tailrace.verify.reconcile import Counts
from tailrace.verify.recount import Recount, Shortened, expired, real_ends, recount

STALLED_S: Final = 30.0
"""The drain gives up when the views have not moved for so long."""
SETTLE_S: Final = 1.5
"""Behind the last reading, one more heartbeat of the views that use now()."""
WINDOW_S: Final = 10.0
ALERTS_S: Final = 20.0
"""How long the alerts may lag behind the view before they count as lost."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How things stood before the run: what the report subtracts, and where in the topic the run begins."""

    counts: Counts
    views: Mapping[str, int]
    offsets: Mapping[int, int]
    at_s: float = 0.0
    """When the run began, in seconds since the epoch."""


def drain(
    sql_url: str,
    before: Counts,
    produced: int,
    *,
    on_progress: Callable[[int], None],
    give_up: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> str | None:
    """Wait until the views hold `produced` messages more than `before`; a sentence when they do not get
    there.
    """
    moved_at = clock()
    best = -1
    while True:
        try:
            with figures.connect(sql_url) as connection:
                while True:
                    arrived = figures.read_stages(connection).get("messages", 0) - before.messages
                    on_progress(arrived)
                    if arrived >= produced:
                        time.sleep(SETTLE_S)
                        return None
                    if arrived > best:
                        best, moved_at = arrived, clock()
                    if clock() > moved_at + STALLED_S or give_up():
                        return f"the views hold {arrived:,} of {produced:,} messages and have stopped moving"
                    time.sleep(0.1)
        except psycopg.Error as error:
            if clock() > moved_at + STALLED_S or give_up():
                return f"the SQL side stopped answering: {str(error).strip()}"
            time.sleep(0.2)


def settle(
    connection: figures.Connection,
    ends: Mapping[int, int],
    *,
    on_progress: Callable[[int], None],
    quiet_s: float = 1.5,
) -> None:
    """Wait until the views have an older topic up to `ends` (partition -> offset), or have stopped growing;
    a minute at most.
    """
    until = time.monotonic() + 60.0
    rows, moved_at = -1, time.monotonic()
    while time.monotonic() < min(until, moved_at + quiet_s):
        now = figures.read_stages(connection).get("messages", 0)
        shown = figures.read_offsets(connection)
        if all(shown.get(partition, 0) >= end for partition, end in ends.items()):
            return
        on_progress(now)
        if now != rows:
            rows, moved_at = now, time.monotonic()
        time.sleep(0.1)


def recount_topic(
    kafka: str, start: Mapping[int, int], at_least: int, on_progress: Callable[[int], None]
) -> Recount | Shortened | str:
    """Read the topic again, up to where it ends now, or say why that did not work."""
    try:
        if missing := expired(kafka, config.READINGS.name, start):
            return Shortened(missing)
        return recount(
            kafka,
            config.READINGS.name,
            start=start,
            until=real_ends(kafka, config.READINGS.name),
            at_least=at_least,
            on_progress=on_progress,
            timeout_s=10.0,
        )
    except TailraceError as error:
        return f"reading the topic again failed: {error}"


def check_alerts(
    sql_url: str,
    kafka: str,
    since_s: float,
    *,
    on_progress: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Alerts | str:
    """Compare the alerts' topic with the view until they agree, or say why that did not work."""
    until = clock() + ALERTS_S
    try:
        reader = AlertReader(kafka, config.ALERTS.name)
        try:
            while True:
                with figures.connect_patiently(sql_url) as connection:
                    view = figures.read_alerted(connection)
                reader.read()
                found = compare(view, reader.newest, reader.messages, since_s)
                on_progress(f"{found.keys:,} alerts for {found.anomalies:,} anomalies")
                if found.agree or clock() > until:
                    return found
                time.sleep(0.2)
        finally:
            reader.close()
    except (TailraceError, psycopg.Error, ValueError) as error:
        return f"reading the alerts failed: {str(error).strip()}"


def freshness_of(measured: Mapping[str, Any], burst: Burst | None) -> dict[str, Any]:
    """The monitor's last line; with a burst, also how long after it freshness was below a second again.

    `back_under_1s_after_s` is None when that did not happen before the end. Seconds count from the first
    reading.
    """
    found = dict(measured)
    if burst is not None and found.get("timeline"):
        timeline = [Second(**row) for row in found["timeline"]]
        found["burst"] = {
            "rate": burst.rate,
            "at_s": burst.at_s,
            "seconds": burst.seconds,
            "back_under_1s_after_s": recovered_after_s(timeline, burst.at_s + burst.seconds),
        }
    return found


def draw_up(
    sql_url: str,
    baseline: Baseline,
    truth: Truth | None,
    topic: Recount | Shortened | str,
    alerts: Alerts | str,
    *,
    freshness: Mapping[str, Any],
    details: Mapping[str, Any],
    failures: list[str],
    on_progress: Callable[[str], None],
) -> Report:
    """Read the views and build the report. Without a loader, what the topic holds counts as produced."""
    with figures.connect_patiently(sql_url) as connection:
        on_progress("counts")
        counts = figures.read_counts(connection).minus(baseline.counts)
        on_progress("rows of the views")
        views = figures.read_views(connection)
        on_progress("anomalies")
        stream = truth.stream if truth and truth.stream else Stream(time.time(), time.time())
        since = datetime.fromtimestamp(stream.starts_at - WINDOW_S, UTC)
        scores = score(truth.faults, figures.read_anomalies(connection, since), stream) if truth else {}
    problems = [*failures, *(told for told in (topic, alerts) if isinstance(told, str))]
    recounted = topic if isinstance(topic, Recount) else None
    shortened = isinstance(topic, Shortened)
    produced = truth.produced if truth else recounted.messages if recounted else 0
    if shortened and not truth:
        produced = counts.messages  # of what the topic no longer holds only the views know
    if truth and truth.error:
        problems.append(f"the loader failed: {truth.error}")
    return Report(
        produced=produced,
        counts=counts,
        recount=recounted,
        alerts=None if isinstance(alerts, str) else alerts,
        views=views,
        views_before=baseline.views,
        scores=scores,
        freshness=freshness,
        details={**details, "topic_shortened": str(topic)} if shortened else details,
        shortened=shortened,
        failures=tuple(problems),
        sent_by_kind=truth.by_kind if truth else None,
    )
