"""Whether a request is as long as it says: walked over before kio decodes it.

kio (0.6.5) reserves memory for as many elements as an array announces; a few wrong bytes announce billions, and the whole
process is then aborted. So every count is checked first against the bytes that are left. Pure. Caller: `broker.codec`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, Final, NamedTuple, get_args, get_origin

_SIZES: Final = {
    "int8": 1, "bool": 1, "int16": 2, "int32": 4, "timedelta_i32": 4, "int64": 8, "timedelta_i64": 8, "uuid": 16,
}  # fmt: skip
_SHORT: Final = struct.Struct(">h")
_INT: Final = struct.Struct(">i")
Step = Callable[[bytes, int], int]
"""Position of a field -> position behind it; raises ValueError, IndexError or struct.error."""


class _Kind(NamedTuple):
    """How to pass over one field, and the least bytes it takes."""

    skip: Step
    least: int


def check(schema: type, frame: bytes, position: int) -> None:
    """Raises ValueError, IndexError or struct.error when the request at `position` cannot be what it says."""
    end = _entity(schema).skip(frame, position)
    if end > len(frame):
        raise ValueError(f"{end - len(frame)} bytes are missing")


@cache
def _entity(schema: Any) -> _Kind:
    kinds = [_field(field.metadata.get("kafka_type", ""), field.type, schema) for field in fields(schema)]
    steps = [kind.skip for kind in kinds]
    if schema.__flexible__:
        steps.append(skip_tags)

    def skip(frame: bytes, position: int) -> int:
        for step in steps:
            position = step(frame, position)
        return position

    return _Kind(skip, sum(kind.least for kind in kinds) + schema.__flexible__)


def _field(kafka_type: str, annotation: Any, schema: Any) -> _Kind:
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is tuple:
            element: Any = get_args(part)[0]
            kind = _entity(element) if hasattr(element, "__flexible__") else _plain(kafka_type, schema)
            fewest = -1 if type(None) in get_args(annotation) else 0  # -1 is null
            length = _compact_length if schema.__flexible__ else _int_length
            return _Kind(_array(kind, length, fewest), 1 if schema.__flexible__ else 4)
    return _plain(kafka_type, schema)


def _plain(kafka_type: str, schema: Any) -> _Kind:
    if (size := _SIZES.get(kafka_type)) is not None:
        return _Kind(lambda _frame, position: position + size, size)
    length = (
        _compact_length if schema.__flexible__ else _short_length if kafka_type == "string" else _int_length
    )
    least = {_compact_length: 1, _short_length: 2, _int_length: 4}[length]

    def skip(frame: bytes, position: int) -> int:
        count, position = length(frame, position)
        return position + max(count, 0)

    return _Kind(skip, least)


def _array(kind: _Kind, length: Callable[[bytes, int], tuple[int, int]], fewest: int) -> Step:
    def skip(frame: bytes, position: int) -> int:
        count, position = length(frame, position)
        if count < fewest or count * kind.least > len(frame) - position:
            raise ValueError(f"an array of {count} elements in {len(frame) - position} bytes")
        for _ in range(count):
            position = kind.skip(frame, position)
        return position

    return skip


def decode_varint(buffer: bytes | memoryview, position: int) -> tuple[int, int]:
    """An unsigned varint and the position behind it."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _compact_length(frame: bytes, position: int) -> tuple[int, int]:
    value, position = decode_varint(frame, position)
    return value - 1, position


def _short_length(frame: bytes, position: int) -> tuple[int, int]:
    return _SHORT.unpack_from(frame, position)[0], position + 2


def _int_length(frame: bytes, position: int) -> tuple[int, int]:
    return _INT.unpack_from(frame, position)[0], position + 4


def skip_tags(frame: bytes, position: int) -> int:
    count, position = decode_varint(frame, position)
    if count > len(frame) - position:
        raise ValueError(f"{count} tagged fields in {len(frame) - position} bytes")
    for _ in range(count):
        _, position = decode_varint(frame, position)
        size, position = decode_varint(frame, position)
        position += size
    return position
