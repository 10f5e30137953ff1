"""A service for tests that shows what the core did: how often each event was handled, and one message for each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from aiokafka import ConsumerRecord
from pydantic import BaseModel
from pymongo import UpdateOne

from shared.contracts.dead_letter import DeadLetter
from shared.runtime.service import Service
from shared.streaming import Event, Message, UnitOfWork
from shared.streaming.options import Options
from tests.platform import DEADLINE_SECONDS, Headers, Platform, event_headers, eventually

SERVICE = "ledger"
GROUP = "tongtu.ledger"
DEAD_LETTERS = "ledger.dead-letters"
REPLAYS = "ledger.replays"
LARGE = {"max.message.bytes": str(4 * 1024 * 1024)}
"""Topic setting for dead letters of large records."""


class Entry(BaseModel):
    """Event `number`; `order` tells the handler of a test to misbehave."""

    type: ClassVar[str] = "test.entry.v1"

    number: int
    order: str = ""
    padding: str = ""


Produced = tuple[str | bytes | None, bytes | None, Headers]


def entry(number: int, key: str = "k", order: str = "", padding: str = "") -> Produced:
    """A good record."""
    value = Entry(number=number, order=order, padding=padding).model_dump_json().encode()
    return key, value, event_headers(f"id-{number}", Entry.type)


def entries(numbers: Iterable[int], keys: int = 5) -> list[Produced]:
    """Good records; the number decides the key."""
    return [entry(number, f"k{number % keys}") for number in numbers]


class Ledger:
    """Counts how often each number is handled (not idempotent: done twice, it shows), and passes it on."""

    def __init__(self, output: str | None = "out") -> None:
        self._output = output

    async def take(self, events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        """One write and one message an event."""
        write(events, work)
        return [] if self._output is None else self.passed_on(events)

    def passed_on(self, events: Sequence[Event[Entry]]) -> list[Message]:
        """One message an event."""
        assert self._output is not None
        return [
            Message(self._output, event.key or "", Entry.type, event.data.model_copy(update={"order": ""}), event)
            for event in events
            if event.data is not None
        ]


def write(events: Sequence[Event[Entry]], work: UnitOfWork) -> None:
    """Counts every event of a poll."""
    counted = Counter(event.data.number for event in events if event.data is not None)
    work.collection("seen").write(
        [UpdateOne({"_id": number}, {"$inc": {"times": times}}, upsert=True) for number, times in counted.items()]
    )


def write_sizes(events: Sequence[Event[bytes]], work: UnitOfWork) -> None:
    """Counts every record of a poll by its place, with the size of its value and whether it has problems."""
    work.collection("sizes").write(
        [
            UpdateOne(
                {"_id": f"{event.origin.partition}/{event.record.offset}"},
                {"$inc": {"times": 1}, "$set": {"size": len(event.data or b""), "problems": bool(event.problems)}},
                upsert=True,
            )
            for event in events
            if event.record is not None
        ]
    )


async def create_topics(platform: Platform, partitions: int = 1, **more: int) -> None:
    """in and out (and more, by name) with so many partitions; the service's own topics."""
    await platform.create_topics({"in": partitions, "out": partitions, **more})
    await platform.create_topics({DEAD_LETTERS: 1, REPLAYS: 1}, **LARGE)


@asynccontextmanager
async def ledger(
    platform: Platform, partitions: int = 1, options: Options | None = None, **settings: Any
) -> AsyncIterator[Service]:
    """The service in this process, handlers to be added; `async with platform.running(service)` runs it."""
    counts = {"in": partitions, "out": partitions}
    made = Service(
        SERVICE, platform.settings(**settings), partitions_of=lambda topic: counts.get(topic, 1), options=options
    )
    async with made as service:
        yield service


def entry_of(record: ConsumerRecord[Any, Any]) -> Entry:
    """What a record of the output says."""
    assert record.value is not None
    return Entry.model_validate_json(record.value)


def letter_of(record: ConsumerRecord[Any, Any]) -> DeadLetter:
    """What a record of the dead letters says."""
    assert record.value is not None
    return DeadLetter.model_validate_json(record.value)


def seen(platform: Platform) -> dict[int, int]:
    """Number -> how often it was handled."""
    return {document["_id"]: document["times"] for document in platform.database(SERVICE)["seen"].find()}


async def handled(platform: Platform, numbers: Iterable[int], seconds: float = DEADLINE_SECONDS) -> None:
    """Waits until each of these numbers was handled, and asserts that each was once and no others were."""
    wanted = dict.fromkeys(numbers, 1)

    async def all_there() -> bool:
        return wanted.keys() <= seen(platform).keys()

    await eventually(all_there, seconds, f"handling of {len(wanted)} events")
    assert seen(platform) == wanted


async def passed_on(platform: Platform, numbers: Iterable[int], topic: str = "out") -> None:
    """Waits until the log has each of these numbers, and asserts: once, in order per key."""
    wanted = list(numbers)
    records = await platform.read_until(topic, len(wanted))
    found = [(record.key, entry_of(record).number) for record in records]
    assert Counter(number for _, number in found) == Counter(wanted)
    by_key: dict[bytes | None, list[int]] = defaultdict(list)
    for key, number in found:
        by_key[key].append(number)
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


async def nothing_waits(platform: Platform) -> None:
    """Waits until the outbox is empty."""

    async def empty() -> bool:
        return platform.database(SERVICE)["outbox"].count_documents({}) == 0

    await eventually(empty, what="an empty outbox")
