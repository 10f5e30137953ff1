"""Whether anything is still under way on a platform."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from tongtu.group_positions import GroupPosition, database, group_positions, mongodb, services_with_state
from tongtu.reading import Reader
from tongtu.target import Target

_LOOK_SECONDS = 0.3
_TELL_SECONDS = 15.0
_OUTBOX = re.compile(r"member\.[a-z0-9-]+\.outbox")
_READS_OUTBOXES = ".intake"

Place = tuple[str, int]
"""A topic of the platform, by its logical name, and a partition of it."""


async def is_settled(target: Target) -> bool:
    """Whether every service has processed and published all that the logs hold.

    Positions are read first, group offsets next, the logs' ends last. So where each end is a position, and each
    position a group offset, nothing was in hand when the ends were read: it would have had to come from a log, or
    from a timer that was due. A timer leaves its mark in the sequence alone, and one that fired between two reads in
    nothing else: hence the second look, which has to find all as the first did.

    An end that readers of committed records see hides what stands in an open transaction, also in one that is
    committed already but not in every partition: so the ends must be the same for those who read everything. Without
    a position there is a partition that no service has noticed yet.
    """
    before = await group_positions(target)
    if not before or not all(map(_is_done, before)) or await _timer_is_due(target):
        return False
    if await group_positions(target) != before:
        return False
    async with Reader(target) as reader:
        committed = await reader.ends([*await reader.topics()])
    seen = {(each.topic, each.partition): each.end for each in before}
    all_there_is = await _ends_of_everything(target, committed)
    return committed == all_there_is == {**committed, **seen} and not _unnoticed(before, committed)


async def settle(target: Target, seconds: float, tell: Callable[[str], None] = lambda line: None) -> None:
    """Returns once nothing is under way; `tell` hears now and then how much is.

    Raises TimeoutError that says where the platform stands.
    """
    began = told = time.monotonic()
    while not await is_settled(target):
        await asyncio.sleep(_LOOK_SECONDS)
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            tell(f"after {told - began:.0f} s still to be processed: {await _behind(target) or 'nothing'}")
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not settled after {seconds:.0f} s: {await _behind(target) or 'something in hand'}")


async def _behind(target: Target) -> str:
    """How many records of each topic wait, by consumer group."""
    waiting: Counter[str] = Counter()
    for each in await group_positions(target):
        waiting[f"{each.group}: {'outboxes' if each.topic.endswith('.outbox') else each.topic}"] += each.behind
    return ", ".join(f"{name} {count}" for name, count in waiting.items() if count)


def _is_done(position: GroupPosition) -> bool:
    """Whether all in its partition is processed and published; not where the partition has no leader to ask."""
    is_published = (position.published or 0) >= (position.next or 0) and (
        (position.published_sequence or 0) >= position.sequence
    )
    return is_published and position.end is not None and not position.behind and not position.held


async def _timer_is_due(target: Target) -> bool:
    async with mongodb(target) as client:
        for service in await services_with_state(client, target):
            timers = database(client, target, service)["timers"]
            if await timers.find_one({"due": {"$lte": datetime.now(UTC)}}) is not None:
                return True
    return False


async def _ends_of_everything(target: Target, places: Collection[Place]) -> dict[Place, int]:
    """Where these partitions end for those who read what is not committed, too."""
    partitions = {TopicPartition(target.topic(topic), number): (topic, number) for topic, number in places}
    consumer = AIOKafkaConsumer(bootstrap_servers=target.kafka, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        return {partitions[partition]: end for partition, end in (await consumer.end_offsets(partitions)).items()}
    finally:
        await consumer.stop()


def _unnoticed(positions: Sequence[GroupPosition], partitions: Iterable[Place]) -> set[tuple[str, str, int]]:
    """Consumer groups with partitions that they have no position in: of topics they read, and of members' outboxes."""
    readers: defaultdict[str, set[str]] = defaultdict(set)
    for each in positions:
        readers[each.topic].add(each.group)
    intake = {each.group for each in positions if each.group.endswith(_READS_OUTBOXES)}  # not of its further stages
    noticed = {(each.group, each.topic, each.partition) for each in positions if each.next is not None}
    unnoticed: set[tuple[str, str, int]] = set()
    for topic, number in partitions:
        groups = readers[topic] | intake if _OUTBOX.fullmatch(topic) else readers[topic]
        unnoticed |= {(group, topic, number) for group in groups} - noticed
    return unnoticed
