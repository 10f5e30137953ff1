"""Timers as documents: those that are due, those of a poll that still are, what handlers set and cancelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ASCENDING, DeleteOne, ReplaceOne

from shared.streaming.event import Timer
from shared.streaming.item import Item
from shared.streaming.unit_of_work import UnitOfWork

MOST_AT_ONCE = 500


async def due_timers(
    database: AsyncIOMotorDatabase[dict[str, Any]], group: str, origins: Mapping[str, TopicPartition], names: Set[str]
) -> list[Timer]:
    """At most MOST_AT_ONCE timers that are due, the oldest first. `origins`: position id -> owned input partition."""
    due = {
        "group": group,
        "due": {"$lte": datetime.now(UTC)},
        "name": {"$in": sorted(names)},
        "position": {"$in": list(origins)},
    }
    found = await database["timers"].find(due).sort([("due", ASCENDING)]).limit(MOST_AT_ONCE).to_list(None)
    return [Timer(d["name"], d["timer"], d["due"], d["data"], origins[d["position"]], d.get("trace")) for d in found]


class Timers:
    """A consumer group's timers, as one poll's transaction reads and writes them."""

    def __init__(self, group: str, position_id: Callable[[TopicPartition], str]) -> None:
        self._group = group
        self._position_id = position_id

    async def still_due(self, items: Sequence[Item], work: UnitOfWork) -> list[Item]:
        """Items without timers that somebody cancelled or replaced after they were read."""
        wanted = {self._id(timer.name, timer.id): timer.due for item in items if (timer := item.due_timer)}
        if not wanted:
            return list(items)
        found = await work.collection("timers").find({"_id": {"$in": list(wanted)}}, {"due": 1})
        due = {document["_id"] for document in found if document["due"] == wanted[document["_id"]]}
        return [
            item if (timer := item.due_timer) is None or self._id(timer.name, timer.id) in due else Item(item.origin)
            for item in items
        ]

    def keep(self, items: Sequence[Item], work: UnitOfWork) -> None:
        """Drops the timers that fired, and those that handlers cancelled; stores those that they set."""
        writes: list[DeleteOne | ReplaceOne[dict[str, Any]]] = [
            DeleteOne({"_id": self._id(timer.name, timer.id), "due": timer.due})
            for item in items
            if (timer := item.due_timer) is not None
        ]
        for (name, id), timer in work.timers.items():
            key = {"_id": self._id(name, id)}
            if timer is None:
                writes.append(DeleteOne(key))
                continue
            document = key | {
                "group": self._group,
                "name": name,
                "timer": id,
                "due": timer.due,
                "data": timer.data,
                "position": self._position_id(timer.origin),
                "trace": timer.trace,
            }
            writes.append(ReplaceOne(key, document, upsert=True))
        if writes:
            work.collection("timers").write(writes)

    def _id(self, name: str, id: str) -> str:
        return f"{self._group}:{name}/{id}"
