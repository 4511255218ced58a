"""What every incremental operator is: typed columns, a stream key, and a rule that turns input changes into output changes.

A *delta* is a relation with the operator's columns and an integer weight `_w`: +1 for a row that appears, -1 for one that
goes. A *content* is the full relation after the current barrier. Operators are values built by `engine.compile`; `lower`
writes the PL/pgSQL steps that maintain them into a `ProgramBuilder`.

Invariant: the rows of a content are unique by `key`, so a consolidated delta has weights of -1 and +1 only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from engine.operators.watermark import Watermarks

if TYPE_CHECKING:
    from engine.compile.builder import ProgramBuilder

WEIGHT = "_w"


class Cost(StrEnum):
    """Cost of one barrier, by what it grows with. n is the size of the stored state."""

    DELTA = "O(delta)"
    DELTA_LOG = "O(delta log n)"
    GROUP = "O(group)"
    STATE = "O(state)"


@dataclass(frozen=True, slots=True)
class Column:
    """An output column: `type` is PostgreSQL's name with modifiers; hidden columns carry keys and are not shown to clients."""

    name: str
    type: str
    hidden: bool = False


Reading = Callable[[Watermarks], None]
"""Told by each reader of a content which of it he leaves unread from the next barrier on: rows that lie below one of the
watermarks, by the content's columns. What all readers leave unread may go (see `compile.cleaning`).
"""


def elsewhere(unread: Watermarks) -> None:
    """The Reading of a content that is not this view's to clean."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An operator as SQL: `delta` and `content` are relations to be put after FROM; content is None when nothing is kept.

    Whoever reads the content says so to `read`; a content without it would be cleaned under its readers' eyes.
    """

    delta: str
    content: str | None
    read: Reading | None = None

    def __post_init__(self) -> None:
        if (self.content is None) != (self.read is None):
            raise ValueError("a content goes with those who are told of its readers")

    def reads(self, unread: Watermarks) -> None:
        """Tell that the content is read, but for rows below one of these watermarks; nothing to tell without a content."""
        if self.read is not None:
            self.read(unread)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column is stored: the table and the expression over its columns, so that an index can be built on it."""

    table: str
    expression: str


class Operator(ABC):
    """Base of all operators; see the module's text for the terms."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    append_only: bool

    @property
    @abstractmethod
    def inputs(self) -> tuple[Operator, ...]:
        """The operators this one reads."""

    @abstractmethod
    def lower(self, program: ProgramBuilder) -> Stream:
        """Write the maintenance steps of this operator and its inputs; call once."""

    @abstractmethod
    def describe(self) -> Description:
        """One line of EXPLAIN."""

    def origin(self, column: str) -> Origin | None:
        """Where `column` is stored after `lower`, or None if it is computed."""
        return None

    @property
    def owns_content(self) -> bool:
        """True when the content is kept by this view itself, so that the view needs no storage of its own."""
        return False

    @property
    def of_one_row(self) -> bool:
        """Is it sure that the content never has two rows? Not unless an operator says so."""
        return False

    def keep(self, stream: Stream) -> bool:
        """Told where a reader has stored the content; True if others will read it there as well."""
        return False

    @property
    def watermarks(self) -> Watermarks:
        """The columns that have a watermark; none unless an operator says how they pass through it."""
        return {}

    @property
    def visible(self) -> tuple[Column, ...]:
        """The columns that a client sees."""
        return tuple(c for c in self.columns if not c.hidden)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(eq=False)
class Unary(Operator):
    """An operator over one input."""

    input: Operator

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)


class Along(Unary):
    """An operator whose rows are its input's, as far as it does not say otherwise: columns, key, append_only."""

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return self.input.columns

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.input.key

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return self.input.append_only


class Linear(Along):
    """An operator that looks at each row by itself and keeps nothing: watermarks pass, columns lie where they lay."""

    @property
    def watermarks(self) -> Watermarks:
        return self.input.watermarks

    def origin(self, column: str) -> Origin | None:
        return self.input.origin(column)


@dataclass(eq=False)
class Stored(Operator):
    """An operator whose output is a state table of its own, `_state` once lowered."""

    _state: str = field(default="", init=False)

    @property
    def owns_content(self) -> bool:
        return True

    def origin(self, column: str) -> Origin | None:
        return Origin(self._state, quote(column))


@dataclass(frozen=True, slots=True)
class Description:
    """How EXPLAIN shows an operator: maintenance is one of delta, accumulator, per key, per group, whole."""

    operator: str
    detail: str
    maintenance: str
    cost: Cost


def quote(name: str) -> str:
    """`name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def names(columns: Sequence[Column] | Sequence[str], prefix: str = "") -> str:
    """Comma-separated quoted identifiers, each behind `prefix`.

    >>> names(["a", "b"], "d.")
    'd."a", d."b"'
    """
    return ", ".join(prefix + quote(c if isinstance(c, str) else c.name) for c in columns)


class Typed(Protocol):
    """What has a name and a type: a column, a column's definition."""

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...


def nulls(columns: Iterable[Typed]) -> str:
    """NULLs of these columns, to be put behind SELECT: for describing what reads them.

    >>> nulls([Column("a", "integer"), Column("b", "text")])
    'NULL::integer AS "a", NULL::text AS "b"'
    """
    return ", ".join(f"NULL::{c.type} AS {quote(c.name)}" for c in columns)


def equal(left: str, right: str, columns: Sequence[str]) -> str:
    """`left.c = right.c AND ...`: the index-friendly match, false where either is NULL.

    >>> equal("s", "d", ["a"])
    's."a" = d."a"'
    """
    return " AND ".join(f"{left}.{quote(c)} = {right}.{quote(c)}" for c in columns) or "true"


def equal_nulls(left: str, right: str, columns: Sequence[str]) -> str:
    """The match for a row `right` that holds a NULL among `columns` (see `no_nulls`): NULL equals NULL.

    In the form that an index can still serve, which IS NOT DISTINCT FROM is not.
    """
    if len(columns) == 1:
        return f"{left}.{quote(columns[0])} IS NULL"
    parts = (
        f"({left}.{quote(c)} = {right}.{quote(c)} OR ({left}.{quote(c)} IS NULL AND {right}.{quote(c)} IS NULL))"
        for c in columns
    )
    return " AND ".join(parts) or "true"


def no_nulls(alias: str, columns: Sequence[str]) -> str:
    """`alias.c IS NOT NULL AND ...`."""
    return " AND ".join(f"{alias}.{quote(c)} IS NOT NULL" for c in columns) or "true"


def rows_like(
    table: str, outer: str, columns: Sequence[str], shown: str = "s.*", *, alias: str = "s", behind: str = ""
) -> str:
    """The rows of `table` whose `columns` equal those of the row `outer`, NULL equal to NULL.

    Two queries, of which one gives nothing, so that each is a plain index look-up; `behind` is put behind either.
    """
    strict, rows = no_nulls(outer, columns), f"SELECT {shown} FROM {table} AS {alias} WHERE"
    plain = f"{rows} {strict} AND {equal(alias, outer, columns)}{behind}"
    nulls = f"{rows} NOT ({strict}) AND {equal_nulls(alias, outer, columns)}{behind}"
    return f"({plain}) UNION ALL ({nulls})"


def place_of(table: str, outer: str, columns: Sequence[str]) -> str:
    """Where (ctid) in `table` the row lies whose unique `columns` equal those of the row `outer`, NULL equal to NULL.

    NULL where there is none. Joined to `table` by its ctid, a row is found by index; by a CASE over both, never.
    """
    row = f"SELECT s.ctid FROM {table} AS s WHERE"
    strict, nulls = f"({row} {equal('s', outer, columns)})", f"({row} {equal_nulls('s', outer, columns)})"
    return f"CASE WHEN {no_nulls(outer, columns)} THEN {strict} ELSE {nulls} END"


def exists_match(table: str, outer: str, columns: Sequence[str]) -> str:
    """A boolean: does `table` hold a row whose `columns` equal those of the row `outer`, NULL equal to NULL?

    Two probes behind a CASE, so that the usual one (no NULL) is a single plain index look-up.
    """
    if not columns:
        return f"EXISTS (SELECT 1 FROM {table} AS _m)"
    strict = f"EXISTS (SELECT 1 FROM {table} AS _m WHERE {equal('_m', outer, columns)})"
    nulls = f"EXISTS (SELECT 1 FROM {table} AS _m WHERE {equal_nulls('_m', outer, columns)})"
    return f"CASE WHEN {no_nulls(outer, columns)} THEN {strict} ELSE {nulls} END"
