"""docs/cost.md says of each operator the classes that it declares, no more and no fewer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from engine.operators.base import Cost

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
OPERATORS = sorted((ROOT / "engine" / "operators").glob("*.py"))
_NAME = re.compile(r"[A-Z][A-Za-z]+")


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the first table behind a heading."""
    text = PAGE.split(f"# {heading}\n", 1)[1]
    for line in text[text.index("\n|") :].strip().splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def names_in(node: ast.AST) -> set[str]:
    """The names of operators among the strings in `node`."""
    strings = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return {s for s in strings if _NAME.fullmatch(s)}


def classes_in(tree: ast.AST) -> set[str]:
    """The classes of cost that code names."""
    found = (n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name))
    return {Cost[n.attr].value for n in found if isinstance(n.value, ast.Name) and n.value.id == "Cost"}


def declared() -> dict[str, set[str]]:
    """By the name that EXPLAIN shows: the classes that the operator's module names."""
    trees = {p.stem: ast.parse(p.read_text(encoding="utf-8")) for p in OPERATORS if p.stem != "base"}
    shown: dict[str, set[str]] = {}
    for stem, tree in trees.items():
        classes = classes_in(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and any(a.name == "cost" for a in node.names):
                classes |= classes_in(trees[str(node.module).rsplit(".", 1)[-1]])
        describes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "describe"]
        names = {name for d in describes for name in names_in(d)}
        if stem == "recompute_groups":  # named by who makes it
            names = set.union(*(names_in(ast.parse(c)) for c in made("RecomputeGroups")))
        for name in names:
            shown.setdefault(name, set()).update(classes)
    return shown


def made(operator: str) -> list[str]:
    """The calls in the compiler that make an operator."""
    found = []
    for path in (ROOT / "engine" / "compile").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == operator:
                found.append(ast.unparse(node))
    return found


def test_each_operator_stands_with_its_classes() -> None:
    listed: dict[str, set[str]] = {}
    for names, _, cost in rows("Operators"):
        for name in names.split(", "):
            listed.setdefault(name, set()).add(cost)
    assert listed == declared()


def test_the_classes_are_explained() -> None:
    assert [row[0] for row in rows("What a barrier costs")] == [c.value for c in Cost]
