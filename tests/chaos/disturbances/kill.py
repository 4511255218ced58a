"""kill -9 of one process of the stack; who looks after it starts it again."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from random import Random

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack
from tests.support.processes import alive, wait_until


@dataclass(frozen=True, slots=True)
class Kill:
    """`times`: killed again as soon as its successor is there, up to three times in a row."""

    target: str
    weight: int = 1

    @property
    def name(self) -> str:
        return f"kill {self.target}"

    def draw(self, random: Random) -> Parameters:
        return {"times": random.choice((1, 1, 1, 2, 3))}

    def missing(self, stack: Stack) -> str | None:
        if self.target == "delivery" and stack.pid("delivery") is None:
            return "this engine has no delivery process"
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        pid = None
        for _ in range(int(parameters["times"])):
            pid = stack.wait_pid(self.target, not_pid=pid)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda gone=pid: not alive(gone), 20, f"the end of {self.target}")
        return now_ms(), []


@dataclass(frozen=True, slots=True)
class KillLoader:
    """The loader has nobody who starts it again: the harness does, as a new run."""

    name: str = "kill loader"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        return {}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        found = stack.loader.died()
        stack.loader.kill()
        stack.loader.start()
        return now_ms(), found


@dataclass(frozen=True, slots=True)
class KillLauncher:
    """kill -9 of `tailrace up`, which takes broker and engine along; started again at once on the same data."""

    name: str = "kill launcher"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        return {}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        before = _topic_and_views(stack)
        assert stack.up is not None
        stack.up.kill()
        stack.up.wait(20)
        killed_ms = now_ms()
        stack.start_up()
        stack.wait_up()
        after = _topic_and_views(stack)
        return killed_ms, [] if before == after else [
            f"launcher: before the kill there was {before}, after it {after}"
        ]


def _topic_and_views(stack: Stack) -> tuple[list[str], list[str]]:
    """Topic ids as the engine knows them, and names of views."""
    with stack.connect() as connection:
        topics = connection.execute(
            "SELECT DISTINCT topic_id FROM rw_catalog.rw_kafka_source_progress"
        ).fetchall()
        views = connection.execute("SELECT name FROM rw_catalog.rw_relations ORDER BY name").fetchall()
    return [row[0] for row in topics], [row[0] for row in views]


@dataclass(frozen=True, slots=True)
class KillBackend:
    """kill -9 of one PostgreSQL backend, whereupon PostgreSQL ends all others and recovers."""

    name: str = "kill backend"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        return {"of": random.choice(("tailrace flow", "tailrace listener", "any"))}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        with stack.superuser() as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() "
                "AND (application_name = %s OR %s = 'any') ORDER BY backend_start DESC",
                (parameters["of"], parameters["of"]),
            ).fetchall()
        if rows:
            os.kill(rows[0][0], signal.SIGKILL)
            wait_until(lambda: not alive(rows[0][0]), 20, "the end of the backend")
        return now_ms(), []
