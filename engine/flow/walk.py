"""The walk: a function of the flow's session that runs every step whose inputs changed, in order of dependency.

One call a barrier: twenty round trips cost the client 10 ms and more while its reader decodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.backfill.pending import keep_pending
from engine.catalog.objects import CatalogObject


@dataclass(frozen=True, slots=True)
class Step:
    """When a relation's program has to run, and whether somebody reads what it changes."""

    id: int
    inputs: tuple[int, ...]
    always: bool
    emits: bool


def steps_of(
    items: Iterable[CatalogObject], inputs: Mapping[int, tuple[int, ...]], readers: Mapping[int, bool]
) -> list[Step]:
    """The steps of objects with programs; one without inputs (a source, a table) is its own."""
    found = []
    for item in items:
        program = item.body["program"]
        always = program["uses_now"] or program.get("follows_watermarks", False)
        found.append(Step(item.id, inputs.get(item.id, (item.id,)), always, readers[item.id]))
    return found


def walk_function(steps: Iterable[Step], filled: Iterable[tuple[int, CatalogObject]]) -> str:
    """CREATE FUNCTION pg_temp.walk(...): it returns the milliseconds of each step.

    Behind the steps it keeps what changed of `filled`: views that are being filled, each with an input.
    """
    parts = []
    for step in steps:
        always = " OR true" if step.always else ""
        emit = "true" if step.emits else "false"
        parts.append(
            f"begun := clock_timestamp(); IF changed && ARRAY[{', '.join(map(str, step.inputs))}]::integer[]{always} THEN "
            f"IF engine.step_{step.id}(barrier_now, barrier_last, false, {emit}) > 0 THEN changed := changed || {step.id}; "
            f"END IF; END IF; spent := spent || extract(epoch FROM clock_timestamp() - begun)::float8 * 1000;"
        )
    parts.extend(
        f"IF changed && ARRAY[{item.id}] THEN {keep_pending(view, item, 'epoch')}; END IF;"
        for view, item in filled
    )
    return (
        "CREATE OR REPLACE FUNCTION pg_temp.walk(barrier_now timestamptz, barrier_last timestamptz, changed integer[], "
        "epoch bigint) RETURNS float8[] LANGUAGE plpgsql AS $walk$ DECLARE begun timestamptz; spent float8[] := '{}'; "
        f"BEGIN {' '.join(parts)} RETURN spent; END $walk$"
    )
