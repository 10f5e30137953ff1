"""A fetch that is broken in any way comes out as records: readable ones whole, the others as one that says why."""

from __future__ import annotations

import gzip
import struct

from aiokafka import TopicPartition

from shared.streaming.record import Record
from shared.streaming.tolerant_reader import BATCH_RECORDS, _Walk
from tests import raw_batches

PARTITION = TopicPartition("t", 0)
HEADERS = [(b"\xff\xfe", b"x"), (b"\xe4\xb8\xad", None), (b"", b"")]


def at(offset: int, data: bytes) -> bytes:
    """The same batch as the log has it, from this offset on."""
    return struct.pack(">q", offset) + data[8:]


def good(*numbers: int) -> bytes:
    return raw_batches.batch(raw_batches.body([(b"k", b"%d" % n, HEADERS) for n in numbers]), len(numbers))


def walk(data: bytes, offset: int = 0) -> tuple[list[Record], int]:
    walk = _Walk(PARTITION, offset, [])
    records = [record for batch in walk.batches(data) for record in batch]
    return records, walk.next_offset


def test_bytes_come_out_as_they_went_in() -> None:
    records, end = walk(at(7, good(0, 1)), 7)
    assert end == 9
    assert [(record.offset, record.key, record.value) for record in records] == [(7, b"k", b"0"), (8, b"k", b"1")]
    names = [name.encode("utf-8", "surrogateescape") for name, _ in records[0].headers]
    assert list(zip(names, [value for _, value in records[0].headers], strict=True)) == HEADERS


def test_reading_begins_in_the_middle_of_a_batch() -> None:
    records, end = walk(at(7, good(0, 1, 2)), 8)
    assert ([record.offset for record in records], end) == ([8, 9], 10)


def test_a_batch_with_a_wrong_checksum_is_one_record_that_stands_for_it() -> None:
    broken = bytearray(at(2, good(0, 1)))
    broken[-1] ^= 1
    records, end = walk(at(0, good(8, 9)) + bytes(broken) + at(4, good(5)))
    assert [(record.offset, record.unreadable is None) for record in records] == [
        (0, True),
        (1, True),
        (2, False),
        (4, True),
    ]
    assert records[2].next_offset == 4
    assert "checksum" in (records[2].unreadable or "")
    assert end == 5


def test_a_batch_whose_payload_is_broken_under_a_right_checksum() -> None:
    for payload in (gzip.compress(raw_batches.body([(b"k", b"v", [])]))[:-9], b"no gzip at all"):
        records, end = walk(at(0, raw_batches.batch(payload, 3, raw_batches.GZIP)) + at(3, good(1)))
        assert [(record.offset, record.next_offset) for record in records] == [(0, 3), (3, 4)]
        assert records[0].unreadable
        assert end == 4


def test_a_batch_whose_records_are_garbage() -> None:
    records, end = walk(at(0, raw_batches.batch(b"\x00\x01\x02\x03" * 10, 2)) + at(2, good(1)))
    assert [record.unreadable is not None for record in records] == [True, False]
    assert end == 3


def test_a_batch_that_was_cut_off_by_the_fetch_is_left_for_the_next() -> None:
    records, end = walk(at(0, good(0)) + at(1, good(1))[:-3])
    assert ([record.offset for record in records], end) == ([0], 1)


def test_a_batch_of_very_many_records_is_taken_as_one() -> None:
    count = BATCH_RECORDS + 1
    records, end = walk(raw_batches.batch(raw_batches.body([(None, None, [])] * count), count))
    assert len(records) == 1
    assert end == records[0].next_offset == count
