"""What a message of `telemetry.readings` is, judged in plain Python and independently of the SQL views.

Job: give each payload its reject reason, or its event id when it is valid, so that the views' counts can be
checked against a second opinion. Assumes nothing about the bytes. Deliberately shares no code with `sql/`
or `loader/`: a mistake in one must not hide in the other. Caller: `tailrace.verify.recount`.

A message is valid when it is UTF-8 (without NUL), one JSON object, has `event_id`, `device_id` and `metric`
as strings of 1 to 200 characters, a JSON number that a double can hold as `value`, and as `ts` an ISO 8601
time with an offset or Z in [2000, 2100). The reasons are tried in the order of `Reason`; an absent field
and a null one are both missing.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
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
LONGEST_TEXT: Final = 200
_TIMESTAMP: Final = re.compile(
    r"20\d\d-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-](0\d|1[0-4]):[0-5]\d)", re.ASCII
)
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_END: Final = datetime(2100, 1, 1, tzinfo=UTC)


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
    if not all(_is_name(document[field]) for field in TEXT_FIELDS):
        return Reason.MISSING_FIELD
    if not _is_number(document["value"]):
        return Reason.BAD_VALUE
    return None if _is_timestamp(document["ts"]) else Reason.BAD_TIMESTAMP


def _parse(text: str) -> Any:
    """JSON as the standard has it and as text can be stored: no NaN, no Infinity, no \\u0000, no lone
    surrogate.
    """
    if "\\u0000" in text:
        raise ValueError("\\u0000 cannot be stored as text")
    document = json.loads(text, parse_constant=_refuse_constant, parse_int=float, parse_float=_parse_float)
    if "\\u" in text:
        _refuse_surrogates(document)
    return document


def _parse_float(text: str) -> float:
    """NaN, which no JSON holds, stands for a number too small for a double to tell from 0."""
    value = float(text)
    mantissa = text.lower().partition("e")[0]
    return value if value or not mantissa.strip("-0.") else math.nan


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_surrogates(node: Any) -> None:
    """Raise ValueError where a string, at any depth, holds half of a surrogate pair."""
    match node:
        case str():
            node.encode("utf-8")  # raises UnicodeEncodeError, which is a ValueError
        case list():
            for item in node:
                _refuse_surrogates(item)
        case dict():
            for key, item in node.items():
                _refuse_surrogates(key)
                _refuse_surrogates(item)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_TEXT


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_timestamp(value: Any) -> bool:
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return False
    try:
        return _FIRST <= datetime.fromisoformat(value) < _END
    except ValueError:
        return False
