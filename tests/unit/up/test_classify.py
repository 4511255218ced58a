"""The second opinion on messages, on bytes that mean no good."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tailrace.verify.classify import Reason, Verdict, classify

GOOD: dict[str, Any] = {
    "event_id": "e-1",
    "device_id": "dev-000001",
    "metric": "temperature",
    "value": 21.5,
    "ts": "2026-11-23T23:16:17.123Z",
}


def message(**changes: Any) -> bytes:
    return orjson.dumps({**GOOD, **changes})


def without(field: str) -> bytes:
    return orjson.dumps({name: value for name, value in GOOD.items() if name != field})


def raw_value(number: str) -> bytes:
    return message(value="@").replace(b'"@"', number.encode())


def test_good_message() -> None:
    assert classify(message()) == Verdict(None, "e-1")
    assert classify(b" \n" + message(extra=[1, {"a": None}]) + b"\n") == Verdict(None, "e-1")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, Reason.NOT_JSON),
        (b"", Reason.NOT_JSON),
        (b"\xff\xfe", Reason.NOT_UTF8),
        (message().replace(b"dev-", b"dev\xc3\x28"), Reason.NOT_UTF8),
        (message()[:-1] + b"\x00}", Reason.NOT_UTF8),
        (message()[:40], Reason.NOT_JSON),
        (b"\xef\xbb\xbf" + message(), Reason.NOT_JSON),
        (message(event_id="a\x00b"), Reason.NOT_JSON),
        (message().replace(b"e-1", b"\\ud800"), Reason.NOT_JSON),
        (b"[" * 100_000, Reason.NOT_JSON),
        (message() + message(), Reason.NOT_JSON),
        (raw_value("NaN"), Reason.NOT_JSON),
        (raw_value("-Infinity"), Reason.NOT_JSON),
        (raw_value("01"), Reason.NOT_JSON),
        (b"[" + message() + b"]", Reason.NOT_OBJECT),
        (b"null", Reason.NOT_OBJECT),
        (b'"text"', Reason.NOT_OBJECT),
        (b"{}", Reason.MISSING_FIELD),
        (message(device_id=7), Reason.MISSING_FIELD),
        (message(metric=""), Reason.MISSING_FIELD),
        (message(event_id="x" * 201), Reason.MISSING_FIELD),
        (message(value=None, ts=None), Reason.MISSING_FIELD),
        (message(value="n/a"), Reason.BAD_VALUE),
        (message(value="21.5"), Reason.BAD_VALUE),
        (message(value=True), Reason.BAD_VALUE),
        (message(value=[1]), Reason.BAD_VALUE),
        (raw_value("1e400"), Reason.BAD_VALUE),
        (raw_value("1e-400"), Reason.BAD_VALUE),
        (raw_value("9" * 400), Reason.BAD_VALUE),
        (message(value="n/a", ts="never"), Reason.BAD_VALUE),
        (message(ts="2026-02-30T10:00:00Z"), Reason.BAD_TIMESTAMP),
        (message(ts="2026-11-23T25:00:00Z"), Reason.BAD_TIMESTAMP),
        (message(ts="2026-11-23T10:00:00"), Reason.BAD_TIMESTAMP),
        (message(ts="2026-11-23T10:00:00Z\n"), Reason.BAD_TIMESTAMP),
        (message(ts="1999-12-31T23:59:59Z"), Reason.BAD_TIMESTAMP),
        (message(ts="2000-01-01T00:30:00+01:00"), Reason.BAD_TIMESTAMP),
        (message(ts="infinity"), Reason.BAD_TIMESTAMP),
        (message(ts=1_795_000_000), Reason.BAD_TIMESTAMP),
    ],
)
def test_rejects(payload: bytes | None, reason: Reason) -> None:
    assert classify(payload) == Verdict(reason, None)


@pytest.mark.parametrize("field", GOOD)
def test_each_field_is_wanted(field: str) -> None:
    assert classify(without(field)).reason is Reason.MISSING_FIELD


@pytest.mark.parametrize("number", ["0", "-0.0", "5", "1e308", "0e-999", "123456789012345678901234567890"])
def test_numbers_that_a_double_holds(number: str) -> None:
    assert classify(raw_value(number)).reason is None


@pytest.mark.parametrize(
    "ts", ["2026-11-23T23:16:17Z", "2026-11-23T23:16:17.123456789+14:00", "2028-02-29T00:00:00-01:30"]
)
def test_timestamps(ts: str) -> None:
    assert classify(message(ts=ts)).reason is None
