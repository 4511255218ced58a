"""What outer, semi and anti joins share: which rows of one side match some row of the other, and for which that has changed.

With m(l) = 1 if l matches a row of R, and m' the same after the barrier, only rows of L whose join columns occur in dR can have
changed m. The matches of l before the barrier are those after it less the weights of the rows of dR that match; of those after
it no more are counted than decide whether there is one in either case. Where a comparison leads to the matches (l.x < r.y), all
rows of L beyond the farthest y of dR are looked at, one range of the index. Where nothing is compared, m is the same for all rows
of L: whether R has any; only if that changes are they looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Operator, Reading, Stream, names, no_nulls, quote
from engine.operators.project import sql
from engine.operators.watermark import Watermark, Watermarks, at_least, least, moving

Pairs = tuple[tuple[str, str], ...]
Sides = tuple[Watermarks, Watermarks]
"""By columns of the left side, by columns of the right one."""
FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


@dataclass(frozen=True, slots=True)
class Range:
    """What `l.left op r.right` asks for, one of <, <=, >, >=, of types that one B-tree index compares."""

    left: str
    op: str
    right: str
    type: str
    """The type of the right column."""
    left_type: str

    def flipped(self) -> Range:
        """The same with the sides exchanged."""
        return Range(self.right, FLIPPED[self.op], self.left, self.left_type, self.type)

    def sql(self, left: str, right: str) -> str:
        """The comparison as a condition."""
        return f"{left}.{quote(self.left)} {self.op} {right}.{quote(self.right)}"


@dataclass(frozen=True, slots=True)
class Match:
    """When rows l and r match: columns of `pairs` are equal (NULL to NULL for those in `null_safe`), and `condition` is true.

    `null_safe` holds left columns; the condition's columns are qualified by l and r. `ranges` are comparisons that the condition
    implies, by which the matches are found where no columns are equal; there are none beside pairs.
    """

    pairs: Pairs
    condition: exp.Expr | None = None
    null_safe: frozenset[str] = frozenset()
    ranges: tuple[Range, ...] = ()

    @property
    def left(self) -> list[str]:
        """The columns of the left side by which it is probed."""
        return [a for a, _ in self.pairs] or list(dict.fromkeys(r.left for r in self.ranges))

    @property
    def right(self) -> list[str]:
        """The columns of the right side by which it is probed."""
        return [b for _, b in self.pairs] or list(dict.fromkeys(r.right for r in self.ranges))

    @property
    def by_index(self) -> bool:
        """Does an index lead from a row to its matches, or at least to few others?"""
        return bool(self.pairs or self.ranges)

    def sql(self, left: str = "l", right: str = "r") -> str:
        """The match as a condition. IS TRUE hides all but pairs and ranges from the planner, which must probe by these.

        >>> Match((("a", "b"),)).sql()
        'l."a" = r."b"'
        """
        ranges = [r.sql(left, right) for r in self.ranges]
        return " AND ".join([*ranges, *self._parts(left, right)]) or "TRUE"

    @property
    def shown(self) -> str:
        """The match for EXPLAIN."""
        return " AND ".join(self._parts("l", "r")) or "TRUE"

    def _parts(self, left: str, right: str) -> list[str]:
        parts = [self._equal(f"{left}.{quote(a)}", f"{right}.{quote(b)}", a) for a, b in self.pairs]
        if self.condition is not None:
            parts.append(f"({sql(self.condition)}) IS TRUE")
        return parts

    def probed(self, side: str, content: str | None) -> str:
        """The `side` (l or r) to be put behind JOIN: the rows of `content` that match, for each row of the other side before it.

        Each row probes by itself. Left to choose, the planner reads all of a large content and looks into the delta, where it
        takes a range for a third of the table, or the rows of a key for many (7 million readings by 24 limits: 6 s a barrier).
        """
        return f"LATERAL {self.of_row(side, content)} AS {side} ON true"

    def of_row(self, side: str, content: str | None) -> str:
        """The rows of `content` that match the row of the other side, to be put behind FROM in a query below that row's.

        Where NULL equals NULL there are two probes of which one is made: no index serves `a = b OR (a IS NULL AND b IS NULL)`.
        """
        if not self.null_safe:
            return f"(SELECT * FROM {content} AS {side} WHERE {self.sql()} OFFSET 0)"
        keys = [(b, a, a in self.null_safe) for a, b in self.pairs]
        if side == "l":
            keys = [(a, b, safe) for b, a, safe in keys]
        further = f" AND ({sql(self.condition)}) IS TRUE" if self.condition is not None else ""
        return _two_probes(side, str(content), "l" if side == "r" else "r", keys, further)

    def flipped(self) -> Match:
        """The same match with the sides exchanged."""

        def other(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and node.table in ("l", "r"):
                side = "r" if node.table == "l" else "l"
                return exp.column(exp.to_identifier(node.name, quoted=True), table=side)
            return node

        condition = None if self.condition is None else self.condition.copy().transform(other)
        safe = frozenset(b for a, b in self.pairs if a in self.null_safe)
        pairs, ranges = tuple((b, a) for a, b in self.pairs), tuple(r.flipped() for r in self.ranges)
        return Match(pairs, condition, safe, ranges)

    def watermarks(self, left: Watermarks, right: Watermarks) -> Watermarks:
        """Below what no later match of two rows lies, by column of either side that the other side bounds.

        A new match has a new left row or a new right one. Where x >= f(y) must hold, x lies above its own watermark in the
        first case, and above f of y's in the second: the least of both is the watermark of x. Equal columns bound each other.
        """
        found: dict[str, Watermark] = {}
        for a, b in self.pairs:
            if a in left and b in right:
                found.update(dict.fromkeys((a, b), least([left[a], right[b]])))
        for larger, smaller in _inequalities(self.condition):
            for own, other in ((left, right), (right, left)):
                bound = at_least(larger, smaller, own, other)
                if bound is not None:
                    found.setdefault(*bound)
        return found

    def unread(self, left: Watermarks, right: Watermarks, *, lonely: str = "") -> Sides:
        """What a join leaves unread of its sides: rows that meet nothing new, and whose own changes are over.

        `lonely` names the sides, "l" and "r", of which it matters whether a row matches anything. The rows of the other side are
        counted for it: they have to stay until all that they match has met all that it can.
        """
        met = moving(self.watermarks(left, right))
        of_left, of_right = _of(met, left), _of(met, right)
        return (
            _of(self.watermarks(left, of_right), left) if "r" in lonely else of_left,
            _of(self.watermarks(of_left, right), right) if "l" in lonely else of_right,
        )

    def through(self, unread: Watermarks, left: Operator, right: Operator) -> Sides:
        """What is unread of the sides where the joined rows are `unread`."""
        of_left = {c.name: unread[c.name] for c in left.columns if c.name in unread}
        of_right = {c.name: unread[c.name] for c in right.columns if c.name in unread}
        return (
            {**_of(self.watermarks(left.watermarks, of_right), left.watermarks), **of_left},
            {**_of(self.watermarks(of_left, right.watermarks), right.watermarks), **of_right},
        )

    def same_keys(self, left: str, keys: str) -> str:
        """The match of a left row with a row of the left join columns."""
        return (
            " AND ".join(self._equal(f"{left}.{quote(a)}", f"{keys}.{quote(a)}", a) for a in self.left)
            or "TRUE"
        )

    def of_keys(self, keys: str, content: str | None) -> str:
        """The rows l of `content` to be put behind JOIN, for each row `keys` of the left join columns."""
        if not self.null_safe:
            same = self.same_keys("l", keys)
            return f"LATERAL (SELECT * FROM {content} AS l WHERE {same} OFFSET 0) AS l ON true"
        columns = [(a, a, a in self.null_safe) for a in dict.fromkeys(self.left)]
        return f"LATERAL {_two_probes('l', str(content), keys, columns, '')} AS l ON true"

    def _equal(self, one: str, other: str, column: str) -> str:
        if column not in self.null_safe:
            return f"{one} = {other}"
        return f"({one} = {other} OR ({one} IS NULL AND {other} IS NULL))"


def _of(found: Watermarks, side: Watermarks) -> Watermarks:
    return {column: w for column, w in moving(found).items() if column in side}


def joined_reading(match: Match, left: Operator, right: Operator, sides: tuple[Stream, Stream]) -> Reading:
    """Whom readers of a join's content tell: those who are told of the content of its sides."""

    def read(unread: Watermarks) -> None:
        for stream, of_side in zip(sides, match.through(unread, left, right), strict=True):
            stream.reads(of_side)

    return read


def _two_probes(
    side: str, content: str, other: str, keys: Sequence[tuple[str, str, bool]], further: str
) -> str:
    """The rows `side` that match a row `other` by `keys`: (column, other column, is NULL equal to NULL?)."""
    known = no_nulls(other, [b for _, b, safe in keys if safe])
    plain = " AND ".join(f"{side}.{quote(a)} = {other}.{quote(b)}" for a, b, _ in keys)
    alone = sum(safe for *_, safe in keys) == 1

    def or_nulls(a: str, b: str) -> str:
        one, two = f"{side}.{quote(a)}", f"{other}.{quote(b)}"
        return f"{one} IS NULL" if alone else f"({one} = {two} OR ({one} IS NULL AND {two} IS NULL))"

    nulls = " AND ".join(
        or_nulls(a, b) if safe else f"{side}.{quote(a)} = {other}.{quote(b)}" for a, b, safe in keys
    )
    rows = f"SELECT * FROM {content} AS {side} WHERE"
    return f"(({rows} {known} AND {plain}{further}) UNION ALL ({rows} NOT ({known}) AND {nulls}{further}))"


def _inequalities(condition: exp.Expr | None) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The pairs (larger, smaller) of what a condition asks for in any case."""
    part = condition.unnest() if condition is not None else None
    if isinstance(part, exp.And):
        yield from _inequalities(part.this)
        yield from _inequalities(part.expression)
    if isinstance(part, exp.GTE | exp.GT | exp.EQ):
        yield part.this, part.expression
    if isinstance(part, exp.LTE | exp.LT | exp.EQ):
        yield part.expression, part.this
    if isinstance(part, exp.Between):
        yield part.this, part.args["low"]
        yield part.args["high"], part.this


def is_matched(match: Match, right: Stream, *, few: bool = True) -> str:
    """A boolean over a row l: does it match, after the barrier?

    Of a `few` rows each probes by itself. The planner would make a join of it, and where the right side is a join itself, begin
    with any of its parts: with the whole of a state that is small as yet.
    """
    if match.by_index and (few or match.null_safe):
        return f"EXISTS (SELECT 1 FROM {match.of_row('r', right.content)} AS r)"
    return f"EXISTS (SELECT 1 FROM {right.content} AS r WHERE {match.sql()})"


def changes(
    program: ProgramBuilder, operator: Operator, left: Stream, right: Stream, match: Match
) -> tuple[str, str]:
    """Statements to run where the right side has changed, and the rows of the left side that match for the first or last time.

    The rows are a relation to be put after FROM: the columns of `operator`, the left side, with their weight, `_is` (matches
    after the barrier) and `_was` (before it). The statements leave hash joins off, as they found them.
    """
    affected, columns, on = program.delta_table(operator.columns), names(operator.columns), match.sql()
    into = f"INSERT INTO {affected} ({columns}, {WEIGHT}) SELECT {names(operator.columns, 'l.')}"
    find = _in_range if match.ranges else _of_same_keys
    prepare = f"; {into}, ".join(find(program, operator, (left, right), match))
    matches = match.of_row("r", right.content) if match.by_index else f"{right.content} AS r WHERE {on}"
    few = (
        f"SELECT 1 FROM {matches}{' AS r' if match.by_index else ''} LIMIT greatest(coalesce(m._d, 0), 0) + 1"
    )
    before = f"SELECT l.ctid AS _at, sum(r.{WEIGHT}) AS _d FROM {affected} AS l JOIN {right.delta} AS r ON {on} GROUP BY l.ctid"
    counted = (
        f"SELECT l.*, (SELECT count(*) FROM ({few}) AS f) AS _n, coalesce(m._d, 0) AS _d FROM {affected} AS l "
        f"LEFT JOIN ({before}) AS m ON m._at = l.ctid OFFSET 0"
    )
    rows = (
        f"(SELECT {columns}, {WEIGHT}, (_n > 0)::int AS _is, (_n - _d > 0)::int AS _was FROM ({counted}) AS l "
        f"WHERE (_n > 0) <> (_n - _d > 0))"
    )
    return prepare, rows


def _of_same_keys(
    program: ProgramBuilder, operator: Operator, sides: tuple[Stream, Stream], match: Match
) -> list[str]:
    """How `changes` finds the rows l whose join columns have changed on the right: a statement that prepares for it, then what
    follows their columns in a SELECT, for those of the delta and those of the content.
    """
    left, right = sides
    keys = [operator.column(a) for a in dict.fromkeys(match.left)] or [Column("_any", "integer")]
    touched = program.delta_table(keys)
    of_right = dict(zip(match.left, match.right, strict=True))
    wanted = ", ".join(f"r.{quote(of_right[k.name])}" if of_right else "0" for k in keys)
    changing = "" if match.pairs or match.condition is not None else f" WHERE {_emptied_or_filled(right)}"
    same = match.same_keys("l", "k")
    return [
        "PERFORM set_config('enable_hashjoin', 'on', true); "
        f"INSERT INTO {touched} ({names(keys)}) SELECT DISTINCT {wanted} FROM {right.delta} AS r{changing}",
        f"-l.{WEIGHT} FROM {left.delta} AS l JOIN {touched} AS k ON {same}; "
        "PERFORM set_config('enable_hashjoin', 'off', true)",
        f"1 FROM {touched} AS k JOIN {match.of_keys('k', left.content)}",
    ]


def _in_range(
    program: ProgramBuilder, operator: Operator, sides: tuple[Stream, Stream], match: Match
) -> list[str]:
    """As `_of_same_keys`: the rows l that may match some changed row, by the first comparison."""
    (left, right), first = sides, match.ranges[0]
    touched = program.delta_table([Column("_edge", first.type)])
    farthest = "max" if first.op in ("<", "<=") else "min"
    beyond = f"l.{quote(first.left)} {first.op} k._edge"
    return [
        f"INSERT INTO {touched} (_edge) SELECT {farthest}(r.{quote(first.right)}) FROM {right.delta} AS r",
        f"-l.{WEIGHT} FROM {left.delta} AS l JOIN {touched} AS k ON {beyond}",
        f"1 FROM {touched} AS k JOIN LATERAL (SELECT * FROM {left.content} AS l WHERE {beyond} OFFSET 0) AS l ON true",
    ]


def _emptied_or_filled(right: Stream) -> str:
    """Has the relation rows now and had none before the barrier, or the other way round? Reads no more rows than have come."""
    gained = f"(SELECT coalesce(sum(r.{WEIGHT}), 0) FROM {right.delta} AS r)"
    now = f"EXISTS (SELECT 1 FROM {right.content} AS r)"
    more = f"EXISTS (SELECT 1 FROM {right.content} AS r OFFSET greatest({gained}, 0))"
    return f"{now} <> ({gained} < 0 OR {more})"
