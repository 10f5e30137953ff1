"""A dead letter's replay is dealt with once, however often it comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo import InsertOne

from shared.streaming.item import Item
from shared.streaming.unit_of_work import UnitOfWork


async def without_replayed(group: str, items: Sequence[Item], work: UnitOfWork) -> list[Item]:
    """Items without replays that were dealt with before; the others are noted as dealt with."""
    replays = {_replay_id(group, item) for item in items} - {None}
    if not replays:
        return list(items)
    collection = work.collection("replayed")
    seen = {document["_id"] for document in await collection.find({"_id": {"$in": list(replays)}}, {"_id": 1})}
    kept: list[Item] = []
    for item in items:
        replay = _replay_id(group, item)
        if replay is None:
            kept.append(item)
        elif replay in seen:
            kept.append(Item(item.origin, item.record))
        else:
            seen.add(replay)
            collection.write([InsertOne({"_id": replay, "at": datetime.now(UTC)})])
            kept.append(item)
    return kept


def _replay_id(group: str, item: Item) -> str | None:
    if item.record is None or item.record.replay_of is None:
        return None
    return f"{group}:{item.record.replay_of}"
