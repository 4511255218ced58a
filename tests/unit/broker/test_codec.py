"""Requests and answers of every version, on raw bytes."""

from __future__ import annotations

import gzip
import io
from typing import Any

import cramjam
import pytest
from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer

from broker import codec, compression
from broker.compression import decompress
from broker.handlers import APIS

VERSIONS = [(api.key, version) for api in APIS.values() for version in range(api.low, api.high + 1)]


@pytest.mark.parametrize(("key", "version"), VERSIONS)
def test_every_advertised_version_has_a_request_and_a_response(key: int, version: int) -> None:
    schema: Any = load_response_schema(key, version)
    frame = codec.encode_response(key, version, 77, {})
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    body = 4 + 4 + (schema.__header_schema__.__version__ > 0)
    assert entity_reader(schema)(frame, body)[0] == codec.build(schema, {})

    request: Any = load_request_schema(key, version)
    buffer = io.BytesIO()
    entity_writer(request)(buffer, codec.build(request, {}))
    client = b"\0\4test" + (b"\0" if request.__flexible__ else b"")
    raw = key.to_bytes(2, "big") + version.to_bytes(2, "big") + (9).to_bytes(4, "big") + client
    header = codec.decode_header(raw + buffer.getvalue(), codec.is_flexible)
    assert (header.correlation_id, header.client_id) == (9, "test")
    assert codec.decode_request(header, raw + buffer.getvalue()) == codec.build(request, {})


@pytest.mark.parametrize(
    "frame", [b"", b"\0", b"\0\3\0\1\0\0\0\1\0\5ab", b"\0\3\0\1\0\0\0\1\xff\xff\x7f\xff\xff\xff"]
)
def test_a_frame_that_is_too_short_is_malformed(frame: bytes) -> None:
    with pytest.raises(codec.MalformedRequestError):
        codec.decode_request(codec.decode_header(frame, codec.is_flexible), frame)


def test_tagged_fields_of_a_header_are_skipped() -> None:
    raw = b"\0\x12\0\3\0\0\0\1\xff\xff" + b"\2\0\2ab\5\1c" + b"\2n\2v\0"
    header = codec.decode_header(raw, codec.is_flexible)
    assert codec.decode_request(header, raw).client_software_name == "n"


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (0, b"plain"),
        (1, gzip.compress(b"plain", mtime=0)),
        (2, bytes(cramjam.snappy.compress_raw(b"plain"))),
        (3, bytes(cramjam.lz4.compress(b"plain"))),
        (4, bytes(cramjam.zstd.compress(b"plain"))),
    ],
    ids=["none", "gzip", "snappy", "lz4", "zstd"],
)
def test_records_of_every_codec_can_be_read(number: int, data: bytes) -> None:
    assert decompress(number, data) == b"plain"


def test_the_snappy_framing_of_java_clients_can_be_read() -> None:
    block = bytes(cramjam.snappy.compress_raw(b"plain"))
    framed = b"\x82SNAPPY\0" + bytes(8) + 2 * (len(block).to_bytes(4, "big") + block)
    assert decompress(2, framed) == b"plainplain"


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_what_cannot_be_decompressed_is_an_error(number: int) -> None:
    with pytest.raises(ValueError, match="compress"):
        decompress(number, b"garbage")


@pytest.mark.parametrize(
    ("number", "compress"),
    [
        (1, gzip.compress),
        (2, cramjam.snappy.compress_raw),
        (3, cramjam.lz4.compress),
        (4, cramjam.zstd.compress),
    ],
)
def test_records_that_grow_without_end_are_an_error(number: int, compress, monkeypatch) -> None:
    monkeypatch.setattr(compression, "LARGEST_BYTES", 1 << 20)
    assert decompress(number, bytes(compress(bytes(1 << 20)))) == bytes(1 << 20)
    with pytest.raises(ValueError, match="records"):
        decompress(number, bytes(compress(bytes((1 << 20) + 1))))
