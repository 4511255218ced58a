"""What PostgreSQL plans for the maintenance statements: state is probed by index, never scanned.

auto_explain reports the plan of every statement of every step as a notice. Plans are looked at three times: made while
state was empty, run on grown state, and made anew after ANALYZE. A full scan is fine where the table stays small whatever
comes (the one row of a global aggregate, the first n of a top-N over everything), and where an ordered index is read up to
a LIMIT.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.errors import Diagnostic

from tests.operators.histories import TABLES, make_tables, views
from tests.operators.sources import ReferenceSource, Row, no_broker, send
from tests.sql.relations import RELATIONS
from tests.support.flow import START, FlowUnderTest

SQL = Path(__file__).parents[2] / "sql"
PIPELINE = (
    "staging/rejects", "staging/duplicates", "staging/readings", "windows/readings_10s", "windows/device_activity_10s",
    "windows/baselines", "serving/latest_readings", "anomalies/anomalies_threshold", "anomalies/anomalies_zscore",
    "anomalies/anomalies_stuck", "ops/ingest_lag", "ops/event_clock", "anomalies/anomalies_silent",
    "anomalies/anomalies", "ops/pipeline_counts",
)  # fmt: skip
SMALL_ROWS = 12
RECOMPUTED_WHOLE = re.compile(r".*(by \(\) .*O\(group\)|O\(state\)|Join \[TRUE\])")
"""What reads the whole input, by its nature or as the last resort: global float sums after a retraction, OFFSET, O(state), and
the other side of a join on nothing, all of which matches."""


class Plans:
    """Collects plans between `begin` and `end`: PostgreSQL tells of no others, which takes longer than most statements."""

    def __init__(self, engine: FlowUnderTest) -> None:
        self.found: list[dict[str, Any]] = []
        self._connection = connection = engine.flow.connection
        connection.execute("LOAD 'auto_explain'")
        for name, value in {
            "auto_explain.log_nested_statements": "on",
            "auto_explain.log_format": "json",
            "auto_explain.log_level": "notice",
            "client_min_messages": "notice",
        }.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.add_notice_handler(self._take)

    def begin(self) -> None:
        self.found = []
        self._connection.execute("SET auto_explain.log_min_duration = 0")

    def end(self) -> None:
        self._connection.execute("SET auto_explain.log_min_duration = -1")

    def _take(self, notice: Diagnostic) -> None:
        text = notice.message_primary or ""
        if "plan:" in text:
            self.found.append(json.loads(text.split("plan:", 1)[1]))

    def full_scans(self, small: set[str]) -> set[str]:
        """What reads the whole of a state table: the table and the statement."""
        bad = set()
        for plan in self.found:
            for table in _full_scans(plan["Plan"]):
                if table not in small:
                    bad.add(f"{table}: {' '.join(plan['Query Text'].split())[:1500]}")
        return bad


def _full_scans(node: dict[str, Any], *, limited: bool = False) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    if re.match(r"(state|table)_\d", table) and (
        kind == "Seq Scan"
        or (kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node and not limited)
    ):
        yield table
    if kind == "Bitmap Index Scan" and "Index Cond" not in node:
        indexed = re.match(r"state_\d+_\d+|table_\d+", node["Index Name"])
        if indexed:
            yield indexed.group()
    in_order = limited
    limited = kind == "Limit" or (limited and kind in ("Result", "Subquery Scan", "Incremental Sort"))
    for number, child in enumerate(
        node.get("Plans", ())
    ):  # the first of a nested loop's is read as far as the loop goes
        below = limited or (in_order and kind == "Nested Loop" and number == 0)
        yield from _full_scans(child, limited=below)


def _small_tables(engine: FlowUnderTest) -> set[str]:
    found = set()
    for (name,) in engine.flow.connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'engine' AND tablename ~ '^(state|table)_'"
    ).fetchall():
        row = engine.flow.connection.execute(f"SELECT count(*) FROM engine.{name}").fetchone()
        if row is not None and row[0] <= SMALL_ROWS:
            found.add(name)
    return found


def _analyze(engine: FlowUnderTest) -> None:
    """As the engine and autovacuum do it: from outside, so that the flow's own delta tables are not known to be empty."""
    with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as other:
        other.execute("ANALYZE")


def _watch(engine: FlowUnderTest, plans: Plans, steps: list[list[str]], growth: list[str]) -> None:
    """Run `steps`, a barrier each, on empty state, on state grown by `growth`, and after ANALYZE; fail on what scanned state.

    A statement has one plan until statistics change, whatever the rows: three barriers show as much as one for each statement.
    """
    stages = []
    for stage in ("planned on empty state", "grown", "analyzed"):
        if stage == "grown":
            for statement in growth:
                engine.run(statement)
            engine.barrier(1)
        if stage == "analyzed":
            _analyze(engine)
        plans.begin()
        for statements in steps:
            engine.settle(*statements, advance_s=1)
        plans.end()
        stages.append((stage, list(plans.found)))
    small = _small_tables(engine)
    bad = {}
    for stage, found in stages:
        assert found
        plans.found = found
        if scans := plans.full_scans(small):
            bad[stage] = scans
    listed = "\n".join(f"{stage}:\n  " + "\n  ".join(sorted(s)) for stage, s in bad.items())
    assert not bad, f"state tables are read as a whole\n{listed}"


@pytest.fixture(scope="module")
def module_plans(module_engine: FlowUnderTest) -> Plans:
    return Plans(module_engine)


@pytest.fixture
def plans(engine: FlowUnderTest, module_plans: Plans) -> Plans:
    return module_plans


LARGE = {"expand"}
"""Many views with large results: among the slow tests, so that the quick ones stay quick."""
OPERATORS = sorted(p.stem for p in (Path(__file__).parent / "views").glob("*.sql"))
_SHIFTED = {"t": 0, "u": -480, "bag": 480, "log": 0}
"""Where column i of a table begins: few rows of one are less than those of another, since all those would be joined."""


def rows(table: str, first: int, last: int) -> str:
    """INSERT of so many rows, in groups of ten by g, of four by h, and of two or three by i."""
    key = "" if table == "bag" else "i, "
    return (
        f"INSERT INTO {table} SELECT {key}i / 10, chr(97 + i / 4), i % 500 + {_SHIFTED[table]}, i * 0.5, i * 0.25, "
        f"'2026-01-01Z'::timestamptz + i * interval '1 second' FROM generate_series({first}, {last}) AS i"
    )


@pytest.mark.parametrize(
    "operator", [pytest.param(o, marks=pytest.mark.slow) if o in LARGE else o for o in OPERATORS]
)
def test_operators_probe_their_state(engine: FlowUnderTest, plans: Plans, operator: str) -> None:
    make_tables(engine)
    for name, query in views(operator).items():
        shown = engine.explain(query)
        if not any(RECOMPUTED_WHOLE.match(line) for line in shown):
            engine.view(name, query)
    assert engine.queries
    steps = [
        [rows(table, 3001, 3003) for table in TABLES],
        [
            "UPDATE t SET i = i + 1, x = 7, g = g + 1 WHERE id IN (3001, 3002)",
            "UPDATE u SET h = NULL, i = i + 2, g = NULL WHERE id = 3003",
            "DELETE FROM bag WHERE g = 300",
        ],
        ["DELETE FROM t WHERE id BETWEEN 3001 AND 3003", "DELETE FROM u WHERE id BETWEEN 3001 AND 3003"],
    ]
    growth = [rows(table, 1, 400 if table == "log" else 1200) for table in TABLES]
    _watch(engine, plans, steps, growth)
    engine.check()


def test_joins_probe_few_large_groups(
    engine: FlowUnderTest, plans: Plans, request: pytest.FixtureRequest
) -> None:
    """Where a key has many rows, more than the cache is thought to hold, a probe looks dear to the planner, which must not
    read all of them for an empty delta.
    """
    request.addfinalizer(lambda: engine.flow.connection.execute("RESET effective_cache_size"))
    engine.flow.connection.execute("SET effective_cache_size = '1MB'")
    engine.ddl(
        "CREATE TABLE big (id int PRIMARY KEY, k int, wide varchar)",
        "CREATE TABLE few (k int PRIMARY KEY, name varchar)",
    )
    match = "few ON big.k = few.k"
    for kind in ("inner", "left", "right", "full"):
        engine.view(f"{kind}_join", f"SELECT id, big.k, wide, name FROM big {kind} JOIN {match}")
    engine.view("semi", "SELECT id FROM big WHERE k IN (SELECT k FROM few)")
    engine.view("anti", "SELECT id FROM big WHERE NOT EXISTS (SELECT 1 FROM few WHERE few.k = big.k)")
    big = "INSERT INTO big SELECT i, i % 20, repeat('x', 900) FROM generate_series({}, {}) AS i"
    growth = [big.format(1, 8000), "INSERT INTO few SELECT i, 'n' || i FROM generate_series(0, 15) AS i"]
    _watch(engine, plans, [[big.format(9001, 9003)], ["DELETE FROM big WHERE id > 9000"]], growth)
    engine.check()


def test_the_pipeline_probes_its_state(engine: FlowUnderTest, plans: Plans) -> None:
    """The product's views, over a table in the place of `messages`."""
    for table in ("devices", "metric_limits", "messages"):
        relation = RELATIONS[table]
        columns = ", ".join(f"{c} {t}" for c, t in relation.columns.items())
        key = f", PRIMARY KEY ({', '.join(relation.key)})" if relation.key else ""
        engine.ddl(f"CREATE TABLE {table} ({columns}{key}){'' if key else ' APPEND ONLY'}")
    for path in PIPELINE:
        text = (SQL / f"{path}.sql").read_text()
        engine.ddl(text[text.index("CREATE") :].rstrip().rstrip(";"))
    message = (
        "INSERT INTO messages SELECT i % 3, i, '2026-01-01Z'::timestamptz + i * interval '0.1 second', 'e' || i % 1900,"
        " 'dev-' || i % 97, 'm' || i % 3, CASE WHEN i % 50 = 0 THEN 1e9 WHEN i % 7 = 0 THEN 5 ELSE i % 11 END,"
        " '2026-01-01Z'::timestamptz + i * interval '0.1 second', CASE WHEN i % 40 = 0 THEN 'not_json' END, NULL"
        " FROM generate_series({}, {}) AS i"
    )
    steps = [
        [
            "INSERT INTO devices VALUES ('dev-1', 'pump', 'north')",
            "INSERT INTO metric_limits VALUES ('pump', 'm1', 0, 10, 'C')",
            message.format(2001, 2010),
        ],
        [message.format(2005, 2014)],
        [message.format(2040, 2041)],
    ]
    growth = [
        "INSERT INTO devices SELECT 'dev-' || i, 'type-' || i % 20, 'north' FROM generate_series(1, 97) AS i",
        "INSERT INTO metric_limits SELECT 'type-' || i, 'm' || j, 0, 10, 'C'"
        " FROM generate_series(0, 19) AS i, generate_series(0, 2) AS j",
        message.format(1, 2000),
    ]
    _watch(engine, plans, steps, growth)


def test_closing_windows_probes_its_state(engine: FlowUnderTest, plans: Plans) -> None:
    """Views that emit on window close: what closes is found by index, and so is what a row falls into."""
    views = yaml.safe_load((Path(__file__).parent / "views" / "emit_on_close.yaml").read_text())
    sources = {name: ReferenceSource(name) for name in ("s", "s2")}
    with no_broker(sources):
        for source in sources.values():
            engine.ddl(source.ddl())
        engine.ddl(
            "CREATE MATERIALIZED VIEW kept AS SELECT id, g, ts FROM s WHERE g >= 0",
            "CREATE MATERIALIZED VIEW closed AS SELECT g, window_start, count(*) AS n"
            " FROM TUMBLE(s, ts, INTERVAL '10 seconds') GROUP BY g, window_start EMIT ON WINDOW CLOSE",
        )
        engine.ddl("CREATE MATERIALIZED VIEW rolling AS SELECT g, window_start, n FROM closed")
        for view in views:
            engine.ddl(f"CREATE MATERIALIZED VIEW {view['name']} AS {view['query']} EMIT ON WINDOW CLOSE")

        def rows(first: int, last: int) -> list[Row]:
            return [(i, i, i % 9, START + timedelta(seconds=i * 0.1), i % 2) for i in range(first, last)]

        bad: set[str] = set()
        for at in (0, 1):
            if at:
                far = [
                    (-1 - i, i, 1, START + timedelta(hours=1 + i), 0) for i in range(900)
                ]  # partition 1 holds them open
                send(engine, {"s": far, "s2": far})
                _analyze(engine)
            plans.begin()
            for step in range(3):
                batch = rows(at * 1000 + step * 200, at * 1000 + step * 200 + 5)
                send(engine, {"s": batch, "s2": batch}, advance_s=1)
            plans.end()
            assert plans.found
            bad |= plans.full_scans(_small_tables(engine))
        assert not bad, "state tables are read as a whole\n" + "\n".join(sorted(bad))
        assert engine.rows("SELECT count(*) FROM plain")[0][0] > 5
