"""The flow on a database of its own, driven barrier by barrier with a clock that the test moves.

`check` is the oracle: what a view holds must equal its query run as a batch over what is visible now. Rows are compared as
multisets; floats with a relative tolerance, since the order of additions differs; numerics by value, not by scale.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import psycopg
from sqlglot import exp

from engine.backfill.worker import Worker
from engine.ddl.connector_table import OWNER
from engine.ddl.context import Reply
from engine.ddl.filling import SMALL_ROWS
from engine.flow.barrier import Flow
from engine.flow.statements import Statements
from tailrace.errors import TailraceError
from tailrace.sql import parse_statement
from tailrace.sql.asof import expand_asof
from tailrace.sql.grouping import without_empty_groups
from tailrace.sql.windows import expand_windows
from tests.support.postgres import PostgresServer, fresh_database
from tests.support.processes import wait_until

START = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]
LOCK_NOT_AVAILABLE = "55P03"
_ATTEMPTS = 100


@dataclass(slots=True)
class Clock:
    """A wall clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True, repr=False)
class FlowUnderTest:
    """A flow, its clock, and a client's connection (role root, autocommit)."""

    flow: Flow
    client: psycopg.Connection[Row]
    clock: Clock
    server: PostgresServer
    database: str
    queries: dict[str, str] = field(default_factory=dict)
    statements: Statements = field(init=False)

    def __post_init__(self) -> None:
        self.statements = Statements(self.flow)

    def __repr__(self) -> str:
        return f"FlowUnderTest({self.database})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def ddl(self, *statements: str) -> Reply:
        """Run DDL through the flow; the last reply. A lock that somebody holds is tried again, as the flow's loop does."""
        reply = Reply("NONE")
        for statement in statements:
            for left in reversed(range(_ATTEMPTS)):
                try:
                    reply = self.statements.execute(statement)
                    break
                except (TailraceError, psycopg.Error) as error:
                    if error.sqlstate != LOCK_NOT_AVAILABLE or not left:  # autovacuum holds it, say
                        raise
        return reply

    def view(self, name: str, query: str) -> None:
        """CREATE MATERIALIZED VIEW, remembered for `check`."""
        self.ddl(f"CREATE MATERIALIZED VIEW {name} AS {query}")
        self.queries[name] = query

    @contextmanager
    def filling(self, statement: str) -> Iterator[Worker]:
        """Run a statement whose object a worker has to fill, and hand out the worker; at the end the object is live."""
        self.statements.small_rows = 0
        try:
            reply = self.ddl(statement)
        finally:
            self.statements.small_rows = SMALL_ROWS
        assert reply.job is not None
        with closing(Worker.open(self.server.dsn(dbname=self.database), reply.job)) as worker:
            yield worker
        self.statements.finish_backfill(reply.job)

    def explain(self, query: str) -> list[str]:
        """EXPLAIN of a materialized view with this query, line by line."""
        return [
            line
            for (line,) in self.ddl(f"EXPLAIN CREATE MATERIALIZED VIEW explained AS {query}").rows
            if line
        ]

    def run(self, statement: str, *parameters: Any) -> None:
        """A client's DML."""
        self.client.execute(statement, parameters or None)

    def rows(self, query: str) -> list[Row]:
        """What a client reads."""
        return self.client.execute(query).fetchall()

    def barrier(self, advance_s: float = 0) -> None:
        self.clock.advance(advance_s)
        self.flow.barrier()

    def settle(self, *statements: str, advance_s: float = 0) -> None:
        """Run a client's statements, then a barrier."""
        for statement in statements:
            self.run(statement)
        self.barrier(advance_s)

    def batch(self, query: str) -> list[Row]:
        """The query run as a batch by PostgreSQL, now() being the barrier's time."""
        assert self.flow.barrier_time is not None
        return self.rows(as_batch(query, self.flow.barrier_time))

    def check(self, *names: str) -> None:
        """Compare views (all by default) with their queries."""
        for name in names or self.queries:
            assert_same(self.rows(f'SELECT * FROM "{name}"'), self.batch(self.queries[name]), name)

    def clear(self) -> None:
        """Drop everything, so that a database can serve many examples; connections and secrets last."""
        objects = self.flow.catalog.objects
        named = {i for i, item in objects.items() if item.kind in ("connection", "secret")}
        for item in sorted(objects.values(), key=lambda item: item.id in named):
            kept = item.id in self.flow.catalog.objects and OWNER not in item.body
            if kept and named.issuperset(item.references):
                self.ddl(f"DROP {item.shown_kind.upper()} {item.visible} CASCADE")
        self.queries.clear()

    def reopen(self) -> None:
        """Another flow on the same database, as after a restart; the old one's session has to be gone first."""
        self.flow.connection.close()
        lock = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4566 AND database ="
        database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        with psycopg.connect(self.server.dsn(dbname=self.database), autocommit=True) as observer:
            wait_until(
                lambda: observer.execute(f"{lock} {database}").fetchone() == (0,), 30, "the old flow's end"
            )
        self.flow = Flow.open(self.server.dsn(dbname=self.database), self.clock)
        self.statements = Statements(self.flow)

    def another_client(self) -> psycopg.Connection[Row]:
        return psycopg.connect(self.server.dsn("root", self.database), autocommit=True)


def as_batch(query: str, now: datetime) -> str:
    """PostgreSQL's text of a view's query, with TUMBLE expanded and now() replaced by a literal."""
    tree, text = _expanded(query)
    if text is not None:
        return text
    literal = exp.cast(exp.Literal.string(now.isoformat()), "timestamptz", dialect="postgres")
    tree = tree.transform(lambda n: literal.copy() if isinstance(n, exp.CurrentTimestamp) else n)
    return without_empty_groups(tree.sql("postgres"))


@lru_cache(maxsize=256)
def _expanded(query: str) -> tuple[exp.Expr, str | None]:
    """The tree, and its text where the time does not matter: a query is run again at every barrier."""
    tree = expand_asof(expand_windows(parse_statement(query)))
    return tree, None if tree.find(exp.CurrentTimestamp) else without_empty_groups(tree.sql("postgres"))


def assert_same(found: Iterable[Row], expected: Iterable[Row], name: str = "view") -> None:
    """Equal as multisets; see the module's text."""
    found, expected = list(found), list(expected)
    if _identical(found, expected):
        return
    left, right = sorted(found, key=_order), sorted(expected, key=_order)
    if len(left) == len(right) and all(_alike(a, b) for a, b in zip(left, right, strict=True)):
        return
    extra = [a for a in left if not any(_alike(a, b) for b in right)]
    missing = [b for b in right if not any(_alike(a, b) for a in left)]
    raise AssertionError(
        f"{name} holds {len(left)} rows, its query as a batch gives {len(right)}\n"
        f"only in the view:  {extra[:8]}\nonly in the batch: {missing[:8]}\nview: {left[:12]}\nbatch: {right[:12]}"
    )


def _identical(found: Sequence[Row], expected: Sequence[Row]) -> bool:
    """Equal as multisets to the last bit: what is nearly always so, and quickly seen. False where a value has no hash."""
    try:
        left, right = (Counter((row, tuple(map(type, row))) for row in rows) for rows in (found, expected))
    except TypeError:
        return False
    return left == right


def _order(row: Row) -> tuple[Any, ...]:
    exact = [repr(_plain(v)) for v in row if not isinstance(v, float)]
    return (exact, [f"{v:.6e}" for v in row if isinstance(v, float)])


def _plain(value: Any) -> Any:
    return value.normalize() if isinstance(value, Decimal) else value


def _alike(left: Row, right: Row) -> bool:
    return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9) or (
            math.isnan(left) and math.isnan(right)
        )
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return left == right or math.isclose(left, right, rel_tol=1e-15)
    return type(left) is type(right) and left == right


@contextmanager
def running_flow(server: PostgresServer) -> Iterator[FlowUnderTest]:
    """A flow on a fresh database, dropped afterwards."""
    clock = Clock()
    with fresh_database(server, furnished=True) as name:
        flow = Flow.open(server.dsn(dbname=name), clock)
        # the catalog's first time is the real clock's; the tests' clock begins where it likes
        flow.barrier_time = None
        with psycopg.connect(server.dsn("root", name), autocommit=True) as client:
            client.prepare_threshold = None  # a name may come back with other columns in the next test
            running = FlowUnderTest(flow, client, clock, server, name)
            try:
                yield running
            finally:
                running.flow.connection.close()  # a test may have opened another one


def table_rows(text: str) -> Sequence[Row]:
    """A drawn table of integers, one row a line, `.` for NULL."""
    return [
        tuple(None if word == "." else int(word) for word in line.split())
        for line in text.strip().splitlines()
    ]
