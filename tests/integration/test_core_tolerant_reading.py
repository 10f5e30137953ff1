"""Where aiokafka cannot read, the tolerant reader does, record for record: also between transactions that aborted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from tests import ledger, raw_batches
from tests.hostile_records import HOSTILE
from tests.ledger import Entry, Ledger
from tests.platform import Platform

UNREADABLE = HOSTILE["header name not UTF-8"]
"""A batch that sends everything in the same fetch through the tolerant reader."""


@asynccontextmanager
async def member(platform: Platform, name: str = "one") -> AsyncIterator[AIOKafkaProducer]:
    """A producer with transactions."""
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka, transactional_id=f"{platform.prefix}{name}")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, platform: Platform, *numbers: int) -> None:
    for number in numbers:
        _, value, headers = ledger.entry(number)
        await producer.send_and_wait(f"{platform.prefix}in", value, key=b"k", headers=headers)


async def hostile(platform: Platform) -> None:
    await raw_batches.produce(platform.kafka, platform.prefix + "in", UNREADABLE.batch)


async def test_what_is_committed_between_aborted_transactions_arrives_and_what_is_aborted_does_not(
    platform: Platform,
) -> None:
    await ledger.create_topics(platform)
    async with member(platform) as one, member(platform, "two") as two:
        await hostile(platform)
        await one.begin_transaction()
        await send(one, platform, 900)
        await one.abort_transaction()
        await one.begin_transaction()
        await send(one, platform, 1)
        await two.begin_transaction()
        await send(two, platform, 901)
        await one.commit_transaction()
        await hostile(platform)
        await one.begin_transaction()
        await send(one, platform, 2)
        await send(two, platform, 902)
        await two.abort_transaction()
        await two.begin_transaction()
        await send(two, platform, 3)
        await hostile(platform)
        await two.commit_transaction()
        await one.commit_transaction()
        await two.begin_transaction()
        await send(two, platform, 903)
        await two.abort_transaction()
        await platform.produce("in", [ledger.entry(4)])
        async with ledger.ledger(platform) as service:
            service.on_topic("in", Entry, Ledger().take)
            async with platform.running(service):
                await ledger.handled(platform, [1, 2, 3, 4])
                await ledger.passed_on(platform, [1, 2, 3, 4])
                letters = await platform.read_until(ledger.DEAD_LETTERS, 3)
    assert len(letters) == 3


async def test_a_transaction_that_is_open_is_waited_for(platform: Platform) -> None:
    await ledger.create_topics(platform)
    async with member(platform) as one, ledger.ledger(platform) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            await one.begin_transaction()
            await send(one, platform, 1)
            await hostile(platform)
            await platform.produce("in", [ledger.entry(2)])
            await one.commit_transaction()
            await ledger.handled(platform, [1, 2])
            assert len(await platform.read_until(ledger.DEAD_LETTERS, 1)) == 1


async def test_an_unreadable_record_in_the_middle_of_a_batch_costs_no_other(platform: Platform) -> None:
    await ledger.create_topics(platform)
    good: list[raw_batches.RawRecord] = [
        (f"k{n}".encode(), ledger.entry(n)[1], UNREADABLE.record[2][:5]) for n in range(3000)
    ]
    good.insert(1500, UNREADABLE.record)
    data = raw_batches.batch(raw_batches.body(good), len(good))
    await raw_batches.produce(platform.kafka, platform.prefix + "in", data)
    await platform.produce("in", [ledger.entry(3000)])
    async with ledger.ledger(platform, max_records=700) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            await ledger.handled(platform, range(3001))
            (letter,) = await platform.read_until(ledger.DEAD_LETTERS, 1)
    assert letter.key == b"in/0/1500"
