"""Writes single records, each acknowledged by all replicas, within a bound of memory and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.streaming import cloudevents
from shared.streaming.event import Event
from shared.streaming.producer_stop import stop_or_cut_off
from shared.streaming.record import Record

log = structlog.get_logger(__name__)

ENTRY_BYTES = 1024
"""What a record costs in memory beside its own bytes: futures, headers, callbacks."""
BATCH_BYTES = 1_100_000
"""Below the max.message.bytes of a member's topics (1,114,112), above the largest record that a member may write."""
STOP_SECONDS = 10.0
_NOWHERE = TopicPartition("", 0)


@dataclass(slots=True)
class Entry:
    """One record for partition 0 of a topic. Key and value may not both be None."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]

    @property
    def bytes(self) -> int:
        """What it takes in memory until it is acknowledged."""
        size = ENTRY_BYTES + len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:
            size += len(name) + len(value)
        return size

    def as_event(self, topic: str) -> Event[bytes]:
        """What a reader of the log will take it for, with everything that is wrong with it."""
        return cloudevents.decode(Record(_NOWHERE, 0, topic, 0, 0, self.key, self.value, self.headers), topic)


class NoRoomError(Exception):
    """Nothing was written: too much waits for Kafka already, or Kafka cannot be reached."""


class NotAcknowledgedError(Exception):
    """Kafka did not acknowledge in time or refused; what is not acknowledged may or may not come to be in the log."""

    def __init__(self, acknowledged: Sequence[bool]) -> None:
        super().__init__(f"{acknowledged.count(True)} of {len(acknowledged)} records were acknowledged")
        self.acknowledged = tuple(acknowledged)
        """Of each entry, in order."""


class RecordWriter:
    """One idempotent producer at a time: after a failure a new one takes its place, because sequences have a gap."""

    def __init__(
        self, bootstrap_servers: str, connection: Mapping[str, Any], *, most_bytes: int, seconds: float
    ) -> None:
        """At most `most_bytes` wait for Kafka, and nobody waits longer than `seconds`."""
        self._bootstrap_servers = bootstrap_servers
        self._connection = connection
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self.waiting_bytes = 0
        """Of records that Kafka has not acknowledged yet."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a producer; it may still find out that Kafka has gone."""
        return self._producer is not None

    def start(self) -> None:
        """Connects in the background, for as long as it takes."""
        self._renew(None)

    async def write(self, topic: str, entries: Sequence[Entry]) -> None:
        """Returns once all are acknowledged. Raises NoRoomError, NotAcknowledgedError."""
        producer = self._producer
        sizes = [entry.bytes for entry in entries]
        if producer is None or self.waiting_bytes + sum(sizes) > self._most_bytes:
            raise NoRoomError
        sent: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._seconds):
                for entry, size in zip(entries, sizes, strict=True):
                    sent.append(await self._send(producer, topic, entry, size))
                # Not awaited themselves: a wait that is given up must not cancel what is on its way.
                await (asyncio.shield(sent[0]) if len(sent) == 1 else asyncio.wait(sent))
        except TimeoutError:
            pass
        except KafkaError as error:
            self._renew_after(producer, error)
        done = [_is_acknowledged(future) for future in sent]
        if len(done) < len(entries) or not all(done):
            failed = next((f.exception() for f in sent if f.done() and not f.cancelled() and f.exception()), None)
            if failed is not None:
                self._renew_after(producer, failed)
            raise NotAcknowledgedError(done + [False] * (len(entries) - len(done)))

    async def _send(self, producer: AIOKafkaProducer, topic: str, entry: Entry, size: int) -> asyncio.Future[Any]:
        self.waiting_bytes += size
        try:
            future = await producer.send(topic, entry.value, entry.key, partition=0, headers=entry.headers)
        except BaseException:
            self.waiting_bytes -= size
            raise
        future.add_done_callback(partial(self._release, size))
        return future

    def _release(self, size: int, future: asyncio.Future[Any]) -> None:
        self.waiting_bytes -= size
        if not future.cancelled():
            future.exception()  # seen, also where nobody waits any more

    async def stop(self) -> None:
        """Waits for what is on its way, a few seconds at most."""
        if self._renewing is not None:
            self._renewing.cancel()
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task

    def _renew_after(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        if producer is self._producer:
            log.warning("producer_renewed", error=repr(error)[:200])
            self._renew(producer)

    def _renew(self, old: AIOKafkaProducer | None) -> None:
        self._producer = None
        if old is not None:
            self._spawn(_stop(old))
        self._renewing = self._spawn(self._connect())

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _connect(self) -> None:
        wait = 0.2
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                max_batch_size=BATCH_BYTES,
                max_request_size=8 * BATCH_BYTES,
                **self._connection,
            )
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                log.warning("kafka_awaited", error=repr(error)[:200])
                await _stop(producer)
                await asyncio.sleep(wait)
                wait = min(2 * wait, 5.0)
            except BaseException:
                await _stop(producer)
                raise
            else:
                self._producer = producer
                return


def _is_acknowledged(future: asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


async def _stop(producer: AIOKafkaProducer) -> None:
    """What it cannot finish fails, so that nobody waits for it and its memory is given back."""
    if not await stop_or_cut_off(producer, STOP_SECONDS):
        producer._message_accumulator.fail_all(KafkaError("the producer was stopped"))
