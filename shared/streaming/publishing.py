"""One publish in flight, in order, while the next poll is processed; bare group offsets travel along or wait.

Documents that stand in the log are deleted some at a time: nothing waits for that, and a take-over that finds some left
sees that they are published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiokafka import TopicPartition

from shared.streaming import metrics
from shared.streaming.journal import Journal
from shared.streaming.outbox import OutboxDocument
from shared.streaming.publisher import Publisher

Ends = Mapping[TopicPartition, tuple[int, int]]

FORGET_SECONDS = 0.25
"""How long documents that stand in the log may wait for others, to be deleted with them."""
FORGET_AT = 200
"""So many documents are deleted at once."""


class Publishing:
    """Publishes what polls leave behind; a failure that nobody waits for is told to `failed`."""

    def __init__(
        self, group: str, publisher: Publisher, journal: Journal, failed: Callable[[BaseException], None]
    ) -> None:
        self._group = group
        self._publisher = publisher
        self._journal = journal
        self._failed = failed
        self._in_flight: asyncio.Task[None] | None = None
        self._ends: dict[TopicPartition, tuple[int, int]] = {}
        """Group offsets that nothing has been published with yet."""
        self._in_log: list[str] = []
        """Ids of documents that are still to be deleted."""
        self._forgetting: asyncio.Task[None] | None = None

    @property
    def ends_wait(self) -> bool:
        """Whether group offsets wait while nothing is in flight that could take them along."""
        return bool(self._ends) and (self._in_flight is None or self._in_flight.done())

    def begin(self, ends: Ends) -> None:
        """Starts afresh after a take-over, with the group offsets that lag behind their positions."""
        self._ends = dict(ends)
        self._in_log = []

    async def add(self, documents: Sequence[OutboxDocument], ends: Ends) -> None:
        """Publishes documents in the background, after what is in flight; raises what that failed with."""
        self._ends.update(ends)
        if documents:
            await self._start(documents)

    async def flush(self) -> None:
        """Moves the group offsets that wait, in a Kafka transaction of their own."""
        if self._ends:
            await self._start([])

    async def finish(self) -> None:
        """Waits for the publish in flight. Raises what it failed with."""
        if self._in_flight is not None:
            await asyncio.shield(self._in_flight)
            self._in_flight = None

    async def forget(self) -> None:
        """Deletes what stands in the log, now."""
        ids, self._in_log = self._in_log, []
        if ids:
            await self._journal.delete(ids)

    async def drop(self) -> None:
        """Waits until nothing is in flight, whatever became of it: the take-over finds out from the log."""
        under_way = [task for task in (self._in_flight, self._forgetting) if task is not None]
        self._in_flight = self._forgetting = None
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)

    def cancel(self) -> None:
        """Gives up what is in flight."""
        for task in (self._in_flight, self._forgetting):
            if task is not None:
                task.cancel()

    async def _start(self, documents: Sequence[OutboxDocument]) -> None:
        await self.finish()
        ends, self._ends = self._ends, {}
        self._in_flight = asyncio.create_task(self._publish(documents, ends))
        self._in_flight.add_done_callback(self._done)

    async def _forget_soon(self) -> None:
        while self._in_log:
            await asyncio.sleep(FORGET_SECONDS)
            await self.forget()

    async def _publish(self, documents: Sequence[OutboxDocument], ends: Ends) -> None:
        with metrics.publish_seconds.labels(self._group).time():
            await self._publisher.publish(documents, ends)
        if documents:
            count = sum(len(document.messages) for document in documents)
            metrics.messages_published.labels(self._group).inc(count)
            self._in_log.extend(document.id for document in documents)
            if len(self._in_log) >= FORGET_AT:
                await self.forget()
            elif self._forgetting is None or self._forgetting.done():
                self._forgetting = asyncio.create_task(self._forget_soon())
                self._forgetting.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        current = task in (self._in_flight, self._forgetting)
        if not task.cancelled() and (error := task.exception()) is not None and current:
            self._failed(error)
