"""The relay that the client tests talk to, over a database with one object of each kind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.clients.relay import FakeFlow, Relay, make_objects, running_relay
from tests.support.postgres import PostgresServer


@pytest.fixture
def relay(postgres: PostgresServer, database: str) -> Iterator[Relay]:
    """A front door over an empty database."""
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
