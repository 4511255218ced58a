"""What a SQL file declares, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from tailrace.sql.kinds import RelationKind
from tailrace.sql.names import ObjectName


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` as it is written in SQL, None where the text alone does not tell."""

    name: str
    type: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.type}" if self.type else self.name


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file: `code` names the kind of mistake, `line` counts from 1, `hint` is the next step or empty."""

    code: str
    message: str
    path: str
    line: int
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True, slots=True, eq=False)
class SqlObject:
    """One CREATE statement.

    `sql` is its text as written, comments before it included; `line` is where that text begins in `path`, so that a node's line
    in the file is `line` plus its own line less 1. `reads` are the relations that it names, first mention first; `into` is the
    table that a sink writes to, if any.
    """

    kind: RelationKind
    name: ObjectName
    path: str
    line: int
    sql: str
    tree: exp.Create
    reads: tuple[ObjectName, ...]
    into: ObjectName | None = None

    @property
    def query(self) -> exp.Query | None:
        """The SELECT of a view, sink or table AS; None for what has none."""
        found = self.tree.expression
        return found if isinstance(found, exp.Query) else None

    @property
    def comments(self) -> str:
        """The comments before and in the statement, a line each."""
        return "\n".join(
            line.strip()
            for node in self.tree.walk()
            for comment in node.comments or ()
            for line in comment.splitlines()
        )

    def line_of(self, node: exp.Expr) -> int:
        """The line of the file where a node of the tree stands; that of the statement where the parser kept none."""
        lines = [n.meta["line"] for n in node.walk() if "line" in n.meta]
        return self.line + min(lines) - 1 if lines else self.first_line

    @property
    def first_line(self) -> int:
        """The line of the word CREATE."""
        return self.line_of(self.tree.this) if self.tree.this.find(exp.Identifier) else self.line
