"""CREATE SOURCE: a Kafka topic, or a generator (datagen, nexmark), as an append-only relation that is not stored.

Decoded messages arrive in pg_temp.delta_<id> (or in pg_temp.input_<id> where columns are generated or a watermark filters
them) with a fresh `_row_id`. Reading starts with the first view over the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlglot import exp

from engine.catalog.objects import CatalogObject
from engine.compile.builder import ProgramBuilder
from engine.compile.expressions import soften
from engine.compile.program import Program, delta_name, temporary_table
from engine.compile.relations import describe_over
from engine.connectors.external import ExternalSchema
from engine.connectors.formats import Format, check_format, check_source
from engine.connectors.source import Position, SourceColumn, SourceSpec, short_type
from engine.connectors.sources import idle_options, source_spec, start_positions
from engine.ddl.composites import composed_of
from engine.ddl.context import DdlContext, Reply, readers
from engine.ddl.create_table import ROW_ID
from engine.ddl.default_rights import give_defaults
from engine.ddl.external_columns import check_columns, schema_of
from engine.ddl.names import column_definition, object_name, options, refusal
from engine.ddl.secret_options import USED, resolved
from engine.ddl.source_format import connector_of, format_of, included_columns
from engine.operators.base import Column, Operator, names, quote
from engine.operators.project import sql
from engine.operators.scan import Scan
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.names import ObjectName, folded

TAG = "CREATE_SOURCE"
_PARTITION = "_partition"
OP = "_rw_op"
"""The hidden column of what a message does to its row, where messages are changes: `engine.connectors.changes`."""
IDLE_S = 30.0
"""A partition that brings nothing for this long no longer holds a watermark back."""


def create_source(context: DdlContext, tree: exp.Create) -> Reply:
    """Run CREATE SOURCE of rows that only come; the topic must exist."""
    name = context.place(object_name(tree.this))
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(TAG, notices=context.notices)
    context.notices += checked_format(tree)
    create_feed(context, tree, name)
    return Reply(TAG, notices=context.notices)


def checked_format(tree: exp.Create) -> list[str]:
    """Notices about FORMAT and ENCODE of a CREATE SOURCE; raises what `engine.connectors.formats` does."""
    format_ = format_of(tree)
    if format_ is None:
        return []
    return [*check_source(format_), *check_format(format_, connector_of(tree))]


def create_feed(
    context: DdlContext, tree: exp.Create, name: ObjectName, key: Sequence[str] = ()
) -> CatalogObject:
    """Make the source of a statement whose format has been checked; `key` as in `source_body`."""
    id_ = context.new_id()
    spec, program, body = source_body(context, name.name, tree, id_, key=key)
    context.notices += idle_options(spec)
    start = start_positions(
        spec
    )  # 'latest' is resolved now, as in RisingWave; fails when the topic is missing
    columns = tuple(Column(c["name"], c["type"], c["hidden"]) for c in body["columns"])
    body["start"] = [asdict(p) for p in start.values()]
    context.execute(
        f"CREATE VIEW {name.sql} AS {refusal(name.name, columns)}",
        f"GRANT SELECT ON {name.sql} TO {readers(context.user)}",
    )
    if program is not None:
        context.execute(program.function)
    new = CatalogObject(id_, name.name, "source", context.user, context.text, body, schema=name.schema)
    context.record(new)
    give_defaults(context, new)
    for position in start.values():
        context.connection.execute(
            "INSERT INTO engine.source_positions VALUES (%s, %s, %s, %s)",
            (id_, position.partition, position.topic_id, position.offset),
        )
    return context.catalog.objects[id_]


def _shown(format_: Format | None) -> dict[str, Any]:
    """What rw_sources shows of a format."""
    format_ = format_ or Format("native", "native")
    return {
        "format": format_.name.upper(),
        "encode": format_.encode.upper(),
        "encode_options": dict(format_.options),
    }


def source_body(
    context: DdlContext,
    name: str,
    tree: exp.Create,
    id_: int,
    order: Sequence[str] = (),
    *,
    key: Sequence[str] = (),
) -> tuple[SourceSpec, Program | None, dict[str, Any]]:
    """What a CREATE SOURCE describes: the reader's settings, the source's own step, and what the catalog keeps of them.

    Columns that `order` names come first, in that order. Where messages are changes, `key` are the columns of the rows that
    they change. No broker is asked.
    """
    format_ = format_of(tree)
    physical, generated, watermark = _elements(context, tree)
    if format_ is not None and format_.has_changes:
        physical = (*physical, SourceColumn(OP, "smallint", "op"))
    if watermark and not any(map(_numbers_partitions, physical)):  # a watermark is kept per partition
        physical = (*physical, SourceColumn(_PARTITION, "integer", "partition"))
    place = {column: at for at, column in enumerate(order)}
    physical = tuple(sorted(physical, key=lambda c: place.get(c.name, len(place))))
    values, with_options, secrets = resolved(context, options(tree))
    schema, format_, of_schema = schema_of(context, tree, format_)
    if schema is not None and format_ is not None:
        check_columns(format_, schema, [c for c in physical if c.name not in order])
    types = composed_of(context.connection, [column.type for column in physical])
    spec = source_spec(
        name, physical, values, format_, composites=types.composites, maps=types.maps, key=key, schema=schema
    )
    columns, program = (*_input_columns(physical, spec.encode), ROW_ID), None
    if generated or watermark:
        partition = next(c.name for c in physical if _numbers_partitions(c)) if watermark else ""
        columns, program = _computed(context, id_, columns, generated, watermark, partition=partition)
    place[ROW_ID.name] = len(place) + 1
    columns = tuple(sorted(columns, key=lambda c: place.get(c.name, len(order))))
    body: dict[str, Any] = {
        "columns": [{"name": c.name, "type": c.type, "hidden": c.hidden} for c in columns],
        "key": [ROW_ID.name],
        "append_only": True,
        "options": {
            **with_options,
            "connector": spec.connector,
            **({"topic": spec.topic} if spec.topic else {}),
        },
        "spec": {**asdict(spec), "properties": dict(spec.properties), "handling": dict(spec.handling)},
        **_shown(format_),
        "program": program.to_json() if program else None,
        **({USED: used} if (used := sorted({*secrets, *of_schema})) else {}),
        "watermarks": _watermark_of(id_, columns, watermark[0]) if watermark else {},
    }
    return spec, program, body


TEXT, DOCUMENT = SourceColumn("_text", "text", "text"), SourceColumn("_json", "jsonb", "json")
"""Companions of a BYTES source's column: see `engine.compile.expressions.decoded_by_reader`."""


def reader_spec(source: CatalogObject, programs: Iterable[Program]) -> SourceSpec:
    """The reader's settings: the source's columns, and the companions that some view's program uses."""
    spec = spec_of(source)
    functions = [p.function for p in programs]
    used = tuple(
        c for c in (TEXT, DOCUMENT) if spec.encode == "bytes" and any(quote(c.name) in f for f in functions)
    )
    return replace(spec, columns=(*spec.columns, *used))


def start_of(source: CatalogObject) -> dict[int, Position]:
    """Where the source began, by partition."""
    return {p["partition"]: Position(**p) for p in source.body["start"]}


def spec_of(source: CatalogObject) -> SourceSpec:
    """The reader's settings of a catalogued source."""
    value = source.body["spec"]
    changed = {
        "columns": tuple(SourceColumn(**c) for c in value["columns"]),
        "key": tuple(value.get("key", ())),
        "maps": {name: (key, of) for name, (key, of) in value.get("maps", {}).items()},
        "schema": ExternalSchema.from_json(value.get("schema")),
    }
    return SourceSpec(**{**value, **changed})


def input_name(source: CatalogObject) -> str:
    """Where decoded messages are copied to."""
    return f"pg_temp.input_{source.id}" if source.body.get("program") else delta_name(source.id)


def temporaries(source: CatalogObject) -> list[str]:
    """The temporary tables of a source: its delta, and its input where that differs; `_row_id` fills itself."""
    row_id = f"ALTER TABLE {{}} ALTER COLUMN {ROW_ID.name} SET DEFAULT nextval('engine.row_id')"
    statements = [
        temporary_table(delta_name(source.id), source.columns),
        row_id.format(delta_name(source.id)),
    ]
    if source.body.get("program"):
        spec = spec_of(source)
        columns = (*_input_columns(spec.columns, spec.encode), ROW_ID)
        statements = [
            statements[0],
            temporary_table(input_name(source), columns),
            row_id.format(input_name(source)),
        ]
    plain, any_size = f"{quote(TEXT.name)} {TEXT.type} STORAGE PLAIN", f"{quote(TEXT.name)} {TEXT.type}"
    return [s.replace(plain, any_size) for s in statements]


def _elements(
    context: DdlContext, tree: exp.Create
) -> tuple[tuple[SourceColumn, ...], list[tuple[str, exp.Expr]], tuple[str, exp.Expr] | None]:
    """Physical columns, generated ones and the watermark (column, expression)."""
    fields: list[tuple[str, str, str, str]] = []
    generated: list[tuple[str, exp.Expr]] = []
    watermark = None
    for element in tree.this.expressions if isinstance(tree.this, exp.Schema) else ():
        if isinstance(element, exp.ColumnDef):
            if element.args.get("kind") is None:
                raise InvalidStatement(f'column "{element.name}" has no type')
            definition = column_definition(element)
            if definition.not_null or definition.primary_key or definition.default is not None:
                raise UnsupportedFeature(
                    "NOT NULL, DEFAULT and PRIMARY KEY on a source", hint="filter in a view"
                )
            if definition.generated is not None:
                cast = exp.cast(definition.generated, definition.type, dialect="postgres")
                generated.append((definition.name, cast))
            else:
                fields.append((definition.name, definition.type, "field", ""))
        elif isinstance(element, exp.WatermarkColumnConstraint):
            watermark = (folded(element.this.this), element.expression)
        else:
            raise UnsupportedFeature(f"{element.sql(dialect='postgres')} in CREATE SOURCE")
    fields += included_columns(context, tree)
    shown = ", ".join(f"NULL::{type_} AS {quote(name)}" for name, type_, _, _ in fields)
    if not fields:
        raise InvalidStatement("a source needs at least one column")
    typed = context.environment.describe(f"SELECT {shown}")
    return (
        tuple(
            SourceColumn(c.name, short_type(c.type), origin, header)
            for c, (_, _, origin, header) in zip(typed, fields, strict=True)
        ),
        generated,
        watermark,
    )


def _computed(
    context: DdlContext,
    id_: int,
    inputs: tuple[Column, ...],
    generated: list[tuple[str, exp.Expr]],
    watermark: tuple[str, exp.Expr] | None,
    *,
    partition: str,
) -> tuple[tuple[Column, ...], Program]:
    """The source's own step: generated columns, then the watermark of the barriers before."""
    scan: Operator = Scan("input", f"pg_temp.input_{id_}", None, inputs, (ROW_ID.name,), append_only=True)

    def unqualified(node: exp.Expr) -> exp.Expr:
        return (
            exp.column(exp.to_identifier(node.name.lower(), quoted=True))
            if isinstance(node, exp.Column)
            else node
        )

    operator, soft = soften(context.environment, scan, [e.transform(unqualified) for _, e in generated])
    types = describe_over(context.environment, operator, soft)
    added = tuple(Column(n, t) for (n, _), t in zip(generated, types, strict=True))
    columns = (*inputs[:-1], *added, inputs[-1])
    selected = ", ".join([names(inputs[:-1], "i."), *(f"{sql(e)}" for e in soft), "i." + quote(ROW_ID.name)])
    below = operator.lower(ProgramBuilder(id_))
    relation = below.delta if below.delta.startswith("(") else f"(SELECT * FROM {below.delta})"
    delta = delta_name(id_)
    steps = f"INSERT INTO {delta} ({names(columns)}) SELECT {selected} FROM {relation} AS i;"
    if watermark is not None:
        steps += _watermark_steps(id_, columns, watermark, partition)
    function = (
        f"CREATE OR REPLACE FUNCTION engine.step_{id_}(barrier_now timestamptz, barrier_last timestamptz, initial boolean, "
        f"emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\n"
        f"DECLARE low timestamptz;\nBEGIN {steps} RETURN (SELECT count(*) FROM {delta}); END $step$"
    )
    program = Program(
        (), (), function, (), (ROW_ID.name,), True, "", {}, uses_now=False, stepwise=False, explain=()
    )
    return columns, program


def _watermark_of(id_: int, columns: tuple[Column, ...], name: str) -> dict[str, str]:
    """The watermark of a source's column after the barrier."""
    type_ = next(c.type for c in columns if c.name == name)
    kept = f"SELECT newest FROM engine.source_watermarks WHERE source_id = {id_} AND partition = -1"
    return {name: f"CAST(({kept}) AS {type_})"}


def _watermark_steps(
    id_: int, columns: tuple[Column, ...], watermark: tuple[str, exp.Expr], partition: str
) -> str:
    """Drop rows below the watermark of the barriers before; then advance it, for those who read the source's watermark.

    The watermark is the minimum over active partitions of the newest time seen, taken through the declared expression; it
    never goes back (partition -1 of engine.source_watermarks remembers it).
    """
    name, expression = watermark
    column = next((c for c in columns if c.name == name), None)
    if column is None or not column.type.startswith("timestamp"):
        raise InvalidStatement(f'WATERMARK needs a timestamp column, and "{name}" is none', sqlstate="42703")

    def over(node: exp.Expr) -> exp.Expr:
        return exp.column("newest") if isinstance(node, exp.Column) else node

    delayed, time, by = sql(expression.copy().transform(over)), quote(name), quote(partition)
    advance = "ON CONFLICT (source_id, partition) DO UPDATE SET newest = greatest(w.newest, EXCLUDED.newest)"
    into = "INSERT INTO engine.source_watermarks AS w (source_id, partition, newest, advanced_at)"
    of_source = f"FROM engine.source_watermarks WHERE source_id = {id_}"
    move = (
        f"low := greatest((SELECT newest {of_source} AND partition = -1), "
        f"(SELECT min({delayed}) {of_source} AND partition >= 0 AND advanced_at > barrier_now - interval '{IDLE_S} seconds'));"
        f" IF low IS NOT NULL THEN {into} VALUES ({id_}, -1, low, barrier_now) {advance}; END IF;"
    )
    return (
        f" IF NOT initial THEN {move}"
        f" {into} SELECT {id_}, {by}, max({time}), barrier_now FROM {delta_name(id_)} WHERE {time} IS NOT NULL "
        f"GROUP BY {by} {advance}, advanced_at = EXCLUDED.advanced_at;"
        f" DELETE FROM {delta_name(id_)} WHERE low IS NOT NULL AND ({time} < low) IS NOT FALSE;"
        f" {move} END IF;"
    )


def _numbers_partitions(column: SourceColumn) -> bool:
    return (column.origin, column.type) == ("partition", "integer")


def _input_columns(physical: tuple[SourceColumn, ...], encode: str) -> tuple[Column, ...]:
    companions = (
        tuple(Column(c.name, c.type, hidden=True) for c in (TEXT, DOCUMENT))
        if encode.lower() == "bytes"
        else ()
    )
    return (*(Column(c.name, c.type, hidden=c.name in (_PARTITION, OP)) for c in physical), *companions)
