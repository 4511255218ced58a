"""CREATE and DROP of materialized views and indexes under load, undisturbed or with a kill in the middle.

A statement that was cut off is there whole or not at all. What was created stays for a while and is compared with its query like
every other view.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import psycopg

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack

QUERIES = (
    "SELECT device_type, count(*) AS n, max(value) AS highest FROM readings GROUP BY device_type",
    "SELECT metric, count(*) AS n, sum(samples) AS samples FROM readings_10s GROUP BY metric",
    "SELECT r.site, count(*) AS n FROM readings AS r JOIN devices AS d ON r.device_id = d.device_id GROUP BY r.site",
    "SELECT event_id, value FROM readings WHERE value > high",
)
MOST_VIEWS = 2
TIMEOUT_S = 90
SETTLE_S = 60


@dataclass(frozen=True, slots=True)
class Ddl:
    """`kill`: the process that is killed so many seconds after the statement was sent."""

    name: str = "ddl"
    weight: int = 2

    def draw(self, random: Random) -> Parameters:
        kill = random.choice(("", "", "flow", "wire", "postgres"))
        return {
            "view": f"chaos_{random.getrandbits(32):08x}",
            "query": random.randrange(len(QUERIES)),
            "index": random.random() < 0.4,
            "kill": kill,
            "after_s": round(random.uniform(0, 1.0), 2) if kill else 0,
        }

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        view = str(parameters["view"])
        statements = [f"CREATE MATERIALIZED VIEW {view} AS {QUERIES[int(parameters['query'])]}"]
        if parameters["index"]:
            statements.append(
                f"CREATE INDEX {view}_i ON {view} ({'n' if ' AS n' in statements[0] else 'value'})"
            )
        if len(stack.made_views) >= MOST_VIEWS:
            statements.append(f"DROP MATERIALIZED VIEW {stack.made_views[0]}")
        client = _Client(stack, statements)
        client.start()
        if parameters["kill"]:
            time.sleep(parameters["after_s"])
            with suppress(AssertionError, ProcessLookupError):
                os.kill(stack.wait_pid(str(parameters["kill"]), 5), signal.SIGKILL)
        ended = now_ms()
        client.join(TIMEOUT_S)
        if client.is_alive():
            return ended, [f"ddl: no answer within {TIMEOUT_S} s of {statements}"]
        return ended, client.errors(cut_off=bool(parameters["kill"])) + _settle(stack, statements)


@dataclass
class _Client(threading.Thread):
    stack: Stack
    statements: list[str]
    refused: list[tuple[str, psycopg.Error]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(name="chaos ddl", daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        for statement in self.statements:
            try:
                with self.stack.connect() as connection:
                    connection.execute(statement)  # type: ignore[call-overload]
            except psycopg.Error as error:
                self.refused.append((statement, error))

    def errors(self, *, cut_off: bool) -> list[str]:
        """With a kill in the middle a statement may fail by its connection; otherwise none may."""
        return [
            f"ddl: {statement[:60]}: {error.sqlstate} {str(error).strip()}"
            for statement, error in self.refused
            if not cut_off or not _of_the_moment(error)
        ]


def _of_the_moment(error: psycopg.Error) -> bool:
    """The connection broke, the engine was away, or what an earlier, cut off statement would have made is not there."""
    return isinstance(error, psycopg.OperationalError) or error.sqlstate in (
        "40003",
        "57P01",
        "42P01",
        "42704",
        "42P07",
    )


def _settle(stack: Stack, statements: list[str]) -> list[str]:
    """What of the chaos views there is, once the engine answers and builds none; remembered so that it is dropped one day."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        try:
            with stack.connect() as connection:
                jobs = connection.execute(
                    "SELECT ddl_statement, progress FROM rw_catalog.rw_ddl_progress"
                ).fetchall()
                if jobs and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                there = connection.execute(
                    "SELECT name FROM rw_catalog.rw_materialized_views WHERE name LIKE 'chaos%' ORDER BY created_at"
                ).fetchall()
                for (name,) in there:
                    connection.execute(f"SELECT count(*) FROM {name}")  # type: ignore[call-overload]
        except psycopg.Error as error:
            if time.monotonic() > deadline:
                return [f"ddl: after {statements[0][:60]} the views do not answer: {str(error).strip()}"]
            time.sleep(0.1)
        else:
            stack.made_views = [name for (name,) in there]
            return [f"ddl: not done {SETTLE_S} s after its answer: {job}" for job in jobs]
