"""All objects of a folder together: who reads whom, in which order they are made, and what does not hold. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import cached_property

from tailrace.catalogue.columns import analyse
from tailrace.catalogue.objects import Column, Problem, SqlObject
from tailrace.catalogue.relation import Analysis
from tailrace.errors import InvalidStatement, UndefinedObject
from tailrace.sql.names import ObjectName


class Catalogue:
    """Objects by name. Of two with one name the first counts; every mistake is in `problems`, in the order of files.

    Built from what `read_statements` gives. Columns and their origins are worked out once, when first asked for.
    """

    def __init__(self, objects: Iterable[SqlObject], problems: Iterable[Problem] = ()) -> None:
        self.objects: dict[ObjectName, SqlObject] = {}
        self._syntax = list(problems)
        self._repeated: list[Problem] = []
        for item in objects:
            if item.name in self.objects:
                first = self.objects[item.name]
                message = f"{item.kind} {item.name} is declared in {first.path}:{first.first_line} already"
                hint = "keep one of them, or rename it"
                self._repeated.append(Problem("duplicate_object", message, item.path, item.first_line, hint))
            else:
                self.objects[item.name] = item

    def named(self, name: str) -> SqlObject:
        """The object of a name as a user writes it (`readings`, `ops.lag`); raises UndefinedObject with what is like it."""
        schema, _, last = name.rpartition(".")
        found = self.objects.get(ObjectName(last, "" if schema == "public" else schema))
        if found is None:
            raise UndefinedObject(
                f'"{name}" is not in the files',
                hint=_like(name, map(str, self.objects)) or "see tailrace lineage",
            )
        return found

    def inputs(self, name: ObjectName) -> tuple[ObjectName, ...]:
        """What the object reads, of what is declared here."""
        return tuple(n for n in self.objects[name].reads if n in self.objects)

    def readers(self, name: ObjectName) -> tuple[ObjectName, ...]:
        """What reads the object, indexes and sinks included."""
        return self._readers.get(name, ())

    def upstream(self, name: ObjectName) -> set[ObjectName]:
        """Everything that the object is built on."""
        return _closure(name, self.inputs)

    def downstream(self, name: ObjectName) -> set[ObjectName]:
        """Everything that is built on the object."""
        return _closure(name, self.readers)

    @cached_property
    def order(self) -> tuple[ObjectName, ...]:
        """All names, each behind what it reads; those of a cycle are left out. Else as in the files."""
        return tuple(self._sorted[0])

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What does not hold: syntax, names twice, relations and columns that there are not, cycles."""
        found = [*self._syntax, *self._repeated, *self._unknown(), *self._cycles()]
        found += [problem for analysis in self.analyses.values() for problem in analysis.problems]
        return tuple(sorted(found, key=lambda p: (p.path, p.line)))

    @cached_property
    def analyses(self) -> dict[ObjectName, Analysis]:
        """Columns, their types and origins, object by object, in the order of dependence."""
        known: dict[ObjectName, tuple[Column, ...] | None] = {}
        found: dict[ObjectName, Analysis] = {}
        for name in self.order:
            found[name] = analyse(self.objects[name], known)
            known[name] = found[name].columns
        return found

    def columns(self, name: ObjectName) -> tuple[Column, ...] | None:
        """The columns of a relation; None where the text does not tell."""
        analysis = self.analyses.get(name)
        return analysis.columns if analysis else None

    def check(self) -> None:
        """Raise InvalidStatement with every problem, a line each, if there is any."""
        if len(self.problems) == 1:
            raise InvalidStatement(str(self.problems[0]))
        if self.problems:
            raise InvalidStatement(
                f"{len(self.problems)} problems in the SQL files", detail="\n".join(map(str, self.problems))
            )

    @cached_property
    def _readers(self) -> dict[ObjectName, tuple[ObjectName, ...]]:
        found: dict[ObjectName, list[ObjectName]] = {}
        for item in self.objects.values():
            for name in item.reads:
                found.setdefault(name, []).append(item.name)
        return {name: tuple(names) for name, names in found.items()}

    @cached_property
    def _sorted(self) -> tuple[list[ObjectName], list[ObjectName]]:
        """The order, and the names that are in a cycle or behind one."""
        done: dict[ObjectName, None] = {}
        left = list(self.objects)
        while left:
            ready = [name for name in left if all(n in done for n in self.inputs(name))]
            if not ready:
                break
            done.update(dict.fromkeys(ready))
            left = [name for name in left if name not in done]
        return list(done), left

    def _unknown(self) -> Iterable[Problem]:
        relations = [str(n) for n, item in self.objects.items() if item.kind.has_rows]
        for item in self.objects.values():
            for name in (*item.reads, *([item.into] if item.into else [])):
                if name not in self.objects and not _is_system(name):
                    hint = _like(str(name), relations) or "add its file, or mend the name"
                    message = f"{item.kind} {item.name} reads {name}, which no file creates"
                    yield Problem("unknown_relation", message, item.path, self._line_of(item, name), hint)

    def _line_of(self, item: SqlObject, name: ObjectName) -> int:
        from tailrace.sql.names import references

        found = (r.identifier for r in references(item.tree) if r.name.name == name.name)
        return next((item.line_of(node) for node in found), item.first_line)

    def _cycles(self) -> Iterable[Problem]:
        caught: set[ObjectName] = set()
        for name in self._sorted[1]:
            path = self._way_back(name)
            if path and name not in caught:
                caught.update(path)
                item = self.objects[name]
                shown = " -> ".join(map(str, [*path, name]))
                yield Problem(
                    "cycle", f"reads itself: {shown}", item.path, item.first_line, "break the circle"
                )

    def _way_back(self, start: ObjectName) -> list[ObjectName]:
        """A path along inputs from `start` to itself, without the end; empty where there is none."""
        paths = [[start]]
        seen: set[ObjectName] = set()
        while paths:
            path = paths.pop()
            for name in self.inputs(path[-1]):
                if name == start:
                    return path
                if name not in seen:
                    seen.add(name)
                    paths.append([*path, name])
        return []


def _closure(start: ObjectName, step: Callable[[ObjectName], Iterable[ObjectName]]) -> set[ObjectName]:
    found: set[ObjectName] = set()
    left = [start]
    while left:
        for name in step(left.pop()):
            if name not in found:
                found.add(name)
                left.append(name)
    return found - {start}


def _is_system(name: ObjectName) -> bool:
    return name.schema in ("pg_catalog", "rw_catalog", "information_schema") or (
        not name.schema and name.name.startswith(("rw_", "pg_"))
    )


def _like(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else ""
