"""Recompute: any query that PostgreSQL can run over the contents of its inputs. The last resort.

Meaning: the query itself. Delta rule: when an input has changed (or time has moved, where the query reads now()), the query is
run over the contents after the barrier, and the output is what distinguishes its rows from the stored ones.
State: the result, and the content of inputs that keep none. Rows are told apart by a digest of their text and by a number
among equal ones, so that the result is a multiset of rows of any type. Where rows are equal in the order that a LIMIT
follows, which of them are kept is PostgreSQL's choice.
Asks for a query that gives the same answer each time, apart from now(). Key: digest and number.
Cost: O(state), the query as a batch plus a comparison with the stored result. Reference: the query as a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Origin, Stream, names, quote

DIGEST = "_digest"
NUMBER = "_number"
_SETTINGS = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")


def placeholder(position: int) -> str:
    """The name by which the query reads its input number `position`.

    >>> placeholder(0)
    '_input_0'
    """
    return f"_input_{position}"


@dataclass(eq=False)
class Recompute(Operator):
    """`query` is PostgreSQL text over the placeholders of `sources`, with barrier_now for now(); `reason` is for EXPLAIN."""

    query: str
    result: tuple[Column, ...]
    sources: tuple[Operator, ...]
    timed: bool
    reason: str
    append_only = False
    _state: str = field(default="", init=False)

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (
            *self.result,
            Column(DIGEST, "uuid", hidden=True),
            Column(NUMBER, "bigint", hidden=True),
        )

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (DIGEST, NUMBER)

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return self.sources

    @property
    def owns_content(self) -> bool:
        return True

    def lower(self, program: ProgramBuilder) -> Stream:
        streams = [program.searchable(i, [], unread={}) for i in self.sources]
        self._state = state = program.state_table(self.columns, self.key)
        fresh, table = program.delta_table(self.columns), program.delta_table(self.columns)
        columns, result, same = (
            names(self.columns),
            names(self.result),
            "s._digest = f._digest AND s._number = f._number",
        )
        given = ", ".join(
            f"{placeholder(n)} AS NOT MATERIALIZED (SELECT {names(i.visible) or 'NULL'} FROM {s.content} AS c)"
            for n, (i, s) in enumerate(zip(self.inputs, streams, strict=True))
        )
        digest = f"md5(ROW({names(self.result, 'q.')})::text)::uuid AS _digest"
        rows = f"SELECT q.*, {digest} FROM ({self.query}) AS q ({result})"
        numbered = f"SELECT {result}, _digest, row_number() OVER (PARTITION BY _digest) FROM ({rows}) AS r"
        gone, new = (
            f"WHERE NOT EXISTS (SELECT 1 FROM {t} WHERE {same})" for t in (f"{fresh} AS f", f"{state} AS s")
        )
        with_inputs = f"WITH {given} " if given else ""
        into = f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT"
        relaxed, strict = (
            "; ".join(f"PERFORM set_config('{s}', '{to}', true)" for s in _SETTINGS) for to in ("on", "off")
        )
        changed = " OR ".join(
            [
                "initial",
                *(["true"] if self.timed else []),
                *(f"EXISTS (SELECT 1 FROM {s.delta} AS d)" for s in streams),
            ]
        )
        program.uses_now = program.uses_now or self.timed
        program.step(
            f"IF {changed} THEN IF NOT initial THEN {relaxed}; END IF; "
            f"INSERT INTO {fresh} ({columns}) {with_inputs}{numbered}; "
            f"{into} {names(self.columns, 's.')}, -1 FROM {state} AS s {gone}; "
            f"{into} {names(self.columns, 'f.')}, 1 FROM {fresh} AS f {new}; "
            f"DELETE FROM {state} AS s USING {table} AS f WHERE {same} AND f.{WEIGHT} < 0; "
            f"INSERT INTO {state} ({columns}) SELECT {columns} FROM {table} AS f WHERE f.{WEIGHT} > 0; "
            f"IF NOT initial THEN {strict}; END IF; END IF"
        )
        return Stream(table, state, program.keep(state, self.columns, {}))

    def origin(self, column: str) -> Origin | None:
        return Origin(self._state, quote(column)) if self._state else None

    def describe(self) -> Description:
        return Description("Recompute", f"the query, because of: {self.reason}", "whole", Cost.STATE)
