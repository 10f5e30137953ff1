"""The bounded codecs read what Kafka's clients write, and refuse what is broken or unfolds too far."""

from __future__ import annotations

import contextlib
import gzip
import os
import struct
import zlib
from collections.abc import Callable

import cramjam
import pytest
from aiokafka import codec
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records

from shared.streaming import decompression
from shared.streaming.decompression import BATCH_LIMIT

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]

CODECS: dict[str, Codec] = {
    "gzip": (gzip.compress, decompression.gzip_decode),
    "snappy": (lambda data: bytes(cramjam.snappy.compress_raw(data)), decompression.snappy_decode),
    "snappy in blocks": (lambda data: codec.snappy_encode(data), decompression.snappy_decode),
    "lz4": (lambda data: codec.lz4_encode(data), decompression.lz4_decode),
    "lz4 of librdkafka": (lambda data: bytes(cramjam.lz4.compress(data)), decompression.lz4_decode),
    "zstd": (lambda data: bytes(cramjam.zstd.compress(data)), decompression.zstd_decode),
}
SAMPLES = {
    "one byte": b"\0",
    "short": b"text",
    "incompressible": os.urandom(300_000),
    "very compressible": b"\0" * (BATCH_LIMIT - 1),
    "as large as may be": b"ab" * (BATCH_LIMIT // 2),
}


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_reads_what_was_written(name: str, sample: str) -> None:
    encode, decode = CODECS[name]
    assert decode(encode(SAMPLES[sample])) == SAMPLES[sample]
    assert decode(memoryview(encode(SAMPLES[sample]))) == SAMPLES[sample]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [BATCH_LIMIT + 1, 3 * BATCH_LIMIT])
def test_refuses_what_unfolds_too_far(name: str, size: int) -> None:
    encode, decode = CODECS[name]
    with pytest.raises(CorruptRecordException):
        decode(encode(b"\0" * size))


@pytest.mark.parametrize("name", CODECS)
def test_refuses_what_is_cut_off_or_altered_or_gives_something_else_but_never_ends_the_process(name: str) -> None:
    encode, decode = CODECS[name]
    whole = encode(os.urandom(1000) + b"\0" * 1000)
    broken = [whole[:cut] for cut in range(0, len(whole), 101)]
    broken += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, len(whole), 101)]
    for data in broken:
        # What kind of error it is does not matter: the reader takes any of them for "cannot be read".
        with contextlib.suppress(CorruptRecordException, ValueError, struct.error, zlib.error):
            decode(data)


def test_counts_what_was_unfolded() -> None:
    before = decompression.unfolded()
    decompression.zstd_decode(bytes(cramjam.zstd.compress(b"x" * 1000)))
    assert decompression.unfolded() == before + 1000


def test_is_what_aiokafka_reads_with_once_installed() -> None:
    decompression.install()
    assert default_records.gzip_decode is decompression.gzip_decode  # type: ignore[attr-defined]
    assert default_records.zstd_decode is decompression.zstd_decode  # type: ignore[attr-defined]
