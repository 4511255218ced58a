"""Record batches as bytes: the 61-byte header, the checksum, and, where nothing else will do, the records.

Job: everything that knows the layout of a batch (magic 2). The hot paths read the header only; records are
decoded for compaction, for keyed checks and for the one batch a lookup by time ends in. Assumes nothing of
the bytes it is given. Pure. Callers: segments, partitions, compaction.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import crc32c

from broker.compression import decompress
from broker.shape import decode_varint

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = 61
PREFIX: Final = struct.Struct(">qii")
"""Base offset, length and leader epoch: what a broker may write without touching the checksum."""
PREFIX_BYTES: Final = 16
LEADER_EPOCH: Final = 0
_CHECKED_FROM: Final = 21
_COMPRESSION, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20


class Header(NamedTuple):
    """A batch's header, in the order of its bytes. Times are ms since 1970."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    checksum: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return self.length + 12

    @property
    def next_offset(self) -> int:
        """The first offset behind the batch."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; they wrap at 2^31."""
        return (self.base_sequence + self.last_offset_delta) & 0x7FFFFFFF

    @property
    def compression(self) -> int:
        """0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
        return self.attributes & _COMPRESSION

    @property
    def is_transactional(self) -> bool:
        """Part of a transaction, its end marker included."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """A marker that ends a transaction, not data."""
        return bool(self.attributes & _CONTROL)


class Record(NamedTuple):
    """One record. `raw` is its body without the length in front of it."""

    offset: int
    timestamp: int
    key: bytes | None
    has_value: bool
    raw: bytes


def read_header(buffer: bytes | memoryview, position: int = 0) -> Header | None:
    """The header at `position`, or None when fewer than 61 bytes are left."""
    if len(buffer) - position < HEADER_BYTES:
        return None
    return Header._make(HEADER.unpack_from(buffer, position))


def is_intact(batch: bytes | memoryview, header: Header) -> bool:
    """Whether the checksum of the whole batch holds."""
    return crc32c.crc32c(memoryview(batch)[_CHECKED_FROM : header.size]) == header.checksum


def prefix(header: Header, base_offset: int) -> bytes:
    """The first 16 bytes of the batch at its place in the log."""
    return PREFIX.pack(base_offset, header.length, LEADER_EPOCH)


def stamped(batch: bytes, header: Header, now_ms: int) -> bytes:
    """The batch with the log's time instead of the producer's (message.timestamp.type=LogAppendTime)."""
    changed = bytearray(batch)
    struct.pack_into(">h", changed, 21, header.attributes | _LOG_APPEND_TIME)
    struct.pack_into(">q", changed, 35, now_ms)
    struct.pack_into(">I", changed, 17, crc32c.crc32c(memoryview(changed)[_CHECKED_FROM:]))
    return bytes(changed)


def records(batch: bytes, header: Header) -> Iterator[Record]:
    """The records of one batch; raises ValueError when they cannot be decoded."""
    body = decompress(header.compression, batch[HEADER_BYTES : header.size])
    position = 0
    try:
        for _ in range(header.record_count):
            size, position = _signed(body, position)
            yield _record(header, body[position : position + size])
            position += size
    except IndexError as error:
        raise ValueError("a record reaches beyond its batch") from error


def _record(header: Header, raw: bytes) -> Record:
    time_delta, position = _signed(raw, 1)
    offset_delta, position = _signed(raw, position)
    key_size, position = _signed(raw, position)
    key = raw[position : position + key_size] if key_size >= 0 else None
    value_size, _ = _signed(raw, position + max(key_size, 0))
    time = (
        header.max_timestamp if header.attributes & _LOG_APPEND_TIME else header.base_timestamp + time_delta
    )
    return Record(header.base_offset + offset_delta, time, key, value_size >= 0, raw)


def rebuilt(header: Header, kept: Iterable[Record]) -> bytes:
    """The same batch with only the records `kept`, uncompressed; offsets, times and sequences stay."""
    chosen = list(kept)
    body = b"".join(_encode_signed(len(record.raw)) + record.raw for record in chosen)
    return _batch(
        header._replace(
            attributes=header.attributes & ~_COMPRESSION,
            max_timestamp=max((record.timestamp for record in chosen), default=header.max_timestamp),
            record_count=len(chosen),
        ),
        body,
    )


def end_marker(producer_id: int, producer_epoch: int, now_ms: int, *, committed: bool) -> bytes:
    """The control batch that ends a transaction in one partition."""
    key, value = struct.pack(">hh", 0, int(committed)), struct.pack(">hi", 0, 0)
    raw = b"\0" + b"\0\0" + _encode_signed(len(key)) + key + _encode_signed(len(value)) + value + b"\0"
    header = Header(
        0,
        0,
        LEADER_EPOCH,
        2,
        0,
        _TRANSACTIONAL | _CONTROL,
        0,
        now_ms,
        now_ms,
        producer_id,
        producer_epoch,
        -1,
        1,
    )
    return _batch(header, _encode_signed(len(raw)) + raw)


def marker_commits(batch: bytes) -> bool:
    """Whether a control batch commits its transaction (else it aborts)."""
    header = read_header(batch)
    assert header is not None  # noqa: S101 (a whole batch of the log)
    key = next(records(batch, header)).key or b""
    return key[2:4] == b"\0\1"


def _batch(header: Header, body: bytes) -> bytes:
    length = HEADER_BYTES - 12 + len(body)
    batch = bytearray(HEADER.pack(*header._replace(length=length, magic=2, checksum=0)) + body)
    struct.pack_into(">I", batch, 17, crc32c.crc32c(memoryview(batch)[_CHECKED_FROM:]))
    return bytes(batch)


def _signed(buffer: bytes, position: int) -> tuple[int, int]:
    value, position = decode_varint(buffer, position)
    return (value >> 1) ^ -(value & 1), position


def _encode_signed(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
