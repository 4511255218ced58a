"""The shapes of queries, but for those that number rows (`windows`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests.oracle.queries.items import (
    LITERALS,
    ORDERED,
    Item,
    Names,
    Query,
    Type,
    comparison,
    exact,
    expression,
    listed,
)
from tests.oracle.queries.relations import base, scalar_subquery
from tests.oracle.queries.windows import group_top_n, over, over_groups, range_over, top_n

Build = Callable[[Names, int], st.SearchStrategy[Query]]


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """A query for a materialized view."""
    return draw(_query(Names(_query), 2))


@st.composite
def _query(draw: st.DrawFn, names: Names, depth: int) -> Query:
    shape = draw(st.sampled_from(_SHAPES if depth > 0 else _SHALLOW))
    return draw(_BUILDERS[shape](names, depth))


@st.composite
def _plain(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(base(names, depth))
    items = draw(st.lists(expression(relation.columns), min_size=1, max_size=4))
    if (
        depth > 0
        and draw(st.integers(0, 4)) == 0
        and (found := draw(scalar_subquery(relation.columns, names)))
    ):
        items.append(found)
    return Query(f"SELECT {listed(items)} FROM {relation.text}{where}", tuple(i.type for i in items), "plain")


@st.composite
def _distinct(draw: st.DrawFn, names: Names, depth: int) -> Query:
    plain = draw(_plain(names, depth))
    return Query(plain.text.replace("SELECT", "SELECT DISTINCT", 1), plain.columns, "distinct")


_AGGREGATES: dict[Type, tuple[tuple[str, Type], ...]] = {
    Type.INTEGER: (
        ("sum({0})", Type.NUMERIC), ("avg({0})", Type.DOUBLE), ("sum(DISTINCT {0})", Type.NUMERIC),  # numeric of a bigint
        ("stddev_pop({0})", Type.DOUBLE), ("var_samp({0})", Type.DOUBLE), ("bit_or({0})", Type.INTEGER),
        ("percentile_cont(0.5) WITHIN GROUP (ORDER BY {0})", Type.DOUBLE),
        ("percentile_disc(0.3) WITHIN GROUP (ORDER BY {0})", Type.INTEGER),
        ("mode() WITHIN GROUP (ORDER BY {0})", Type.INTEGER), ("array_agg(({0})::bigint ORDER BY {0})", Type.ARRAY),
        ("jsonb_agg({0} ORDER BY {0} DESC)", Type.JSON),
    ),
    Type.NUMERIC: (
        ("sum({0})", Type.NUMERIC), ("avg({0})", Type.DOUBLE), ("sum(DISTINCT {0})", Type.NUMERIC),
    ),
    Type.DOUBLE: (
        ("sum({0})", Type.DOUBLE), ("avg({0})", Type.DOUBLE), ("max({0})", Type.DOUBLE), ("min({0})", Type.DOUBLE),
        ("percentile_cont(0.9) WITHIN GROUP (ORDER BY {0})", Type.DOUBLE), ("stddev_samp({0})", Type.DOUBLE),
    ),
    Type.TEXT: (
        ("string_agg({0}, ',' ORDER BY {0})", Type.TEXT), ("string_agg(DISTINCT {0}, ',' ORDER BY {0})", Type.TEXT),
        ("mode() WITHIN GROUP (ORDER BY {0})", Type.TEXT),
    ),
    Type.BOOLEAN: (("bool_and({0})", Type.BOOLEAN), ("bool_or({0})", Type.BOOLEAN)),
}  # fmt: skip


@st.composite
def aggregate(draw: st.DrawFn, columns: Sequence[Item]) -> Item:
    """A call of an aggregate function, of one argument or none."""
    column = draw(expression(columns))
    forms: list[tuple[str, Type]] = [("count(*)", Type.INTEGER), ("count({0})", Type.INTEGER)]
    if column.type in ORDERED:
        forms += [("count(DISTINCT {0})", Type.INTEGER), ("min({0})", column.type), ("max({0})", column.type)]
    forms += _AGGREGATES.get(column.type, ())
    form, type_ = draw(st.sampled_from(forms))
    text = form.format(column.text)
    if draw(st.integers(0, 3)) == 0:
        text += f" FILTER (WHERE {draw(comparison(columns))})"
    return Item(text, type_)


_GROUPINGS = {
    1: ("{0}", "{0}", "ROLLUP ({0})"),
    2: (
        "{0}, {1}", "{0}, {1}", "GROUPING SETS (({0}, {1}), ({1}))", "GROUPING SETS (({0}), ({1}))", "ROLLUP ({0}, {1})",
        "CUBE ({0}, {1})", "GROUPING SETS (({0}), ())",
    ),
}  # fmt: skip
_EMPTY_SET = ("ROLLUP", "CUBE", "()")


@st.composite
def _group_by(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(base(names, depth))
    found = [c for c in relation.columns if c.type in ORDERED]
    keys = draw(st.lists(st.sampled_from(found), max_size=2, unique=True)) if found else []
    calls = draw(st.lists(aggregate(relation.columns), min_size=1, max_size=3))
    having = []
    grouping = ""
    if keys:
        form = draw(st.sampled_from(_GROUPINGS[len(keys)]))
        keys = keys[: form.count("{1}") + 1]  # all that is shown is grouped by
        grouping = f" GROUP BY {form.format(*(k.text for k in keys))}"
        if any(word in form for word in _EMPTY_SET):
            having.append(
                "count(*) > 0"
            )  # over nothing it is a row in PostgreSQL, and none in RisingWave and in views
        if draw(st.integers(0, 3)) == 0:
            having.append(
                draw(st.sampled_from(("count(*) > 1", "count(*) < 3", f"count({keys[0].text}) > 0")))
            )
    items = (*keys, *calls)
    text = f"SELECT {listed(items)} FROM {relation.text}{where}{grouping}"
    if having:
        text += f" HAVING {' AND '.join(having)}"
    return Query(text, tuple(i.type for i in items), "group by")


@st.composite
def _set_operation(draw: st.DrawFn, names: Names, depth: int) -> Query:
    types = draw(st.lists(st.sampled_from((Type.INTEGER, Type.TEXT, Type.TIME)), min_size=1, max_size=2))
    sides: list[str] = []
    for _ in range(draw(st.sampled_from((2, 2, 3)))):
        relation, where = draw(base(names, depth - 1))
        items: list[Item] = []
        for type_ in types:
            fitting = [c for c in relation.columns if c.type is type_]
            items.append(
                draw(st.sampled_from(fitting)) if fitting else Item(f"{LITERALS[type_][0]}::{type_}", type_)
            )
        sides.append(f"SELECT {listed(items)} FROM {relation.text}{where}")
    words = st.sampled_from(("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"))
    text = sides[0]
    for number, side in enumerate(sides[1:]):
        left = f"({text})" if number else text
        text = f"{left} {draw(words)} {side}"
    return Query(text, tuple(types), "set operation")


@st.composite
def _distinct_on(draw: st.DrawFn, names: Names, depth: int) -> Query:
    relation, where = draw(base(names, depth))
    items = draw(st.lists(st.sampled_from(exact(relation)), min_size=1, max_size=3, unique=True))
    order = ", ".join(
        i.text + (draw(st.sampled_from(("", " DESC"))) if n else "") for n, i in enumerate(items)
    )
    text = (
        f"SELECT DISTINCT ON ({items[0].text}) {listed(items)} FROM {relation.text}{where} ORDER BY {order}"
    )
    return Query(text, tuple(i.type for i in items), "distinct on")


@st.composite
def _with(draw: st.DrawFn, names: Names, depth: int) -> Query:
    """A query that is read twice."""
    query, cte, left, right = draw(_query(names, depth - 1)), *(names.fresh() for _ in range(3))
    keys = [
        (i, j)
        for i, one in enumerate(query.columns)
        for j, other in enumerate(query.columns)
        if one is other and one in ORDERED
    ]
    on = f"CROSS JOIN {cte} AS {right}"
    if keys:
        first, second = draw(st.sampled_from(keys))
        on = f"JOIN {cte} AS {right} ON {left}.c{first} = {right}.c{second}"
    columns = [Item(f"{a}.c{i}", t) for a in (left, right) for i, t in enumerate(query.columns)]
    items = draw(st.lists(expression(columns), min_size=1, max_size=3))
    text = f"WITH {cte} AS ({query.text}) SELECT {listed(items)} FROM {cte} AS {left} {on}"
    return Query(text, tuple(i.type for i in items), "with")


_BUILDERS: dict[str, Build] = {
    "plain": _plain,
    "distinct": _distinct,
    "group by": _group_by,
    "over": over,
    "over range": range_over,
    "over groups": over_groups,
    "top n": top_n,
    "group top n": group_top_n,
    "set operation": _set_operation,
    "distinct on": _distinct_on,
    "with": _with,
}
_SHALLOW = ("plain", "plain", "distinct", "group by", "group by")
_SHAPES = (*_SHALLOW, *(shape for shape in _BUILDERS if shape not in _SHALLOW))
