"""What the page's tests share: a filled pipeline, its URL in the environment, and no cache left from another test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import streamlit as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.app.fixture import Pipeline
from tests.support.postgres import PostgresServer


@pytest.fixture
def page_url(database: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The database as the page sees it: role `dashboard`, in TAILRACE_SQL_URL."""
    name = str(conninfo_to_dict(database)["dbname"])
    url = make_conninfo(postgres.dsn("dashboard", name))
    monkeypatch.setenv("TAILRACE_SQL_URL", url)
    st.cache_resource.clear()
    yield url
    st.cache_resource.clear()


@pytest.fixture
def pipeline(database: str, page_url: str) -> Iterator[Pipeline]:
    """The filled pipeline that `page_url` leads to."""
    filled = Pipeline(database)
    yield filled
    filled.close()


@pytest.fixture
def empty_pipeline(database: str, page_url: str) -> Iterator[Pipeline]:
    """The same relations without a row."""
    empty = Pipeline(database, empty=True)
    yield empty
    empty.close()
