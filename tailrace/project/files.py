"""The SQL files of a project as relations, and what is wrong with them, file by file and line by line.

A file holds one CREATE statement and is called like what it creates. Called by `tailrace sql` and `tailrace migrate new`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from tailrace.errors import TailraceError
from tailrace.migrate.steps import RelationKind, normalize
from tailrace.sql import parse_statement
from tailrace.sql.names import ObjectName
from tailrace.sql.rename import Written, rewrite_references

_KINDS = "|".join(kind.upper().replace(" ", r"\s+") for kind in sorted(RelationKind, key=len, reverse=True))
_CREATED = re.compile(
    rf'CREATE\s+({_KINDS})\s+(?!IF\s+NOT\b)((?:\w+|"[^"]+")(?:\.(?:\w+|"[^"]+"))?)', re.IGNORECASE
)
_SYSTEM = ("rw_", "pg_")


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation, as a file or a migration writes it. `reads`: the relations that it names, itself left out."""

    kind: RelationKind
    name: str
    sql: str
    reads: frozenset[str] = frozenset()
    path: Path | None = field(default=None, compare=False)

    def same_as(self, other: Relation) -> bool:
        """Whether both make the same: layout, comments, and aliases that only repeat a name do not count."""
        return self.kind is other.kind and plain(self.sql) == plain(other.sql)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file. `line` counts from 1; None: with all of it."""

    path: Path
    message: str
    line: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


def plain(sql: str) -> str:
    """A statement to compare by.

    >>> plain("CREATE VIEW v AS\\n SELECT a FROM t AS t -- all")
    'CREATE VIEW v AS SELECT a FROM t'
    """
    return re.sub(r"\b(\w+) AS \1\b", r"\1", normalize(sql))


def relation_of(sql: str, path: Path | None = None) -> Relation:
    """The relation that a CREATE statement makes. Raises TailraceError where it is none, or cannot be read."""
    created = _CREATED.match(normalize(sql))
    if created is None:
        raise TailraceError(
            f"expected CREATE {', '.join(kind.upper() for kind in RelationKind)} name ..., "
            f"got: {normalize(sql)[:40] or 'nothing'}",
            sqlstate="42601",
            hint="one CREATE statement a file, without IF NOT EXISTS and OR REPLACE",
        )
    parse_statement(sql)
    name = created[2].strip('"') if created[2].startswith('"') else created[2].lower()
    kind = RelationKind(re.sub(r"\s+", " ", created[1].lower()))
    seen: set[str] = set()

    def note(reference: ObjectName) -> Written | None:
        seen.add(str(reference))
        return None

    rewrite_references(sql, note)
    return Relation(kind, name, sql, frozenset(seen - {name}), path)


def read_relations(directory: Path) -> tuple[dict[str, Relation], list[Problem]]:
    """All relations below a directory by name, and what is wrong; a file with a problem is left out where it cannot be read."""
    found: dict[str, Relation] = {}
    problems: list[Problem] = []
    for path in sorted(directory.rglob("*.sql")):
        try:
            relation = relation_of(path.read_text(encoding="utf-8"), path)
        except (TailraceError, UnicodeDecodeError) as error:
            problems.append(_unreadable(path, error))
            continue
        if relation.name in found:
            problems.append(Problem(path, f"{relation.name} is created by {found[relation.name].path} too"))
            continue
        if path.stem != relation.name:
            wanted = f"{relation.name}.sql"
            problems.append(
                Problem(
                    path,
                    f"creates {relation.name}",
                    hint=f"call the file {wanted}, or the relation {path.stem}",
                )
            )
        found[relation.name] = relation
    problems += _unknown(found)
    return found, problems


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


def _unreadable(path: Path, error: TailraceError | UnicodeDecodeError) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        return Problem(path, "is not UTF-8 text")
    line = re.search(r" at line (\d+)", error.message)
    return Problem(path, error.message, int(line[1]) if line else None, error.hint)


def _unknown(found: Mapping[str, Relation]) -> list[Problem]:
    problems = []
    for relation in found.values():
        for name in sorted(relation.reads):
            if name in found or name.partition(".")[0].startswith(_SYSTEM) or "." in name:
                continue
            close = get_close_matches(name, found, 1)
            hint = f"did you mean {close[0]}?" if close else "no file creates it"
            problems.append(
                Problem(relation.path or Path(name), f"reads {name}", _line_of(relation.sql, name), hint)
            )
    return problems


def _line_of(sql: str, name: str) -> int | None:
    for number, line in enumerate(sql.splitlines(), 1):
        if re.search(rf"\b{re.escape(name)}\b", line.partition("--")[0], re.IGNORECASE):
            return number
    return None
