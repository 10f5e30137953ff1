"""Record batches built byte by byte, for what no well-meaning client writes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

RawRecord = tuple[bytes | None, bytes | None, Sequence[tuple[bytes, bytes | None]]]
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
TIMESTAMP = 1_760_000_000_000  # milliseconds since 1970


def varint(value: int) -> bytes:
    """A number as Kafka's zigzag varint."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def _field(value: bytes | None) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value


def body(records: Sequence[RawRecord]) -> bytes:
    """The records' part of a batch, uncompressed."""
    out = bytearray()
    for number, (key, value, headers) in enumerate(records):
        record = b"\0" + varint(0) + varint(number) + _field(key) + _field(value) + varint(len(headers))
        record += b"".join(varint(len(name)) + name + _field(content) for name, content in headers)
        out += varint(len(record)) + record
    return bytes(out)


def batch(payload: bytes, count: int, codec: int = 0) -> bytes:
    """A batch of format 2 around a payload that is compressed already; the checksum is right."""
    checked = struct.pack(">hiqqqhii", codec, count - 1, TIMESTAMP, TIMESTAMP, -1, -1, -1, count) + payload
    return struct.pack(">qiibI", 0, len(checked) + 9, -1, 2, calc_crc32c(checked)) + checked


class RawProducer:
    """Writes batches as they are."""

    def __init__(self, kafka: str) -> None:
        self._client = AIOKafkaClient(bootstrap_servers=kafka)

    async def __aenter__(self) -> Self:
        await self._client.bootstrap()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def produce(self, topic: str, data: bytes, partition: int = 0) -> None:
        """Writes one batch. Raises the error that the broker answers."""
        await self._client._wait_on_metadata(topic)
        leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
        request = ProduceRequest(
            transactional_id=None, required_acks=-1, timeout=10_000, topics=[(topic, [(partition, data)])]
        )
        response: Any = await self._client.send(leader, request)
        for _, answers in response.topics:
            for answer in answers:
                if answer[1]:
                    raise for_code(answer[1])(f"the broker refuses the batch: {answer}")


async def produce(kafka: str, topic: str, data: bytes) -> None:
    """Writes a single batch, under a client of its own."""
    async with RawProducer(kafka) as producer:
        await producer.produce(topic, data)
