"""Reads the only partition of many topics page by page, and waits for more of all of them in one request.

However many read, there are two connections to each broker and no buffer: a page is fetched when its reader wants it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import KafkaError, NoError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from shared.streaming.record import Headers

log = structlog.get_logger(__name__)

WATCH_MS = 250
"""How long a broker may hold back the answer that nothing is new; a topic just added joins the next request."""
FETCHES = 16
"""Pages fetched at a time, so that memory is bounded by as many largest pages."""
_EARLIEST, _LATEST = -2, -1


@dataclass(slots=True)
class LogRecord:
    """One committed record, and the offset to go on from behind it."""

    next_offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(slots=True)
class Page:
    """Records in order, none where there is nothing new, and where to go on."""

    records: list[LogRecord]
    next_offset: int
    end: int
    """The end of what is committed; a page that goes on there is the last one for now."""


class OffsetGoneError(Exception):
    """Nothing can be read at that offset: retention has passed it, or the topic was made anew."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(f"only {start} to {end} can be read")
        self.start = start
        self.end = end


class LogUnavailableError(Exception):
    """Kafka could not be reached in time, or has no such topic."""


@dataclass(slots=True)
class Watch:
    """A topic that somebody waits on."""

    end: int = -1
    """As far as is known to be committed; -1 is not known."""
    readers: int = 0
    _changed: set[asyncio.Future[None]] = field(default_factory=set[asyncio.Future[None]])

    async def beyond(self, offset: int, seconds: float) -> None:
        """Returns when something is committed at that offset, when woken, or when the time is over."""
        if self.end < offset:
            self.end = offset
            self.wake()  # whoever waits for less: what is looked for from now on lies beyond
        if self.end > offset:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._changed.discard(future)

    def wake(self) -> None:
        """Has everybody who waits look again."""
        for future in self._changed:
            if not future.done():
                future.set_result(None)


class LogReader:
    """Reads committed records of partition 0 of any topic."""

    def __init__(self, bootstrap_servers: str, connection: Mapping[str, Any], *, seconds: float) -> None:
        """A page that cannot be had within `seconds` is not waited for any longer."""
        arguments: dict[str, Any] = {"bootstrap_servers": bootstrap_servers, **connection}
        self._arguments = arguments
        self._seconds = seconds
        self._pages: AIOKafkaClient | None = None
        self._news: AIOKafkaClient | None = None
        self._fetches = asyncio.Semaphore(FETCHES)
        self._watches: dict[str, Watch] = {}
        self._watched = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether Kafka was reached once."""
        return self._news is not None

    def start(self) -> None:
        """Connects in the background, for as long as it takes."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Lets go of all connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for client in (self._pages, self._news):
            if client is not None:
                await client.close()

    @contextmanager
    def watching(self, topic: str) -> Iterator[Watch]:
        """Has the topic watched for the duration of the block."""
        watch = self._watches.setdefault(topic, Watch())
        watch.readers += 1
        self._watched.set()
        try:
            yield watch
        finally:
            watch.readers -= 1
            if watch.readers == 0:
                del self._watches[topic]

    def wake(self, topic: str) -> None:
        """Has everybody who waits on that topic look again."""
        if topic in self._watches:
            self._watches[topic].wake()

    def wake_all(self) -> None:
        """Has everybody look again."""
        for watch in self._watches.values():
            watch.wake()

    async def read(self, topic: str, offset: int | None, most_records: int, most_bytes: int) -> Page:
        """A page from that offset on; None is the oldest record there is.

        `most_bytes` ends a page early, but never before its first record. Raises OffsetGoneError, LogUnavailableError.
        """
        client, deadline = self._pages, time.monotonic() + self._seconds
        if client is None:
            raise LogUnavailableError("Kafka has not been reached yet")
        while True:
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), 0.001)), self._fetches:
                    if offset is None:
                        offset = await _edge(client, topic, _EARLIEST)
                    try:
                        return await _fetch(client, topic, offset, most_records, most_bytes)
                    except OffsetOutOfRangeError:
                        start, end = await _edge(client, topic, _EARLIEST), await _edge(client, topic, _LATEST)
                        raise OffsetGoneError(start, end) from None
            except TimeoutError:
                raise LogUnavailableError(f"{topic} could not be read in time") from None
            except (KafkaError, OSError) as error:
                if time.monotonic() + 0.2 > deadline:
                    raise LogUnavailableError(f"{topic}: {error!r}") from None
                client.force_metadata_update()
                await asyncio.sleep(0.1)

    async def _run(self) -> None:
        self._pages = await self._connected()
        self._news = await self._connected()
        while True:
            await self._watched.wait()
            if not self._watches:
                self._watched.clear()
                continue
            try:
                await self._look(self._news)
            except (KafkaError, OSError) as error:
                log.debug("watch_interrupted", error=repr(error)[:200])
                self._news.force_metadata_update()
                await asyncio.sleep(WATCH_MS / 1000)

    async def _connected(self) -> AIOKafkaClient:
        while True:
            client = AIOKafkaClient(**self._arguments)
            try:
                await client.bootstrap()
            except (KafkaError, OSError) as error:
                log.warning("kafka_awaited", error=repr(error)[:200])
                await client.close()
                await asyncio.sleep(1)
            else:
                return client

    async def _look(self, client: AIOKafkaClient) -> None:
        by_leader: dict[int, list[tuple[str, list[tuple[int, int, int]]]]] = defaultdict(list)
        for topic, watch in self._watches.items():
            leader = client.cluster.leader_for_partition(TopicPartition(topic, 0))
            if leader is None or leader == -1:
                client.add_topic(topic)
                # Not left to `add_topic`: the answer that is on its way just then does not know of the topic, and
                # aiokafka would not ask again for minutes.
                client.force_metadata_update()
            elif watch.end >= 0:
                by_leader[leader].append((topic, [(0, watch.end, 1)]))
        if not by_leader:
            await asyncio.sleep(0.05)
            return
        await asyncio.gather(*(self._look_at(client, node, topics) for node, topics in by_leader.items()))

    async def _look_at(self, client: AIOKafkaClient, node: int, topics: list[Any]) -> None:
        # One byte is asked for: of the answer only the ends count. Kafka adds a batch all the same, of one partition.
        response: Any = await client.send(node, FetchRequest(WATCH_MS, 1, 1, READ_COMMITTED, topics))
        failed = False
        for topic, parts in response.topics:
            watch = self._watches.get(topic)
            if watch is None:
                continue
            error, end = parts[0][1], parts[0][3]
            if error != 0:
                failed, watch.end = True, -1  # whoever reads finds out why, and begins again
                watch.wake()
            elif end > watch.end:
                watch.end = end
                watch.wake()
        if failed:
            client.force_metadata_update()
            await asyncio.sleep(WATCH_MS / 1000)


async def _leader(client: AIOKafkaClient, topic: str) -> int:
    leader = client.cluster.leader_for_partition(TopicPartition(topic, 0))
    if leader is None or leader == -1:
        await client.add_topic(topic)
        leader = client.cluster.leader_for_partition(TopicPartition(topic, 0))
    if leader is None or leader == -1:
        raise KafkaError(f"{topic} has no leader")
    return leader


async def _edge(client: AIOKafkaClient, topic: str, which: int) -> int:
    """The oldest offset that can be read, or the one behind the newest that is committed."""
    node = await _leader(client, topic)
    response: Any = await client.send(node, OffsetRequest(-1, READ_COMMITTED, [(topic, [(0, which)])]))
    _, error, *rest = response.topics[0][1][0]
    _raise_for(error, topic)
    return rest[1]


async def _fetch(client: AIOKafkaClient, topic: str, offset: int, most_records: int, most_bytes: int) -> Page:
    node = await _leader(client, topic)
    request = FetchRequest(0, 0, most_bytes, READ_COMMITTED, [(topic, [(0, offset, most_bytes)])])
    response: Any = await client.send(node, request)
    part = response.topics[0][1][0]
    _raise_for(part[1], topic)
    aborted = part[5] if response.API_VERSION >= 11 else part[-2]
    found = PartitionRecords(
        TopicPartition(topic, 0), MemoryRecords(part[-1]), aborted, offset, None, None, True, READ_COMMITTED
    )
    records: list[LogRecord] = []
    size = 0
    for record in found:
        size += len(record.key or b"") + len(record.value or b"")
        if records and size > most_bytes:
            return Page(records, records[-1].next_offset, part[3])
        records.append(LogRecord(record.offset + 1, record.key, record.value, record.headers))
        if len(records) == most_records:
            break
    return Page(records, found.next_fetch_offset, part[3])


def _raise_for(code: int, topic: str) -> None:
    error = for_code(code)
    if error is not NoError:
        raise error(topic)
