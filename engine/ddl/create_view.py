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
from engine.compile.ordered_sets import ordered_sets
from engine.compile.planner import plan, relations_of
from engine.compile.program import Program, delta_name, own_state
from engine.compile.rows import with_structs
from engine.compile.scope import nameable
from engine.ddl.context import SYSTEM_SCHEMAS, DdlContext, Reply, readers
from engine.ddl.create_function import inline_functions
from engine.ddl.default_rights import give_defaults
from engine.ddl.filling import Filling, fill_or_start
from engine.ddl.names import SERVERLESS, object_name, options, refusal, serverless_refused
from engine.ddl.retention import OPTION, check_may_forget, retention_of
from engine.operators.base import Column, names, quote
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.batch import to_postgres
from tailrace.sql.column_lists import drive
from tailrace.sql.dialect import EmitOnWindowCloseProperty, TailraceSQL, parse_query
from tailrace.sql.names import folded
from tailrace.sql.system_relations import qualify_system

_OPTIONS = frozenset(
    {
        OPTION,
        "backfill_order",
        "resource_group",
        SERVERLESS,
        *(f"{k}_rate_limit" for k in ("source", "backfill")),
    }
)
"""What WITH (...) of a materialized view may say; all but the retention steers nothing here."""


def check_options(tree: exp.Create) -> None:
    """Raises InvalidStatement for options that a materialized view does not have."""
    given = options(tree)
    unknown = [key for key in given if key not in _OPTIONS]
    if unknown:
        raise InvalidStatement(
            f"unexpected options in WITH clause: {', '.join(unknown)}",
            hint=f"known: {', '.join(sorted(_OPTIONS))}",
        )
    if given.get(SERVERLESS, "false").lower() == "true":
        raise serverless_refused("views are filled here")


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
    give_defaults(context, context.created[-1])
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
    check_options(tree)
    id_ = context.new_id()
    query = _query_text(context, tree)
    program = compile_view(context, tree, id_)
    references = _references(context, query)
    context.execute(
        *own_state(program, id_),
        *program.temporaries,
        program.function,
        f"CREATE VIEW engine.content_{id_} AS {program.content}",
        *_rows(program, id_, context.user),
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


def _rows(program: Program, id_: int, owner: str) -> list[str]:
    """The statements for engine.rows_<id>: the content with the hidden columns that clients may name (`engine.wire.row_ids`).

    `_rw_timestamp` is there where the content is one table as it is stored.
    """
    columns = program.output_columns()
    shown = names([*(c for c in columns if not c.hidden), *nameable(columns)])
    stored = {table for table, _ in program.storage.values()}
    plain = len(stored) == 1 and program.content.endswith(f" FROM {min(stored)} AS c")
    if plain and all(expression == quote(c) for c, (_, expression) in program.storage.items()):
        stamp = "pg_xact_commit_timestamp(c.xmin) AS _rw_timestamp"
        query = f"SELECT {', '.join(filter(None, (shown, stamp)))} FROM {stored.pop()} AS c"
    else:
        query = f"SELECT {shown} FROM ({program.content}) AS c"
    return [f"CREATE VIEW engine.rows_{id_} AS {query}", *_grants(f"engine.rows_{id_}", owner)]


def publish(context: DdlContext, view: CatalogObject) -> None:
    """Show a filled materialized view to clients."""
    program = view.program
    assert program is not None  # noqa: S101 - every materialized view has one
    visible = names([c for c in view.columns if not c.hidden])
    context.execute(
        f"CREATE VIEW {view.visible} AS SELECT {visible} FROM ({program.content}) AS content",
        *_grants(view.visible, view.owner),
    )
    let_clean(context, view)
    give_defaults(context, view)
    if program.follows_watermarks:
        let_close(context, view)


def let_clean(context: DdlContext, item: CatalogObject) -> None:
    """A view or sink is filled: watermarks count from now on."""
    program = item.program
    if program is not None and (program.follows_watermarks or program.cleans):
        context.connection.execute("INSERT INTO engine.window_views VALUES (%s)", (item.id,))


def let_close(context: DdlContext, view: CatalogObject) -> None:
    """What has closed in a view or sink that emits on window close goes out."""
    step = f"SELECT engine.step_{view.id}(%s, %s, false, false)"
    context.connection.execute(step, (context.now, context.now))
    context.execute(*(f"TRUNCATE {temporary_name(t)}" for t in temporaries(view)))


def explain_view(context: DdlContext, tree: exp.Create) -> list[str]:
    """EXPLAIN CREATE MATERIALIZED VIEW: the operators with maintenance and cost, and the state they keep."""
    program = compile_view(context, tree, 0)
    state = [line for line in program.explain if line.startswith("state: ")]
    operators = [line for line in program.explain if not line.startswith("state: ")]
    return [*operators, *state]


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
    elif not expires:  # what it keeps must not be forgotten in part
        operator = ordered_sets(operator)
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


def is_materialized(tree: exp.Create) -> bool:
    """Is it CREATE MATERIALIZED VIEW?"""
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
    query = tree.expression.unnest() if isinstance(tree.expression, exp.Subquery) else tree.expression
    if isinstance(query, exp.Values):
        query = _over_values(query)
    if not isinstance(query, exp.Query):
        raise InvalidStatement("CREATE VIEW needs AS SELECT ...")
    qualify_system(query)
    context.qualify(query)
    inline_functions(context, query)
    listed = [folded(e if isinstance(e, exp.Identifier) else e.this) for e in _listed_columns(tree)]
    if listed:
        query = _name_columns(context, query, listed)
    return query.sql(dialect=TailraceSQL)


def _over_values(values: exp.Values) -> exp.Select:
    """VALUES as the query of a view; its columns are column1, column2, ... as PostgreSQL has it."""
    first = values.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = [exp.to_identifier(f"column{n}") for n in range(1, width + 1)]
    inner = values.copy()
    inner.set("alias", exp.TableAlias(this=exp.to_identifier("listed"), columns=columns))
    return exp.select("*").from_(inner)


def _name_columns(context: DdlContext, query: exp.Query, listed: list[str]) -> exp.Query:
    """CREATE VIEW v (a, b): the names put into the query itself, around it where a star stands for columns.

    Raises InvalidStatement unless there is a name for each column.
    """
    select: exp.Expr = query
    while isinstance(select, exp.SetOperation | exp.Subquery):
        select = select.this
    items = select.expressions if isinstance(select, exp.Select) else []
    starred = not items or any(item.is_star for item in items)
    text = query.sql(dialect=TailraceSQL)
    width = len(_planned(context, text)) if starred else len(items)
    if width != len(listed):
        raise InvalidStatement(
            f"number of column names does not match number of columns: {len(listed)} names for {width} columns",
            hint="name every column, or none",
        )
    names_ = [exp.to_identifier(name, quoted=True) for name in listed]
    if starred:
        return exp.select("*").from_(
            query.subquery(exp.TableAlias(this=exp.to_identifier("listed"), columns=names_))
        )
    select.set("expressions", [exp.alias_(i.unalias(), n) for i, n in zip(items, names_, strict=True)])
    return query


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
            f"DROP TABLE IF EXISTS {delta_name(item.id)} CASCADE",
            f"DROP TABLE IF EXISTS pg_temp.input_{item.id}",
        ]
    return []
