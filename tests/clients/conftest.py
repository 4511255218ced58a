"""The relay that the client tests talk to, over a database with one object of each kind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from engine.flow.loop import error_reply, reply_of
from tailrace.errors import TailraceError
from tests.clients.relay import FakeFlow, Relay, make_objects, running_relay
from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import PostgresServer, fresh_database


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The connection string, as superuser, of a database that a flow has opened once."""
    with fresh_database(postgres, furnished=True) as name:
        yield postgres.dsn(dbname=name)


@pytest.fixture
def relay(postgres: PostgresServer, database: str) -> Iterator[Relay]:
    """A front door over a database without objects."""
    name = str(conninfo_to_dict(database)["dbname"])
    layout = postgres.layout
    with (
        tempfile.TemporaryDirectory() as directory,
        running_relay(layout.postgres_endpoint(), layout.client_password(), name, Path(directory)) as running,
    ):
        yield running


@pytest.fixture
def catalog(relay: Relay, database: str) -> Relay:
    """The same, with a source, a table, a materialized view, a view and an index."""
    make_objects(database)
    return relay


@pytest.fixture
def flow(relay: Relay) -> FakeFlow:
    return relay.flow


@pytest.fixture
def client(relay: Relay) -> Iterator[psycopg.Connection]:
    """An autocommit connection through the relay."""
    with psycopg.connect(relay.url, autocommit=True) as connection:
        yield connection


@dataclass(frozen=True, slots=True)
class LiveRelay:
    """A front door over a database that a real flow keeps: it runs the DDL, and FLUSH is a barrier of it."""

    relay: Relay
    engine: FlowUnderTest

    @property
    def url(self) -> str:
        return self.relay.url

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.engine.rows(query)


@pytest.fixture(scope="module")
def live_module(postgres: PostgresServer) -> Iterator[LiveRelay]:
    layout = postgres.layout
    with (
        running_flow(postgres) as engine,
        tempfile.TemporaryDirectory() as directory,
        running_relay(
            layout.postgres_endpoint(), layout.client_password(), engine.database, Path(directory)
        ) as relay,
    ):

        def flush(_request: dict[str, Any]) -> dict[str, Any]:
            engine.barrier()
            return {"tag": "FLUSH"}

        def execute(request: dict[str, Any]) -> dict[str, Any]:
            try:
                return reply_of(engine.statements.execute(request["sql"], request["user"]))
            except TailraceError as error:
                return error_reply(error)

        relay.flow.on("", execute)
        relay.flow.on("FLUSH", flush)
        engine.client.prepare_threshold = None  # tests make tables of one name and other columns
        yield LiveRelay(relay, engine)


@pytest.fixture
def live(live_module: LiveRelay) -> LiveRelay:
    """An empty engine behind a front door."""
    live_module.engine.clear()
    live_module.relay.flow.requests.clear()
    return live_module
