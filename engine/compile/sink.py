"""From an operator tree to the program of a sink: it ends not in content but in a log of changes.

In the barrier's own transaction the step appends the query's changes to engine.sink_log_<id>: sequence number, epoch, barrier
time, op and the visible columns as v1, v2, ... Nothing else of the sink is stored but its operators' state. Ops are
RisingWave's: 1 insert, 2 delete, 3 update insert, 4 update delete; an update's two rows, old and new, follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.compile.builder import ProgramBuilder, consolidate
from engine.compile.explain import explain
from engine.compile.materialize import kept, stepwise
from engine.compile.program import Program
from engine.operators.base import WEIGHT, Column, Operator, names, quote

INSERT, DELETE, UPDATE_INSERT, UPDATE_DELETE = 1, 2, 3, 4
CHANNEL = "tailrace_sinks"
"""Where a step tells the delivery process which sink has something to deliver."""


def log_name(sink_id: int) -> str:
    """The table of a sink's changes that wait for delivery."""
    return f"engine.sink_log_{sink_id}"


def log_columns(columns: Sequence[Column]) -> list[tuple[str, Column]]:
    """The log's own name of each visible column, with the column."""
    return [(f"v{number}", column) for number, column in enumerate(columns, 1)]


def sink_program(
    operator: Operator,
    relation_id: int,
    key: Sequence[str],
    *,
    force_append_only: bool,
    op: str | None = None,
) -> Program:
    """Compile `operator` as the content of a sink whose changes are paired by the visible columns `key`, if any.

    With `op` its rows are changes themselves, in the order of their row ids: that column says which, and is not sunk.
    """
    builder = ProgramBuilder(relation_id)
    delta = operator.lower(builder).delta
    visible = tuple(c for c in operator.visible if c.name != op)
    if op is not None:
        changes = _as_told(delta, visible, op, operator.key)
    elif operator.append_only:
        changes = _inserts(delta, visible)
    elif force_append_only:
        changes = _inserts(f"({consolidate(delta, names(visible))})", visible, " WHERE d._w > 0")
    else:
        changes = _paired(delta, visible, key or [c.name for c in visible])
    log = log_name(relation_id)
    builder.clean()
    state = kept(builder)
    listed = log_columns(visible)
    stored = ", ".join(name for name, _ in listed)
    typed = ", ".join(f"{name} {column.type}" for name, column in listed)
    builder.tables.append(
        f"CREATE TABLE {log} (_seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, _epoch bigint NOT NULL, "
        f"_at timestamptz NOT NULL, _op smallint NOT NULL, {typed}) "
        "WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)"
    )
    body = "".join(f"  {step};\n" for step in builder.steps)
    function = (
        f"CREATE FUNCTION engine.step_{relation_id}(barrier_now timestamptz, barrier_last timestamptz, "
        f"initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\n"
        f"DECLARE {''.join(f'{v}; ' for v in builder.variables)}logged bigint;\nBEGIN\n{body}"
        f"  INSERT INTO {log} (_epoch, _at, _op, {stored}) {changes};\n"
        f"  GET DIAGNOSTICS logged = ROW_COUNT;\n"
        f"  IF logged > 0 THEN PERFORM pg_notify('{CHANNEL}', '{relation_id}'); END IF;\n"
        "  RETURN logged;\nEND $step$"
    )
    return Program(
        tables=tuple(builder.tables),
        temporaries=tuple(builder.temporaries),
        function=function,
        columns=tuple({"name": c.name, "type": c.type, "hidden": c.hidden} for c in visible),
        key=tuple(key),
        append_only=operator.append_only,
        content="",
        storage={},
        uses_now=builder.uses_now,
        stepwise=stepwise(operator),
        explain=(*state, *explain(operator)),
        cleans=builder.waits,
        follows_watermarks=builder.follows_watermarks,
    )


_WHEN = "(SELECT b.epoch FROM engine.barrier AS b), barrier_now"


def _inserts(rows: str, columns: Sequence[Column], where: str = "") -> str:
    """Rows that only appear, in the order of their delta."""
    return (
        f"SELECT {_WHEN}, {INSERT}, {names(columns, 'd.')} FROM {rows} AS d "
        f"CROSS JOIN LATERAL generate_series(1, d.{WEIGHT}){where}"
    )


def _as_told(delta: str, columns: Sequence[Column], op: str, order: Sequence[str]) -> str:
    """Rows that say themselves what happens to them."""
    return f"SELECT {_WHEN}, d.{quote(op)}, {names(columns, 'd.')} FROM {delta} AS d ORDER BY {names(order, 'd.')}"


def _paired(delta: str, columns: Sequence[Column], key: Sequence[str]) -> str:
    """All changes ordered by key, what goes before what comes; one of each is an update."""
    listed = names(columns)
    changes = consolidate(delta, listed)
    pair = f"count(*) OVER k = 2 AND min({WEIGHT}) OVER k = -1 AND max({WEIGHT}) OVER k = 1"
    ranked = f"SELECT {listed}, {WEIGHT}, {pair} AS _pair FROM ({changes}) AS d WINDOW k AS (PARTITION BY {names(key)})"
    op = (
        f"CASE WHEN d.{WEIGHT} > 0 THEN CASE WHEN d._pair THEN {UPDATE_INSERT} ELSE {INSERT} END "
        f"ELSE CASE WHEN d._pair THEN {UPDATE_DELETE} ELSE {DELETE} END END"
    )
    return (
        f"SELECT {_WHEN}, {op}, {names(columns, 'd.')} FROM ({ranked}) AS d "
        f"CROSS JOIN LATERAL generate_series(1, abs(d.{WEIGHT})) ORDER BY {names(key, 'd.')}, d.{WEIGHT}"
    )
