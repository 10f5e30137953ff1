"""The risk service's database: matches with their assessments, outcomes, and every version of the model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReplaceOne, UpdateOne

from services.risk import documents
from services.risk.documents import Document
from services.risk.evidence import Report
from services.risk.telling import Told
from shared.contracts.events import MatchProposed, RiskModelPublished
from shared.streaming import UnitOfWork

MATCHES = "matches"
"""_id: match id; technology_id, entered (trl, field of the first proposal), first (the first forecast of each stage):
kept for good; open, stream (whose timer assesses it again), technology, demand, trl, proposal, extensions, checked
(number of the model version that it was last assessed with), result: of an open match."""
OUTCOMES = "outcomes"
"""_id: outcome id; owner, version, number (of the first model version that knew of it), match or technology, stage,
result, day, months, subject (of its match: technology, trl, field, first forecast; null while there is none)."""
MODELS = "models"
"""_id: version; number, base, definition (the whole model as a file), learning (as published).
_id `current`: version, number, base, fingerprint, since (by readiness level, the number of the last version that
changed anything on its way), streams (input partitions that matches have come from).
_id `wanted`: definition (of the base model that the latest process to start was told to use)."""

CURRENT = "current"
WANTED = "wanted"


@dataclass(frozen=True, slots=True)
class Current:
    """Which model version holds now."""

    version: str
    number: int
    base: str
    fingerprint: str
    since: Mapping[str, int]
    streams: Sequence[str]


class RiskStore:
    """Reads and writes of the risk service; the collections are described above."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._database = database

    async def prepare(self, definition: str) -> None:
        """Creates collections and indexes, because creating one inside a transaction makes others conflict.

        `definition`: the base model, as a file.
        """
        existing = await self._database.list_collection_names()
        for name in (MATCHES, OUTCOMES, MODELS):
            if name not in existing:
                await self._database.create_collection(name)
        await self._database[MATCHES].create_index([("stream", 1), ("trl", 1), ("checked", 1)])
        await self._database[MATCHES].create_index("technology_id")
        await self._database[OUTCOMES].create_index("subject")
        await self._database[MODELS].update_one({"_id": WANTED}, {"$set": {"definition": definition}}, upsert=True)

    # --- matches

    async def without_forecast(self, work: UnitOfWork, ids: Collection[str]) -> set[str]:
        """Those of these matches of which no forecast is kept yet."""
        known = await work.collection(MATCHES).find({"_id": {"$in": list(ids)}, "first": {"$exists": True}}, {"_id": 1})
        return set(ids) - {each["_id"] for each in known}

    def keep_match(self, work: UnitOfWork, proposal: MatchProposed, state: Document, first: Document | None) -> None:
        """Writes the latest state of an open match; `first`: its forecast, where none is kept yet."""
        kept = {**state, "first": first} if first else state
        work.collection(MATCHES).write(
            [
                UpdateOne(
                    {"_id": proposal.match_id},
                    {"$set": kept, "$setOnInsert": documents.match_facts(proposal)},
                    upsert=True,
                )
            ]
        )

    def close_match(self, work: UnitOfWork, id: str) -> None:
        """Forgets what a match that no longer holds said; its start and its forecast stay, for outcomes."""
        gone = ("stream", "technology", "demand", "trl", "proposal", "extensions", "checked", "result")
        change = {"$set": {"open": False}, "$unset": dict.fromkeys(gone, "")}
        work.collection(MATCHES).write([UpdateOne({"_id": id}, change)])

    async def outdated(self, work: UnitOfWork, stream: str, since: Mapping[str, int], limit: int) -> list[Document]:
        """Open matches of a stream that were last assessed before their way to production changed."""
        either = [
            {"stream": stream, "trl": None if start == str(None) else int(start), "checked": {"$lt": number}}
            for start, number in since.items()
        ]
        return await work.collection(MATCHES).find({"$or": either}, limit=limit) if either else []

    def keep_result(self, work: UnitOfWork, id: str, number: int, told: Told | None) -> None:
        """The match was assessed with this version; with a result to be told, or without one."""
        change = {"checked": number} if told is None else documents.last_told(number, told)
        work.collection(MATCHES).write([UpdateOne({"_id": id}, {"$set": change})])

    async def subjects(
        self, work: UnitOfWork, matches: Collection[str], technologies: Collection[str]
    ) -> dict[str, Document]:
        """What outcomes of these matches and technologies are about, by either id; of a technology the first match."""
        either: list[Document] = []
        if matches:
            either.append({"_id": {"$in": list(matches)}, "entered": {"$exists": True}})
        if technologies:
            either.append({"technology_id": {"$in": list(technologies)}})
        if not either:
            return {}
        wanted = {"technology_id": 1, "entered": 1, "first": 1}
        found = await work.collection(MATCHES).find({"$or": either}, wanted)
        found.sort(key=lambda each: (each.get("first", {}).get("number", float("inf")), each["_id"]), reverse=True)
        subjects = {each["technology_id"]: documents.subject_of(each) for each in found}
        return subjects | {each["_id"]: documents.subject_of(each) for each in found}

    # --- outcomes

    async def outcomes(self, work: UnitOfWork, ids: Collection[str]) -> dict[str, Document]:
        """What is kept of these outcomes, by id."""
        found = await work.collection(OUTCOMES).find({"_id": {"$in": list(ids)}})
        return {each["_id"]: each for each in found}

    async def without_subject(self, work: UnitOfWork) -> list[Document]:
        """Outcomes that wait for an assessed match with their technology."""
        return await work.collection(OUTCOMES).find({"subject": None, "taken_back": None})

    def keep_outcomes(self, work: UnitOfWork, outcomes: Iterable[Document]) -> None:
        """Writes outcomes as they stand now."""
        work.collection(OUTCOMES).write([ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in outcomes])

    async def reports(self, work: UnitOfWork) -> list[Report]:
        """All outcomes that stand now."""
        return [documents.report(each) for each in await work.collection(OUTCOMES).find({"taken_back": None})]

    # --- models

    async def current(self, work: UnitOfWork) -> tuple[Current | None, str]:
        """The version that holds now, if there is one, and the base model that is wanted, as a file."""
        found = {each["_id"]: each for each in await work.collection(MODELS).find({"_id": {"$in": [CURRENT, WANTED]}})}
        written = found.get(CURRENT)
        current = Current(**{name: written[name] for name in Current.__slots__}) if written else None
        return current, found[WANTED]["definition"]

    async def definition(self, work: UnitOfWork, version: str) -> str:
        """The whole model of a version, as a file. Raises LookupError where there is no such version."""
        found = await work.collection(MODELS).find_one({"_id": version})
        if found is None:
            raise LookupError(f"no model version {version}")
        return found["definition"]

    def add_streams(self, work: UnitOfWork, streams: Iterable[str]) -> None:
        """Notes input partitions that matches come from.

        In the document that a new version replaces: one that is made meanwhile conflicts, and then knows of them.
        """
        change = {"$addToSet": {"streams": {"$each": sorted(streams)}}}
        work.collection(MODELS).write([UpdateOne({"_id": CURRENT}, change)])

    def keep_model(self, work: UnitOfWork, current: Current, published: RiskModelPublished) -> None:
        """Makes it the version that holds; all versions stay. Of two that do this at once, one finds it done."""
        document: dict[str, Any] = {
            "_id": current.version,
            "number": current.number,
            "base": current.base,
            "definition": published.definition,
            "learning": published.learning and published.learning.model_dump(mode="json"),
        }
        pointer: dict[str, Any] = {"_id": CURRENT} | {name: getattr(current, name) for name in Current.__slots__}
        writes: Sequence[ReplaceOne[Document]] = [
            ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in (document, pointer)
        ]
        work.collection(MODELS).write(writes)
