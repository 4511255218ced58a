"""Left join: the inner join plus the left rows that match nothing, padded with NULL.

Meaning: L LEFT JOIN R ON l.a = r.b AND condition. Delta rule: the inner part as in `join`; for the unmatched part, with
u(l) = 1 if l matches nothing and u' the same after the barrier,
    d unmatched = u'(dL) + (u' - u)(L' - dL)
where only left rows whose columns occur in dR can have changed u. The matches of l before the barrier are those after it
less the weights of dR that match. State: both contents, indexed by the join columns.
Key: both keys together (NULL for the padded side). Cost: O(delta log n) plus the matches.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.program import ProgramBuilder
from engine.operators.base import WEIGHT, Cost, Description, Stream, names, quote
from engine.operators.join import Join, join_condition
from engine.operators.watermark import Watermarks


@dataclass(eq=False)
class LeftJoin(Join):
    """Column names of the two sides are disjoint."""

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return False

    @property
    def watermarks(self) -> Watermarks:
        of_left = {a for a, _ in self.pairs}
        return {c: w for c, w in super().watermarks.items() if c in of_left}

    def lower(self, program: ProgramBuilder) -> Stream:
        left = program.searchable(self.left, [a for a, _ in self.pairs])
        right = program.searchable(self.right, [b for _, b in self.pairs])
        on = join_condition(self.pairs, self.condition)
        columns = f"{names(self.left.columns, 'l.')}, {names(self.right.columns, 'r.')}"
        padded = ", ".join(
            [
                names(self.left.columns, "l."),
                *(f"NULL::{c.type} AS {quote(c.name)}" for c in self.right.columns),
            ]
        )
        left_keys = ", ".join(quote(a) for a, _ in self.pairs)
        right_keys = ", ".join(f"{quote(b)} AS {quote(a)}" for a, b in self.pairs)
        table = program.delta_table(self.columns)
        touched = program.delta_table([self.left.column(a) for a, _ in self.pairs])
        affected = program.delta_table(self.left.columns)
        all_left, into = (
            names(self.left.columns),
            f"INSERT INTO {table} ({names(self.columns)}, {WEIGHT}) SELECT",
        )
        same = " AND ".join(f"l.{quote(a)} = k.{quote(a)}" for a, _ in self.pairs)
        matched = f"EXISTS (SELECT 1 FROM {right.content} AS r WHERE {on})"
        count_now = f"(SELECT count(*) FROM {right.content} AS r WHERE {on})"
        program.step(
            f"IF initial THEN {into} {columns}, l.{WEIGHT} FROM {left.delta} AS l LEFT JOIN {right.delta} AS r ON {on}; ELSE "
            f"{into} {columns}, l.{WEIGHT} FROM {left.delta} AS l JOIN {right.content} AS r ON {on}; "
            f"{into} {padded}, l.{WEIGHT} FROM {left.delta} AS l WHERE NOT {matched}; "
            f"IF EXISTS (SELECT 1 FROM {right.delta}) THEN "
            f"{into} {columns}, r.{WEIGHT} FROM {left.content} AS l JOIN {right.delta} AS r ON {on}; "
            f"PERFORM set_config('enable_hashjoin', 'on', true); "
            f"{into} {columns}, -l.{WEIGHT} * r.{WEIGHT} FROM {left.delta} AS l JOIN {right.delta} AS r ON {on}; "
            f"INSERT INTO {touched} ({left_keys}) SELECT DISTINCT {right_keys} FROM {right.delta} AS r; "
            f"INSERT INTO {affected} ({all_left}, {WEIGHT}) SELECT {names(self.left.columns, 'l.')}, -l.{WEIGHT} "
            f"FROM {left.delta} AS l JOIN {touched} AS k ON {same}; "
            f"PERFORM set_config('enable_hashjoin', 'off', true); "
            f"INSERT INTO {affected} ({all_left}, {WEIGHT}) SELECT {names(self.left.columns, 'l.')}, 1 "
            f"FROM {touched} AS k JOIN {left.content} AS l ON {same}; "
            f"PERFORM set_config('enable_hashjoin', 'on', true); "
            f"{into} {padded}, l.{WEIGHT} * ((l._n = 0)::int - (l._n - l._d = 0)::int) FROM (SELECT l.*, {count_now} AS _n, "
            f"coalesce(m._d, 0) AS _d FROM {affected} AS l LEFT JOIN (SELECT l.ctid AS _at, sum(r.{WEIGHT}) AS _d "
            f"FROM {affected} AS l JOIN {right.delta} AS r ON {on} GROUP BY l.ctid) AS m ON m._at = l.ctid OFFSET 0) AS l "
            f"WHERE (l._n = 0) <> (l._n - l._d = 0); "
            f"PERFORM set_config('enable_hashjoin', 'off', true); "
            f"END IF; END IF"
        )
        content = f"(SELECT {columns} FROM {left.content} AS l LEFT JOIN {right.content} AS r ON {on})"
        return Stream(table, content)

    def describe(self) -> Description:
        return Description("LeftJoin", join_condition(self.pairs, self.condition), "delta", Cost.DELTA_LOG)
