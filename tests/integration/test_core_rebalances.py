"""Instances come and go while events flow: partitions change hands, and nothing is lost, done twice or reordered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from shared.runtime.service import Service
from shared.streaming import Event, Message, UnitOfWork
from shared.streaming.options import Options
from shared.streaming.processor import Processor
from tests import ledger
from tests.ledger import Entry, Ledger
from tests.platform import Platform, eventually

PARTITIONS = 4


@asynccontextmanager
async def instance(platform: Platform, partitions: int = PARTITIONS) -> AsyncIterator[Service]:
    async with ledger.ledger(platform, partitions, max_records=50, session_timeout=2) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            yield service


async def test_instances_that_join_and_leave_under_load(platform: Platform) -> None:
    await ledger.create_topics(platform, PARTITIONS)
    fed = 0
    stop = asyncio.Event()

    async def nearly_done() -> bool:
        return platform.database(ledger.SERVICE)["seen"].count_documents({}) > fed - 400

    async def feed() -> None:
        nonlocal fed
        while not stop.is_set():
            await platform.produce("in", ledger.entries(range(fed, fed + 50), keys=13))
            fed += 50
            await eventually(nearly_done)

    async with instance(platform) as first:
        feeding = asyncio.create_task(feed())
        for _ in range(2):
            async with instance(platform), instance(platform):
                before = fed

                async def more() -> bool:
                    return fed >= before + 200  # noqa: B023

                await eventually(more)
        stop.set()
        await feeding
        await ledger.handled(platform, range(fed))
        await ledger.passed_on(platform, range(fed))
        await ledger.nothing_waits(platform)
        processor = first._processors[0]
        assert len(processor._owned.positions) == PARTITIONS + 1
        assert not processor._owned.alone, "ends that no record is to blame for count as crashes"


async def test_a_stopped_service_leaves_nothing_in_flight(platform: Platform) -> None:
    await ledger.create_topics(platform, PARTITIONS)
    await platform.produce("in", ledger.entries(range(3000)))
    loop = asyncio.get_running_loop()
    async with ledger.ledger(platform, PARTITIONS, max_records=100) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):

            async def in_the_middle() -> bool:
                return len(ledger.seen(platform)) > 300

            await eventually(in_the_middle)
            told = loop.time()
    assert loop.time() - told < 5
    database = platform.database(ledger.SERVICE)
    handled = len(ledger.seen(platform))
    assert 0 < handled < 3000, "it was to be stopped half-way"
    assert database["outbox"].count_documents({}) == 0
    positions = list(database["positions"].find())
    assert [position["owners"] for position in positions] == [[]] * (PARTITIONS + 1)
    assert {position["instance"] for position in positions} == {None}
    await ledger.passed_on(platform, ledger.seen(platform).keys())
    async with instance(platform):
        await ledger.handled(platform, range(3000))
        await ledger.passed_on(platform, range(3000))


async def test_more_instances_than_partitions(platform: Platform) -> None:
    await ledger.create_topics(platform, 1)
    async with instance(platform, 1), instance(platform, 1), instance(platform, 1) as third:
        await platform.produce("in", ledger.entries(range(20)))
        await ledger.handled(platform, range(20))
        await ledger.passed_on(platform, range(20))
        assert third.is_ready


async def test_a_member_topic_that_appears_is_read_from_its_first_record(platform: Platform) -> None:
    await platform.create_topics({"member.a.in": 1, "out": 1, ledger.DEAD_LETTERS: 1, ledger.REPLAYS: 1})
    async with ledger.ledger(platform) as service:
        service.on_raw(r"^member\.[a-z]+\.in$", RawLedger().take)
        async with platform.running(service):
            await platform.produce("member.a.in", ledger.entries(range(10)))
            await platform.create_topics({"member.b.in": 1})
            await platform.produce("member.b.in", [ledger.entry(n, "b") for n in range(100, 110)])
            await ledger.handled(platform, [*range(10), *range(100, 110)], 20)
            await platform.produce("member.a.in", ledger.entries(range(10, 20)))
            await ledger.handled(platform, [*range(20), *range(100, 110)], 20)
            await ledger.passed_on(platform, [*range(20), *range(100, 110)])


@asynccontextmanager
async def of_members(platform: Platform) -> AsyncIterator[Processor]:
    """A service that reads each member's topic; one member has said ten things, and all is published."""
    await platform.create_topics({"member.a.in": 1, "out": 1, ledger.DEAD_LETTERS: 1, ledger.REPLAYS: 1})
    async with ledger.ledger(platform) as service:
        service.on_raw(r"^member\.[a-z]+\.in$", RawLedger().take)
        async with platform.running(service):
            await platform.produce("member.a.in", ledger.entries(range(10)))
            await ledger.handled(platform, range(10))
            await ledger.nothing_waits(platform)
            yield service._processors[0]


def epochs(platform: Platform) -> dict[str, int]:
    """By topic, how often its partition was taken over."""
    found = platform.database(ledger.SERVICE)["positions"].find()
    return {position["topic"].removeprefix(platform.prefix): position["epoch"] for position in found}


async def test_a_new_topic_leaves_the_others_as_they_are(platform: Platform) -> None:
    async with of_members(platform):
        before = epochs(platform)
        await platform.create_topics({"member.b.in": 1})
        await platform.produce("member.b.in", [ledger.entry(n, "b") for n in range(10, 20)])
        await platform.produce("member.a.in", ledger.entries(range(20, 30)))
        await ledger.handled(platform, range(30))
        await ledger.passed_on(platform, range(30))
        assert epochs(platform) == before | {"member.b.in": 1}


@pytest.mark.parametrize("change", [{"$inc": {"epoch": 1}}, {"$set": {"owners": ["somebody"]}}])
async def test_what_somebody_else_had_during_a_rebalance_is_taken_over(
    platform: Platform, change: dict[str, Any]
) -> None:
    async with of_members(platform) as processor:
        await processor.on_partitions_revoked([])
        before = epochs(platform)
        found = platform.database(ledger.SERVICE)["positions"].update_many({}, change)
        assert found.modified_count == len(before)
        await processor.on_partitions_assigned([])
        await platform.produce("member.a.in", ledger.entries(range(10, 20)))
        await ledger.handled(platform, range(20))
        await ledger.passed_on(platform, range(20))
        assert all(epoch > before[topic] for topic, epoch in epochs(platform).items())


async def test_state_that_was_restored_during_a_rebalance_is_noticed(platform: Platform) -> None:
    async with of_members(platform) as processor:
        await processor.on_partitions_revoked([])
        older = {"$inc": {"sequence": -1, "next": -1}}
        platform.database(ledger.SERVICE)["positions"].update_one({"topic": f"{platform.prefix}member.a.in"}, older)
        await processor.on_partitions_assigned([])

        async def held() -> bool:
            return bool(processor._held)

        await eventually(held, what="a partition that is held back")


async def test_what_happens_between_a_new_topic_and_its_rebalance_gives_nothing_away(platform: Platform) -> None:
    async with of_members(platform) as processor:
        consumer = processor.consumer
        assert consumer is not None
        owned, failures = set(processor._owned.positions), processor._recovery._failures

        async def taken() -> bool:
            assert not processor.is_ready or owned <= processor._owned.positions.keys(), "it is ready with nothing"
            return processor.is_ready

        # aiokafka does this as soon as it sees a topic, and knows no assignment until it has joined the group again.
        consumer._subscription.subscribe_from_pattern({partition.topic for partition in owned})
        assert consumer.assignment_in_force() is None
        await processor._tick()
        assert processor._recovery._failures == failures
        processor._take_again(KafkaError("a publish failed"))
        await eventually(taken)
        await platform.produce("member.a.in", ledger.entries(range(10, 20)))
        await ledger.handled(platform, range(20))
        await ledger.passed_on(platform, range(20))


async def test_a_handler_that_outlasts_the_draining_is_fenced(platform: Platform) -> None:
    await ledger.create_topics(platform, PARTITIONS)
    busy, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Ledger):
        async def take(self, events: Sequence[Event[Any]], work: UnitOfWork) -> list[Message]:
            busy.set()
            await go_on.wait()
            return await super().take(events, work)

    async with ledger.ledger(platform, PARTITIONS, Options(drain_seconds=0.3), session_timeout=5) as slow:
        slow.on_topic("in", Entry, Slow().take)
        async with platform.running(slow):
            await platform.produce("in", ledger.entries(range(40)))
            await busy.wait()
            async with instance(platform):  # gets half of the partitions, while the other half is still in hand

                async def half() -> bool:
                    return len(ledger.seen(platform)) > 0

                await eventually(half)
                go_on.set()
                await platform.produce("in", ledger.entries(range(40, 80)))
                await ledger.handled(platform, range(80))
                await ledger.passed_on(platform, range(80))
                await ledger.nothing_waits(platform)


class RawLedger(Ledger):
    """The ledger over bytes."""

    async def take(self, events: Sequence[Event[Any]], work: UnitOfWork) -> list[Message]:
        read = [replace(event, data=Entry.model_validate_json(event.data or b"")) for event in events]
        return await super().take(read, work)
