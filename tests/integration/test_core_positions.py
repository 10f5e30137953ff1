"""Where the log and the state do not fit together, a partition is held for an operator; the others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.runtime.service import Service
from shared.streaming.options import Options
from tests import ledger
from tests.ledger import Entry, Ledger
from tests.platform import Platform, eventually

SOON = Options(look_again_seconds=0.5, tick_seconds=0.2)


@asynccontextmanager
async def two_inputs(platform: Platform, wait: bool = True) -> AsyncIterator[Service]:
    """The service over `in` and `other`; `wait` for its readiness, which a held partition denies."""
    async with ledger.ledger(platform, options=SOON) as service:
        service.on_topic("in", Entry, Ledger().take)
        service.on_topic("other", Entry, Ledger().take)
        if wait:
            async with platform.running(service):
                yield service
        else:
            async with platform.running(service, until_ready=False):
                yield service


def position(platform: Platform, topic: str = "in") -> dict[str, Any]:
    """The position's document."""
    found = platform.database(ledger.SERVICE)["positions"].find_one({"topic": platform.prefix + topic})
    assert found is not None
    return found


async def held(platform: Platform, why: str) -> None:
    """Waits until `in` is held for this reason."""

    async def noted() -> bool:
        return why in (position(platform).get("held") or "")

    await eventually(noted, 30, f"a position held because it is {why}")


def decide(platform: Platform, next: int) -> None:
    """What `tongtu positions set` writes."""
    before = position(platform)
    change = {"$set": {"next": next, "epoch": before["epoch"] + 1, "held": None, "in_hand": None}}
    platform.database(ledger.SERVICE)["positions"].update_one({"_id": before["_id"], "epoch": before["epoch"]}, change)


async def ready(service: Service) -> None:
    async def is_ready() -> bool:
        return service.is_ready

    await eventually(is_ready, 20, "readiness")


async def delete_records(platform: Platform, topic: str, before: int) -> None:
    """What retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(platform.prefix + topic, 0): RecordsToDelete(before)})
    finally:
        await admin.close()


async def recreate(platform: Platform, topic: str) -> None:
    await platform.delete_topics(topic)

    async def created() -> bool:
        try:
            await platform.create_topics({topic: 1})
        except AssertionError:
            return False
        return True

    await eventually(created)


async def test_a_topic_recreated_while_the_service_is_stopped(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, other=1)
    await platform.produce("in", ledger.entries(range(10)))
    async with two_inputs(platform):
        await ledger.handled(platform, range(10))
        await ledger.nothing_waits(platform)
    await recreate(platform, "in")
    await platform.produce("in", ledger.entries(range(10, 13)))
    async with two_inputs(platform, wait=False) as service:
        await held(platform, "beyond the log's end")
        await platform.produce("other", [ledger.entry(n, "o") for n in range(100, 105)])
        await ledger.handled(platform, [*range(10), *range(100, 105)], 10)
        assert not service.is_ready
        decide(platform, 0)
        await ledger.handled(platform, [*range(13), *range(100, 105)])
        await ready(service)
        await ledger.passed_on(platform, [*range(13), *range(100, 105)])


async def test_a_topic_recreated_under_a_running_service(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, other=1)
    await platform.produce("in", ledger.entries(range(10)))
    async with two_inputs(platform) as service:
        await ledger.handled(platform, range(10))
        await recreate(platform, "in")
        await held(platform, "beyond the log's end")
        await platform.produce("other", [ledger.entry(n, "o") for n in range(100, 105)])
        await ledger.handled(platform, [*range(10), *range(100, 105)], 10)
        assert not service.is_ready
        await platform.produce("in", ledger.entries(range(10, 13)))
        decide(platform, 0)
        await ledger.handled(platform, [*range(13), *range(100, 105)])
        await ready(service)


async def test_a_topic_deleted_under_a_running_service_stops_no_other(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, other=1)
    await platform.produce("in", ledger.entries(range(10)))
    async with two_inputs(platform):
        await ledger.handled(platform, range(10))
        await platform.delete_topics("in")
        for number in range(100, 110):
            await platform.produce("other", [ledger.entry(number, "o")])
            await ledger.handled(platform, [*range(10), *range(100, number + 1)], 20)


async def test_retention_that_passed_the_position_while_the_service_was_stopped(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, other=1)
    await platform.produce("in", ledger.entries(range(10)))
    async with two_inputs(platform):
        await ledger.handled(platform, range(10))
    await platform.produce("in", ledger.entries(range(10, 20)))
    await delete_records(platform, "in", 15)
    async with two_inputs(platform, wait=False) as service:
        await held(platform, "before the log's start")
        await platform.produce("other", [ledger.entry(n, "o") for n in range(100, 105)])
        await ledger.handled(platform, [*range(10), *range(100, 105)], 10)
        decide(platform, 15)
        await ledger.handled(platform, [*range(10), *range(15, 20), *range(100, 105)])
        await ready(service)


async def test_retention_that_overtakes_a_running_service(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, other=1)
    async with two_inputs(platform) as service:
        await platform.produce("in", ledger.entries(range(10)))
        await ledger.handled(platform, range(10))
        processor = service._processors[0]
        async with processor._lock:  # it is busy
            processor._take_again(RuntimeError("whatever it was"))
            await platform.produce("in", ledger.entries(range(10, 20)))
            await delete_records(platform, "in", 15)
        await held(platform, "before the log's start")
        await platform.produce("other", [ledger.entry(n, "o") for n in range(100, 105)])
        await ledger.handled(platform, [*range(10), *range(100, 105)], 10)
        decide(platform, 15)
        await ledger.handled(platform, [*range(10), *range(15, 20), *range(100, 105)])
        await ready(service)


async def test_state_restored_from_an_older_copy(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, other=1)
    await platform.produce("in", ledger.entries(range(5)))
    async with two_inputs(platform):
        await ledger.handled(platform, range(5))
    older = position(platform)
    async with two_inputs(platform):
        for number in range(5, 10):
            await platform.produce("in", ledger.entries([number]))
            await ledger.handled(platform, range(number + 1))
        newer = position(platform)
    assert newer["sequence"] > older["sequence"]
    platform.database(ledger.SERVICE)["positions"].replace_one({"_id": older["_id"]}, older)
    async with two_inputs(platform, wait=False) as service:
        await held(platform, "older than the log")
        await platform.produce("other", [ledger.entry(n, "o") for n in range(100, 105)])
        await ledger.handled(platform, [*range(10), *range(100, 105)], 10)
        assert not service.is_ready
        before = position(platform)
        decide(platform, 10)
        sequence = {"$max": {"sequence": newer["sequence"]}}  # `tongtu positions set` does
        platform.database(ledger.SERVICE)["positions"].update_one({"_id": before["_id"]}, sequence)
        await platform.produce("in", ledger.entries([10]))
        await ledger.handled(platform, [*range(11), *range(100, 105)])
        await ready(service)


async def test_retention_of_what_was_read_holds_nothing_though_markers_of_transactions_were_not(
    platform: Platform,
) -> None:
    await ledger.create_topics(platform, 1, other=1)
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka, transactional_id=f"{platform.prefix}member")
    await producer.start()
    async with two_inputs(platform) as service:
        async with producer.transaction():
            _, value, headers = ledger.entry(0)
            await producer.send(f"{platform.prefix}in", value, key=b"k", headers=headers)
        await ledger.handled(platform, [0])

        async def past_the_marker() -> bool:
            return position(platform)["next"] == 2

        await eventually(past_the_marker, 10, "a position behind the marker")
        assert service.is_ready
    await producer.stop()
    await delete_records(platform, "in", 2)
    async with two_inputs(platform) as service:
        await platform.produce("in", ledger.entries([1]))
        await ledger.handled(platform, [0, 1])
        await ledger.passed_on(platform, [0, 1])


async def test_a_member_that_aborts_is_no_work_and_no_lag(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, other=1)
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka, transactional_id=f"{platform.prefix}member")
    await producer.start()
    async with two_inputs(platform):
        for number in range(3):
            await producer.begin_transaction()
            _, value, headers = ledger.entry(100 + number)
            await producer.send(f"{platform.prefix}in", value, key=b"k", headers=headers)
            await producer.abort_transaction()
            await platform.produce("in", ledger.entries([number]))
        await ledger.handled(platform, range(3))
        await ledger.passed_on(platform, range(3))
    await producer.stop()
