"""The runner: what failed is named, what was done stays, and the next run goes on from there."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tailrace.migrate.errors import MigrationConflictError, MigrationFailedError
from tailrace.migrate.progress import StepProgress
from tailrace.migrate.runner import Runner, RunnerOptions
from tailrace.migrate.steps import Direction, RelationKind, Step, create, drop
from tests.unit.migrate.stand_in import StandInSession

TABLE = create(RelationKind.TABLE, "t", "CREATE TABLE t (a int)")
SOURCE = create(RelationKind.SOURCE, "s", "CREATE SOURCE s WITH (topic = '${TOPIC}')")
VIEW = create(RelationKind.VIEW, "v", "CREATE VIEW v AS SELECT a FROM t")
STEPS = (TABLE, SOURCE, VIEW)


@pytest.fixture
def session() -> StandInSession:
    return StandInSession()


def run(
    session: Any, *steps: Step, direction: Direction = Direction.UP, finish: bool = True
) -> list[StepProgress]:
    told: list[StepProgress] = []
    options = RunnerOptions(variables={"TOPIC": "x"}, timeout_s=60, total=len(steps), on_progress=told.append)
    runner = Runner(session, options)
    runner.begin("0001", direction)
    for step in steps:
        runner.take(step)
    if finish:
        runner.finish()
    return told


def refuse(session: StandInSession, name: str) -> None:
    def before(statement: str) -> None:
        if f" {name} " in statement:
            raise psycopg.errors.SyntaxError("no such function")

    session.before = before


def test_runs_each_statement_with_its_variables_and_tells(session: StandInSession) -> None:
    told = run(session, *STEPS)
    assert session.statements == [TABLE.sql, "CREATE SOURCE s WITH (topic = 'x')", VIEW.sql]
    assert [(p.index, p.total, p.name, p.skipped) for p in told] == [
        (1, 3, "t", False),
        (2, 3, "s", False),
        (3, 3, "v", False),
    ]


def test_a_failure_names_revision_statement_and_reason(session: StandInSession) -> None:
    refuse(session, "s")
    with pytest.raises(
        MigrationFailedError, match="revision 0001 failed at statement 2, create source s: no such function"
    ):
        run(session, *STEPS)
    assert {key[2]: row[2] for key, row in session.journal.items()} == {1: "done", 2: "failed"}
    assert session.journal["0001", "up", 2][3] == "no such function"


def test_the_next_run_goes_on_from_the_failed_statement(session: StandInSession) -> None:
    refuse(session, "s")
    with pytest.raises(MigrationFailedError):
        run(session, *STEPS)
    session.before = lambda _: None
    assert [p.skipped for p in run(session, *STEPS)] == [True, False, False]
    assert session.statements.count(TABLE.sql) == 1


def test_a_lost_reply_is_looked_up_in_the_catalog(session: StandInSession) -> None:
    def after(statement: str) -> None:
        session.info.transaction_status = psycopg.pq.TransactionStatus.UNKNOWN
        raise psycopg.OperationalError("connection lost")

    session.after = after
    with pytest.raises(MigrationFailedError, match="connection lost"):
        run(session, *STEPS)
    assert session.journal["0001", "up", 1][2] == "started"
    session.after = lambda _: None
    assert [p.skipped for p in run(session, *STEPS)] == [True, False, False]


def test_what_was_dropped_since_is_created_again(session: StandInSession) -> None:
    run(session, TABLE, finish=False)
    del session.relations["t"]
    assert [p.skipped for p in run(session, TABLE)] == [False]


def test_a_stranger_of_the_same_name_is_left_alone(session: StandInSession) -> None:
    session.relations["v"] = "materialized view"
    with pytest.raises(
        MigrationConflictError, match="cannot create view v: a materialized view of that name exists"
    ):
        run(session, *STEPS)
    assert session.relations["v"] == "materialized view"


def test_a_statement_that_was_changed_after_it_ran_conflicts(session: StandInSession) -> None:
    run(session, TABLE, finish=False)
    with pytest.raises(MigrationConflictError):
        run(session, create(RelationKind.TABLE, "t", "CREATE TABLE t (b int)"))


def test_going_down_passes_over_what_is_gone_and_back_up_starts_anew(session: StandInSession) -> None:
    run(session, *STEPS)
    del session.relations["v"]
    down = [drop(step.kind, step.name) for step in reversed(STEPS)]
    assert [p.skipped for p in run(session, *down, direction=Direction.DOWN)] == [True, False, False]
    assert {key[1] for key in session.journal} == {"down"}
    session.relations["t"] = "table"
    with pytest.raises(MigrationConflictError):
        run(session, *STEPS)


def test_a_drop_of_the_wrong_kind_is_refused(session: StandInSession) -> None:
    session.relations["t"] = "source"
    with pytest.raises(MigrationConflictError, match="cannot drop table t"):
        run(session, drop(RelationKind.TABLE, "t"), direction=Direction.DOWN)
