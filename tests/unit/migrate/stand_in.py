"""A session that stands in for a database: it keeps relations by name, the journal's rows and the statements it was sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

_KINDS = "TABLE|SOURCE|MATERIALIZED VIEW|VIEW|INDEX"
_DDL = re.compile(rf"\s*(CREATE|DROP|ALTER) ({_KINDS}) (\w+)(?: (RENAME TO|SWAP WITH) (\w+))?")


class StandInSession:
    """As much of a psycopg connection as the runner uses. `before` and `after` may raise to play a failure."""

    def __init__(self) -> None:
        self.relations: dict[str, str] = {}
        self.ids: dict[str, int] = {}
        self._next_id = 1000
        self.journal: dict[tuple[str, str, int], tuple[Any, ...]] = {}
        self.statements: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.closed = False
        self.info = SimpleNamespace(transaction_status=TransactionStatus.IDLE)

    def execute(self, statement: str | bytes, parameters: tuple[Any, ...] = ()) -> Any:
        text = statement.decode() if isinstance(statement, bytes) else statement
        if match := _DDL.match(text):
            self._ddl(text, *match.groups())
            return None
        return (
            SimpleNamespace(fetchone=lambda: next(iter(rows), None), fetchall=lambda: rows)
            if (rows := self._dml(" ".join(text.split()), parameters)) is not None
            else None
        )

    def _ddl(
        self, text: str, action: str, kind: str, name: str, clause: str | None, other: str | None
    ) -> None:
        if name == "tailrace_ddl_journal":
            self.relations[name] = "table"
            return
        self.before(text)
        self.statements.append(text)
        if action == "CREATE":
            if name in self.relations:
                raise psycopg.errors.DuplicateTable(f"{name} exists")
            self.relations[name] = kind.lower()
            self._next_id += 1
            self.ids[name] = self._next_id
        elif action == "DROP":
            del self.relations[name]
        elif clause == "RENAME TO":
            self.relations[other], self.ids[other] = self.relations.pop(name), self.ids[name]
        else:
            self.ids[name], self.ids[other] = self.ids[other], self.ids[name]
        self.after(text)

    def _dml(self, text: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]] | None:
        if "rw_tables" in text:
            return [(int(parameters[0] in self.relations),)]
        if any(name in text for name in ("rw_users", "rw_columns", "rw_description")):
            return []  # nobody has rights, and nothing a comment
        if "rw_relations" in text:
            kind = self.relations.get(parameters[0])
            return [] if kind is None else [(self.ids.get(parameters[0], 1), kind)]
        if text.startswith("INSERT"):
            self.journal[parameters[:3]] = parameters[3:]
        elif text.startswith("DELETE"):
            self.journal = {key: row for key, row in self.journal.items() if key[:2] != parameters}
        elif text.startswith("SELECT position"):
            return [
                (key[2], row[1], row[2], row[0], row[3])
                for key, row in self.journal.items()
                if key[:2] == parameters
            ]
        else:
            assert text == "FLUSH"
        return None
