"""Positions and outbox in MongoDB: how far each input partition is processed, and what is still to be published.

A position counts two things: `next`, the offset to read next, and `sequence`, one more for every transaction that
touched the partition. The sequence goes into the metadata of the Kafka group offset, in the Kafka transaction that
publishes; so after a crash the group offset says exactly which outbox documents are in the log already, also where
the offset itself did not move (timers).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import TopicPartition
from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo import ASCENDING, UpdateOne, WriteConcern
from pymongo.errors import CollectionInvalid

from shared.streaming.errors import Fenced
from shared.streaming.outbox import OutboxDocument, Outgoing

COLLECTIONS = ("positions", "outbox", "timers", "replayed", "unpublishable")


@dataclass(frozen=True, slots=True)
class Position:
    """One owned input partition. `next` is None until the partition was read for the first time."""

    id: str
    partition: TopicPartition
    next: int | None
    sequence: int
    epoch: int
    unclean_ends: int = 0
    """How often in a row a process ended uncleanly with this partition at this very position."""
    in_hand: tuple[int, int] | None = None
    """The record (offset) that was alone in hand at unclean ends, and how many of them."""

    def holding(self, offset: int, ends: int) -> Position:
        """The position while one record is processed alone."""
        return replace(self, in_hand=(offset, ends))

    def released(self) -> Position:
        """The position after its process has let it go cleanly."""
        return replace(self, unclean_ends=0, in_hand=None)

    def moved(self, next: int) -> Position:
        """The position after one more transaction, which also shows that nothing hangs here any more."""
        return replace(self, next=next, sequence=self.sequence + 1, unclean_ends=0, in_hand=None)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a take-over found: positions, transactional ids that may still be at work, documents left."""

    positions: list[Position]
    former_owners: set[str]
    documents: list[OutboxDocument]


class Journal:
    """The core's own collections of one consumer group in a service's database."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]], group: str) -> None:
        self._group = group
        self._database = database
        self._positions = database["positions"]
        self._outbox = database["outbox"]
        self._outbox_unacknowledged = database["outbox"].with_options(write_concern=WriteConcern(1))

    def position_id(self, partition: TopicPartition) -> str:
        """The position's document id."""
        return f"{self._group}:{partition.topic}/{partition.partition}"

    async def prepare(self) -> None:
        """Creates the collections, which must exist before a transaction writes to them, and their indexes."""
        existing = set(await self._database.list_collection_names())
        for name in COLLECTIONS:
            if name not in existing:
                try:
                    await self._database.create_collection(name)
                except CollectionInvalid:  # another instance was faster
                    continue
        await self._outbox.create_index([("position", ASCENDING), ("sequence", ASCENDING), ("part", ASCENDING)])
        await self._database["timers"].create_index([("group", ASCENDING), ("due", ASCENDING)])

    async def take_over(self, partitions: Iterable[TopicPartition], transactional_id: str, instance: str) -> Taken:
        """Raises the epoch of every partition and reads what was left, in one transaction.

        Who owned a partition before stays listed as an owner until `confirm`, so that a crash in between forgets
        nobody who has to be fenced.
        """
        ids = {self.position_id(partition): partition for partition in partitions}
        async with await self._database.client.start_session() as session:

            async def take(session: AsyncIOMotorClientSession) -> Taken:
                return await self._take_over(session, ids, transactional_id, instance)

            return await session.with_transaction(take)

    async def _take_over(
        self,
        session: AsyncIOMotorClientSession,
        ids: dict[str, TopicPartition],
        transactional_id: str,
        instance: str,
    ) -> Taken:
        found = {
            document["_id"]: document
            async for document in self._positions.find({"_id": {"$in": list(ids)}}, session=session)
        }
        positions: list[Position] = []
        owners: set[str] = set()
        writes: list[UpdateOne] = []
        for id, partition in ids.items():
            old = found.get(id, {})
            owners.update(old.get("owners", ()))
            # A process that lets go cleanly clears the instance; one that takes its own partitions again is alive.
            unclean = old.get("instance") not in (None, instance)
            counted: dict[str, Any] = old.get("unclean") or {"at": None, "count": 0}
            if unclean:
                again = counted["at"] == old.get("next")
                counted = {"at": old.get("next"), "count": counted["count"] + 1 if again else 1}
            # Only the end of a process that had the record in hand counts. Taken again by the same process, after an
            # outage, or by one that ended before it came to the record: neither was the record's fault.
            held: dict[str, Any] | None = old.get("in_hand")
            if held:
                ended = unclean and held.get("instance") == old.get("instance")
                held = held | {"ends": held["ends"] + ended, "instance": None}  # in nobody's hand until marked again
            position = Position(
                id=id,
                partition=partition,
                next=old.get("next"),
                sequence=old.get("sequence", 0),
                epoch=old.get("epoch", 0) + 1,
                unclean_ends=counted["count"] if counted["at"] == old.get("next") else 0,
                in_hand=(held["offset"], held["ends"]) if held else None,
            )
            positions.append(position)
            changes = {
                "group": self._group,
                "topic": partition.topic,
                "partition": partition.partition,
                "next": position.next,
                "sequence": position.sequence,
                "epoch": position.epoch,
                "instance": None,  # until `confirm`: an end before any record was let through is no record's fault
                "unclean": counted,
                "in_hand": held,
                "owners": sorted({*old.get("owners", ()), transactional_id}),
            }
            writes.append(UpdateOne({"_id": id}, {"$set": changes}, upsert=True))
        documents: list[OutboxDocument] = []
        if writes:
            await self._positions.bulk_write(writes, ordered=False, session=session)
            cursor = self._outbox.find({"position": {"$in": list(ids)}}, session=session)
            cursor = cursor.sort([("position", ASCENDING), ("sequence", ASCENDING), ("part", ASCENDING)])
            documents = [OutboxDocument.from_bson(document) async for document in cursor]
        return Taken(positions, owners, documents)

    async def own(self, positions: Sequence[Position], transactional_ids: Sequence[str]) -> None:
        """Whoever owned the positions besides these ids is fenced. Raises Fenced where another instance was faster."""
        change = {"$set": {"owners": list(transactional_ids)}}
        await self._write_all([UpdateOne({"_id": p.id, "epoch": p.epoch}, change) for p in positions])

    async def confirm(self, positions: Sequence[Position], transactional_id: str, instance: str) -> None:
        """Everyone else is fenced: from here on `transactional_id` alone owns the positions, at their `next`.

        Raises Fenced where another instance was faster.
        """
        writes = [
            UpdateOne(
                {"_id": position.id, "epoch": position.epoch},
                {
                    "$set": {
                        "next": position.next,
                        "sequence": position.sequence,
                        "owners": [transactional_id],
                        "instance": instance,
                        "held": None,
                    }
                },
            )
            for position in positions
        ]
        await self._write_all(writes)

    async def resume(self, positions: Sequence[Position], transactional_id: str, instance: str) -> None:
        """Owns again what this process released, as if nothing had been.

        Raises Fenced where anything has happened to one of them since.
        """
        change = {"$set": {"owners": [transactional_id], "instance": instance}}
        await self._write_all(
            [
                UpdateOne({"_id": p.id, "epoch": p.epoch, "sequence": p.sequence, "next": p.next, "owners": []}, change)
                for p in positions
            ]
        )

    async def hold(self, position: Position, reason: str) -> None:
        """Notes why a partition is not read, for the operator who has to decide (`tongtu positions`)."""
        await self._positions.update_one({"_id": position.id, "epoch": position.epoch}, {"$set": {"held": reason}})

    async def decided(self, positions: Sequence[Position]) -> bool:
        """Whether an operator has changed one of these since it was taken (which raises its epoch)."""
        epochs = {position.id: position.epoch for position in positions}
        cursor = self._positions.find({"_id": {"$in": list(epochs)}}, {"epoch": 1})
        return any([document["epoch"] != epochs[document["_id"]] async for document in cursor])

    async def mark_in_hand(self, position: Position, offset: int, ends: int, instance: str) -> None:
        """Notes the record that `instance` is about to process alone, in case it does not survive it."""
        change = {"$set": {"in_hand": {"offset": offset, "ends": ends, "instance": instance}}}
        await self._write_all([UpdateOne({"_id": position.id, "epoch": position.epoch}, change)])

    async def advance(
        self, session: AsyncIOMotorClientSession | None, moves: Sequence[tuple[Position, Position]]
    ) -> None:
        """Compare-and-set of every position of a poll, as the last write of its transaction. Raises Fenced."""
        writes: list[UpdateOne] = []
        for old, new in moves:
            changes: dict[str, Any] = {"next": new.next, "sequence": new.sequence}
            if old.in_hand or old.unclean_ends:
                changes |= {"in_hand": None, "unclean": None}
            match = {"_id": old.id, "epoch": old.epoch, "sequence": old.sequence, "next": old.next}
            writes.append(UpdateOne(match, {"$set": changes}))
        await self._write_all(writes, session)

    async def add(self, session: AsyncIOMotorClientSession, documents: Sequence[OutboxDocument]) -> None:
        """Writes outbox documents inside the poll's transaction."""
        await self._outbox.insert_many([d.to_bson(self._group) for d in documents], session=session)

    async def delete(self, ids: Sequence[str]) -> None:
        """Forgets documents that are in the log; one that comes back after a failover is seen to be published."""
        await self._outbox_unacknowledged.delete_many({"_id": {"$in": list(ids)}})

    async def set_aside(self, document: OutboxDocument, messages: Sequence[Outgoing], reason: str) -> OutboxDocument:
        """Moves these messages to `unpublishable`, in one transaction; gives the document without them."""
        gone = {id(message) for message in messages}
        shorter = replace(document, messages=[message for message in document.messages if id(message) not in gone])
        # Named by their event ids: an index changes with each that is set aside.
        entries = [
            {
                "_id": f"{document.id}/{dict(message.headers)['ce_id'].decode()}",
                "group": self._group,
                "reason": reason,
                "topic": message.topic,
                "partition": message.partition,
                "key": message.key,
                "value": message.value,
                "headers": message.headers,
                "timestamp": message.timestamp,
            }
            for message in messages
        ]

        async def move(session: AsyncIOMotorClientSession) -> None:
            await self._database["unpublishable"].insert_many(entries, session=session)
            await self._outbox.replace_one({"_id": document.id}, shorter.to_bson(self._group), session=session)

        async with await self._database.client.start_session() as session:
            await session.with_transaction(move)
        return shorter

    async def release(self, positions: Sequence[Position]) -> None:
        """Lets go cleanly: everything is published, nobody has to be fenced for these."""
        if positions:
            await self._positions.bulk_write(
                [
                    UpdateOne(
                        {"_id": p.id, "epoch": p.epoch},
                        {"$set": {"owners": [], "instance": None, "unclean": None, "in_hand": None}},
                    )
                    for p in positions
                ],
                ordered=False,
            )

    async def _write_all(self, writes: Sequence[UpdateOne], session: AsyncIOMotorClientSession | None = None) -> None:
        if writes:
            result = await self._positions.bulk_write(list(writes), ordered=False, session=session)
            if result.matched_count != len(writes):
                raise Fenced(
                    f"{len(writes) - result.matched_count} of {len(writes)} positions belong to another instance"
                )
