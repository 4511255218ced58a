"""Accumulators: what an aggregate keeps per group so that a barrier costs what changed.

Each accumulator is a few state columns with three rules: `partial` computes them from weighted rows `d`, `merge` adds a
partial `x` (EXCLUDED) to the state `s`, and the call's output is an expression over the columns. Counts (of set bits too), sums
of exact numbers and what is made of these take retractions as negative weights. Floating-point sums are computed anew from the
group's rows when it sees a retraction, which keeps them exact. min and max read the edge of an index then, first_value and
last_value always.
Every other aggregate is computed from the rows of the groups that changed.

Over DISTINCT values, counts and sums are the same over the changes of the set of values.

Variances of floats are merged as (count, mean, M2) after Chan, Golub and LeVeque (1979); those of exact numbers are kept as
numeric sums and are invertible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from sqlglot import exp

from engine.operators.base import WEIGHT, Column, quote
from engine.operators.top_n import SortKey

SOURCE = "_s"

ACCUMULATED = (
    "count", "sum", "avg", "min", "max", "stddev_samp", "stddev_pop", "var_samp", "var_pop", "bool_and", "bool_or",
    "bit_and", "bit_or", "bit_xor",
)  # fmt: skip
_EDGES = ("first_value", "last_value")
_SPREADS = ("stddev_samp", "stddev_pop", "var_samp", "var_pop")
_EXACT = {"smallint", "integer", "bigint", "numeric", "rw_int256"}
_FLOAT = {"real", "double precision"}
_INTEGERS = {"smallint", "integer", "bigint"}
_BITS = 64


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """`function([DISTINCT] argument) FILTER (WHERE filter)` named `output`; argument and filter are input columns.

    No argument: count(*). `order` sorts the rows of which first_value and last_value take the first and which have a value in
    every column of `not_null`; it is also that of WITHIN GROUP, beside the `direct` arguments. `text` is the whole call as SQL
    over the input's columns, for what has no accumulator.
    """

    function: str
    argument: str | None
    filter: str | None
    output: Column
    distinct: bool = False
    text: str = ""
    order: tuple[SortKey, ...] = ()
    not_null: tuple[str, ...] = ()
    direct: tuple[exp.Expr, ...] = ()


class Fresh(Enum):
    """When a cell is read from the group's rows instead of merged: never, after a retraction, or always."""

    NEVER = "never"
    ON_RETRACTION = "on retraction"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Edge:
    """The value of `column` in the first of a group's rows in `order` that pass `condition`, SQL over the alias c."""

    column: str
    order: tuple[SortKey, ...]
    condition: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One state column: its rules are SQL with `{s}` and `{x}` for the prefixes of state and partial.

    `edge`: where a fresh value is read by index. Else a fresh one is `whole`, an aggregate over the group's rows `d`.
    """

    column: Column
    partial: str
    merge: str
    fresh: Fresh = Fresh.NEVER
    edge: Edge | None = None
    whole: str = ""


@dataclass(slots=True)
class Accumulators:
    """The state columns of a group and the output expression of each call; equal accumulators are kept once.

    `distincts` lists the (argument, filter) pairs whose distinct values are counted apart: their changes come as rows of their
    own, with the pair's number, from 1, in the column SOURCE; the input's rows come with 0.
    """

    cells: dict[str, Cell] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)  # SQL with {p} for the prefix of the state's columns
    distincts: list[tuple[str, str | None]] = field(default_factory=list)
    tie: tuple[str, ...] = ()
    """The input's key: decides among rows of equal order."""
    tagged: bool = False
    """Do the rows carry SOURCE?"""

    def add(self, call: AggregateCall, argument_type: str | None) -> None:
        """Add the columns that `call` needs."""
        base = _base_type(argument_type)
        summed = base in _EXACT or base == "interval" or (base in _FLOAT and not call.distinct)
        if call.function == "count":
            self.outputs.append("{p}" + self._counted(call))
        elif call.function in ("min", "max"):
            self.outputs.append("{p}" + self._extreme(call, argument_type or "text"))
        elif call.function in _EDGES:
            self.outputs.append("{p}" + self._edge(call))
        elif call.function in ("bool_and", "bool_or"):
            self.outputs.append(self._boolean(call))
        elif call.function in ("bit_and", "bit_or") and base in _INTEGERS:
            self.outputs.append(self._bits(call))
        elif call.function == "bit_xor" and base in _INTEGERS and not call.distinct:
            self.outputs.append(self._parity(call, base))
        elif call.function == "sum" and summed:
            count = self._count(call)
            total = self._sum(call, base)
            self.outputs.append(f"CASE WHEN {{p}}{count} > 0 THEN {{p}}{total}::{call.output.type} END")
        elif call.function == "avg" and summed:
            count = self._count(call)
            total = self._sum(call, base)
            value = f"{{p}}{total}::{_dividend(base, call.output.type)} / {{p}}{count}"
            self.outputs.append(f"CASE WHEN {{p}}{count} > 0 THEN {value} END")
        elif call.function in _SPREADS and summed and base != "interval":
            self.outputs.append(self._variance(call, base))
        else:
            self.outputs.append("{p}" + self._whole(call))

    def _counted(self, call: AggregateCall) -> str:
        return "_n" if call.argument is None and call.filter is None else self._count(call)

    def _source(self, call: AggregateCall) -> int:
        if not call.distinct or call.argument is None:
            return 0
        pair = (call.argument, call.filter)
        if pair not in self.distincts:
            self.distincts.append(pair)
        return self.distincts.index(pair) + 1

    def _key(self, kind: str, call: AggregateCall) -> str:
        source = self._source(call)
        distinct = f" distinct {source}" if source else ""
        return quote(
            f"{kind}({call.argument or '*'})" + (f" {call.filter}" if call.filter else "") + distinct
        )

    def _condition(self, call: AggregateCall) -> str:
        """What a row must be to count, among the rows of the call's source (the filter of distinct values has been applied)."""
        source = self._source(call)
        parts = [f"d.{quote(call.argument)} IS NOT NULL"] if call.argument is not None else []
        if source:
            return " AND ".join([f"d.{SOURCE} = {source}", *parts])
        parts += [f"d.{quote(call.filter)}"] if call.filter is not None else []
        parts += [f"d.{SOURCE} = 0"] if self.tagged else []
        return " AND ".join(parts) or "true"

    def _cell(self, name: str, type_: str, partial: str, merge: str, fresh: Fresh = Fresh.NEVER) -> str:
        whole = partial if fresh is Fresh.ON_RETRACTION else ""
        self.cells.setdefault(
            name, Cell(Column(name[1:-1].replace('""', '"'), type_), partial, merge, fresh, None, whole)
        )
        return name

    def _count(self, call: AggregateCall) -> str:
        name = self._key("count", call)
        partial = f"coalesce(sum({WEIGHT}) FILTER (WHERE {self._condition(call)}), 0)"
        return self._cell(name, "bigint", partial, f"{{s}}{name} + {{x}}{name}")

    def _sum(self, call: AggregateCall, base: str) -> str:
        name, where = self._key("sum", call), f"FILTER (WHERE {self._condition(call)})"
        argument = f"d.{quote(call.argument or '')}"
        if base in _FLOAT:
            partial = f"coalesce(sum({argument}::double precision) {where}, 0)"
            merge = f"{{s}}{name} + {{x}}{name}"
            return self._cell(name, "double precision", partial, merge, Fresh.ON_RETRACTION)
        kept = "interval" if base == "interval" else "numeric"
        zero = "'0'::interval" if base == "interval" else "0"
        partial = f"coalesce(sum({argument}::{kept} * {WEIGHT}) {where}, {zero})"
        return self._cell(name, kept, partial, f"{{s}}{name} + {{x}}{name}")

    def _extreme(self, call: AggregateCall, type_: str) -> str:
        name, argument = self._key(call.function, call), call.argument or ""
        pick = "LEAST" if call.function == "min" else "GREATEST"
        partial = f"{call.function}(d.{quote(argument)}) FILTER (WHERE {self._condition(call)})"
        order = (SortKey(argument, call.function == "max", nulls_first=call.function == "max"),)
        edge = Edge(argument, order, _passing([argument], call.filter))
        merge = f"{pick}({{s}}{name}, {{x}}{name})"
        self.cells.setdefault(
            name, Cell(Column(name[1:-1], type_), partial, merge, Fresh.ON_RETRACTION, edge)
        )
        return name

    def _edge(self, call: AggregateCall) -> str:
        """first_value is read anew from the index on its order, last_value at the index's other end."""
        name, down = quote(call.output.name), call.function == "last_value"
        taken = {k.column for k in call.order}
        ties = tuple(SortKey(k, down, nulls_first=down) for k in self.tie if k not in taken)
        edge = Edge(call.argument or "", (*call.order, *ties), _passing(call.not_null, call.filter))
        null = f"NULL::{call.output.type}"
        self.cells[name] = Cell(call.output, null, f"{{x}}{name}", Fresh.ALWAYS, edge)
        return name

    def _whole(self, call: AggregateCall) -> str:
        name, null = quote(call.output.name), f"NULL::{call.output.type}"
        self.cells[name] = Cell(call.output, null, f"{{x}}{name}", Fresh.ALWAYS, None, call.text)
        return name

    def _boolean(self, call: AggregateCall) -> str:
        """Counts of true and false: what is left after a retraction is known from them."""
        counts = {}
        for value in ("true", "false"):
            counts[value] = name = self._key(f"count {value}", call)
            where = f"d.{quote(call.argument or '')} IS {value} AND {self._condition(call)}"
            partial = f"coalesce(sum({WEIGHT}) FILTER (WHERE {where}), 0)"
            self._cell(name, "bigint", partial, f"{{s}}{name} + {{x}}{name}")
        yes, no = f"{{p}}{counts['true']}", f"{{p}}{counts['false']}"
        value = f"{no} = 0" if call.function == "bool_and" else f"{yes} > 0"
        return f"CASE WHEN {yes} + {no} > 0 THEN {value} END"

    def _bits(self, call: AggregateCall) -> str:
        """How many values have each of the 64 bits set, the sign's extended."""
        count, name = self._count(call), self._key("bits", call)
        argument, where = f"d.{quote(call.argument or '')}::bigint", f"FILTER (WHERE {self._condition(call)})"
        counts = (
            f"coalesce(sum({WEIGHT} * ({argument} >> {n} & 1)::integer) {where}, 0)" for n in range(_BITS)
        )
        self._cell(
            name,
            "bigint[]",
            f"ARRAY[{', '.join(counts)}]::bigint[]",
            f"rw.add_counts({{s}}{name}, {{x}}{name})",
        )
        least = f"{{p}}{count}" if call.function == "bit_and" else "1"
        value = f"rw.bits_of_counts({{p}}{name}, {least})::{call.output.type}"
        return f"CASE WHEN {{p}}{count} > 0 THEN {value} END"

    def _parity(self, call: AggregateCall, base: str) -> str:
        """A value that goes is one more that comes."""
        count, name = self._count(call), self._key("bit_xor", call)
        where = f"FILTER (WHERE {self._condition(call)} AND {WEIGHT} % 2 <> 0)"
        partial = f"coalesce(bit_xor(d.{quote(call.argument or '')}) {where}, 0)"
        self._cell(name, base, partial, f"{{s}}{name} # {{x}}{name}")
        return f"CASE WHEN {{p}}{count} > 0 THEN {{p}}{name} END"

    def _variance(self, call: AggregateCall, base: str) -> str:
        count, sample = self._count(call), call.function.endswith("_samp")
        enough = f"{{p}}{count} > {1 if sample else 0}"
        divisor = f"({{p}}{count} - 1)" if sample else f"{{p}}{count}"
        if base in _EXACT:
            total, squares = self._sum(call, base), self._squares(call)
            spread = f"greatest({{p}}{squares} * {{p}}{count} - {{p}}{total} * {{p}}{total}, 0)"
            variance = f"{spread} / ({{p}}{count}::numeric * {divisor})"
        else:
            variance = f"{{p}}{self._moment(call, count)} / {divisor}"
        value = f"sqrt({variance})" if call.function.startswith("stddev") else variance
        return f"CASE WHEN {enough} THEN {value} END"

    def _squares(self, call: AggregateCall) -> str:
        name, argument = self._key("sum of squares", call), f"d.{quote(call.argument or '')}::numeric"
        partial = (
            f"coalesce(sum({argument} * {argument} * {WEIGHT}) FILTER (WHERE {self._condition(call)}), 0)"
        )
        return self._cell(name, "numeric", partial, f"{{s}}{name} + {{x}}{name}")

    def _moment(self, call: AggregateCall, count: str) -> str:
        """M2, the sum of squared distances from the mean; the mean is kept beside it."""
        argument, where = (
            f"d.{quote(call.argument or '')}::double precision",
            f"FILTER (WHERE {self._condition(call)})",
        )
        mean, moment = self._key("mean", call), self._key("m2", call)
        total = f"nullif({{s}}{count} + {{x}}{count}, 0)"
        step = f"({{x}}{mean} - {{s}}{mean})"
        self._cell(
            mean,
            "double precision",
            f"coalesce(avg({argument}) {where}, 0)",
            f"coalesce({{s}}{mean} + {step} * {{x}}{count} / {total}, 0)",
            Fresh.ON_RETRACTION,
        )
        return self._cell(
            moment,
            "double precision",
            f"coalesce(var_pop({argument}) {where} * count({argument}) {where}, 0)",
            f"coalesce({{s}}{moment} + {{x}}{moment} + {step} * {step} * {{s}}{count} * {{x}}{count} / {total}, 0)",
            Fresh.ON_RETRACTION,
        )


def _passing(not_null: Sequence[str], condition: str | None) -> str:
    parts = [f"c.{quote(c)} IS NOT NULL" for c in not_null]
    return " AND ".join([*parts, *([f"c.{quote(condition)}"] if condition is not None else [])]) or "true"


def _base_type(type_: str | None) -> str:
    """`numeric(10,2)` -> `numeric`; timestamps keep their zone words."""
    if type_ is None:
        return ""
    return type_.split("(")[0].strip() if type_.startswith(("numeric", "interval", "character")) else type_


def _dividend(base: str, output: str) -> str:
    """What a sum is cast to before it is divided: averages of 256-bit integers are floats, other exact ones numeric."""
    return "numeric" if base in _EXACT and base != "rw_int256" else output
