"""Whatever a record is, it arrives or becomes a dead letter, and nothing beside it is lost or done twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from pymongo import UpdateOne

from shared.contracts.dead_letter import DeadLetter
from shared.runtime.service import Service
from shared.streaming import Event, Message, UnitOfWork
from shared.streaming.processor import Processor
from tests import ledger
from tests.hostile_records import HOSTILE, NUMBER, Hostile
from tests.infrastructure import TestInfrastructure
from tests.ledger import Entry, Ledger
from tests.platform import Platform, event_headers, eventually
from tests.raw_batches import RawProducer

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHERS = ("b", "c")
"""Partitions (or members) whose records are in the same poll as the hostile one."""
BESIDE = 10
"""Good records in each of them."""


class Receiver:
    """A raw handler that keeps every record as it came."""

    async def receive(self, events: Sequence[Event[bytes]], work: UnitOfWork) -> list[Message]:
        writes: list[UpdateOne] = []
        for event in events:
            record = event.record
            assert record is not None
            kept: dict[str, Any] = {
                "key": record.key,
                "value": None if record.is_too_large else record.value,
                "headers": [[name.encode("utf-8", "surrogateescape"), value] for name, value in record.headers],
                "problems": [problem.message for problem in event.problems],
            }
            id = f"{record.topic}/{record.offset}"
            writes.append(UpdateOne({"_id": id}, {"$inc": {"times": 1}, "$set": kept}, upsert=True))
        work.collection("received").write(writes)
        return []


class Running:
    """The service, and what it is fed: offsets are counted here, case after case."""

    def __init__(self, platform: Platform, processor: Processor, raw: RawProducer, producer: AIOKafkaProducer) -> None:
        self.platform = platform
        self.processor = processor
        self._raw = raw
        self._producer = producer
        self.number = 0
        self.fed: list[Hostile] = []
        self.offsets: dict[str, int] = defaultdict(int)

    async def feed(self, topic: str, hostile: Hostile, others: Sequence[str]) -> tuple[int, list[int]]:
        """The hostile record and a good one in `topic`, good ones in the others, all at once before the service.

        Gives the hostile record's offset and the numbers of the good ones.
        """
        numbers = list(range(self.number, self.number + 2 + len(others) * BESIDE))
        self.number += len(numbers)
        async with self.processor._lock:
            # The service waits with this one in hand while the rest gathers for its next poll.
            await self._good(others[0], numbers[:1])
            for position, other in enumerate(others):
                await self._good(other, numbers[1 + position * BESIDE : 1 + (position + 1) * BESIDE])
            await self._raw.produce(self.platform.prefix + topic, hostile.batch)
            await self._good(topic, numbers[-1:])
        self.fed.append(hostile)
        offset = self.offsets[topic]
        self.offsets[topic] += 2
        return offset, numbers

    async def _good(self, topic: str, numbers: Sequence[int]) -> None:
        for _, value, headers in map(ledger.entry, numbers[:-1]):
            await self._producer.send(self.platform.prefix + topic, value, key=b"k", headers=headers)
        _, value, headers = ledger.entry(numbers[-1])
        await self._producer.send_and_wait(self.platform.prefix + topic, value, key=b"k", headers=headers)


@asynccontextmanager
async def running(
    infra: TestInfrastructure, topics: Sequence[str], subscribe: Callable[[Service], None]
) -> AsyncIterator[Running]:
    platform = Platform(infra.kafka, infra.mongodb)
    await platform.create_topics(dict.fromkeys([*topics, ledger.DEAD_LETTERS, ledger.REPLAYS], 1), **ledger.LARGE)
    producer = AIOKafkaProducer(bootstrap_servers=infra.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    async with RawProducer(infra.kafka) as raw, ledger.ledger(platform) as service:
        subscribe(service)
        async with platform.running(service):
            yield Running(platform, service._processors[0], raw, producer)
    await producer.stop()
    platform.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raw(infra: TestInfrastructure) -> AsyncIterator[Running]:
    def subscribe(service: Service) -> None:
        service.on_raw(r"^member\.[a-z]+\.outbox$", Receiver().receive)

    async with running(infra, [f"member.{member}.outbox" for member in ("a", *OTHERS)], subscribe) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def typed(infra: TestInfrastructure) -> AsyncIterator[Running]:
    def subscribe(service: Service) -> None:
        for topic in ("in", *OTHERS):
            service.on_topic(topic, Entry, Ledger().take)

    async with running(infra, ["in", "out", *OTHERS], subscribe) as started:
        yield started


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_raw_subscription_gets_it_byte_for_byte(raw: Running, name: str) -> None:
    hostile = HOSTILE[name]
    others = [f"member.{member}.outbox" for member in OTHERS]
    received = raw.platform.database(ledger.SERVICE)["received"]
    before = received.count_documents({})

    offset, numbers = await raw.feed("member.a.outbox", hostile, others)

    async def all_came() -> bool:
        return received.count_documents({}) >= before + len(numbers) + 1

    await eventually(all_came, 20, "the hostile record, the one after it and those beside it")
    assert received.count_documents({}) == before + len(numbers) + 1
    assert received.count_documents({"times": {"$ne": 1}}) == 0
    kept = received.find_one({"_id": f"member.a.outbox/{offset}"})
    assert kept is not None
    key, value, headers = hostile.record
    assert bool(kept["problems"]) == hostile.problems, kept["problems"]
    assert kept["key"] == key
    assert kept["value"] == (value if hostile.kept else None)
    assert kept["headers"] == [list(header) for header in headers]
    follower = received.find_one({"_id": f"member.a.outbox/{offset + 1}"})
    assert follower is not None
    assert follower["problems"] == []
    assert follower["headers"] == [
        [header.encode(), content] for header, content in event_headers(f"id-{numbers[-1]}", Entry.type)
    ]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_typed_subscription_handles_it_or_keeps_it_as_a_dead_letter(typed: Running, name: str) -> None:
    hostile = HOSTILE[name]
    platform = typed.platform
    is_event = hostile.error is None and hostile.record[1] is not None
    before = ledger.seen(platform)

    offset, numbers = await typed.feed("in", hostile, OTHERS)

    async def good_ones_came() -> bool:
        return set(numbers) <= ledger.seen(platform).keys()

    await eventually(good_ones_came, 20, "the good records")
    now = ledger.seen(platform)
    assert all(now[number] == 1 for number in numbers)
    assert now.get(NUMBER, 0) - before.get(NUMBER, 0) == is_event
    letter = await _letter(platform, offset) if hostile.error else None
    if letter is not None:
        assert letter.error == hostile.error
        assert letter.tries == 1
        key, value, headers = hostile.record
        assert letter.original.key_bytes == key
        if hostile.kept:
            assert letter.original.value_bytes == value
            assert letter.original.header_bytes == [tuple(header) for header in headers]
        else:
            assert letter.original.value_bytes is None
            assert "sha256" in letter.message


async def test_nothing_was_published_twice_and_no_letter_was_written_for_a_good_record(typed: Running) -> None:
    platform = typed.platform
    for hostile in HOSTILE.values():
        if hostile not in typed.fed:  # where the cases above were not run before
            await typed.feed("in", hostile, OTHERS)
    wanted = list(range(typed.number))

    async def all_published() -> list[int] | None:
        numbers = [ledger.entry_of(record).number for record in await platform.read("out")]
        return numbers if set(wanted) <= set(numbers) else None

    published = await eventually(all_published, what="every good record in the log")
    assert sorted(number for number in published if number != NUMBER) == wanted
    letters = [record.key for record in await platform.read(ledger.DEAD_LETTERS)]
    assert len(letters) == len(set(letters)) == sum(hostile.error is not None for hostile in typed.fed)


async def _letter(platform: Platform, offset: int) -> DeadLetter:
    async def written() -> DeadLetter | None:
        for record in await platform.read(ledger.DEAD_LETTERS):
            if record.key == f"in/0/{offset}".encode():
                return ledger.letter_of(record)
        return None

    return await eventually(written, 20, f"a dead letter for offset {offset}")
