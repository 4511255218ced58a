"""GRANT and REVOKE: rights of PostgreSQL on what clients see, so that PostgreSQL itself enforces them.

A relation is a view; who may INSERT into a table may also COPY into the table behind it. Kinds of objects that PostgreSQL does
not know (sinks, secrets, connections) carry no rights and are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply
from engine.ddl.move import check_user
from engine.ddl.names import signature
from engine.ddl.rename import VISIBLE
from engine.ddl.words import Words
from engine.operators.base import names, quote
from tailrace.errors import InvalidStatement, PermissionDenied, UndefinedObject, UnsupportedFeature

_RIGHTS = {
    "DATABASE": ("CREATE", "CONNECT"),
    "SCHEMA": ("CREATE", "USAGE"),
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "source": ("SELECT",),
    "materialized view": ("SELECT",),
    "view": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "function": ("EXECUTE",),
}
"""By kind, what ALL means, and what may be given at all."""
_KINDS = {
    ("MATERIALIZED", "VIEW"): "materialized view",
    ("TABLE",): "table",
    ("SOURCE",): "source",
    ("VIEW",): "view",
}
_ALL = {
    ("MATERIALIZED", "VIEWS"): "materialized view",
    ("TABLES",): "table",
    ("SOURCES",): "source",
    ("VIEWS",): "view",
    ("FUNCTIONS",): "function",
}
_NOWHERE = ("SINK", "SUBSCRIPTION", "SECRET", "CONNECTION")


@dataclass(frozen=True, slots=True)
class _Target:
    """What rights are on: `sql` for PostgreSQL, `kind` (of _RIGHTS), the owner, and the object, a relation or a function."""

    sql: str
    kind: str
    owner: str | None
    item: CatalogObject | None = None


def grant(context: DdlContext) -> Reply:
    """Run GRANT or REVOKE."""
    words = Words(context.text)
    verb = words.word()
    words.take()
    only_option = verb == "REVOKE" and words.accept("GRANT", "OPTION", "FOR")
    rights = listed_rights(words)
    targets = _targets(context, words, rights)
    for word in ("TO",) if verb == "GRANT" else ("FROM",):
        if not words.accept(word):
            raise InvalidStatement(f"syntax error: expected {word}")
    users = listed_users(context, words)
    with_option = verb == "GRANT" and words.accept("WITH", "GRANT", "OPTION")
    if words.accept("GRANTED", "BY"):
        check_user(context, words.name().folded)
    cascade = words.accept("CASCADE")
    words.accept("RESTRICT")
    words.end()
    to = ", ".join(map(quote, users))
    for target in targets:
        _check_may_grant(context, target)
        for right in rights_of_kind(rights, target.kind):
            for what in _spelled(target, right):
                if verb == "GRANT":
                    context.execute(f"GRANT {what} TO {to}{' WITH GRANT OPTION' if with_option else ''}")
                else:
                    option = "GRANT OPTION FOR " if only_option else ""
                    context.execute(f"REVOKE {option}{what} FROM {to} {'CASCADE' if cascade else ''}")
    return Reply(f"{verb}_PRIVILEGE", notices=context.notices)


def object_rights(item: CatalogObject, right: str, user: str, *, grantable: bool) -> list[str]:
    """The statements that give a user a right on a relation or a function."""
    option = " WITH GRANT OPTION" if grantable else ""
    return [f"GRANT {what} TO {quote(user)}{option}" for what in _spelled(_target(item), right)]


def schema_rights(name: str, right: str, user: str, *, grantable: bool) -> str:
    """The statement that gives a user a right on a schema."""
    return (
        f"GRANT {right} ON SCHEMA {quote(name)} TO {quote(user)}{' WITH GRANT OPTION' if grantable else ''}"
    )


def rights_on(context: DdlContext, relation: CatalogObject) -> list[str]:
    """The statements that give a relation's rights again, once its view has been made anew."""
    rows = context.connection.execute(
        "SELECT a.privilege_type, a.grantee::regrole::text, a.is_grantable FROM pg_class AS c, aclexplode(c.relacl) AS a "
        "WHERE c.oid = to_regclass(%s) AND a.grantee <> c.relowner AND a.grantee <> 0",
        (relation.visible,),
    )
    return [
        f"GRANT {right} ON {relation.visible} TO {role}{' WITH GRANT OPTION' if grantable else ''}"
        for right, role, grantable in rows
    ]


def listed_rights(words: Words) -> tuple[str, ...] | None:
    """The rights that are listed before ON; None for ALL [PRIVILEGES]."""
    if words.accept("ALL"):
        words.accept("PRIVILEGES")
        found: tuple[str, ...] | None = None
    else:
        listed = [words.take().upper()]
        while words.accept(","):
            listed.append(words.take().upper())
        found = tuple(listed)
    if not words.accept("ON"):
        raise InvalidStatement("syntax error: expected ON")
    return found


def _targets(context: DdlContext, words: Words, rights: tuple[str, ...] | None) -> list[_Target]:
    """What the rights are on; raises InvalidStatement for a right that no object of the kind can give."""
    if words.accept("DATABASE"):
        return [_database(context, name) for name in _listed(words)]
    if words.accept("SCHEMA"):
        return [_schema(context, name) for name in _listed(words)]
    if words.accept("ALL"):
        kind = next((kind for keywords, kind in _ALL.items() if words.accept(*keywords)), None)
        if kind is None:
            raise UnsupportedFeature(f"rights on ALL {words.take().upper()}")
        if not words.accept("IN", "SCHEMA"):
            raise InvalidStatement("syntax error: expected IN SCHEMA")
        rights_of_kind(rights, kind)
        schemas = [_schema(context, name) and name for name in _listed(words)]
        found = [o for o in context.catalog.objects.values() if o.shown_kind == kind and o.schema in schemas]
        return [_target(o) for o in found]
    if words.accept("FUNCTION"):
        functions = [_function(context, words)]
        while words.accept(","):
            functions.append(_function(context, words))
        return functions
    if words.word() in _NOWHERE and words.word(1) not in ("TO", "FROM", ","):
        raise UnsupportedFeature(
            f"rights on a {words.word()}", hint="leave it out: root and the owner may use it"
        )
    kind = next(
        (
            kind
            for keywords, kind in _KINDS.items()
            if words.reaches(len(keywords)) and words.accept(*keywords)
        ),
        None,
    )
    found = [_existing(context, words)]
    while words.accept(","):
        found.append(_existing(context, words))
    for item in found:
        if item.kind not in VISIBLE or kind not in (None, item.shown_kind, "table"):
            raise InvalidStatement(
                f'"{item.name}" is not a {kind or "relation"}: it is a {item.shown_kind}', sqlstate="42809"
            )
    return [_target(item) for item in found]


def _existing(context: DdlContext, words: Words) -> CatalogObject:
    name = words.qualified_name().object
    if context.catalog.find(name, context.path) is None:
        raise UndefinedObject(f'relation "{name}" does not exist', detail=f"table not found: {name}")
    return context.existing(name)


def _target(item: CatalogObject) -> _Target:
    if item.kind == "function":
        return _Target(f"FUNCTION {signature(item)}", item.kind, item.owner, item)
    return _Target(f"TABLE {item.visible}", item.shown_kind, item.owner, item)


def _function(context: DdlContext, words: Words) -> _Target:
    """name [(types)]; a name stands for one function."""
    name = words.qualified_name()
    if words.accept("("):
        while not words.accept(")"):
            words.take()
    found = context.catalog.find(name.object, context.path)
    if found is None or found.kind != "function":
        raise UndefinedObject(
            f"function not found: {name.object}", sqlstate="42883", hint="SHOW FUNCTIONS lists them"
        )
    return _target(found)


def _database(context: DdlContext, name: str) -> _Target:
    found = context.connection.execute(
        "SELECT rw_catalog._owner_name(owner) FROM rw_catalog.rw_databases WHERE name = %s",
        (name,),
    ).fetchone()
    if found is None:
        raise UndefinedObject(f"database not found: {name}", sqlstate="3D000", hint="SHOW DATABASES")
    return _Target(f"DATABASE {quote(name)}", "DATABASE", found[0])


def _schema(context: DdlContext, name: str) -> _Target:
    found = context.catalog.schemas.get(name)
    if found is None:
        raise UndefinedObject(f"schema not found: {name}", sqlstate="3F000", hint="SHOW SCHEMAS")
    return _Target(f"SCHEMA {quote(name)}", "SCHEMA", found.owner)


def _listed(words: Words) -> list[str]:
    found = [words.name().folded]
    while words.accept(","):
        found.append(words.name().folded)
    return found


def listed_users(context: DdlContext, words: Words) -> list[str]:
    """The users of TO or FROM; raises UndefinedObject."""
    found = _listed(words)
    for user in found:
        check_user(context, user)
    return found


def rights_of_kind(rights: tuple[str, ...] | None, kind: str) -> Iterable[str]:
    """The rights, or all that the kind has; raises InvalidStatement (0LP01) for one that it has not."""
    allowed = _RIGHTS[kind]
    for right in rights or ():
        if right not in allowed:
            raise InvalidStatement(
                f"{right} is no right on a {kind.lower()}",
                sqlstate="0LP01",
                hint=f"one of {', '.join(allowed)}",
            )
    return rights or allowed


def _spelled(target: _Target, right: str) -> Iterable[str]:
    yield f"{right} ON {target.sql}"
    if right == "INSERT" and target.item is not None and target.item.shown_kind == "table":
        visible = names([c for c in target.item.columns if not c.hidden])
        yield f"INSERT ({visible}) ON engine.table_{target.item.id}"


def _check_may_grant(context: DdlContext, target: _Target) -> None:
    if not context.is_superuser and target.owner != context.user:
        raise PermissionDenied(
            f"Permission denied: {context.user} owns no {target.sql.lower()}",
            hint="connect as its owner or as root",
        )
