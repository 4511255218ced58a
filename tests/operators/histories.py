"""Random histories: what clients do to four tables, when barriers run, and when the views are made.

`t` and `u` have a primary key (few values, so that inserts overwrite), `bag` has none and holds duplicates, `log` is
append-only. Values are few and NULL is among them, so that groups, joins and ties meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.support.flow import START, FlowUnderTest

TABLES = {
    "t": "id int PRIMARY KEY, g int, h varchar, i int, x double precision, n numeric, ts timestamptz",
    "u": "id int PRIMARY KEY, g int, h varchar, i int, x double precision, n numeric, ts timestamptz",
    "bag": "g int, h varchar, i int, x double precision, n numeric, ts timestamptz",
    "log": "id int, g int, h varchar, i int, x double precision, n numeric, ts timestamptz",
}

_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
}
_NO_SHRINKING = [p for p in Phase if p not in (Phase.shrink, Phase.explain)]
quick = settings(max_examples=3, phases=_NO_SHRINKING, **_SETTINGS)
thorough = settings(max_examples=120, **_SETTINGS)


@dataclass(frozen=True)
class Step:
    """A client's statement, a barrier, or the moment at which the views are made."""

    sql: str = ""
    parameters: tuple[Any, ...] = ()
    barrier: bool = False
    advance_s: int = 0
    create: bool = False


CREATE = Step(create=True)


def barrier(advance_s: int = 0) -> Step:
    return Step(barrier=True, advance_s=advance_s)


_ids = st.integers(0, 6)
_columns: dict[str, st.SearchStrategy[Any]] = {
    "id": _ids,
    "g": st.sampled_from([None, 0, 1, 2]),
    "h": st.sampled_from([None, "a", "b", "", "1"]),
    "i": st.one_of(st.none(), st.integers(-3, 3)),
    "x": st.sampled_from([None, 0.0, 0.1, 0.2, -2.5, 1e6, 3.0, 1e-3]),
    "n": st.sampled_from([None, "0.1", "1.10", "-2", "12345678901234567890.5", "0"]),
    "ts": st.one_of(st.none(), st.integers(-40, 60).map(lambda s: START + timedelta(seconds=s))),
}


def _names(table: str) -> list[str]:
    return [c.split()[0] for c in TABLES[table].split(", ")]


@st.composite
def _inserts(draw: st.DrawFn) -> Step:
    table = draw(st.sampled_from(list(TABLES)))
    row = st.tuples(*(_columns[c] for c in _names(table)))
    rows = draw(st.lists(row, min_size=1, max_size=4))
    places = ", ".join("(" + ", ".join(["%s"] * len(r)) + ")" for r in rows)
    return Step(f"INSERT INTO {table} VALUES {places}", tuple(v for r in rows for v in r))


@st.composite
def _updates(draw: st.DrawFn) -> Step:
    table = draw(st.sampled_from(["t", "u", "bag"]))
    changed = draw(
        st.lists(st.sampled_from(["g", "h", "i", "x", "n", "ts"]), min_size=1, max_size=3, unique=True)
    )
    values = tuple(draw(_columns[c]) for c in changed)
    where = draw(st.sampled_from(["g", "i", *([] if table == "bag" else ["id"])]))
    sets = ", ".join(f"{c} = %s" for c in changed)
    return Step(
        f"UPDATE {table} SET {sets} WHERE {where} IS NOT DISTINCT FROM %s", (*values, draw(_columns[where]))
    )


@st.composite
def _deletes(draw: st.DrawFn) -> Step:
    table = draw(st.sampled_from(["t", "u", "bag"]))
    where = draw(st.sampled_from(["g", "i", "h"]))
    return Step(f"DELETE FROM {table} WHERE {where} IS NOT DISTINCT FROM %s", (draw(_columns[where]),))


_barriers = st.sampled_from([0, 0, 0, 1, 5, 20]).map(barrier)
_steps = st.one_of(_inserts(), _inserts(), _updates(), _deletes(), _barriers)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Step, ...]:
    """Some twenty steps; the views are made first, last or in the middle."""
    steps = draw(st.lists(_steps, min_size=4, max_size=24))
    at = draw(st.sampled_from([0, 0, len(steps) // 2, len(steps)]))
    return (*steps[:at], CREATE, *steps[at:])


def emptied() -> tuple[Step, ...]:
    """What takes away all rows that can be taken away, so that another history follows over the same views."""
    return (*(Step(f"DELETE FROM {table}") for table in TABLES if table != "log"), barrier())


def views(operator: str) -> dict[str, str]:
    """The queries of views/<operator>.sql by name; each stands under a comment with its name, and ends with a semicolon."""
    text = (Path(__file__).parent / "views" / f"{operator}.sql").read_text()
    found = {}
    for block in text.split(";\n"):
        if block.strip():
            name, query = block.strip().removeprefix("-- ").split("\n", 1)
            found[name] = query
    return found


def make_tables(engine: FlowUnderTest) -> None:
    """TABLES, in an engine that has none."""
    for table, columns in TABLES.items():
        engine.ddl(f"CREATE TABLE {table} ({columns}){' APPEND ONLY' if table == 'log' else ''}")


def run(
    engine: FlowUnderTest, history: Sequence[Step], create: Callable[[], None], check: Callable[[], None]
) -> None:
    """Run a history, and two barriers more; `check` is called after every barrier, and after `create` has made the views."""
    engine.clear()
    make_tables(engine)
    for step in (*history, barrier(), barrier(15)):
        if step.create:
            create()
            check()
        elif step.barrier:
            engine.barrier(step.advance_s)
            check()
        else:
            engine.run(step.sql, *step.parameters)


Check = Callable[[FlowUnderTest], None]


def play(
    engine: FlowUnderTest,
    history: Sequence[Step],
    views: Mapping[str, str],
    check: Check = FlowUnderTest.check,
) -> None:
    """Run a history; the views are checked after every barrier."""

    def create() -> None:
        for name, query in views.items():
            engine.view(name, query)

    run(engine, history, create, lambda: check(engine))
