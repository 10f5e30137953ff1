"""Publishes outbox documents and group offsets, each lot in one Kafka transaction, under a fenced transactional id."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.streaming.errors import REFUSED_FOR_GOOD, RefusedForGood
from shared.streaming.outbox import OutboxDocument, Outgoing

log = structlog.get_logger(__name__)

Ends = Mapping[TopicPartition, tuple[int, int]]
"""Per input partition: the group offset to move to, and the sequence that is published with it."""

BATCH_BYTES = 1024 * 1024
REQUEST_BYTES = 8 * 1024 * 1024
TRANSACTION_TIMEOUT_SECONDS = 20
TOPIC_GONE_SECONDS = 60.0
"""A topic that Kafka does not know for this long is gone; its messages become unpublishable."""
STOP_SECONDS = 2.0


class Publisher:
    """One transactional producer at a time. After any failure it is thrown away: `renew` brings a new one."""

    def __init__(
        self, bootstrap_servers: str, group: str, connection: Mapping[str, Any], compression: str | None
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group = group
        self._connection = connection
        self._compression = compression
        self._producer: AIOKafkaProducer | None = None
        self._unknown_since: dict[str, float] = {}
        self.transactional_id = ""
        self.usable = False
        """False from the start of a transaction until its success: whatever failed, the producer is not used again."""

    async def renew(self) -> None:
        """Throws the producer away and starts one under a new transactional id. Raises KafkaError."""
        await self.stop()
        self.transactional_id = f"{self._group}-{uuid.uuid4().hex}"
        producer = self._new_producer(self.transactional_id)
        await producer.start()
        self._producer = producer
        self.usable = True

    async def fence(self, transactional_ids: Iterable[str]) -> None:
        """Fences every producer of these ids and aborts what it had open. Raises KafkaError."""
        await asyncio.gather(*(self._fence(transactional_id) for transactional_id in transactional_ids))

    async def _fence(self, transactional_id: str) -> None:
        producer = self._new_producer(transactional_id)
        try:
            await producer.start()
        finally:
            await _stop(producer)

    async def publish(self, documents: Sequence[OutboxDocument], ends: Ends) -> None:
        """Messages of the documents and the group offsets of their partitions: all in the log, or nothing.

        Raises KafkaError; the producer must be renewed then.
        """
        producer = self._begin()
        await self._know_topics(producer, {message.topic for d in documents for message in d.messages})
        async with producer.transaction():
            sent: list[asyncio.Future[Any]] = []
            batches: dict[tuple[str, int], BatchBuilder] = {}
            for document in documents:
                for message in document.messages:
                    target = (message.topic, message.partition)
                    batch = batches.get(target)
                    if batch is None:
                        batch = batches[target] = producer.create_batch()
                    if _append(batch, message) is None:
                        sent.append(await _send(producer, batch, target))
                        batch = batches[target] = producer.create_batch()
                        _append(batch, message)
            for target, batch in batches.items():
                sent.append(await _send(producer, batch, target))
            if sent:
                await asyncio.gather(*sent)
            await producer.send_offsets_to_transaction(_offsets(ends), self._group)
        self.usable = True

    async def publish_singly(self, documents: Sequence[OutboxDocument], ends: Ends) -> None:
        """The same, one message at a time, to find out which one Kafka refuses.

        Raises RefusedForGood with what was refused, after aborting; the producer must be renewed then.
        """
        producer = self._begin()
        async with producer.transaction():
            for document in documents:
                for index, message in enumerate(document.messages):
                    try:
                        await self._know_topics(producer, {message.topic})
                        batch = producer.create_batch()
                        _append(batch, message)
                        await (await _send(producer, batch, (message.topic, message.partition)))
                    except REFUSED_FOR_GOOD as error:
                        reason = f"{type(error).__name__}: {error}"
                        raise RefusedForGood(_alike(documents, document, index, error, reason)) from error
            await producer.send_offsets_to_transaction(_offsets(ends), self._group)
        self.usable = True

    async def stop(self) -> None:
        """Stops the producer; what it had open is aborted by the broker or by whoever fences it."""
        producer, self._producer, self.usable = self._producer, None, False
        if producer is not None:
            await _stop(producer)

    def _begin(self) -> AIOKafkaProducer:
        if self._producer is None or not self.usable:
            raise KafkaError("the producer was thrown away")
        self.usable = False
        return self._producer

    def _new_producer(self, transactional_id: str) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            transactional_id=transactional_id,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            compression_type=self._compression,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_SECONDS * 1000,
            **self._connection,
        )

    async def _know_topics(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        """Waits until the broker knows every topic. Raises UnknownTopicOrPartitionError for one that is gone."""
        cluster = producer.client.cluster
        for topic in topics:
            while cluster.partitions_for_topic(topic) is None:
                producer.client.add_topic(topic)
                await producer.client.force_metadata_update()
                if topic in cluster.unauthorized_topics:
                    raise TopicAuthorizationFailedError(topic)
                if cluster.partitions_for_topic(topic) is not None:
                    break
                since = self._unknown_since.setdefault(topic, time.monotonic())
                if time.monotonic() - since >= TOPIC_GONE_SECONDS:
                    raise UnknownTopicOrPartitionError(f"topic {topic} is not there")
                await asyncio.sleep(0.5)
            self._unknown_since.pop(topic, None)


def _append(batch: BatchBuilder, message: Outgoing) -> Any:
    return batch.append(timestamp=message.timestamp, key=message.key, value=message.value, headers=message.headers)


async def _send(producer: AIOKafkaProducer, batch: BatchBuilder, target: tuple[str, int]) -> asyncio.Future[Any]:
    topic, partition = target
    return await producer.send_batch(batch, topic, partition=partition)


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (TimeoutError, KafkaError) as error:
        log.debug("producer_left_behind", error=repr(error))


def _offsets(ends: Ends) -> dict[TopicPartition, tuple[int, str]]:
    return {partition: (offset, str(sequence)) for partition, (offset, sequence) in ends.items()}


def _alike(
    documents: Sequence[OutboxDocument], document: OutboxDocument, index: int, error: KafkaError, reason: str
) -> dict[tuple[str, int], str]:
    """What is refused for the same reason: the one message, or where it is the topic, every message to it."""
    if type(error).__name__.startswith(("MessageSize", "RecordList")):
        return {(document.id, index): reason}
    topic = document.messages[index].topic
    return {
        (other.id, position): reason
        for other in documents
        for position, message in enumerate(other.messages)
        if message.topic == topic
    }
