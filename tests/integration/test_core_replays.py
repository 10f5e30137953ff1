"""A dead letter that comes back is handled once, as the record that it was."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.dead_letter import DeadLetter
from shared.streaming import Event, Message, UnitOfWork
from tests import ledger
from tests.ledger import Entry, Ledger
from tests.platform import Platform, event_headers


class Healing(Ledger):
    """Fails on events with an order until it is healed."""

    def __init__(self) -> None:
        super().__init__()
        self.healed = False
        self.topics: set[str] = set()

    async def take(self, events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        self.topics |= {event.topic for event in events}
        if not self.healed and any(event.data and event.data.order for event in events):
            raise ZeroDivisionError("poison")
        return await super().take(events, work)


async def replay(platform: Platform, letter: DeadLetter, times: int = 1) -> None:
    """What `tongtu dead-letters replay` writes."""
    record = (letter.key, letter.model_dump_json().encode(), event_headers("replay", DeadLetter.type))
    await platform.produce(ledger.REPLAYS, [record] * times)


async def test_a_replayed_dead_letter_is_handled_once_however_often_it_comes(platform: Platform) -> None:
    await ledger.create_topics(platform, 2)
    handler = Healing()
    async with ledger.ledger(platform, 2) as service:
        service.on_topic("in", Entry, handler.take)
        async with platform.running(service):
            await platform.produce("in", [ledger.entry(n, order="fail" if n == 3 else "") for n in range(6)])
            (record,) = await platform.read_until(ledger.DEAD_LETTERS, 1)
            letter = ledger.letter_of(record)
            handler.healed = True
            await replay(platform, letter, 3)
            await ledger.handled(platform, range(6))
            await replay(platform, letter)
            await platform.produce("in", [ledger.entry(6)])
            await ledger.handled(platform, range(7))
            await platform.read_until("out", 7)
        async with platform.running(service):
            await replay(platform, letter)
            await platform.produce("in", [ledger.entry(7)])
            await ledger.handled(platform, range(8))
    numbers = sorted(ledger.entry_of(r).number for r in await platform.read("out"))
    assert numbers == list(range(8))
    assert handler.topics == {"in"}


async def test_a_replay_that_fails_again_is_the_same_letter_again(platform: Platform) -> None:
    await ledger.create_topics(platform)
    handler = Healing()
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, handler.take)
        async with platform.running(service):
            await platform.produce("in", [ledger.entry(n, order="fail" if n == 3 else "") for n in range(6)])
            (record,) = await platform.read_until(ledger.DEAD_LETTERS, 1)
            first = ledger.letter_of(record)
            await replay(platform, first)
            record = (await platform.read_until(ledger.DEAD_LETTERS, 2))[1]
            again = ledger.letter_of(record)
    assert again.original == first.original
    assert record.key == first.key.encode()


async def test_what_is_no_dead_letter_becomes_one(platform: Platform) -> None:
    await ledger.create_topics(platform)
    async with ledger.ledger(platform) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            await platform.produce(ledger.REPLAYS, [("k", b"nonsense", []), ("k", None, []), (None, b"{}", [])])
            await platform.produce("in", [ledger.entry(1)])
            await ledger.handled(platform, [1])
            records = await platform.read_until(ledger.DEAD_LETTERS, 2)
    letters = [ledger.letter_of(record) for record in records]
    assert [(letter.original.value_bytes, letter.error) for letter in letters] == [
        (b"nonsense", "Invalid"),
        (b"{}", "Invalid"),
    ]
