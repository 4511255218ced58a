"""FROM and WHERE: tables, windows, queries, joins, LATERAL, and subqueries in conditions."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.oracle.queries.items import (
    COLUMNS,
    LITERALS,
    ORDERED,
    Item,
    Names,
    Relation,
    Type,
    comparison,
    listed,
)


@st.composite
def relation(draw: st.DrawFn, names: Names, depth: int) -> Relation:
    """A table, a table with its windows, or a query."""
    kind = draw(st.sampled_from(("table",) * 4 + (("query", "tumble", "hop") if depth > 0 else ())))
    alias = names.fresh()
    if kind == "query":
        query = draw(names.query(names, depth - 1))
        return Relation(
            f"({query.text}) AS {alias}",
            tuple(Item(f"{alias}.c{i}", type_) for i, type_ in enumerate(query.columns)),
        )
    table = draw(st.sampled_from(sorted(COLUMNS)))
    columns = tuple(Item(f"{alias}.{name}", type_) for name, type_ in COLUMNS[table])
    if kind == "table":
        return Relation(f"{table} AS {alias}", columns)
    windows = tuple(Item(f"{alias}.{name}", Type.TIME) for name in ("window_start", "window_end"))
    call = draw(
        st.sampled_from(
            (
                f"TUMBLE({table}, ts, INTERVAL '10 seconds')",
                f"TUMBLE({table}, ts, INTERVAL '30 seconds')",
            )
            if kind == "tumble"
            else (
                f"HOP({table}, ts, INTERVAL '5 seconds', INTERVAL '10 seconds')",
                f"HOP({table}, ts, INTERVAL '10 seconds', INTERVAL '30 seconds')",
            )
        )
    )
    return Relation(f"{call} AS {alias}", (*columns, *windows))


@st.composite
def joined_relations(draw: st.DrawFn, names: Names, depth: int) -> Relation:
    """One relation, or two or three joined."""
    found = draw(relation(names, depth))
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2))) if depth > 0 else 0):
        step = draw(st.sampled_from((_joined, _joined, _joined, _lateral, _unnested)))
        found = draw(step(found, names, depth))
    return found


@st.composite
def _joined(draw: st.DrawFn, left: Relation, names: Names, depth: int) -> Relation:
    right = draw(relation(names, depth - 1))
    if depth > 1 and draw(st.integers(0, 3)) == 0:
        inner = draw(_joined(right, names, depth - 1))
        right = Relation(f"({inner.text})", inner.columns)
    kind = draw(st.sampled_from(("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")))
    columns = (*left.columns, *right.columns)
    pairs = [f"{a.text} = {b.text}" for a, b in _alike(left.columns, right.columns)]
    if kind == "CROSS JOIN" or not pairs:
        return Relation(f"{left.text} CROSS JOIN {right.text}", columns)
    on = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=2, unique=True))
    if kind != "FULL JOIN" and draw(st.integers(0, 2)) == 0:  # PostgreSQL wants equalities alone there
        on.append(draw(comparison(columns)))
    return Relation(f"{left.text} {kind} {right.text} ON {' AND '.join(on)}", columns)


@st.composite
def _lateral(draw: st.DrawFn, left: Relation, names: Names, depth: int) -> Relation:
    """A subquery that sees what stands to its left: its rows, its first rows, or an aggregate."""
    inner, alias = draw(relation(names, 0)), names.fresh()
    pairs = _alike(left.columns, inner.columns)
    if not pairs:
        return draw(_joined(left, names, depth))
    outer, own = draw(st.sampled_from(pairs))
    where = f" WHERE {own.text} = {outer.text}"
    if draw(st.booleans()):
        where += f" AND {draw(comparison(inner.columns))}"
    ordered = [c for c in inner.columns if c.type in ORDERED]
    items = draw(st.lists(st.sampled_from(ordered), min_size=1, max_size=2, unique=True))
    kind = draw(st.sampled_from(("rows", "first", "aggregate")))
    if kind == "aggregate":
        items = [Item("count(*)", Type.INTEGER), *(Item(f"max({i.text})", i.type) for i in items)]
    text = f"SELECT {listed(items)} FROM {inner.text}{where}"
    if kind == "first":
        order = ", ".join(f"c{i}{draw(st.sampled_from(('', ' DESC')))}" for i in range(len(items)))
        text += f" ORDER BY {order} LIMIT {draw(st.integers(1, 2))}"
    join = draw(st.sampled_from(("CROSS JOIN LATERAL ({}) AS {}", "LEFT JOIN LATERAL ({}) AS {} ON true")))
    columns = tuple(Item(f"{alias}.c{i}", item.type) for i, item in enumerate(items))
    return Relation(f"{left.text} {join.format(text, alias)}", (*left.columns, *columns))


@st.composite
def _unnested(draw: st.DrawFn, left: Relation, names: Names, depth: int) -> Relation:
    """A row for each element of an array made from the row."""
    integers = [c for c in left.columns if c.type is Type.INTEGER]
    if not integers:
        return draw(_joined(left, names, depth))
    alias, column = names.fresh(), draw(st.sampled_from(integers))
    call = draw(
        st.sampled_from((f"unnest(ARRAY[{column.text}, 1, 1])", f"generate_series(0, {column.text})"))
    )
    return Relation(
        f"{left.text} CROSS JOIN {call} AS {alias} (v)", (*left.columns, Item(f"{alias}.v", Type.INTEGER))
    )


def _alike(left: Sequence[Item], right: Sequence[Item]) -> list[tuple[Item, Item]]:
    return [(a, b) for a in left for b in right if a.type == b.type and a.type in ORDERED]


@st.composite
def base(draw: st.DrawFn, names: Names, depth: int) -> tuple[Relation, str]:
    """A FROM clause and its WHERE."""
    found = draw(joined_relations(names, depth))
    return found, draw(_where(found.columns, names, depth))


@st.composite
def _where(draw: st.DrawFn, columns: Sequence[Item], names: Names, depth: int) -> str:
    parts = draw(st.lists(_predicate(columns, names, depth), max_size=2))
    times = [c.text for c in columns if c.type is Type.TIME and not c.text.endswith(("_start", "_end"))]
    if times and draw(st.integers(0, 9)) == 0:
        parts.append(f"{draw(st.sampled_from(times))} > now() - INTERVAL '20 seconds'")
    return f" WHERE {' AND '.join(parts)}" if parts else ""


@st.composite
def _predicate(draw: st.DrawFn, columns: Sequence[Item], names: Names, depth: int) -> str:
    plain = ("comparison", "comparison", "null", "list", "or", "not")
    nested = ("in", "exists", "scalar", "either") if depth > 0 else ()
    kind = draw(st.sampled_from(plain + nested))
    if kind == "comparison":
        return draw(comparison(columns))
    if kind == "null":
        return f"{draw(st.sampled_from(columns)).text} IS {draw(st.sampled_from(('NULL', 'NOT NULL')))}"
    if kind == "list":
        column = draw(st.sampled_from(columns))
        return f"{column.text} IN ({', '.join(LITERALS[column.type])})"
    if kind == "or":
        return f"({draw(comparison(columns))} OR {draw(comparison(columns))})"
    if kind == "not":
        return f"NOT ({draw(comparison(columns))})"
    if kind == "either":
        inner = draw(st.sampled_from(("in", "exists")))
        return f"({draw(_subquery_predicate(inner, columns, names))} OR {draw(comparison(columns))})"
    return draw(_subquery_predicate(kind, columns, names))


@st.composite
def _subquery_predicate(draw: st.DrawFn, kind: str, columns: Sequence[Item], names: Names) -> str:
    inner = draw(relation(names, 0))
    matches = _alike(columns, inner.columns)
    if not matches:
        return draw(comparison(columns))
    outer, column = draw(st.sampled_from(matches))
    where = f" WHERE {draw(comparison(inner.columns))}" if draw(st.booleans()) else ""
    if kind == "in":
        negated = draw(st.sampled_from(("IN", "IN", "NOT IN")))
        return f"{outer.text} {negated} (SELECT {column.text} FROM {inner.text}{where})"
    if kind == "exists":
        negated = draw(st.sampled_from(("EXISTS", "NOT EXISTS")))
        also = f" AND {draw(comparison(inner.columns))}" if draw(st.booleans()) else ""
        return f"{negated} (SELECT 1 FROM {inner.text} WHERE {column.text} = {outer.text}{also})"
    operator = draw(st.sampled_from(("=", "<", ">=")))
    return f"{outer.text} {operator} {draw(_scalar(column, outer, matches, inner, where)).text}"


@st.composite
def _scalar(
    draw: st.DrawFn,
    column: Item,
    outer: Item,
    matches: list[tuple[Item, Item]],
    inner: Relation,
    where: str,
) -> Item:
    """An aggregate of another relation, or of its rows that fit, of the type of `column`."""
    others = [(o, i) for o, i in matches if i is not column]
    if draw(st.booleans()) and others:
        out, into = draw(st.sampled_from(others))
        where = f" WHERE {into.text} = {out.text}"
    functions = ("max({})", "min({})", *(("count({})",) if column.type is Type.INTEGER else ()))
    call = draw(st.sampled_from(functions)).format(column.text)
    return Item(f"(SELECT {call} FROM {inner.text}{where})", outer.type)


@st.composite
def scalar_subquery(draw: st.DrawFn, columns: Sequence[Item], names: Names) -> Item | None:
    """A scalar subquery for the list of SELECT; None where nothing fits."""
    inner = draw(relation(names, 0))
    matches = _alike(columns, inner.columns)
    if not matches:
        return None
    outer, column = draw(st.sampled_from(matches))
    where = f" WHERE {draw(comparison(inner.columns))}" if draw(st.booleans()) else ""
    return draw(_scalar(column, outer, matches, inner, where))
