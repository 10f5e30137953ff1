"""A handler that fails costs the record at fault, never one beside it; an outage costs nothing at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from pymongo import InsertOne, UpdateOne
from pymongo.errors import AutoReconnect

from shared.contracts.dead_letter import DeadLetter
from shared.streaming import Event, Message, UnitOfWork, transaction
from shared.streaming.errors import TooManyFailures
from shared.streaming.options import Options
from tests import ledger
from tests.ledger import Entry, Ledger
from tests.platform import Platform, eventually

Events = Sequence[Event[Entry]]
QUICK = Options(handler_seconds=0.4)


class Troubled(Ledger):
    """Does for every event with an order what the order says, after everything else is done right."""

    def __init__(self, trouble: Callable[[Event[Entry], UnitOfWork], Awaitable[Any]]) -> None:
        super().__init__()
        self._trouble = trouble
        self.calls: Counter[int] = Counter()
        self.calls_alone: Counter[int] = Counter()

    async def take(self, events: Events, work: UnitOfWork) -> list[Message]:
        messages = await super().take(events, work)
        for event in events:
            if event.data is not None and event.data.order:
                self.calls[event.data.number] += 1
                self.calls_alone[event.data.number] += len(events) == 1
                await self._trouble(event, work)
        return messages


async def letters(platform: Platform) -> list[DeadLetter]:
    """The dead letters in the log now."""
    return [ledger.letter_of(record) for record in await platform.read(ledger.DEAD_LETTERS)]


async def letters_until(platform: Platform, count: int) -> list[DeadLetter]:
    """The dead letters, once there are so many; fails if there are more."""
    records = await platform.read_until(ledger.DEAD_LETTERS, count)
    assert len(records) == count
    return [ledger.letter_of(record) for record in records]


async def test_a_poison_record_is_found_among_two_thousand(platform: Platform) -> None:
    async def fail(event: Event[Entry], work: UnitOfWork) -> None:
        raise ZeroDivisionError("poison")

    handler = Troubled(fail)
    await ledger.create_topics(platform)
    poison = 1234
    await platform.produce("in", [ledger.entry(n, f"k{n % 5}", "fail" if n == poison else "") for n in range(2000)])
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, handler.take)
        async with platform.running(service):
            good = [number for number in range(2000) if number != poison]
            await ledger.handled(platform, good)
            await ledger.passed_on(platform, good)
            (letter,) = await letters_until(platform, 1)
    assert (letter.original.offset, letter.error, letter.message, letter.tries) == (
        poison,
        "ZeroDivisionError",
        "poison",
        5,
    )
    assert letter.traceback_hash
    assert handler.calls_alone == {poison: 5}
    assert handler.calls[poison] <= 5 + 11  # one call a halving


async def test_a_handler_that_never_ends_is_cut_off_and_tried_twice_alone(platform: Platform) -> None:
    async def hang(event: Event[Entry], work: UnitOfWork) -> None:
        await asyncio.Event().wait()

    handler = Troubled(hang)
    await ledger.create_topics(platform)
    await platform.produce("in", [ledger.entry(n, order="hang" if n == 2 else "") for n in range(4)])
    async with ledger.ledger(platform, options=QUICK) as service:
        service.on_topic("in", Entry, handler.take)
        async with platform.running(service):
            await ledger.handled(platform, [0, 1, 3])
            (letter,) = await letters_until(platform, 1)
    assert (letter.original.offset, letter.error, letter.tries) == (2, "TimeoutError", 2)


async def test_a_process_that_was_frozen_once_costs_no_record(platform: Platform) -> None:
    """Whatever a record is about, it seems to take too long while the whole process stands still."""

    async def take_too_long_once(event: Event[Entry], work: UnitOfWork) -> None:
        if handler.calls[2] == 1:
            await asyncio.Event().wait()

    handler = Troubled(take_too_long_once)
    await ledger.create_topics(platform)
    await platform.produce("in", [ledger.entry(2, order="hang")])
    async with ledger.ledger(platform, options=QUICK) as service:
        service.on_topic("in", Entry, handler.take)
        async with platform.running(service):
            await ledger.handled(platform, [2])
            await ledger.passed_on(platform, [2])
    assert await letters(platform) == []


async def test_a_handler_slower_than_a_transaction_may_live_is_at_fault(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dawdle(event: Event[Entry], work: UnitOfWork) -> None:
        while True:  # until MongoDB ends the transaction
            await work.collection("seen").find({})

    monkeypatch.setattr(transaction, "TRANSACTION_SECONDS", 1.0)
    limit = {"setParameter": 1, "transactionLifetimeLimitSeconds": 1}
    before = platform.client.admin.command(limit)["was"]
    try:
        await ledger.create_topics(platform)
        await platform.produce("in", [ledger.entry(1, order="dawdle"), ledger.entry(2)])
        async with ledger.ledger(platform, options=Options(tries=2), max_records=1) as service:
            service.on_topic("in", Entry, Troubled(dawdle).take)
            async with platform.running(service):
                await ledger.handled(platform, [2])
                (letter,) = await letters_until(platform, 1)
    finally:
        platform.client.admin.command(limit | {"transactionLifetimeLimitSeconds": before})
    assert letter.original.offset == 0


async def _document_too_large(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("large").write([InsertOne({"text": "x" * 17 * 1024 * 1024})])


async def _document_grown_too_large(event: Event[Entry], work: UnitOfWork) -> None:
    half = "x" * 9 * 1024 * 1024
    work.collection("large").write([UpdateOne({"_id": 1}, {"$set": {name: half}}, upsert=True) for name in ("a", "b")])


async def _duplicate_key(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("once").write([InsertOne({"_id": 1}), InsertOne({"_id": 1})])


async def _broken_operator(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([UpdateOne({"_id": 1}, {"$nonsense": {"a": 1}}, upsert=True)])


async def _wrong_type(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"_id": 2, "a": "text"}), UpdateOne({"_id": 2}, {"$inc": {"a": 1}})])


async def _path_through_a_text(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"_id": 3, "a": "text"}), UpdateOne({"_id": 3}, {"$set": {"a.b": 1}})])


async def _changed_id(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"_id": 4}), UpdateOne({"_id": 4}, {"$set": {"_id": 5}})])


async def _field_name_empty(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([UpdateOne({"_id": 7}, {"$set": {"a..b": 1}}, upsert=True)])


async def _id_that_is_a_list(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"_id": [1]})])


async def _broken_query(event: Event[Entry], work: UnitOfWork) -> None:
    await work.collection("broken").find({"a": {"$nonsense": 1}})


async def _broken_projection(event: Event[Entry], work: UnitOfWork) -> None:
    await work.collection("broken").find({}, {"a": 1, "b": 0})


async def _broken_expression(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"_id": 8})])
    await work.collection("broken").find({"$expr": {"$divide": ["a", 0]}})


async def _number_too_large_for_bson(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"a": 2**70})])


async def _object_that_is_no_bson(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"a": object()})])


async def _half_a_surrogate_pair(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"a": "\ud800"})])


async def _key_with_a_zero_byte(event: Event[Entry], work: UnitOfWork) -> None:
    work.collection("broken").write([InsertOne({"a\0b": 1})])


async def _nested_too_deeply(event: Event[Entry], work: UnitOfWork) -> None:
    document: dict[str, Any] = {}
    for _ in range(300):
        document = {"a": document}
    work.collection("broken").write([InsertOne(document)])


async def _timer_with_a_broken_document(event: Event[Entry], work: UnitOfWork) -> None:
    work.set_timer(event, "late", "1", "tomorrow", {"a": object()})  # type: ignore[arg-type]


async def _letter_with_half_a_surrogate_pair(event: Event[Entry], work: UnitOfWork) -> None:
    work.dead_letter(event, "Odd\ud800", "odd \ud800")


async def _cancelled(event: Event[Entry], work: UnitOfWork) -> None:
    raise asyncio.CancelledError


REFUSED = [
    _document_too_large,
    _document_grown_too_large,
    _duplicate_key,
    _broken_operator,
    _wrong_type,
    _path_through_a_text,
    _changed_id,
    _field_name_empty,
    _id_that_is_a_list,
    _broken_query,
    _broken_projection,
    _broken_expression,
    _number_too_large_for_bson,
    _object_that_is_no_bson,
    _half_a_surrogate_pair,
    _key_with_a_zero_byte,
    _nested_too_deeply,
    _timer_with_a_broken_document,
    _letter_with_half_a_surrogate_pair,
    _cancelled,
]


async def test_what_mongodb_refuses_for_what_is_in_it_is_the_records_fault(platform: Platform) -> None:
    by_name = {trouble.__name__.strip("_"): trouble for trouble in REFUSED}

    async def trouble(event: Event[Entry], work: UnitOfWork) -> None:
        assert event.data is not None
        await by_name[event.data.order](event, work)

    await ledger.create_topics(platform)
    names = list(by_name)
    records = [ledger.entry(n, order=name) for n, name in enumerate(names)]
    good = range(100, 120)
    await platform.produce("in", [*records, *(ledger.entry(n) for n in good)])
    # So many failures at once would stop the service, rightly.
    patient = Options(failure_minimum=1000, tries=2)
    async with ledger.ledger(platform, options=patient) as service:
        service.on_topic("in", Entry, Troubled(trouble).take)
        async with platform.running(service):
            processor = service._processors[0]

            async def settled() -> bool:
                return set(good) <= ledger.seen(platform).keys() and not processor._recovery._failures

            try:
                await eventually(settled, 30)
            except AssertionError:
                position = platform.database(ledger.SERVICE)["positions"].find_one({"topic": platform.prefix + "in"})
                assert position is not None
                pytest.fail(f"stuck at {names[position['next']]}")
            accepted = {names[number] for number in ledger.seen(platform) if number < len(names)}
            assert not accepted
            found = await letters_until(platform, len(names))
    assert sorted(letter.original.offset for letter in found) == list(range(len(names)))
    assert ledger.seen(platform) == dict.fromkeys(good, 1)


@pytest.mark.parametrize(
    "result",
    [None, 7, ["no message"], [None]],
    ids=["nothing", "a number", "a text", "a none"],
)
async def test_a_handler_that_returns_no_messages_is_at_fault(platform: Platform, result: Any) -> None:
    class Odd(Ledger):
        async def take(self, events: Events, work: UnitOfWork) -> Any:
            messages = await super().take(events, work)
            return result if any(event.data and event.data.order for event in events) else messages

    await ledger.create_topics(platform)
    await platform.produce("in", [ledger.entry(n, order="odd" if n == 1 else "") for n in range(3)])
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, Odd().take)
        async with platform.running(service):
            await ledger.handled(platform, [0, 2], 20)
            (letter,) = await letters_until(platform, 1)
    assert letter.original.offset == 1


def _foreign(event: Event[Entry]) -> Event[Entry]:
    return Event("1", "/x", "x", None, None, None, "in", event.data)


BROKEN_MESSAGES: dict[str, Callable[[Event[Entry]], Message]] = {
    "cause made by hand": lambda event: Message("out", "k", "t", event.data, _foreign(event)),
    "topic that is not declared": lambda event: Message("nowhere", "k", "t", event.data, event),
    "key that is no text": lambda event: Message("out", 7, "t", event.data, event),  # type: ignore[arg-type]
    "key with half a surrogate pair": lambda event: Message("out", "\ud800", "t", event.data, event),
    "extension that is no text": lambda event: Message("out", "k", "t", event.data, event, extensions={"a": 7}),  # type: ignore[dict-item]
    "data that is no model": lambda event: Message("out", "k", "t", {"a": 1}, event),  # type: ignore[arg-type]
    "larger than an outbox document": lambda event: Message(
        "out", "k", "t", Entry(number=1, padding="x" * 16 * 1024 * 1024), event
    ),
}


@pytest.mark.parametrize("name", BROKEN_MESSAGES)
async def test_a_message_that_cannot_be_sent_is_the_handlers_fault(platform: Platform, name: str) -> None:
    class Odd(Ledger):
        def passed_on(self, events: Events) -> list[Message]:
            messages = super().passed_on(events)
            return messages + [BROKEN_MESSAGES[name](event) for event in events if event.data and event.data.order]

    def partitions_of(topic: str) -> int:
        return {"out": 1, ledger.DEAD_LETTERS: 1}[topic]

    await ledger.create_topics(platform)
    await platform.produce("in", [ledger.entry(n, order="odd" if n == 1 else "") for n in range(3)])
    async with ledger.ledger(platform) as service:
        service._partitions_of = partitions_of
        service.on_topic("in", Entry, Odd().take)
        async with platform.running(service):
            await ledger.handled(platform, [0, 2], 20)
            await ledger.passed_on(platform, [0, 2])
            (letter,) = await letters_until(platform, 1)
    assert letter.original.offset == 1


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("gone"),
        KafkaConnectionError("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_outage_seen_by_a_handler_is_waited_out(platform: Platform, error: Exception) -> None:
    left = 6  # more than the tries that a record at fault gets

    async def out_of_order(event: Event[Entry], work: UnitOfWork) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error

    await ledger.create_topics(platform)
    await platform.produce("in", [ledger.entry(n, order="outage" if n == 1 else "") for n in range(3)])
    async with ledger.ledger(platform, options=Options(backoff_limit_seconds=0.1)) as service:
        service.on_topic("in", Entry, Troubled(out_of_order).take)
        async with platform.running(service):
            await ledger.handled(platform, range(3), 30)
            await ledger.passed_on(platform, range(3))
    assert left < 0
    assert await letters(platform) == []


async def _fails_on(platform: Platform, failing: Iterable[int], total: int, invalid: int = 0) -> BaseException | None:
    """What the service ends with that fails on these of so many good records."""

    async def fail(event: Event[Entry], work: UnitOfWork) -> None:
        raise ValueError("a bug")

    marked = set(failing)
    await ledger.create_topics(platform)
    await platform.produce("in", [("k", b"no event", [])] * invalid)
    await platform.produce("in", [ledger.entry(n, order="fail" if n in marked else "") for n in range(total)])
    async with ledger.ledger(platform, options=Options(tries=2)) as service:
        service.on_topic("in", Entry, Troubled(fail).take)
        task = asyncio.create_task(service.run())

        async def through() -> bool:
            return task.done() or len(ledger.seen(platform)) == total - len(marked)

        await eventually(through, 40)
        service.stop()
        try:
            await asyncio.wait_for(task, 15)
        except TooManyFailures as error:
            return error
        return None


async def test_a_service_that_fails_on_more_than_one_in_twenty_stops_and_says_so(platform: Platform) -> None:
    error = await _fails_on(platform, range(0, 200, 10), 200)
    assert error is not None
    assert "of the last minute failed" in str(error)


async def test_a_service_that_fails_on_fewer_goes_on(platform: Platform) -> None:
    assert await _fails_on(platform, range(0, 400, 40), 400) is None
    assert len(await letters(platform)) == 10


async def test_ten_failures_in_a_row_are_not_the_whole_minute(platform: Platform) -> None:
    assert await _fails_on(platform, range(10), 400) is None
    assert len(await letters(platform)) == 10


async def test_invalid_records_never_stop_a_service(platform: Platform) -> None:
    assert await _fails_on(platform, (), 20, invalid=300) is None
    assert len(await letters(platform)) == 300
