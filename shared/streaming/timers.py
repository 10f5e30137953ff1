"""Reads the timers that are due on owned partitions."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ASCENDING

from shared.streaming.event import Timer

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
