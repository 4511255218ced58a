"""What maintaining the views of a run costs: each CREATE MATERIALIZED VIEW that succeeded is EXPLAINed, the worst class counted.

Pure: the text of a statement to that of its EXPLAIN, the rows of an EXPLAIN to a class.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tests.slt.compare import Rows

CLASSES = ("O(delta)", "O(delta log n)", "O(group)", "O(state)")
"""From the cheapest to the dearest; see `engine.operators.base.Cost`."""
_CREATES_VIEW = re.compile(
    r"^(?:\s|--[^\n]*\n|/\*.*?\*/)*CREATE\s+MATERIALIZED\s+VIEW\b", re.IGNORECASE | re.DOTALL
)
_OPERATOR = re.compile(r"^\s*(?P<name>[\w ]+?) \[.*\] maintained: .*, cost: (?P<cost>O\(.*\))$")


def explained(text: str) -> str | None:
    """The EXPLAIN of a CREATE MATERIALIZED VIEW; None for other statements.

    >>> explained("create materialized view v as select 1")
    'EXPLAIN create materialized view v as select 1'
    """
    found = _CREATES_VIEW.match(text)
    return f"EXPLAIN {text.lstrip()}" if found else None


def cost_of(plan: Rows) -> str:
    """The worst class among a plan's operators, and the operators of that class if it is O(state).

    >>> cost_of([["Scan [t] maintained: delta, cost: O(delta)"], ["Recompute [x] maintained: whole, cost: O(state)"]])
    'O(state): Recompute'
    """
    found = [(m["cost"], m["name"]) for row in plan for line in row if (m := _OPERATOR.match(line))]
    worst = max((CLASSES.index(cost) for cost, _ in found), default=0)
    if CLASSES[worst] != "O(state)":
        return CLASSES[worst]
    return "O(state): " + ", ".join(sorted({name for cost, name in found if cost == "O(state)"}))


def counted(costs: Iterable[str]) -> str:
    """How many views are of which class, one a line."""
    counts = Counter(cost for cost in costs if cost)
    order = sorted(counts, key=lambda cost: (CLASSES.index(cost.split(":")[0]), -counts[cost]))
    return "\n".join(
        [f"{sum(counts.values()):5d}  materialized views", *(f"{counts[c]:5d}  {c}" for c in order)]
    )
