"""Reads one partition where aiokafka's own reader fails: header names that are not UTF-8, broken or bloated batches.

The way of last resort: plain Python, one fetch at a time. Every offset comes out as a `Record`: readable ones whole,
a batch that cannot be read as one record that says why and stands for all its offsets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from shared.streaming import decompression
from shared.streaming.record import Record

ENOUGH_RECORDS = 2000
ENOUGH_BYTES = 32 * 1024 * 1024
"""Records, and decompressed bytes, after which no further batch of a fetch is read."""
BATCH_RECORDS = 50_000
"""Records in one batch. A batch unfolds to millions of empty ones; plain Python takes 5 us for each."""

_CODECS = {
    1: decompression.gzip_decode,
    2: decompression.snappy_decode,
    3: decompression.lz4_decode,
    4: decompression.zstd_decode,
}


class _Bytes(bytearray):
    """A buffer whose text decodes whatever it holds, and can be encoded back to the same bytes."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _Bytes(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "surrogateescape")


async def read(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> tuple[list[Record], int]:
    """Committed records from `offset` on, some batches at most, and the offset to go on from.

    Raises KafkaError where the broker cannot be reached or answers with an error.
    """
    client = consumer._client
    leader = client.cluster.leader_for_partition(partition)
    wanted = [(partition.topic, [(partition.partition, offset, 1 << 20)])]
    request = FetchRequest(500, 1, 4 << 20, READ_COMMITTED, wanted)
    response: Any = await client.send(leader, request)
    for _, parts in response.topics:
        for part in parts:
            if part[1] != 0:
                raise for_code(part[1])(f"reading {partition.topic}/{partition.partition} at {offset}")
            aborted = part[5] if response.API_VERSION >= 11 else part[-2]
            walk = _Walk(partition, offset, aborted)
            records: list[Record] = []
            unfolded = decompression.unfolded()
            for found in walk.batches(part[-1]):
                records.extend(found)
                if len(records) >= ENOUGH_RECORDS or decompression.unfolded() - unfolded >= ENOUGH_BYTES:
                    break
            return records, walk.next_offset
    return [], offset


class _Walk:
    """Goes through the batches of one fetch and turns each into records, whatever is wrong with it."""

    def __init__(self, partition: TopicPartition, offset: int, aborted: Any) -> None:
        self.partition = partition
        self.next_offset = offset
        self._aborted_transactions = sorted(aborted or [], key=lambda entry: entry[1])
        self._aborted_producers: set[int] = set()

    def batches(self, data: bytes) -> Iterator[list[Record]]:
        batches = _MemoryRecordsPy(data)
        position = 0
        while batches.has_next():
            end = position + 12 + int.from_bytes(data[position + 8 : position + 12], "big", signed=True)
            batches.next_batch()
            yield self._batch(data[position:end])
            position = end

    def _batch(self, raw: bytes) -> list[Record]:
        batch = _DefaultRecordBatchPy(raw)
        last = batch.next_offset - 1
        if last < self.next_offset:
            return []
        first = max(batch.base_offset, self.next_offset)
        try:
            found = list(self._readable(batch, raw))
        except Exception as error:
            found = [self._unreadable(first, last, batch.max_timestamp, f"{type(error).__name__}: {error}"[:500])]
        self.next_offset = last + 1
        return found

    def _readable(self, batch: _DefaultRecordBatchPy, raw: bytes) -> Iterator[Record]:
        one = PartitionRecords(self.partition, _One(batch), [], self.next_offset, None, None, False, READ_COMMITTED)
        # What was aborted is known from the batches before this one, so it is carried from batch to batch.
        one._aborted_transactions = self._aborted_transactions
        one._aborted_producers = self._aborted_producers
        one._consume_aborted_up_to(batch.base_offset)
        if not batch.is_control_batch:
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return
            if batch._num_records > BATCH_RECORDS:
                raise ValueError(f"a batch of {batch._num_records} records; at most {BATCH_RECORDS} are read here")
            if not batch.validate_crc():
                raise ValueError("the batch's checksum is wrong")
            decode = _CODECS.get(batch.compression_type)
            body = raw[batch.HEADER_STRUCT.size :]
            batch._buffer = _Bytes(decode(body) if decode else body)
            batch._pos = 0
            batch._decompressed = True
        for record in one:
            yield Record(
                origin=self.partition,
                offset=record.offset,
                topic=self.partition.topic,
                partition=self.partition.partition,
                timestamp=record.timestamp,
                key=record.key,
                value=record.value,
                headers=record.headers,
            )

    def _unreadable(self, first: int, last: int, timestamp: int, why: str) -> Record:
        return Record(
            origin=self.partition,
            offset=first,
            topic=self.partition.topic,
            partition=self.partition.partition,
            timestamp=timestamp,
            key=None,
            value=None,
            headers=(),
            last_offset=last,
            unreadable=why,
        )


class _One:
    """aiokafka's record iterator over a single batch."""

    def __init__(self, batch: _DefaultRecordBatchPy) -> None:
        self._batch: _DefaultRecordBatchPy | None = batch

    def has_next(self) -> bool:
        return self._batch is not None

    def next_batch(self) -> Any:
        batch, self._batch = self._batch, None
        return batch
