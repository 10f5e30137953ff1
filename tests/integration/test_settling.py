"""A platform counts as settled only where nothing is under way, whatever hides it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.settling import is_settled, settle
from shared.runtime.service import Service
from shared.streaming import Event, UnitOfWork
from tests import ledger
from tests.ledger import Entry, Ledger, write_sizes
from tests.platform import Platform
from tongtu.target import Target

SECONDS = 30.0


def target_of(platform: Platform) -> Target:
    return Target(platform.kafka, platform.mongodb, platform.prefix)


async def test_an_outbox_that_nobody_has_noticed_yet(platform: Platform) -> None:
    """A consumer of a pattern sees a new topic when it next asks for the metadata; until then it has no position."""

    async def take(events: Sequence[Event[bytes]], work: UnitOfWork) -> list[Any]:
        write_sizes(events, work)
        return []

    await platform.create_topics({"member.known.outbox": 1, "intake.dead-letters": 1, "intake.replays": 1})
    async with Service("intake", platform.settings(), lambda _: 1) as service:
        service.on_raw(r"^member\.[a-z0-9-]+\.outbox$", take)
        async with platform.running(service):
            await settle(target_of(platform), SECONDS)
            await platform.create_topics({"member.new.outbox": 1})
            await platform.produce("member.new.outbox", [ledger.entry(1)])
            await settle(target_of(platform), SECONDS)
            assert platform.database("intake")["sizes"].count_documents({}) == 1


@asynccontextmanager
async def idle(platform: Platform) -> AsyncIterator[None]:
    """The ledger, with ten records behind it."""
    await ledger.create_topics(platform)
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            await platform.produce("in", ledger.entries(range(10)))
            await settle(target_of(platform), SECONDS)
            assert ledger.seen(platform).keys() == set(range(10))
            yield


async def test_records_in_an_open_transaction(platform: Platform) -> None:
    """Also in a topic that no service reads: an inbox is read when the platform is settled."""
    async with idle(platform):
        for topic in ("in", "out"):
            producer = AIOKafkaProducer(bootstrap_servers=platform.kafka, transactional_id=f"{platform.prefix}{topic}")
            await producer.start()
            try:
                async with producer.transaction():
                    _, value, headers = ledger.entry(10)
                    await producer.send_and_wait(f"{platform.prefix}{topic}", value, headers=headers)
                    assert not await is_settled(target_of(platform))
                await settle(target_of(platform), SECONDS)
            finally:
                await producer.stop()
        assert ledger.seen(platform).keys() == set(range(11))


async def test_timers_that_are_due_and_what_they_leave_to_publish(platform: Platform) -> None:
    async with idle(platform):
        pass
    database = platform.database(ledger.SERVICE)
    assert await is_settled(target_of(platform))
    now = datetime.now(UTC)
    database["timers"].insert_one({"_id": "later", "due": now + timedelta(hours=1)})
    assert await is_settled(target_of(platform))
    database["timers"].insert_one({"_id": "now", "due": now})
    assert not await is_settled(target_of(platform))
    database["timers"].delete_one({"_id": "now"})
    assert await is_settled(target_of(platform))
    # A step of a timer that is processed and not published: the group offset stays where it was.
    database["positions"].update_one({"topic": f"{platform.prefix}in"}, {"$inc": {"sequence": 1}})
    assert not await is_settled(target_of(platform))


async def test_what_happens_between_two_looks(platform: Platform) -> None:
    """However often it is asked while records come: settled is never said before the last of them is passed on."""
    async with idle(platform):
        for number in range(10, 15):
            await platform.produce("in", [ledger.entry(number)])
            await asyncio.sleep(0)
            await settle(target_of(platform), SECONDS)
            assert len(await platform.read("out")) == number + 1
