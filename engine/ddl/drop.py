"""DROP SOURCE / TABLE / VIEW / MATERIALIZED VIEW / INDEX / SINK / SUBSCRIPTION [IF EXISTS] name [CASCADE]."""

from __future__ import annotations

from sqlglot import exp

from engine.backfill.copies import drop_copies
from engine.backfill.pending import drop_pending
from engine.catalog.objects import CatalogObject, delete, state_tables
from engine.compile.program import borrowed_indexes, dropped_function
from engine.compile.sink import CHANNEL, log_name
from engine.ddl.connector_table import OWNER, owned_by
from engine.ddl.context import DdlContext, Reply
from engine.ddl.create_function import drop_function
from engine.ddl.create_view import dropped_temporaries
from engine.ddl.names import object_name
from engine.ddl.secret_options import refuse_used
from engine.ddl.shapes import dropped_shapes
from engine.ddl.table_storage import drop_storage
from engine.ddl.words import Words
from engine.subscription_log import subscription_log
from tailrace.errors import (
    DependentObjects,
    InvalidStatement,
    TailraceError,
    UndefinedObject,
    UnsupportedFeature,
)
from tailrace.sql.names import ObjectName

KINDS = {
    "SOURCE": "source",
    "TABLE": "table",
    "VIEW": "view",
    "MATERIALIZED VIEW": "materialized view",
    "INDEX": "index",
    "SINK": "sink",
    "FUNCTION": "function",
    "SUBSCRIPTION": "subscription",
    "SECRET": "secret",
    "CONNECTION": "connection",
}


def drop(context: DdlContext, tree: exp.Drop) -> Reply:
    """Run DROP; without CASCADE it refuses to take dependents along."""
    word = str(tree.args.get("kind") or "").upper()
    if tree.args.get("materialized"):
        word = "MATERIALIZED VIEW"
    kind = KINDS.get(word)
    if kind is None:
        raise UnsupportedFeature(f"DROP {word}")
    tag = "DROP_" + word.replace(" ", "_")
    targets = tree.args.get("tables") or [tree.this]
    if len(targets) != 1:
        raise UnsupportedFeature("DROP of several objects in one statement", hint="one statement each")
    name = object_name(targets[0])
    if name.schema and name.schema not in context.catalog.schemas and not tree.args.get("exists"):
        raise UndefinedObject(
            f"schema not found: {name.schema}", sqlstate="3F000", hint="SHOW SCHEMAS lists them"
        )
    found = context.catalog.find(name, context.path)
    if found is None or OWNER in found.body:
        if tree.args.get("exists"):
            context.notices.append(f'{kind} "{name}" does not exist, skipping')
            return Reply(tag, notices=context.notices)
        raise _not_found(kind, name)
    if found.shown_kind != kind:
        raise _other_kind(found, kind, name)
    context.check_may_change(found)
    own = owned_by(context, found.id)
    doomed = context.catalog.closure([found.id, *own])
    others = [o for o in doomed if o.id not in (found.id, *own) and o.kind != "index"]
    if others and not tree.args.get("cascade"):
        raise DependentObjects(
            f"Permission denied: cannot drop {kind} {name} because other objects depend on it: "
            f"{', '.join(o.name for o in others)}",
            hint=f"DROP {word} {name} CASCADE drops them too",
        )
    for item in doomed:
        drop_one(context, item)
    return Reply(tag, notices=context.notices)


def drop_unused(context: DdlContext, words: Words, kind: str) -> Reply:
    """Run DROP SECRET or DROP CONNECTION: `kind` in capitals. Raises where something was made with it."""
    words.accept("DROP", kind)
    tree = read_drop(words, kind)
    refuse_used(context, object_name(tree.this), kind.lower())
    return drop(context, tree)


def read_drop(words: Words, kind: str) -> exp.Drop:
    """The words behind DROP <kind>, for kinds that the parser does not know: [IF EXISTS] name [CASCADE | RESTRICT]."""
    if_exists = words.accept("IF", "EXISTS")
    name = words.qualified_name()
    cascade = words.accept("CASCADE")
    words.accept("RESTRICT")
    words.end()
    schema = exp.to_identifier(name.schema, quoted=True) if name.schema else None
    table = exp.Table(this=exp.to_identifier(name.folded, quoted=True), db=schema)
    return exp.Drop(this=table, kind=kind, exists=if_exists, cascade=cascade)


def _not_found(kind: str, name: ObjectName) -> UndefinedObject:
    return UndefinedObject(
        f"{kind} not found: {name}", detail=f'{kind} "{name}" does not exist', hint="SHOW and \\d list what exists"
    )  # fmt: skip


def _other_kind(found: CatalogObject, kind: str, name: ObjectName) -> TailraceError:
    """RisingWave tells what to use instead among tables, materialized views, indexes and sources; else it finds nothing."""
    told = {"table", "materialized view", "index", "source"}
    actual = found.shown_kind
    if kind not in told or actual not in told - {"source"}:
        error = _not_found(kind, name)
        error.hint = f"{name} is a {actual}: use DROP {actual.upper()} {name}"
        return error
    article = "an" if actual == "index" else "a"
    return InvalidStatement(
        f"Use `DROP {actual.upper()}` to drop {article} {actual}.", sqlstate="42809",
        detail=f'"{name}" is not a {kind}', hint=f"DROP {actual.upper()} {name}",
    )  # fmt: skip


def drop_one(context: DdlContext, item: CatalogObject) -> None:
    """Remove one object's storage, triggers, functions and catalog rows; nothing depends on it any more."""
    if item.is_creating:
        context.stop_backfill(item.id)
        if item.kind != "index":
            inputs = [i.id for i in context.catalog.inputs_of(item)]
            context.execute(*(drop_pending(item.id, i) for i in inputs), *drop_copies(item.id, inputs))
    if item.kind == "index":
        context.execute(
            f"DROP VIEW IF EXISTS {item.visible}", f"DROP INDEX IF EXISTS engine.{item.index_name}"
        )
    elif item.kind == "function":
        context.execute(drop_function(item))
    elif item.kind == "sink":
        context.execute(f"DROP TABLE {log_name(item.id)}", f"SELECT pg_notify('{CHANNEL}', '0')")
    elif item.kind == "subscription":
        context.execute(f"DROP VIEW engine.subscribed_{item.id}", f"DROP TABLE {subscription_log(item.id)}")
    elif item.kind not in ("secret", "connection"):
        context.execute(f"DROP VIEW IF EXISTS {item.visible}")
    if item.kind == "table":
        context.execute(
            *dropped_shapes(item), *drop_storage(item.id), f"DROP TABLE IF EXISTS engine.watermark_{item.id}"
        )
    if (program := item.program) is not None:
        context.execute(*dropped_function(item.id))
        context.execute(*(f"DROP INDEX IF EXISTS engine.{i}" for i in borrowed_indexes(program, item.id)))
    if item.kind == "materialized view":
        context.execute(f"DROP VIEW engine.content_{item.id}", f"DROP VIEW IF EXISTS engine.rows_{item.id}")
    if item.kind in ("materialized view", "sink"):
        context.execute(*(f"DROP TABLE {t}" for t in state_tables(context.connection, item.id)))
    context.execute(*dropped_temporaries(item))
    delete(context.connection, item.id)
    del context.catalog.objects[item.id]
