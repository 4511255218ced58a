"""Lineage as edges from what is read to what reads it, between relations or between columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tailrace.catalogue import Catalogue
from tailrace.errors import UndefinedObject
from tailrace.sql.names import ObjectName


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A relation, or (`column` not empty) one of its columns."""

    relation: ObjectName
    column: str = ""

    def __str__(self) -> str:
        return f"{self.relation}.{self.column}" if self.column else str(self.relation)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`reader` is made from `origin`."""

    origin: Point
    reader: Point


@dataclass(frozen=True, slots=True)
class Lineage:
    """`start` is what was asked about, None for everything; `edges` are in the order in which relations are made."""

    start: Point | None
    edges: tuple[Edge, ...]
    points: tuple[Point, ...]


def relation_lineage(catalogue: Catalogue, name: str | None = None) -> Lineage:
    """What the relation is built on and what is built on it; without a name, everything."""
    if name is None:
        wanted = set(catalogue.objects)
        start = None
    else:
        item = catalogue.named(name)
        start = Point(item.name)
        wanted = {item.name} | catalogue.upstream(item.name) | catalogue.downstream(item.name)
    ordered = [*catalogue.order, *(n for n in catalogue.objects if n not in catalogue.order)]
    points = tuple(Point(n) for n in ordered if n in wanted)
    edges = tuple(
        Edge(Point(origin), point)
        for point in points
        for origin in catalogue.inputs(point.relation)
        if origin in wanted
    )
    if start is not None:
        edges = _connected(start, edges)
    return Lineage(start, edges, points)


def column_lineage(catalogue: Catalogue, name: str, column: str) -> Lineage:
    """The columns that a column is made of, and those that are made of it.

    Values only: a column that decides which rows there are (WHERE, JOIN, GROUP BY) is not among them. Raises UndefinedObject
    where the relation has no such column.
    """
    item = catalogue.named(name)
    columns = catalogue.columns(item.name)
    names = [c.name for c in columns or ()]
    if column not in names:
        raise UndefinedObject(
            f'"{item.name}" has no column "{column}"',
            sqlstate="42703",
            hint=f"there are: {', '.join(names)}" if names else "its columns cannot be told from its text",
        )
    edges = tuple(
        Edge(Point(*origin), Point(relation, reader))
        for relation, analysis in catalogue.analyses.items()
        for reader, origins in analysis.origins.items()
        for origin in origins
    )
    start = Point(item.name, column)
    kept = _connected(start, edges)
    found = dict.fromkeys([start, *(p for e in kept for p in (e.origin, e.reader))])
    return Lineage(start, kept, tuple(found))


def _connected(start: Point, edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """The edges on the way to `start` and on the way from it."""
    listed = list(edges)
    above, below = {start}, {start}
    for edge in reversed(listed):  # edges are in the order of making: one pass each way is enough
        if edge.reader in above:
            above.add(edge.origin)
    for edge in listed:
        if edge.origin in below:
            below.add(edge.reader)
    return tuple(e for e in listed if e.reader in above or e.origin in below)
