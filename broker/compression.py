"""The codecs a producer may have compressed a batch with. Pure. Caller: `broker.batch`."""

from __future__ import annotations

import gzip
import struct

import cramjam

_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16


def decompress(codec: int, data: bytes) -> bytes:
    """The records of a batch as they were; raises ValueError when they cannot be read."""
    try:
        match codec:
            case 0:
                return data
            case 1:
                return gzip.decompress(data)
            case 2:
                return _snappy(data)
            case 3:
                return bytes(cramjam.lz4.decompress(data))
            case 4:
                return bytes(cramjam.zstd.decompress(data))
    except (OSError, EOFError, cramjam.DecompressionError, struct.error) as error:
        raise ValueError(f"compressed records (codec {codec}): {error}") from error
    raise ValueError(f"compression codec {codec} is not known")


def _snappy(data: bytes) -> bytes:
    """Snappy, bare or in the framing of Java clients (blocks, each with its length in front)."""
    if not data.startswith(_XERIAL):
        return bytes(cramjam.snappy.decompress_raw(data))
    parts, position = [], _XERIAL_HEADER_BYTES
    while position < len(data):
        (size,) = struct.unpack_from(">i", data, position)
        parts.append(bytes(cramjam.snappy.decompress_raw(data[position + 4 : position + 4 + size])))
        position += 4 + size
    return b"".join(parts)
