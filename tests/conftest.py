"""Fixtures for all tests: what is expensive starts once per run, in temp directories, and ends with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import BrokerProcess
from tests.support.cluster import Cluster, why_no_docker
from tests.support.engine import running_engine
from tests.support.postgres import PostgresServer, fresh_database, running_postgres

LONGEST = (
    "operators/test_histories.py", "e2e/test_up.py", "operators/test_plans.py", "e2e/test_migrations.py", "chaos/test_chaos.py",
    "e2e/test_loader.py", "e2e/test_backup.py", "e2e/test_delivery.py", "broker/test_durability.py", "broker/test_groups.py",
    "e2e/test_supervisor.py", "slt/test_cases.py", "e2e/test_kafka_reader.py", "app/test_browser.py",
)  # fmt: skip
"""Files that take long, the longest first."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no process is left alone with it at the end; all else as it was shuffled."""
    place = {Path(__file__).parent / file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL as the engine runs it; `.dsn(role, dbname)`, `.layout`."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The connection string, as superuser, of an empty database that is dropped after the test."""
    with fresh_database(postgres, furnished=False) as name:
        yield postgres.dsn(dbname=name)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of the embedded broker, or of the one that TAILRACE_TEST_KAFKA names."""
    if given := os.environ.get("TAILRACE_TEST_KAFKA"):
        yield given
        return
    with BrokerProcess(tmp_path_factory.mktemp("broker")) as running:
        yield running.bootstrap


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQL URL of the embedded engine, or of the one that TAILRACE_TEST_SQL_URL names."""
    if given := os.environ.get("TAILRACE_TEST_SQL_URL"):
        yield given
        return
    with running_engine(tmp_path_factory.mktemp("engine") / "state") as server:
        yield server.url


@pytest.fixture(scope="session")
def docker_compose_file(pytestconfig: pytest.Config) -> Path:
    """For pytest-docker: the same file that users start."""
    return pytestconfig.rootpath / "compose.yaml"


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """For pytest-docker: return when the health checks pass."""
    return ["up --detach --wait"]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """RisingWave and Redpanda on their usual ports; the test is skipped where there is no Docker engine."""
    if reason := why_no_docker():
        pytest.skip(reason)
    request.getfixturevalue("docker_services")
    return Cluster()
