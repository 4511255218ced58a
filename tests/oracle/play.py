"""Plays a history for some queries at once, and says what differed, or what was refused.

After every barrier each view is compared with its query as a batch; in the end one of them is made once more, from what is
stored by then, and compared too. A query that is refused by name is counted, not failed: `Outcome.refused`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailrace.errors import UnsupportedFeature
from tests.operators.histories import Step, run
from tests.oracle.queries import as_soft
from tests.support.flow import FlowUnderTest


@dataclass(slots=True)
class Outcome:
    """`refused`: the query, and why."""

    views: int = 0
    comparisons: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


class DifferenceError(AssertionError):
    """A view is not its query; the message holds the query."""


def play(engine: FlowUnderTest, history: Sequence[Step], queries: Sequence[str]) -> Outcome:
    """Run the history. Raises DifferenceError, or what the engine raised beyond refusals."""
    outcome = Outcome()

    def create() -> None:
        for number, query in enumerate(queries):
            _create(engine, f"v{number}", query, outcome)

    run(engine, history, create, lambda: _compare(engine, outcome))
    late = f"v{len(history) % len(queries)}"
    if late in engine.queries:
        query = queries[int(late.removeprefix("v"))]
        engine.queries.clear()
        _create(engine, "late", query, outcome)
        _compare(engine, outcome)
    return outcome


def _create(engine: FlowUnderTest, name: str, query: str, outcome: Outcome) -> None:
    try:
        engine.view(name, query)
    except UnsupportedFeature as refusal:
        outcome.refused.append((query, str(refusal)))
    except Exception as error:
        raise DifferenceError(f"{name} cannot be made: {type(error).__name__}: {error}\n{query}") from error
    else:
        engine.queries[name] = as_soft(query)
        outcome.views += 1


def _compare(engine: FlowUnderTest, outcome: Outcome) -> None:
    for name, query in engine.queries.items():
        try:
            engine.check(name)
        except AssertionError as error:
            raise DifferenceError(f"{error}\n{query}") from error
        outcome.comparisons += 1


__all__ = ["DifferenceError", "Outcome", "play"]
