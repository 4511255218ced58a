"""A changed view takes over from the one that is read, with everything that reads it, while rows flow: nobody misses anything.

The files change, `tailrace plan` says what that means, its migration is written and run; the run is cut off in the middle once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from tailrace import migrate
from tailrace.cli import app
from tailrace.plan.command import plan_of
from tailrace.plan.plan import What
from tailrace.project import Project, compare, read_relations, replay, start_project, write_revision
from tests.slt.databases import Databases

FILES = {
    "readings": "CREATE TABLE readings (id int PRIMARY KEY, device varchar, v int);",
    "kept": "CREATE TABLE kept (device varchar PRIMARY KEY, n bigint);",
    "good": "CREATE MATERIALIZED VIEW good AS SELECT id, device, v FROM readings WHERE v < 90;",
    "by_device": "CREATE MATERIALIZED VIEW by_device AS SELECT device, count(*) AS n, sum(v) AS v FROM good GROUP BY device;",
    "busy": "CREATE MATERIALIZED VIEW busy AS SELECT device FROM by_device WHERE n > 1;",
    "newest": "CREATE MATERIALIZED VIEW newest AS SELECT device, max(id) AS id FROM good GROUP BY device;",
    "by_device_n": "CREATE INDEX by_device_n ON by_device (n);",
    "out": "CREATE SINK out INTO kept AS SELECT device, n FROM by_device WITH (type = 'upsert');",
}
CHANGED = "CREATE MATERIALIZED VIEW good AS SELECT id, device, v, v > 40 AS high FROM readings WHERE v < 50;"
READER = "reader_of_take_over"
BATCH = {
    "good": "SELECT id, device, v, v > 40 FROM readings WHERE v < 50",
    "by_device": "SELECT device, count(*), sum(v) FROM readings WHERE v < 50 GROUP BY device",
    "busy": "SELECT device FROM readings WHERE v < 50 GROUP BY device HAVING count(*) > 1",
    "newest": "SELECT device, max(id) FROM readings WHERE v < 50 GROUP BY device",
}


@pytest.fixture
def url(engine: str) -> Iterator[str]:
    with Databases(engine).fresh(Path("take_over")) as url:
        yield url


@pytest.fixture
def project(tmp_path: Path) -> Project:
    start_project(tmp_path / "p")
    found = Project.at(tmp_path / "p")
    for path in found.sql.glob("*.sql"):
        path.unlink()
    for name, text in FILES.items():
        (found.sql / f"{name}.sql").write_text(text)
    return found


def write(project: Project, message: str) -> None:
    known = migrate.history(project.migrations)
    wanted, problems = read_relations(project.sql)
    assert problems == []
    write_revision(
        project.migrations, message, known[-1].revision if known else None, compare(replay(known), wanted)
    )


class Traffic:
    """A writer and a reader; `errors` must stay empty, and a read is never without rows."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.errors: list[str] = []
        self.reads = self.written = 0
        self._threads = [threading.Thread(target=self._write), threading.Thread(target=self._read)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _write(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stop.wait(0.01):
                number = 1000 + self.written
                row = (number, f"d{number % 7}", number % 100)
                connection.execute("INSERT INTO readings VALUES (%s, %s, %s)", row)
                self.written += 1

    def _read(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.prepare_threshold = None
            while not self._stop.wait(0.005):
                for query in (
                    "SELECT count(id) FROM good",
                    "SELECT count(n) FROM by_device",
                    "SELECT count(device) FROM busy",
                ):
                    try:
                        row = connection.execute(query).fetchone()
                    except psycopg.Error as error:
                        self.errors.append(f"{query}: {error}")
                        return
                    if row is None or not row[0]:
                        self.errors.append(f"{query}: {row}")
                self.reads += 1


def cut_off(progress: migrate.StepProgress) -> None:
    if progress.step.action == "swap":
        raise ConnectionAbortedError("cut off after the first swap")


@pytest.mark.slow
def test_a_changed_view_takes_over_while_rows_flow(url: str, project: Project) -> None:
    write(project, "first")
    migrate.upgrade(url, directory=project.migrations)
    assert not plan_of(url, project)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO readings SELECT i, 'd' || (i % 7)::varchar, i % 100 FROM generate_series(1, 500) AS i (i)"
        )
        connection.execute("COMMENT ON MATERIALIZED VIEW by_device IS 'how many'")
        connection.execute(f"CREATE USER {READER}")
        connection.execute(f"GRANT SELECT ON MATERIALIZED VIEW by_device TO {READER}")
        connection.execute("FLUSH")

    (project.sql / "good.sql").write_text(CHANGED)
    plan = plan_of(url, project)
    assert {c.name: c.what for c in plan.changes} == {
        "good": What.CHANGED,
        **dict.fromkeys(("by_device", "by_device_n", "busy", "newest", "out"), What.REBUILT),
    }
    assert plan.obstacles == plan.drifted == ()
    write(project, "narrower")
    with Traffic(url) as traffic:
        with pytest.raises(ConnectionAbortedError):
            migrate.upgrade(url, directory=project.migrations, on_progress=cut_off)
        told: list[migrate.StepProgress] = []
        migrate.upgrade(url, directory=project.migrations, on_progress=told.append)
    assert traffic.errors == []
    assert traffic.written
    assert traffic.reads
    assert [p.skipped for p in told].index(False) > 4

    assert not plan_of(url, project)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("FLUSH")
        for view, batch in BATCH.items():
            assert sorted(connection.execute(f"SELECT * FROM {view}")) == sorted(connection.execute(batch)), (
                view
            )
        names = {
            name
            for (name,) in connection.execute(
                "SELECT name FROM rw_catalog.rw_relations WHERE schema_name = 'public'"
            )
        }
        assert names == FILES.keys() | {"tailrace_version", "tailrace_ddl_journal"}
        comment = "SELECT description FROM rw_catalog.rw_description AS d JOIN rw_catalog.rw_relations AS r ON r.id = d.objoid"
        assert connection.execute(f"{comment} WHERE r.name = 'by_device'").fetchall() == [("how many",)]
        right = f"SELECT has_table_privilege('{READER}', 'by_device', 'SELECT')"
        assert connection.execute(right).fetchone() == (True,)


CASES = """
- name: those below 90
  given: {readings: [{id: 1, device: d, v: 89}, {id: 2, device: d, v: 90}]}
  then: {readings: [{id: 3, device: e, v: 1}]}
  expect: [{id: 1, device: d}, {id: 3, v: 1}]
- name: wrong on purpose
  given: {readings: [{id: 1, device: d, v: 89}]}
  expect: [{id: 1, v: 88}]
"""


@pytest.mark.slow
def test_the_commands(url: str, project: Project, tmp_path: Path) -> None:
    write(project, "first")
    (project.sql.parent / "tests" / "sql").mkdir(parents=True)
    (project.sql.parent / "tests" / "sql" / "good.yaml").write_text(CASES)
    where = ["--sql-url", url, "--project", str(project.sql.parent)]

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, *where], env={"COLUMNS": "200"})
        return result.exit_code, result.output

    code, said = run("plan", "--check")
    assert code == 1, said
    assert "+ created materialized view good" in said
    migrate.upgrade(url, directory=project.migrations)
    code, said = run("plan", "--check")
    assert (code, "relations as the files say" in said) == (0, True), said
    code, said = run("lint")
    assert code == 0, said
    code, said = run("test", "--junit", str(tmp_path / "report.xml"))
    assert code == 1, said
    assert "1 passed, 1 failed" in said
    assert "v: expected 88, got 89" in said
    assert 'failures="1"' in (tmp_path / "report.xml").read_text()
    assert run("test", "-k", "below")[0] == 0
