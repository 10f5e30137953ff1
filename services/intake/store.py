"""Intake's database: the latest version of every record, the messages of the last days, the parties to matches."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteMany, InsertOne, ReplaceOne

from services.intake.ledger import Ledger, Parties, Remembered
from services.intake.versions import Known
from shared.contracts.events import MatchProposed, SeenVersions, Side
from shared.streaming import UnitOfWork

Document = dict[str, Any]

RECORDS = "records"
"""_id: kind/id (an answer's: answer/match id/member); version; content: digest, null when withdrawn; expires."""
MESSAGES = "messages"
"""_id: digest of (member, source, id); said: what the message said; version that it got; at: when it was taken."""
MATCHES = "matches"
"""_id: match id; owner, id and version of the record on each side."""
WAITING = "waiting"
"""_id: record key of what waits for its match; member, match; until: when it is given up; message: as it came."""


async def prepare(database: AsyncIOMotorDatabase[Document], remember: timedelta) -> None:
    """Creates the collections, and the index that forgets messages after `remember`. Raises PyMongoError."""
    existing = set(await database.list_collection_names())
    for name in (RECORDS, MESSAGES, MATCHES, WAITING):
        if name not in existing:
            await database.create_collection(name)
    await database[WAITING].create_index("member")
    seconds = int(remember.total_seconds())
    indexes = await database[MESSAGES].index_information()
    if indexes.get("forget", {}).get("expireAfterSeconds", seconds) != seconds:
        await database.command("collMod", MESSAGES, index={"name": "forget", "expireAfterSeconds": seconds})
    else:
        await database[MESSAGES].create_index("at", name="forget", expireAfterSeconds=seconds)


async def load(
    work: UnitOfWork,
    records: Collection[str],
    messages: Collection[str] = (),
    matches: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Ledger:
    """What is known under these ids: one read a collection, none where nothing is asked.

    `matches`: by match id, the members that speak about it; what else of theirs waits counts where it is not known.
    """
    ledger = Ledger(
        records={
            found["_id"]: Known(found["version"], found["content"], found["expires"])
            for found in await _find(work, RECORDS, records)
        },
        messages={
            found["_id"]: Remembered(found["said"], found["version"]) for found in await _find(work, MESSAGES, messages)
        },
        matches={found["_id"]: _parties(found) for found in await _find(work, MATCHES, matches)},
    )
    members = {member for match, speakers in matches.items() if match not in ledger.matches for member in speakers}
    for found in await _find(work, WAITING, members, field="member", projection={"member": 1}):
        ledger.waiting.setdefault(found["member"], set()).add(found["_id"])
    return ledger


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
    documents = [
        {"_id": key, "version": known.version, "content": known.content, "expires": known.expires}
        for key, known in ledger.changed.items()
    ]
    # A record that the snapshot does not hold is inserted, which costs MongoDB less than an upsert; all inserts first.
    work.collection(RECORDS).write([InsertOne(document) for document in documents if document["_id"] in ledger.new])
    work.collection(RECORDS).write(
        [ReplaceOne({"_id": id}, document) for document in documents if (id := document["_id"]) not in ledger.new]
    )


def save_parties(work: UnitOfWork, proposals: Iterable[MatchProposed]) -> None:
    """Writes whose records these matches join; of several proposals of one match the last counts."""
    documents: Mapping[str, Document] = {
        proposal.match_id: {
            "_id": proposal.match_id,
            **{
                side.value: {"owner": party.owner, "id": party.id, "version": party.version}
                for side in Side
                for party in (proposal.party(side),)
            },
        }
        for proposal in proposals
    }
    work.collection(MATCHES).write(
        [ReplaceOne({"_id": match_id}, document, upsert=True) for match_id, document in documents.items()]
    )


def keep_waiting(work: UnitOfWork, key: str, member: str, match: str, until: datetime, message: Document) -> None:
    """Keeps a message until its match comes; what waited under the key before is replaced."""
    document = {"_id": key, "member": member, "match": match, "until": until, "message": message}
    work.collection(WAITING).write([ReplaceOne({"_id": key}, document, upsert=True)])


def end_waiting(work: UnitOfWork, keys: Collection[str]) -> None:
    """Forgets what waited under these keys, if anything did."""
    if keys:
        work.collection(WAITING).write([DeleteMany({"_id": {"$in": list(keys)}})])


async def waiting_of(
    work: UnitOfWork, members: Collection[str], now: datetime
) -> tuple[Sequence[Document], Mapping[str, datetime]]:
    """What of these members need not wait any more, since its match is there or its time is over.

    And of each member that still waits, when the first of its waits will be over.
    """
    waiting = await _find(work, WAITING, members, field="member", projection={"message": 0})
    known = {found["_id"] for found in await _find(work, MATCHES, {w["match"] for w in waiting}, projection={"_id": 1})}
    ended = {each["_id"] for each in waiting if each["match"] in known or each["until"] <= now}
    first: dict[str, datetime] = {}
    for each in waiting:
        if each["_id"] not in ended:
            first[each["member"]] = min(each["until"], first.get(each["member"], each["until"]))
    return await _find(work, WAITING, ended), first


async def _find(
    work: UnitOfWork,
    collection: str,
    values: Collection[str],
    field: str = "_id",
    projection: Mapping[str, int] | None = None,
) -> Sequence[Document]:
    if not values:
        return []
    return await work.collection(collection).find({field: {"$in": list(values)}}, projection)


def _parties(document: Mapping[str, Any]) -> Parties:
    technology, demand = document["technology"], document["demand"]
    return Parties(
        technology["owner"],
        demand["owner"],
        SeenVersions(technology=technology["version"], demand=demand["version"]),
        technology.get("id"),
        demand.get("id"),
    )
