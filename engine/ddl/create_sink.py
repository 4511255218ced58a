"""CREATE SINK: a query whose changes are delivered to a topic, to files, to an HTTP endpoint, or INTO a table.

The program ends in a log (`engine.compile.sink`). What delivers lies elsewhere: `engine.delivery` for topics and files,
`engine.flow.into_table` for tables. The initial content goes through the same fill as a view's; with snapshot = 'false', which
needs FROM a relation and so has no state, it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from engine.catalog.objects import CatalogObject
from engine.compile.close_windows import close_windows
from engine.compile.explain import explain
from engine.compile.ordered_sets import ordered_sets
from engine.compile.planner import plan, relations_of
from engine.compile.program import own_state
from engine.compile.sink import CHANNEL, sink_program
from engine.connectors.sink import SinkSpec, SinkType, sink_spec
from engine.connectors.sink_external import is_external, load_schema
from engine.connectors.sink_files import check_directory
from engine.connectors.sink_json import check_types
from engine.connectors.sink_kafka import check_client, check_topic
from engine.connectors.source import Composites
from engine.ddl.composites import composed_of
from engine.ddl.context import DdlContext, Reply
from engine.ddl.create_function import inline_functions
from engine.ddl.create_view import let_clean, let_close
from engine.ddl.filling import Filling, fill_or_start
from engine.ddl.names import SERVERLESS, serverless_refused
from engine.ddl.secret_options import USED, resolved
from engine.operators.base import Column, Operator
from tailrace.errors import InvalidStatement, PermissionDenied, UnsupportedFeature
from tailrace.sql.dialect import TailraceSQL, parse_query
from tailrace.sql.names import ObjectName
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.sinks import CreateSink, parse_create_sink

TAG = "CREATE_SINK"


def create_sink(
    context: DdlContext, filling: Filling, *, op: str | None = None, cut_over: bool = False
) -> Reply:
    """Run the context's CREATE SINK and log what its query holds now, or (`cut_over`) nothing. `op`: a hidden column of the
    relation behind FROM that says of each row what happens to it, for the flow's own sinks INTO tables.
    """
    statement = parse_create_sink(mark_secrets(context.text))
    if cut_over:
        statement = replace(statement, options={**statement.options, "snapshot": "false"})
    if context.user == "dashboard":
        raise PermissionDenied("role dashboard may only read", hint="connect as root")
    name = context.place(ObjectName(statement.name, statement.schema))
    if not context.is_new(name, if_not_exists=statement.if_not_exists):
        return Reply(TAG, notices=context.notices)
    query = _query(context, statement, op)
    operator = _operators(context, query, on_close=statement.emits_on_close)
    references = {context.existing(name).id for name in relations_of(parse_query(query))}
    if statement.options.get(SERVERLESS, "false").lower() == "true":
        raise serverless_refused("sinks are filled here")
    values, _, secrets = resolved(context, statement.options)
    visible = tuple(c for c in operator.visible if c.name != op)
    types = composed_of(context.connection, [c.type for c in visible], shorten=False)
    composites = types.composites
    written = replace(statement, options=values)
    spec = sink_spec(
        written, visible, append_only=operator.append_only, composites=composites, maps=types.maps
    )
    if is_external(spec):
        of_schema, _, more = resolved(context, statement.encode_options, kind="schema_registry")
        spec, secrets = load_schema(spec, of_schema, visible), sorted({*secrets, *more})
    into: dict[str, Any] | None = None
    key = spec.primary_key
    if statement.into is not None:
        target = _target(context, statement, spec, visible, references, own=op is not None)
        into, key = target.to_json(), target.key
        references.add(target.table.id)
    else:
        check_target(context, statement.name, spec, visible, composites)
    id_ = context.new_id()
    # what comes is all that is left of the changes then: an upsert of each
    only_rows = spec.force_append_only or (spec.ignore_delete and not operator.append_only)
    program = sink_program(operator, id_, key, force_append_only=only_rows, op=op)
    context.execute(*own_state(program, id_), *program.temporaries, program.function)
    body = {
        "columns": list(program.columns),
        "key": list(key),
        "append_only": spec.type is SinkType.APPEND_ONLY,
        "program": program.to_json(),
        "sink": spec.to_json(),
        "options": {"connector": spec.connector},
        "from": statement.source or statement.name,
        "files": statement.name,  # stays when the sink is renamed: a batch that is written again must have the same name
        "into": into,
        **({USED: secrets} if secrets else {}),
    }
    new = CatalogObject(
        id_,
        statement.name,
        "sink",
        context.user,
        context.text.strip().removesuffix(";"),
        body,
        tuple(sorted(references)),
        schema=name.schema,
    )
    reply = Reply(TAG, notices=context.notices)
    if not spec.snapshot:
        context.settle(context.catalog.inputs_of(new))
        context.record(new)
        announce(context)
    elif fill_or_start(context, new, filling, reply):
        let_clean(context, new)
        if program.follows_watermarks:
            let_close(context, new)
        announce(context)
    context.execute(f"INSERT INTO engine.sink_progress (sink_id) VALUES ({id_})")
    return reply


def check_target(
    context: DdlContext, name: str, spec: SinkSpec, columns: tuple[Column, ...], composites: Composites
) -> None:
    """That the target is there and takes such columns; raises TailraceError with the next step."""
    notice: str | None = None
    if not is_external(spec) and (spec.encode == "json" or spec.connector in ("kafka", "fs")):
        check_types(columns, composites)
    match spec.connector:
        case "kafka":
            check_client(name, spec)
            check_topic(name, spec)
        case "fs":
            check_directory(name, spec)
        case "http":  # from here on clients that few sinks need
            from engine.connectors.sink_http import check_reachable

            notice = check_reachable(spec)
        case "redis":
            from engine.connectors.sink_redis import check_redis

            check_redis(name, spec)
        case "postgres" | "jdbc":
            from engine.connectors.postgres_table import check_table

            notice = check_table(name, spec, columns)
    if notice is not None:
        context.notices.append(notice)


def announce(context: DdlContext) -> None:
    """Tell the delivery process that there are other sinks than before."""
    context.execute(f"SELECT pg_notify('{CHANNEL}', '0')")


def explain_sink(context: DdlContext, text: str) -> Reply:
    """EXPLAIN CREATE SINK: the operators of its query."""
    statement = parse_create_sink(mark_secrets(text))
    operator = _operators(context, _query(context, statement), on_close=statement.emits_on_close)
    return Reply("EXPLAIN", ("QUERY PLAN",), [(line,) for line in explain(operator)])


def _operators(context: DdlContext, query: str, *, on_close: bool) -> Operator:
    operator = plan(parse_query(query), context.environment)
    return close_windows(operator) if on_close else ordered_sets(operator)


def _query(context: DdlContext, statement: CreateSink, op: str | None = None) -> str:
    """What the sink reads, relations with their schemas; with the hidden column `op`."""
    source = ObjectName(statement.source or "", statement.source_schema)
    items = "*" if op is None else f"*, {op}"
    query = parse_query(statement.query or f"SELECT {items} FROM {source.sql}")
    context.qualify(query)
    inline_functions(context, query)
    return query.sql(dialect=TailraceSQL).replace(
        "FOR TIMESTAMP AS OF PROCTIME()", "FOR SYSTEM_TIME AS OF PROCTIME()"
    )


@dataclass(frozen=True, slots=True)
class _Into:
    """The table of a sink INTO: `columns` of the table take the sink's columns in order; `key` are the sink's columns that
    fill the table's primary key, () without one."""

    table: CatalogObject
    columns: tuple[str, ...]
    key: tuple[str, ...]
    table_key: tuple[str, ...]
    not_null: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for the catalog."""
        return {
            "table": self.table.id,
            "columns": list(self.columns),
            "key": list(self.table_key),
            "not_null": list(self.not_null),
            "conflict": self.table.body.get("conflict"),
        }


def _target(
    context: DdlContext,
    statement: CreateSink,
    spec: SinkSpec,
    given: tuple[Column, ...],
    references: set[int],
    *,
    own: bool,
) -> _Into:
    table = context.existing(ObjectName(statement.into or "", statement.into_schema))
    if (table.kind if own else table.shown_kind) != "table":
        raise InvalidStatement(
            f'cannot sink into "{table.name}", a {table.shown_kind}',
            sqlstate="42809",
            hint="CREATE TABLE, and sink into that",
        )
    _refuse_cycle(context, statement.name, table, references)
    catalogued = context.connection.execute(
        "SELECT attname, attgenerated <> '', attnotnull FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
        "AND NOT attisdropped ORDER BY attnum",
        (f"engine.table_{table.id}",),
    ).fetchall()
    shown = {c.name: c for c in table.columns if not c.hidden}
    writable = [name for name, generated, _ in catalogued if name in shown and not generated]
    columns = statement.into_columns or tuple(writable[: len(given)])
    for name in columns:
        if name not in writable:
            raise InvalidStatement(
                f'column "{name}" of table "{table.name}" cannot be written', sqlstate="42703"
            )
    if len(columns) != len(given) or len(set(columns)) != len(columns):
        raise InvalidStatement(
            f'the sink has {len(given)} columns for {len(columns)} of table "{table.name}"',
            hint=f"give as many of these, each once: {', '.join(writable)}",
        )
    _check_casts(context, given, [shown[name] for name in columns], table.name)
    table_key = tuple(k for k in table.body.get("stored_key") or table.body["key"] if k in shown)
    if not table_key and spec.type is not SinkType.APPEND_ONLY:
        raise InvalidStatement(
            "Only append-only sinks can sink to a table without primary keys",
            detail="this sink is not append-only",
            hint="add type = 'append-only', force_append_only = 'true' to the WITH options, or give the table a primary key",
        )
    missing = [k for k in table_key if k not in columns]
    if missing:
        raise UnsupportedFeature(
            f'a sink into table "{table.name}" that leaves its primary key column {missing[0]} to the default',
            hint="select a value for it",
        )
    fed = {name: column.name for name, column in zip(columns, given, strict=True)}
    not_null = tuple(name for name, _, not_null in catalogued if not_null and name in columns)
    return _Into(table, columns, tuple(fed[k] for k in table_key), table_key, not_null)


def _refuse_cycle(context: DdlContext, name: str, table: CatalogObject, references: set[int]) -> None:
    """What the sink reads must not be fed by the table, through views and other sinks."""
    objects = context.catalog.objects
    feeders: dict[int, list[int]] = {}
    for item in context.catalog.of_kind("sink"):
        if item.body["into"]:
            feeders.setdefault(item.body["into"]["table"], []).append(item.id)
    seen: set[int] = set()
    stack = [[i] for i in references]
    while stack:
        path = stack.pop()
        if path[-1] == table.id:
            shown = " -> ".join([table.name, *(objects[i].name for i in path[-2::-1]), name, table.name])
            raise InvalidStatement(
                "Creating such a sink will result in circular dependency", sqlstate="42P17", detail=shown
            )
        if path[-1] in seen:
            continue
        seen.add(path[-1])
        item = objects[path[-1]]
        fed_by = {item.body["into"]["table"]} if item.kind == "sink" and item.body["into"] else set()
        for below in (*(set(item.references) - fed_by), *feeders.get(item.id, ())):
            stack.append([*path, below])


def _check_casts(context: DdlContext, given: tuple[Column, ...], wanted: list[Column], table: str) -> None:
    """Equal types, or casts that PostgreSQL makes by itself because they lose nothing: none may fail later on."""
    for column, target in zip(given, wanted, strict=True):
        if column.type == target.type or {column.type, target.type} <= {"text", "character varying"}:
            continue
        row = context.connection.execute(
            "SELECT FROM pg_cast WHERE castsource = %s::regtype AND casttarget = %s::regtype AND castcontext = 'i'",
            (column.type, target.type),
        ).fetchone()
        if row is None:
            raise InvalidStatement(
                f'column {column.name} has type {column.type}, column {target.name} of table "{table}" {target.type}',
                sqlstate="42804",
                hint=f"cast it in the query: {column.name}::{target.type}",
            )
