"""Taking an assignment over: fence whoever had it, publish what was left, go on from the position."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from shared.streaming import metrics
from shared.streaming.errors import Refused, RefusedForGood
from shared.streaming.journal import Journal, Position, Taken
from shared.streaming.outbox import OutboxDocument, Outgoing
from shared.streaming.publisher import Ends, Publisher

log = structlog.get_logger(__name__)

LOT_BYTES = 16 * 1024 * 1024
"""Messages of left documents that are published in one Kafka transaction."""


@dataclass(frozen=True, slots=True)
class Held:
    """A partition that is not read until an operator decides, and why."""

    position: Position
    reason: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a take-over leads to: positions to read from, partitions held back, group offsets that lag behind."""

    positions: dict[TopicPartition, Position]
    held: list[Held]
    behind: dict[TopicPartition, tuple[int, int]]


class TakeOver:
    """The steps of one take-over; any of them may fail, and the next try starts again from the first."""

    def __init__(self, group: str, instance: str, journal: Journal, publisher: Publisher) -> None:
        self._group = group
        self._instance = instance
        self._journal = journal
        self._publisher = publisher

    async def run(
        self,
        consumer: AIOKafkaConsumer,
        partitions: Collection[TopicPartition],
        kept: Mapping[TopicPartition, Position] = MappingProxyType({}),
    ) -> Assignment:
        """Raises KafkaError, PyMongoError or Fenced; nothing is read from the partitions until it returns.

        `kept` is what this process released for a rebalance, everything published, and has got back. It goes on with
        these as they are: their documents in MongoDB say that nobody else had them.
        """
        metrics.take_overs.labels(self._group).inc()
        partitions = [partition for partition in partitions if partition not in kept]
        if not self._publisher.usable:
            await self._publisher.renew()
        own = self._publisher.transactional_id
        taken = await self._journal.take_over(partitions, own, self._instance)
        # A document under the id in use is one whose publish failed half-way: only another producer is safe.
        if any(document.transactional_id == own for document in taken.documents):
            await self._publisher.renew()
            taken = await self._journal.take_over(partitions, self._publisher.transactional_id, self._instance)
        await self._fence(taken)
        await self._journal.own(taken.positions, [self._publisher.transactional_id])
        committed: dict[TopicPartition, OffsetAndMetadata] = {}
        if partitions:
            coordinator: Any = consumer._coordinator  # the only way to the metadata of group offsets
            committed = await coordinator.fetch_committed_offsets(list(partitions))
        await self._publish_left(taken, committed)
        assignment = await self._place(consumer, taken.positions, committed)
        own = self._publisher.transactional_id
        await self._journal.confirm(list(assignment.positions.values()), own, self._instance)
        await self._journal.resume(list(kept.values()), own, self._instance)
        assignment.positions.update(kept)
        for held in assignment.held:
            log.error("partition_held", position=held.position.id, reason=held.reason, decide="tongtu positions")
            await self._journal.hold(held.position, held.reason)
        return assignment

    async def _fence(self, taken: Taken) -> None:
        former = taken.former_owners | {document.transactional_id for document in taken.documents}
        former.discard(self._publisher.transactional_id)
        if former:
            log.info("former_owners_fenced", group=self._group, count=len(former))
            await self._publisher.fence(former)

    async def _renew(self, positions: Sequence[Position]) -> None:
        """Another producer, written down as an owner before it publishes anything; the one before is fenced."""
        former = self._publisher.transactional_id
        await self._publisher.renew()
        await self._journal.own(positions, [former, self._publisher.transactional_id])
        await self._publisher.fence([former])

    async def _publish_left(self, taken: Taken, committed: dict[TopicPartition, OffsetAndMetadata]) -> None:
        origins = {position.id: position.partition for position in taken.positions}
        in_log: list[OutboxDocument] = []
        steps: dict[tuple[str, int], list[OutboxDocument]] = defaultdict(list)
        for document in taken.documents:
            if _is_published(document, committed.get(origins[document.position_id])):
                in_log.append(document)
            else:
                steps[document.position_id, document.sequence].append(document)
        if in_log:
            await self._journal.delete([document.id for document in in_log])
        if in_log or steps:
            log.info("left_documents_found", group=self._group, in_log=len(in_log), to_publish=len(steps))
        lot: list[OutboxDocument] = []
        ends: dict[TopicPartition, tuple[int, int]] = {}
        size = 0
        for step in steps.values():  # per position in the order of its sequence
            lot.extend(step)
            ends[origins[step[0].position_id]] = (step[0].end, step[0].sequence)
            size += sum(message.size for document in step for message in document.messages)
            if size >= LOT_BYTES:
                await self._publish(taken.positions, lot, ends)
                lot, ends, size = [], {}, 0
        if lot:
            await self._publish(taken.positions, lot, ends)

    async def _publish(self, positions: Sequence[Position], documents: Sequence[OutboxDocument], ends: Ends) -> None:
        """Publishes, and sets aside what Kafka refuses: a batch is halved until the message at fault stands alone."""
        left = {document.id: document for document in documents}
        apart: list[Outgoing] = []
        while True:
            try:
                await self._publisher.publish(list(left.values()), ends, apart)
                break
            except RefusedForGood as refusal:
                await self._renew(positions)
                for batch in refusal.batches:
                    if batch.divisible and len(batch.messages) > 1:
                        apart.append(batch.messages[len(batch.messages) // 2])
                    else:
                        await self._set_aside(left, batch)
        await self._journal.delete([document.id for document in documents])

    async def _set_aside(self, left: dict[str, OutboxDocument], refused: Refused) -> None:
        ids = {id(message) for message in refused.messages}
        for key, document in list(left.items()):
            messages = [message for message in document.messages if id(message) in ids]
            if messages:
                left[key] = await self._journal.set_aside(document, messages, refused.reason)
        metrics.unpublishable.labels(self._group).inc(len(ids))
        log.error("messages_unpublishable", group=self._group, count=len(ids), reason=refused.reason)

    async def _place(
        self,
        consumer: AIOKafkaConsumer,
        positions: Sequence[Position],
        committed: dict[TopicPartition, OffsetAndMetadata],
    ) -> Assignment:
        """Compares every position with the log's start and end."""
        partitions = [position.partition for position in positions]
        starts = await consumer.beginning_offsets(partitions) if partitions else {}
        ends = await consumer.end_offsets(partitions) if partitions else {}
        placed: dict[TopicPartition, Position] = {}
        held: list[Held] = []
        behind: dict[TopicPartition, tuple[int, int]] = {}
        for position in positions:
            partition = position.partition
            published, sequence = _published(committed.get(partition))
            if position.next is None:
                # Read for the first time, perhaps by a group that had another database: never count below the log.
                position = replace(position, next=starts[partition], sequence=max(position.sequence, sequence or 0))
            assert position.next is not None
            if position.next > ends[partition]:
                held.append(Held(position, f"position {position.next} is beyond the log's end {ends[partition]}"))
            elif position.next < starts[partition]:
                held.append(Held(position, f"position {position.next} is before the log's start {starts[partition]}"))
            elif sequence is not None and sequence > position.sequence:
                held.append(Held(position, f"state is older than the log: step {position.sequence} < {sequence}"))
            else:
                placed[partition] = position
                if published != position.next or sequence != position.sequence:
                    behind[partition] = (position.next, position.sequence)
        return Assignment(placed, held, behind)


def _published(committed: OffsetAndMetadata | None) -> tuple[int | None, int | None]:
    """The group offset, and the sequence that was published with it (None where someone else moved the offset)."""
    if committed is None or committed.offset < 0:
        return None, None
    return committed.offset, int(committed.metadata) if committed.metadata.isdigit() else None


def _is_published(document: OutboxDocument, committed: OffsetAndMetadata | None) -> bool:
    offset, sequence = _published(committed)
    if sequence is not None:
        return document.sequence <= sequence
    return offset is not None and document.end <= offset
