"""A timer fires once, at its time, for whoever owns the partition that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.runtime.service import Service
from shared.streaming import Event, Message, Timer, UnitOfWork
from shared.streaming.options import Options
from tests import ledger
from tests.ledger import Entry
from tests.platform import Platform, eventually

OFTEN = Options(tick_seconds=0.1)
SOON = timedelta(milliseconds=300)
LATER = timedelta(days=1)


class Clock:
    """An event's order: `set`, `set later`, `cancel`, or `fail` once fired; the number names the timer."""

    def __init__(self) -> None:
        self.fired: list[tuple[str, datetime]] = []
        self.healed = False

    async def take(self, events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        ledger.write(events, work)
        for event in events:
            assert event.data is not None
            order, id = event.data.order, str(event.data.number % 1000)
            if order == "cancel":
                work.cancel_timer("alarm", id)
            elif order:
                due = datetime.now(UTC) + (LATER if order == "set later" else SOON)
                work.set_timer(event, "alarm", id, due, {"order": order, "number": event.data.number})
        return []

    async def fire(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        messages: list[Message] = []
        for timer in timers:
            self.fired.append((timer.id, timer.due))
            if timer.data["order"] == "fail" and not self.healed:
                raise ZeroDivisionError("poison")
            messages.append(Message("out", timer.id, Entry.type, Entry(number=timer.data["number"]), timer))
        return messages


def serve(service: Service, clock: Clock) -> None:
    service.on_topic("in", Entry, clock.take)
    service.on_timer("alarm", clock.fire)


def waiting(platform: Platform) -> list[dict[str, Any]]:
    """The timers that have not fired."""
    return list(platform.database(ledger.SERVICE)["timers"].find())


async def none_waits(platform: Platform) -> None:
    async def none() -> bool:
        return not waiting(platform)

    await eventually(none, 20, "the firing of every timer")


async def test_each_timer_fires_once_and_not_before_its_time_on_topics_where_nothing_moves(platform: Platform) -> None:
    await ledger.create_topics(platform, 2)
    clock = Clock()
    async with ledger.ledger(platform, 2, OFTEN) as service:
        serve(service, clock)
        async with platform.running(service):
            await platform.produce("in", [ledger.entry(n, f"k{n}", "set") for n in range(20)])
            await ledger.passed_on(platform, range(20))
            await none_waits(platform)
            await ledger.nothing_waits(platform)
    assert len(clock.fired) == 20
    assert all(due <= datetime.now(UTC) for _, due in clock.fired)


async def test_a_timer_is_replaced_and_cancelled_by_its_name(platform: Platform) -> None:
    await ledger.create_topics(platform)
    clock = Clock()
    async with ledger.ledger(platform, 1, OFTEN) as service:
        serve(service, clock)
        async with platform.running(service):
            orders = [(1, "set"), (2, "set later"), (3, "set"), (1, "cancel"), (1002, "set"), (3, "set later")]
            await platform.produce("in", [ledger.entry(number, order=order) for number, order in orders])
            await ledger.passed_on(platform, [1002])
            await platform.produce("in", [ledger.entry(4, order="set")])
            await ledger.passed_on(platform, [1002, 4])
    assert [id for id, _ in clock.fired] == ["2", "4"]
    assert [timer["timer"] for timer in waiting(platform)] == ["3"]


async def test_a_timer_that_is_cancelled_between_its_reading_and_its_firing_does_not_fire(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.streaming import owned_partitions

    await ledger.create_topics(platform)
    clock = Clock()
    original = owned_partitions.due_timers
    interfered = 0

    async def due_timers(*arguments: Any) -> list[Timer]:
        nonlocal interfered
        found = await original(*arguments)
        if found and not interfered:
            interfered += 1
            platform.database(ledger.SERVICE)["timers"].delete_one({"timer": "1"})  # as another instance would
        return found

    monkeypatch.setattr(owned_partitions, "due_timers", due_timers)
    async with ledger.ledger(platform, 1, OFTEN) as service:
        serve(service, clock)
        async with platform.running(service):
            await platform.produce("in", [ledger.entry(n, order="set") for n in (1, 2)])
            await ledger.passed_on(platform, [2])
    assert [id for id, _ in clock.fired] == ["2"]


async def test_a_timer_that_fails_is_a_dead_letter_that_can_be_replayed_and_the_others_fire(platform: Platform) -> None:
    await ledger.create_topics(platform)
    clock = Clock()
    async with ledger.ledger(platform, 1, OFTEN) as service:
        serve(service, clock)
        async with platform.running(service):
            await platform.produce("in", [ledger.entry(n, order="fail" if n in (3, 5) else "set") for n in range(8)])
            await ledger.passed_on(platform, [0, 1, 2, 4, 6, 7])
            records = await platform.read_until(ledger.DEAD_LETTERS, 2)
            await none_waits(platform)
            clock.healed = True
            back = [(record.key, record.value, list(record.headers)) for record in records]
            await platform.produce(ledger.REPLAYS, [*back, *back])
            await platform.read_until("out", 8)
            await platform.produce("in", [ledger.entry(8, order="set")])
            await ledger.passed_on(platform, range(9))
    letters = [ledger.letter_of(record) for record in records]
    assert [letter.error for letter in letters] == ["ZeroDivisionError"] * 2
    assert {letter.original.key_bytes for letter in letters} == {b"3", b"5"}
    assert len({record.key for record in records}) == 2, "one letter hides the other in a compacted topic"


async def test_two_instances_fire_each_timer_once(platform: Platform) -> None:
    await ledger.create_topics(platform, 2)
    clocks = [Clock(), Clock()]
    async with ledger.ledger(platform, 2, OFTEN) as one, ledger.ledger(platform, 2, OFTEN) as other:
        serve(one, clocks[0])
        serve(other, clocks[1])
        async with platform.running(one):
            await platform.produce("in", [ledger.entry(n, f"k{n}", "set") for n in range(40)])
            async with platform.running(other):
                await ledger.passed_on(platform, range(40))
                await none_waits(platform)
    assert sorted(int(id) for clock in clocks for id, _ in clock.fired) == list(range(40))


async def test_many_timers_are_due_at_once(platform: Platform) -> None:
    await ledger.create_topics(platform)
    clock = Clock()
    async with ledger.ledger(platform, 1, Options(tick_seconds=1.0)) as service:
        serve(service, clock)
        async with platform.running(service):
            # Each is set twice, and the later one counts.
            await platform.produce("in", [ledger.entry(n, order="set later") for n in range(1000)])
            await platform.produce("in", [ledger.entry(n, order="set") for n in range(1000, 2000)])
            await none_waits(platform)
            await ledger.passed_on(platform, range(1000, 2000))


class Neighbour:
    """Each event sets a timer for the input partition of the event before it."""

    def __init__(self) -> None:
        self.streams: list[str] = []
        self.fired: list[tuple[str, str]] = []

    async def take(self, events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        ledger.write(events, work)
        for event in events:
            for stream in self.streams[-1:]:
                work.set_timer_of(stream, "alarm", stream, datetime.now(UTC), {})
            self.streams.append(event.stream)
        return []

    async def fire(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        self.fired += [(timer.id, f"{timer.origin.topic}/{timer.origin.partition}") for timer in timers]
        return []


async def test_a_timer_of_another_partition_fires_for_that_one(platform: Platform) -> None:
    await ledger.create_topics(platform, 2)
    neighbour = Neighbour()
    async with ledger.ledger(platform, 2, OFTEN) as service:
        service.on_topic("in", Entry, neighbour.take)
        service.on_timer("alarm", neighbour.fire)
        async with platform.running(service):
            await platform.produce("in", [ledger.entry(n, f"k{n}") for n in range(20)])
            await ledger.handled(platform, range(20))

            async def both() -> bool:
                return len(set(neighbour.fired)) == 2

            await eventually(both, 20, "a timer of each partition")
    assert len(set(neighbour.streams)) == 2
    assert all(id == origin for id, origin in neighbour.fired)
