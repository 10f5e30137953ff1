"""Follows a topic that holds the latest value of each key, from its beginning, for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
FETCH_WAIT_MS = 250
"""How long a broker may hold back the answer that there is nothing; what there is comes at once."""


async def follow_latest_values(
    bootstrap_servers: str,
    connection: Mapping[str, Any],
    topic: str,
    partitions: int,
    apply: Callable[[bytes | None, bytes | None], None],
    caught_up: Callable[[], None],
) -> None:
    """Hands every committed key and value to `apply`, in order; never returns.

    It begins with the latest value of each key, also after a failure, so that nothing that a key had before comes back
    meanwhile. `caught_up` is called whenever everything there was has been applied.
    """
    all_partitions = [TopicPartition(topic, number) for number in range(partitions)]
    while True:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            **connection,
        )
        try:
            await consumer.start()
            consumer.assign(all_partitions)
            for key, value in (await _latest_of_all(consumer, all_partitions)).items():
                apply(key, value)
            caught_up()
            while True:
                for record in await _next_records(consumer):
                    apply(record.key, record.value)
        except Exception as error:
            log.warning("latest_values_interrupted", topic=topic, error=repr(error)[:200])
            await asyncio.sleep(AGAIN_SECONDS)
        finally:
            await consumer.stop()


async def _latest_of_all(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> Mapping[bytes | None, bytes | None]:
    """The latest value of each key that there is now."""
    ends = await consumer.end_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    latest: dict[bytes | None, bytes | None] = {}
    while not await _is_at(consumer, ends):
        latest |= {record.key: record.value for record in await _next_records(consumer)}
    return latest


async def _is_at(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])


async def _next_records(consumer: AIOKafkaConsumer) -> list[ConsumerRecord[Any, Any]]:
    found = await consumer.getmany(timeout_ms=FETCH_WAIT_MS)
    return [record for records in found.values() for record in records]
