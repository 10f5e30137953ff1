"""Topics by the hundred: fetches that name only what changed miss nothing, and a silent broker makes no topic gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiokafka import TopicPartition

from shared.streaming import Event, Message, UnitOfWork
from shared.streaming.options import Options
from shared.streaming.outbox import OutboxDocument, Outgoing
from shared.streaming.publisher import Publisher
from tests import ledger
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform, eventually

TOPICS = 120


async def test_every_record_of_many_topics_arrives_once_in_turn(platform: Platform) -> None:
    await ledger.create_topics(platform)
    names = [f"many.{number}.box" for number in range(TOPICS)]
    await platform.create_topics(dict.fromkeys(names, 1))
    seen: list[tuple[str, bytes | None]] = []

    async def take(events: Sequence[Event[bytes]], work: UnitOfWork) -> list[Message]:
        seen.extend((event.topic, event.data) for event in events)
        return []

    async def all_of(count: int) -> None:
        async def come() -> bool:
            return len(seen) >= count

        await eventually(come, what=f"{count} records")

    async with ledger.ledger(platform) as service:
        service.on_raw(r"^many\.[0-9]+\.box$", take)
        async with platform.running(service):
            # Each round is read by a fetch that tells of some topics only: all, one, then those from the middle on.
            rounds = [names, names[7:8], names[7:8], names[TOPICS // 2 :]]
            said: list[tuple[str, bytes | None]] = []
            for number, spoken in enumerate(rounds):
                for name in spoken:
                    entry = ledger.entry(number)
                    await platform.produce(name, [entry])
                    said.append((name, entry[1]))
                await all_of(len(said))
            # A new topic takes the assignment over; nothing comes twice.
            await platform.create_topics({"many.999.box": 1})
            await platform.produce("many.999.box", [ledger.entry(9)])
            await platform.produce(names[3], [ledger.entry(9)])
            said += [("many.999.box", ledger.entry(9)[1]), (names[3], ledger.entry(9)[1])]
            await all_of(len(said))
    assert sorted(seen, key=repr) == sorted(said, key=repr)


async def test_a_broker_that_does_not_answer_makes_no_topic_gone(platform: Platform, infra: TestInfrastructure) -> None:
    kafka = infra.servers.kafka
    await platform.create_topics({"late": 1})
    options = Options(topic_gone_seconds=0.2, transaction_seconds=60)
    publisher = Publisher(platform.kafka, f"{platform.prefix}group", options)
    message = Outgoing(f"{platform.prefix}late", 0, b"k", b"{}", [("ce_id", b"1")], int(time.time() * 1000), 3)
    ends = {TopicPartition(message.topic, 0): (1, 1)}
    await publisher.renew()
    kafka.kill()
    try:
        publishing = asyncio.create_task(publisher.publish([OutboxDocument("p", 1, 0, 1, "t", [message])], ends))
        done, _ = await asyncio.wait([publishing], timeout=3)
        assert not done, "it knew without an answer that the topic is gone"
    finally:
        await asyncio.to_thread(kafka.start)
    await publishing
    await publisher.stop()
    assert len(await platform.read_until("late", 1)) == 1
