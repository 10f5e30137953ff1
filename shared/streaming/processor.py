"""Reads a consumer group's partitions, processes poll after poll, publishes what came of it; survives everything.

The picture: poll -> items -> one MongoDB transaction -> one Kafka transaction (while the next poll is processed).
Whatever fails on the way, there is one way back: take the assignment over again.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from motor.motor_asyncio import AsyncIOMotorDatabase

from shared.contracts.dead_letter import DeadLetter
from shared.streaming import metrics
from shared.streaming.encoding import Encoder
from shared.streaming.errors import Fenced, HandlerFailed, TooManyFailures
from shared.streaming.failure_rate import FailureRate
from shared.streaming.item import Item, Verdict, unwrap, unwrap_timer
from shared.streaming.journal import Journal, Position
from shared.streaming.options import Options
from shared.streaming.outbox import OutboxDocument
from shared.streaming.polling_consumer import PollingConsumer
from shared.streaming.publisher import Publisher
from shared.streaming.record import Record
from shared.streaming.subscription import Invalid, Subscription, TimerHandler, to_event
from shared.streaming.take_over import Held, TakeOver
from shared.streaming.timers import due_timers
from shared.streaming.transaction import Transaction

log = structlog.get_logger(__name__)

_TOPIC_AND_PARTITION = attrgetter("topic", "partition")

TakeOverCallback = Callable[[Collection[TopicPartition]], Awaitable[None]]


class Processor(ConsumerRebalanceListener):
    """One consumer group in one process."""

    def __init__(
        self,
        *,
        group: str,
        service: str,
        prefix: str,
        bootstrap_servers: str,
        database: AsyncIOMotorDatabase[dict[str, Any]],
        subscriptions: Sequence[Subscription],
        timer_handlers: dict[str, TimerHandler],
        take_over_callbacks: Sequence[TakeOverCallback],
        partitions_of: Callable[[str], int],
        options: Options,
        stop_service: Callable[[BaseException], None],
    ) -> None:
        self.group = group
        self.options = options
        self.consumer: PollingConsumer | None = None
        self._prefix = prefix
        self._database = database
        self._subscriptions = subscriptions
        self._subscription_by_topic: dict[str, Subscription | None] = {}
        self._timer_handlers = timer_handlers
        self._callbacks = take_over_callbacks
        self._stop_service = stop_service
        self._replay_topic = f"{service}.replays"
        self._journal = Journal(database, group)
        self._publisher = Publisher(bootstrap_servers, group, options)
        self._take_over = TakeOver(group, uuid.uuid4().hex, self._journal, self._publisher)
        self._transaction = Transaction(
            database,
            self._journal,
            Encoder(service, prefix, partitions_of),
            group,
            f"{service}.dead-letters",
            timer_handlers,
            options.handler_seconds,
        )
        self._rate = FailureRate(options.failure_share, options.failure_minimum)
        self._lock = asyncio.Lock()
        self._assignment = 0
        self._positions: dict[TopicPartition, Position] = {}
        self._held: list[Held] = []
        self._alone: dict[TopicPartition, int] = {}
        """Partitions that hung twice at the same place, with how many records are still to be taken one by one."""
        self._ends: dict[TopicPartition, tuple[int, int]] = {}
        """Group offsets that nothing has been published with yet."""
        self._ready = False
        self._taken = False
        """Whether the assignment was taken over and nothing has failed since."""
        self._stopping = False
        self._recovery: asyncio.Task[None] | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._failures = 0
        self._looked_at_held = 0.0

    # --- life ---------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether records are let through: the assignment is taken, and Kafka and MongoDB answer."""
        return self._ready and not self._held

    async def prepare(self) -> None:
        """Creates the core's collections. Raises PyMongoError."""
        await self._journal.prepare()

    def attach(self, consumer: PollingConsumer) -> None:
        """Connects the consumer that FastStream built to this processor."""
        self.consumer = consumer
        consumer.taken_assignment = self._taken_assignment
        consumer.resume_offsets = self._stands
        consumer.passed_over = self._pass_over
        consumer.out_of_range = self._start_over
        self._ticking = asyncio.create_task(self._tick_for_ever())

    async def stop(self) -> None:
        """Finishes what is in flight, publishes it, lets the partitions go. Takes at most `drain_seconds`."""
        self._stopping = True
        if self.consumer is not None:
            self.consumer.pause(*self.consumer.assignment())
        await self._let_go()
        for task in (self._ticking, self._recovery, self._publishing):
            if task is not None:
                task.cancel()
        await self._publisher.stop()

    # --- assignment ---------------------------------------------------------------------------------------------

    async def on_partitions_revoked(  # type: ignore[override]
        self, revoked: Iterable[TopicPartition]
    ) -> None:
        """Lets the partitions go; called before a rebalance."""
        await self._let_go()

    async def on_partitions_assigned(  # type: ignore[override]
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """Only marks: aiokafka swallows what is raised here, so the take-over is a task of its own."""
        self._start_over()

    def _stands(self) -> dict[TopicPartition, int]:
        return {tp: position.next or 0 for tp, position in self._positions.items()} if self._ready else {}

    def _taken_assignment(self) -> int | None:
        return self._assignment if self._ready else None

    async def _let_go(self) -> None:
        taken, self._taken = self._taken, False
        self._assignment += 1
        self._ready = False
        if self._recovery is not None:
            self._recovery.cancel()
        try:
            async with asyncio.timeout(self.options.drain_seconds), self._lock:
                # After a failure a publish may have been dropped half-way: only a take-over finds out what became of it.
                if taken:
                    await self._finish_publishing()
                    if self._ends:
                        await self._publish([], {})
                        await self._finish_publishing()
                    await self._journal.release(list(self._positions.values()))
        except Exception as error:
            # Not a loss: whoever takes the partitions over fences this process and publishes what it left.
            log.warning("partitions_not_released", group=self.group, error=repr(error)[:200])
        self._positions, self._ends = {}, {}
        metrics.partitions_owned.labels(self.group).set(0)

    def _take_again(self, error: BaseException) -> None:
        """The one way back from any failure: a later assignment number, and a take-over with retries."""
        if isinstance(error, Fenced):
            metrics.fenced.labels(self.group).inc()
            log.warning("partition_fenced", group=self.group, error=str(error))
        else:
            metrics.infrastructure_failures.labels(self.group).inc()
            log.warning("assignment_taken_again", group=self.group, error=repr(error)[:300])
        self._failures += 1
        self._start_over()

    def _start_over(self) -> None:
        self._taken = False
        self._assignment += 1
        self._ready = False
        if self.consumer is not None:
            self.consumer.pause(*self.consumer.assignment())
        if not self._stopping:
            self._recover()

    def _recover(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
        self._recovery = asyncio.create_task(self._recover_for_ever(self._assignment))

    async def _recover_for_ever(self, number: int) -> None:
        while number == self._assignment:
            await asyncio.sleep(self._backoff())
            try:
                async with self._lock:
                    if number == self._assignment:
                        await self._recover_once(number)
                return
            except Exception as error:
                self._failures += 1
                metrics.infrastructure_failures.labels(self.group).inc()
                log.warning("take_over_failed", group=self.group, failures=self._failures, error=repr(error)[:300])

    async def _recover_once(self, number: int) -> None:
        consumer = self.consumer
        assert consumer is not None
        await self._drop_publishing()
        partitions = consumer.assignment()
        consumer.pause(*partitions)
        assignment = await self._take_over.run(consumer, partitions)
        for callback in self._callbacks:
            await callback(list(assignment.positions))
        if number != self._assignment:
            return
        for partition, position in assignment.positions.items():
            consumer.seek(partition, position.next)
        for held in assignment.held:
            # Paused it stays; but while a partition has no place at all, aiokafka fetches nothing from its broker.
            consumer.seek(held.position.partition, held.position.next or 0)
        self._positions, self._held, self._ends = assignment.positions, assignment.held, assignment.behind
        self._alone = {
            tp: self.options.max_records for tp, p in self._positions.items() if p.unclean_ends > 1 or p.in_hand
        }
        consumer.resume(*assignment.positions)
        self._ready = self._taken = True
        self._looked_at_held = time.monotonic()
        metrics.partitions_owned.labels(self.group).set(len(self._positions))
        metrics.partitions_held.labels(self.group).set(len(self._held))
        log.info("assignment_taken", group=self.group, partitions=len(self._positions), held=len(self._held))

    def _backoff(self) -> float:
        if self._failures == 0:
            return 0.0
        limit = min(self.options.backoff_limit_seconds, self.options.backoff_seconds * 2 ** min(self._failures, 10))
        return random.uniform(0, limit)

    # --- polls --------------------------------------------------------------------------------------------------

    async def consume(self, records: Sequence[ConsumerRecord[Any, Any] | Record]) -> None:
        """Processes one poll. Never raises: a failure means that the assignment is taken over again."""
        number = None if self.consumer is None else self.consumer.polled_under
        async with self._lock:
            if number != self._assignment or not self._ready:
                return  # drained before the assignment was taken; the records come again
            try:
                await self._take(records)
                self._failures = 0
            except TooManyFailures as error:
                self._ready = False
                self._stop_service(error)
            except Exception as error:
                self._take_again(error)

    async def _pass_over(self, places: dict[TopicPartition, int]) -> None:
        """Moves positions past what is no record, so that retention of what was read never overtakes one that waits."""
        number = self._taken_assignment()
        async with self._lock:
            if number is None or number != self._taken_assignment():
                return
            moves = {
                tp: (position, position.moved(places[tp]))
                for tp, position in self._positions.items()
                if places.get(tp, 0) > (position.next or 0)
            }
            if not moves:
                return
            try:
                await self._journal.advance(None, list(moves.values()))
            except Exception as error:
                self._take_again(error)
                return
            for partition, (_, position) in moves.items():
                self._positions[partition] = position
                self._ends[partition] = (position.next or 0, position.sequence)

    async def _take(self, records: Sequence[ConsumerRecord[Any, Any] | Record]) -> None:
        together: list[Item] = []
        alone: list[Item] = []
        for (name, partition), run in groupby(records, _TOPIC_AND_PARTITION):
            origin = TopicPartition(name, partition)
            position = self._positions.get(origin)
            if position is None or position.next is None:
                continue
            topic, first = name.removeprefix(self._prefix), position.next
            items = alone if origin in self._alone else together
            for raw in run:
                record = self._record(raw, origin, topic)
                if record.next_offset > first:
                    items.append(self._item(record))
        # Counted before the first fails: ten in a row at the start of a poll are not all that there is.
        self._rate.add(valid=sum(item.is_valid for item in (*together, *alone)))
        if together:
            await self._settle(together)
        for item in alone:
            await self._settle_alone(item)

    def _record(self, raw: ConsumerRecord[Any, Any] | Record, origin: TopicPartition, topic: str) -> Record:
        if isinstance(raw, Record):
            return replace(raw, topic=topic)
        return Record(origin, raw.offset, topic, raw.partition, raw.timestamp, raw.key, raw.value, raw.headers)

    def _item(self, record: Record) -> Item:
        origin = record.origin
        subscription = self._subscription_of(record.topic)
        if subscription is None and record.topic == self._replay_topic:
            if record.value is None:
                return Item(origin, record)
            try:
                letter = DeadLetter.model_validate_json(record.value)
                timer = unwrap_timer(letter, origin)
            except ValueError as error:  # pydantic's ValidationError among them
                return Item(origin, record, verdict=Verdict("Invalid", f"not a dead letter: {error}"[:4000]))
            record = unwrap(letter, record)
            if timer is not None and timer.name in self._timer_handlers:
                return Item(origin, record, timer=timer)
            subscription = self._subscription_of(record.topic)
        if subscription is not None:
            try:
                return Item(origin, record, to_event(record, subscription), subscription)
            except Invalid as invalid:
                return Item(origin, record, verdict=Verdict(invalid.error, str(invalid)))
            except Exception as error:  # whatever a record can do to the reading of it, it stops nobody else's
                log.exception("record_unexpected", group=self.group, topic=record.topic, offset=record.offset)
                return Item(origin, record, verdict=Verdict.of(error, 1))
        if record.replay_of is not None:  # another consumer group of this service handles it
            return Item(origin, record)
        return Item(origin, record, verdict=Verdict("NoHandler", f"nothing here handles {record.topic}"))

    def _subscription_of(self, topic: str) -> Subscription | None:
        try:
            return self._subscription_by_topic[topic]
        except KeyError:
            found = next((each for each in self._subscriptions if each.takes(topic)), None)
            self._subscription_by_topic[topic] = found
            return found

    async def _settle(self, items: Sequence[Item]) -> None:
        """Processes items together; where a handler fails, in halves, until the one at fault stands alone."""
        try:
            await self._commit(items)
        except HandlerFailed as failure:
            if len(items) > 1:
                half = len(items) // 2
                await self._settle(items[:half])
                await self._settle(items[half:])
            else:
                await self._try_alone(items[0], failure)

    async def _try_alone(self, item: Item, failure: HandlerFailed) -> None:
        tries = 1
        too_slow = isinstance(failure.__cause__, TimeoutError)
        while tries < self.options.tries and not too_slow:
            await asyncio.sleep(random.uniform(0, 0.02 * 2**tries))
            try:
                await self._commit([item])
                return
            except HandlerFailed as again:
                failure = again
                tries += 1
                too_slow = isinstance(failure.__cause__, TimeoutError)
        verdict = Verdict.of(failure.__cause__ or failure, tries)
        log.error("handler_failed", group=self.group, topic=item.origin.topic, error=verdict.error, tries=tries)
        metrics.handler_failures.labels(self.group).inc()
        await self._commit([item.condemned(verdict)])
        self._rate.add(failed=1)
        if self._rate.is_alarming:
            raise TooManyFailures(str(self._rate)) from failure

    async def _settle_alone(self, item: Item) -> None:
        """Processes one record of a partition that did not survive twice; at the third crash with it, a dead letter."""
        position = self._positions[item.origin]
        assert item.record is not None
        offset = item.record.offset
        tries = position.in_hand[1] if position.in_hand and position.in_hand[0] == offset else 0
        if tries >= self.options.crashes:
            log.error("record_crashes_the_service", group=self.group, position=position.id, offset=offset)
            await self._commit([item.condemned(Verdict("Crash", "the process ended with this record in hand", tries))])
            return
        await self._journal.mark_in_hand(position, offset, tries + 1)
        self._positions[item.origin] = position.holding(offset, tries + 1)
        await self._settle([item])
        left = self._alone.get(item.origin, 0) - 1
        if left > 0:
            self._alone[item.origin] = left
        else:
            self._alone.pop(item.origin, None)

    async def _commit(self, items: Sequence[Item]) -> None:
        committed = await self._transaction.run(items, self._positions, self._publisher.transactional_id)
        self._positions.update(committed.positions)
        valid = sum(1 for item in items if item.verdict is None and item.record is not None)
        metrics.records_processed.labels(self.group).inc(valid)
        ends = {tp: (position.next or 0, position.sequence) for tp, position in committed.positions.items()}
        await self._publish(committed.documents, ends)

    # --- publishing ---------------------------------------------------------------------------------------------

    async def _publish(self, documents: Sequence[OutboxDocument], ends: dict[TopicPartition, tuple[int, int]]) -> None:
        """Publishes in the background, after what is in flight; bare group offsets wait for the tick."""
        if documents or not ends:
            await self._finish_publishing()
            ends = self._ends | ends
            self._ends = {}
            self._publishing = asyncio.create_task(self._publish_now(documents, ends))
            self._publishing.add_done_callback(self._on_published)
        else:
            self._ends |= ends

    async def _publish_now(
        self, documents: Sequence[OutboxDocument], ends: dict[TopicPartition, tuple[int, int]]
    ) -> None:
        with metrics.publish_seconds.labels(self.group).time():
            await self._publisher.publish(documents, ends)
        if documents:
            metrics.messages_published.labels(self.group).inc(sum(len(document.messages) for document in documents))
            await self._journal.delete(documents)

    def _on_published(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and self._publishing is task:
            self._take_again(error)

    async def _finish_publishing(self) -> None:
        """Waits for the publish in flight. Raises what it failed with."""
        if self._publishing is not None:
            await asyncio.shield(self._publishing)
            self._publishing = None

    async def _drop_publishing(self) -> None:
        """Waits until no publish is in flight, whatever became of it: the take-over finds out from the log."""
        publishing, self._publishing = self._publishing, None
        if publishing is not None:
            publishing.cancel()
            await asyncio.wait([publishing])

    # --- once a second ------------------------------------------------------------------------------------------

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.options.tick_seconds)
            try:
                await self._tick()
            except TooManyFailures as error:
                self._stop_service(error)
            except Exception as error:
                self._take_again(error)

    async def _tick(self) -> None:
        if not self._ready or self.consumer is None:
            return
        if self._held and time.monotonic() - self._looked_at_held > self.options.look_again_seconds:
            self._looked_at_held = time.monotonic()
            if await self._journal.decided([held.position for held in self._held]):
                self._start_over()
                return
        if self._timer_handlers:
            async with self._lock:
                if self._ready:
                    await self._fire_timers()
        if self._ends and (self._publishing is None or self._publishing.done()):
            async with self._lock:
                if self._ready and self._ends:
                    await self._publish([], {})
        self._measure_lag()

    async def _fire_timers(self) -> None:
        origins = {position.id: tp for tp, position in self._positions.items()}
        timers = await due_timers(self._database, self.group, origins, set(self._timer_handlers))
        if timers:
            await self._settle([Item(timer.origin, timer=timer) for timer in timers])

    def _measure_lag(self) -> None:
        consumer = self.consumer
        if consumer is None:
            return
        behind: dict[str, int] = defaultdict(int)
        for partition, position in self._positions.items():
            end = consumer.last_stable_offset(partition)
            behind[partition.topic] += max(0, (end or 0) - (position.next or 0))
        metrics.lag.labels(self.group).set(sum(behind.values()))
