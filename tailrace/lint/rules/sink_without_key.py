"""sink_without_key: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.rule import Place, Rule, Severity
from tailrace.sql.kinds import RelationKind
from tailrace.sql.sinks import parse_create_sink


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Sinks to topics; a sink INTO a table takes that table's key."""
    if item.kind is not RelationKind.SINK or item.into is not None:
        return
    sink = parse_create_sink(item.sql)
    keyed = (sink.format or sink.options.get("type", "")).upper() in ("UPSERT", "DEBEZIUM")
    if keyed and not sink.options.get("primary_key"):
        yield None, f"sink {item.name} writes upserts and has no primary_key"


RULE = Rule(
    "sink_without_key",
    Severity.ERROR,
    "UPSERT and DEBEZIUM write a message for a key: without primary_key a consumer cannot tell which row has changed",
    "primary_key = '...' in WITH.",
    check,
)
