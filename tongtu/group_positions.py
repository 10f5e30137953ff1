"""Where every consumer group stands: its position in MongoDB, its group offset in Kafka, the log's start and end."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

from shared.runtime.mongodb import connect, database_of
from tongtu.errors import CommandError
from tongtu.target import Target

_QUIET_SECONDS = 2.0
"""When reads from a place neither find a record nor reach the end for so long, it counts as behind."""

Database = AsyncIOMotorDatabase[dict[str, Any]]
Offsets = dict[TopicPartition, OffsetAndMetadata]
Place = tuple[TopicPartition, int | None]


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """One input partition of one consumer group. Offsets are None where there is none."""

    service: str
    group: str
    topic: str
    """Its logical name."""
    partition: int
    next: int | None
    sequence: int
    epoch: int
    held: str | None
    """Why it is not read until an operator decides."""
    published: int | None
    published_sequence: int | None
    start: int | None
    end: int | None
    behind: int
    """Offsets still to be processed; 0 too where only markers of transactions follow."""

    @property
    def id(self) -> str:
        """`TOPIC/PARTITION`."""
        return f"{self.topic}/{self.partition}"


@dataclass(slots=True)
class TopicSums:
    """One consumer group's positions in one topic, summed over its partitions."""

    service: str
    group: str
    topic: str
    partitions: int = 0
    position: int = 0
    group_offset: int = 0
    end: int = 0
    behind: int = 0
    unpublished: int = 0
    held: int = 0

    def add(self, position: GroupPosition) -> None:
        """Counts one partition in."""
        next, published = position.next or 0, position.published
        self.partitions += 1
        self.position += next
        self.group_offset += published or 0
        self.end += position.end or 0
        self.behind += position.behind
        self.unpublished += 0 if published is None else max(0, next - published)
        self.held += position.held is not None


def sums(positions: Iterable[GroupPosition], members_together: bool = False) -> list[TopicSums]:
    """Per consumer group and topic, in the order of the positions; all members' outboxes as one topic if asked."""
    found: dict[tuple[str, str], TopicSums] = {}
    for each in positions:
        topic = re.sub(r"^member\.[a-z0-9-]+\.", "member.*.", each.topic) if members_together else each.topic
        found.setdefault((each.group, topic), TopicSums(each.service, each.group, topic)).add(each)
    return list(found.values())


@asynccontextmanager
async def mongodb(target: Target) -> AsyncGenerator[AsyncIOMotorClient[dict[str, Any]]]:
    """A client for the block."""
    client = connect(target.mongodb)
    try:
        yield client
    finally:
        client.close()


def database(client: AsyncIOMotorClient[dict[str, Any]], target: Target, service: str) -> Database:
    """The service's database."""
    return database_of(client, service, target.prefix)


async def services_with_state(client: AsyncIOMotorClient[dict[str, Any]], target: Target) -> list[str]:
    """The services that have a database."""
    first = database_of(client, "", target.prefix).name
    return sorted(name[len(first) :] for name in await client.list_database_names() if name.startswith(first))


async def group_positions(target: Target, services: Iterable[str] | None = None) -> list[GroupPosition]:
    """Every partition of every consumer group of these services (default: all that have state), sorted.

    Raises KafkaError, PyMongoError.
    """
    async with mongodb(target) as client:
        wanted = list(services) if services is not None else await services_with_state(client, target)
        documents = [
            (service, document)
            for service in wanted
            for document in await database(client, target, service)["positions"].find().to_list(None)
        ]
    published = await _published(target, {document["group"] for _, document in documents})
    logs = await _logs(target, {(_partition(document), document.get("next")) for _, document in documents})
    return sorted(
        (_position(target, service, document, published, logs) for service, document in documents),
        key=lambda position: (position.group, position.topic, position.partition),
    )


async def decide(target: Target, position: GroupPosition, offset: int) -> None:
    """Has the group go on at that offset, whoever reads the partition now: it is fenced by the raised epoch.

    Raises CommandError if the partition was taken over since the position was read.
    """
    change = {
        "$set": {"next": offset, "epoch": position.epoch + 1, "held": None, "in_hand": None},
        # Never below what the log knows: else the state would count as older than the log for ever.
        "$max": {"sequence": position.published_sequence or 0},
    }
    async with mongodb(target) as client:
        positions = database(client, target, position.service)["positions"]
        id = f"{target.prefix}{position.group}:{target.prefix}{position.id}"
        result = await positions.update_one({"_id": id, "epoch": position.epoch}, change)
    if result.matched_count == 0:
        raise CommandError(f"another process took {position.id} over in the meantime: look at it, then decide again")


def _position(
    target: Target, service: str, document: dict[str, Any], published: dict[str, Offsets], logs: _Logs
) -> GroupPosition:
    partition = _partition(document)
    committed = published.get(document["group"], {}).get(partition)
    if committed is not None and committed.offset < 0:
        committed = None
    return GroupPosition(
        service=service,
        group=document["group"].removeprefix(target.prefix),
        topic=partition.topic.removeprefix(target.prefix),
        partition=partition.partition,
        next=document.get("next"),
        sequence=document.get("sequence", 0),
        epoch=document.get("epoch", 0),
        held=document.get("held"),
        published=committed.offset if committed else None,
        published_sequence=int(committed.metadata) if committed and committed.metadata.isdigit() else None,
        start=logs.starts.get(partition),
        end=logs.ends.get(partition),
        behind=logs.behind.get((partition, document.get("next")), 0),
    )


def _partition(document: dict[str, Any]) -> TopicPartition:
    return TopicPartition(document["topic"], document["partition"])


async def _published(target: Target, groups: Iterable[str]) -> dict[str, Offsets]:
    admin = AIOKafkaAdminClient(bootstrap_servers=target.kafka, **target.kafka_security)
    await admin.start()
    try:
        return {group: await admin.list_consumer_group_offsets(group) for group in sorted(groups)}
    finally:
        await admin.close()


@dataclass(slots=True)
class _Logs:
    """Start and end of partitions, and how far each place in them is from the end."""

    starts: dict[TopicPartition, int]
    ends: dict[TopicPartition, int]
    behind: dict[Place, int]


async def _logs(target: Target, places: set[Place]) -> _Logs:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=target.kafka,
        **target.kafka_security,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        existing = await consumer.topics()
        places = {place for place in places if place[0].topic in existing}
        partitions = sorted({partition for partition, _ in places})
        if not partitions:
            return _Logs({}, {}, {})
        consumer.assign(partitions)
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        behind = {(tp, next): max(0, ends[tp] - max(next or 0, starts[tp])) for tp, next in places}
        unsure = {place for place, offsets in behind.items() if offsets}
        while unsure:
            # One place a partition at a time: two groups may stand in one partition at different places.
            at_once = {partition: (partition, next) for partition, next in unsure}
            for partition in await _without_records(consumer, {tp: next or 0 for tp, next in at_once.values()}, ends):
                behind[at_once[partition]] = 0
            unsure -= set(at_once.values())
        return _Logs(starts, ends, behind)
    finally:
        await consumer.stop()


async def _without_records(
    consumer: AIOKafkaConsumer, places: dict[TopicPartition, int], ends: dict[TopicPartition, int]
) -> set[TopicPartition]:
    """The partitions in which only markers of transactions stand between the place and the end."""
    consumer.assign(list(places))
    for partition, offset in places.items():
        consumer.seek(partition, offset)
    waiting, empty = set(places), set[TopicPartition]()
    quiet_at = time.monotonic() + _QUIET_SECONDS
    while waiting and time.monotonic() < quiet_at:
        found: dict[TopicPartition, list[Any]] = await consumer.getmany(*waiting, timeout_ms=100, max_records=1)
        waiting -= set(found)
        reached = {partition for partition in waiting if await consumer.position(partition) >= ends[partition]}
        empty |= reached
        waiting -= reached
        if found or reached:
            quiet_at = time.monotonic() + _QUIET_SECONDS
    return empty
