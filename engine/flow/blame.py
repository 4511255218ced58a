"""Whether a row is to blame for a data exception, or the engine's own work on it.

A step of a view evaluates what the user wrote, and does more: it counts, looks up, merges. A data exception (SQLSTATE class 22)
that the view's query raises as well when it runs as a batch over the same rows is the rows' or the query's. One that comes
without any row is not: then no row is set aside, but the view is stopped, and all others go on. One that the query does not
raise is most likely a defect of the engine: the row is set aside all the same, since the stream has to go on. Both are told
in `rw_event_logs` and in the log; DROP and CREATE make the view anew, with everything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from sqlglot import exp
from sqlglot.errors import SqlglotError

from engine.catalog.objects import CatalogObject
from engine.operators.base import quote
from tailrace.errors import TailraceError
from tailrace.sql.batch import to_postgres
from tailrace.sql.dialect import TailraceSQL, parse_statement
from tailrace.sql.types import expand_types

log = logging.getLogger(__name__)
Connection = psycopg.Connection[tuple[Any, ...]]
_STEP = re.compile(r"\bengine\.step_([0-9]+)\(")
_PATIENCE_MS = 1000
"""What a barrier may spend on the question."""


class StepFailedError(Exception):
    """The step of relation `id_` fails, and no row is to blame."""

    def __init__(self, id_: int, error: psycopg.DataError) -> None:
        super().__init__(f"the step of object {id_} failed: {error.diag.message_primary}")
        self.id_, self.error = id_, error


def failed_step(error: psycopg.Error) -> int | None:
    """The relation whose step raised the error, as PL/pgSQL tells; None where no step did.

    The innermost comes first; a function that a step calls is the step's.
    """
    found = _STEP.search(error.diag.context or "")
    return int(found[1]) if found else None


def raises_as_batch(connection: Connection, view: CatalogObject) -> bool:
    """Does the view's query raise a data exception over what its inputs hold in this transaction? True also where nobody can say
    that in time. Leaves nothing behind.
    """
    try:
        query = _query(view)
    except (TailraceError, SqlglotError):
        return True
    if query is None:
        return True
    path = ", ".join(map(quote, (*view.path, "pg_catalog")))
    settings = {"statement_timeout": str(_PATIENCE_MS), "search_path": path, **dict.fromkeys(_PLANS, "on")}
    try:
        with connection.transaction(force_rollback=True):
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            connection.execute(
                f"SELECT count(q) FROM ({query}) AS q"
            )  # of whole rows: every column is computed
    except psycopg.Error:
        return True
    return False


@dataclass(slots=True)
class Suspect:
    """A view on whose query no row can be blamed that failed in its step, the error, and how many rows it were."""

    view: CatalogObject
    error: psycopg.DataError
    rows: int = 0


def tell_suspects(connection: Connection, suspects: Mapping[int, Suspect]) -> None:
    """Log what looks like a defect of the engine."""
    for suspect in suspects.values():
        view, error = suspect.view, suspect.error
        log.error(
            "%d rows are set aside that %s %s fails on, though its query does not: please report this: %s (%s)\n%s",
            suspect.rows, view.kind, view.name, error.diag.message_primary, error.sqlstate, error.diag.context,
        )  # fmt: skip
        record(connection, "STREAM_JOB_DEFECT", view, error, rows=suspect.rows)


def record(
    connection: Connection, event: str, item: CatalogObject, error: psycopg.DataError, **more: object
) -> None:
    """Put an event about an object into `rw_event_logs`, in the transaction that is open."""
    info = {"id": item.id, "name": item.name, "definition": item.definition, **more}
    told = {"error": f"{error.diag.message_primary} ({error.sqlstate})", "context": error.diag.context}
    connection.execute(
        "INSERT INTO engine.event_logs (event_type, info) VALUES (%s, %s)", (event, Jsonb({**info, **told}))
    )


_PLANS = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")


def _query(view: CatalogObject) -> str | None:
    """The query behind AS as PostgreSQL's; None for what has none."""
    if view.kind != "materialized view":
        return None
    tree = parse_statement(expand_types(view.definition).sql)
    query = tree.expression if isinstance(tree, exp.Create) else None
    return to_postgres(query.unnest().sql(dialect=TailraceSQL)) if isinstance(query, exp.Query) else None


def stopped(items: Iterable[CatalogObject], inputs: dict[int, tuple[int, ...]]) -> frozenset[int]:
    """Of `items`, in order of dependency, those that are stopped and those that are built on them."""
    found: set[int] = set()
    for item in items:
        if STOPPED in item.body or not found.isdisjoint(inputs.get(item.id, ())):
            found.add(item.id)
    return frozenset(found)


STOPPED = "stopped"
"""In an object's body: why its step is not run any more."""
