"""Deliveries in MongoDB: what is due, who holds it, what came of it; what members have configured.

One document holds a delivery and its log. `due` says when somebody may take it up next, and only that: a process that
takes one moves `due` to the end of its lease, so what it leaves behind when it is killed comes up again by itself. A
delivery that is finished has no `due` and no text any more, and vanishes after 90 days.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne

from services.notify.channels.breaker import Pipeline
from services.notify.channels.delivery import InboxEvent
from services.notify.channels.documents import Claimed, Document, Outcome, Planned, reader
from shared.contracts.channels import ChannelsConfigured
from shared.streaming import UnitOfWork

CHANNELS = "channels"
DELIVERIES = "deliveries"
DIGEST_MESSAGES = "digest_messages"
ENDPOINTS = "endpoints"
KEPT_DAYS = 90
_DUE = {"due": {"$exists": True}}
_NOBODY = {"holder": None}


class DeliveryStore:
    """Collections `channels` (by member), `deliveries`, `digest_messages` (what a digest consists of), `endpoints`."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._database = database
        self._deliveries = database[DELIVERIES]
        self._endpoints = database[ENDPOINTS]

    async def prepare(self) -> None:
        """Creates collections and indexes, because creating one inside a transaction makes others conflict."""
        existing = await self._database.list_collection_names()
        for name in (CHANNELS, DELIVERIES, DIGEST_MESSAGES, ENDPOINTS):
            if name not in existing:
                await self._database.create_collection(name)
        in_clear = {"entry.webhook.secrets": {"$regex": "^whsec_"}}  # of before secrets were sealed: to be set anew
        await self._database[CHANNELS].update_many(in_clear, {"$set": {"entry.webhook": None}})
        await self._deliveries.create_index([("due", 1), ("endpoint", 1)], partialFilterExpression=_DUE)
        await self._deliveries.create_index([("endpoint", 1), ("due", 1)], partialFilterExpression=_DUE)
        await self._deliveries.create_index([("member", 1), ("first_due", -1)])
        await self._deliveries.create_index([("first_due", -1)])
        kept = KEPT_DAYS * 86_400
        await self._deliveries.create_index("finished", expireAfterSeconds=kept)
        messages = self._database[DIGEST_MESSAGES]
        await messages.create_index([("digest", 1), ("number", 1)])
        await messages.create_index([("reader", 1), ("subject", 1), ("due", -1), ("number", -1)])
        await messages.create_index("due", expireAfterSeconds=kept)
        await self._endpoints.create_index("touched", expireAfterSeconds=kept)

    # --- in the transaction of a poll ---------------------------------------------------------------------------

    def keep_channels(
        self, work: UnitOfWork, configured: Mapping[str, ChannelsConfigured | None], now: datetime
    ) -> None:
        """Notes what members have configured; what waits for a dead endpoint of theirs is looked at again at once."""
        work.collection(CHANNELS).write(
            [
                DeleteOne({"_id": member})
                if entry is None
                else ReplaceOne({"_id": member}, {"_id": member, "entry": entry.model_dump(mode="json")}, upsert=True)
                for member, entry in configured.items()
            ]
        )
        waiting = {"member": {"$in": list(configured)}, "postponed": True, **_NOBODY, **_DUE}
        work.collection(DELIVERIES).write([UpdateMany(waiting, {"$set": {"due": now}, "$unset": {"postponed": ""}})])

    async def channels_of(self, work: UnitOfWork, members: Collection[str]) -> dict[str, ChannelsConfigured]:
        """What these members have configured; those who have nothing are not in it."""
        found = await work.collection(CHANNELS).find({"_id": {"$in": list(members)}})
        return {each["_id"]: ChannelsConfigured.model_validate(each["entry"]) for each in found}

    def plan(self, work: UnitOfWork, planned: Sequence[Planned]) -> None:
        """Has each sent as a delivery of its own; one that was planned before stays as it is."""
        operations = [UpdateOne({"_id": each.id}, {"$setOnInsert": each.document()}, upsert=True) for each in planned]
        work.collection(DELIVERIES).write(operations)

    async def begun_digests(self, work: UnitOfWork, digests: Collection[str]) -> set[str]:
        """Those of the digests that somebody has taken up: what comes now belongs to the next."""
        ids = {"_id": {"$in": list(digests)}, "attempt": {"$gt": 0}}
        return {each["_id"] for each in await work.collection(DELIVERIES).find(ids, {"_id": 1})}

    async def plan_digest(self, work: UnitOfWork, digest: str, planned: Sequence[Planned]) -> None:
        """Adds messages to a digest that nobody has taken up, in this order.

        The digest's own document is written each time: whoever takes it up meanwhile conflicts with this transaction.
        """
        deliveries, messages = work.collection(DELIVERIES), work.collection(DIGEST_MESSAGES)
        ids = [each.id for each in planned]
        known = {each["_id"] for each in await messages.find({"_id": {"$in": ids}}, {"_id": 1})}
        new = [each for each in planned if each.id not in known]
        present = await deliveries.find_one({"_id": digest}, {"messages": 1})
        first = present["messages"] if present else 0
        deliveries.write(
            [
                UpdateOne(
                    {"_id": digest},
                    {"$setOnInsert": planned[0].digest_document(), "$inc": {"messages": len(new)}},
                    upsert=True,
                )
            ]
        )
        messages.write([InsertOne(each.message_document(digest, n)) for n, each in enumerate(new, first)])

    # --- by the sender ------------------------------------------------------------------------------------------

    async def due(self, now: datetime, where: Document, most: int) -> list[Document]:
        """What has been due the longest, of the deliveries that the condition holds for."""
        return await self._deliveries.find({"due": {"$lte": now}, **where}).sort("due", 1).limit(most).to_list(most)

    async def claim(self, found: Sequence[Document], now: datetime, lease: timedelta) -> list[Claimed]:
        """Takes these up, except those that another process was faster with.

        They are the caller's for the lease; then they are due again.
        """
        holder = uuid.uuid4().hex
        update = {"$set": {"due": now + lease, "holder": holder}, "$inc": {"attempt": 1}}
        as_found = [UpdateOne({name: each[name] for name in ("_id", "due", "attempt")}, update) for each in found]
        if (await self._deliveries.bulk_write(as_found, ordered=False)).matched_count < len(found):
            mine = {"_id": {"$in": [each["_id"] for each in found]}, "holder": holder}
            ids = set(await self._deliveries.distinct("_id", mine))
            found = [each for each in found if each["_id"] in ids]
        return [Claimed.of(each, holder) for each in found]

    async def channels(self, member: str) -> ChannelsConfigured | None:
        """What the member has configured now."""
        found = await self._database[CHANNELS].find_one({"_id": member})
        return None if found is None else ChannelsConfigured.model_validate(found["entry"])

    async def messages(self, digest: str) -> list[InboxEvent]:
        """What a digest consists of, in the order of the inbox; for one that this process holds."""
        found = self._database[DIGEST_MESSAGES].find({"digest": digest}).sort("number", 1)
        return [InboxEvent(**each["event"]) async for each in found]

    async def told_before(self, claimed: Claimed, subjects: Collection[str]) -> dict[str, str]:
        """Of these subjects the type of the last message that the reader of this digest had in an earlier one."""
        earlier = self._database[DIGEST_MESSAGES].find(
            {
                "reader": reader(claimed.member, claimed.target),
                "subject": {"$in": list(subjects)},
                "digest": {"$ne": claimed.id},
            },
            {"_id": 0, "digest": 1, "subject": 1, "type": 1},
        )
        told = await earlier.sort([("due", 1), ("number", 1)]).to_list(None)
        ids = list({each["digest"] for each in told})
        delivered = await self._deliveries.distinct("_id", {"_id": {"$in": ids}, "outcome": "delivered"})
        return {each["subject"]: each["type"] for each in told if each["digest"] in delivered}

    async def hold(self, claimed: Claimed, until: datetime) -> None:
        """Keeps it for longer than it was taken for."""
        await self._write(claimed, {"$set": {"due": until}})

    async def finish(
        self, claimed: Claimed, outcome: Outcome, now: datetime, attempts: Sequence[Document], reason: str | None = None
    ) -> bool:
        """Notes that nothing more is to be done. False: another process has it by now, and will."""
        gone = {"due": "", "holder": "", "event": "", "postponed": ""}
        found = {"outcome": outcome, "finished": now, "reason": reason}
        done = await self._write(claimed, {"$set": found, "$unset": gone, "$push": {"attempts": {"$each": attempts}}})
        if done and claimed.event is None:
            # What it told of stays, for the digests that come after it.
            await self._database[DIGEST_MESSAGES].update_many({"digest": claimed.id}, {"$unset": {"event": ""}})
        return done

    async def put_back(
        self, claimed: Claimed, due: datetime, attempts: Sequence[Document] = (), postponed: bool = False
    ) -> None:
        """Lets it go until it is due. Without an entry for the log it was not tried, and loses no try by it."""
        changes: Document = {
            "$set": {"due": due, "holder": None, "postponed": postponed},
            "$push": {"attempts": {"$each": list(attempts)}},
        }
        await self._write(claimed, changes if attempts else {**changes, "$inc": {"attempt": -1}})

    async def postpone(self, endpoint: str, until: datetime) -> None:
        """Has all that is due for an endpoint before that moment wait until then."""
        waiting = {"endpoint": endpoint, "due": {"$lt": until}, **_NOBODY}
        await self._deliveries.update_many(waiting, {"$set": {"due": until, "postponed": True}})

    async def wake(self, endpoint: str, now: datetime) -> None:
        """What waited for the endpoint is due."""
        waiting = {"endpoint": endpoint, "postponed": True, **_NOBODY, **_DUE}
        await self._deliveries.update_many(waiting, {"$set": {"due": now}, "$unset": {"postponed": ""}})

    async def give_up_waiting(self, endpoint: str, first_due_before: datetime, now: datetime, reason: str) -> int:
        """Gives up what has waited too long for an endpoint; how many."""
        overdue = {"endpoint": endpoint, "first_due": {"$lt": first_due_before}, "postponed": True, **_NOBODY, **_DUE}
        gone = {"due": "", "holder": "", "event": "", "postponed": ""}
        found = {"outcome": "given-up", "finished": now, "reason": reason}
        return (await self._deliveries.update_many(overdue, {"$set": found, "$unset": gone})).modified_count

    async def move(self, member: str, channel: str, endpoint: str) -> None:
        """Has all that waits on a channel of the member go to the endpoint that is configured now."""
        await self._deliveries.update_many(
            {"member": member, "channel": channel, "endpoint": {"$ne": endpoint}, **_DUE},
            {"$set": {"endpoint": endpoint}},
        )

    async def change_endpoint(self, endpoint: str, change: Pipeline, before: bool = False) -> Document:
        """What is known of an endpoint after a change of it (see breaker.py), or as it stood before."""
        document = await self._endpoints.find_one_and_update(
            {"_id": endpoint}, change, upsert=True, return_document=not before
        )
        return document or {}

    async def waiting(self) -> int:
        """How many deliveries and digests are not finished."""
        return await self._deliveries.count_documents(_DUE, hint=[("due", 1), ("endpoint", 1)])

    async def listed(self, member: str | None, most: int) -> list[Document]:
        """The latest deliveries with their logs, without what they say."""
        chosen = {} if member is None else {"member": member}
        shown = self._deliveries.find(chosen, {"event": 0, "holder": 0}).sort("first_due", -1).limit(most)
        return await shown.to_list(most)

    async def _write(self, claimed: Claimed, update: Mapping[str, Any]) -> bool:
        mine = {"_id": claimed.id, "holder": claimed.holder, "attempt": claimed.attempt}
        return (await self._deliveries.update_one(mine, update)).matched_count == 1
