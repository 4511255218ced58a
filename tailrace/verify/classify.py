"""What a message of `telemetry.readings` is, judged in plain Python and independently of the SQL views.

Job: give each payload its reject reason, or its event id when it is valid, so that the views' counts can be
checked against a second opinion. Assumes nothing about the bytes. Deliberately shares no code with `sql/`
or `loader/`: a mistake in one must not hide in the other. Caller: `tailrace.verify.recount`.

A message is valid when it is UTF-8, one JSON object, has `event_id`, `device_id` and `metric` as non-empty
strings, a finite number as `value`, and as `ts` an ISO 8601 time stamp. The reasons are tried in the order
of `Reason`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NoReturn


class Reason(StrEnum):
    """Why a message is rejected; the first that applies."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    MISSING_FIELD = "missing_field"
    BAD_VALUE = "bad_value"
    BAD_TIMESTAMP = "bad_timestamp"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Exactly one of the two is set: the reason of a reject, or the event id of a valid message."""

    reason: Reason | None
    event_id: str | None


TEXT_FIELDS: Final = ("event_id", "device_id", "metric")
FIELDS: Final = (*TEXT_FIELDS, "value", "ts")
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?", re.ASCII
)


def classify(payload: bytes | None) -> Verdict:
    """Judge one payload; None is a message without a value (a Kafka tombstone)."""
    if payload is None:
        return Verdict(Reason.NOT_JSON, None)
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return Verdict(Reason.NOT_UTF8, None)
    if "\x00" in text:
        return Verdict(Reason.NOT_UTF8, None)
    try:
        document = _parse(text)
    except (ValueError, RecursionError):
        return Verdict(Reason.NOT_JSON, None)
    if not isinstance(document, dict):
        return Verdict(Reason.NOT_OBJECT, None)
    reason = _judge(document)
    return Verdict(reason, None) if reason else Verdict(None, document["event_id"])


def _judge(document: dict[str, Any]) -> Reason | None:
    if any(document.get(field) is None for field in FIELDS):
        return Reason.MISSING_FIELD
    if any(not isinstance(document[field], str) or not document[field] for field in TEXT_FIELDS):
        return Reason.MISSING_FIELD
    if not _is_number(document["value"]):
        return Reason.BAD_VALUE
    return None if _is_timestamp(document["ts"]) else Reason.BAD_TIMESTAMP


def _parse(text: str) -> Any:
    """JSON as the standard has it: Python's NaN and Infinity, \\u0000 and lone surrogates are refused."""
    document = json.loads(text, parse_constant=_refuse_constant, parse_int=float)
    if "\\u" in text:
        _refuse_unstorable(document)
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_unstorable(node: Any) -> None:
    """Raise ValueError where a string, at any depth, cannot be stored as PostgreSQL text."""
    match node:
        case str():
            node.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
            if "\x00" in node:
                raise ValueError("\\u0000 cannot be stored as text")
        case list():
            for item in node:
                _refuse_unstorable(item)
        case dict():
            for key, item in node.items():
                _refuse_unstorable(key)
                _refuse_unstorable(item)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_timestamp(value: Any) -> bool:
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
