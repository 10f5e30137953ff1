"""A record alone in hand is blamed for a process that ended with it, and for nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pymongo
import pytest
from pymongo.errors import PyMongoError

from bench.counting import Counted, Counter
from shared.runtime.service import Service
from shared.streaming import Event, Message, UnitOfWork, transaction
from shared.streaming.options import Options
from shared.streaming.subscription import Handler
from tests.platform import Platform, event_headers, eventually

IMPATIENT = Options(backoff_seconds=0.01, backoff_limit_seconds=0.05, tick_seconds=0.2)


async def one_record(platform: Platform) -> None:
    """The topics of the service `alone`, and one record at the place where processes ended more than once."""
    await platform.create_topics({"in": 1, "out": 1, "alone.dead-letters": 1, "alone.replays": 1})
    await platform.produce("in", [("k", b'{"number": 1}', event_headers("1", Counted.type))])


def left_by_a_process(platform: Platform, group: str = "tongtu.alone", **left: Any) -> str:
    """The position as a process that is gone left it before the record; gives its id."""
    name = f"{platform.prefix}in"
    position = f"{platform.prefix}{group}:{name}/0"
    document = {"_id": position, "topic": name, "partition": 0, "next": 0, "sequence": 0, "epoch": 2}
    platform.database("alone")["positions"].insert_one(document | {"instance": "gone", "owners": []} | left)
    return position


def alone(platform: Platform) -> Service:
    """The service that counts the records, one try at a time."""
    service = Service("alone", platform.settings(), lambda _: 1, IMPATIENT)
    service.on_topic("in", Counted, Counter("out").count)
    return service


async def counted(platform: Platform) -> None:
    """Waits until the record was counted and passed on; it must have been no dead letter."""
    counts = platform.database("alone")["counts"]

    async def is_counted() -> bool:
        return (counts.find_one({"_id": "k"}) or {}).get("count") == 1

    await eventually(is_counted, what="the count of the record")
    await platform.read_until("out", 1)
    assert await platform.read("alone.dead-letters") == []


async def test_conflicts_while_a_record_is_alone_in_hand_are_no_crashes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process leaves its MongoDB transaction open: its successor meets the locks for up to ten seconds."""
    monkeypatch.setattr(transaction, "CONFLICT_TRIES", 3)  # six times ten take longer than those seconds
    await one_record(platform)
    database = platform.database("alone")
    position = left_by_a_process(platform, unclean={"at": 0, "count": 1})
    database["counts"].insert_one({"_id": "k", "count": 0})

    async def taken_again_and_again() -> bool:
        found = database["positions"].find_one({"_id": position}) or {}
        held = found.get("in_hand") or {}
        return found.get("epoch", 0) >= 8 and (held.get("offset"), held.get("ends")) == (0, 0)

    with platform.client.start_session() as session:
        session.start_transaction(write_concern=pymongo.WriteConcern("majority"))
        database["counts"].update_one({"_id": "k"}, {"$set": {"held": True}}, session=session)
        async with alone(platform) as service, platform.running(service):
            try:
                await eventually(taken_again_and_again, what="six take-overs with the record in hand")
            finally:
                with contextlib.suppress(PyMongoError):
                    session.abort_transaction()
            await counted(platform)


async def test_the_end_of_a_process_that_had_not_come_to_the_record_does_not_count(platform: Platform) -> None:
    """Killed again and again soon after its start, a service never reaches what one process had in hand long ago."""
    await one_record(platform)
    held = {"offset": 0, "ends": 2, "instance": "the one before"}
    left_by_a_process(platform, unclean={"at": 0, "count": 4}, in_hand=held)
    async with alone(platform) as service, platform.running(service):
        await counted(platform)


async def test_the_third_end_of_a_process_with_the_record_in_hand_makes_it_a_dead_letter(platform: Platform) -> None:
    await one_record(platform)
    held = {"offset": 0, "ends": 2, "instance": "gone"}
    left_by_a_process(platform, unclean={"at": 0, "count": 4}, in_hand=held)
    async with alone(platform) as service, platform.running(service):
        await platform.read_until("alone.dead-letters", 1)
    assert await platform.read("out") == []


async def test_only_one_record_of_a_process_is_alone_in_hand(platform: Platform) -> None:
    """Else what kills the process in one consumer group would have a good record of another blamed beside it."""
    await one_record(platform)
    groups = ["tongtu.alone", "tongtu.alone.beside"]
    database = platform.database("alone")
    for group in groups:
        left_by_a_process(platform, group, unclean={"at": 0, "count": 1})
    go_on, came = asyncio.Event(), list[str]()

    def waiting(name: str) -> Handler:
        async def wait(events: Sequence[Event[Counted]], work: UnitOfWork) -> list[Message]:
            came.append(name)
            await go_on.wait()
            return []

        return wait

    async def in_hand() -> int:
        return database["positions"].count_documents({"in_hand": {"$ne": None}})

    async def in_hand_while_both_have_a_poll() -> bool:
        return bool(came) and all(processor._lock.locked() for processor in service._processors)

    async def both_done() -> bool:
        return database["positions"].count_documents({"topic": f"{platform.prefix}in", "next": 1}) == len(groups)

    async with Service("alone", platform.settings(), lambda _: 1, IMPATIENT) as service:
        for group in groups:
            stage = service if group == groups[0] else service.stage("beside")
            stage.on_topic("in", Counted, waiting(group))
        async with platform.running(service):
            await eventually(in_hand_while_both_have_a_poll, what="a record in hand, and a poll of the other group")
            assert (await in_hand(), len(came)) == (1, 1)
            go_on.set()
            await eventually(both_done, what="both groups' records")
    assert sorted(came) == groups
