"""SHOW of objects, SHOW CREATE and DESCRIBE as SELECTs over rw_catalog, with RisingWave's column names. Pure.

Names that carry no schema are looked for in the search path, as RisingWave does; objects that the user owns not and has no
right on are not listed. Values are quoted by sqlglot. Called by `engine.wire.classify`.
"""

from __future__ import annotations

from sqlglot import exp

from engine.wire.plans import Command, Lookup, ShowCursors
from engine.wire.protocol import INT8_OID, Column
from engine.wire.tokens import Cursor
from engine.wire.variables import plan_show_variable
from tailrace.errors import InvalidStatement, UndefinedObject, UnsupportedFeature

SHOW_TAG = "SHOW_COMMAND"
_MAX_PROCESS_DIGITS = 9

_LISTED = {
    ("TABLES",): "table",
    ("SOURCES",): "source",
    ("VIEWS",): "view",
    ("MATERIALIZED", "VIEWS"): "materialized view",
    ("SINKS",): "sink",
    ("SUBSCRIPTIONS",): "subscription",
}
"""What SHOW lists by name, and the relation_type it has in rw_relations."""

_QUERIES: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {
    ("INTERNAL", "TABLES"): (
        "SELECT schema_name || '.' || name AS shown, schema_name FROM rw_catalog.rw_internal_tables "
        "WHERE rw_catalog._accessible(job_id)",
        ("Name",),
    ),
    ("SECRETS",): (
        "SELECT schema_name || '.' || name AS shown, schema_name, name AS matched FROM rw_catalog.rw_secrets "
        "WHERE rw_catalog._accessible(id)",
        ("Name",),
    ),
    ("CONNECTIONS",): (
        "SELECT name AS shown, type, connection_params, schema_name FROM rw_catalog.rw_connections "
        "WHERE rw_catalog._accessible(id)",
        ("Name", "Type", "Properties"),
    ),
    ("CLUSTER",): (
        "SELECT host || ':' || port AS shown, type, state, parallelism::text, is_streaming::text, is_serving::text, "
        "started_at::text FROM rw_catalog.rw_worker_nodes",
        ("Addr", "Type", "State", "Parallelism", "Is Streaming", "Is Serving", "Started At"),
    ),
    ("PROCESSLIST",): (
        "SELECT '1' AS shown, '1:' || pid, usename::text, coalesce(client_addr::text, ''), datname::text, "
        "CASE state WHEN 'active' THEN (1000 * extract(epoch FROM clock_timestamp() - query_start))::bigint || 'ms' END, "
        "CASE state WHEN 'active' THEN query END "
        "FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND usename = current_user",
        ("Worker Id", "Id", "User", "Host", "Database", "Time", "Info"),
    ),
    ("PARAMETERS",): (
        "SELECT name AS shown, value, mutable FROM (VALUES ('barrier_interval_ms', '1000', 'false'), "
        "('checkpoint_frequency', '1', 'false')) AS p (name, value, mutable)",
        ("Name", "Value", "Mutable"),
    ),
    ("FUNCTIONS",): (
        "SELECT schema_name || '.' || name AS shown, coalesce((SELECT "
        "pg_catalog.string_agg(rw.type_name(t::oid), ', ' ORDER BY n) "
        "FROM pg_catalog.unnest(arg_type_ids) WITH ORDINALITY AS u (t, n)), '') AS arguments, "
        "rw.type_name(return_type_id::oid), language, NULL AS link, schema_name, name AS matched FROM rw_catalog.rw_functions "
        "WHERE rw_catalog._accessible(id)",
        ("Name", "Arguments", "Return Type", "Language", "Link"),
    ),
}
"""What SHOW lists by a query of its own: the query, whose first column is what LIKE filters, and the columns shown."""

_CREATED = {
    ("TABLE",): ("rw_tables", "table"),
    ("SOURCE",): ("rw_sources", "source"),
    ("VIEW",): ("rw_views", "view"),
    ("MATERIALIZED", "VIEW"): ("rw_materialized_views", "materialized view"),
    ("INDEX",): ("rw_indexes", "index"),
    ("SINK",): ("rw_sinks", "sink"),
    ("SUBSCRIPTION",): ("rw_subscriptions", "subscription"),
}
_COLUMNS = (Column("Name"), Column("Type"), Column("Is Hidden"), Column("Description"))


def plan_show(sql: str) -> Command:
    """SHOW in all its forms; what names no kind of object is a session variable."""
    cursor = Cursor(sql)
    cursor.take()
    for words, relation_type in _LISTED.items():
        if cursor.accept(*words):
            return _list_objects(cursor, relation_type)
    if cursor.accept("SUBSCRIPTION", "CURSORS"):
        cursor.end()
        names = ("Name", "Subscription", "State", "Idle Duration Ms")
        return ShowCursors(subscriptions=True, columns=tuple(Column(name) for name in names))
    if cursor.accept("CURSORS"):
        cursor.end()
        return ShowCursors(subscriptions=False, columns=(Column("Name"),))
    if cursor.accept("DATABASES"):
        return _list_names(cursor, "rw_catalog.rw_databases", "name", "true")
    if cursor.accept("SCHEMAS"):
        return _list_names(cursor, "rw_catalog.rw_schemas", "name", "true")
    if cursor.accept("JOBS"):
        cursor.end()
        return _list_jobs()
    if cursor.accept("INDEXES"):
        return _list_indexes(cursor)
    for words in _QUERIES:
        if cursor.accept(*words):
            return _run_query(cursor, words)
    if cursor.accept("COLUMNS"):
        if not (cursor.accept("FROM") or cursor.accept("IN")):
            raise Cursor.unexpected(cursor.take())
        return _describe(cursor, SHOW_TAG, with_keys=False)
    if cursor.accept("CREATE"):
        return _show_create(cursor)
    return plan_show_variable(cursor)


def plan_kill(sql: str) -> Command:
    """KILL 'worker:process': end what a session of the same user runs, as SHOW PROCESSLIST shows it; the session stays.

    >>> plan_kill("KILL '1:4711'").tag
    'KILL'
    """
    cursor = Cursor(sql)
    cursor.take()
    token = cursor.take()
    cursor.end()
    worker, _, process = token.value.rpartition(":")
    if not process.isdigit() or len(process) > _MAX_PROCESS_DIGITS or worker not in ("", "1"):
        raise InvalidStatement(
            f'invalid process id "{token.value}"', hint="KILL 'id', which SHOW PROCESSLIST tells"
        )
    number = exp.Literal.number(process).sql(dialect="postgres")
    return Lookup(
        "SELECT pg_catalog.pg_cancel_backend(pid)::text FROM pg_catalog.pg_stat_activity "  # noqa: S608 - a number
        f"WHERE pid = {number} AND backend_type = 'client backend' AND usename = current_user",
        (),
        "KILL",
        UndefinedObject(
            f"process not found: {token.value}", sqlstate="42704", hint="SHOW PROCESSLIST lists them"
        ),
    )


def plan_describe(sql: str) -> Command:
    """DESCRIBE | DESC name: the columns, and below them the primary key, the indexes and the name."""
    cursor = Cursor(sql)
    cursor.take()
    following = cursor.peek(1)
    if (
        following is not None
        and following.text != "."
        and (cursor.accept("FRAGMENTS") or cursor.accept("FRAGMENT"))
    ):
        raise UnsupportedFeature(
            "DESCRIBE FRAGMENTS", hint="EXPLAIN CREATE MATERIALIZED VIEW shows the operators of a view"
        )
    return _describe(cursor, "DESCRIBE", with_keys=True)


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="postgres")


def _in_schema(schema: str | None) -> str:
    if schema is None:
        return "schema_name = ANY (pg_catalog.current_schemas(true))"
    return f"schema_name = {_literal(schema)}"


def _filter(cursor: Cursor, column: str) -> str:
    """[LIKE 'pattern' | ILIKE 'pattern'] as a condition, or ''."""
    for operator in ("LIKE", "ILIKE"):
        if cursor.accept(operator):
            condition = f" AND {column} {operator} {_literal(cursor.string())}"
            cursor.end()
            return condition
    if cursor.accept("WHERE"):
        raise UnsupportedFeature(
            "WHERE clause in SHOW statement", hint="SELECT from rw_catalog.rw_relations instead"
        )
    cursor.end()
    return ""


def _list_objects(cursor: Cursor, relation_type: str) -> Lookup:
    schema = cursor.identifier() if cursor.accept("FROM") or cursor.accept("IN") else None
    where = (
        f"relation_type = {_literal(relation_type)} AND {_in_schema(schema)}{_filter(cursor, 'name')} "
        "AND rw_catalog._accessible(id)"
    )
    sql = (
        "SELECT pg_catalog.quote_ident(schema_name) || '.' || pg_catalog.quote_ident(name) "  # noqa: S608 - literals quoted
        f"FROM rw_catalog.rw_relations WHERE {where} "
        "ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true), schema_name::name), name"
    )
    return Lookup(sql, (Column("Name"),), SHOW_TAG)


def _list_names(cursor: Cursor, relation: str, column: str, where: str) -> Lookup:
    condition = where + _filter(cursor, column)
    return Lookup(
        f"SELECT {column} FROM {relation} WHERE {condition} ORDER BY 1",  # noqa: S608 - literals quoted
        (Column("Name"),),
        SHOW_TAG,
    )


def _run_query(cursor: Cursor, words: tuple[str, ...]) -> Lookup:
    """A list of its own shape: a query of `_QUERIES`, filtered by its column `matched`, or by the first one."""
    sql, names = _QUERIES[words]
    schema = cursor.identifier() if cursor.accept("FROM") or cursor.accept("IN") else None
    if schema is not None or "schema_name" in sql:
        sql = f"SELECT * FROM ({sql}) AS s WHERE {_in_schema(schema)}"  # noqa: S608 - literals quoted
    condition = _filter(cursor, "s.matched" if " AS matched" in sql else "s.shown")
    shown = f"SELECT * FROM ({sql}) AS s WHERE true{condition} ORDER BY 1"  # noqa: S608 - literals quoted
    return Lookup(shown, tuple(Column(name) for name in names), SHOW_TAG)


def _list_jobs() -> Lookup:
    sql = (
        "SELECT j.id, j.definition, j.create_type, coalesce(p.progress, '') FROM rw_catalog.rw_streaming_jobs AS j "
        "LEFT JOIN rw_catalog.rw_ddl_progress AS p ON p.ddl_id = j.id WHERE j.status = 'CREATING' ORDER BY j.id"
    )
    columns = (Column("Id", INT8_OID), Column("Statement"), Column("Create Type"), Column("Progress"))
    return Lookup(sql, columns, SHOW_TAG)


def _list_indexes(cursor: Cursor) -> Lookup:
    where = "true"
    if cursor.accept("FROM") or cursor.accept("IN"):
        schema, name = cursor.qualified_name()
        where = f"relation_name = {_literal(name)} AND {_in_schema(schema)}"
    cursor.end()
    sql = (
        "SELECT name, relation_name, shown_key, coalesce(shown_include, ''), shown_distribution "  # noqa: S608 - quoted
        "FROM rw_catalog.rw_indexes "
        f"WHERE {where} AND rw_catalog._accessible(id) ORDER BY name"
    )
    names = ("Name", "On", "Key", "Include", "Distributed By")
    return Lookup(sql, tuple(Column(name) for name in names), SHOW_TAG)


def _show_create(cursor: Cursor) -> Lookup:
    words = next((words for words in _CREATED if cursor.accept(*words)), None)
    if words is None:
        raise UnsupportedFeature(
            f"SHOW CREATE {cursor.take().text.upper()}",
            hint="SHOW CREATE TABLE | SOURCE | VIEW | MATERIALIZED VIEW | INDEX | SINK name",
        )
    relation, kind = _CREATED[words]
    schema, name = cursor.qualified_name()
    cursor.end()
    sql = (
        "SELECT schema_name || '.' || name, definition "  # noqa: S608 - literals quoted
        f"FROM rw_catalog.{relation} WHERE name = {_literal(name)} AND {_in_schema(schema)} "
        "AND rw_catalog._accessible(id) LIMIT 1"
    )
    columns = (Column("Name"), Column("Create Sql"))
    return Lookup(sql, columns, SHOW_TAG, _missing(kind, schema, name), definitions=True)


def _missing(kind: str, schema: str | None, name: str) -> UndefinedObject:
    full_name = name if schema is None else f"{schema}.{name}"
    return UndefinedObject(
        f"{kind} not found: {full_name}",
        hint="\\d or SHOW TABLES, SOURCES, MATERIALIZED VIEWS, VIEWS list what exists",
    )


_DESCRIBE = """
WITH relation AS (
  SELECT id, name, schema_name, relation_type FROM rw_catalog.rw_relations WHERE name = {name} AND {in_schema}
    AND (relation_type = 'system table' OR rw_catalog._accessible(id))
  ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true), schema_name::name) LIMIT 1
)
SELECT coalesce(t.shown_path, pg_catalog.quote_ident(c.name)),
       CASE WHEN c.data_type LIKE 'struct<%' THEN t.shown_type ELSE c.data_type END,
       CASE WHEN c.is_hidden THEN 'true' ELSE 'false' END, CASE WHEN t.place = 1 THEN d.description END,
       1 AS part, c.position * 10000::bigint + t.place AS place
FROM relation AS r JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id
LEFT JOIN LATERAL rw.type_rows(pg_catalog.quote_ident(c.name), c.type_oid::oid)
    WITH ORDINALITY AS t (shown_path, shown_type, place) ON c.data_type LIKE 'struct<%' OR t.place = 1
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = r.schema_name
LEFT JOIN pg_catalog.pg_class AS v ON v.relname = r.name AND v.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = v.oid AND a.attname = c.name
LEFT JOIN rw_catalog.rw_description AS d ON d.objoid = r.id AND d.objsubid = a.attnum
UNION ALL
SELECT '_rw_timestamp', 'timestamp with time zone', 'true', NULL, 2, 1
FROM relation AS r WHERE r.relation_type IN ('table', 'materialized view')
"""
_DESCRIBE_KEYS = """
UNION ALL
SELECT k.what, pg_catalog.string_agg(pg_catalog.quote_ident(c.name), ', ' ORDER BY c.position), NULL, NULL, k.part, 1
FROM relation AS r JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id AND c.is_primary_key
CROSS JOIN (VALUES ('primary key', 3), ('distribution key', 4)) AS k (what, part)
WHERE r.relation_type IN ('table', 'materialized view', 'sink') AND (r.relation_type <> 'sink' OR k.part = 4)
GROUP BY k.what, k.part
UNION ALL
SELECT i.name, 'index(' || i.shown_key || ')' || coalesce(' include(' || i.shown_include || ')', '')
    || ' distributed by(' || i.shown_distribution || ')', NULL, NULL, 5, i.id
FROM relation AS r JOIN rw_catalog.rw_indexes AS i ON i.relation_name = r.name AND i.schema_name = r.schema_name
UNION ALL
SELECT 'table description', r.name, NULL, d.description, 6, 1
FROM relation AS r LEFT JOIN rw_catalog.rw_description AS d ON d.objoid = r.id AND d.objsubid IS NULL
"""


def _describe(cursor: Cursor, tag: str, *, with_keys: bool) -> Lookup:
    schema, name = cursor.qualified_name()
    cursor.end()
    sql = _DESCRIBE.format(name=_literal(name), in_schema=_in_schema(schema))
    if with_keys:
        sql += _DESCRIBE_KEYS
    return Lookup(
        sql + "ORDER BY part, place", _COLUMNS, tag, _missing("table, source, sink or view", schema, name)
    )
