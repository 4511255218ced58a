"""What the compiler needs to know of the world: the relations that exist and PostgreSQL's own type inference.

Both are passed in, so that compiling maps values to values; the flow provides them from the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlglot import exp

from engine.operators.base import Column, Operator, nulls
from engine.operators.project import sql
from tailrace.errors import InvalidStatement
from tailrace.sql.names import ObjectName
from tailrace.sql.types import ComposedType


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation that views can be built on. `content` is None for a source; `query` is set for a plain view only."""

    id: int
    name: str
    kind: str  # source, table, materialized view, view
    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    append_only: bool = False
    content: str | None = None
    storage: dict[str, tuple[str, str]] = field(default_factory=dict)
    query: str | None = None
    watermarks: dict[str, str] = field(default_factory=dict)  # column -> SQL expression
    schema: str = "public"


class Lookup(Protocol):
    """Finds a relation by name, in the search path if it carries no schema; None if there is none."""

    def __call__(self, name: ObjectName) -> Relation | None: ...


Describe = Callable[[str], Sequence[Column]]
"""Names and types of a query's columns as PostgreSQL infers them, without running it. Raises TailraceError on bad SQL."""
FunctionKinds = Callable[[Sequence[str]], dict[str, set[str]]]
"""For function names: the kinds and volatilities found, kind as pg_proc.prokind, r if set-returning: {'random': {'fv'}}."""


Provide = Callable[[Sequence[ComposedType]], None]
"""Makes composed types, those that others are made of first, so that queries can name them."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything outside the query text that compiling depends on."""

    lookup: Lookup
    describe: Describe
    function_kinds: FunctionKinds
    provide: Provide = lambda _types: None


def describe_over(environment: Environment, operator: Operator, expressions: Sequence[exp.Expr]) -> list[str]:
    """The PostgreSQL types of `expressions` over the operator's columns."""
    if not expressions:
        return []
    shown = ", ".join(f"{sql(e)} AS c{i}" for i, e in enumerate(expressions))
    described = environment.describe(f"SELECT {shown} FROM (SELECT {nulls(operator.columns)}) AS i")
    return [c.type for c in described]


def refuse_repeated(names: Iterable[str], hint: str | None = None) -> None:
    """Raise InvalidStatement (42701) if a column's name stands twice among `names`."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidStatement(f'column "{name}" specified more than once', sqlstate="42701", hint=hint)
        seen.add(name)
