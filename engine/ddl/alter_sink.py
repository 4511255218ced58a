"""ALTER SINK ... CONNECTOR WITH (option = value, ...): other settings of the client that delivers.

What the sink delivers, and into what, stays: only how its client reaches the target and talks to it changes, as in RisingWave.
The delivery begins anew by the new settings where it stands, so a batch that was under way may be delivered twice. Cost: O(1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from engine.catalog.objects import CatalogObject, update
from engine.compile.sink import CHANNEL
from engine.connectors.http_options import HEADER
from engine.connectors.sink import SinkSpec, producer_property, sink_spec
from engine.connectors.sink_kafka import check_client
from engine.ddl.context import DdlContext
from engine.ddl.create_sink import check_target
from engine.ddl.secret_options import CONNECTION, USED, resolved
from engine.ddl.words import Words
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.sinks import parse_create_sink, with_sink_options

_FIXED = ("compression.codec", "compression.type", "bootstrap.server")
"""Properties that RisingWave does not let one change."""
_REACHED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("url", "content_type"),
    "redis": ("redis.url",),
    "postgres": ("host", "port", "user", "password", "ssl_mode", "ssl.root.cert", "max_batch_rows"),
    "jdbc": ("jdbc.url", "user", "password", "jdbc.query.timeout", "batch.insert.rows"),
}
"""Options of the other connectors that may change; headers of http besides."""


def alter_connector(context: DdlContext, sink: CatalogObject, words: Words) -> None:
    """WITH (...), behind CONNECTOR."""
    statement = parse_create_sink(mark_secrets(f"CREATE SINK s FROM t {words.rest()}"))
    connector = str(sink.body["options"]["connector"])
    if sink.body.get("into"):
        raise UnsupportedFeature(
            "ALTER SINK ... CONNECTOR WITH of a sink INTO a table", hint="it has no connector"
        )
    if not statement.options or statement.format is not None:
        raise InvalidStatement("ALTER SINK name CONNECTOR WITH (option = value, ...)")
    _check(statement.options, connector)
    values, shown, secrets = resolved(context, statement.options)
    spec = SinkSpec.from_json(sink.body["sink"])
    if connector == "kafka":
        properties = {producer_property(key): value for key, value in values.items()}
        changed = replace(spec, properties={**spec.properties, **properties})
        check_client(sink.name, changed)
    else:
        changed = _described_anew(context, sink, statement.options)
    used = sorted({*sink.body.get(USED, ()), *secrets})
    new = replace(
        sink,
        body={**sink.body, "sink": changed.to_json(), **({USED: used} if used else {})},
        definition=with_sink_options(sink.definition, shown),
    )
    update(context.connection, new)
    context.catalog.objects[sink.id] = new
    context.execute(f"SELECT pg_notify('{CHANNEL}', '0')")


def _described_anew(context: DdlContext, sink: CatalogObject, given: Mapping[str, str]) -> SinkSpec:
    """The sink's spec with other options, checked as when it was made, and the target with it."""
    old = parse_create_sink(mark_secrets(sink.definition))
    values, _, _ = resolved(context, {**old.options, **given})
    columns, spec = sink.columns, SinkSpec.from_json(sink.body["sink"])
    append_only = sink.program is not None and sink.program.append_only
    written = replace(old, options=values)
    changed = sink_spec(written, columns, append_only=append_only, composites=spec.composites)
    if changed.connector == "jdbc" and changed.options["database"] != spec.options["database"]:
        raise InvalidStatement(
            "jdbc.url names another database", hint="DROP the sink and CREATE it with that one"
        )
    check_target(context, sink.name, changed, tuple(columns), spec.composites)
    return changed


def _check(options: Mapping[str, str], connector: str) -> None:
    for option in options:
        bare = option.removeprefix("properties.")
        if option in _REACHED_BY.get(connector, ()) or (connector == "http" and option.startswith(HEADER)):
            continue
        if connector != "kafka" or bare == option or bare in _FIXED or option == CONNECTION:
            raise InvalidStatement(
                f"Field '{option}' is not allowed to be altered on the fly for sink: {connector}",
                hint="DROP the sink and CREATE it with the new options",
            )
