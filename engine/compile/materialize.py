"""From an operator tree to the program that maintains a materialized view.

The view's rows are kept once: in the state of its last operator where that is already the content (an aggregate, a top-N,
with projections and filters on top computed when read), else in a storage table of its own.
"""

from __future__ import annotations

from engine.compile.builder import ProgramBuilder, apply_delta, consolidate
from engine.compile.explain import explain
from engine.compile.program import Program, delta_name, temporary_table
from engine.operators.base import WEIGHT, Cost, Operator, Origin, Stream, names, quote
from engine.operators.project import Filter, Project
from engine.operators.temporal_join import TemporalJoin


def materialize(operator: Operator, relation_id: int, *, expires: bool = False) -> Program:
    """Compile `operator` as the content of relation `relation_id`; with `expires`, rows of its state can be deleted by age."""
    builder = ProgramBuilder(relation_id, expires)
    delta, columns = delta_name(relation_id), names(operator.columns)
    builder.temporaries.append(temporary_table(delta, operator.columns))
    if operator.owns_content:
        builder.root = _below_projections(operator)
        stream = operator.lower(builder)
        stream.reads({})  # by clients, and by other views
        builder.step(
            f"IF emit THEN INSERT INTO {delta} ({columns}, {WEIGHT}) SELECT {columns}, {WEIGHT} FROM {stream.delta} AS d; END IF"
        )
        content = f"SELECT {columns} FROM {stream.content} AS c"
        origins = {c.name: operator.origin(c.name) for c in operator.columns}
    else:
        stream = operator.lower(builder)
        table = builder.state_table(operator.columns, None if operator.append_only else operator.key)
        _store(builder, operator, stream, table, delta)
        content = f"SELECT {columns} FROM {table} AS c"
        origins = {c.name: Origin(table, quote(c.name)) for c in operator.columns}
    builder.clean()
    return Program(
        tables=tuple(builder.tables),
        temporaries=tuple(builder.temporaries),
        function=_function(relation_id, builder, delta),
        columns=tuple({"name": c.name, "type": c.type, "hidden": c.hidden} for c in operator.columns),
        key=operator.key,
        append_only=operator.append_only,
        content=content,
        storage={c: (o.table, o.expression) for c, o in origins.items() if o is not None},
        uses_now=builder.uses_now,
        stepwise=stepwise(operator),
        explain=(*kept(builder), *explain(operator)),
        follows_watermarks=builder.follows_watermarks,
        watermarks={c: w.sql for c, w in operator.watermarks.items() if w.moves},
        cleans=builder.waits,
    )


def stepwise(operator: Operator) -> bool:
    """See `Program.stepwise`; called when all is lowered."""
    operators = [operator]
    for each in operators:
        operators.extend(each.inputs)
    in_any_order = not any(isinstance(o, TemporalJoin) and o.fills_up for o in operators)
    return in_any_order and all(o.describe().cost in (Cost.DELTA, Cost.DELTA_LOG) for o in operators)


def _store(builder: ProgramBuilder, operator: Operator, stream: Stream, table: str, delta: str) -> None:
    columns = names(operator.columns)
    if operator.append_only:
        builder.step(
            f"IF emit THEN INSERT INTO {delta} ({columns}, {WEIGHT}) SELECT {columns}, {WEIGHT} FROM {stream.delta} AS d; "
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {delta} AS d; "
            f"ELSE INSERT INTO {table} ({columns}) SELECT {columns} FROM {stream.delta} AS d; END IF"
        )
        return
    builder.step(f"INSERT INTO {delta} ({columns}, {WEIGHT}) {consolidate(stream.delta, columns)}")
    for statement in apply_delta(table, delta, operator, consolidated=True):
        builder.step(statement)


def _below_projections(operator: Operator) -> Operator:
    while isinstance(operator, Project | Filter):
        operator = operator.input
    return operator


def kept(builder: ProgramBuilder) -> list[str]:
    """The state tables and their indexes, and what becomes of them, for EXPLAIN."""
    made = [t.removeprefix("CREATE ") for t in builder.tables]
    return [f"state: {line}" for line in (*made, *(b.explain() for b in builder.cleaned))]


def _function(relation_id: int, builder: ProgramBuilder, delta: str) -> str:
    body = "".join(f"  {step};\n" for step in builder.steps)
    declared = f"DECLARE {'; '.join(builder.variables)};\n" if builder.variables else ""
    return (
        f"CREATE FUNCTION engine.step_{relation_id}(barrier_now timestamptz, barrier_last timestamptz, "
        f"initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\n"
        f"{declared}BEGIN\n{body}  RETURN (SELECT count(*) FROM {delta});\nEND $step$"
    )
