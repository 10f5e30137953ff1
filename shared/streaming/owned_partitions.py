"""The partitions that are taken over: where they stand, and what polls and timers do to that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Set
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from motor.motor_asyncio import AsyncIOMotorDatabase

from shared.streaming import metrics
from shared.streaming.item import Item, Verdict
from shared.streaming.item_reader import ItemReader
from shared.streaming.journal import Journal, Position
from shared.streaming.options import Options
from shared.streaming.outbox import OutboxDocument
from shared.streaming.publisher import Publisher
from shared.streaming.publishing import Publishing
from shared.streaming.record import Record
from shared.streaming.settling import Settling
from shared.streaming.timers import due_timers
from shared.streaming.transaction import Transaction

log = structlog.get_logger(__name__)

_TOPIC_AND_PARTITION = attrgetter("topic", "partition")


class OwnedPartitions:
    """Processes what was read from them; one call at a time.

    Calls raise TooManyFailures, or else Fenced or an error of Kafka or MongoDB: then a take-over is due.
    """

    def __init__(
        self,
        group: str,
        instance: str,
        options: Options,
        database: AsyncIOMotorDatabase[dict[str, Any]],
        reader: ItemReader,
        transaction: Transaction,
        journal: Journal,
        publisher: Publisher,
        publishing: Publishing,
        timers: Set[str],
        one_in_hand: asyncio.Lock,
    ) -> None:
        """`timers` are the names of those that have a handler."""
        self.positions: dict[TopicPartition, Position] = {}
        self.alone: dict[TopicPartition, int] = {}
        """Partitions that hung twice at the same place, with how many records are still to be taken one by one."""
        self._group = group
        self._instance = instance
        self._options = options
        self._database = database
        self._reader = reader
        self._transaction = transaction
        self._journal = journal
        self._publisher = publisher
        self._publishing = publishing
        self._timers = timers
        self._one_in_hand = one_in_hand
        self._settling = Settling(group, options, self._commit)

    def begin(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Starts afresh with what a take-over led to."""
        self.positions = dict(positions)
        self.alone = {
            partition: self._options.max_records
            for partition, position in positions.items()
            if position.unclean_ends > 1 or position.in_hand
        }
        metrics.partitions_owned.labels(self._group).set(len(positions))

    async def take(self, records: Sequence[ConsumerRecord[Any, Any] | Record]) -> None:
        """Processes one poll."""
        together: list[Item] = []
        alone: list[Item] = []
        for (name, partition), run in groupby(records, _TOPIC_AND_PARTITION):
            origin = TopicPartition(name, partition)
            position = self.positions.get(origin)
            if position is None or position.next is None:
                continue
            topic, first = self._reader.topic(name), position.next
            items = alone if origin in self.alone else together
            for raw in run:
                record = self._reader.record(raw, origin, topic)
                if record.next_offset > first:
                    items.append(self._reader.item(record))
        self._settling.count([*together, *alone])
        if together:
            await self._settling.settle(together)
        for item in alone:
            async with self._one_in_hand:
                await self._settle_alone(item)

    async def pass_over(self, places: Mapping[TopicPartition, int]) -> None:
        """Moves positions past what is no record, so that retention of what was read never overtakes one that waits."""
        moves = {
            partition: (position, position.moved(places[partition]))
            for partition, position in self.positions.items()
            if places.get(partition, 0) > (position.next or 0)
        }
        if moves:
            await self._journal.advance(None, list(moves.values()))
            await self._moved({partition: position for partition, (_, position) in moves.items()}, [])

    async def fire_timers(self) -> None:
        """Fires the timers that are due."""
        origins = {position.id: partition for partition, position in self.positions.items()}
        timers = await due_timers(self._database, self._group, origins, self._timers)
        if timers:
            await self._settling.settle([Item(timer.origin, timer=timer) for timer in timers])

    def measure_lag(self, ends: Mapping[TopicPartition, int | None]) -> None:
        """Tells the metrics how many records are still to be read; `ends` is up to where there are any."""
        behind = (
            max(0, (ends.get(partition) or 0) - (position.next or 0)) for partition, position in self.positions.items()
        )
        metrics.lag.labels(self._group).set(sum(behind))

    async def _settle_alone(self, item: Item) -> None:
        """Processes one record of a partition that did not survive twice; at the third crash with it, a dead letter."""
        position = self.positions[item.origin]
        assert item.record is not None
        offset = item.record.offset
        ends = position.in_hand[1] if position.in_hand and position.in_hand[0] == offset else 0
        if ends >= self._options.crashes:
            log.error("record_crashes_the_service", group=self._group, position=position.id, offset=offset)
            await self._settling.condemn(item, Verdict("Crash", "the process ended with this record in hand", ends))
            return
        await self._journal.mark_in_hand(position, offset, ends, self._instance)
        self.positions[item.origin] = position.holding(offset, ends)
        await self._settling.settle([item])
        left = self.alone.get(item.origin, 0) - 1
        if left > 0:
            self.alone[item.origin] = left
        else:
            self.alone.pop(item.origin, None)

    async def _commit(self, items: Sequence[Item]) -> None:
        committed = await self._transaction.run(items, self.positions, self._publisher.transactional_id)
        valid = sum(1 for item in items if item.verdict is None and item.record is not None)
        metrics.records_processed.labels(self._group).inc(valid)
        await self._moved(committed.positions, committed.documents)

    async def _moved(self, positions: Mapping[TopicPartition, Position], documents: Sequence[OutboxDocument]) -> None:
        """Takes over what stands in MongoDB now, and has it published."""
        self.positions.update(positions)
        ends = {partition: (position.next or 0, position.sequence) for partition, position in positions.items()}
        await self._publishing.add(documents, ends)
