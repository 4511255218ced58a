"""Messages damaged on the way, one variant per way a reading can be unreadable.

``VARIANTS`` is the registry: each variant turns a good message into a bad one and names the ``reject_reason``
that the pipeline must give (a null field is a missing field to it). Pure; used by ``loader.stream``, which picks
a variant for each damaged message, by ``loader.outlet``, which counts by reason, and by tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

REASONS = ("not_utf8", "not_json", "not_object", "missing_field", "bad_value", "bad_timestamp")


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to damage a message, and the reason for which it must be rejected."""

    name: str
    reason: str
    damage: Callable[[bytes], bytes]


def _without(field: str) -> Callable[[bytes], bytes]:
    def damage(message: bytes) -> bytes:
        fields = orjson.loads(message)
        del fields[field]
        return orjson.dumps(fields)

    return damage


def _with(field: str, value: str | None) -> Callable[[bytes], bytes]:
    def damage(message: bytes) -> bytes:
        fields = orjson.loads(message)
        fields[field] = value
        return orjson.dumps(fields)

    return damage


VARIANTS = (
    Variant("truncated", "not_json", lambda message: message[: len(message) * 2 // 3]),
    Variant("invalid_utf8", "not_utf8", lambda message: message.replace(b"dev-", b"dev\xff\xfe", 1)),
    Variant("array", "not_object", lambda message: b"[" + message + b"]"),
    Variant("no_value", "missing_field", _without("value")),
    Variant("value_text", "bad_value", _with("value", "n/a")),
    Variant("timestamp_text", "bad_timestamp", _with("ts", "not-a-timestamp")),
    Variant("empty", "not_json", lambda message: b""),
    Variant("value_null", "missing_field", _with("value", None)),
    Variant("no_device", "missing_field", _without("device_id")),
    Variant("timestamp_impossible", "bad_timestamp", _with("ts", "2026-02-30T25:61:00.000Z")),
    Variant("no_event_id", "missing_field", _without("event_id")),
    Variant("no_metric", "missing_field", _without("metric")),
    Variant("no_timestamp", "missing_field", _without("ts")),
)
REASON_OF_VARIANT = tuple(REASONS.index(variant.reason) for variant in VARIANTS)
