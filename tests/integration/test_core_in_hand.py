"""A record alone in hand is blamed for a process that ended with it, and for nothing else."""

from __future__ import annotations

import contextlib

import pymongo
from pymongo.errors import PyMongoError

from bench.counting import Counted, Counter
from shared.runtime.service import Service
from shared.streaming.options import Options
from tests.platform import Platform, event_headers, eventually

IMPATIENT = Options(backoff_seconds=0.01, backoff_limit_seconds=0.05, tick_seconds=0.2)


async def test_conflicts_while_a_record_is_alone_in_hand_are_no_crashes(platform: Platform) -> None:
    """A killed process leaves its MongoDB transaction open: its successor meets the locks for up to ten seconds."""
    await platform.create_topics({"in": 1, "out": 1, "alone.dead-letters": 1, "alone.replays": 1})
    headers = event_headers("1", Counted.type)
    await platform.produce("in", [("k", b'{"number": 1}', headers)])
    database = platform.database("alone")
    name = f"{platform.prefix}in"
    position = f"{platform.prefix}tongtu.alone:{name}/0"
    # As two ends at the same place leave it, by a process that is gone.
    database["positions"].insert_one(
        {
            "_id": position,
            "topic": name,
            "partition": 0,
            "next": 0,
            "sequence": 0,
            "epoch": 2,
            "instance": "gone",
            "owners": [],
            "unclean": {"at": 0, "count": 1},
        }
    )
    database["counts"].insert_one({"_id": "k", "count": 0})

    async def taken_again_and_again() -> bool:
        found = database["positions"].find_one({"_id": position}) or {}
        return found.get("epoch", 0) >= 8 and found.get("in_hand") == {"offset": 0, "ends": 0}

    async def counted() -> bool:
        return (database["counts"].find_one({"_id": "k"}) or {}).get("count") == 1

    async with Service("alone", platform.settings(), lambda _: 1, IMPATIENT) as service:
        service.on_topic("in", Counted, Counter("out").count)
        async with platform.running(service):
            with platform.client.start_session() as session:
                session.start_transaction(write_concern=pymongo.WriteConcern("majority"))
                database["counts"].update_one({"_id": "k"}, {"$set": {"held": True}}, session=session)
                try:
                    await eventually(taken_again_and_again, what="six take-overs with the record in hand")
                finally:
                    with contextlib.suppress(PyMongoError):
                        session.abort_transaction()
            await eventually(counted, what="the count of the record")
            await platform.read_until("out", 1)
    assert await platform.read("alone.dead-letters") == []
