"""The notify service's database: a document per match, per searched demand, per member that left or is small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteOne, ReplaceOne

from services.notify.due import MatchState, Party
from services.notify.searches import SearchState
from services.notify.showing import Exposure
from shared.contracts.events import MatchProposed, OrganisationRegistered, OrganisationSize, Side
from shared.streaming import UnitOfWork

MATCHES = "matches"
SEARCHES = "searches"
LEFT = "left"
SMALL = "small"
_TECHNOLOGY = "parties.technology.record_id"
_SMALL_SIZES = (OrganisationSize.MICRO, OrganisationSize.SMALL)


class NotifyStore:
    """Collections `matches`, `searches`, `left` and `small`, by match id, demand id and member id."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._database = database

    async def prepare(self) -> None:
        """Creates collections and indexes, because creating one inside a transaction makes others conflict."""
        existing = await self._database.list_collection_names()
        for name in (MATCHES, SEARCHES, LEFT, SMALL):
            if name not in existing:
                await self._database.create_collection(name)
        await self._database[MATCHES].create_index([(_TECHNOLOGY, 1), ("holds", 1)])

    async def matches(self, work: UnitOfWork, ids: Collection[str]) -> dict[str, MatchState]:
        """What is known of these matches; those never heard of are not in it."""
        found = await work.collection(MATCHES).find({"_id": {"$in": list(ids)}})
        return {document["_id"]: _match(document) for document in found}

    async def exposure(self, work: UnitOfWork, proposals: Collection[MatchProposed]) -> Exposure:
        """For how many demands the technologies of these proposals are proposed now, and whose owners are small."""
        if not proposals:
            return Exposure({}, ())
        technologies = {each.technology.id for each in proposals}
        # The index has both fields: no document is read.
        held = await work.collection(MATCHES).find(
            {_TECHNOLOGY: {"$in": list(technologies)}, "holds": True}, {"_id": 0, _TECHNOLOGY: 1}
        )
        owners = {each.technology.owner for each in proposals}
        small = await work.collection(SMALL).find({"_id": {"$in": list(owners)}}, {"_id": 1})
        return Exposure(
            Counter(each["parties"]["technology"]["record_id"] for each in held), [each["_id"] for each in small]
        )

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

    def keep_membership(self, work: UnitOfWork, registered: Mapping[str, OrganisationRegistered | None]) -> None:
        """Notes of each member whether it has left (None), and whether it is small."""
        small = {member for member, entry in registered.items() if entry is not None and entry.size in _SMALL_SIZES}
        work.collection(LEFT).write([_noted(member, entry is None) for member, entry in registered.items()])
        work.collection(SMALL).write([_noted(member, member in small) for member in registered])


def _noted(member: str, belongs: bool) -> DeleteOne | ReplaceOne[dict[str, Any]]:
    return ReplaceOne({"_id": member}, {"_id": member}, upsert=True) if belongs else DeleteOne({"_id": member})


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
