"""Shapes that number rows: window functions with all kinds of frames, and the first rows of all or of each group."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.oracle.queries.items import Item, Names, Query, Type, exact, listed
from tests.oracle.queries.relations import base

_FRAMES = (
    "", "", "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW",
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
)  # fmt: skip
_RANGES = {
    Type.INTEGER: ("RANGE BETWEEN 1 PRECEDING AND CURRENT ROW", "RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING"),
    Type.TIME: (
        "RANGE BETWEEN INTERVAL '10 seconds' PRECEDING AND CURRENT ROW",
        "RANGE BETWEEN INTERVAL '5 seconds' PRECEDING AND INTERVAL '5 seconds' FOLLOWING",
    ),
}
_PEERS = (
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW", "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
)  # fmt: skip


@st.composite
def _keyed(draw: st.DrawFn, names: Names, depth: int) -> tuple[str, list[Item], int]:
    """A derived table of columns k0, k1, ..., those of them that are shown, and how many more partition it.

    It has these columns alone: rows that tie in all of them are the same to a window.
    """
    relation, where = draw(base(names, depth))
    found = exact(relation)
    shown = draw(st.lists(st.sampled_from(found), min_size=1, max_size=3, unique=True))
    parted = draw(st.lists(st.sampled_from(found), max_size=2, unique=True))
    inner = ", ".join(f"{c.text} AS k{i}" for i, c in enumerate((*shown, *parted)))
    return f"(SELECT {inner} FROM {relation.text}{where}) AS {names.fresh()}", shown, len(parted)


def _partition(shown: int, parted: int) -> str:
    columns = ", ".join(f"k{shown + i}" for i in range(parted))
    return f"PARTITION BY {columns} " if columns else ""


def _selected(shown: Sequence[Item], calls: Sequence[Item], table: str, shape: str) -> Query:
    items = [*(Item(f"k{i}", c.type) for i, c in enumerate(shown)), *calls]
    return Query(f"SELECT {listed(items)} FROM {table}", tuple(i.type for i in items), shape)


@st.composite
def over(draw: st.DrawFn, names: Names, depth: int) -> Query:
    """Functions of all kinds, in an order of all columns."""
    table, shown, parted = draw(_keyed(names, depth))
    order = ", ".join(
        f"k{i}" + draw(st.sampled_from(("", " DESC", " NULLS FIRST"))) for i in range(len(shown))
    )
    window = f"{_partition(len(shown), parted)}ORDER BY {order}"
    calls = draw(st.lists(_window_call(window, shown), min_size=1, max_size=2))
    return _selected(shown, calls, table, "over")


@st.composite
def _window_call(draw: st.DrawFn, window: str, shown: Sequence[Item]) -> Item:
    ranks = [(f"{f}()", Type.INTEGER) for f in ("row_number", "rank", "dense_rank")]
    ranks += [("ntile(2)", Type.INTEGER), ("percent_rank()", Type.DOUBLE), ("cume_dist()", Type.DOUBLE)]
    shifts = [
        (f"{f}(k{i}{by})", c.type) for i, c in enumerate(shown) for f in ("lag", "lead") for by in ("", ", 2")
    ]
    framed = [
        (f"{f}(k{i})", c.type)
        for i, c in enumerate(shown)
        for f in ("first_value", "last_value", "max", "min")
    ]
    framed += [*_sums(shown), *((f"nth_value(k{i}, 2)", c.type) for i, c in enumerate(shown))]
    kind = draw(st.sampled_from(("rank", "shift", "framed", "framed")))
    call, type_ = draw(st.sampled_from({"rank": ranks, "shift": shifts, "framed": framed}[kind]))
    frame = draw(st.sampled_from(_FRAMES)) if kind == "framed" else ""
    return Item(f"{call} OVER ({window}{' ' + frame if frame else ''})", type_)


def _sums(shown: Sequence[Item]) -> list[tuple[str, Type]]:
    summed = [
        (f"sum(k{i})", Type.NUMERIC) for i, c in enumerate(shown) if c.type in (Type.INTEGER, Type.NUMERIC)
    ]
    return [*summed, ("count(*)", Type.INTEGER)]


@st.composite
def range_over(draw: st.DrawFn, names: Names, depth: int) -> Query:
    """Aggregates over frames that are told by values: rows that tie are in a frame together, whatever else they hold."""
    table, shown, parted = draw(_keyed(names, depth))
    window = f"{_partition(len(shown), parted)}ORDER BY k0{draw(st.sampled_from(('', '', ' DESC')))}"
    frames = (*_PEERS, *_RANGES.get(shown[0].type, ()), *_RANGES.get(shown[0].type, ()))
    forms = [*_sums(shown), *((f"{f}(k{i})", c.type) for i, c in enumerate(shown) for f in ("max", "min"))]
    calls: list[Item] = []
    for _ in range(draw(st.integers(1, 2))):
        call, type_ = draw(st.sampled_from(forms))
        calls.append(Item(f"{call} OVER ({window} {draw(st.sampled_from(frames))})", type_))
    return _selected(shown, calls, table, "over range")


@st.composite
def over_groups(draw: st.DrawFn, names: Names, depth: int) -> Query:
    """Window functions of a grouped query."""
    relation, where = draw(base(names, depth))
    keys = draw(st.lists(st.sampled_from(exact(relation)), min_size=1, max_size=2, unique=True))
    grouped = ", ".join(k.text for k in keys)
    windows = (
        f"ORDER BY count(*) DESC, {grouped}",
        f"ORDER BY {grouped}",
        f"PARTITION BY count(*) ORDER BY {grouped}",
    )
    functions = (("rank()", Type.INTEGER), ("sum(count(*))", Type.NUMERIC), ("lag(count(*))", Type.INTEGER))
    function, type_ = draw(st.sampled_from(functions))
    calls = [
        Item(f"{function} OVER ({draw(st.sampled_from(windows))})", type_),
        Item("count(*)", Type.INTEGER),
    ]
    items = (*keys, *calls)
    text = f"SELECT {listed(items)} FROM {relation.text}{where} GROUP BY {grouped}"
    return Query(text, tuple(i.type for i in items), "over groups")


@st.composite
def top_n(draw: st.DrawFn, names: Names, depth: int) -> Query:
    """The first rows, with those that tie with the last one or in an order of all columns."""
    relation, where = draw(base(names, depth))
    items = draw(st.lists(st.sampled_from(exact(relation)), min_size=1, max_size=3, unique=True))
    ties = draw(st.integers(0, 3)) == 0
    order = ", ".join(
        f"c{i}" + draw(st.sampled_from(("", " DESC", " DESC NULLS LAST")))
        for i in range(1 if ties else len(items))
    )
    text = f"SELECT {listed(items)} FROM {relation.text}{where} ORDER BY {order}"
    count = draw(st.integers(1, 4))
    if ties:
        text += f" FETCH FIRST {count} ROWS WITH TIES"
    else:
        text += f" LIMIT {count}{draw(st.sampled_from(('', '', ' OFFSET 1')))}"
    return Query(f"SELECT * FROM ({text}) AS {names.fresh()}", tuple(i.type for i in items), "top n")


@st.composite
def group_top_n(draw: st.DrawFn, names: Names, depth: int) -> Query:
    """The first rows of each group, by a condition on their number."""
    relation, where = draw(base(names, depth))
    found = exact(relation)
    items = draw(st.lists(st.sampled_from(found), min_size=min(2, len(found)), max_size=3, unique=True))
    function = draw(st.sampled_from(("row_number", "row_number", "rank", "dense_rank")))
    order = ", ".join(f"k{i}" + draw(st.sampled_from(("", " DESC"))) for i in range(len(items)))
    inner = ", ".join(f"{c.text} AS k{i}" for i, c in enumerate(items))
    table = f"(SELECT {inner} FROM {relation.text}{where}) AS {names.fresh()}"
    ranked = f"SELECT *, {function}() OVER (PARTITION BY k0 ORDER BY {order}) AS n FROM {table}"
    shown = ", ".join(f"k{i} AS c{i}" for i in range(len(items)))
    bound = draw(st.sampled_from(("n <= 2", "n = 1", "n < 3", "n BETWEEN 2 AND 3")))
    text = f"SELECT {shown} FROM ({ranked}) AS {names.fresh()} WHERE {bound}"
    return Query(text, tuple(i.type for i in items), "group top n")
