"""The walk: a function of the flow's session that runs every step whose inputs changed, in order of dependency.

One call a barrier: twenty round trips cost the client 10 ms and more while its reader decodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.backfill.pending import keep_pending
from engine.catalog.objects import Catalog, CatalogObject
from engine.flow.session import STEPPED, Connection

_TOLD_MS = 100
"""Walks that are shorter do not tell where their time went."""


@dataclass(frozen=True, slots=True)
class Step:
    """When a relation's program has to run, and whether somebody reads what it changes."""

    id: int
    inputs: tuple[int, ...]
    always: bool
    emits: bool


@dataclass(slots=True)
class Walk:
    """The steps over one state of the catalog, and whether the session's function is theirs: it is made when it is needed.

    `read`: the relations whose changes some view or sink reads. `filled`: views that are being filled, each with an input.
    `uses_now`: whether some view changes with time alone.
    """

    steps: tuple[Step, ...] = ()
    read: frozenset[int] = frozenset()
    filled: tuple[tuple[int, CatalogObject], ...] = ()
    uses_now: bool = False
    spent_ms: dict[int, float] = field(default_factory=dict)
    """What each step took when all took long, by id."""
    _is_made: bool = False

    @staticmethod
    def over(catalog: Catalog) -> Walk:
        """The walk that this catalog asks for. Cost: one look at each object and its inputs."""
        inputs = {v.id: catalog.inputs_of(v) for v in catalog.of_kind(*STEPPED)}
        read = frozenset(i.id for items in inputs.values() for i in items)
        steps: list[Step] = []
        filled: list[tuple[int, CatalogObject]] = []
        uses_now = False
        for item in catalog.objects.values():
            program = item.body.get("program")
            if item.is_creating:
                filled.extend((item.id, i) for i in inputs.get(item.id, ()))
            elif program:
                # one without inputs (a source, a table) is its own
                own = tuple(i.id for i in inputs[item.id]) if item.id in inputs else (item.id,)
                always = program["uses_now"] or program.get("follows_watermarks", False)
                steps.append(Step(item.id, own, always, item.id in read))
                uses_now = uses_now or (program["uses_now"] and item.id in inputs)
        return Walk(tuple(steps), read, tuple(filled), uses_now)

    @property
    def always(self) -> bool:
        """Whether a step has to run though nothing changed."""
        return any(step.always for step in self.steps)

    def make(self, connection: Connection) -> None:
        """Make the session's function, unless it has this one."""
        if not self._is_made:
            connection.execute(walk_function(self.steps, self.filled))
            self._is_made = True

    def forget(self) -> None:
        """The session's function may be gone, or another's: a transaction has failed, or the session is new."""
        self._is_made = False

    def run(
        self, connection: Connection, changed: set[int], now: datetime, last: datetime, epoch: int
    ) -> None:
        """Run the steps of what is built on `changed`, in one call; `last` is the time of the barrier before this one."""
        if not changed and not self.always:
            return
        self.make(connection)
        row = connection.execute(
            "SELECT pg_temp.walk(%s, %s, %s::integer[], %s)", (now, last, sorted(changed), epoch)
        ).fetchone()
        self.spent_ms = durations_ms(self.steps, row[0]) if row is not None and row[0] else {}


def walk_function(steps: Sequence[Step], filled: Iterable[tuple[int, CatalogObject]]) -> str:
    """The statements that make pg_temp.walk, which returns when each step was done where all took long; see `durations_ms`.

    Behind the steps it keeps what changed of `filled`: views that are being filled, each with an input. Cost: the text is
    compiled once, in the first walk, and not when it is made; a step whose inputs never change costs one comparison.
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
        "CREATE OR REPLACE FUNCTION pg_temp.walk(barrier_now timestamptz, barrier_last timestamptz, changed integer[], "
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
