"""The rules by which a format's JSON becomes values: those of PLAIN and UPSERT, Debezium's, and CSV's. Pure.

Debezium's differ from `json_values.CONVERTERS` as RisingWave's `JsonParseOptions` do: bytea as base64 (or a geometry's wkb),
documents as strings of JSON, numbers not as strings but for decimals, booleans also as 0 and 1, varchar from strings only.
How a timestamptz is read, the option timestamptz.handling.mode says.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Any, Final

import orjson

from engine.connectors.formats import DEBEZIUM, DEBEZIUM_MONGO, TIMESTAMPTZ_MODE
from engine.connectors.json_values import CONVERTERS, Convert, json_document, moment_of_text
from engine.connectors.source import SourceSpec

Rules = Mapping[str, Convert]
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DECIMAL_BYTES: Final = 32
_EXACT: Final = Context(prec=100)
_SPECIAL: Final = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity", "NEGATIVE_INFINITY": "-Infinity"}


def rules_of(spec: SourceSpec) -> Rules:
    """By type, the function that reads a value of this source."""
    rules: Rules = CONVERTERS
    if spec.format == DEBEZIUM:
        rules = _DEBEZIUM
    elif spec.format == DEBEZIUM_MONGO:
        return CONVERTERS  # documents, and ids that are one scalar
    elif spec.encode == "csv":
        return _CSV
    mode = spec.handling.get(TIMESTAMPTZ_MODE, "")
    return {**rules, "timestamptz": _TIMESTAMPTZ[mode]} if mode in _TIMESTAMPTZ else rules


def _unfit(value: object, wanted: str) -> ValueError:
    return ValueError(f"{type(value).__name__} does not fit {wanted}")


def _only(*kinds: type) -> Callable[[Convert], Convert]:
    """The rule for values of these kinds of Python's, and no other."""

    def restricted(rule: Convert) -> Convert:
        def convert(value: Any) -> object:
            if type(value) in kinds:
                return rule(value)
            raise _unfit(value, " or ".join(kind.__name__ for kind in kinds))

        return convert

    return restricted


def _scaled(value: Any) -> str:
    """{"scale": s, "value": base64 of an unscaled integer}, a decimal whose scale varies, as a number's text."""
    unscaled, scale = value.get("value"), value.get("scale")
    if type(unscaled) is not str or type(scale) is not int or not -28 <= scale <= 28:
        raise _unfit(value, "numeric")
    digits = base64.b64decode(unscaled, validate=True)
    if len(digits) > _DECIMAL_BYTES:
        raise _unfit(value, "numeric of 96 bits")
    return str(Decimal(int.from_bytes(digits, "big", signed=True)).scaleb(-scale, _EXACT))


def _or_scaled(rule: Convert) -> Convert:
    """A number by its rule, or one whose scale varies."""
    return lambda value: rule(_scaled(value) if type(value) is dict else value)


def _decimal(value: Any) -> object:
    if type(value) is str and value in _SPECIAL:
        return Decimal(_SPECIAL[value])
    return CONVERTERS["numeric"](value)


def _number(kind: str, *kinds: type) -> Convert:
    """A number of JSON's, not one in a string; or a decimal with its scale."""
    plain, scaled = _only(*kinds)(CONVERTERS[kind]), CONVERTERS[kind]

    def convert(value: Any) -> object:
        if type(value) is not dict:
            return plain(value)
        text = _scaled(value)
        return scaled(str(int(Decimal(text))) if kinds == (int,) and Decimal(text) % 1 == 0 else text)

    return convert


def _boolean(value: Any) -> object:
    return bool(value) if type(value) is int and value in (0, 1) else CONVERTERS["boolean"](value)


def _base64(value: Any) -> bytes:
    if type(value) is dict and type(value.get("srid")) is int:
        value = value.get("wkb")
    if type(value) is not str:
        raise _unfit(value, "bytea in base64")
    return base64.b64decode(value, validate=True)


def _document(value: Any) -> object:
    if type(value) is not str:
        raise _unfit(value, "jsonb in a string")
    return json_document(orjson.loads(value))


_DEBEZIUM: Final[Rules] = {
    **CONVERTERS,
    **{kind: _number(kind, int) for kind in ("smallint", "integer", "bigint")},
    **{kind: _number(kind, int, float) for kind in ("real", "double precision")},
    **{kind: _only(str)(CONVERTERS[kind]) for kind in ("varchar", "text")},
    "numeric": _or_scaled(_decimal),
    "boolean": _boolean,
    "bytea": _base64,
    "jsonb": _document,
}

_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")


def _word(value: Any) -> bool:
    word = value.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _unfit(value, "boolean")


def _no_form(value: Any) -> object:
    raise _unfit(value, "a type that CSV has")


_CSV: Final[Rules] = {
    **CONVERTERS,
    "boolean": _word,
    **dict.fromkeys(("bytea", "interval", "jsonb"), _no_form),
}


def _in_units(unit: str) -> Convert:
    def convert(value: Any) -> object:
        return (
            _EPOCH + dt.timedelta(**{unit: value}) if type(value) is int else CONVERTERS["timestamptz"](value)
        )

    return convert


def _without_suffix(value: Any) -> dt.datetime:
    if type(value) is not str:
        raise _unfit(value, "timestamptz: a string without an offset")
    moment = moment_of_text(value)
    if moment.tzinfo is not None:
        raise _unfit(value, "timestamptz: a string without an offset")
    return moment.replace(tzinfo=dt.UTC)


_TIMESTAMPTZ: Final[Rules] = {
    "milli": _in_units("milliseconds"),
    "micro": _in_units("microseconds"),
    "utc_string": _only(str)(CONVERTERS["timestamptz"]),
    "utc_without_suffix": _without_suffix,
}
