"""INSERT without a list of columns into a table with generated ones: RisingWave's values skip these, wherever they stand.

PostgreSQL's would not, and a value in the place of a generated column would be lost without a word. So such a statement gets a
list of columns. Which tables have them is asked once, and again when a statement has changed a catalog: an
INSERT into any other table costs a look at its first words.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import orjson
from sqlglot import exp

from engine.wire.plans import Forward
from engine.wire.tokens import tokens

_BLANK = r"(?:\s|--[^\n]*\n|/\*.*?\*/)"
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
_UNLISTED = re.compile(
    rf"{_BLANK}*insert{_BLANK}+into{_BLANK}+(?P<name>(?:{_NAME}{_BLANK}*\.{_BLANK}*)?(?P<last>{_NAME}))"
    rf"(?=(?:{_BLANK}+(?:values|select|with)\b|{_BLANK}*\({_BLANK}*(?:select|values|with)\b))",
    re.IGNORECASE | re.DOTALL,
)
_TABLES = (
    "SELECT DISTINCT r.name FROM rw_catalog.rw_tables AS r "
    "JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id WHERE c.is_generated"
)


@dataclass(slots=True)
class _Known:
    """What all sessions of this process know: by database the names of tables with generated columns, while nothing changes."""

    names: dict[str, frozenset[str]] = field(default_factory=dict)
    changes: int = 0


_known = _Known()


def catalog_changed() -> None:
    """A statement of DDL has run."""
    _known.names.clear()
    _known.changes += 1


def _columns(name: str) -> str:
    """What to ask for the columns that an INSERT into the relation, named as in the statement, fills."""
    literal = exp.Literal.string(name).sql(dialect="postgres")
    return (
        "SELECT pg_catalog.json_agg(c.name ORDER BY c.position) FROM rw_catalog.rw_tables AS r "  # noqa: S608 - literals quoted
        "JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id JOIN pg_catalog.pg_class AS v ON v.relname = r.name "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid = v.relnamespace AND n.nspname = r.schema_name "
        f"WHERE v.oid = pg_catalog.to_regclass({literal}) AND NOT c.is_hidden AND NOT c.is_generated"
    )


@dataclass(slots=True)
class ComputedColumns:
    """For the statements of one session. `ask` gives the rows of a query; PostgreSQL must be idle."""

    database: str
    ask: Callable[[str], Awaitable[list[list[str | None]]]]

    def leaves(self, plan: Forward) -> bool:
        """May the statement run as it is? False also where that has to be asked first."""
        found = _UNLISTED.match(plan.sql)
        if found is None:
            return True
        names = _known.names.get(self.database)
        return names is not None and _folded(found["last"]) not in names

    async def placed(self, plan: Forward) -> Forward:
        """The statement with a list of columns, if its table has generated ones."""
        found = _UNLISTED.match(plan.sql)
        if found is None or self.leaves(plan):
            return plan
        names = _known.names.get(self.database)
        if names is None:
            before = _known.changes
            names = frozenset(name for (name,) in await self.ask(_TABLES) if name)
            if before == _known.changes:
                _known.names[self.database] = names
        if _folded(found["last"]) not in names:
            return plan
        rows = await self.ask(_columns(found["name"]))
        columns = orjson.loads(rows[0][0] or "[]") if rows else []
        if not columns:
            return plan
        columns = columns[: _width(plan.sql[found.end("name") :])]
        listed = ", ".join(exp.to_identifier(c, quoted=True).sql(dialect="postgres") for c in columns)
        at = found.end("name")
        return replace(plan, sql=f"{plan.sql[:at]} ({listed}){plan.sql[at:]}", rewritten=True)


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _width(rest: str) -> int | None:
    """How many values the first row of VALUES has; None where there is no VALUES. Fewer than there are columns are allowed.

    >>> _width(" VALUES (1, f(2, 3)), (4, 5)"), _width(" SELECT 1")
    (2, None)
    """
    found, depth, commas = tokens(rest), 0, 0
    first = next(found, None)
    if first is None or first.word != "VALUES":
        return None
    for token in found:
        depth += (token.text in "([") - (token.text in ")]")
        commas += token.text == "," and depth == 1
        if not depth:
            break
    return commas + 1
