"""Matching's database: every record as analysed, what is proposed for each demand, and how far each shard has come."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteOne, ReadPreference, ReplaceOne, ReturnDocument, UpdateOne, WriteConcern
from pymongo.read_concern import ReadConcern

from services.matching import documents
from services.matching.answers import Answer, WorkAnswer
from services.matching.outcomes import Proposed
from services.matching.shard import Change
from services.matching.work import Subject, WorkRecord
from shared.contracts.events import OrganisationKind, OrganisationRegistered, Side
from shared.streaming import UnitOfWork

Document = dict[str, Any]

TECHNOLOGIES = "technologies"
"""_id: shard/technology id (every shard keeps its own copy, because no document is written from two partitions);
shard, record, version, number (of the shard's change that wrote it);
party, encoder, method, analysis (terms, surfaces, counts), vector: absent once withdrawn."""
DEMANDS = "demands"
"""The same for the demands of a shard."""
PROPOSALS = "proposals"
"""_id: demand id; shard, version (of the demand), number (of the change), proposed: its shortlist, best first."""
SHARDS = "shards"
"""_id: shard; number: how many polls have changed its state."""
LABELS = "labels"
"""_id: match id/side; shard, technology, demand, side, version (of the answer), versions (of both records), decision,
reason, method (that proposes at the time), at (when intake took the answer): for a fit of the ranking to learn from."""
ORGANISATIONS = "organisations"
"""_id: member id; version, kind."""
SECRETS = "secrets"
"""_id: what for; value: random bytes: the key of the match ids, and the name of this database's state."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Whose shortlists are asked for: these demands', and those that hold one of these technologies."""

    demands: Collection[str]
    technologies: Collection[str]


class MatchingStore:
    """Reads and writes of the match stage; the collections are described above."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], method: str) -> None:
        """`method`: the version of the ranking that proposes now."""
        self._database = database
        self._method = method

    async def prepare(self) -> None:
        """Creates collections and indexes: creating one inside a transaction makes others conflict."""
        existing = await self._database.list_collection_names()
        for name in (TECHNOLOGIES, DEMANDS, PROPOSALS, LABELS, SHARDS, ORGANISATIONS, SECRETS):
            if name not in existing:
                await self._database.create_collection(name)
        for name in (TECHNOLOGIES, DEMANDS, PROPOSALS):
            await self._database[name].create_index([("shard", 1), ("number", 1)])
        await self._database[LABELS].create_index("shard")
        await self._database[PROPOSALS].create_index([("shard", 1), ("proposed.technology", 1)])

    async def secret(self) -> bytes:
        """The key of the match ids, made once and kept here: 32 random bytes."""
        return await self._kept("match_id")

    async def identity(self) -> str:
        """The name of this state, made once: what follows another database than this has another."""
        return (await self._kept("state")).hex()

    async def _kept(self, purpose: str) -> bytes:
        collection = self._database.get_collection(SECRETS, write_concern=WriteConcern("majority"))
        found = await collection.find_one_and_update(
            {"_id": purpose},
            {"$setOnInsert": {"value": secrets.token_bytes(32)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return bytes(found["value"])

    async def changes_of(self, work: UnitOfWork, shards: Collection[int]) -> dict[int, int]:
        """By shard, the number of the last change of its state, 0 for a new one."""
        found = await work.collection(SHARDS).find({"_id": {"$in": list(shards)}})
        return dict.fromkeys(shards, 0) | {each["_id"]: each["number"] for each in found}

    async def load(self, shard: int, after: int = 0) -> tuple[int, list[Change], list[Proposed], list[Answer]]:
        """A shard's whole state with the number of its last change; with `after`, of records and
        shortlists only what was written after that change (answers are few: all of them)."""
        wanted: Document = {"shard": shard, "number": {"$gt": after}} if after else {"shard": shard}
        while True:
            number = await self.committed_changes_of(shard)
            changes = [
                documents.change(side, found, self._method)
                for side, name in ((Side.TECHNOLOGY, TECHNOLOGIES), (Side.DEMAND, DEMANDS))
                async for found in self._committed(name).find(wanted)
            ]
            proposed = [documents.proposed(found) async for found in self._committed(PROPOSALS).find(wanted)]
            answers = [documents.answer(found) async for found in self._committed(LABELS).find({"shard": shard})]
            if number == await self.committed_changes_of(shard):
                return number, changes, proposed, answers

    async def committed_changes_of(self, shard: int) -> int:
        """The same of one shard, outside of a transaction."""
        found = await self._committed(SHARDS).find_one({"_id": shard})
        return found["number"] if found else 0

    def _committed(self, name: str) -> Any:
        return self._database.get_collection(
            name, read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
        )

    async def proposed(self, work: UnitOfWork, touched: Mapping[int, Touched]) -> dict[int, dict[str, Proposed]]:
        """By shard and demand id, what is proposed where the shard is touched; of other shards' technologies too."""
        demands = {demand: number for number, each in touched.items() for demand in each.demands}
        technologies = {technology for each in touched.values() for technology in each.technologies}
        either: list[Document] = []
        if demands:
            either.append({"_id": {"$in": list(demands)}})
        if technologies:
            either.append({"shard": {"$in": list(touched)}, "proposed.technology": {"$in": list(technologies)}})
        proposed: dict[int, dict[str, Proposed]] = {number: {} for number in touched}
        for found in await work.collection(PROPOSALS).find({"$or": either}) if either else ():
            shard: int = found["shard"]
            proposed[demands.get(found["_id"], shard)][found["_id"]] = documents.proposed(found)
        return proposed

    async def records(
        self, work: UnitOfWork, wanted: Mapping[int, Iterable[Subject]]
    ) -> dict[int, dict[Subject, WorkRecord]]:
        """By shard, the present version of each of these records that is live."""
        by_side: dict[Side, list[str]] = {}
        for shard, subjects in wanted.items():
            for subject in subjects:
                by_side.setdefault(subject.side, []).append(documents.id_of(shard, subject.id))
        records: dict[int, dict[Subject, WorkRecord]] = {shard: {} for shard in wanted}
        for side, ids in by_side.items():
            for found in await work.collection(_collection(side)).find({"_id": {"$in": ids}}):
                change = documents.change(side, found, self._method)
                if change.work is not None:
                    records[found["shard"]][change.subject] = change.work
        return records

    async def kinds(self, work: UnitOfWork, members: Collection[str]) -> dict[str, OrganisationKind]:
        """What kind of organisation each of these members is, as far as it has been registered."""
        if not members:
            return {}
        found = await work.collection(ORGANISATIONS).find({"_id": {"$in": list(members)}})
        return {each["_id"]: OrganisationKind(each["kind"]) for each in found}

    def keep_records(self, work: UnitOfWork, shard: int, number: int, changes: Iterable[Change]) -> None:
        """Writes the latest version of each record, as the shard's change `number`."""
        by_side: dict[Side, list[Change]] = {side: [] for side in Side}
        for change in changes:
            by_side[change.subject.side].append(change)
        for side, own in by_side.items():
            work.collection(_collection(side)).write(
                [
                    ReplaceOne(
                        {"_id": documents.id_of(shard, each.subject.id)},
                        documents.document(shard, each, self._method) | {"number": number},
                        upsert=True,
                    )
                    for each in own
                ]
            )

    def keep_labels(self, work: UnitOfWork, shard: int, answers: Iterable[WorkAnswer]) -> None:
        """Writes each party's latest answer to a pair."""
        work.collection(LABELS).write(
            [
                ReplaceOne({"_id": each.answer.key}, documents.label(shard, self._method, each), upsert=True)
                for each in answers
            ]
        )

    def keep_proposed(
        self,
        work: UnitOfWork,
        shard: int,
        number: int,
        proposed: Iterable[Proposed],
        closed: Iterable[str],
        id_of: Callable[[str, str], str],
    ) -> None:
        """Writes the shortlists that changed, and `number` as the shard's last change.

        `closed`: demands that are gone. `id_of`: the match id of a technology and a demand.
        """
        work.collection(PROPOSALS).write(
            [
                ReplaceOne(
                    {"_id": each.demand}, documents.shortlist(shard, each, id_of) | {"number": number}, upsert=True
                )
                for each in proposed
            ]
        )
        work.collection(PROPOSALS).write([DeleteOne({"_id": demand}) for demand in closed])
        work.collection(SHARDS).write([UpdateOne({"_id": shard}, {"$set": {"number": number}}, upsert=True)])

    async def remember(self, work: UnitOfWork, organisations: Mapping[str, OrganisationRegistered | None]) -> None:
        """Keeps the kind of each organisation; None where it left."""
        known = await work.collection(ORGANISATIONS).find({"_id": {"$in": list(organisations)}}, {"version": 1})
        versions = {each["_id"]: each["version"] for each in known}
        work.collection(ORGANISATIONS).write(
            [
                DeleteOne({"_id": member})
                if each is None
                else ReplaceOne(
                    {"_id": member}, {"_id": member, "version": each.version, "kind": each.kind.value}, upsert=True
                )
                for member, each in organisations.items()
                if each is None or each.version > versions.get(member, 0)
            ]
        )


def _collection(side: Side) -> str:
    return TECHNOLOGIES if side is Side.TECHNOLOGY else DEMANDS
