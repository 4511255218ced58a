"""Deploying the pipeline on a whole engine: up, down and up again, by parts, and on from a failure."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tailrace import config, migrate
from tailrace.topics import create_topics
from tests.slt.databases import Databases
from tests.support.engine import running_engine
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[2]
PIPELINE = {path.stem for path in (ROOT / "sql").rglob("*.sql")}
OWN = {"tailrace_version", "tailrace_ddl_journal"}
MESSAGE = b'{"event_id":"e","device_id":"d","metric":"m","value":1,"ts":"2026-01-01T00:00:00Z"}'

NEXT = '''
"""What a later version adds."""

from alembic import op

revision = "9001"
down_revision = "{below}"


def upgrade() -> None:
    op.create_view("calm", "CREATE VIEW calm AS SELECT device_id FROM readings WHERE value BETWEEN -1 AND 1")
    op.create_materialized_view("broken", "CREATE MATERIALIZED VIEW broken AS SELECT device_id FROM {relation}")


def downgrade() -> None:
    op.drop_materialized_view("broken")
    op.drop_view("calm")
'''


@pytest.fixture(scope="module")
def variables(broker: str) -> dict[str, str]:
    create_topics(broker, [config.READINGS, config.ALERTS])
    return {"TAILRACE_KAFKA_FOR_ENGINE": broker}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An engine of its own: the names of the pipeline must be free."""
    with running_engine(tmp_path_factory.mktemp("migrations") / "state") as engine:
        yield engine.url


@pytest.fixture
def dev(server: str, variables: dict[str, str]) -> str:
    """The first database, for the whole pipeline, without what another test has deployed."""
    migrate.downgrade(server, variables=variables)
    return server


@pytest.fixture
def empty(server: str) -> Iterator[str]:
    """A database of the test's own."""
    with Databases(server).fresh(Path("migrations")) as url:
        yield url


def relations(url: str) -> set[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        return {
            name
            for (name,) in connection.execute(
                "SELECT name FROM rw_catalog.rw_relations WHERE schema_name = 'public'"
            )
        }


def test_up_down_and_up_again(dev: str, variables: dict[str, str]) -> None:
    told: list[migrate.StepProgress] = []
    migrate.upgrade(dev, variables=variables, on_progress=told.append)
    assert relations(dev) == PIPELINE | OWN
    assert migrate.current(dev) == migrate.history()[-1].revision
    assert migrate.pending(dev) == ()
    steps = sum(len(revision.upgrade) for revision in migrate.history())
    assert [progress.index for progress in told] == list(range(1, steps + 1))
    assert {progress.total for progress in told} == {steps}

    migrate.downgrade(dev, variables=variables)
    assert relations(dev) == OWN
    assert migrate.current(dev) is None

    migrate.upgrade(dev, variables=variables)
    assert relations(dev) == PIPELINE | OWN
    told.clear()
    migrate.upgrade(dev, variables=variables, on_progress=told.append)
    assert told == []  # up to date: a matter of no statement


def test_by_parts(empty: str, variables: dict[str, str]) -> None:
    migrate.upgrade(empty, "0002", variables=variables)
    assert "readings" in relations(empty)
    assert "readings_10s" not in relations(empty)
    assert migrate.pending(empty)[0].revision == "0003"
    migrate.downgrade(empty, "-1", variables=variables)
    assert migrate.current(empty) == "0001"
    assert relations(empty) == {"devices", "metric_limits", "readings_raw"} | OWN


def test_an_unknown_revision_is_refused(empty: str, variables: dict[str, str]) -> None:
    with pytest.raises(migrate.MigrationInvalidError, match="cannot go to revision nowhere"):
        migrate.upgrade(empty, "nowhere", variables=variables)


def test_a_failed_revision_is_named_and_gone_on_from(
    empty: str, variables: dict[str, str], tmp_path: Path
) -> None:
    directory = tmp_path / "migrations"
    head = "0002"
    others = [p.name for p in (ROOT / "migrations" / "versions").glob("*.py") if p.name[:4] > head]
    shutil.copytree(ROOT / "migrations", directory, ignore=shutil.ignore_patterns("__pycache__", *others))
    later = directory / "versions" / "9001_later.py"

    later.write_text(NEXT.format(below=head, relation="nowhere"))
    with pytest.raises(
        migrate.MigrationFailedError,
        match="revision 9001 failed at statement 2, create materialized view broken",
    ):
        migrate.upgrade(empty, variables=variables, directory=directory)
    assert migrate.current(empty) == head
    assert "calm" in relations(empty)

    later.write_text(NEXT.format(below=head, relation="readings"))
    told: list[migrate.StepProgress] = []
    migrate.upgrade(empty, variables=variables, on_progress=told.append, directory=directory)
    assert [(progress.name, progress.skipped) for progress in told] == [("calm", True), ("broken", False)]
    assert migrate.current(empty) == "9001"
    migrate.downgrade(empty, head, variables=variables, directory=directory)
    assert not {"calm", "broken"} & relations(empty)


def test_what_somebody_else_made_is_left_alone(empty: str, variables: dict[str, str]) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE TABLE metric_limits (a int)")
    with pytest.raises(
        migrate.MigrationConflictError, match="cannot create table metric_limits: a table of that name exists"
    ):
        migrate.upgrade(empty, variables=variables)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("DROP TABLE metric_limits")
    migrate.upgrade(empty, "0001", variables=variables)
    assert relations(empty) == {"devices", "metric_limits", "readings_raw"} | OWN


def test_messages_from_before_and_after_the_deployment_count(
    dev: str, broker: str, variables: dict[str, str]
) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker})

    def send(*payloads: bytes | None) -> None:
        for payload in payloads:
            producer.produce(config.READINGS.name, payload, key=b"d")
        assert producer.flush(20) == 0

    send(MESSAGE, b"{", None)
    migrate.upgrade(dev, variables=variables)
    send(MESSAGE, MESSAGE.replace(b'"e"', b'"f"'))
    wanted = {"messages": 5, "readings": 2, "rejects": 2, "duplicates": 1, "late": 2, "anomalies": 1}
    with psycopg.connect(dev, autocommit=True) as connection:
        wait_until(lambda: counts(connection) == wanted, 20, "all messages in pipeline_counts")


def counts(connection: psycopg.Connection[tuple[str, int]]) -> dict[str, int]:
    return dict(connection.execute("SELECT stage, rows FROM pipeline_counts").fetchall())


def test_nobody_there_says_where_it_looked() -> None:
    with pytest.raises(migrate.MigrationFailedError, match=r"no database session at .*127\.0\.0\.1:1/dev"):
        migrate.current("postgresql://root@127.0.0.1:1/dev")
