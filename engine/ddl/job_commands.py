"""WAIT and CANCEL JOBS: statements about the jobs that fill new objects, carried out by the flow's loop."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.ddl.words import Words
from tailrace.errors import InvalidStatement
from tailrace.sql.names import ObjectName

_BLANK = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_WAIT = re.compile(rf"{_BLANK}WAIT\b", re.IGNORECASE | re.DOTALL)
_KINDS = (("TABLE",), ("MATERIALIZED", "VIEW"), ("SINK",), ("INDEX",))
_CANCEL = re.compile(r"\s*CANCEL\s+JOBS?\b(?P<ids>[^;]*);?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wait:
    """Answered when no job is left, or when the object of that kind and name is made."""

    kind: str = ""
    name: ObjectName | None = None


@dataclass(frozen=True, slots=True)
class CancelJobs:
    """The ids are those of SHOW JOBS."""

    ids: tuple[int, ...]


def parse_job_command(sql: str) -> Wait | CancelJobs | None:
    """The command, or None for any other statement; raises InvalidStatement.

    >>> parse_job_command("CANCEL JOBS 1010, 1012;")
    CancelJobs(ids=(1010, 1012))
    >>> parse_job_command("WAIT INDEX i")
    Wait(kind='index', name=ObjectName(name='i', schema=''))
    """
    if _WAIT.match(sql):
        return _wait(Words(sql))
    found = _CANCEL.fullmatch(sql)
    if found is None:
        return None
    ids = [part.strip() for part in found["ids"].split(",")]
    if not all(part.isdecimal() for part in ids):
        raise InvalidStatement(
            "CANCEL JOBS needs the ids of jobs", hint="CANCEL JOBS 1010, 1012; see SHOW JOBS"
        )
    return CancelJobs(tuple(int(part) for part in ids))


def _wait(words: Words) -> Wait:
    words.take()
    found = Wait()
    for kind in _KINDS:
        if words.accept(*kind):
            found = Wait(" ".join(kind).lower(), words.qualified_name().object)
            break
    words.end()
    return found
