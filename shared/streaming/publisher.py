"""Publishes outbox documents and group offsets, each lot in one Kafka transaction, under a fenced transactional id."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError
from aiokafka.producer import sender
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.streaming.errors import REFUSED_FOR_GOOD, TOO_LARGE, Refused, RefusedForGood
from shared.streaming.options import Options
from shared.streaming.outbox import OutboxDocument, Outgoing
from shared.streaming.producer_stop import stop_or_cut_off

Ends = Mapping[TopicPartition, tuple[int, int]]
"""Per input partition: the group offset to move to, and the sequence that is published with it."""

Target = tuple[str, int]
"""A topic and a partition of it."""

BATCH_BYTES = 1024 * 1024
sender.BACKOFF_OVERRIDE = 0.003  # seconds before aiokafka begins a transaction again that came too soon; was 20 ms
REQUEST_BYTES = 8 * 1024 * 1024
STOP_SECONDS = 2.0


class Publisher:
    """One transactional producer at a time. After any failure it is thrown away: `renew` brings a new one."""

    def __init__(self, bootstrap_servers: str, group: str, options: Options) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group = group
        self._options = options
        self._producer: AIOKafkaProducer | None = None
        self._unknown_since: dict[Target, float] = {}
        self.transactional_id = ""
        self.usable = False
        """False from the start of a transaction until its success: whatever failed, the producer is not used again."""

    async def renew(self) -> None:
        """Throws the producer away and starts one under a new transactional id. Raises KafkaError."""
        await self.stop()
        self.transactional_id = f"{self._group}-{uuid.uuid4().hex}"
        self._producer = await self._started(self.transactional_id)
        self.usable = True

    async def fence(self, transactional_ids: Iterable[str]) -> None:
        """Fences every producer of these ids and aborts what it had open. Raises KafkaError."""
        await asyncio.gather(*(self._fence(transactional_id) for transactional_id in transactional_ids))

    async def _fence(self, transactional_id: str) -> None:
        await stop_or_cut_off(await self._started(transactional_id), STOP_SECONDS)

    async def publish(self, documents: Sequence[OutboxDocument], ends: Ends, apart: Collection[Outgoing] = ()) -> None:
        """Messages of the documents and the group offsets of their partitions: all in the log, or nothing.

        A batch of its own begins with each of the messages `apart`. Raises RefusedForGood for batches that Kafka
        will never take, KafkaError or TimeoutError for the rest. In either case the producer must be renewed, and the
        transaction is left for whoever fences its id: to abort it here could wait for ever on what just failed.
        """
        if self._producer is None or not self.usable:
            raise KafkaError("the producer was thrown away")
        self.usable = False
        producer = self._producer
        await self._know_targets(producer, documents)
        async with asyncio.timeout(self._options.transaction_seconds):
            await producer.begin_transaction()
            await self._send(producer, _batches(producer, documents, apart), _offsets(ends))
            await producer.commit_transaction()
        self.usable = True

    async def _send(
        self, producer: AIOKafkaProducer, batches: Iterable[_Batch], offsets: Mapping[TopicPartition, tuple[int, str]]
    ) -> None:
        """Sends the batches, then the group offsets: not at once.

        Before it takes a batch, a broker asks the transaction's coordinator whether the partition belongs to it
        (KIP-890). If the coordinator is just adding the group's offsets, it puts the broker off, the broker the
        producer, and that tries again 100 ms later: one transaction in eight, where nothing else was to do.
        """
        sent = [
            (batch, await producer.send_batch(batch.builder, batch.topic, partition=batch.partition))
            for batch in batches
        ]
        results = await asyncio.gather(*(future for _, future in sent), return_exceptions=True)
        failed = [(batch, error) for (batch, _), error in zip(sent, results, strict=True) if _is_error(error)]
        refused = [
            Refused(batch.messages, f"{type(error).__name__}: {error}", isinstance(error, TOO_LARGE))
            for batch, error in failed
            if isinstance(error, REFUSED_FOR_GOOD)
        ]
        if refused:
            raise RefusedForGood(refused)
        if failed:
            _, first_error = failed[0]
            raise first_error
        await producer.send_offsets_to_transaction(offsets, self._group)

    async def stop(self) -> None:
        """Stops the producer; what it had open is aborted by the broker or by whoever fences it."""
        producer, self._producer, self.usable = self._producer, None, False
        if producer is not None:
            await stop_or_cut_off(producer, STOP_SECONDS)

    async def _started(self, transactional_id: str) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            transactional_id=transactional_id,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            compression_type=self._options.compression,
            transaction_timeout_ms=int(self._options.transaction_seconds * 1000),
            **self._options.connection,
        )
        try:
            await producer.start()
        except BaseException:
            await stop_or_cut_off(producer, STOP_SECONDS)
            raise
        return producer

    async def _know_targets(self, producer: AIOKafkaProducer, documents: Sequence[OutboxDocument]) -> None:
        """Waits until the broker knows every topic and partition. Raises RefusedForGood where one is gone."""
        client = producer.client
        targets = {(message.topic, message.partition) for d in documents for message in d.messages}
        while unknown := _unknown(client.cluster, targets):
            for topic, _ in unknown:
                client.add_topic(topic)
            # One question for all of them. Where another was under way already, its answer does not tell of them yet,
            # and they are asked for again; where there was no answer, nothing is known of any topic.
            answered = await client.force_metadata_update()
            left = _unknown(client.cluster, unknown)
            now = time.monotonic()
            self._unknown_since = {target: self._unknown_since.get(target, now) for target in left if answered}
            refused = [
                _refused(documents, target, "TopicAuthorizationFailedError: not authorised")
                for target in left
                if target[0] in client.cluster.unauthorized_topics
            ] or [
                _refused(documents, target, "UnknownTopicOrPartitionError: it is not there")
                for target, since in self._unknown_since.items()
                if now - since >= self._options.topic_gone_seconds
            ]
            if refused:
                raise RefusedForGood(refused)
            if left:
                await asyncio.sleep(0.5)
        self._unknown_since.clear()


@dataclass(slots=True, eq=False)
class _Batch:
    topic: str
    partition: int
    builder: BatchBuilder
    messages: list[Outgoing]


def _batches(
    producer: AIOKafkaProducer, documents: Sequence[OutboxDocument], apart: Collection[Outgoing]
) -> Iterable[_Batch]:
    """All messages in batches, those of a target partition in order."""
    begins = {id(message) for message in apart}
    open_batches: dict[tuple[str, int], _Batch] = {}
    for document in documents:
        for message in document.messages:
            target = (message.topic, message.partition)
            batch = open_batches.get(target)
            if batch is not None and id(message) not in begins and _append(batch, message):
                continue
            if batch is not None:
                yield batch
            batch = open_batches[target] = _Batch(*target, producer.create_batch(), [])
            if not _append(batch, message):
                raise KafkaError("a message does not even fit into a batch of its own")
    yield from open_batches.values()


def _append(batch: _Batch, message: Outgoing) -> bool:
    appended = batch.builder.append(
        timestamp=message.timestamp, key=message.key, value=message.value, headers=message.headers
    )
    if appended is None:
        return False
    batch.messages.append(message)
    return True


def _is_error(result: object) -> TypeGuard[BaseException]:
    return isinstance(result, BaseException)


def _unknown(cluster: ClusterMetadata, targets: Iterable[Target]) -> set[Target]:
    return {target for target in targets if target[1] not in (cluster.partitions_for_topic(target[0]) or ())}


def _refused(documents: Sequence[OutboxDocument], target: Target, reason: str) -> Refused:
    messages = [m for document in documents for m in document.messages if (m.topic, m.partition) == target]
    return Refused(messages, reason, False)


def _offsets(ends: Ends) -> dict[TopicPartition, tuple[int, str]]:
    return {partition: (offset, str(sequence)) for partition, (offset, sequence) in ends.items()}
