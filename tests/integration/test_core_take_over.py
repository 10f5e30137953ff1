"""Taking an assignment again loses nothing, whatever a poll does meanwhile."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.streaming.options import Options
from tests import ledger
from tests.ledger import Entry, Ledger
from tests.platform import Platform, eventually


async def test_records_that_arrive_while_the_assignment_is_taken_again_are_not_lost(platform: Platform) -> None:
    await ledger.create_topics(platform)
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka)
    await producer.start()
    async with ledger.ledger(platform, options=Options(backoff_seconds=0.001)) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            processor = service._processors[0]

            async def taken() -> bool:
                return processor.is_ready

            for number in range(20):
                # The poll that waits now began under the assignment that is given up here.
                processor._take_again(KafkaError("a publish failed"))
                await eventually(taken)
                _, value, headers = ledger.entry(number)
                await producer.send_and_wait(f"{platform.prefix}in", value, key=b"k", headers=headers)
            await ledger.handled(platform, range(20), 20)
            await ledger.passed_on(platform, range(20))
    await producer.stop()


async def test_a_take_over_that_is_interrupted_again_and_again_comes_to_its_end(platform: Platform) -> None:
    await ledger.create_topics(platform, 2)
    async with ledger.ledger(platform, 2, Options(backoff_seconds=0.001)) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            processor = service._processors[0]

            async def taken() -> bool:
                return processor.is_ready

            for number in range(5):
                await platform.produce("in", ledger.entries(range(number * 20, number * 20 + 20)))
                for steps in range(30):  # each take-over gets a little further than the one before
                    processor._start_over()
                    for _ in range(steps * 3):
                        await asyncio.sleep(0)
                await eventually(taken)
            await ledger.handled(platform, range(100))
            await ledger.passed_on(platform, range(100))
            await ledger.nothing_waits(platform)
            owners = platform.database(ledger.SERVICE)["positions"].distinct("owners")
            assert len(owners) == 1, "whoever owned it before is fenced, and forgotten"


async def test_group_offsets_follow_though_nothing_is_published(platform: Platform) -> None:
    await ledger.create_topics(platform)
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, Ledger(output=None).take)
        async with platform.running(service):
            await platform.produce("in", ledger.entries(range(10)))
            await ledger.handled(platform, range(10))
            admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka)
            await admin.start()

            async def committed() -> bool:
                offsets = await admin.list_consumer_group_offsets(platform.prefix + ledger.GROUP)
                found = offsets.get(TopicPartition(f"{platform.prefix}in", 0))
                return found is not None and found.offset == 10

            await eventually(committed, 10, "a group offset at the end")
            await admin.close()
