"""The walk: a function of the flow's session that runs every step whose inputs changed, in order of dependency.

One call a barrier: twenty round trips cost the client 10 ms and more while its reader decodes. A function for each component
of the graph (`engine.flow.components`), made when it is first walked over: a statement that changes one part of the catalog
leaves the walks over the others as they are.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.backfill.pending import keep_pending
from engine.catalog.objects import CatalogObject

_TOLD_MS = 100
"""Walks that are shorter do not tell where their time went."""


@dataclass(frozen=True, slots=True)
class Step:
    """When a relation's program has to run, and whether somebody reads what it changes."""

    id: int
    inputs: tuple[int, ...]
    always: bool
    emits: bool


def steps_of(
    items: Iterable[CatalogObject], inputs: Mapping[int, tuple[int, ...]], read: Container[int]
) -> list[Step]:
    """The steps of objects with programs; one without inputs (a source, a table) is its own."""
    found = []
    for item in items:
        program = item.body["program"]
        always = program["uses_now"] or program.get("follows_watermarks", False)
        found.append(Step(item.id, inputs.get(item.id, (item.id,)), always, item.id in read))
    return found


def walk_function(name: str, steps: Sequence[Step], filled: Iterable[tuple[int, CatalogObject]]) -> str:
    """The statements that make the walk called `name`, which returns when each step was done where all took long.

    See `durations_ms`. Behind the steps it keeps what changed of `filled`: views that are being filled, each with an input.
    Cost: the text is compiled once, in the first walk, and not when it is made; a step whose inputs never change costs one
    comparison.
    """
    parts = []
    for place, step in enumerate(steps, 2):
        emit = "true" if step.emits else "false"
        run = (
            f"IF engine.step_{step.id}(barrier_now, barrier_last, false, {emit}) > 0 THEN changed := changed || {step.id}; "
            f"END IF; times[{place}] := clock_timestamp();"
        )
        when = f"changed && ARRAY[{', '.join(map(str, step.inputs))}]::integer[]"
        parts.append(run if step.always else f"IF {when} THEN {run} END IF;")
    parts.extend(
        f"IF changed && ARRAY[{item.id}] THEN {keep_pending(view, item, 'epoch')}; END IF;"
        for view, item in filled
    )
    return (
        "SET check_function_bodies = off; "
        f"CREATE OR REPLACE FUNCTION {name}(barrier_now timestamptz, barrier_last timestamptz, changed integer[], "
        "epoch bigint) RETURNS timestamptz[] LANGUAGE plpgsql AS $walk$ "
        "DECLARE times timestamptz[] := ARRAY[clock_timestamp()]; "
        f"BEGIN {' '.join(parts)} RETURN CASE WHEN clock_timestamp() - times[1] > '{_TOLD_MS} ms' THEN times END; "
        "END $walk$; SET check_function_bodies = on"
    )


def durations_ms(steps: Iterable[Step], times: Sequence[datetime | None]) -> dict[int, float]:
    """What each step that ran took, by id. `times`: when the walk began, and when each step was done, None if it did not run.

    >>> from datetime import UTC
    >>> at = [datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in (1, 2, 5)]
    >>> durations_ms([Step(n, (), True, True) for n in (7, 8, 9)], [at[0], at[1], None, at[2]])
    {7: 1000.0, 9: 3000.0}
    """
    found = {}
    last = times[0]
    for step, time in zip(steps, times[1:], strict=False):
        if time is not None and last is not None:
            found[step.id] = (time - last).total_seconds() * 1000
            last = time
    return found
