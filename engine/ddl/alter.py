"""ALTER: new names (`engine.ddl.rename`, `engine.ddl.swap`), columns (`engine.ddl.alter_table`); the rest is refused.

Nothing stored is touched by new names: objects keep their ids, and with them rows, state, readers, privileges and comments. Only
names move. sqlglot reads hardly any of RisingWave's ALTER, so the few words are read here, from its tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog.objects import CatalogObject
from engine.ddl.alter_connector import alter_source_options, connector_options, drop_connector
from engine.ddl.alter_sink import alter_connector
from engine.ddl.alter_source import add_source_column, feed_anew
from engine.ddl.alter_table import add_column, drop_column
from engine.ddl.alter_type import alter_type
from engine.ddl.alter_watermark import alter_watermark
from engine.ddl.connections import alter_connection
from engine.ddl.context import DdlContext, Reply
from engine.ddl.default_rights import alter_default_privileges
from engine.ddl.filling import Filling
from engine.ddl.move import set_owner, set_schema
from engine.ddl.parallelism import set_parallelism
from engine.ddl.rate_limits import KINDS, set_rate_limit
from engine.ddl.refresh_schema import refresh_schema
from engine.ddl.rename import rename
from engine.ddl.secrets import alter_secret
from engine.ddl.subscriptions import set_retention
from engine.ddl.swap import swap
from engine.ddl.system import alter_system
from engine.ddl.words import Name, Words
from tailrace.errors import InvalidStatement, UndefinedObject, UnsupportedFeature

_KINDS = {
    ("TABLE",): "table",
    ("SOURCE",): "source",
    ("MATERIALIZED", "VIEW"): "materialized view",
    ("VIEW",): "view",
    ("INDEX",): "index",
    ("SINK",): "sink",
    ("SUBSCRIPTION",): "subscription",
}
_CONNECTED = ("table", "source")
_REBUILD = "build the changed one under another name, then ALTER ... SWAP WITH"
_HINTS: Mapping[tuple[str, ...], str] = {
    ("ALTER",): _REBUILD,
    ("RENAME",): "only whole relations are renamed; name the column with AS in a view",
    ("AS",): _REBUILD,
    ("FORMAT",): "REFRESH SCHEMA takes the newest schema; DROP it and CREATE it for another format",
}


def alter(context: DdlContext, filling: Filling) -> Reply:
    """Run ALTER."""
    words = Words(context.text)
    words.take()
    if words.accept("SYSTEM"):
        return alter_system(context, words)
    if words.accept("SECRET"):
        return alter_secret(context, words)
    if words.accept("DEFAULT", "PRIVILEGES"):
        return alter_default_privileges(context, words)
    if words.accept("FUNCTION"):
        return _alter_function(context, words)
    if words.accept("CONNECTION"):
        return alter_connection(context, words)
    for keywords, kind in _KINDS.items():
        if words.accept(*keywords):
            return _alter(context, words, " ".join(keywords), kind, filling)
    raise UnsupportedFeature(f"ALTER {words.take().upper()}", hint="DROP it and CREATE it anew")


def _alter_function(context: DdlContext, words: Words) -> Reply:
    """ALTER FUNCTION name [(types)] OWNER TO user, or SET SCHEMA schema."""
    name = words.qualified_name()
    if words.accept("("):
        while not words.accept(")"):
            words.take()
    if words.accept("SET", "SCHEMA"):
        schema = words.name().folded
        words.end()
        set_schema(context, _found(context, name, "FUNCTION", "function"), schema)
    elif words.accept("OWNER", "TO"):
        owner = words.name().folded
        words.end()
        set_owner(context, _found(context, name, "FUNCTION", "function"), owner)
    else:
        raise _refused(words, "FUNCTION")
    return Reply("ALTER_FUNCTION", notices=context.notices)


def _alter(context: DdlContext, words: Words, keyword: str, kind: str, filling: Filling) -> Reply:
    if words.accept("IF", "EXISTS"):
        raise UnsupportedFeature(f"ALTER {keyword} IF EXISTS", hint="SHOW and \\d list what exists")
    name = words.qualified_name()
    tag = "ALTER_" + keyword.replace(" ", "_")
    if words.accept("RENAME", "TO"):
        new = words.name()
        words.end()
        rename(context, _found(context, name, keyword, kind), new)
    elif kind != "index" and words.accept("SWAP", "WITH"):
        other = words.qualified_name()
        words.end()
        swap(context, _found(context, name, keyword, kind), _existing(context, other, kind), (name, other))
    elif kind != "index" and words.accept("SET", "SCHEMA"):
        schema = words.name().folded
        words.end()
        set_schema(context, _found(context, name, keyword, kind), schema)
    elif kind != "index" and words.accept("OWNER", "TO"):
        owner = words.name().folded
        words.end()
        set_owner(context, _found(context, name, keyword, kind), owner)
    elif words.word() == "SET" and words.word(1) in ("PARALLELISM", "BACKFILL_PARALLELISM"):
        _set_parallelism(context, _found(context, name, keyword, kind), words)
    elif words.word() == "SET" and words.word(1) in KINDS:
        words.take()
        option = words.take().upper()
        set_rate_limit(context, _found(context, name, keyword, kind), option, words)
    elif kind == "sink" and words.accept("CONNECTOR"):
        alter_connector(context, _found(context, name, keyword, kind), words)
    elif (kind in _CONNECTED and words.word() == "CONNECTOR") or (
        kind == "table" and words.word() == "DROP" and words.word(1) == "CONNECTOR"
    ):
        _alter_connector(context, words, _found(context, name, keyword, kind))
    elif kind in ("table", "source") and words.accept("REFRESH", "SCHEMA"):
        words.end()
        _refresh(
            context,
            _table(context, name) if kind == "table" else _found(context, name, keyword, kind),
            filling,
        )
    elif kind == "table" and words.word() in ("ADD", "DROP", "ALTER"):
        _alter_columns(context, _table(context, name), words, filling)
    elif kind == "source" and words.word() == "ADD":
        source = _found(context, name, keyword, kind)
        _check_not_read_by_job(context, source)
        if source.kind == "table":  # a source whose rows are kept
            _alter_columns(context, source, words, filling)
        else:
            words.take()
            add_source_column(context, source, words)
    elif kind == "subscription" and words.accept("SET", "RETENTION"):
        set_retention(context, words, _found(context, name, keyword, kind))
    else:
        raise _refused(words, keyword)
    return Reply(tag, notices=context.notices)


def _refresh(context: DdlContext, item: CatalogObject, filling: Filling) -> None:
    _check_not_read_by_job(context, item)
    refresh_schema(context, item, filling)


def _set_parallelism(context: DdlContext, item: CatalogObject, words: Words) -> None:
    """SET [BACKFILL_]PARALLELISM [TO | =] n."""
    words.accept("SET")
    if words.accept("BACKFILL_PARALLELISM"):
        words.rest()
        context.notices.append("parallelism is not set: the embedded engine runs each job in one process")
        return
    words.accept("PARALLELISM")
    words.accept("TO") or words.accept("=")
    set_parallelism(context, item, words.rest().removesuffix("DEFERRED"))
    context.notices.append("parallelism is noted: the embedded engine runs each job in one process")


def _alter_connector(context: DdlContext, words: Words, item: CatalogObject) -> None:
    """CONNECTOR WITH (...), or DROP CONNECTOR."""
    if words.accept("CONNECTOR"):
        alter_source_options(context, item, connector_options(words))
        return
    words.accept("DROP", "CONNECTOR")
    words.end()
    _check_not_read_by_job(context, item)
    drop_connector(context, item)


def _alter_columns(context: DdlContext, table: CatalogObject, words: Words, filling: Filling) -> None:
    """ADD, DROP or ALTER of a table's columns; what fills it from outside follows."""
    context.settle([table])
    if words.accept("ALTER", "WATERMARK"):
        alter_watermark(context, table, words)
        return
    change = {"ADD": add_column, "DROP": drop_column, "ALTER": alter_type}[words.take().upper()]
    change(context, table, words)
    feed_anew(context, context.catalog.objects[table.id], filling)


def _table(context: DdlContext, name: Name) -> CatalogObject:
    found = _existing(context, name, "table")
    if found.shown_kind != "table":
        raise InvalidStatement(
            f'"{name.folded}" is not a table or cannot be altered', sqlstate="42809",
            hint=_REBUILD if found.kind == "materialized view" else None,
        )  # fmt: skip
    if found.body.get("rate_limits"):
        raise InvalidStatement(
            f'"{found.name}" is throttled', sqlstate="55006", hint="ALTER TABLE ... SET DML_RATE_LIMIT TO DEFAULT first"
        )  # fmt: skip
    _check_not_read_by_job(context, found)
    return found


def _check_not_read_by_job(context: DdlContext, relation: CatalogObject) -> None:
    """Raises InvalidStatement (55006) while a new object is being filled from the relation."""
    for item in context.catalog.objects.values():
        if item.is_creating and relation in context.catalog.inputs_of(item):
            raise InvalidStatement(
                f"{item.name} is being filled from {relation.name}", sqlstate="55006", hint="WAIT until it is there"
            )  # fmt: skip


def _existing(context: DdlContext, name: Name, kind: str) -> CatalogObject:
    found = context.catalog.find(name.object, context.path)
    if found is None:
        raise UndefinedObject(f'{kind} "{name.object}" does not exist')
    if found.is_creating:
        raise UndefinedObject(f'{kind} "{name.object}" is being created', hint="WAIT until it is there")
    return found


def _found(context: DdlContext, name: Name, keyword: str, kind: str) -> CatalogObject:
    found = _existing(context, name, kind)
    if found.shown_kind != kind:
        raise InvalidStatement(
            f'"{name.folded}" is not a {kind}', sqlstate="42809",
            hint=f"it is a {found.shown_kind}: use ALTER {found.shown_kind.upper()} {name.written}",
        )  # fmt: skip
    context.check_may_change(found)
    return found


def _refused(words: Words, keyword: str) -> InvalidStatement | UnsupportedFeature:
    """The error for a clause that is not carried out."""
    first, second = words.word(), words.word(1)
    if not first:
        return InvalidStatement("syntax error at end of input")
    known = first in ("SET", "RENAME", "ADD", "DROP", "ALTER", "SWAP", "OWNER")
    clause = f"{first} {second}".rstrip() if known else first
    hint = _HINTS.get((first, second)) or _HINTS.get((first,))
    return UnsupportedFeature(f"ALTER {keyword} ... {clause}", hint=hint)
