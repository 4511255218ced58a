"""CREATE VIEW and CREATE MATERIALIZED VIEW.

A plain view is kept as text and inlined wherever a view reads it. A materialized view is compiled, its state is created,
and it is filled from what its inputs hold (`engine.ddl.filling`); clients see it when that is done.
"""

from __future__ import annotations

from sqlglot import exp

from engine.backfill.fill import temporary_name
from engine.catalog.objects import CatalogObject
from engine.compile.close_windows import close_windows
from engine.compile.materialize import materialize
from engine.compile.planner import plan, relations_of
from engine.compile.program import Program, delta_name, own_state
from engine.compile.rows import with_structs
from engine.ddl.context import SYSTEM_SCHEMAS, DdlContext, Reply, readers
from engine.ddl.create_function import inline_functions
from engine.ddl.filling import Filling, fill_or_start
from engine.ddl.names import object_name, refusal
from engine.ddl.retention import check_may_forget, retention_of
from engine.operators.base import Column, names
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.batch import to_postgres
from tailrace.sql.column_lists import drive
from tailrace.sql.dialect import EmitOnWindowCloseProperty, TailraceSQL, parse_query
from tailrace.sql.names import folded
from tailrace.sql.system_relations import qualify_system


def create_view(context: DdlContext, tree: exp.Create) -> Reply:
    """Run CREATE VIEW."""
    tag, name = "CREATE_VIEW", context.place(object_name(tree.this))
    if _emits_on_close(tree):
        raise UnsupportedFeature(
            "EMIT ON WINDOW CLOSE in CREATE VIEW", hint="CREATE MATERIALIZED VIEW ... EMIT ON WINDOW CLOSE"
        )
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(tag, notices=context.notices)
    query = drive(
        _query_text(context, tree), lambda q: [c.name for c in context.environment.describe(to_postgres(q))]
    )
    query = with_structs(context.environment, query)
    try:
        columns = _planned(context, query)
    except UnsupportedFeature:
        columns = tuple(context.environment.describe(to_postgres(query)))
    references = _references(context, query)
    id_ = context.new_id()
    body = {"columns": [{"name": c.name, "type": c.type, "hidden": False} for c in columns], "query": query}
    try:
        batch = to_postgres(query)
        context.environment.describe(batch)
    except TailraceError:  # readable only through a materialized view: a temporal join, say
        batch = refusal(name.name, columns)
    context.execute(f"CREATE VIEW {name.sql} AS {batch}", *_grants(name.sql, context.user))
    context.record(
        CatalogObject(
            id_, name.name, "view", context.user, context.text, body, references, schema=name.schema
        )
    )
    return Reply(tag, notices=context.notices)


def _planned(context: DdlContext, query: str) -> tuple[Column, ...]:
    """The columns of a view that materialized views can be built on; raises UnsupportedFeature where they cannot."""
    tree = parse_query(query)
    if qualify_system(tree):
        raise UnsupportedFeature("a system relation in a materialized view")
    return tuple(c for c in plan(tree, context.environment).columns if not c.hidden)


def create_materialized_view(context: DdlContext, tree: exp.Create, filling: Filling) -> Reply:
    """Run CREATE MATERIALIZED VIEW: fill it, or start the job that does."""
    tag, name = "CREATE_MATERIALIZED_VIEW", context.place(object_name(tree.this))
    if not context.is_new(name, if_not_exists=bool(tree.args.get("exists"))):
        return Reply(tag, notices=context.notices)
    id_ = context.new_id()
    query = _query_text(context, tree)
    program = compile_view(context, tree, id_)
    references = _references(context, query)
    context.execute(
        *own_state(program, id_),
        *program.temporaries,
        program.function,
        f"CREATE VIEW engine.content_{id_} AS {program.content}",
    )
    body = {
        "columns": list(program.columns),
        "key": list(program.key),
        "append_only": program.append_only,
        "program": program.to_json(),
        "retention_s": retention_of(tree),
        "watermarks": program.watermarks,
    }
    new = CatalogObject(
        id_, name.name, "materialized view", context.user, context.text, body, references, schema=name.schema
    )
    reply = Reply(tag, notices=context.notices)
    if fill_or_start(context, new, filling, reply):
        publish(context, new)
    return reply


def publish(context: DdlContext, view: CatalogObject) -> None:
    """Show a filled materialized view to clients."""
    program = view.program
    assert program is not None  # noqa: S101 - every materialized view has one
    visible = names([c for c in view.columns if not c.hidden])
    context.execute(
        f"CREATE VIEW {view.visible} AS SELECT {visible} FROM ({program.content}) AS content",
        *_grants(view.visible, view.owner),
    )
    if program.follows_watermarks:
        _let_close(context, view)


def _let_close(context: DdlContext, view: CatalogObject) -> None:
    """A view that emits on window close is filled: its watermark counts from now on, and what has closed goes out."""
    context.connection.execute("INSERT INTO engine.window_views VALUES (%s)", (view.id,))
    step = f"SELECT engine.step_{view.id}(%s, %s, false, false)"
    context.connection.execute(step, (context.now, context.now))
    context.execute(*(f"TRUNCATE {temporary_name(t)}" for t in temporaries(view)))


def explain_create(context: DdlContext, tree: exp.Create) -> Reply:
    """EXPLAIN CREATE MATERIALIZED VIEW: the operators with maintenance and cost, and the state they keep."""
    if (tree.args.get("kind") or "").upper() != "VIEW" or not _is_materialized(tree):
        raise UnsupportedFeature(
            "EXPLAIN of this statement", hint="EXPLAIN CREATE MATERIALIZED VIEW, or EXPLAIN SELECT"
        )
    program = compile_view(context, tree, 0)
    state = [line for line in program.explain if line.startswith("state: ")]
    operators = [line for line in program.explain if not line.startswith("state: ")]
    return Reply("EXPLAIN", ("QUERY PLAN",), [(line,) for line in (*operators, *state)])


def compile_view(context: DdlContext, tree: exp.Create, id_: int) -> Program:
    """The program of a CREATE MATERIALIZED VIEW."""
    expires, emits_on_close = retention_of(tree) is not None, _emits_on_close(tree)
    if expires and emits_on_close:
        raise UnsupportedFeature(
            "retention_seconds of a view that emits on window close",
            detail="rows that are held until their window closes might expire before",
            hint="leave it out here, and give it to a view over this one",
        )
    operator = plan(parse_query(_query_text(context, tree)), context.environment)
    if emits_on_close:
        operator = close_windows(operator)
    if expires:
        check_may_forget(operator)
    program = materialize(operator, id_, expires=expires)
    return program


def temporaries(view: CatalogObject) -> tuple[str, ...]:
    """The delta tables of a materialized view."""
    program = view.program
    return program.temporaries if program else ()


def _listed_columns(tree: exp.Create) -> list[exp.Expr]:
    return list(tree.this.expressions) if isinstance(tree.this, exp.Schema) else []


def _is_materialized(tree: exp.Create) -> bool:
    properties = tree.args.get("properties")
    return any(
        isinstance(p, exp.MaterializedProperty) for p in (properties.expressions if properties else ())
    )


def _emits_on_close(tree: exp.Create) -> bool:
    properties = tree.args.get("properties")
    return any(
        isinstance(p, EmitOnWindowCloseProperty) for p in (properties.expressions if properties else ())
    )


def _query_text(context: DdlContext, tree: exp.Create) -> str:
    """The query of AS, its relations with their schemas."""
    if not isinstance(tree.expression, exp.Query | exp.Subquery):
        raise InvalidStatement("CREATE VIEW needs AS SELECT ...")
    query = tree.expression.unnest() if isinstance(tree.expression, exp.Subquery) else tree.expression
    qualify_system(query)
    context.qualify(query)
    inline_functions(context, query)
    listed = [folded(e if isinstance(e, exp.Identifier) else e.this) for e in _listed_columns(tree)]
    if listed:
        _name_columns(query, listed)
    return query.sql(dialect=TailraceSQL)


def _name_columns(query: exp.Expr, listed: list[str]) -> None:
    """CREATE VIEW v (a, b): the names of the first columns, put into the query itself."""
    select: exp.Expr = query
    while isinstance(select, exp.SetOperation | exp.Subquery):
        select = select.this
    items = select.expressions if isinstance(select, exp.Select) else []
    if len(items) < len(listed):
        raise InvalidStatement(f"{len(listed)} column names for a query of {len(items)} columns")
    if any(item.is_star for item in items[: len(listed)]) or not items:
        raise UnsupportedFeature("a column list over SELECT *", hint="name the columns with AS in the SELECT")
    named = [
        exp.alias_(item.unalias(), exp.to_identifier(name, quoted=True))
        for item, name in zip(items, listed, strict=False)
    ]
    select.set("expressions", [*named, *items[len(listed) :]])


def _references(context: DdlContext, query: str) -> tuple[int, ...]:
    names = relations_of(parse_query(query))
    found = {o.id: o for o in (context.existing(n) for n in names if n.schema not in SYSTEM_SCHEMAS)}
    for item in found.values():
        context.check_may_read(item)
    return tuple(sorted(found))


def _grants(visible: str, owner: str) -> list[str]:
    return [f"GRANT SELECT ON {visible} TO {readers(owner)}"]


def dropped_temporaries(item: CatalogObject) -> list[str]:
    """DROP statements for the delta tables of a relation that goes."""
    if item.kind in ("materialized view", "sink"):
        return [f"DROP TABLE IF EXISTS {temporary_name(t)}" for t in temporaries(item)]
    if item.kind in ("table", "source"):
        return [
            f"DROP TABLE IF EXISTS {delta_name(item.id)}",
            f"DROP TABLE IF EXISTS pg_temp.input_{item.id}",
        ]
    return []
