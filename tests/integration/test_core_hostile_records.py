"""Whatever a record is, it arrives or becomes a dead letter, and nothing beside it is lost or done twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from pymongo import UpdateOne

from shared.contracts.dead_letter import DeadLetter
from shared.streaming import Event, Message, UnitOfWork
from tests import ledger, raw_batches
from tests.hostile_records import HOSTILE, NUMBER, Hostile
from tests.infrastructure import TestInfrastructure
from tests.ledger import Entry, Ledger
from tests.platform import Platform, event_headers, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHERS = ("b", "c", "d")
"""Partitions (or members) whose records are in the same poll as the hostile one."""
BESIDE = 20
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

    def __init__(self, platform: Platform, processor: Any) -> None:
        self.platform = platform
        self.processor = processor
        self.number = 0
        self.offsets: dict[str, int] = defaultdict(int)

    async def feed(self, topic: str, hostile: Hostile, others: Sequence[str]) -> tuple[int, list[int]]:
        """The hostile record and a good one in `topic`, good ones in the others, all at once before the service.

        Gives the hostile record's offset and the numbers of the good ones.
        """
        numbers = list(range(self.number, self.number + 2 + len(others) * BESIDE))
        self.number += len(numbers)
        async with self.processor._lock:
            # The service waits with this one in hand while the rest gathers for its next poll.
            await self.platform.produce(others[0], [ledger.entry(numbers[0])])
            for position, other in enumerate(others):
                first = 1 + position * BESIDE
                await self.platform.produce(other, [ledger.entry(n) for n in numbers[first : first + BESIDE]])
            await raw_batches.produce(self.platform.kafka, self.platform.prefix + topic, hostile.batch)
            await self.platform.produce(topic, [ledger.entry(numbers[-1])])
        offset = self.offsets[topic]
        self.offsets[topic] += 2
        return offset, numbers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raw(infra: TestInfrastructure) -> AsyncIterator[Running]:
    platform = Platform(infra.kafka, infra.mongodb)
    topics = {f"member.{member}.outbox": 1 for member in ("a", *OTHERS)}
    await platform.create_topics(topics, **ledger.LARGE)
    await platform.create_topics({ledger.DEAD_LETTERS: 1, ledger.REPLAYS: 1}, **ledger.LARGE)
    async with ledger.ledger(platform) as service:
        service.on_raw(r"^member\.[a-z]+\.outbox$", Receiver().receive)
        async with platform.running(service):
            yield Running(platform, service._processors[0])
    platform.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def typed(infra: TestInfrastructure) -> AsyncIterator[Running]:
    platform = Platform(infra.kafka, infra.mongodb)
    await platform.create_topics({"in": 1, **dict.fromkeys(OTHERS, 1), "out": 1}, **ledger.LARGE)
    await platform.create_topics({ledger.DEAD_LETTERS: 1, ledger.REPLAYS: 1}, **ledger.LARGE)
    async with ledger.ledger(platform) as service:
        for topic in ("in", *OTHERS):
            service.on_topic(topic, Entry, Ledger().take)
        async with platform.running(service):
            yield Running(platform, service._processors[0])
    platform.close()


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
    published = [ledger.entry_of(r).number for r in await platform.read("out")]
    assert sorted(n for n in published if n != NUMBER) == list(range(typed.number))
    letters = [record.key for record in await platform.read(ledger.DEAD_LETTERS)]
    assert len(letters) == len(set(letters)) == sum(hostile.error is not None for hostile in HOSTILE.values())


async def _letter(platform: Platform, offset: int) -> DeadLetter:
    async def written() -> DeadLetter | None:
        for record in await platform.read(ledger.DEAD_LETTERS):
            if record.key == f"in/0/{offset}".encode():
                return ledger.letter_of(record)
        return None

    return await eventually(written, 20, f"a dead letter for offset {offset}")
