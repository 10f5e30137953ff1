"""The match stage: keeps each demand's best technologies proposed, whatever arrives, changes or goes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import structlog

from services.matching.answers import Answer, Pair, WorkItem
from services.matching.embedding import ENCODER
from services.matching.keeping import Keeper
from services.matching.outcomes import Outcome, Proposed, Rule
from services.matching.proposals import Analysed, Proposer
from services.matching.ranking import logit
from services.matching.received import Received, received_by_shard
from services.matching.shard import Change, Shard
from services.matching.shortlist import Entry
from services.matching.snapshots import Origin
from services.matching.statistics import Model
from services.matching.store import MatchingStore
from services.matching.work import Subject
from shared.contracts.events import DemandSearched, MatchProposed, Side
from shared.streaming import Event, Message, Timer, UnitOfWork

log = structlog.get_logger(__name__)
T = TypeVar("T")

CONTINUATION = "continuation"
"""Name of the timer that goes on with a technology."""
MOST_DEMANDS = 330
"""Demands that one technology may touch in one poll; each takes at most three messages, and a thousand is the limit."""


class Matcher:
    """Owns the shards that it has events of."""

    def __init__(
        self,
        model: Model,
        store: MatchingStore,
        threshold: float,
        most: int,
        secret: bytes | None,
        snapshots: Keeper | None = None,
    ) -> None:
        """`threshold`: the least score, 0-1. `most`: proposals for one demand. `secret`: None means the stored one."""
        self._snapshots = snapshots
        self._state = ""
        self._proposer = Proposer(model, secret or b"", threshold)
        self._store = store
        self._rule = Rule(most, logit(threshold))
        self._shards: dict[int, Shard] = {}
        # One thread: what a call that was given up (timeout) still computes is over before the next one begins.
        self._thread = ThreadPoolExecutor(1, "matching")

    async def prepare(self) -> None:
        """Makes the database ready and fetches the secret; before anything else."""
        await self._store.prepare()
        if not self._proposer.secret:
            self._proposer = replace(self._proposer, secret=await self._store.secret())
        self._state = await self._store.identity()

    async def close(self) -> None:
        """Writes the last snapshots; after the last event."""
        for number, shard in self._shards.items():
            if self._snapshots is not None:
                await self._run(shard.take_back)
                self._snapshots.write(self._origin(number), shard)
        if self._snapshots is not None:
            await self._run(self._snapshots.close)

    async def match(self, events: Sequence[Event[WorkItem]], work: UnitOfWork) -> list[Message]:
        """New and changed records meet everything in their shard, answers their pair; proposals follow."""
        by_shard = received_by_shard(events, work, self._id_of)
        return [message for shard, own in by_shard.items() for message in await self._match(shard, own, work)]

    async def finish(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """Goes on with technologies that touch more demands than one poll takes."""
        by_shard: dict[int, dict[Subject, Timer]] = defaultdict(dict)
        for timer in timers:
            by_shard[timer.data["shard"]][Subject(Side.TECHNOLOGY, timer.data["technology"])] = timer
        messages: list[Message] = []
        for number, causes in by_shard.items():
            shard = await self._in_step(number, work)
            # Nothing changes here: the records stand in the state, but not all shortlists have heard of them.
            touched = {subject: Change(subject, shard.versions.get(subject, 0), None) for subject in causes}
            found = await self._run(partial(self._rule.newcomers, shard, touched))
            messages += await self._settle(number, shard, touched, found, causes, work)
        return messages

    async def take_over(self, shards: Collection[int]) -> None:
        """Loads shards, so that their first event does not wait for it; forgets those that are somebody else's."""
        for number in self._shards.keys() - shards:
            del self._shards[number]
        for number in shards:
            shard = self._shards.get(number)
            if shard is None or shard.number != await self._store.committed_changes_of(number):
                await self._load(number)

    async def _match(self, number: int, received: Received, work: UnitOfWork) -> list[Message]:
        shard = await self._in_step(number, work)
        changes, answers = shard.newer(received.changes), shard.answers.newer(received.answers)
        if not changes and not answers:
            return []
        found, reconsidered = await self._run(partial(self._apply, shard, changes, answers))
        messages = await self._settle(number, shard, changes, found, received.causes, work, reconsidered)
        self._store.keep_records(work, number, shard.number + 1, list(changes.values()))
        labels = [received.answers[answer] for answer in answers]
        self._store.keep_labels(work, number, labels)
        return messages

    async def _settle(
        self,
        number: int,
        shard: Shard,
        changes: Mapping[Subject, Change],
        found: Mapping[str, Sequence[Entry]],
        causes: Mapping[Any, Event[WorkItem] | Timer],
        work: UnitOfWork,
        reconsidered: Collection[Pair] = (),
    ) -> list[Message]:
        """Brings the shortlists up to date and says what has changed in them. `causes`: by Cause."""
        technologies = [subject.id for subject in changes if subject.side is Side.TECHNOLOGY]
        demands = {subject.id for subject in changes if subject.side is Side.DEMAND}
        demands |= {demand for _, demand in reconsidered}
        before = await self._store.proposed(work, number, demands | found.keys(), technologies)
        later = self._rule.later(changes, found, before, MOST_DEMANDS)
        for id in later:
            data = {"shard": number, "technology": id}
            cause = causes[Subject(Side.TECHNOLOGY, id)]
            work.set_timer(cause, CONTINUATION, f"{number}/{id}", datetime.now(UTC), data)
        outcomes = await self._run(partial(self._rule.outcomes, shard, changes, found, before, later, reconsidered))
        records = await self._records(number, shard, changes, outcomes, work)
        total = len(shard.technologies)
        messages = await self._run(
            lambda: [
                message
                for outcome in outcomes
                for message in self._messages(outcome, records, total, causes[outcome.cause])
            ]
        )
        self._keep(number, shard, outcomes, work)
        return messages

    def _apply(
        self, shard: Shard, changes: Mapping[Subject, Change], answers: Sequence[Answer]
    ) -> tuple[dict[str, list[Entry]], set[Pair]]:
        shard.apply(changes.values())
        reconsidered = {answer.pair for answer in shard.hear(answers)}
        return self._rule.newcomers(shard, changes), reconsidered

    async def _in_step(self, number: int, work: UnitOfWork) -> Shard:
        """The shard as the state has it; loaded anew where it has missed a change, whoever made it."""
        shard = self._shards.get(number)
        if shard is not None:
            await self._run(shard.take_back)
        if shard is None or shard.number != await self._store.changes_of(work, number):
            shard = await self._load(number)
        if self._snapshots is not None and self._snapshots.is_due(number, shard):
            await self._run(partial(self._snapshots.write, self._origin(number), shard))
        return shard

    async def _load(self, number: int) -> Shard:
        shard = Shard(self._proposer.model)
        if self._snapshots is not None:
            known = await self._store.committed_changes_of(number)
            await self._run(partial(self._snapshots.restore, self._origin(number), shard, known))
        last, changes, proposed, answers = await self._store.load(number, shard.number)

        def fill() -> None:
            for change in changes:
                shard.load(change)
            for answer in answers:
                shard.load_answer(answer)
            shard.confirm(last, {each.demand: self._rule.floor(each.entries) for each in proposed})

        await self._run(fill)
        self._shards[number] = shard
        log.info("shard_loaded", shard=number, technologies=len(shard.technologies), demands=len(shard.demands))
        if waiting := sum(change.is_waiting for change in changes):
            log.warning("records_wait_to_be_encoded_anew", shard=number, records=waiting)
        return shard

    async def _records(
        self,
        number: int,
        shard: Shard,
        changes: Mapping[Subject, Change],
        outcomes: Sequence[Outcome],
        work: UnitOfWork,
    ) -> dict[Subject, Analysed]:
        """The records that the messages are made of: from this poll, or else from the state."""
        wanted = {subject for outcome in outcomes if not outcome.is_closed for subject in outcome.subjects}
        new = {subject: change.work for subject, change in changes.items() if change.work and subject in wanted}
        records = await self._store.records(work, number, wanted - new.keys())
        records |= new
        kinds = await self._store.kinds(work, {record.party.owner for record in records.values()})
        return {
            subject: Analysed(record, shard.profile(subject), kinds.get(record.party.owner))
            for subject, record in records.items()
        }

    def _messages(
        self,
        outcome: Outcome,
        records: Mapping[Subject, Analysed],
        technologies: int,
        cause: Event[WorkItem] | Timer,
    ) -> Iterable[Message]:
        proposed, withdrawn = outcome.differences
        for entry in withdrawn:
            id = self._id_of(entry.technology, outcome.demand)
            yield Message(MatchProposed.topic, id, MatchProposed.type, None, cause)
        if outcome.is_closed:
            yield Message(DemandSearched.topic, outcome.demand, DemandSearched.type, None, cause)
            return
        demand = records.get(Subject(Side.DEMAND, outcome.demand))
        if demand is None:  # it waits to be encoded anew, and is searched then
            return
        for entry in proposed:
            technology = records[Subject(Side.TECHNOLOGY, entry.technology)]
            proposal = self._proposer.proposal(entry, technology, demand)
            yield Message(MatchProposed.topic, proposal.key, MatchProposed.type, proposal, cause)
        if outcome.is_news:
            near = outcome.nearest
            miss = (near, records[Subject(Side.TECHNOLOGY, near.technology)]) if near else None
            searched = self._proposer.searched(demand, len(outcome.entries), technologies, miss)
            yield Message(DemandSearched.topic, searched.key, DemandSearched.type, searched, cause)

    def _keep(
        self,
        number: int,
        shard: Shard,
        outcomes: Sequence[Outcome],
        work: UnitOfWork,
    ) -> None:
        kept = [
            Proposed(each.demand, shard.versions[Subject(Side.DEMAND, each.demand)], each.entries)
            for each in outcomes
            if not each.is_closed
        ]
        closed = [outcome.demand for outcome in outcomes if outcome.is_closed]
        following = shard.number + 1
        self._store.keep_proposed(work, number, following, kept, closed, self._id_of)
        floors = {each.demand: self._rule.floor(each.entries) for each in kept}
        work.after_commit(lambda: shard.confirm(following, floors))

    def _origin(self, number: int) -> Origin:
        return Origin(self._state, self._proposer.model.method, ENCODER, number)

    def _id_of(self, technology: str, demand: str) -> str:
        return self._proposer.id_of(technology, demand)

    async def _run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
