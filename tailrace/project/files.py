"""The SQL files of a project as relations: what the catalogue reads, in the terms of migrations.

A file holds one CREATE statement and is called like what it creates. Called by `tailrace sql`, `tailrace migrate new` and
`tailrace plan`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tailrace.catalogue import Catalogue, Problem, SqlObject, fingerprint, load, read_statements
from tailrace.errors import TailraceError
from tailrace.migrate.steps import normalize
from tailrace.sql.kinds import RelationKind

_CONDITIONAL = re.compile(r"CREATE\s+(?:OR\s+REPLACE\b|[A-Z\s]+?\bIF\s+NOT\s+EXISTS\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation, as a file or a migration writes it. `reads`: the relations that it names, itself left out."""

    kind: RelationKind
    name: str
    sql: str
    reads: frozenset[str] = frozenset()
    path: Path | None = field(default=None, compare=False)

    def same_as(self, other: Relation) -> bool:
        """Whether both make the same: what `fingerprint` leaves out does not count."""
        return self.kind is other.kind and fingerprint(self.sql) == fingerprint(other.sql)


def relation_of(sql: str, path: Path | None = None) -> Relation:
    """The relation that a CREATE statement makes. Raises TailraceError where it is none, or cannot be read."""
    objects, problems = read_statements(sql, str(path or ""))
    if problems:
        raise TailraceError(problems[0].message, sqlstate="42601", hint=problems[0].hint or None)
    if len(objects) != 1 or _CONDITIONAL.match(normalize(sql)):
        raise _not_one(sql)
    return _relation(objects[0], sql, path)


def read_relations(directory: Path) -> tuple[dict[str, Relation], list[Problem]]:
    """All relations below a directory by name, and what is wrong, in the order of files and lines."""
    return relations_in(load([directory]))


def relations_in(catalogue: Catalogue) -> tuple[dict[str, Relation], list[Problem]]:
    """As `read_relations`, of files that are read already."""
    problems = list(catalogue.problems)
    found: dict[str, Relation] = {}
    by_path: dict[str, list[SqlObject]] = {}
    for item in catalogue.objects.values():
        by_path.setdefault(item.path, []).append(item)
        found[str(item.name)] = _relation(item, item.sql, Path(item.path))
    for path, items in by_path.items():
        for item in items[1:]:
            hint = "a file of its own for each"
            problems.append(Problem("several", f"creates {item.name} as well", path, item.first_line, hint))
        for item in items:
            if _CONDITIONAL.match(normalize(item.sql)):
                problem = _not_one(item.sql)
                problems.append(
                    Problem("conditional", problem.message, path, item.first_line, problem.hint or "")
                )
        first = items[0]
        if Path(path).stem != first.name.name:
            hint = f"call the file {first.name.name}.sql, or the relation {Path(path).stem}"
            problems.append(Problem("file_name", f"creates {first.name}", path, first.first_line, hint))
    return found, sorted(problems, key=lambda p: (p.path, p.line))


def in_order(relations: Mapping[str, Relation]) -> list[Relation]:
    """What is read before what reads it, else by name. Raises TailraceError for relations that read each other."""
    ordered: dict[str, Relation] = {}
    entered: list[str] = []

    def visit(relation: Relation) -> None:
        if relation.name in ordered:
            return
        if relation.name in entered:
            circle = [*entered[entered.index(relation.name) :], relation.name]
            raise TailraceError(
                f"these read each other: {' -> '.join(circle)}",
                sqlstate="42P17",
                hint="take one out of the circle",
            )
        entered.append(relation.name)
        for name in sorted(relation.reads & relations.keys()):
            visit(relations[name])
        entered.pop()
        ordered[relation.name] = relation

    for name in sorted(relations):
        visit(relations[name])
    return list(ordered.values())


def readers(relations: Mapping[str, Relation], names: Iterable[str]) -> set[str]:
    """What reads these, directly or through others; these themselves left out."""
    names = set(names)
    reached = set(names)
    while more := {r.name for r in relations.values() if r.reads & reached} - reached:
        reached |= more
    return reached - names


def _relation(item: SqlObject, sql: str, path: Path | None) -> Relation:
    reads = {str(name) for name in (*item.reads, *([item.into] if item.into else []))}
    return Relation(item.kind, str(item.name), sql, frozenset(reads - {str(item.name)}), path)


def _not_one(sql: str) -> TailraceError:
    return TailraceError(
        f"expected CREATE {', '.join(kind.upper() for kind in RelationKind)} name ..., "
        f"got: {normalize(sql)[:40] or 'nothing'}",
        sqlstate="42601",
        hint="one CREATE statement a file, without IF NOT EXISTS and OR REPLACE",
    )
