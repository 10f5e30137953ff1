"""The notify service's database: one document per match, per searched demand, and per member that has left."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteOne, ReplaceOne

from services.notify.due import MatchState, Party
from services.notify.searches import SearchState
from shared.contracts.events import Side
from shared.streaming import UnitOfWork

MATCHES = "matches"
SEARCHES = "searches"
LEFT = "left"


class NotifyStore:
    """Collections `matches`, `searches` and `left`, by match id, demand id and member id."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._database = database

    async def prepare(self) -> None:
        """Creates the collections, because creating one inside a transaction makes others conflict."""
        existing = await self._database.list_collection_names()
        for name in (MATCHES, SEARCHES, LEFT):
            if name not in existing:
                await self._database.create_collection(name)

    async def matches(self, work: UnitOfWork, ids: Collection[str]) -> dict[str, MatchState]:
        """What is known of these matches; those never heard of are not in it."""
        found = await work.collection(MATCHES).find({"_id": {"$in": list(ids)}})
        return {document["_id"]: _match(document) for document in found}

    def keep_matches(self, work: UnitOfWork, states: Iterable[MatchState]) -> None:
        """Writes every state, changed or not: facts that meet here from two partitions must not miss each other."""
        operations = [ReplaceOne({"_id": each.match_id}, _match_document(each), upsert=True) for each in states]
        work.collection(MATCHES).write(operations)

    async def searches(self, work: UnitOfWork, ids: Collection[str]) -> dict[str, SearchState]:
        """What is known of the searches for these demands."""
        found = await work.collection(SEARCHES).find({"_id": {"$in": list(ids)}})
        return {each["_id"]: SearchState(each["_id"], each["version"], each["told"]) for each in found}

    def keep_searches(self, work: UnitOfWork, states: dict[str, SearchState | None]) -> None:
        """Writes the states by demand id; None removes one."""
        work.collection(SEARCHES).write(
            [
                DeleteOne({"_id": demand_id})
                if state is None
                else ReplaceOne(
                    {"_id": demand_id}, {"_id": demand_id, "version": state.version, "told": state.told}, upsert=True
                )
                for demand_id, state in states.items()
            ]
        )

    async def who_left(self, work: UnitOfWork, members: Collection[str]) -> set[str]:
        """Those of the members that are no longer registered; one not heard of yet is not among them."""
        found = await work.collection(LEFT).find({"_id": {"$in": list(members)}}, {"_id": 1})
        return {document["_id"] for document in found}

    def keep_membership(self, work: UnitOfWork, registered: dict[str, bool]) -> None:
        """Notes of each member whether it is registered."""
        work.collection(LEFT).write(
            [
                DeleteOne({"_id": member}) if stays else ReplaceOne({"_id": member}, {"_id": member}, upsert=True)
                for member, stays in registered.items()
            ]
        )


def _match(document: dict[str, Any]) -> MatchState:
    parties = document["parties"]
    return MatchState(
        match_id=document["_id"],
        holds=document["holds"],
        parties=parties and {side: Party(**parties[side.value]) for side in Side},
    )


def _match_document(state: MatchState) -> dict[str, Any]:
    parties = state.parties and {
        side.value: {
            "owner": party.owner,
            "record_id": party.record_id,
            "version": party.version,
            "told": party.told,
        }
        for side, party in state.parties.items()
    }
    return {"_id": state.match_id, "holds": state.holds, "parties": parties}
