"""aiokafka's consumer with the poll made safe: what cannot be read never loses what can."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, NoOffsetForPartitionError, OffsetOutOfRangeError

from shared.streaming import decompression, tolerant_reader
from shared.streaming.fetch_session import FetchSessions
from shared.streaming.patience import patiently
from shared.streaming.record import Record

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.5
MOST_RECORDS = 2000
HELPING_RECORDS = 50
HOLD_BACK_SECONDS = 3600.0
"""How long records that nobody drained hold the next fetch from their broker back; aiokafka's own is 0.1 s. Then it
fetches for the other partitions alone, and has one fetch in flight a broker: what comes meanwhile for the partition
that is drained next waits for that fetch to end, up to half a second where nothing comes for the others. A poll
drains everything, so with all partitions in every fetch a broker may hold it as long as it likes."""
POLL_BYTES = 32 * 1024 * 1024
"""Decompressed bytes after which a poll takes no further helping."""
SEARCH_SECONDS = 10.0
"""How long to look for the partition whose fetch cannot be read, before polling normally again."""


class PollingConsumer(AIOKafkaConsumer):
    """Polls until there is something, and notes under which assignment it left aiokafka's buffers.

    A poll waits; an assignment can be given up and taken again meanwhile. What counts is the moment at which records
    are drained: they are never dropped once the assignment is taken, because its seek lies before them.

    Where aiokafka raises inside a poll (a header name that is not UTF-8, a broken or bloated batch), the records of
    other partitions drained in the same call are lost to it. Then every partition is sent back to where the core
    stands, the partitions are polled one by one, and the one at fault is read by the tolerant reader.
    """

    resume_offsets: Callable[[], dict[TopicPartition, int]]
    """Where the core stands, per owned partition."""
    taken_assignment: Callable[[], int | None]
    """The number of the assignment in force, None while it is not taken over yet."""
    polled_under: int | None = None
    """The assignment that the last poll's records were drained under."""
    passed_over: Callable[[dict[TopicPartition, int]], Awaitable[None]]
    """Told that nothing stands before these offsets which was not handed over."""
    out_of_range: Callable[[], None]
    """Has every position compared with the log's start and end again."""

    async def start(self) -> None:
        """Joins the group, however long the brokers keep it waiting."""
        await patiently("consumer.start", super().start)
        fetcher: Any = self._fetcher
        fetcher._prefetch_backoff = HOLD_BACK_SECONDS
        fetcher._client = FetchSessions(self._client, self.assignment_in_force)

    def assignment_in_force(self) -> Any:
        """aiokafka's own, another object after each rebalance.

        None before the first, and from the moment at which a new topic matches the pattern until the group is joined
        again. Partitions are still owned then, and a poll is still processed, but aiokafka does not know them.
        """
        subscription: Any = self._subscription.subscription  # None before the first, whatever aiokafka declares
        return subscription and subscription.assignment

    def stable_ends(self) -> dict[TopicPartition, int | None] | None:
        """Up to where the log is known to be committed, of each assigned partition; None while none is in force."""
        assignment = self.assignment_in_force()
        return assignment and {partition: assignment.state_value(partition).lso for partition in assignment.tps}

    def send_to(self, places: Mapping[TopicPartition, int]) -> None:
        """Has the partitions read from there next, those of them that are still assigned."""
        for partition, offset in places.items():
            if partition in self.assignment():
                self.seek(partition, offset)

    async def getmany(  # type: ignore[override]
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord[Any, Any] | Record]]:
        """The next poll, never empty; waits for it as long as it takes. Raises ConsumerStoppedError at the end."""
        while True:
            try:
                found: Any = await self._drain(timeout_ms=int(IDLE_SECONDS * 1000), max_records=max_records)
            except ConsumerStoppedError:
                raise
            except NoOffsetForPartitionError:
                await asyncio.sleep(0.05)  # the take-over is about to say where to read from
                continue
            except OffsetOutOfRangeError as error:
                log.warning("offset_out_of_range", error=str(error)[:300])
                self.out_of_range()
                continue
            except Exception as error:
                log.warning("poll_failed", error=repr(error)[:300])
                found = await self._poll_one_by_one(max_records)
            else:
                if not found:
                    await self._note_what_was_passed_over()
            if found:
                return found

    async def _note_what_was_passed_over(self) -> None:
        """Where nothing came, aiokafka may still have gone on: past markers of transactions, and what was aborted."""
        assignment = self.assignment_in_force()
        if not assignment or self.taken_assignment() is None:
            return
        places: dict[TopicPartition, int] = {}
        for partition in assignment.tps:
            state = assignment.state_value(partition)
            if state.has_valid_position and not state.paused:
                places[partition] = state.position
        await self.passed_over(places)

    async def _drain(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord[Any, Any]]]:
        """One poll, taken in helpings: aiokafka counts records only, and 2,000 may unfold to 2 GB."""
        found: dict[TopicPartition, list[ConsumerRecord[Any, Any]]] = defaultdict(list)
        left = max_records or MOST_RECORDS
        unfolded = decompression.unfolded()
        while left > 0 and decompression.unfolded() - unfolded < POLL_BYTES:
            try:
                most = min(left, HELPING_RECORDS)
                helping = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=most)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError):
                if found:
                    break  # raised only where nothing was drained, and again by the next poll
                raise
            except Exception:
                if self.taken_assignment() == self.polled_under:
                    self.send_to({partition: records[0].offset for partition, records in found.items()})
                raise
            number = self.taken_assignment()
            if found and number != self.polled_under:
                found.clear()  # of the assignment before; they come again
            self.polled_under = number
            if not helping:
                break
            timeout_ms = 0
            for partition, records in helping.items():
                found[partition].extend(records)
                left -= len(records)
        return found

    async def _poll_one_by_one(self, max_records: int | None) -> Mapping[TopicPartition, Sequence[Any]]:
        number = self.taken_assignment()
        stands = self.resume_offsets()
        if not stands:
            await asyncio.sleep(IDLE_SECONDS)
            return {}
        self.send_to(stands)
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                while True:
                    for partition in list(cast("Any", self._fetcher)._records):
                        if partition not in stands:
                            continue
                        try:
                            found = await self._drain(partition, max_records=max_records)
                        except ConsumerStoppedError:
                            raise
                        except Exception as error:
                            return await self._read_tolerantly(partition, stands[partition], error, number)
                        if found:
                            return found
                    await asyncio.sleep(0.02)
                    if self.taken_assignment() != number:
                        return {}
        except TimeoutError:
            return {}

    async def _read_tolerantly(
        self, partition: TopicPartition, offset: int, error: Exception, number: int | None
    ) -> Mapping[TopicPartition, Sequence[Any]]:
        log.warning(
            "fetch_unreadable",
            topic=partition.topic,
            partition=partition.partition,
            offset=offset,
            error=repr(error)[:300],
        )
        try:
            records, next_offset = await tolerant_reader.read(self, partition, offset)
        except Exception as again:
            # Nothing is lost by giving up here: the partition stands where it stood, and the next poll meets it again.
            log.warning("tolerant_read_failed", topic=partition.topic, error=repr(again)[:300])
            if self.taken_assignment() == number:
                self.send_to({partition: offset})
            await asyncio.sleep(IDLE_SECONDS)
            return {}
        if self.taken_assignment() != number:
            return {}  # taken over again while this was read: the partition was sent to where it stands now
        self.polled_under = number
        self.send_to({partition: next_offset})
        return {partition: records} if records else {}
