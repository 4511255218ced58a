"""ON CONFLICT and WITH VERSION COLUMN: which row stays, also of one statement, and what views see of it."""

from __future__ import annotations

import pytest

from tailrace.errors import InvalidStatement
from tests.support.flow import FlowUnderTest

COLUMNS = "k int, a int, b int, v int, PRIMARY KEY (k)"


def rows_after(engine: FlowUnderTest, behaviour: str, *statements: str) -> list[tuple[int | None, ...]]:
    """What a view over the table holds in the end; checked against the table after every statement."""
    engine.ddl(f"CREATE TABLE t ({COLUMNS}) {behaviour}")
    engine.view("seen", "SELECT * FROM t")
    engine.view("total", "SELECT count(*) AS n, sum(a) AS a, sum(b) AS b FROM t")
    for statement in statements:
        engine.settle(statement)
        engine.check()
    return engine.rows("SELECT k, a, b, v FROM seen ORDER BY k")


@pytest.mark.parametrize(
    ("behaviour", "kept"),
    [
        ("", (1, 7, None, 1)),
        ("ON CONFLICT OVERWRITE", (1, 7, None, 1)),
        ("ON CONFLICT DO UPDATE FULL", (1, 7, None, 1)),
        ("ON CONFLICT IGNORE", (1, 5, 6, 2)),
        ("ON CONFLICT DO NOTHING", (1, 5, 6, 2)),
        ("APPEND ONLY", (1, 5, 6, 2)),
        ("APPEND ONLY ON CONFLICT DO NOTHING", (1, 5, 6, 2)),
        ("ON CONFLICT DO UPDATE IF NOT NULL", (1, 7, 6, 1)),
        ("ON CONFLICT DO UPDATE IF NOT NULL WITH VERSION COLUMN (v)", (1, 5, 6, 2)),
        ("ON CONFLICT DO UPDATE FULL WITH VERSION COLUMN (v)", (1, 5, 6, 2)),
        ("WITH VERSION COLUMN (v)", (1, 5, 6, 2)),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_of_two_rows_with_one_key(
    engine: FlowUnderTest, behaviour: str, kept: tuple[int | None, ...], together: bool
) -> None:
    first, second = "(1, 5, 6, 2)", "(1, 7, NULL, 1)"
    statements = (
        [f"INSERT INTO t VALUES {first}, {second}"]
        if together
        else [f"INSERT INTO t VALUES {r}" for r in (first, second)]
    )
    assert rows_after(engine, behaviour, *statements) == [kept]


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        (1, 2, "new"),
        (2, 2, "new"),
        (3, 2, "old"),
        ("NULL", 1, "new"),
        (1, "NULL", "old"),
        ("NULL", "NULL", "new"),
    ],
)
def test_a_null_version_is_the_oldest(engine: FlowUnderTest, old: object, new: object, stays: str) -> None:
    insert = "INSERT INTO t VALUES (1, 0, 0, {})"
    found = rows_after(
        engine, "WITH VERSION COLUMN (v)", insert.format(old), insert.replace("0, 0", "9, 9").format(new)
    )
    assert found[0][1] == (9 if stays == "new" else 0)


def test_a_later_version_column_decides_between_equal_ones(engine: FlowUnderTest) -> None:
    insert = "INSERT INTO t VALUES (1, {}, {}, {})"
    found = rows_after(
        engine,
        "ON CONFLICT OVERWRITE WITH VERSION COLUMN (a, b)",
        *(insert.format(*values) for values in [(1, 1, 10), (1, 2, 20), (0, 9, 30), (2, 0, 40), (1, 9, 50)]),
    )
    assert found == [(1, 2, 0, 40)]


def test_an_update_counts_as_an_arrival(engine: FlowUnderTest) -> None:
    found = rows_after(
        engine,
        "ON CONFLICT DO UPDATE IF NOT NULL WITH VERSION COLUMN (v)",
        "INSERT INTO t VALUES (1, 5, 6, 2), (2, 5, 6, 2)",
        "UPDATE t SET a = NULL, b = 8 WHERE k = 1",
        "UPDATE t SET a = 9, v = 1 WHERE k = 2",
    )
    assert found == [(1, 5, 8, 2), (2, 5, 6, 2)]


def test_null_is_a_key_too(engine: FlowUnderTest) -> None:
    found = rows_after(
        engine,
        "ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (NULL, 1, 1, 1)",
        "INSERT INTO t VALUES (NULL, 2, 2, 2)",
    )
    assert found == [(None, 1, 1, 1)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (f"CREATE TABLE t ({COLUMNS}) APPEND ONLY ON CONFLICT OVERWRITE", "must be DO NOTHING"),
        (
            f"CREATE TABLE t ({COLUMNS}) ON CONFLICT DO NOTHING WITH VERSION COLUMN (v)",
            "cannot be used with the ignore",
        ),
        (f"CREATE TABLE t ({COLUMNS}) WITH VERSION COLUMN (w)", "Version column w not found"),
        ("CREATE TABLE t (k int PRIMARY KEY, v boolean) WITH VERSION COLUMN (v)", "comparable data type"),
        (f"CREATE TABLE t ({COLUMNS}) ON CONFLICT DO SOMETHING", "syntax error"),
    ],
)
def test_what_contradicts_itself_is_refused(engine: FlowUnderTest, statement: str, message: str) -> None:
    with pytest.raises(InvalidStatement, match=message):
        engine.ddl(statement)
