"""The codecs a producer may have compressed a batch with. Pure. Caller: `broker.batch`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

import cramjam

LARGEST_BYTES: Final = 128 << 20
"""What one batch may grow to: a few kilobytes can be made to grow without end, and memory has one."""
_GZIP: Final = 31
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16


def decompress(codec: int, data: bytes) -> bytes:
    """The records of a batch as they were; raises ValueError when they cannot be read, or are too many."""
    try:
        match codec:
            case 0:
                return data
            case 1:
                return _gzip(data)
            case 2:
                return _snappy(data)
            case 3:
                return _bounded(cramjam.lz4.decompress_into, data)
            case 4:
                return _bounded(cramjam.zstd.decompress_into, data)
    except (zlib.error, cramjam.DecompressionError, struct.error) as error:
        raise ValueError(f"compressed records (codec {codec}): {error}") from error
    raise ValueError(f"compression codec {codec} is not known")


def _gzip(data: bytes) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    records = stream.decompress(data, LARGEST_BYTES)
    if not stream.eof:
        raise ValueError(f"records cut short, or of more than {LARGEST_BYTES} bytes")
    return records


def _bounded(decompress_into: Callable[[bytes, bytearray], int], data: bytes) -> bytes:
    """With room for eight times the size, then for more."""
    size = max(8 * len(data), 1 << 16)
    while True:
        out = bytearray(min(size, LARGEST_BYTES))
        try:
            return bytes(memoryview(out)[: decompress_into(data, out)])
        except cramjam.DecompressionError:
            if size >= LARGEST_BYTES:
                raise
            size *= 4


def _snappy(data: bytes) -> bytes:
    """Snappy, bare or in the framing of Java clients (blocks, each with its length in front)."""
    if not data.startswith(_XERIAL):
        return _snappy_block(data)
    parts, position = [], _XERIAL_HEADER_BYTES
    while position < len(data):
        (size,) = struct.unpack_from(">i", data, position)
        parts.append(_snappy_block(data[position + 4 : position + 4 + size]))
        position += 4 + max(size, 0)
    return b"".join(parts)


def _snappy_block(data: bytes) -> bytes:
    if cramjam.snappy.decompress_raw_len(data) > LARGEST_BYTES:
        raise ValueError(f"records of more than {LARGEST_BYTES} bytes")
    return bytes(cramjam.snappy.decompress_raw(data))
