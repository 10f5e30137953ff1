"""What the matching service does with each event: analyse records, then match them shard by shard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from services.matching.answers import WorkAnswer
from services.matching.embedding import Embedder
from services.matching.encoding import Analyser
from services.matching.store import MatchingStore
from services.matching.work import RECORD_VERSION, SHARD, Subject, WorkRecord
from shared.contracts.events import DemandPosted, MatchAnswered, OrganisationRegistered, Side, TechnologySubmitted
from shared.streaming import Event, Message, UnitOfWork


class Encoder:
    """The encode stage: no state, any number of instances; the costly part of matching."""

    def __init__(self, embedder: Embedder, shards: int, at_a_time: int) -> None:
        """`at_a_time`: records that are analysed beside each other; what comes out does not depend on it."""
        self._analyser = Analyser(embedder)
        self._shards = shards
        self._threads = ThreadPoolExecutor(at_a_time, "encode")

    async def encode_technologies(
        self, events: Sequence[Event[TechnologySubmitted]], work: UnitOfWork
    ) -> list[Message]:
        """Each technology goes, analysed, to every shard; so does its withdrawal."""
        return await self._encode(Side.TECHNOLOGY, events, work)

    async def encode_demands(self, events: Sequence[Event[DemandPosted]], work: UnitOfWork) -> list[Message]:
        """Each demand goes, analysed, to its shard; so does its closing."""
        return await self._encode(Side.DEMAND, events, work)

    async def pass_answers_on(self, events: Sequence[Event[MatchAnswered]], work: UnitOfWork) -> list[Message]:
        """Each answer goes to the shard of its demand, without its comment."""
        messages: list[Message] = []
        for event in events:
            answer = event.data
            if answer is None or answer.technology_id is None or answer.demand_id is None:
                work.dead_letter(event, "NoRecords", "an answer needs the technology_id and demand_id that intake adds")
                continue
            shard = Subject(Side.DEMAND, answer.demand_id).shards(self._shards).start
            item = WorkAnswer(
                technology_id=answer.technology_id,
                demand_id=answer.demand_id,
                answer=answer.model_copy(update={"comment": None}),
                at=event.time,
            )
            extensions = {**event.extensions, SHARD: str(shard)}
            messages.append(
                Message(item.topic, item.key, item.type, item, event, item.demand_id, extensions, partition=shard)
            )
        return messages

    async def _encode(self, side: Side, events: Sequence[Event[Any]], work: UnitOfWork) -> list[Message]:
        run = partial(asyncio.get_running_loop().run_in_executor, self._threads, self._analyser.work_record)
        records = iter(await asyncio.gather(*(run(event.data) for event in events if event.data is not None)))
        messages: list[Message] = []
        for event in events:
            record = None if event.data is None else next(records)
            if record is None and not event.extensions.get(RECORD_VERSION, "").isdigit():
                work.dead_letter(event, "NoVersion", f"a null record needs the attribute {RECORD_VERSION}")
                continue
            subject = Subject(side, event.key or "") if record is None else record.subject
            version = event.extensions[RECORD_VERSION] if record is None else str(record.party.version)
            messages += [
                Message(
                    topic=WorkRecord.topic,
                    key=str(subject),
                    type=WorkRecord.type,
                    data=record,
                    cause=event,
                    subject=subject.id,
                    extensions={**event.extensions, SHARD: str(shard), RECORD_VERSION: version},
                    partition=shard,
                )
                for shard in subject.shards(self._shards)
            ]
        return messages


class Organisations:
    """What kind of organisation an owner is: shown to the other party, who does not learn its name."""

    def __init__(self, store: MatchingStore) -> None:
        self._store = store

    async def remember(self, events: Sequence[Event[OrganisationRegistered]], work: UnitOfWork) -> list[Message]:
        """Keeps the kind for the proposals to come; those that stand are not sent again for it."""
        await self._store.remember(work, {event.key or "": event.data for event in events})
        return []
