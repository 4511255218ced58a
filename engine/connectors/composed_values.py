"""Arrays, structs and maps out of messages that are not JSON, for binary COPY: what is unfit within is NULL there, no more.

An array becomes a list, a struct a tuple, a map the text that its type has in the engine. Used by `avro` and `protobuf`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.connectors.json_values import UNFIT, Convert
from engine.connectors.source import SourceSpec
from engine.connectors.texts import map_text

Members = Callable[[Any, tuple[str, ...]], Sequence[Any] | None]
"""The values of a struct's fields by their names; None for what is no struct."""


def composed(type_: str, spec: SourceSpec, rules: Mapping[str, Convert], members: Members) -> Convert:
    """The function that makes a value of this type, given those of the plain types and how a struct's fields are found."""
    if type_.endswith("[]"):
        return _array(composed(type_.removesuffix("[]"), spec, rules, members))
    if type_ in spec.composites:
        fields = spec.composites[type_]
        names = tuple(name for name, _ in fields)
        return _struct(names, [composed(kind, spec, rules, members) for _, kind in fields], members)
    if type_ in spec.maps:
        key, value = spec.maps[type_]
        return _map(
            composed(key, spec, rules, members), composed(value, spec, rules, members), (key, value), spec
        )
    return rules[type_]


def _array(element: Convert) -> Convert:
    def convert(value: Any) -> list[object]:
        if isinstance(value, str | bytes | Mapping):
            raise ValueError("no array")  # noqa: TRY004 - one of UNFIT, as all that is unfit
        return [or_null(element, each) for each in value]

    return convert


def _struct(names: tuple[str, ...], fields: Sequence[Convert], members: Members) -> Convert:
    def convert(value: Any) -> tuple[object, ...]:
        found = members(value, names)
        if found is None:
            raise ValueError("no struct")
        return tuple(or_null(field, each) for field, each in zip(fields, found, strict=True))

    return convert


def _map(key: Convert, value: Convert, types: tuple[str, str], spec: SourceSpec) -> Convert:
    def convert(entries: Any) -> str:
        made = [(key(k), or_null(value, v)) for k, v in sorted(entries.items())]
        return map_text(made, types, spec)

    return convert


def or_null(convert: Convert, value: Any) -> object:
    """What is made of the value; NULL where it is none or unfit."""
    if value is None:
        return None
    try:
        return convert(value)
    except UNFIT:
        return None
