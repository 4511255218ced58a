"""CREATE, DROP and ALTER SUBSCRIPTION: a log of a table's or materialized view's changes, kept for a time.

The log is written by the barriers from the statement on (`engine.compile.subscription`); cursors over it belong to
the front door's sessions (`engine.wire.cursors`). Nothing is filled, so a subscription is there at once.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sqlglot import exp

from engine.catalog.objects import CatalogObject, update
from engine.compile.clauses.from_clause import relation_scan
from engine.compile.subscription import snapshot, subscription_program
from engine.ddl.context import DdlContext, Reply
from engine.ddl.drop import drop, read_drop
from engine.ddl.words import Name, Words
from engine.subscription_log import subscription_log
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.names import ObjectName

STATEMENT = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(CREATE|DROP)\s+SUBSCRIPTION\b", re.IGNORECASE | re.DOTALL
)


def run_subscription(context: DdlContext) -> Reply:
    """Run the context's CREATE or DROP SUBSCRIPTION."""
    words = Words(context.text)
    if words.accept("CREATE", "SUBSCRIPTION"):
        return _create(context, words)
    words.accept("DROP", "SUBSCRIPTION")
    return drop(context, read_drop(words, "SUBSCRIPTION"))


def _create(context: DdlContext, words: Words) -> Reply:
    tag = "CREATE_SUBSCRIPTION"
    if_not_exists = words.accept("IF", "NOT", "EXISTS")
    called = words.qualified_name()
    name = context.place(called.object)
    if not words.accept("FROM"):
        raise InvalidStatement(
            "syntax error: expected FROM", hint="CREATE SUBSCRIPTION s FROM v WITH (retention = '1D')"
        )
    of, options = words.qualified_name(), _options(words)
    retention = exp.Literal.string(options.get("retention", "")).sql()
    retention_s = _retention(context, options)
    if not context.is_new(name, if_not_exists=if_not_exists):
        return Reply(tag, notices=context.notices)
    relation = context.existing(of.object)
    if relation.shown_kind not in ("table", "materialized view"):
        raise InvalidStatement(
            f'cannot subscribe to "{relation.name}", a {relation.shown_kind}',
            sqlstate="42809",
            hint="CREATE MATERIALIZED VIEW over it, and subscribe to that",
        )
    context.settle([relation])
    id_, scan = context.new_id(), relation_scan(relation.relation())
    program = subscription_program(scan, id_)
    rows = snapshot(scan, relation.id if relation.kind == "table" else None)
    context.execute(
        *program.tables,
        program.function,
        f"CREATE VIEW engine.subscribed_{id_} AS {rows}",
        f"GRANT SELECT ON {subscription_log(id_)}, engine.subscribed_{id_} TO root",
    )
    body = {
        "columns": list(program.columns),
        "key": list(relation.body["key"]),
        "append_only": True,
        "program": program.to_json(),
        "retention_s": retention_s,
    }
    text = f"CREATE SUBSCRIPTION {_written(called)} FROM {_written(of)} WITH (retention = {retention})"
    new = CatalogObject(
        id_, name.name, "subscription", context.user, text, body, (relation.id,), schema=name.schema
    )
    context.record(new)
    return Reply(tag, notices=context.notices)


def set_retention(context: DdlContext, words: Words, item: CatalogObject) -> None:
    """ALTER SUBSCRIPTION s SET RETENTION TO | = '2D', the words up to the value being read."""
    if not words.accept("TO"):
        words.accept("=")
    value = words.accept_string()
    if value is None:
        raise InvalidStatement("syntax error: expected the retention", hint="SET RETENTION TO '2D'")
    words.end()
    retention_s = _retention(context, {"retention": value})
    literal = exp.Literal.string(value).sql()
    definition = re.sub(
        r"(\bretention\s*=\s*)'(?:[^']|'')*'", lambda m: m[1] + literal, item.definition, flags=re.IGNORECASE
    )
    changed = replace(item, definition=definition, body={**item.body, "retention_s": retention_s})
    update(context.connection, changed)
    context.catalog.objects[item.id] = changed


def _options(words: Words) -> dict[str, str]:
    found: dict[str, str] = {}
    if not words.accept("WITH", "("):
        words.end()
        return found
    while not words.accept(")"):
        key = words.name().folded
        if not words.accept("="):
            raise InvalidStatement(f"syntax error: expected = behind {key}")
        text = words.accept_string()
        found[key] = text if text is not None else words.take()
        words.accept(",")
    words.end()
    return found


def _retention(context: DdlContext, options: dict[str, str]) -> int:
    text = options.pop("retention", None)
    if options:
        raise UnsupportedFeature(
            f"option {next(iter(options))} of a subscription", hint="WITH (retention = '1D')"
        )
    if text is None:
        raise InvalidStatement(
            "subscription retention time not set", sqlstate="22023", hint="WITH (retention = '1D')"
        )
    sane = context.connection.execute("SELECT pg_input_is_valid(%s, 'interval')", (text,)).fetchone()
    seconds = None
    if sane == (True,):
        row = context.connection.execute(
            "SELECT extract(epoch FROM %s::text::interval)::bigint", (text,)
        ).fetchone()
        seconds = int(row[0]) if row else None
    if seconds is None or seconds <= 0:
        raise InvalidStatement(
            f"retention must be a positive interval, got {text}",
            sqlstate="22023",
            hint="WITH (retention = '1D')",
        )
    return seconds


def _written(name: Name) -> str:
    """As it was written, with its schema if it had one."""
    return f"{ObjectName(name.schema).sql}.{name.written}" if name.schema else name.written
