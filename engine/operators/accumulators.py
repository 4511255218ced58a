"""Accumulators: what an aggregate keeps per group so that a barrier costs what changed.

Each accumulator is a few state columns with three rules: `partial` computes them from weighted rows `d`, `merge` adds a
partial `x` (EXCLUDED) to the state `s`, and the call's output is an expression over the columns. Invertible ones take
retractions as negative weights; the others (min, max and every floating-point sum) are recomputed from the group's
content when it sees a retraction, which keeps them exact.

Variances of floats are merged as (count, mean, M2) after Chan, Golub and LeVeque (1979); those of exact numbers are kept as
numeric sums and are invertible.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.operators.base import WEIGHT, Column, quote
from tailrace.errors import UnsupportedFeature

FUNCTIONS = ("count", "sum", "avg", "min", "max", "stddev_samp", "stddev_pop", "var_samp", "var_pop")
_EXACT = {"smallint", "integer", "bigint", "numeric"}
_FLOAT = {"real", "double precision"}


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """`function(argument) FILTER (WHERE filter)` named `output`; argument and filter are input columns, None = count(*)."""

    function: str
    argument: str | None
    filter: str | None
    output: Column


@dataclass(frozen=True, slots=True)
class Cell:
    """One state column: its rules are SQL with `{s}` and `{x}` for the prefixes of state and partial."""

    column: Column
    partial: str
    merge: str


@dataclass(slots=True)
class Accumulators:
    """The state columns of a group and the output expression of each call; equal accumulators are kept once."""

    cells: dict[str, Cell] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)  # SQL with {p} for the prefix of the state's columns
    invertible: bool = True

    def add(self, call: AggregateCall, argument_type: str | None) -> None:
        """Add the columns that `call` needs; raises UnsupportedFeature for argument types it is not defined on."""
        base = _base_type(argument_type)
        if call.function == "count":
            if call.argument is None and call.filter is None:
                self.outputs.append("{p}_n")
            else:
                self.outputs.append("{p}" + self._count(call))
        elif call.function in ("min", "max"):
            self.outputs.append("{p}" + self._extreme(call, argument_type or "text"))
        elif call.function == "sum":
            count = self._count(call)
            total = self._sum(call, base)
            self.outputs.append(f"CASE WHEN {{p}}{count} > 0 THEN {{p}}{total}::{call.output.type} END")
        elif call.function == "avg":
            count = self._count(call)
            total = self._sum(call, base)
            value = f"{{p}}{total}::{'numeric' if base in _EXACT else call.output.type} / {{p}}{count}"
            self.outputs.append(f"CASE WHEN {{p}}{count} > 0 THEN {value} END")
        else:
            self.outputs.append(self._variance(call, base))

    def _key(self, kind: str, call: AggregateCall) -> str:
        return quote(f"{kind}({call.argument or '*'})" + (f" {call.filter}" if call.filter else ""))

    def _condition(self, call: AggregateCall) -> str:
        parts = [f"d.{quote(call.argument)} IS NOT NULL"] if call.argument is not None else []
        parts += [f"d.{quote(call.filter)}"] if call.filter is not None else []
        return " AND ".join(parts) or "true"

    def _cell(self, name: str, type_: str, partial: str, merge: str) -> str:
        self.cells.setdefault(name, Cell(Column(name[1:-1], type_), partial, merge))
        return name

    def _count(self, call: AggregateCall) -> str:
        name = self._key("count", call)
        partial = f"coalesce(sum({WEIGHT}) FILTER (WHERE {self._condition(call)}), 0)"
        return self._cell(name, "bigint", partial, f"{{s}}{name} + {{x}}{name}")

    def _sum(self, call: AggregateCall, base: str) -> str:
        name, where = self._key("sum", call), f"FILTER (WHERE {self._condition(call)})"
        argument = f"d.{quote(call.argument or '')}"
        if base in _FLOAT:
            self.invertible = False
            partial = f"coalesce(sum({argument}::double precision) {where}, 0)"
            return self._cell(name, "double precision", partial, f"{{s}}{name} + {{x}}{name}")
        if base not in _EXACT and base != "interval":
            raise UnsupportedFeature(f"{call.function}({base})")
        kept = "interval" if base == "interval" else "numeric"
        zero = "'0'::interval" if base == "interval" else "0"
        partial = f"coalesce(sum({argument}::{kept} * {WEIGHT}) {where}, {zero})"
        return self._cell(name, kept, partial, f"{{s}}{name} + {{x}}{name}")

    def _extreme(self, call: AggregateCall, type_: str) -> str:
        self.invertible = False
        name = self._key(call.function, call)
        pick = "LEAST" if call.function == "min" else "GREATEST"
        partial = f"{call.function}(d.{quote(call.argument or '')}) FILTER (WHERE {self._condition(call)})"
        return self._cell(name, type_, partial, f"{pick}({{s}}{name}, {{x}}{name})")

    def _variance(self, call: AggregateCall, base: str) -> str:
        count, sample = self._count(call), call.function.endswith("_samp")
        enough = f"{{p}}{count} > {1 if sample else 0}"
        divisor = f"({{p}}{count} - 1)" if sample else f"{{p}}{count}"
        if base in _EXACT:
            total, squares = self._sum(call, base), self._squares(call)
            spread = f"greatest({{p}}{squares} * {{p}}{count} - {{p}}{total} * {{p}}{total}, 0)"
            variance = f"{spread} / ({{p}}{count}::numeric * {divisor})"
        elif base in _FLOAT:
            variance = f"{{p}}{self._moment(call, count)} / {divisor}"
        else:
            raise UnsupportedFeature(f"{call.function}({base})")
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
        self.invertible = False
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
        )
        return self._cell(
            moment,
            "double precision",
            f"coalesce(var_pop({argument}) {where} * count({argument}) {where}, 0)",
            f"coalesce({{s}}{moment} + {{x}}{moment} + {step} * {step} * {{s}}{count} * {{x}}{count} / {total}, 0)",
        )


def _base_type(type_: str | None) -> str:
    """`numeric(10,2)` -> `numeric`; timestamps keep their zone words."""
    if type_ is None:
        return ""
    return type_.split("(")[0].strip() if type_.startswith(("numeric", "interval", "character")) else type_
