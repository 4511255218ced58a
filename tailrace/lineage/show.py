"""Lineage for people (trees), for documents (Mermaid) and for programs (JSON). Pure."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from rich.tree import Tree

from tailrace.catalogue import Catalogue
from tailrace.lineage.graph import Lineage, Point
from tailrace.sql.kinds import RelationKind

_STYLE = {
    RelationKind.SOURCE: "green",
    RelationKind.TABLE: "green",
    RelationKind.MATERIALIZED_VIEW: "cyan",
    RelationKind.VIEW: "blue",
    RelationKind.INDEX: "dim",
    RelationKind.SINK: "magenta",
}
_SHAPE = {
    RelationKind.SOURCE: '[("{}")]',
    RelationKind.TABLE: '[("{}")]',
    RelationKind.SINK: '[["{}"]]',
    RelationKind.INDEX: '>"{}"]',
}


def as_trees(lineage: Lineage, catalogue: Catalogue) -> list[Tree]:
    """What it is built on, and what is built on it; of everything, one tree for each relation that reads nothing.

    A relation that stands in the tree already is marked with an arrow instead of being written out again.
    """
    readers: dict[Point, list[Point]] = {}
    origins: dict[Point, list[Point]] = {}
    for edge in lineage.edges:
        readers.setdefault(edge.origin, []).append(edge.reader)
        origins.setdefault(edge.reader, []).append(edge.origin)
    if lineage.start is None:
        seen: set[Point] = set()
        return [_tree(p, readers, catalogue, seen) for p in lineage.points if p not in origins]
    start = lineage.start
    found = []
    for title, steps in (("is built on", origins), ("is read by", readers)):
        root = Tree(_label(start, catalogue).append(f" {title}", style="dim"))
        if start not in steps:
            root.add(Text("nothing", style="dim"))
        _grow(root, start, steps, catalogue, {start})
        found.append(root)
    return found


def _tree(point: Point, steps: dict[Point, list[Point]], catalogue: Catalogue, seen: set[Point]) -> Tree:
    root = Tree(_label(point, catalogue))
    seen.add(point)
    _grow(root, point, steps, catalogue, seen)
    return root


def _grow(
    branch: Tree, point: Point, steps: dict[Point, list[Point]], catalogue: Catalogue, seen: set[Point]
) -> None:
    for following in steps.get(point, []):
        label = _label(following, catalogue)
        if following in seen and following in steps:
            branch.add(label.append(" ↑", style="dim"))
            continue
        seen.add(following)
        _grow(branch.add(label), following, steps, catalogue, seen)


def _label(point: Point, catalogue: Catalogue) -> Text:
    item = catalogue.objects.get(point.relation)
    label = Text(str(point), style=_STYLE.get(item.kind, "") if item else "")
    if point.column:
        columns = catalogue.columns(point.relation) or ()
        type_ = next((c.type for c in columns if c.name == point.column), None)
        return label.append(f"  {type_}", style="dim") if type_ else label
    return label.append(f"  {item.kind}", style="dim") if item else label


def as_mermaid(lineage: Lineage, catalogue: Catalogue) -> str:
    """A flowchart, to be put into a document between ```mermaid and ```."""
    ids = {point: f"n{number}" for number, point in enumerate(lineage.points)}
    lines = ["flowchart LR"]
    for point, id_ in ids.items():
        item = catalogue.objects.get(point.relation)
        shape = _SHAPE.get(item.kind, '["{}"]') if item and not point.column else '["{}"]'
        lines.append(f"    {id_}{shape.format(str(point).replace(chr(34), '#quot;'))}")
    lines += [f"    {ids[e.origin]} --> {ids[e.reader]}" for e in lineage.edges]
    return "\n".join(lines)


def as_json(lineage: Lineage, catalogue: Catalogue) -> dict[str, Any]:
    """`relations` (or `columns`) with kind, file and columns, and `edges` from what is read to what reads it."""
    edges = [{"from": str(e.origin), "to": str(e.reader)} for e in lineage.edges]
    if any(point.column for point in lineage.points):
        return {"columns": [str(p) for p in lineage.points], "edges": edges}
    return {"relations": [_relation(p, catalogue) for p in lineage.points], "edges": edges}


def _relation(point: Point, catalogue: Catalogue) -> dict[str, Any]:
    item = catalogue.objects[point.relation]
    columns = catalogue.columns(item.name)
    return {
        "name": str(item.name),
        "kind": str(item.kind),
        "file": item.path,
        "line": item.first_line,
        "columns": None if columns is None else [{"name": c.name, "type": c.type} for c in columns],
    }
