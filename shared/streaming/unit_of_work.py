"""What a handler may change: one MongoDB transaction per poll, without a session in sight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition
from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne

from shared.streaming.event import Event, Timer

Document = dict[str, Any]
Write = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | UpdateMany | DeleteOne | DeleteMany


class TransactionCollection:
    """A collection inside the poll's transaction. Writes are buffered and sent as one bulk before the commit."""

    def __init__(self, collection: AsyncIOMotorCollection[Document], session: AsyncIOMotorClientSession) -> None:
        self._collection = collection
        self._session = session
        self._writes: list[Write] = []
        self.unanswered_seconds = 0.0
        """How long the call had waited for MongoDB that was cut off, if one was."""

    def write(self, operations: Sequence[Write]) -> None:
        """Adds operations, carried out in this order before the next read or the commit."""
        self._writes.extend(operations)

    async def find(
        self,
        filter: Mapping[str, Any],
        projection: Mapping[str, Any] | None = None,
        sort: Sequence[tuple[str, int]] | None = None,
        limit: int = 0,
    ) -> list[Document]:
        """All documents that match, as of the transaction's snapshot and this unit of work's own writes."""
        await self.flush()
        cursor = self._collection.find(filter, projection, session=self._session, limit=limit)
        if sort:
            cursor = cursor.sort(list(sort))
        with self._waiting():
            return await cursor.to_list(length=None)

    async def find_one(self, filter: Mapping[str, Any], projection: Mapping[str, Any] | None = None) -> Document | None:
        """The first document that matches, or None."""
        await self.flush()
        with self._waiting():
            return await self._collection.find_one(filter, projection, session=self._session)

    async def flush(self) -> None:
        """Sends what is buffered. Raises pymongo's BulkWriteError where an operation is refused."""
        if self._writes:
            writes, self._writes = self._writes, []
            with self._waiting():
                await self._collection.bulk_write(writes, ordered=True, session=self._session)

    @contextmanager
    def _waiting(self) -> Generator[None]:
        began = time.monotonic()
        try:
            yield
        except asyncio.CancelledError:
            self.unanswered_seconds = time.monotonic() - began
            raise


@dataclass(frozen=True, slots=True)
class DeadLetterRequest:
    """A record that a handler found to be bad."""

    event: Event[Any]
    error: str
    message: str


class UnitOfWork:
    """State changes, dead letters and timers of one poll; all of it happens, or none of it."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], session: AsyncIOMotorClientSession) -> None:
        self._database = database
        self._session = session
        self._collections: dict[str, TransactionCollection] = {}
        self.dead_letters: list[DeadLetterRequest] = []
        self.timers: dict[tuple[str, str], Timer | None] = {}
        self.callbacks: list[Callable[[], None]] = []

    def collection(self, name: str) -> TransactionCollection:
        """The collection of that name in the service's database, bound to this transaction."""
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = TransactionCollection(self._database[name], self._session)
        return found

    def dead_letter(self, event: Event[Any], error: str, message: str) -> None:
        """Keeps the event's original record byte for byte in the service's dead letters."""
        self.dead_letters.append(DeadLetterRequest(event, error, message))

    def set_timer(self, cause: Event[Any] | Timer, name: str, id: str, due: datetime, data: dict[str, Any]) -> None:
        """Has the handler of `name` called once at or after `due` (UTC); replaces the timer of that name and id."""
        self.timers[name, id] = Timer(name, id, due, data, cause.origin, cause.trace)

    def set_timer_of(self, stream: str, name: str, id: str, due: datetime, data: dict[str, Any]) -> None:
        """The same for the owner of another input partition, as `Event.stream` names it; a trace begins there."""
        topic, _, partition = stream.rpartition("/")
        self.timers[name, id] = Timer(name, id, due, data, TopicPartition(topic, int(partition)))

    def cancel_timer(self, name: str, id: str) -> None:
        """Forgets a timer; nothing happens where there is none."""
        self.timers[name, id] = None

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Runs `callback` once the commit is known; for indexes in memory that are derived from the state."""
        self.callbacks.append(callback)

    @property
    def unanswered_seconds(self) -> float:
        """How long the call had waited for MongoDB that was cut off, if one was."""
        return max((collection.unanswered_seconds for collection in self._collections.values()), default=0.0)

    async def flush(self) -> None:
        """Sends every buffered write."""
        for collection in self._collections.values():
            await collection.flush()
