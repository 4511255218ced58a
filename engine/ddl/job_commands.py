"""WAIT and CANCEL JOBS: statements about the jobs that fill new objects, carried out by the flow's loop."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tailrace.errors import InvalidStatement

_WAIT = re.compile(r"\s*WAIT\s*;?\s*", re.IGNORECASE)
_CANCEL = re.compile(r"\s*CANCEL\s+JOBS?\b(?P<ids>[^;]*);?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wait:
    """Answered when no job is left."""


@dataclass(frozen=True, slots=True)
class CancelJobs:
    """The ids are those of SHOW JOBS."""

    ids: tuple[int, ...]


def parse_job_command(sql: str) -> Wait | CancelJobs | None:
    """The command, or None for any other statement; raises InvalidStatement.

    >>> parse_job_command("CANCEL JOBS 1010, 1012;")
    CancelJobs(ids=(1010, 1012))
    """
    if _WAIT.fullmatch(sql):
        return Wait()
    found = _CANCEL.fullmatch(sql)
    if found is None:
        return None
    ids = [part.strip() for part in found["ids"].split(",")]
    if not all(part.isdecimal() for part in ids):
        raise InvalidStatement(
            "CANCEL JOBS needs the ids of jobs", hint="CANCEL JOBS 1010, 1012; see SHOW JOBS"
        )
    return CancelJobs(tuple(int(part) for part in ids))
