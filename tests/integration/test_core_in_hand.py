"""A record alone in hand is blamed for a process that ended with it, and for nothing else."""

from __future__ import annotations

import contextlib
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from bench.counting import Counted, Counter
from shared.runtime.service import Service
from shared.streaming.options import Options
from tests.platform import Platform, event_headers, eventually

IMPATIENT = Options(backoff_seconds=0.01, backoff_limit_seconds=0.05, tick_seconds=0.2)


async def one_record(platform: Platform) -> None:
    """The topics of the service `alone`, and one record at the place where processes ended more than once."""
    await platform.create_topics({"in": 1, "out": 1, "alone.dead-letters": 1, "alone.replays": 1})
    await platform.produce("in", [("k", b'{"number": 1}', event_headers("1", Counted.type))])


def left_by_a_process(platform: Platform, **left: Any) -> str:
    """The position as a process that is gone left it before the record; gives its id."""
    name = f"{platform.prefix}in"
    position = f"{platform.prefix}tongtu.alone:{name}/0"
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


async def test_conflicts_while_a_record_is_alone_in_hand_are_no_crashes(platform: Platform) -> None:
    """A killed process leaves its MongoDB transaction open: its successor meets the locks for up to ten seconds."""
    await one_record(platform)
    database = platform.database("alone")
    position = left_by_a_process(platform, unclean={"at": 0, "count": 1})
    database["counts"].insert_one({"_id": "k", "count": 0})

    async def taken_again_and_again() -> bool:
        found = database["positions"].find_one({"_id": position}) or {}
        held = found.get("in_hand") or {}
        return found.get("epoch", 0) >= 8 and (held.get("offset"), held.get("ends")) == (0, 0)

    async with alone(platform) as service, platform.running(service):
        with platform.client.start_session() as session:
            session.start_transaction(write_concern=pymongo.WriteConcern("majority"))
            database["counts"].update_one({"_id": "k"}, {"$set": {"held": True}}, session=session)
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
