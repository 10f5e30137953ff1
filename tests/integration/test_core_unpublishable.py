"""What Kafka will not take is set aside, byte for byte, and the rest goes on in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.streaming import Event, Message, UnitOfWork
from shared.streaming.options import Options
from tests import ledger
from tests.ledger import Entry, Ledger
from tests.platform import Platform, eventually

PATIENCE = Options(topic_gone_seconds=1.0, transaction_seconds=2.0)
TOO_LARGE = "x" * 1_200_000
"""More bytes than a topic takes by default."""


class Diverting(Ledger):
    """An event's order is the topic that an additional message goes to; `fan` of them beside."""

    def __init__(self, fan: int = 0) -> None:
        super().__init__()
        self._fan = fan

    async def take(self, events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        messages = await super().take(events, work)
        for event in events:
            assert event.data is not None
            if event.data.order:
                messages.append(Message(event.data.order, "d", Entry.type, event.data, event))
            for number in range(self._fan):
                messages.append(Message("fan", f"k{number % 3}", Entry.type, Entry(number=number), event))
        return messages


async def set_aside(platform: Platform, count: int) -> list[dict[str, Any]]:
    """The unpublishable messages, once there are so many; fails if there are more."""
    collection = platform.database(ledger.SERVICE)["unpublishable"]

    async def enough() -> bool:
        return collection.count_documents({}) >= count

    await eventually(enough, 40, f"{count} unpublishable messages")
    found = list(collection.find())
    assert len(found) == count
    return found


async def test_messages_that_are_too_large_for_their_topic(platform: Platform) -> None:
    await ledger.create_topics(platform)
    guilty = [3, 4, 5, 150]
    await platform.produce("in", ledger.entries(range(200)))
    handler = Padding(guilty)
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, handler.take)
        async with platform.running(service):
            await ledger.handled(platform, range(200))
            found = await set_aside(platform, 2 * len(guilty))
            await ledger.passed_on(platform, range(200))
            await ledger.nothing_waits(platform)
    assert sorted(Entry.model_validate_json(each["value"]).number for each in found) == sorted(guilty * 2)
    assert all("MessageSizeTooLarge" in each["reason"] for each in found)
    assert all(each["topic"] == f"{platform.prefix}out" for each in found)


class Padding(Ledger):
    """Adds two messages too large to be taken for some numbers, between the others."""

    def __init__(self, guilty: Sequence[int], topic: str = "out") -> None:
        super().__init__()
        self._guilty = guilty
        self._topic = topic

    def passed_on(self, events: Sequence[Event[Entry]]) -> list[Message]:
        messages: list[Message] = []
        for event, message in zip(events, super().passed_on(events), strict=True):
            assert event.data is not None
            if event.data.number in self._guilty:
                padded = Entry(number=event.data.number, padding=TOO_LARGE)
                messages.extend([Message(self._topic, event.key or "", Entry.type, padded, event)] * 2)
            messages.append(message)
        return messages


async def test_one_too_large_among_very_many(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, fan=3)
    await platform.produce("in", ledger.entries(range(300)))
    fan, padding = Diverting(fan=100), Padding([150])

    async def take(events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        fanned = [message for message in await fan.take(events, work) if message.topic == "fan"]
        return [*fanned, *padding.passed_on(events)]

    async with ledger.ledger(platform) as service:
        service._partitions_of = {"fan": 3, "out": 1}.__getitem__
        service.on_topic("in", Entry, take)
        async with platform.running(service):
            await set_aside(platform, 2)
            await ledger.passed_on(platform, range(300))
            assert len(await platform.read_until("fan", 30_000)) == 30_000
            await ledger.nothing_waits(platform)


async def test_messages_that_fit_one_by_one_though_not_as_a_batch(platform: Platform) -> None:
    await platform.create_topics({"in": 1, ledger.DEAD_LETTERS: 1, ledger.REPLAYS: 1})
    await platform.create_topics({"out": 1}, **{"max.message.bytes": "2000"})
    await platform.produce("in", ledger.entries(range(100)))
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            await ledger.passed_on(platform, range(100))
            await ledger.nothing_waits(platform)
    assert platform.database(ledger.SERVICE)["unpublishable"].count_documents({}) == 0


async def test_a_large_message_is_published_where_its_topic_takes_it(platform: Platform) -> None:
    await ledger.create_topics(platform)
    await platform.create_topics({"wide": 1}, **ledger.LARGE)
    await platform.produce("in", ledger.entries(range(10)))
    padding = Padding([5, 6], topic="wide")
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, padding.take)
        async with platform.running(service):
            await ledger.passed_on(platform, range(10))
            assert len(await platform.read_until("wide", 4)) == 4


async def test_a_topic_that_is_not_there_holds_up_nothing_for_ever(platform: Platform) -> None:
    await ledger.create_topics(platform)
    await platform.produce("in", [ledger.entry(n, order="nowhere" if n in (2, 7) else "") for n in range(10)])
    async with ledger.ledger(platform, options=PATIENCE) as service:
        service.on_topic("in", Entry, Diverting().take)
        async with platform.running(service):
            await ledger.handled(platform, range(10))
            found = await set_aside(platform, 2)
            await ledger.passed_on(platform, range(10))
            await ledger.nothing_waits(platform)
    assert all("UnknownTopicOrPartition" in each["reason"] for each in found)


async def test_a_topic_that_is_deleted_under_a_running_service(platform: Platform) -> None:
    await ledger.create_topics(platform, 1, doomed=1)
    await platform.produce("in", [ledger.entry(n, order="doomed") for n in range(5)])
    async with ledger.ledger(platform, options=PATIENCE) as service:
        service.on_topic("in", Entry, Diverting().take)
        async with platform.running(service):
            await ledger.passed_on(platform, range(5))
            assert len(await platform.read_until("doomed", 5)) == 5
            await platform.delete_topics("doomed")
            await platform.produce("in", [ledger.entry(n, order="doomed" if n == 6 else "") for n in range(5, 10)])
            await set_aside(platform, 1)
            await ledger.passed_on(platform, range(10))
            await ledger.nothing_waits(platform)


async def test_a_topic_that_comes_in_time_gets_its_messages(platform: Platform) -> None:
    await ledger.create_topics(platform)
    await platform.produce("in", [ledger.entry(n, order="late") for n in range(5)])
    async with ledger.ledger(platform, options=Options(topic_gone_seconds=30)) as service:
        service.on_topic("in", Entry, Diverting().take)
        async with platform.running(service):
            await ledger.handled(platform, range(5))
            await platform.create_topics({"late": 1})
            assert len(await platform.read_until("late", 5)) == 5
            await ledger.passed_on(platform, range(5))
    assert platform.database(ledger.SERVICE)["unpublishable"].count_documents({}) == 0
