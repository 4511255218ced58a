"""kill -9 of flow, PostgreSQL, front door or worker at drawn moments of DDL statements, while a client writes.

After each of them the catalog and PostgreSQL agree: an object is there whole or not at all, nothing in PostgreSQL belongs to
none, every view equals its query, and all of it can be dropped. A failing draw is told by its seed: `CUT_OFF_SEED=7 pytest ...`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psutil
import psycopg
import pytest

from tests.support.engine import EngineServer, running_engine
from tests.support.flow import assert_same
from tests.support.processes import alive, wait_until

Client = psycopg.Connection[tuple[Any, ...]]
_ROWS = 12_000  # more than a statement fills within its barrier
_BACK_S = 60.0
_GROUPS = "SELECT g, count(*) AS n, sum(id) AS total FROM t GROUP BY g"
_PAIRS = "SELECT t.id, u.g AS other FROM t JOIN u ON t.g = u.id"
_LATEST = "SELECT g, max(id) AS latest FROM t GROUP BY g"


@dataclass(frozen=True, slots=True)
class Cut:
    """A statement that is cut off, what has to be there before it, and the views (by name, with their queries, `|` between
    alternatives) that equal their queries afterwards if they are there.
    """

    statement: str
    before: tuple[str, ...] = ()
    views: dict[str, str] = field(default_factory=dict)
    all_or_none: tuple[str, ...] = ()


CUTS = (
    Cut(f"CREATE MATERIALIZED VIEW c_v AS {_GROUPS}", views={"c_v": _GROUPS}),
    Cut(
        f"CREATE MATERIALIZED VIEW c_v AS {_PAIRS}",
        ("SET background_ddl = true",),
        {"c_v": _PAIRS},
    ),
    Cut("CREATE INDEX c_i ON t (g)", views={"c_i": "SELECT g, id FROM t"}),
    Cut(
        "ALTER MATERIALIZED VIEW c_a SWAP WITH c_b",
        (f"CREATE MATERIALIZED VIEW c_a AS {_GROUPS}", f"CREATE MATERIALIZED VIEW c_b AS {_LATEST}"),
        {"c_a": f"{_GROUPS}|{_LATEST}", "c_b": f"{_LATEST}|{_GROUPS}"},
    ),
    Cut(
        "DROP TABLE c_t CASCADE",
        (
            "CREATE TABLE c_t (id int PRIMARY KEY, g int)",
            "INSERT INTO c_t SELECT id, g FROM t WHERE id <= 500",
            "CREATE MATERIALIZED VIEW c_v AS SELECT g, count(*) AS n FROM c_t GROUP BY g",
            "CREATE MATERIALIZED VIEW c_w AS SELECT n, count(*) AS groups FROM c_v GROUP BY n",
            "CREATE VIEW c_p AS SELECT max(n) AS most FROM c_v",
        ),
        {
            "c_v": "SELECT g, count(*) AS n FROM c_t GROUP BY g",
            "c_w": "SELECT n, count(*) AS groups FROM c_v GROUP BY n",
        },
        ("c_t", "c_v", "c_w", "c_p"),
    ),
    Cut(
        "ALTER TABLE c_t ADD COLUMN more int DEFAULT 5",
        (
            "CREATE TABLE c_t (id int PRIMARY KEY, g int)",
            "INSERT INTO c_t SELECT id, g FROM t WHERE id <= 500",
            "CREATE MATERIALIZED VIEW c_v AS SELECT g, count(*) AS n FROM c_t GROUP BY g",
        ),
        {"c_v": "SELECT g, count(*) AS n FROM c_t GROUP BY g"},
        ("c_t", "c_v"),
    ),
    Cut(
        "CREATE SINK c_s INTO c_t FROM c_v WITH (type = 'upsert')",
        (
            f"CREATE MATERIALIZED VIEW c_v AS {_LATEST}",
            "CREATE TABLE c_t (g int PRIMARY KEY, latest int)",
        ),
        {"c_v": _LATEST, "c_t": f"{_LATEST}|SELECT g, id AS latest FROM t WHERE false"},
    ),
    Cut(
        "CREATE SUBSCRIPTION c_u FROM c_v WITH (retention = '1D')",
        (f"CREATE MATERIALIZED VIEW c_v AS {_GROUPS}",),
        {"c_v": _GROUPS},
    ),
)
TARGETS = ("flow", "flow", "postgres", "wire", "worker")

_PARTS = """
SELECT relname AS part, relkind::text AS kind FROM pg_class WHERE relnamespace = 'engine'::regnamespace
UNION ALL SELECT proname, 'function' FROM pg_proc WHERE pronamespace = 'engine'::regnamespace
"""
"""What there is in the private schema; of what belongs to an object the name ends in its id, or has it behind the first word."""
_ORPHANS = f"""
SELECT part, kind FROM ({_PARTS}) AS p
WHERE substring(part FROM '^[a-z_]+?_([0-9]+)(?:_|$)')::integer NOT IN (SELECT id FROM engine.objects)
OR part ~ '^(pending|whole|seen|fill)_[0-9]' AND NOT EXISTS (SELECT FROM engine.objects WHERE status = 'creating')
"""
_UNSHOWN = """
SELECT o.name FROM engine.created AS o LEFT JOIN pg_class AS c ON c.relname = o.name AND c.relnamespace = o.schema::regnamespace
WHERE o.kind IN ('table', 'source', 'view', 'materialized view', 'index') AND c.oid IS NULL
"""
_UNKNOWN = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT IN (SELECT name FROM engine.created)
"""
_BROKEN = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid OR NOT indisready"
_LEFT_JOBS = "SELECT object_id FROM engine.backfills UNION ALL SELECT object_id FROM engine.backfill_progress"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    with running_engine(tmp_path_factory.mktemp("cut_off") / "engine") as running:
        with connect(running) as client:
            client.execute("CREATE TABLE t (id int PRIMARY KEY, g int)")
            client.execute("CREATE TABLE u (id int PRIMARY KEY, g int)")
            client.execute("SET RW_IMPLICIT_FLUSH = true")
            client.execute(f"INSERT INTO t SELECT i, i % 100 FROM generate_series(1, {_ROWS}) AS i")
            client.execute("INSERT INTO u SELECT i, i * 10 FROM generate_series(1, 50) AS i")
        yield running


def connect(server: EngineServer) -> Client:
    return psycopg.connect(server.url, autocommit=True, connect_timeout=10)


def seeds(count: int) -> Sequence[int]:
    """The draws of a run: other ones each time, so that runs add up; one of them where it is asked for."""
    asked = os.environ.get("CUT_OFF_SEED")
    return [int(asked)] if asked else Random().sample(range(1_000_000), count)


@pytest.mark.timeout(120)
def test_what_is_cut_off_is_there_whole_or_not_at_all(server: EngineServer) -> None:
    for seed in seeds(2):
        cut_off(server, seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_cuts(server: EngineServer) -> None:
    for seed in seeds(60):
        cut_off(server, seed)


def cut_off(server: EngineServer, seed: int) -> None:
    """One draw; an AssertionError tells it."""
    random = Random(seed)
    cut, target = random.choice(CUTS), random.choice(TARGETS)
    after_s = 10 ** random.uniform(-3, 0)
    try:
        _disturb(server, cut, target, after_s, random)
        _check(server, cut)
    except AssertionError as error:
        raise AssertionError(
            f"seed {seed}: kill {target} {after_s:.3f} s after {cut.statement!r}: {error}"
        ) from error
    finally:
        _clear(server)


def _disturb(server: EngineServer, cut: Cut, target: str, after_s: float, random: Random) -> None:
    done = threading.Event()
    writer = threading.Thread(target=_write, args=(server, random.getrandbits(32), done), daemon=True)
    with connect(server) as client:
        for statement in cut.before:
            client.execute(statement.encode())
        writer.start()

        def run() -> None:
            with suppress(psycopg.Error):
                client.execute(cut.statement.encode())

        statement_ = threading.Thread(target=run, daemon=True)
        statement_.start()
        threading.Event().wait(after_s)
        _kill(server, target)
        statement_.join(_BACK_S)
        assert not statement_.is_alive(), "the statement is never answered"
    done.set()
    writer.join(_BACK_S)
    assert not writer.is_alive(), "the writer is never answered"


def _kill(server: EngineServer, target: str) -> None:
    flow = wait_until(lambda: server.pid("flow"), _BACK_S, "a flow")
    if target == "worker":
        with suppress(psutil.Error):
            for child in psutil.Process(flow).children():
                if "engine.backfill" in child.cmdline():
                    child.kill()
        return
    pid = wait_until(lambda: server.pid(target), _BACK_S, target)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), _BACK_S, f"the end of {target}")


def _write(server: EngineServer, seed: int, done: threading.Event) -> None:
    """Change rows until it is told that it is enough; what fails with the killed process is no matter."""
    random = Random(seed)
    while not done.is_set():
        with suppress(psycopg.Error), connect(server) as client:
            while not done.is_set():
                id_ = random.randrange(1, _ROWS + 200)
                client.execute(
                    random.choice(
                        (
                            f"UPDATE t SET g = g + 1 WHERE id = {id_}",
                            f"DELETE FROM t WHERE id = {id_}",
                            f"INSERT INTO t VALUES ({id_}, {id_ % 100})",
                            f"UPDATE u SET g = g + 1 WHERE id = {id_ % 50}",
                        )
                    ).encode()
                )
                done.wait(0.005)


def _check(server: EngineServer, cut: Cut) -> None:
    client = wait_until(lambda: _flushed(server), _BACK_S, "an answer")
    with client, psycopg.connect(server.layout.dsn(), autocommit=True) as inside:
        wait_until(
            lambda: not client.execute("SELECT * FROM rw_catalog.rw_ddl_progress").fetchall(),
            _BACK_S,
            "the job's end",
        )
        client.execute("FLUSH")
        for what, question in (
            ("belongs to no object", _ORPHANS), ("is not to be seen", _UNSHOWN), ("is no object", _UNKNOWN),
            ("is no whole index", _BROKEN), ("is filled by nobody", _LEFT_JOBS),
        ):  # fmt: skip
            found = inside.execute(question).fetchall()
            assert not found, f"{found} {what}"
        there = {name for (name,) in inside.execute("SELECT name FROM engine.created")}
        assert there.issuperset(cut.all_or_none) or there.isdisjoint(cut.all_or_none), (
            f"only {there} are there"
        )
        for name in cut.views.keys() & there:
            _compare(client, name, cut.views[name])


def _flushed(server: EngineServer) -> Client | None:
    """A client of an engine that answers again."""
    try:
        client = connect(server)
        client.execute("FLUSH")
    except psycopg.Error:
        return None
    return client


def _compare(client: Client, name: str, queries: str) -> None:
    held = client.execute(f"SELECT * FROM {name}".encode()).fetchall()
    wrong = None
    for query in queries.split("|"):
        try:
            assert_same(held, client.execute(query.encode()).fetchall(), name)
        except AssertionError as error:
            wrong = wrong or error
        else:
            return
    assert wrong is None, str(wrong)


def _clear(server: EngineServer) -> None:
    """Drop what a draw has made: leaves first, whatever of it is there."""
    client = wait_until(lambda: _flushed(server), _BACK_S, "an answer")
    with client:
        for kind, name in (
            ("SUBSCRIPTION", "c_u"), ("SINK", "c_s"), ("INDEX", "c_i"), ("VIEW", "c_p"), ("MATERIALIZED VIEW", "c_w"),
            ("MATERIALIZED VIEW", "c_v"), ("MATERIALIZED VIEW", "c_a"), ("MATERIALIZED VIEW", "c_b"), ("TABLE", "c_t"),
        ):  # fmt: skip
            client.execute(f"DROP {kind} IF EXISTS {name}".encode())
