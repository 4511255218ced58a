"""The plan: what differs between a database and the files, what each difference reaches, and the statements that mend it. Pure.

Statements are those of `tailrace.project.changes`: a changed view is built beside the old one with everything that reads it, and
the names are swapped. `tailrace migrate` runs them, journalled, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tailrace.catalogue import Catalogue, fingerprint
from tailrace.migrate.steps import Step, normalize, render
from tailrace.plan.deployed import Deployed
from tailrace.project.changes import compare
from tailrace.project.files import Relation, readers
from tailrace.sql.kinds import RelationKind
from tailrace.sql.names import ObjectName


class What(StrEnum):
    """What happens to a relation."""

    CREATED = "created"
    CHANGED = "changed"
    REBUILT = "rebuilt"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Change:
    """`reaches`: what reads it, all the way. `sql` and `columns` are differences, a line each with `+`, `-` or a blank first.

    `rows`: how many rows its inputs hold, to be read when it is built; None where nothing is built, or nobody counts.
    """

    name: str
    kind: RelationKind
    what: What
    reaches: tuple[str, ...] = ()
    sql: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """`unchanged` counts; `strange`: relations that are neither in the files nor made by the migrations, and stay as they are.

    `obstacles`: why the plan cannot be carried out as it is, a sentence each. `drifted`: what was changed past the migrations.
    """

    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    unchanged: int
    strange: tuple[str, ...]
    drifted: tuple[str, ...]
    obstacles: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)


def make_plan(
    deployed: Deployed,
    wanted: Mapping[str, Relation],
    recorded: Mapping[str, Relation],
    catalogue: Catalogue,
    variables: Mapping[str, str],
) -> Plan:
    """Compare. `recorded` is what the migrations that have run left behind; `variables` fill in `${...}` of the files.

    Raises TailraceError as `compare` does: for a changed table, and for a kind that has changed.
    """
    there = {
        name: _as_written(relation, [recorded.get(name), wanted.get(name)], variables)
        for name, relation in deployed.relations.items()
    }
    strange = {n for n in there if n not in wanted and n not in recorded} | set(deployed.unread)
    ours = {name: relation for name, relation in there.items() if name not in strange}
    found = compare(ours, wanted)
    touched = {*found.changed, *found.rebuilt, *found.gone}
    held = {n: there[n].reads & touched for n in sorted(strange & there.keys()) if there[n].reads & touched}
    drifted = tuple(
        sorted(n for n in ours.keys() & recorded.keys() if not ours[n].same_as(recorded[n]))
    ) + tuple(sorted(recorded.keys() - deployed.relations.keys() - deployed.unread))
    names = {
        What.CREATED: found.new,
        What.CHANGED: found.changed,
        What.REBUILT: found.rebuilt,
        What.DROPPED: found.gone,
    }
    changes = tuple(
        _change(name, what, ours, wanted, deployed, catalogue)
        for what, listed in names.items()
        for name in listed
    )
    obstacles = tuple(
        f"{name}, which no migration made, reads {', '.join(sorted(read))}: drop it first, or put it into the files"
        for name, read in held.items()
    )
    built = touched | set(found.new)
    unchanged = len(ours.keys() - built)
    return Plan(changes, found.upgrade, unchanged, tuple(sorted(strange)), drifted, obstacles)


def _as_written(relation: Relation, texts: list[Relation | None], variables: Mapping[str, str]) -> Relation:
    """A deployed relation by the text that made it, `${...}` and layout included, if one of `texts` is that."""
    deployed = fingerprint(relation.sql)
    for text in texts:
        if (
            text is not None
            and text.kind is relation.kind
            and fingerprint(render(text.sql, variables)) == deployed
        ):
            return text
    return relation


def _change(  # noqa: PLR0917
    name: str,
    what: What,
    ours: Mapping[str, Relation],
    wanted: Mapping[str, Relation],
    deployed: Deployed,
    catalogue: Catalogue,
) -> Change:
    relation = ours[name] if what is What.DROPPED else wanted[name]
    around = ours if what is What.DROPPED else wanted
    return Change(
        name,
        relation.kind,
        what,
        reaches=tuple(sorted(readers(around, [name]))),
        sql=_sql(ours[name].sql, wanted[name].sql) if what is What.CHANGED else (),
        columns=_columns(name, deployed, catalogue) if what is What.CHANGED else (),
        rows=_rows(relation, deployed) if what is not What.DROPPED else None,
        note=_note(relation, what),
    )


def _sql(old: str, new: str) -> tuple[str, ...]:
    left, right = ([_bare(line) for line in text.strip().splitlines()] for text in (old, new))
    left, right = ([line for line in lines if line.strip()] for lines in (left, right))
    if len(left) == 1 < len(right):  # stored on one line: compare as that
        left, right = [normalize(old)], [normalize(new)]
    lines = difflib.unified_diff(left, right, lineterm="", n=1)
    return tuple(line for line in lines if not line.startswith(("---", "+++", "@@")))


def _bare(line: str) -> str:
    return "" if line.lstrip().startswith("--") else line.rstrip().removesuffix(";")


def _columns(name: str, deployed: Deployed, catalogue: Catalogue) -> tuple[str, ...]:
    """Names only where the files do not tell a type: those that the engine has are not guessed at."""
    columns = catalogue.columns(ObjectName(name))
    old = deployed.columns.get(name)
    if columns is None or old is None:
        return ()
    new = {c.name: c.type for c in columns}
    gone = [f"- {n} {t}" for n, t in old.items() if n not in new]
    return (*gone, *(f"+ {c}" for c in columns if c.name not in old))


def _rows(relation: Relation, deployed: Deployed) -> int | None:
    if relation.kind not in (RelationKind.MATERIALIZED_VIEW, RelationKind.INDEX, RelationKind.SINK):
        return None
    counts = [deployed.rows[n] for n in relation.reads if n in deployed.rows]
    return sum(counts) if counts else None


def _note(relation: Relation, what: What) -> str:
    if what is What.DROPPED:
        return "with its rows" if relation.kind is RelationKind.TABLE else ""
    if relation.kind is RelationKind.SINK and what is not What.CREATED:
        return "dropped and made again: everything is delivered once more, and what went away meanwhile is not withdrawn"
    if relation.kind is RelationKind.SOURCE and what is not What.CREATED:
        return "the topic is read again, from scan.startup.mode on"
    if what is What.REBUILT:
        return "its text is as it was; what it reads is not"
    return ""
