"""ALTER DEFAULT PRIVILEGES: the rights that what a user makes from now on gives to others from the start.

Kept as one setting of the database, as its owner is, and read when something is made. Rights on what is there already stay as
they are, and a right that was given by default stays when the default is revoked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import orjson
from psycopg import sql

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply
from engine.ddl.grant import listed_rights, listed_users, object_rights, rights_of_kind, schema_rights
from engine.ddl.words import Words
from tailrace.errors import InvalidStatement, PermissionDenied, UndefinedObject, UnsupportedFeature

SETTING = "tailrace.default_rights"
_SCHEMA = "SCHEMA"
_KINDS = {
    ("TABLES",): "table",
    ("SOURCES",): "source",
    ("VIEWS",): "view",
    ("MATERIALIZED", "VIEWS"): "materialized view",
    ("FUNCTIONS",): "function",
    ("SCHEMAS",): _SCHEMA,
}


@dataclass(frozen=True, slots=True)
class DefaultRight:
    """What `maker` makes of `kind` in `schema` ('' for all) gives `right` to `user`, who may pass it on if `grantable`.

    `user_id` tells the user from a later one of the same name.
    """

    maker: str
    schema: str
    kind: str
    user: str
    user_id: int
    right: str
    grantable: bool = False

    def same(self, other: DefaultRight) -> bool:
        """Is it the same right, but for passing it on?"""
        return replace(self, grantable=False) == replace(other, grantable=False)


def alter_default_privileges(context: DdlContext, words: Words) -> Reply:
    """[FOR USER u, ...] [IN SCHEMA s, ...] GRANT | REVOKE rights ON kind TO | FROM u, ...; behind ALTER DEFAULT PRIVILEGES."""
    makers = (
        listed_users(context, words)
        if words.accept("FOR", "USER") or words.accept("FOR", "ROLE")
        else [context.user]
    )
    if not context.is_superuser and makers != [context.user]:
        raise PermissionDenied("Permission denied: defaults of others are root's", hint="connect as root")
    schemas = _schemas(context, words) if words.accept("IN", "SCHEMA") else []
    gives = words.accept("GRANT")
    if not gives and not words.accept("REVOKE"):
        raise InvalidStatement("syntax error: expected GRANT or REVOKE")
    only_option = not gives and words.accept("GRANT", "OPTION", "FOR")
    rights = listed_rights(words)
    kind = next((kind for keywords, kind in _KINDS.items() if words.accept(*keywords)), None)
    if kind is None:
        raise UnsupportedFeature(
            f"default privileges on {words.take().upper()}", hint="root and the owner may use them"
        )
    if schemas and kind == _SCHEMA:
        raise InvalidStatement(
            "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS", sqlstate="0LP01"
        )
    if not words.accept("TO" if gives else "FROM"):
        raise InvalidStatement(f"syntax error: expected {'TO' if gives else 'FROM'}")
    users = listed_users(context, words)
    grantable = gives and words.accept("WITH", "GRANT", "OPTION")
    words.accept("CASCADE") or words.accept("RESTRICT")
    words.end()
    ids = _ids(context)
    meant = [
        DefaultRight(maker, schema, kind, user, ids[user], right, grantable)
        for maker in makers
        for schema in schemas or [""]
        for user in users
        for right in rights_of_kind(rights, kind)
    ]
    _keep(context, _changed(_kept(context), meant, gives=gives, only_option=only_option))
    return Reply("ALTER_DEFAULT_PRIVILEGES", notices=context.notices)


def give_defaults(context: DdlContext, item: CatalogObject) -> None:
    """Give the rights that there are by default on a new relation that clients see by now, or a new function."""
    for default in _kept(context):
        if default.kind == item.kind and default.maker == item.owner and default.schema in ("", item.schema):
            context.execute(*object_rights(item, default.right, default.user, grantable=default.grantable))


def give_schema_defaults(context: DdlContext, name: str, owner: str) -> None:
    """The same for a new schema."""
    for default in _kept(context):
        if default.kind == _SCHEMA and default.maker == owner:
            context.execute(schema_rights(name, default.right, default.user, grantable=default.grantable))


def _changed(
    kept: Sequence[DefaultRight], meant: Iterable[DefaultRight], *, gives: bool, only_option: bool
) -> list[DefaultRight]:
    """The defaults after a GRANT or REVOKE of `meant`; a REVOKE that names no schema counts for all.

    >>> right = DefaultRight("a", "", "table", "b", 1, "SELECT", grantable=True)
    >>> _changed([right], [right], gives=False, only_option=True)[0].grantable
    False
    """
    found = list(kept)
    for right in meant:
        if not gives and not right.schema:
            found = [
                d for d in found if only_option or not (d.schema and d.same(replace(right, schema=d.schema)))
            ]
        before = next((d for d in found if d.same(right)), None)
        if before is not None:
            found.remove(before)
        if gives:
            found.append(
                replace(right, grantable=right.grantable or (before is not None and before.grantable))
            )
        elif only_option and before is not None:
            found.append(replace(before, grantable=False))
    return found


def _schemas(context: DdlContext, words: Words) -> list[str]:
    found = [words.name().folded]
    while words.accept(","):
        found.append(words.name().folded)
    for name in found:
        if name not in context.catalog.schemas:
            raise UndefinedObject(f"schema not found: {name}", sqlstate="3F000", hint="SHOW SCHEMAS")
    return found


def _ids(context: DdlContext) -> dict[str, int]:
    """The users that there are."""
    return dict(context.connection.execute("SELECT rolname, oid::bigint FROM pg_roles").fetchall())


def _kept(context: DdlContext) -> list[DefaultRight]:
    """The defaults; what users had who are gone is left out."""
    row = context.connection.execute(
        "SELECT substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase, "
        "unnest(s.setconfig) AS c WHERE d.datname = current_database() AND s.setrole = 0 AND starts_with(c, %s || '=')",
        (SETTING,),
    ).fetchone()
    if row is None:
        return []
    ids = _ids(context)
    kept = (DefaultRight(**right) for right in orjson.loads(row[0]))
    return [right for right in kept if ids.get(right.user) == right.user_id]


def _keep(context: DdlContext, rights: Sequence[DefaultRight]) -> None:
    database = sql.Identifier(context.connection.info.dbname)
    setting = sql.SQL(".").join(sql.Identifier(part) for part in SETTING.split("."))
    text = orjson.dumps(rights).decode()
    context.connection.execute(
        sql.SQL("ALTER DATABASE {} SET {} = {}").format(database, setting, sql.Literal(text))
    )
