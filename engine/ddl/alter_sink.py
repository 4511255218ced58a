"""ALTER SINK ... CONNECTOR WITH (option = value, ...): other settings of the client that delivers to a topic.

What the sink delivers, and where, stays: only how its client talks to the broker changes, as in RisingWave. The delivery begins
anew by the new settings where it stands, so a batch that was under way may be delivered twice. Cost: O(1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.catalog.objects import CatalogObject, update
from engine.compile.sink import CHANNEL
from engine.connectors.sink import SinkSpec, producer_property
from engine.connectors.sink_kafka import check_client
from engine.ddl.context import DdlContext
from engine.ddl.secret_options import CONNECTION, USED, resolved
from engine.ddl.words import Words
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.sinks import parse_create_sink, with_sink_options

_FIXED = ("compression.codec", "compression.type", "bootstrap.server")
"""Properties that RisingWave does not let one change."""


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
    properties = {producer_property(key): value for key, value in values.items()}
    changed = replace(spec, properties={**spec.properties, **properties})
    check_client(sink.name, changed)
    used = sorted({*sink.body.get(USED, ()), *secrets})
    new = replace(
        sink,
        body={**sink.body, "sink": changed.to_json(), **({USED: used} if used else {})},
        definition=with_sink_options(sink.definition, shown),
    )
    update(context.connection, new)
    context.catalog.objects[sink.id] = new
    context.execute(f"SELECT pg_notify('{CHANNEL}', '0')")


def _check(options: Mapping[str, str], connector: str) -> None:
    for option in options:
        bare = option.removeprefix("properties.")
        if connector != "kafka" or bare == option or bare in _FIXED or option == CONNECTION:
            raise InvalidStatement(
                f"Field '{option}' is not allowed to be altered on the fly for sink: {connector}",
                hint="DROP the sink and CREATE it with the new options",
            )
