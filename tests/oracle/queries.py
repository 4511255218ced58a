"""Random queries of the streaming surface, over the tables of `tests.operators.histories`.

Every query has one answer: where an order decides (LIMIT, row_number(), string_agg), it is an order of all that can be seen,
so that rows which tie are the same row. Nothing in them fails (no division by zero, no overflow), since a view yields NULL
where a batch raises. Columns of a query are called c0, c1, ...; a query used as a relation has an alias of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st

from tests.operators.histories import TABLES


class Type(StrEnum):
    """What a column holds, as far as choosing expressions goes: DOUBLE is what is not exact, an average of integers too."""

    INTEGER = "int"
    TEXT = "varchar"
    DOUBLE = "double precision"
    NUMERIC = "numeric"
    TIME = "timestamptz"


@dataclass(frozen=True, slots=True)
class Item:
    """A column or an expression."""

    text: str
    type: Type


@dataclass(frozen=True, slots=True)
class Relation:
    """Something to put after FROM, and what can be selected from it."""

    text: str
    columns: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """`shape` says what kind it is, so that a failure can be grouped and coverage counted."""

    text: str
    columns: tuple[Type, ...]
    shape: str


_TYPES = {
    name: tuple(
        (column.split()[0], Type(column.split(" ", 1)[1].removesuffix(" PRIMARY KEY")))
        for column in text.split(", ")
    )
    for name, text in TABLES.items()
}
_LITERALS: dict[Type, tuple[str, ...]] = {
    Type.INTEGER: ("-2", "0", "1", "2"),
    Type.TEXT: ("''", "'a'", "'b'"),
    Type.DOUBLE: ("0.1", "-2.5", "3"),
    Type.NUMERIC: ("0", "1.1", "-2"),
    Type.TIME: ("'2026-01-01 00:00:05+00'::timestamptz", "'2025-12-31 23:59:40+00'::timestamptz"),
}
_ORDERED = (Type.INTEGER, Type.TEXT, Type.NUMERIC, Type.TIME)
"""Types whose values are exact: a double that was added up in another order may differ in its last digit."""


class Names:
    """Aliases that are not used twice in one query."""

    def __init__(self) -> None:
        self._last = 0

    def fresh(self) -> str:
        self._last += 1
        return f"r{self._last}"


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """A query for a materialized view."""
    return draw(_query(Names(), depth=2))


@st.composite
def _query(draw: st.DrawFn, names: Names, depth: int) -> Query:
    shape = draw(st.sampled_from(_SHAPES if depth > 0 else _SHALLOW))
    return draw(_BUILDERS[shape](names, depth))


# FROM


@st.composite
def _relation(draw: st.DrawFn, names: Names, depth: int) -> Relation:
    """A table, a table with its windows, or a query."""
    kind = draw(st.sampled_from(("table",) * 4 + (("query", "tumble") if depth > 0 else ())))
    alias = names.fresh()
    if kind == "query":
        query = draw(_query(names, depth - 1))
        columns = tuple(Item(f"{alias}.c{i}", type_) for i, type_ in enumerate(query.columns))
        return Relation(f"({query.text}) AS {alias}", columns)
    table = draw(st.sampled_from(sorted(_TYPES)))
    columns = tuple(Item(f"{alias}.{name}", type_) for name, type_ in _TYPES[table])
    if kind == "table":
        return Relation(f"{table} AS {alias}", columns)
    seconds = draw(st.sampled_from((10, 30)))
    windows = tuple(Item(f"{alias}.{name}", Type.TIME) for name in ("window_start", "window_end"))
    return Relation(f"TUMBLE({table}, ts, INTERVAL '{seconds} seconds') AS {alias}", (*columns, *windows))


@st.composite
def _from(draw: st.DrawFn, names: Names, depth: int) -> Relation:
    """One relation, or two or three joined."""
    found = draw(_relation(names, depth))
    count = draw(st.sampled_from((0, 0, 0, 1, 1, 2))) if depth > 0 else 0
    for _ in range(count):
        found = draw(_joined(found, names, depth))
    return found


@st.composite
def _joined(draw: st.DrawFn, left: Relation, names: Names, depth: int) -> Relation:
    right = draw(_relation(names, depth - 1))
    kind = draw(st.sampled_from(("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")))
    columns = (*left.columns, *right.columns)
    pairs = [
        f"{a.text} = {b.text}"
        for a in left.columns
        for b in right.columns
        if a.type == b.type and a.type in _ORDERED
    ]
    if kind == "CROSS JOIN" or not pairs:
        return Relation(f"{left.text} CROSS JOIN {right.text}", columns)
    on = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=2, unique=True))
    if kind != "FULL JOIN" and draw(st.integers(0, 2)) == 0:  # PostgreSQL wants equalities alone there
        on.append(draw(_comparison(columns)))
    return Relation(f"{left.text} {kind} {right.text} ON {' AND '.join(on)}", columns)


# conditions and expressions


@st.composite
def _comparison(draw: st.DrawFn, columns: Sequence[Item]) -> str:
    column = draw(st.sampled_from(columns))
    others = [c.text for c in columns if c.type == column.type and c is not column]
    operator = draw(
        st.sampled_from(("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"))
    )
    other = draw(st.sampled_from((*_LITERALS[column.type], *others)))
    return f"{column.text} {operator} {other}"


@st.composite
def _predicate(draw: st.DrawFn, columns: Sequence[Item], names: Names, depth: int) -> str:
    plain = ("comparison", "comparison", "null", "list", "or", "not")
    kind = draw(st.sampled_from(plain + (("in", "exists", "scalar") if depth > 0 else ())))
    if kind == "comparison":
        return draw(_comparison(columns))
    if kind == "null":
        return f"{draw(st.sampled_from(columns)).text} IS {draw(st.sampled_from(('NULL', 'NOT NULL')))}"
    if kind == "list":
        column = draw(st.sampled_from(columns))
        return f"{column.text} IN ({', '.join(_LITERALS[column.type])})"
    if kind == "or":
        return f"({draw(_comparison(columns))} OR {draw(_comparison(columns))})"
    if kind == "not":
        return f"NOT ({draw(_comparison(columns))})"
    return draw(_subquery_predicate(kind, columns, names))


@st.composite
def _subquery_predicate(draw: st.DrawFn, kind: str, columns: Sequence[Item], names: Names) -> str:
    inner = draw(_relation(names, 0))
    matches = [(o, i) for o in columns for i in inner.columns if o.type == i.type and o.type in _ORDERED]
    if not matches:
        return draw(_comparison(columns))
    outer, column = draw(st.sampled_from(matches))
    where = f" WHERE {draw(_comparison(inner.columns))}" if draw(st.booleans()) else ""
    if kind == "in":
        negated = draw(st.sampled_from(("IN", "IN", "NOT IN")))
        return f"{outer.text} {negated} (SELECT {column.text} FROM {inner.text}{where})"
    if kind == "exists":
        negated = draw(st.sampled_from(("EXISTS", "NOT EXISTS")))
        also = f" AND {draw(_comparison(inner.columns))}" if draw(st.booleans()) else ""
        return f"{negated} (SELECT 1 FROM {inner.text} WHERE {column.text} = {outer.text}{also})"
    function = draw(st.sampled_from(("max", "min")))
    operator = draw(st.sampled_from(("=", "<", ">=")))
    correlated = draw(st.booleans())
    others = [(o, i) for o, i in matches if i is not column]
    if correlated and others:
        out, into = draw(st.sampled_from(others))
        where = f" WHERE {into.text} = {out.text}"
    return f"{outer.text} {operator} (SELECT {function}({column.text}) FROM {inner.text}{where})"


@st.composite
def _where(draw: st.DrawFn, columns: Sequence[Item], names: Names, depth: int) -> str:
    parts = draw(st.lists(_predicate(columns, names, depth), max_size=2))
    times = [c.text for c in columns if c.type is Type.TIME and not c.text.endswith(("_start", "_end"))]
    if times and draw(st.integers(0, 9)) == 0:
        parts.append(f"{draw(st.sampled_from(times))} > now() - INTERVAL '20 seconds'")
    return f" WHERE {' AND '.join(parts)}" if parts else ""


@st.composite
def _expression(draw: st.DrawFn, columns: Sequence[Item]) -> Item:
    """A column, or something computed from one or two."""
    column = draw(st.sampled_from(columns))
    if draw(st.integers(0, 2)):
        return column
    text, literal = column.text, draw(st.sampled_from(_LITERALS[column.type]))
    if column.type is Type.TEXT:
        forms = (f"{text} || {literal}", f"upper({text})", f"coalesce({text}, {literal})")
    elif column.type is Type.TIME:
        forms = (
            f"{text} + INTERVAL '1 second'",
            f"coalesce({text}, {literal})",
            f"date_trunc('minute', {text})",
        )
    else:
        forms = (
            f"{text} + {literal}", f"abs({text})", f"coalesce({text}, {literal})", f"nullif({text}, {literal})",
            f"CASE WHEN {text} > {literal} THEN {text} ELSE -({text}) END",
        )  # fmt: skip
    return Item(draw(st.sampled_from(forms)), column.type)


def _listed(items: Sequence[Item], first: int = 0) -> str:
    return ", ".join(f"{item.text} AS c{number}" for number, item in enumerate(items, first))


def _exact(relation: Relation) -> list[Item]:
    """The columns that an order can be made of; a constant where there is none."""
    return [c for c in relation.columns if c.type in _ORDERED] or [Item("0::int", Type.INTEGER)]


@st.composite
def _base(draw: st.DrawFn, names: Names, depth: int) -> tuple[Relation, str]:
    """A FROM clause and its WHERE."""
    relation = draw(_from(names, depth))
    return relation, draw(_where(relation.columns, names, depth))


# the shapes


@st.composite
def _plain(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(_base(names, depth))
    items = draw(st.lists(_expression(relation.columns), min_size=1, max_size=4))
    return Query(
        f"SELECT {_listed(items)} FROM {relation.text}{where}", tuple(i.type for i in items), "plain"
    )


@st.composite
def _distinct(draw: st.DrawFn, names: Names, depth: int) -> Query:
    plain = draw(_plain(names, depth))
    return Query(plain.text.replace("SELECT", "SELECT DISTINCT", 1), plain.columns, "distinct")


@st.composite
def _aggregate(draw: st.DrawFn, columns: Sequence[Item]) -> Item:
    column = draw(st.sampled_from(columns))
    text, exact = column.text, column.type in _ORDERED
    forms: list[tuple[str, Type]] = [("count(*)", Type.INTEGER), (f"count({text})", Type.INTEGER)]
    if exact:
        forms += [
            (f"count(DISTINCT {text})", Type.INTEGER),
            (f"min({text})", column.type),
            (f"max({text})", column.type),
        ]
    if column.type is Type.INTEGER:
        forms += [
            (f"sum({text})", Type.INTEGER),
            (f"avg({text})", Type.DOUBLE),
            (f"sum(DISTINCT {text})", Type.INTEGER),
        ]
        forms += [(f"stddev_pop({text})", Type.DOUBLE), (f"bit_or({text})", Type.INTEGER)]
    if column.type is Type.NUMERIC:
        forms += [(f"sum({text})", Type.NUMERIC), (f"avg({text})", Type.DOUBLE)]
    if column.type is Type.DOUBLE:
        forms += [(f"sum({text})", Type.DOUBLE), (f"avg({text})", Type.DOUBLE), (f"max({text})", Type.DOUBLE)]
    if column.type is Type.TEXT:
        forms += [(f"string_agg({text}, ',' ORDER BY {text})", Type.TEXT)]
    chosen, type_ = draw(st.sampled_from(forms))
    if draw(st.integers(0, 3)) == 0:
        chosen += f" FILTER (WHERE {draw(_comparison(columns))})"
    return Item(chosen, type_)


_GROUPINGS = {
    1: ("{0}",),
    2: ("{0}, {1}", "{0}, {1}", "GROUPING SETS (({0}, {1}), ({1}))", "GROUPING SETS (({0}), ({1}))"),
}
"""No empty set among them: over nothing it is a row in PostgreSQL, and none in RisingWave and in views."""


@st.composite
def _group_by(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(_base(names, depth))
    exact = [c for c in relation.columns if c.type in _ORDERED]
    keys = draw(st.lists(st.sampled_from(exact), max_size=2, unique=True)) if exact else []
    calls = draw(st.lists(_aggregate(relation.columns), min_size=1, max_size=3))
    items = (*keys, *calls)
    text = f"SELECT {_listed(items)} FROM {relation.text}{where}"
    if keys:
        form = draw(st.sampled_from(_GROUPINGS[len(keys)]))
        text += f" GROUP BY {form.format(*(k.text for k in keys))}"
        if draw(st.integers(0, 3)) == 0:
            text += f" HAVING {draw(st.sampled_from(('count(*) > 1', 'count(*) < 3', f'count({keys[0].text}) > 0')))}"
    return Query(text, tuple(i.type for i in items), "group by")


_FRAMES = (
    "", "", "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
)  # fmt: skip


@st.composite
def _over(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(_base(names, depth))
    exact = _exact(relation)
    shown = draw(st.lists(st.sampled_from(exact), min_size=1, max_size=3, unique=True))
    parted = draw(st.lists(st.sampled_from(exact), max_size=2, unique=True))
    # a derived table shows these columns alone: rows that tie in all of them are the same to the window
    inner = ", ".join(f"{c.text} AS k{i}" for i, c in enumerate((*shown, *parted)))
    order = ", ".join(
        f"k{i}" + draw(st.sampled_from(("", " DESC", " NULLS FIRST"))) for i in range(len(shown))
    )
    partition = ", ".join(f"k{len(shown) + i}" for i in range(len(parted)))
    window = f"{'PARTITION BY ' + partition + ' ' if partition else ''}ORDER BY {order}"
    calls: list[Item] = []
    for _ in range(draw(st.integers(1, 2))):
        calls.append(draw(_window_call(window, shown)))
    items = ", ".join(
        [
            *(f"k{i} AS c{i}" for i in range(len(shown))),
            *(f"{c.text} AS c{len(shown) + i}" for i, c in enumerate(calls)),
        ]
    )
    text = f"SELECT {items} FROM (SELECT {inner} FROM {relation.text}{where}) AS {names.fresh()}"
    return Query(text, (*(c.type for c in shown), *(c.type for c in calls)), "over")


@st.composite
def _window_call(draw: st.DrawFn, window: str, shown: Sequence[Item]) -> Item:
    ranks = [("row_number()", Type.INTEGER), ("rank()", Type.INTEGER), ("dense_rank()", Type.INTEGER)]
    shifts = [(f"{f}(k{i})", c.type) for i, c in enumerate(shown) for f in ("lag", "lead")]
    framed = [
        (f"{f}(k{i})", c.type)
        for i, c in enumerate(shown)
        for f in ("first_value", "last_value", "max", "min")
    ]
    framed += [(f"sum(k{i})", c.type) for i, c in enumerate(shown) if c.type in (Type.INTEGER, Type.NUMERIC)]
    framed += [("count(*)", Type.INTEGER)]
    kind = draw(st.sampled_from(("rank", "shift", "framed", "framed")))
    call, type_ = draw(st.sampled_from({"rank": ranks, "shift": shifts, "framed": framed}[kind]))
    frame = draw(st.sampled_from(_FRAMES)) if kind == "framed" else ""
    return Item(f"{call} OVER ({window}{' ' + frame if frame else ''})", type_)


@st.composite
def _top_n(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(_base(names, depth))
    exact = _exact(relation)
    items = draw(st.lists(st.sampled_from(exact), min_size=1, max_size=3, unique=True))
    order = ", ".join(
        f"c{i}" + draw(st.sampled_from(("", " DESC", " DESC NULLS LAST"))) for i in range(len(items))
    )
    offset = draw(st.sampled_from(("", "", " OFFSET 1")))
    text = f"SELECT {_listed(items)} FROM {relation.text}{where} ORDER BY {order} LIMIT {draw(st.integers(1, 4))}{offset}"
    return Query(f"SELECT * FROM ({text}) AS {names.fresh()}", tuple(i.type for i in items), "top n")


@st.composite
def _group_top_n(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(_base(names, depth))
    exact = _exact(relation)
    items = draw(st.lists(st.sampled_from(exact), min_size=min(2, len(exact)), max_size=3, unique=True))
    function = draw(st.sampled_from(("row_number", "row_number", "rank", "dense_rank")))
    order = ", ".join(f"k{i}" + draw(st.sampled_from(("", " DESC"))) for i in range(len(items)))
    inner = ", ".join(f"{c.text} AS k{i}" for i, c in enumerate(items))
    base = f"(SELECT {inner} FROM {relation.text}{where}) AS {names.fresh()}"
    ranked = f"SELECT *, {function}() OVER (PARTITION BY k0 ORDER BY {order}) AS n FROM {base}"
    shown = ", ".join(f"k{i} AS c{i}" for i in range(len(items)))
    bound = draw(st.sampled_from(("n <= 2", "n = 1", "n < 3")))
    return Query(
        f"SELECT {shown} FROM ({ranked}) AS {names.fresh()} WHERE {bound}",
        tuple(i.type for i in items),
        "group top n",
    )


@st.composite
def _set_operation(draw: st.DrawFn, names: Names, depth: int) -> Query:
    types = draw(st.lists(st.sampled_from((Type.INTEGER, Type.TEXT, Type.TIME)), min_size=1, max_size=2))
    sides: list[str] = []
    for _ in range(2):
        relation, where = draw(_base(names, depth - 1))
        items: list[Item] = []
        for type_ in types:
            fitting = [c for c in relation.columns if c.type is type_]
            items.append(
                draw(st.sampled_from(fitting)) if fitting else Item(_LITERALS[type_][0] + f"::{type_}", type_)
            )
        sides.append(f"SELECT {_listed(items)} FROM {relation.text}{where}")
    word = draw(st.sampled_from(("UNION ALL", "UNION", "EXCEPT", "INTERSECT")))
    return Query(f"{sides[0]} {word} {sides[1]}", tuple(types), "set operation")


@st.composite
def _distinct_on(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(_base(names, depth))
    exact = _exact(relation)
    items = draw(st.lists(st.sampled_from(exact), min_size=1, max_size=3, unique=True))
    order = ", ".join(
        i.text + (draw(st.sampled_from(("", " DESC"))) if n else "") for n, i in enumerate(items)
    )
    text = (
        f"SELECT DISTINCT ON ({items[0].text}) {_listed(items)} FROM {relation.text}{where} ORDER BY {order}"
    )
    return Query(text, tuple(i.type for i in items), "distinct on")


_BUILDERS = {
    "plain": _plain,
    "distinct": _distinct,
    "group by": _group_by,
    "over": _over,
    "top n": _top_n,
    "group top n": _group_top_n,
    "set operation": _set_operation,
    "distinct on": _distinct_on,
}
_SHALLOW = ("plain", "plain", "distinct", "group by", "group by")
_SHAPES = (*_SHALLOW, "over", "top n", "group top n", "set operation", "distinct on")
