"""A consumer group's life: partitions come, polls are let through to them, partitions go; it survives everything.

The picture: poll -> items -> one MongoDB transaction -> one Kafka transaction (while the next poll is processed).
Whatever fails on the way, there is one way back: take the assignment over again.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from motor.motor_asyncio import AsyncIOMotorDatabase

from shared.streaming import metrics
from shared.streaming.encoding import Encoder
from shared.streaming.errors import Fenced, TooManyFailures
from shared.streaming.item_reader import ItemReader
from shared.streaming.journal import Journal, Position
from shared.streaming.options import Options
from shared.streaming.owned_partitions import OwnedPartitions
from shared.streaming.polling_consumer import PollingConsumer
from shared.streaming.publisher import Publisher
from shared.streaming.publishing import Publishing
from shared.streaming.record import Record
from shared.streaming.recovery import Recovery
from shared.streaming.subscription import Subscription, TimerHandler
from shared.streaming.take_over import Held, TakeOver
from shared.streaming.transaction import Transaction

log = structlog.get_logger(__name__)

TakeOverCallback = Callable[[Collection[TopicPartition]], Awaitable[None]]
NOTHING: Mapping[TopicPartition, Position] = MappingProxyType({})


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
        one_in_hand: asyncio.Lock,
    ) -> None:
        """`one_in_hand` is shared by all consumer groups of the process, so that its end has one record to blame."""
        self.group = group
        self.options = options
        self.consumer: PollingConsumer | None = None
        self._timer_handlers = timer_handlers
        self._callbacks = take_over_callbacks
        self._stop_service = stop_service
        self._journal = Journal(database, group)
        self._publisher = Publisher(bootstrap_servers, group, options)
        self._publishing = Publishing(group, self._publisher, self._journal, self._take_again)
        instance = uuid.uuid4().hex
        self._take_over = TakeOver(group, instance, self._journal, self._publisher)
        self._owned = OwnedPartitions(
            group,
            instance,
            options,
            database,
            ItemReader(prefix, subscriptions, timer_handlers, f"{service}.replays"),
            Transaction(
                database,
                self._journal,
                Encoder(service, prefix, partitions_of),
                group,
                f"{service}.dead-letters",
                timer_handlers,
                options.handler_seconds,
            ),
            self._journal,
            self._publisher,
            self._publishing,
            timer_handlers.keys(),
            one_in_hand,
        )
        self._lock = asyncio.Lock()
        """Held by whatever works on the owned partitions: a poll, timers, a take-over, letting go."""
        self._recovery = Recovery(group, options, self._lock)
        self._assignment = 0
        self._released: Mapping[TopicPartition, Position] = NOTHING
        """What was let go for the rebalance under way, with everything published."""
        self._held: list[Held] = []
        self._ready = False
        self._taken = False
        """Whether the assignment was taken over and nothing has failed since."""
        self._stopping = False
        self._ticking: asyncio.Task[None] | None = None
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
        if self._ticking is not None:
            self._ticking.cancel()
        self._publishing.cancel()
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
        self._start_over(self._released)

    def _stands(self) -> dict[TopicPartition, int]:
        return {tp: position.next or 0 for tp, position in self._owned.positions.items()} if self._ready else {}

    def _taken_assignment(self) -> int | None:
        return self._assignment if self._ready else None

    async def _let_go(self) -> None:
        taken, self._taken = self._taken, False
        self._released = {}
        self._assignment += 1
        self._ready = False
        self._recovery.cancel()
        try:
            async with asyncio.timeout(self.options.drain_seconds), self._lock:
                # After a failure a publish may have been dropped half-way: only a take-over finds out what came of it.
                if taken:
                    await self._publishing.finish()
                    await self._publishing.flush()
                    await self._publishing.finish()
                    await self._publishing.forget()
                    await self._journal.release(list(self._owned.positions.values()))
                    self._released = {tp: position.released() for tp, position in self._owned.positions.items()}
        except Exception as error:
            # Not a loss: whoever takes the partitions over fences this process and publishes what it left.
            log.warning("partitions_not_released", group=self.group, error=repr(error)[:200])
        self._owned.begin({})
        self._publishing.begin({})

    def _take_again(self, error: BaseException) -> None:
        """The one way back from any failure: a later assignment number, and a take-over with retries."""
        if isinstance(error, Fenced):
            metrics.fenced.labels(self.group).inc()
            log.warning("partition_fenced", group=self.group, error=str(error))
        else:
            metrics.infrastructure_failures.labels(self.group).inc()
            log.warning("assignment_taken_again", group=self.group, error=repr(error)[:300])
        self._recovery.failed()
        self._start_over()

    def _start_over(self, kept: Mapping[TopicPartition, Position] = NOTHING) -> None:
        """`kept` was released for a rebalance just now; what of it is still assigned need not be taken over."""
        self._taken = False
        self._released = {}
        self._assignment += 1
        self._ready = False
        if self.consumer is not None:
            self.consumer.pause(*self.consumer.assignment())
        if not self._stopping:
            attempt = partial(self._recover_once, self._assignment)
            self._recovery.start(partial(attempt, kept), attempt)

    async def _recover_once(self, number: int, kept: Mapping[TopicPartition, Position] = NOTHING) -> None:
        consumer = self.consumer
        if number != self._assignment or consumer is None:
            return
        await self._publishing.drop()
        in_force = consumer.assignment_in_force()
        if in_force is None:
            return  # the group is about to be joined again, which starts over
        consumer.pause(*in_force.tps)
        still = {partition: position for partition, position in kept.items() if partition in in_force.tps}
        assignment = await self._take_over.run(consumer, in_force.tps, still)
        for callback in self._callbacks:
            await callback(list(assignment.positions))
        if number != self._assignment or consumer.assignment_in_force() is not in_force:
            return
        for partition, position in assignment.positions.items():
            consumer.seek(partition, position.next)
        for held in assignment.held:
            # Paused it stays; but while a partition has no place at all, aiokafka fetches nothing from its broker.
            consumer.seek(held.position.partition, held.position.next or 0)
        self._held = assignment.held
        self._owned.begin(assignment.positions)
        self._publishing.begin(assignment.behind)
        consumer.resume(*assignment.positions)
        self._ready = self._taken = True
        self._looked_at_held = time.monotonic()
        metrics.partitions_held.labels(self.group).set(len(self._held))
        log.info(
            "assignment_taken",
            group=self.group,
            partitions=len(assignment.positions),
            kept=len(still),
            held=len(self._held),
        )

    # --- polls --------------------------------------------------------------------------------------------------

    async def consume(self, records: Sequence[ConsumerRecord[Any, Any] | Record]) -> None:
        """Processes one poll. Never raises: a failure means that the assignment is taken over again."""
        number = None if self.consumer is None else self.consumer.polled_under
        async with self._lock:
            if number != self._assignment or not self._ready:
                return  # drained before the assignment was taken; the records come again
            try:
                await self._owned.take(records)
                self._recovery.succeeded()
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
            try:
                await self._owned.pass_over(places)
            except Exception as error:
                self._take_again(error)

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
                    await self._owned.fire_timers()
        if self._publishing.ends_wait:
            async with self._lock:
                if self._ready:
                    await self._publishing.flush()
        if (ends := self.consumer.stable_ends()) is not None:
            self._owned.measure_lag(ends)
