"""Batches and partitions to test with."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import crc32c

from broker import batch
from broker.partition import Partition
from broker.topic_config import TopicConfig

Row = tuple[bytes | None, bytes | None]


def make(
    rows: Sequence[Row] = ((b"k", b"v"),),
    *,
    time_ms: int = 1_000,
    producer: tuple[int, int, int] = (-1, -1, -1),
    transactional: bool = False,
) -> bytes:
    """A batch as a producer sends it: one record for each (key, value), one ms apart."""
    body = bytearray()
    for number, (key, value) in enumerate(rows):
        record = b"\0" + _varint(number) + _varint(number) + _field(key) + _field(value) + _varint(0)
        body += _varint(len(record)) + record
    header = batch.Header(
        base_offset=0,
        length=batch.HEADER_BYTES - 12 + len(body),
        leader_epoch=-1,
        magic=2,
        checksum=0,
        attributes=0x10 if transactional else 0,
        last_offset_delta=len(rows) - 1,
        base_timestamp=time_ms,
        max_timestamp=time_ms + len(rows) - 1,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=producer[2],
        record_count=len(rows),
    )
    whole = bytearray(batch.HEADER.pack(*header) + body)
    struct.pack_into(">I", whole, 17, crc32c.crc32c(bytes(whole[21:])))
    return bytes(whole)


def header_of(data: bytes) -> batch.Header:
    found = batch.read_header(data)
    assert found is not None
    return found


def opened(folder: Path, **settings: str) -> Partition:
    names = {name.replace("_", "."): value for name, value in settings.items()}
    return Partition(folder, "t", 0, TopicConfig(names))


def reopened(partition: Partition, **settings: str) -> Partition:
    """As after kill -9: nothing was flushed or sealed."""
    partition.log.close()
    return opened(partition.log.folder, **settings)


def read_all(partition: Partition) -> list[tuple[int, bytes | None, bytes]]:
    """Offset, key and raw body of each record, in the order of a fetch that takes little at a time."""
    rows, offset = [], partition.log.start_offset
    while data := partition.log.read(offset, 1, partition.high_watermark, whole_batch=True):
        header = header_of(data)
        rows += [
            (record.offset, record.key, record.raw)
            for record in batch.records(data, header)
            if record.offset >= offset
        ]
        offset = header.next_offset
    return rows


def offsets_of(partition: Partition) -> list[int]:
    return [offset for offset, _, _ in read_all(partition)]


def _field(value: bytes | None) -> bytes:
    return _varint(-1) if value is None else _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])
