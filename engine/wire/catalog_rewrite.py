"""Catalog queries of clients (psql's \\d, drivers, SQLAlchemy) made to see what RisingWave would show.

Underneath, every visible relation is a PostgreSQL view and storage lies in schemas of its own. So the names
of a few catalog relations are replaced, token by token, by ones that say table, source and materialized view,
and leave the rest out. The rest of the query stays as written: it is valid on PostgreSQL 18 as it is on the
13 that clients believe in. Pure; called by `engine.wire.classify` for each query, and free unless the text
names one of these relations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.wire.settings import RISINGWAVE_VERSION, SERVER_VERSION, SERVER_VERSION_NUM
from engine.wire.tokens import Kind, Token, tokens
from tailrace.sql.system_relations import RW_CATALOG

_VERSION = f"PostgreSQL {SERVER_VERSION}-RisingWave-{RISINGWAVE_VERSION} (Tailrace)"

_RELATIONS = {
    **{name: f"rw_catalog.{name}" for name in RW_CATALOG},
    "pg_class": "rw_catalog.pg_class",
    "pg_namespace": (
        "(SELECT * FROM pg_catalog.pg_namespace WHERE nspname NOT IN ('engine', 'rw') AND"
        " pg_catalog.has_schema_privilege(oid, 'USAGE'))"
    ),
    "pg_database": (
        "(SELECT * FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
        " AND datname NOT LIKE 'tailrace %')"
    ),
    "pg_tables": (
        "(SELECT schema_name::name AS schemaname, name::name AS tablename, rw_catalog._owner_name(owner)::name AS tableowner,"
        " NULL::name AS tablespace, false AS hasindexes, false AS hasrules, false AS hastriggers,"
        " false AS rowsecurity FROM rw_catalog.rw_tables UNION ALL SELECT * FROM pg_catalog.pg_tables"
        " WHERE schemaname IN ('pg_catalog', 'information_schema', 'rw_catalog'))"
    ),
    "pg_views": (
        "(SELECT schema_name::name AS schemaname, name::name AS viewname, rw_catalog._owner_name(owner)::name AS viewowner,"
        " definition FROM rw_catalog.rw_views UNION ALL SELECT * FROM pg_catalog.pg_views"
        " WHERE schemaname IN ('pg_catalog', 'information_schema', 'rw_catalog'))"
    ),
    "pg_matviews": (
        "(SELECT schema_name::name AS schemaname, name::name AS matviewname,"
        " rw_catalog._owner_name(owner)::name AS matviewowner,"
        " NULL::name AS tablespace, false AS hasindexes, true AS ispopulated, definition"
        " FROM rw_catalog.rw_materialized_views)"
    ),
    "pg_indexes": (
        "(SELECT schema_name::name AS schemaname, relation_name::name AS tablename, name::name AS indexname,"
        " NULL::name AS tablespace, definition AS indexdef FROM rw_catalog.rw_indexes)"
    ),
    "pg_roles": (
        "(SELECT id::oid AS oid, name::name AS rolname, is_super AS rolsuper, true AS rolinherit, create_user AS rolcreaterole,"
        " create_db AS rolcreatedb, can_login AS rolcanlogin, is_super AS rolreplication, -1 AS rolconnlimit,"
        " NULL::timestamptz AS rolvaliduntil, is_super AS rolbypassrls, '********' AS rolpassword FROM rw_catalog.rw_users)"
    ),
    "pg_user": (
        "(SELECT id AS usesysid, name::name AS usename, create_db AS usecreatedb, is_super AS usesuper,"
        " '********' AS passwd FROM rw_catalog.rw_users)"
    ),
    "pg_shadow": (
        "(SELECT name::name AS usename, id AS usesysid, create_db AS usecreatedb, is_super AS usesuper, is_super AS userepl,"
        " is_super AS usebypassrls, NULL::text AS passwd, NULL::timestamptz AS valuntil, NULL::text[] AS useconfig"
        " FROM rw_catalog.rw_users)"
    ),
    **{
        name: f"(SELECT * FROM pg_catalog.{name} WHERE false)"  # noqa: S608 - a constant
        for name in ("pg_conversion", "pg_locks", "pg_opclass", "pg_operator", "pg_sequence", "pg_sequences")
    },
    "pg_collation": "(SELECT *, NULL::text AS colliculocale FROM pg_catalog.pg_collation WHERE false)",
    "pg_settings": (
        "(SELECT name, CASE name WHEN 'server_version_num' THEN '130014' "  # noqa: S608 - constants
        f"WHEN 'server_version' THEN '{SERVER_VERSION}' ELSE setting END AS setting,"
        " unit, category, short_desc, extra_desc, context, vartype, source,"
        " min_val, max_val, enumvals, boot_val, reset_val, sourcefile, sourceline, pending_restart FROM pg_catalog.pg_settings)"
    ),
    "pg_rewrite": "(SELECT * FROM pg_catalog.pg_rewrite WHERE rulename <> '_RETURN')",
    "pg_index": (
        "(SELECT i.indexrelid, coalesce(shown.oid, i.indrelid) AS indrelid, i.indnatts, i.indnkeyatts, i.indisunique,"
        " i.indnullsnotdistinct, i.indisprimary, i.indisexclusion, i.indimmediate, i.indisclustered, i.indisvalid,"
        " i.indcheckxmin, i.indisready, i.indislive, i.indisreplident, i.indkey, i.indcollation, i.indclass,"
        " i.indoption, i.indexprs, i.indpred FROM pg_catalog.pg_index AS i JOIN rw_catalog.pg_class AS c"
        " ON c.oid = i.indexrelid LEFT JOIN rw_catalog.rw_indexes AS r ON r.name = c.relname"
        " AND r.schema_name::regnamespace = c.relnamespace LEFT JOIN rw_catalog.pg_class AS shown"
        " ON shown.relname = r.relation_name AND shown.relnamespace = c.relnamespace)"
    ),
    # psql asks these two about what it takes for a foreign table: a source, whose "server" is its connector.
    "pg_foreign_table": (
        "(SELECT oid AS ftrelid, oid AS ftserver, NULL::text[] AS ftoptions"
        " FROM rw_catalog.pg_class WHERE relkind = 'f')"
    ),
    "pg_foreign_server": (
        "(SELECT c.oid, lower(s.connector)::name AS srvname, 0::oid AS srvfdw, NULL::text[] AS srvoptions"
        " FROM rw_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " JOIN rw_catalog.rw_sources AS s ON s.name = c.relname AND s.schema_name = n.nspname WHERE c.relkind = 'f')"
    ),
}
_INFORMATION = {
    **{
        name: f"(SELECT * FROM rw_catalog._{name})"  # noqa: S608 - a constant
        for name in ("tables", "columns", "views", "schemata", "table_constraints", "key_column_usage")
    },
    **{
        name: f"(SELECT * FROM information_schema.{name} WHERE table_schema <> 'engine')"  # noqa: S608 - a constant
        for name in ("column_privileges", "role_column_grants")
    },
}
"""Relations of information_schema; PostgreSQL's own list what a role has rights on, the tables behind relations included."""
_VERSION_CALL = f"(SELECT version FROM (VALUES ('{_VERSION}'::text)) AS v (version))"  # noqa: S608 - a constant

# An index lies in a schema that is not searched, rw_catalog has ids of its own, and a view's text is about storage. {0} is the
# first argument, as written, {1} the others with the comma before them; names that start with _shown cannot hide what it
# refers to.
_CALLS = {
    "pg_table_is_visible": (
        "(pg_catalog.pg_table_is_visible({0}) OR EXISTS (SELECT FROM rw_catalog.pg_class AS _shown WHERE"
        " _shown.oid = {0} AND _shown.relkind = 'i'"
        " AND _shown.relnamespace::regnamespace::name = ANY (pg_catalog.current_schemas(true)))"
        " OR EXISTS (SELECT FROM rw_catalog.rw_relations AS _shown WHERE _shown.id::bigint = ({0})::bigint"
        " AND _shown.schema_id::oid::regnamespace::name = ANY (pg_catalog.current_schemas(true))))"
    ),
    "pg_get_userbyid": "rw_catalog._owner_name(({0})::oid::integer)::name",
    "pg_get_viewdef": (
        "coalesce((SELECT pg_catalog.regexp_replace(_shown_text.definition, '^\\s*?create\\s.*?\\sas\\s+', '', 'i')"
        " FROM rw_catalog.pg_class AS _shown"
        " JOIN (SELECT schema_name, name, definition FROM rw_catalog.rw_views"
        " UNION ALL SELECT schema_name, name, definition FROM rw_catalog.rw_materialized_views) AS _shown_text"
        " ON _shown_text.name = _shown.relname AND _shown_text.schema_name::regnamespace = _shown.relnamespace"
        " WHERE _shown.oid = {0}),"
        " pg_catalog.pg_get_viewdef({0}, true))"
    ),
    "current_setting": (
        f"CASE {{0}} WHEN 'server_version' THEN '{SERVER_VERSION}' WHEN 'server_version_num' THEN '{SERVER_VERSION_NUM}' "
        "ELSE pg_catalog.current_setting({0}{1}) END"
    ),
    "pg_get_indexdef": "rw_catalog.pg_get_indexdef({0}{1})",
    "pg_table_size": "rw_catalog.pg_table_size({0})",
    "pg_relation_size": "rw_catalog.pg_relation_size({0}{1})",
    "pg_indexes_size": "rw_catalog.pg_indexes_size({0})",
    "pg_total_relation_size": "rw_catalog.pg_total_relation_size({0})",
}

_WORDS = "|".join((*(_RELATIONS.keys() - RW_CATALOG), *_CALLS))
_GATE = re.compile(
    rf"\brw_[a-z]|\b(?:{_WORDS}|information_schema\s*\.\s*(?:{'|'.join(_INFORMATION)}))\b|\bversion\s*\(",
    re.IGNORECASE,
)
_BEFORE_RELATION = frozenset({"FROM", "JOIN", "ONLY"})
_AFTER_RELATION = frozenset(
    "WHERE ON USING JOIN INNER LEFT RIGHT FULL CROSS NATURAL UNION EXCEPT INTERSECT GROUP ORDER HAVING LIMIT OFFSET "
    "FETCH WINDOW FOR TABLESAMPLE".split()
)


def rewrite_catalog(sql: str) -> str:
    """`sql` with catalog relations replaced; the same object if there is nothing to replace.

    >>> rewrite_catalog("SELECT relkind FROM pg_catalog.pg_class c WHERE c.oid = 'pg_class'::regclass")
    "SELECT relkind FROM rw_catalog.pg_class c WHERE c.oid = 'pg_class'::regclass"
    """
    if not _GATE.search(sql):
        return sql
    found = list(tokens(sql))
    parts: list[str] = []
    position = 0
    for index, token in enumerate(found):
        if token.start < position:
            continue
        edit = _edit(sql, found, index)
        if edit is not None:
            parts += (sql[position : edit.start], edit.text)
            position = edit.end
    return "".join((*parts, sql[position:])) if parts else sql


@dataclass(frozen=True, slots=True)
class _Edit:
    """`text` in place of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


def _edit(sql: str, found: list[Token], index: int) -> _Edit | None:
    """What takes the place of the name at `index`, and of the schema before it; None leaves it."""
    token = found[index]
    name = token.name
    if token.text == "'foreign table'":  # psql's word for the kind that stands for sources
        return _Edit(token.start, token.end, "'source'")
    if name is None or not (
        name in _RELATIONS or name in _CALLS or name in _INFORMATION or name == "version"
    ):
        return None
    before = found[index - 1] if index else None
    after = found[index + 1] if index + 1 < len(found) else None
    qualified = before is not None and before.text == "." and index > 1
    schema = found[index - 2].name if qualified else None
    start = found[index - 2].start if qualified else token.start
    called = after is not None and after.text == "("
    if name in _INFORMATION:
        if schema != "information_schema" or (after is not None and after.text == "."):
            return None
        return _Edit(start, token.end, _with_alias(_INFORMATION[name], name, after))
    if schema not in {None, "pg_catalog"} or (qualified and name in RW_CATALOG):
        return None
    if name == "version":
        closing = found[index + 2] if index + 2 < len(found) else None
        if not called or closing is None or closing.text != ")":
            return None
        return _Edit(start, closing.end, _VERSION_CALL)
    if name in _CALLS:
        return _edit_call(sql, found, index + 1, start, _CALLS[name]) if called else None
    if not qualified and (before is None or (before.word not in _BEFORE_RELATION and before.text != ",")):
        return None
    replacement = _RELATIONS[name]
    if after is not None and after.text == ".":  # a column, qualified by its relation
        shown = name if replacement.startswith("(") else replacement
        return _Edit(start, token.end, shown) if qualified else None
    return _Edit(start, token.end, _with_alias(replacement, name, after))


def _edit_call(sql: str, found: list[Token], opening: int, start: int, template: str) -> _Edit | None:
    """Put a call's first argument, itself rewritten, into `template`; `opening` is the index of its parenthesis."""
    depth = 0
    argument_end = None
    for token in found[opening:]:
        depth += (token.text == "(") - (token.text == ")")
        if argument_end is None and (depth == 0 or (token.text == "," and depth == 1)):
            argument_end = token.start
        if depth == 0:
            argument = rewrite_catalog(sql[found[opening].end : argument_end].strip())
            return _Edit(start, token.end, template.format(argument, sql[argument_end : token.start]))
    return None


def _with_alias(relation: str, name: str, after: Token | None) -> str:
    """A derived table, under its old name unless the query gives it another."""
    if not relation.startswith("("):
        return relation
    has_alias = after is not None and (
        after.word == "AS"
        or after.kind is Kind.QUOTED
        or (after.kind is Kind.WORD and after.word not in _AFTER_RELATION)
    )
    return relation if has_alias else f"{relation} AS {name}"
