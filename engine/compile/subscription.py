"""The program of a subscription: each barrier appends the changes of one relation to a log that clients' cursors read.

engine.subscription_log_<id> has a sequence number, the barrier's time in milliseconds, the op (1 insert, 2 delete, 3 update
insert, 4 update delete) and the relation's visible columns as v1, v2, ...; within a barrier rows are ordered by the
relation's key. Rows expire by `engine.flow.retention`.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.compile.builder import ProgramBuilder, consolidate
from engine.compile.program import WRITTEN, Program
from engine.operators.base import WEIGHT, Column, names
from engine.operators.changelog import changes
from engine.operators.scan import Scan
from engine.subscription_log import subscription_log


def subscription_program(scan: Scan, id_: int) -> Program:
    """Compile the log of `scan`'s changes."""
    builder, log = ProgramBuilder(id_), subscription_log(id_)
    delta = scan.lower(builder).delta
    visible = scan.visible
    values = [f"v{number}" for number, _ in enumerate(visible, 1)]
    typed = "".join(f", {v} {c.type}" for v, c in zip(values, visible, strict=True))
    op, rows = changes(scan, delta)
    shown = "".join(f", {c}" for c in _each(visible))
    function = (
        f"CREATE FUNCTION engine.step_{id_}(barrier_now timestamptz, barrier_last timestamptz, initial boolean, "
        f"emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n"
        f"  INSERT INTO {log} (_ms, _op{''.join(f', {v}' for v in values)}) "
        f"SELECT floor(extract(epoch FROM barrier_now) * 1000)::bigint, {op}{shown} FROM {rows};\n"
        "  RETURN 0;\nEND $step$"
    )
    return Program(
        tables=(
            f"CREATE TABLE {log} (_seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, _ms bigint NOT NULL, "
            f"_op smallint NOT NULL, {WRITTEN} timestamptz NOT NULL DEFAULT now(){typed})",
            f"CREATE INDEX ON {log} ({WRITTEN})",
            f"CREATE INDEX ON {log} (_ms)",
        ),
        temporaries=(),
        function=function,
        columns=tuple({"name": c.name, "type": c.type, "hidden": False} for c in visible),
        key=scan.key,
        append_only=True,
        content="",
        storage={},
        uses_now=False,
        stepwise=True,
        explain=(),
    )


def snapshot(scan: Scan, table_id: int | None) -> str:
    """The relation as the last barrier left it, ordered by its key: changes of a table that wait for a barrier are undone."""
    columns, visible = names(scan.columns), names(scan.visible) or "NULL"
    rows = str(scan.content)
    if table_id is not None:
        undone = f"SELECT {columns}, -{WEIGHT} AS {WEIGHT} FROM engine.changes_{table_id} AS c"
        every = f"(SELECT {columns}, 1 AS {WEIGHT} FROM {rows} AS t UNION ALL {undone})"
        rows = f"({consolidate(every, columns)})"
    return f"SELECT {visible} FROM {rows} AS r ORDER BY {names(scan.key)}"


def _each(columns: Sequence[Column]) -> list[str]:
    return [names([c], "c.") for c in columns]
