"""The operator tree as EXPLAIN shows it."""

from __future__ import annotations

from engine.operators.base import Operator


def explain(operator: Operator, depth: int = 0) -> list[str]:
    """The tree as EXPLAIN shows it, one operator a line with its maintenance and cost class."""
    line = operator.describe()
    lines = [
        f"{'  ' * depth}{line.operator} [{line.detail}] maintained: {line.maintenance}, cost: {line.cost}"
    ]
    for below in operator.inputs:
        lines.extend(explain(below, depth + 1))
    return lines
