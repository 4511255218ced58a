"""SHOW of objects, SHOW CREATE and DESCRIBE as SELECTs over rw_catalog, with RisingWave's column names. Pure.

Names that carry no schema are looked for in the search path, as RisingWave does. Values are quoted by
sqlglot. Called by `engine.wire.classify`.
"""

from __future__ import annotations

from sqlglot import exp

from engine.wire.plans import Command, Lookup
from engine.wire.protocol import INT8_OID, Column
from engine.wire.tokens import Cursor
from engine.wire.variables import plan_show_variable
from tailrace.errors import UndefinedObject, UnsupportedFeature

SHOW_TAG = "SHOW_COMMAND"

_LISTED = {
    ("TABLES",): "table",
    ("SOURCES",): "source",
    ("VIEWS",): "view",
    ("MATERIALIZED", "VIEWS"): "materialized view",
    ("SINKS",): "sink",
    ("SUBSCRIPTIONS",): "subscription",
    ("SECRETS",): "secret",
}
"""What SHOW lists by name, and the relation_type it has in rw_relations."""

_REFUSED = (
    ("INTERNAL", "TABLES"),
    ("CONNECTIONS",),
    ("FUNCTIONS",),
    ("CLUSTER",),
    ("CURSORS",),
    ("SUBSCRIPTION", "CURSORS"),
    ("PROCESSLIST",),
    ("PARAMETERS",),
)
_CREATED = {
    ("TABLE",): ("rw_tables", "table"),
    ("SOURCE",): ("rw_sources", "source"),
    ("VIEW",): ("rw_views", "view"),
    ("MATERIALIZED", "VIEW"): ("rw_materialized_views", "materialized view"),
    ("INDEX",): ("rw_indexes", "index"),
    ("SINK",): ("rw_sinks", "sink"),
}
_COLUMNS = (Column("Name"), Column("Type"), Column("Is Hidden"), Column("Description"))


def plan_show(sql: str) -> Command:
    """SHOW in all its forms; what names no kind of object is a session variable."""
    cursor = Cursor(sql)
    cursor.take()
    for words, relation_type in _LISTED.items():
        if cursor.accept(*words):
            return _list_objects(cursor, relation_type)
    for words in _REFUSED:
        if cursor.accept(*words):
            raise UnsupportedFeature(f"SHOW {' '.join(words)}", hint="see the relations in schema rw_catalog")
    if cursor.accept("DATABASES"):
        return _list_names(
            cursor,
            "pg_catalog.pg_database",
            "datname",
            "NOT datistemplate AND datname <> 'postgres' AND datname NOT LIKE 'tailrace %'",
        )
    if cursor.accept("SCHEMAS"):
        return _list_names(
            cursor,
            "pg_catalog.pg_namespace",
            "nspname",
            "nspname NOT IN ('engine', 'rw') AND pg_catalog.has_schema_privilege(oid, 'USAGE')",
        )
    if cursor.accept("JOBS"):
        cursor.end()
        return _list_jobs()
    if cursor.accept("INDEXES"):
        return _list_indexes(cursor)
    if cursor.accept("COLUMNS"):
        if not (cursor.accept("FROM") or cursor.accept("IN")):
            raise Cursor.unexpected(cursor.take())
        return _describe(cursor, SHOW_TAG, with_keys=False)
    if cursor.accept("CREATE"):
        return _show_create(cursor)
    return plan_show_variable(cursor)


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
    where = f"relation_type = {_literal(relation_type)} AND {_in_schema(schema)}{_filter(cursor, 'name')}"
    sql = (
        "SELECT pg_catalog.quote_ident(schema_name) || '.' || pg_catalog.quote_ident(name) "  # noqa: S608 - literals quoted
        f"FROM rw_catalog.rw_relations WHERE {where} ORDER BY schema_name, name"
    )
    return Lookup(sql, (Column("Name"),), SHOW_TAG)


def _list_names(cursor: Cursor, relation: str, column: str, where: str) -> Lookup:
    condition = where + _filter(cursor, column)
    return Lookup(
        f"SELECT {column} FROM {relation} WHERE {condition} ORDER BY 1",  # noqa: S608 - literals quoted
        (Column("Name"),),
        SHOW_TAG,
    )


def _list_jobs() -> Lookup:
    sql = (
        "SELECT j.id, j.definition, j.create_type, coalesce(p.progress, '') FROM rw_catalog.rw_streaming_jobs AS j "
        "LEFT JOIN rw_catalog.rw_ddl_progress AS p ON p.ddl_id = j.id WHERE j.status = 'creating' ORDER BY j.id"
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
        "SELECT name, relation_name, indexed_columns, '', '' FROM rw_catalog.rw_indexes "  # noqa: S608 - literals quoted
        f"WHERE {where} ORDER BY name"
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
        f"FROM rw_catalog.{relation} WHERE name = {_literal(name)} AND {_in_schema(schema)} LIMIT 1"
    )
    columns = (Column("Name"), Column("Create Sql"))
    return Lookup(sql, columns, SHOW_TAG, _missing(kind, schema, name))


def _missing(kind: str, schema: str | None, name: str) -> UndefinedObject:
    full_name = name if schema is None else f"{schema}.{name}"
    return UndefinedObject(
        f"{kind} not found: {full_name}",
        hint="\\d or SHOW TABLES, SOURCES, MATERIALIZED VIEWS, VIEWS list what exists",
    )


_DESCRIBE = """
WITH relation AS (
  SELECT id, name, schema_name FROM rw_catalog.rw_relations WHERE name = {name} AND {in_schema}
  ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true), schema_name::name) LIMIT 1
)
SELECT pg_catalog.quote_ident(c.name), c.data_type, CASE WHEN c.is_hidden THEN 'true' ELSE 'false' END, d.description,
       1 AS part, c.position AS place
FROM relation AS r JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = r.schema_name
LEFT JOIN pg_catalog.pg_class AS v ON v.relname = r.name AND v.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = v.oid AND a.attname = c.name
LEFT JOIN rw_catalog.rw_description AS d ON d.objoid = r.id AND d.objsubid = a.attnum
"""
_DESCRIBE_KEYS = """
UNION ALL
SELECT 'primary key', pg_catalog.string_agg(pg_catalog.quote_ident(c.name), ', ' ORDER BY c.position), NULL, NULL, 2, 1
FROM relation AS r JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id AND c.is_primary_key HAVING count(*) > 0
UNION ALL
SELECT i.name, 'index(' || i.indexed_columns || ')', NULL, NULL, 3, i.id
FROM relation AS r JOIN rw_catalog.rw_indexes AS i ON i.relation_name = r.name AND i.schema_name = r.schema_name
UNION ALL
SELECT 'table description', r.name, NULL, d.description, 4, 1
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
