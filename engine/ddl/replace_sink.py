"""REPLACE SINK name FROM relation WITH (...): another definition under a sink's name, from the changes of this barrier on.

The sink of that name is dropped and one without a snapshot is made in the same transaction, so that no change is delivered by
both and none by neither. As in RisingWave, what was granted on the old one is not granted on the new one, and neither sinks INTO
tables nor queries can be replaced.
"""

from __future__ import annotations

import re
from dataclasses import replace

from engine.ddl.context import DdlContext, Reply
from engine.ddl.create_sink import create_sink
from engine.ddl.drop import drop_one
from engine.ddl.filling import Filling
from tailrace.errors import InvalidStatement, UndefinedObject, UnsupportedFeature
from tailrace.sql.names import ObjectName
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.sinks import parse_create_sink

STATEMENT = re.compile(r"((?:\s|--[^\n]*\n|/\*.*?\*/)*)REPLACE(?=\s+SINK\b)", re.IGNORECASE | re.DOTALL)
TAG = "REPLACE_SINK"


def replace_sink(context: DdlContext, filling: Filling) -> Reply:
    """Run REPLACE SINK."""
    text = STATEMENT.sub(r"\1CREATE", context.text, count=1)
    statement = parse_create_sink(mark_secrets(text))
    if statement.query is not None:
        raise UnsupportedFeature(
            "REPLACE SINK ... AS SELECT", hint="make the query a materialized view: REPLACE SINK s FROM v"
        )
    if statement.into is not None:
        raise UnsupportedFeature("REPLACE SINK ... INTO", hint="DROP SINK and CREATE SINK ... INTO")
    if statement.if_not_exists:
        raise InvalidStatement("REPLACE SINK takes no IF NOT EXISTS", hint="CREATE SINK IF NOT EXISTS")
    if statement.options.get("snapshot", "false").lower() != "false":
        raise InvalidStatement(
            "REPLACE SINK delivers no snapshot", sqlstate="22023", hint="leave snapshot out, or say 'false'"
        )
    name = ObjectName(statement.name, statement.schema)
    old = context.catalog.find(name, context.path)
    if old is None or old.shown_kind != "sink":
        raise UndefinedObject(f"sink not found: {name}", sqlstate="42704", hint="CREATE SINK makes a new one")
    if old.body["into"]:
        raise UnsupportedFeature(f'REPLACE SINK of "{old.name}", a sink INTO a table', hint="DROP SINK first")
    context.check_may_change(old)
    if old.is_creating:
        raise InvalidStatement(
            f'"{old.name}" is being created', sqlstate="55006", hint="WAIT until it is there"
        )
    context.settle(context.catalog.inputs_of(old))  # what has changed before is the old one's
    drop_one(context, old)
    reply = create_sink(replace(context, text=text), filling, cut_over=True)
    return Reply(TAG, notices=reply.notices)
