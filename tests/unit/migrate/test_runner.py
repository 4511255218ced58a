"""The runner: what failed is named, what was done stays, and the next run goes on from there."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tailrace.migrate.errors import MigrationConflictError, MigrationFailedError
from tailrace.migrate.progress import StepProgress
from tailrace.migrate.runner import Runner, RunnerOptions
from tailrace.migrate.steps import Direction, Step, create, drop, rename, swap
from tailrace.sql.kinds import RelationKind
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


NEW = create(RelationKind.VIEW, "v_new", "CREATE VIEW v_new AS SELECT a + 1 AS a FROM t")
TAKE_OVER = (
    NEW,
    swap(RelationKind.VIEW, "v", "v_new"),
    drop(RelationKind.VIEW, "v_new"),
    rename(RelationKind.TABLE, "t", "u"),
)


@pytest.fixture
def deployed(session: StandInSession) -> StandInSession:
    """Table t and view v, with the id that v has before anything takes over."""
    session.relations.update(t="table", v="view")
    session.ids.update(t=1, v=2)
    return session


def fail_at(session: StandInSession, words: str, *, before: bool) -> None:
    """Lose the connection at the statement that has these words: before it takes effect, or just behind that."""

    def lose(statement: str) -> None:
        if words in statement:
            session.info.transaction_status = psycopg.pq.TransactionStatus.UNKNOWN
            raise psycopg.OperationalError("connection lost")

    setattr(session, "before" if before else "after", lose)


def test_a_changed_view_takes_over_from_the_one_that_is_read(deployed: StandInSession) -> None:
    run(deployed, *TAKE_OVER)
    assert (deployed.relations, deployed.ids["v"], deployed.ids["u"]) == (
        {"tailrace_ddl_journal": "table", "v": "view", "u": "table"}, 1001, 1,
    )  # fmt: skip
    assert [str(step) for step in TAKE_OVER[1::2]] == ["swap view v with v_new", "rename table t to u"]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("words", ["CREATE", "SWAP", "DROP", "RENAME"])
def test_a_take_over_that_is_cut_off_goes_on_and_swaps_once(
    deployed: StandInSession, words: str, before: bool
) -> None:
    fail_at(deployed, words, before=before)
    with pytest.raises(MigrationFailedError, match="connection lost"):
        run(deployed, *TAKE_OVER)
    deployed.before = deployed.after = lambda _: None
    deployed.info.transaction_status = psycopg.pq.TransactionStatus.IDLE
    told = run(deployed, *TAKE_OVER)
    assert [p.skipped for p in told] == [True] * (
        ("CREATE", "SWAP", "DROP", "RENAME").index(words) + (not before)
    ) + [False] * (len(told) - ("CREATE", "SWAP", "DROP", "RENAME").index(words) - (not before))
    assert deployed.statements == [step.sql for step in TAKE_OVER]
    assert (deployed.ids["v"], deployed.ids["u"]) == (1001, 1)


def test_a_swap_that_failed_is_tried_again(deployed: StandInSession) -> None:
    refuse(deployed, "SWAP")
    with pytest.raises(MigrationFailedError, match="swap view v with v_new: no such function"):
        run(deployed, *TAKE_OVER)
    assert deployed.journal["0001", "up", 2][3] == "#2 no such function"
    deployed.before = lambda _: None
    run(deployed, *TAKE_OVER)
    assert deployed.ids["v"] == 1001


def test_names_that_stand_for_something_else_are_left_alone(deployed: StandInSession) -> None:
    deployed.relations["u"] = "view"
    with pytest.raises(
        MigrationConflictError, match="cannot rename table t to u: a view of that name exists"
    ):
        run(deployed, TAKE_OVER[3])
    deployed.relations["v_new"] = "table"
    with pytest.raises(MigrationConflictError, match="cannot swap view v with v_new: a table"):
        run(deployed, TAKE_OVER[1])


def test_what_was_dropped_and_created_anew_is_left_when_the_run_goes_on(deployed: StandInSession) -> None:
    steps = (
        drop(RelationKind.VIEW, "v"),
        create(RelationKind.VIEW, "v", "CREATE VIEW v AS SELECT 2"),
        TAKE_OVER[3],
    )
    refuse(deployed, "RENAME")
    with pytest.raises(MigrationFailedError):
        run(deployed, *steps)
    deployed.before = lambda _: None
    assert [p.skipped for p in run(deployed, *steps)] == [True, True, False]
