"""Intake's database: the latest version of every record, the messages of the last days, the parties to matches."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteMany, InsertOne, ReplaceOne

from services.intake.ledger import Ledger, Parties, Remembered
from services.intake.versions import Known
from shared.contracts.events import MatchProposed, SeenVersions
from shared.streaming import UnitOfWork

RECORDS = "records"
"""_id: kind/id (an answer's: answer/match id/member); version; content: digest, null when withdrawn; expires."""
MESSAGES = "messages"
"""_id: digest of (member, source, id); said: what the message said; version that it got; at: when it was taken."""
MATCHES = "matches"
"""_id: match id; owner and version on each side."""


async def prepare(database: AsyncIOMotorDatabase[dict[str, Any]], remember: timedelta) -> None:
    """Creates the collections, and the index that forgets messages after `remember`. Raises PyMongoError."""
    existing = set(await database.list_collection_names())
    for name in (RECORDS, MESSAGES, MATCHES):
        if name not in existing:
            await database.create_collection(name)
    seconds = int(remember.total_seconds())
    indexes = await database[MESSAGES].index_information()
    if indexes.get("forget", {}).get("expireAfterSeconds", seconds) != seconds:
        await database.command("collMod", MESSAGES, index={"name": "forget", "expireAfterSeconds": seconds})
    else:
        await database[MESSAGES].create_index("at", name="forget", expireAfterSeconds=seconds)


async def load(
    work: UnitOfWork, records: Collection[str], messages: Collection[str], matches: Collection[str]
) -> Ledger:
    """What is known under these ids: one read a collection, none where nothing is asked."""
    return Ledger(
        records={
            found["_id"]: Known(found["version"], found["content"], found["expires"])
            for found in await _find(work, RECORDS, records)
        },
        messages={
            found["_id"]: Remembered(found["said"], found["version"]) for found in await _find(work, MESSAGES, messages)
        },
        matches={found["_id"]: _parties(found) for found in await _find(work, MATCHES, matches)},
    )


def save(work: UnitOfWork, ledger: Ledger, now: datetime) -> None:
    """Writes what the ledger took: one bulk a collection."""
    work.collection(MESSAGES).write(
        [
            InsertOne({"_id": key, "said": message.fingerprint, "version": message.version, "at": now})
            for key, message in ledger.remembered.items()
        ]
    )
    if ledger.forgotten:
        work.collection(MESSAGES).write([DeleteMany({"_id": {"$in": list(ledger.forgotten)}})])
    work.collection(RECORDS).write(
        [
            ReplaceOne(
                {"_id": key},
                {"_id": key, "version": known.version, "content": known.content, "expires": known.expires},
                upsert=True,
            )
            for key, known in ledger.changed.items()
        ]
    )


def save_parties(work: UnitOfWork, proposals: Iterable[MatchProposed]) -> None:
    """Writes whose records these matches join; of several proposals of one match the last counts."""
    documents: Mapping[str, dict[str, Any]] = {
        proposal.match_id: {
            "_id": proposal.match_id,
            "technology": {"owner": proposal.technology.owner, "version": proposal.technology.version},
            "demand": {"owner": proposal.demand.owner, "version": proposal.demand.version},
        }
        for proposal in proposals
    }
    work.collection(MATCHES).write(
        [ReplaceOne({"_id": match_id}, document, upsert=True) for match_id, document in documents.items()]
    )


async def _find(work: UnitOfWork, collection: str, ids: Collection[str]) -> Sequence[dict[str, Any]]:
    return await work.collection(collection).find({"_id": {"$in": list(ids)}}) if ids else []


def _parties(document: Mapping[str, Any]) -> Parties:
    technology, demand = document["technology"], document["demand"]
    return Parties(
        technology["owner"],
        demand["owner"],
        SeenVersions(technology=technology["version"], demand=demand["version"]),
    )
