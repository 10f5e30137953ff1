"""Bounds what a compressed batch may unfold to: 32 KB on the wire can hold 600 MB.

aiokafka decompresses a whole batch in memory before the first record of it can be looked at, so the bound has to sit
in its codecs. `install()` replaces the four decoders that its record reader calls.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
from aiokafka import codec
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records

BATCH_LIMIT = 32 * 1024 * 1024
"""Decompressed bytes of one batch. A broker takes batches of 1 MiB compressed; JSON shrinks to a tenth, not a 30th."""

Decoder = Callable[[Any], bytes]

_unfolded = 0


def unfolded() -> int:
    """Bytes that all batches of this process have unfolded to so far."""
    return _unfolded


def _counted(decode: Decoder) -> Decoder:
    @functools.wraps(decode)
    def counted(payload: Any) -> bytes:
        global _unfolded
        data = decode(payload)
        _unfolded += len(data)
        return data

    return counted


def _too_large() -> CorruptRecordException:
    return CorruptRecordException(f"the batch unfolds to more than {BATCH_LIMIT} bytes, or is broken")


@_counted
def gzip_decode(payload: Any) -> bytes:
    """Raises CorruptRecordException where it is too much or broken."""
    inflater = zlib.decompressobj(wbits=31)
    data = inflater.decompress(bytes(payload), BATCH_LIMIT + 1)
    if len(data) > BATCH_LIMIT or not inflater.eof:
        raise _too_large()
    return data


@_counted
def snappy_decode(payload: Any) -> bytes:
    """Raises CorruptRecordException where it is too much or broken."""
    data = bytes(payload)
    if not codec._detect_xerial_stream(data):
        return _snappy_block(data, BATCH_LIMIT)
    out = io.BytesIO()
    cursor = 16
    while cursor < len(data):
        (size,) = struct.unpack_from("!i", data, cursor)
        if size < 0:
            raise _too_large()
        cursor += 4
        out.write(_snappy_block(data[cursor : cursor + size], BATCH_LIMIT - out.tell()))
        cursor += size
    return out.getvalue()


def _snappy_block(block: bytes, limit: int) -> bytes:
    try:
        if cramjam.snappy.decompress_raw_len(block) > limit:
            raise _too_large()
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise _too_large() from error


def _bounded(decompress_into: Callable[[bytes, bytearray], int]) -> Callable[[Any], bytes]:
    def decode(payload: Any) -> bytes:
        data = bytes(payload)
        for size in (min(BATCH_LIMIT, max(65536, 16 * len(data))), BATCH_LIMIT):
            buffer = bytearray(size)
            try:
                written = decompress_into(data, buffer)
            except cramjam.DecompressionError:
                continue
            return bytes(memoryview(buffer)[:written])
        raise _too_large()

    return decode


lz4_decode = _counted(_bounded(cramjam.lz4.decompress_into))
zstd_decode = _counted(_bounded(cramjam.zstd.decompress_into))


def install() -> None:
    """Puts the bounded decoders where aiokafka's record readers, compiled and plain, look theirs up."""
    readers: list[Any] = [default_records]
    try:
        from aiokafka.record._crecords import default_records as compiled
    except ImportError:
        pass
    else:
        readers.append(compiled)
    for reader in readers:
        for decoder in (gzip_decode, snappy_decode):
            setattr(reader, decoder.__name__, decoder)
        reader.lz4_decode = lz4_decode
        reader.zstd_decode = zstd_decode
