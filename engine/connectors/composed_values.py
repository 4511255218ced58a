"""Arrays, structs and maps out of messages that are not JSON, for binary COPY: with something unfit
within they are unfit as a whole, as in RisingWave.

An array becomes a list, a struct a tuple, a map the text that its type has in the engine. Used by `avro` and `protobuf`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.connectors.json_values import Convert, array_of
from engine.connectors.source import SourceSpec
from engine.connectors.texts import map_text

Members = Callable[[Any, tuple[str, ...]], Sequence[Any] | None]
"""The values of a struct's fields by their names; None for what is no struct."""


def composed(type_: str, spec: SourceSpec, rules: Mapping[str, Convert], members: Members) -> Convert:
    """The function that makes a value of this type, given those of the plain types and how a struct's fields are found."""
    if type_.endswith("[]"):
        element = type_.removesuffix("[]")
        return array_of(composed(element, spec, rules, members), nests=element != "jsonb")
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
    """What is made of the value; NULL where it is none."""
    return None if value is None else convert(value)
