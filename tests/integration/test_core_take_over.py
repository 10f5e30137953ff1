"""Taking an assignment again loses nothing, whatever a poll does meanwhile."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer
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
