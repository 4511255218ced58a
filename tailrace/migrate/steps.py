"""Statements of a migration as values: what a revision does is a list of steps, which plan, apply and tests
all walk.

A step creates or drops one relation, renames it, or swaps it with another of its kind. Its SQL is the text as
written, with `${VARIABLE}` left in; `render` fills that in. Assumes one statement a step. Built by
`operations`, executed by `runner`, compared by tests and the lock. No I/O.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tailrace.migrate.errors import MigrationInvalidError
from tailrace.sql.kinds import RelationKind

_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_LITERAL_OR_LAYOUT = re.compile(r"('(?:[^']|'')*')|(?:--[^\n]*|\s)+")


class Action(StrEnum):
    """What a step does to its relation."""

    CREATE = "create"
    DROP = "drop"
    RENAME = "rename"
    SWAP = "swap"


class Direction(StrEnum):
    """Which way a revision is walked."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement about one relation; `other` is its new name (RENAME) or its partner's (SWAP), else empty."""

    action: Action
    kind: RelationKind
    name: str
    sql: str
    other: str = ""

    @property
    def checksum(self) -> str:
        """Changes when the statement does, not when its layout or comments do; 16 hexadecimal digits."""
        return hashlib.sha256(normalize(self.sql).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        words = {Action.RENAME: f" to {self.other}", Action.SWAP: f" with {self.other}"}
        return f"{self.action} {self.kind} {self.name}{words.get(self.action, '')}"


def create(kind: RelationKind, name: str, sql: str) -> Step:
    """The step that runs `sql`, which must be a CREATE of just this kind and name.

    >>> str(create(RelationKind.VIEW, "v", "CREATE VIEW v AS SELECT 1"))
    'create view v'

    Raises MigrationInvalidError otherwise: the journal and the way back rely on the name.
    """
    wanted = rf"CREATE\s+{kind.replace(' ', chr(92) + 's+')}\s+{re.escape(name)}\b"
    if not re.match(wanted, normalize(sql), re.IGNORECASE):
        start = normalize(sql)[:60]
        raise MigrationInvalidError(
            f"the statement for {kind} {name} must start with CREATE {kind.upper()} {name}, got: {start}",
            hint="name and text must agree; IF NOT EXISTS and OR REPLACE would hide what is already there",
        )
    return Step(Action.CREATE, kind, name, sql.strip())


def drop(kind: RelationKind, name: str) -> Step:
    """The step that drops a relation, never with CASCADE: what depends on it has its own step."""
    return Step(Action.DROP, kind, name, f"DROP {kind.upper()} {name}")


def rename(kind: RelationKind, name: str, new: str) -> Step:
    """The step that gives a relation a new name; what is built on it reads on.

    >>> rename(RelationKind.VIEW, "v", "w").sql
    'ALTER VIEW v RENAME TO w'
    """
    return Step(Action.RENAME, kind, name, f"ALTER {kind.upper()} {name} RENAME TO {new}", new)


def swap(kind: RelationKind, name: str, other: str) -> Step:
    """The step that exchanges the names of two relations of one kind; what is built on either stays on it.

    >>> str(swap(RelationKind.MATERIALIZED_VIEW, "v", "v_new"))
    'swap materialized view v with v_new'
    """
    return Step(Action.SWAP, kind, name, f"ALTER {kind.upper()} {name} SWAP WITH {other}", other)


def normalize(sql: str) -> str:
    """The statement without comments, final semicolon and layout, to compare texts by.

    >>> normalize("SELECT  1 -- one\\n, '-- kept';\\n")
    "SELECT 1 , '-- kept'"
    """
    bare = _LITERAL_OR_LAYOUT.sub(lambda match: match[1] or " ", sql)
    return bare.strip().removesuffix(";").rstrip()


def render(sql: str, variables: Mapping[str, str]) -> str:
    """Fill in `${NAME}`, which stands inside a quoted literal, so quotes in the value are doubled.

    >>> render("topic = '${TOPIC}'", {"TOPIC": "it's"})
    "topic = 'it''s'"

    Raises MigrationInvalidError for a name that `variables` does not hold.
    """

    def value(match: re.Match[str]) -> str:
        try:
            return variables[match[1]].replace("'", "''")
        except KeyError:
            raise MigrationInvalidError(
                f"the variable {match[1]} is not set",
                hint=f"export {match[1]}=..., or use one of: "
                + ", ".join(sorted(name for name in variables if name.startswith("TAILRACE_"))),
            ) from None

    return _VARIABLE.sub(value, sql)
