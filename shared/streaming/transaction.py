"""One poll, one MongoDB transaction: handlers' state, outbox, dead letters, timers and positions together."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition
from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo import ReadPreference, WriteConcern
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from shared.streaming import metrics
from shared.streaming.encoding import Encoder
from shared.streaming.errors import DatabaseSilent, HandlerFailed, is_infrastructure, is_transient, is_unknown_commit
from shared.streaming.event import Message, Timer
from shared.streaming.item import Item, Verdict
from shared.streaming.journal import Journal, Position
from shared.streaming.outbox import OutboxDocument, split
from shared.streaming.replays import without_replayed
from shared.streaming.subscription import Handler, TimerHandler
from shared.streaming.timers import Timers
from shared.streaming.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)

CONFLICT_TRIES = 10
"""A transaction that met another one is started again this often before the assignment is taken again."""
TRANSACTION_SECONDS = 8.0
"""MongoDB ends a transaction after 10 s (transactionLifetimeLimitSeconds); one that is near it was too much work."""
OUTGOING_LIMIT = 15 * 1024 * 1024
"""Bytes of one message; the outbox document that holds it must fit into MongoDB's 16 MiB."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What stands in MongoDB now, and what is to be published for it."""

    positions: Mapping[TopicPartition, Position]
    documents: Sequence[OutboxDocument]


class Transaction:
    """Carries items through their handlers into one committed MongoDB transaction."""

    def __init__(
        self,
        database: AsyncIOMotorDatabase[dict[str, Any]],
        journal: Journal,
        encoder: Encoder,
        group: str,
        dead_letter_topic: str,
        timer_handlers: Mapping[str, TimerHandler],
        handler_seconds: float,
    ) -> None:
        self._database = database
        self._journal = journal
        self._encoder = encoder
        self._group = group
        self._dead_letter_topic = dead_letter_topic
        self._timers = Timers(group, journal.position_id)
        self._timer_handlers = timer_handlers
        self._handler_seconds = handler_seconds

    async def run(
        self, items: Sequence[Item], positions: Mapping[TopicPartition, Position], transactional_id: str
    ) -> Committed:
        """Processes and commits. Raises HandlerFailed, Fenced or an infrastructure error; nothing is written."""
        started = time.monotonic()
        tries = 0
        while True:
            try:
                async with await self._database.client.start_session() as session:
                    committed = await self._attempt(session, items, positions, transactional_id)
                metrics.transaction_seconds.labels(self._group).observe(time.monotonic() - started)
                return committed
            except PyMongoError as error:
                tries += 1
                if not is_transient(error) or isinstance(error, ConnectionFailure) or tries >= CONFLICT_TRIES:
                    raise
                await asyncio.sleep(random.uniform(0, 0.002 * 2**tries))

    async def _attempt(
        self,
        session: AsyncIOMotorClientSession,
        items: Sequence[Item],
        positions: Mapping[TopicPartition, Position],
        transactional_id: str,
    ) -> Committed:
        started = time.monotonic()
        session.start_transaction(
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )
        try:
            work = UnitOfWork(self._database, session)
            items = await self._timers.still_due(await without_replayed(self._group, items, work), work)
            moves = _moves(items, positions)
            documents = await self._results(items, work, moves, transactional_id)
            if documents:
                await self._journal.add(session, documents)
            await self._journal.advance(session, list(moves.values()))
        except BaseException as error:
            await _abort(session)
            too_long = time.monotonic() - started > TRANSACTION_SECONDS
            if too_long and is_transient(error) and not isinstance(error, ConnectionFailure):
                raise HandlerFailed("the transaction outlived its limit") from error
            raise
        await _commit(session)
        for callback in work.callbacks:
            callback()
        return Committed({partition: new for partition, (_, new) in moves.items()}, documents)

    async def _results(
        self,
        items: Sequence[Item],
        work: UnitOfWork,
        moves: Mapping[TopicPartition, tuple[Position, Position]],
        transactional_id: str,
    ) -> list[OutboxDocument]:
        """What the handlers want: written to the transaction, and what is to be published.

        Raises HandlerFailed for everything that is not an outage, also where it only shows once a driver or an
        encoder looks at what the handler gave it.
        """
        try:
            messages = await self._handle(items, work)
            self._timers.keep(items, work)
            await work.flush()
            return self._documents(items, messages, work, moves, transactional_id)
        except HandlerFailed:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise HandlerFailed("a handler raised CancelledError") from error
        except Exception as error:
            if is_infrastructure(error):
                raise
            raise HandlerFailed(str(error)) from error

    async def _handle(self, items: Sequence[Item], work: UnitOfWork) -> list[Message]:
        events: dict[Handler, list[Any]] = defaultdict(list)
        timers: dict[str, list[Timer]] = defaultdict(list)
        for item in items:
            if not item.is_valid:
                continue
            if item.timer is not None:
                timers[item.timer.name].append(item.timer)
            elif item.subscription is not None:
                events[item.subscription.handler].append(item.event)
        messages: list[Message] = []
        try:
            async with asyncio.timeout(self._handler_seconds):
                for handler, batch in events.items():
                    messages.extend(await handler(batch, work))
                for name, due in timers.items():
                    messages.extend(await self._timer_handlers[name](due, work))
        except TimeoutError as error:
            # Most of the time in one call: MongoDB hangs (it would have ended a transaction that is slow but alive).
            if work.unanswered_seconds > self._handler_seconds / 2:
                raise DatabaseSilent(f"no answer for {work.unanswered_seconds:.0f} s") from error
            raise
        return messages

    def _documents(
        self,
        items: Sequence[Item],
        messages: Iterable[Message],
        work: UnitOfWork,
        moves: Mapping[TopicPartition, tuple[Position, Position]],
        transactional_id: str,
    ) -> list[OutboxDocument]:
        by_origin: dict[TopicPartition, list[Message]] = defaultdict(list)
        for message in messages:
            by_origin[message.cause.origin].append(message)
        for letter in self._dead_letters(items, work):
            by_origin[letter.cause.origin].append(letter)
        documents: list[OutboxDocument] = []
        for origin, caused in by_origin.items():
            if origin not in moves:
                raise HandlerFailed(f"a message names a cause of {origin.topic}, which is not in this poll")
            _, new = moves[origin]
            outgoing = self._encoder.encode(caused)
            if any(message.size > OUTGOING_LIMIT for message in outgoing):
                raise HandlerFailed(f"a message is larger than {OUTGOING_LIMIT} bytes")
            documents.extend(
                OutboxDocument(new.id, new.sequence, part, new.next or 0, transactional_id, run)
                for part, run in enumerate(split(outgoing))
            )
        return documents

    def _dead_letters(self, items: Sequence[Item], work: UnitOfWork) -> Iterable[Message]:
        condemned = [(item, item.verdict) for item in items if item.verdict is not None]
        by_record = {id(item.record): item for item in items}
        for request in work.dead_letters:
            item = by_record.get(id(request.event.record))
            if item is None:
                raise HandlerFailed("a dead letter names an event that is not in this poll")
            condemned.append((item, Verdict(request.error, request.message)))
        for item, verdict in condemned:
            letter = item.dead_letter(verdict)
            metrics.dead_letters.labels(self._group, verdict.error).inc()
            yield Message(self._dead_letter_topic, letter.key, letter.type, letter, item.cause)


def _moves(
    items: Sequence[Item], positions: Mapping[TopicPartition, Position]
) -> dict[TopicPartition, tuple[Position, Position]]:
    """Per input partition of the items: where it stood, and where it stands afterwards."""
    ends: dict[TopicPartition, int] = {}
    for item in items:
        old = ends.get(item.origin, positions[item.origin].next or 0)
        ends[item.origin] = max(old, item.record.next_offset if item.record is not None else old)
    return {origin: (positions[origin], positions[origin].moved(end)) for origin, end in ends.items()}


async def _abort(session: AsyncIOMotorClientSession) -> None:
    try:
        await session.abort_transaction()
    except PyMongoError as error:
        log.debug("abort_unanswered", error=repr(error))


async def _commit(session: AsyncIOMotorClientSession, sleep: Callable[[float], Any] = asyncio.sleep) -> None:
    """Commits, and asks again in the same session until the result is known."""
    tries = 0
    while True:
        try:
            await session.commit_transaction()
            return
        except (PyMongoError, OperationFailure) as error:
            if not is_unknown_commit(error):
                raise
            tries += 1
            log.warning("commit_result_unknown", tries=tries, error=repr(error)[:200])
            await sleep(min(2.0, 0.05 * 2 ** min(tries, 6)) * random.uniform(0.5, 1))
