"""The notify service's database: a document per match, per searched demand, per member."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteOne, ReplaceOne

from services.notify.documents import match_document, match_of
from services.notify.match_state import MatchState
from services.notify.members import Members, disclosed
from services.notify.searches import SearchState
from services.notify.showing import Exposure
from shared.contracts.events import (
    Decision,
    DisclosedOrganisation,
    MatchProposed,
    OrganisationRegistered,
    OrganisationSize,
)
from shared.streaming import UnitOfWork

MATCHES = "matches"
SEARCHES = "searches"
LEFT = "left"
SMALL = "small"
ORGANISATIONS = "organisations"
"""_id: member id; version; told: what the other party is told of it once both accept."""
_TECHNOLOGY = "parties.technology.record_id"
_BOTH_ACCEPT = {f"answers.{side}.decision": Decision.ACCEPTED.value for side in ("technology", "demand")}
_SMALL_SIZES = (OrganisationSize.MICRO, OrganisationSize.SMALL)


class NotifyStore:
    """Collections `matches` by match id, `searches` by demand id; `left`, `small`, `organisations` by member id."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._database = database

    async def prepare(self) -> None:
        """Creates collections and indexes, because creating one inside a transaction makes others conflict."""
        existing = await self._database.list_collection_names()
        for name in (MATCHES, SEARCHES, LEFT, SMALL, ORGANISATIONS):
            if name not in existing:
                await self._database.create_collection(name)
        await self._database[MATCHES].create_index([(_TECHNOLOGY, 1), ("holds", 1)])
        await self._database[MATCHES].create_index([("owners", 1), ("_id", 1)])

    async def matches(self, work: UnitOfWork, ids: Collection[str]) -> dict[str, MatchState]:
        """What is known of these matches; those never heard of are not in it."""
        found = await work.collection(MATCHES).find({"_id": {"$in": list(ids)}})
        return {document["_id"]: match_of(document) for document in found}

    async def concerned(
        self, work: UnitOfWork, members: Collection[str], after: str, most: int
    ) -> dict[str, MatchState]:
        """Matches that may change when these members leave or have another entry, by id and from `after` on.

        They hold a proposal, or both accept.
        """
        of_members = {"owners": {"$in": list(members)}, "_id": {"$gt": after}}
        may_change = {"$or": [{"asked": {"$ne": None}}, _BOTH_ACCEPT]}
        found = await work.collection(MATCHES).find({**of_members, **may_change}, sort=[("_id", 1)], limit=most)
        return {document["_id"]: match_of(document) for document in found}

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
        operations = [ReplaceOne({"_id": each.match_id}, match_document(each), upsert=True) for each in states]
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

    async def members(self, work: UnitOfWork, members: Collection[str], with_names: bool) -> Members:
        """Who of them has left; and, where it is asked for, what the other party is told of each."""
        left = await self.who_left(work, members)
        if not with_names:
            return Members(left)
        found = await work.collection(ORGANISATIONS).find({"_id": {"$in": list(members)}})
        return Members(left, {each["_id"]: DisclosedOrganisation.model_validate(each["told"]) for each in found})

    async def keep_membership(
        self, work: UnitOfWork, registered: Mapping[str, OrganisationRegistered | None]
    ) -> set[str]:
        """Notes of each member whether it has left (None), whether it is small, and what it is called.

        An entry older than the known one changes nothing. Returns whose matches may change.
        """
        stored = await work.collection(ORGANISATIONS).find({"_id": {"$in": list(registered)}})
        known = {each["_id"]: each for each in stored}
        entries = {
            member: entry
            for member, entry in registered.items()
            if entry is None or member not in known or entry.version >= known[member]["version"]
        }
        small = {member for member, entry in entries.items() if entry is not None and entry.size in _SMALL_SIZES}
        told = {member: entry and disclosed(entry).model_dump(mode="json") for member, entry in entries.items()}
        work.collection(LEFT).write([_noted(member, entry is None) for member, entry in entries.items()])
        work.collection(SMALL).write([_noted(member, member in small) for member in entries])
        work.collection(ORGANISATIONS).write(
            [
                DeleteOne({"_id": member})
                if entry is None
                else ReplaceOne(
                    {"_id": member}, {"_id": member, "version": entry.version, "told": told[member]}, upsert=True
                )
                for member, entry in entries.items()
            ]
        )
        return {member for member in entries if told[member] != known.get(member, {}).get("told") or not told[member]}


def _noted(member: str, belongs: bool) -> DeleteOne | ReplaceOne[dict[str, Any]]:
    return ReplaceOne({"_id": member}, {"_id": member}, upsert=True) if belongs else DeleteOne({"_id": member})
