"""Reads what is committed in the platform's topics: all of a topic, the latest of one key, or what comes in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, TopicAuthorizationFailedError
from aiokafka.partitioner import murmur2

from shared.streaming import decompression, tolerant_reader
from shared.streaming.cloudevents import decode
from shared.streaming.event import Event
from shared.streaming.record import Record
from tongtu.errors import CommandError
from tongtu.target import Target

_POLL_MILLISECONDS = 500
_STALL_SECONDS = 30.0
"""A topic whose end is not reached by then has an open transaction in it, or a broker that does not answer."""
_FETCH_BYTES = 2 * 1024 * 1024
"""Of each partition ahead; the bound on what a scan keeps in memory."""


class Reader:
    """One consumer without a group: reads from any partition and leaves no trace. Records come as CloudEvents."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=target.kafka,
            **target.kafka_security,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=_FETCH_BYTES,
            metadata_max_age_ms=3000,
        )
        self._at: dict[TopicPartition, int] = {}
        """Where each partition is to be read next."""

    async def __aenter__(self) -> Self:
        """Connects. Raises KafkaError."""
        decompression.install()  # a member's record must not blow up the operator's terminal either
        await self._consumer.start()
        await asyncio.sleep(0)  # aiokafka cannot stop a consumer whose tasks have not begun
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def topics(self) -> dict[str, int]:
        """Every topic of the platform (its logical name) with its number of partitions."""
        cluster = await self._consumer._client.fetch_all_metadata()
        prefix = self._target.prefix
        found = {name: len(cluster.partitions_for_topic(name) or ()) for name in cluster.topics()}
        return {name[len(prefix) :]: count for name, count in found.items() if name.startswith(prefix)}

    async def scan(self, topic: str, key: str | None = None) -> AsyncIterator[Event[bytes]]:
        """What is in a topic now, from its start, in order for each key; with `key` only where that key would be.

        Raises CommandError if there is no such topic, or if its end cannot be reached.
        """
        partitions = await self._partitions([topic])
        if key is not None:
            partitions = [partitions[(murmur2(key.encode()) & 0x7FFFFFFF) % len(partitions)]]
        self._consumer.assign(partitions)
        ends = await self._consumer.end_offsets(partitions)
        starts = await self._consumer.beginning_offsets(partitions)
        for partition in partitions:
            self._seek(partition, starts[partition])
        for partition in partitions:
            deadline = time.monotonic() + _STALL_SECONDS
            while await self._consumer.position(partition) < ends[partition]:
                for record in await self._poll([partition]):
                    deadline = time.monotonic() + _STALL_SECONDS
                    if record.offset < ends[partition]:
                        yield self._event(record)
                if time.monotonic() > deadline:
                    raise CommandError(f"the end of {topic} cannot be read: see `tongtu status`, then try again")
            self._consumer.pause(partition)

    async def latest(self, topic: str, key: str) -> Event[bytes] | None:
        """The last record of that key, a null record too; None if the topic has none."""
        last = None
        async for event in self.scan(topic, key):
            if event.key == key:
                last = event
        return last

    async def state(self, topic: str, containing: str = "") -> dict[str, Event[bytes]]:
        """The latest record of each key that is not null, of those whose value contains a text.

        The text only saves memory: it is looked for in the bytes, so what is found may not be what is meant.
        """
        found: dict[str, Event[bytes]] = {}
        needle = containing.encode()
        async for event in self.scan(topic):
            if event.key is None:
                continue
            if event.data is not None and needle in event.data:
                found[event.key] = event
            else:
                found.pop(event.key, None)
        return found

    async def count(self, topic: str) -> int:
        """How many keys have a latest record that is not null."""
        keys: set[str | None] = set()
        async for event in self.scan(topic):
            if event.data is None:
                keys.discard(event.key)
            else:
                keys.add(event.key)
        return len(keys)

    async def ends(self, topics: Sequence[str]) -> dict[tuple[str, int], int]:
        """Where each partition of these topics ends now."""
        partitions = await self._partitions(topics)
        ends = await self._consumer.end_offsets(partitions)
        return {(self._logical(partition), partition.partition): end for partition, end in ends.items()}

    async def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """How many offsets each topic holds, markers of transactions and gaps of compaction among them."""
        partitions = await self._partitions(topics)
        if not partitions:
            return {}
        ends = await self._consumer.end_offsets(partitions)
        starts = await self._consumer.beginning_offsets(partitions)
        sizes = dict.fromkeys(topics, 0)
        for partition, end in ends.items():
            sizes[self._logical(partition)] += end - starts[partition]
        return sizes

    async def follow(
        self, topics: Sequence[str], positions: Mapping[tuple[str, int], int] | None = None, from_start: bool = False
    ) -> AsyncIterator[Event[bytes] | None]:
        """Every record of these topics from now on, or from the positions or the start; None whenever there is none.

        Goes on for ever, also while the broker is away.
        """
        partitions = await self._partitions(topics)
        self._consumer.assign(partitions)
        at: dict[TopicPartition, int] = await (
            self._consumer.beginning_offsets(partitions) if from_start else self._consumer.end_offsets(partitions)
        )
        for partition, offset in at.items():
            self._seek(partition, (positions or {}).get((self._logical(partition), partition.partition), offset))
        while True:
            records = await self._poll(partitions)
            for record in records:
                yield self._event(record)
            if not records:
                yield None

    async def matching(self, patterns: Iterable[str]) -> list[str]:
        """The topics that these names mean; "*" stands for anything. Raises CommandError for one that means none."""
        existing = sorted(await self.topics())
        found: dict[str, None] = {}
        for pattern in patterns:
            names = [name for name in existing if fnmatchcase(name, pattern)]
            if not names:
                raise CommandError(f"no topic is called {pattern}: `tongtu topics list` shows them all")
            found.update(dict.fromkeys(names))
        return list(found)

    async def _partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        existing = await self.topics()
        missing = [topic for topic in topics if topic not in existing]
        if missing:
            raise CommandError(f"there is no topic {', '.join(missing)}: create it with `tongtu topics apply`")
        return [TopicPartition(self._target.topic(topic), n) for topic in topics for n in range(existing[topic])]

    async def _poll(self, partitions: Sequence[TopicPartition]) -> list[Record]:
        """What has come. Where aiokafka cannot read a batch, every partition is read tolerantly from where it stood."""
        try:
            found: Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]] = await self._consumer.getmany(
                *partitions, timeout_ms=_POLL_MILLISECONDS
            )
        except (ConsumerStoppedError, TopicAuthorizationFailedError):
            raise
        except Exception:
            # Records of other partitions may have been drained in the same call: hence all of them.
            return await self._poll_tolerantly(partitions)
        for partition, records in found.items():
            self._at[partition] = records[-1].offset + 1
        return [self._record(record) for records in found.values() for record in records]

    async def _poll_tolerantly(self, partitions: Sequence[TopicPartition]) -> list[Record]:
        records: list[Record] = []
        for partition in partitions:
            try:
                found, next_offset = await tolerant_reader.read(self._consumer, partition, self._at[partition])
            except (KafkaError, TimeoutError):
                await asyncio.sleep(_POLL_MILLISECONDS / 1000)  # the broker is away; the next poll meets it again
                next_offset = self._at[partition]
                found = []
            self._seek(partition, next_offset)
            records += found
        return records

    def _seek(self, partition: TopicPartition, offset: int) -> None:
        self._at[partition] = offset
        self._consumer.seek(partition, offset)

    def _record(self, raw: ConsumerRecord[Any, Any]) -> Record:
        origin = TopicPartition(raw.topic, raw.partition)
        return Record(origin, raw.offset, raw.topic, raw.partition, raw.timestamp, raw.key, raw.value, raw.headers)

    def _event(self, record: Record) -> Event[bytes]:
        return decode(record, self._logical(record.origin))

    def _logical(self, partition: TopicPartition) -> str:
        return partition.topic[len(self._target.prefix) :]
