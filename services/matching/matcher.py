"""The match stage: keeps each demand's best technologies proposed, whatever arrives, changes or goes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import structlog

from services.matching.answers import Answer, Pair, WorkItem
from services.matching.embedding import ENCODER
from services.matching.keeping import Keeper
from services.matching.outcomes import Later, Outcome, Proposed, Rule
from services.matching.proposals import Analysed, Proposer
from services.matching.ranking import logit
from services.matching.received import Received, received_by_shard
from services.matching.shard import Change, Shard
from services.matching.shortlist import Entry
from services.matching.snapshots import Origin
from services.matching.statistics import Model
from services.matching.store import MatchingStore, Touched
from services.matching.work import Subject, WorkRecord
from shared.contracts.events import DemandSearched, MatchProposed, OrganisationKind, Side
from shared.streaming import Event, Message, Timer, UnitOfWork

log = structlog.get_logger(__name__)
T = TypeVar("T")
Kinds = Mapping[str, OrganisationKind]
"""By member id."""

CONTINUATION = "continuation"
"""Name of the timer that goes on with a technology."""
MOST_DEMANDS = 330
"""Demands that one technology may touch in one poll; each takes at most three messages, and a thousand is the limit."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a poll, or timers, bring one shard; found by its own thread, after the changes were made."""

    shard: Shard
    changes: Mapping[Subject, Change]
    found: Mapping[str, Sequence[Entry]]
    """By standing demand, the changed technologies that reach its floor."""
    causes: Mapping[Any, Event[WorkItem] | Timer]
    """By Cause."""
    answers: Sequence[Answer] = ()
    reconsidered: Collection[Pair] = ()
    """Pairs that an answer now excludes or no longer does."""

    @property
    def touched(self) -> Touched:
        """What shortlists it may change."""
        technologies = {subject.id for subject in self.changes if subject.side is Side.TECHNOLOGY}
        demands = {subject.id for subject in self.changes if subject.side is Side.DEMAND}
        return Touched(demands | {demand for _, demand in self.reconsidered} | self.found.keys(), technologies)


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
        received = received_by_shard(events, work, self._id_of)
        turns = await self._run(partial(self._begin, await self._in_step(received, work), received))
        messages = await self._settle(turns, work)
        for number, turn in turns.items():
            self._store.keep_records(work, number, turn.shard.number + 1, list(turn.changes.values()))
            labels = [received[number].answers[answer] for answer in turn.answers]
            self._store.keep_labels(work, number, labels)
        return messages

    async def finish(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """Goes on with technologies that touch more demands than one poll takes."""
        by_shard: dict[int, dict[Subject, Timer]] = defaultdict(dict)
        for timer in timers:
            by_shard[timer.data["shard"]][Subject(Side.TECHNOLOGY, timer.data["technology"])] = timer
        turns = await self._run(partial(self._go_on, await self._in_step(by_shard, work), by_shard))
        return await self._settle(turns, work)

    async def take_over(self, shards: Collection[int]) -> None:
        """Loads shards, so that their first event does not wait for it; forgets those that are somebody else's."""
        for number in self._shards.keys() - shards:
            del self._shards[number]
        for number in shards:
            shard = self._shards.get(number)
            if shard is None or shard.number != await self._store.committed_changes_of(number):
                await self._load(number)

    def _begin(self, shards: Mapping[int, Shard], received: Mapping[int, Received]) -> dict[int, Turn]:
        """Makes what is new; shards that hear nothing new have no turn."""
        turns: dict[int, Turn] = {}
        for number, shard in shards.items():
            own = received[number]
            changes, answers = shard.newer(own.changes), shard.answers.newer(own.answers)
            if changes or answers:
                shard.apply(changes.values())
                reconsidered = {answer.pair for answer in shard.hear(answers)}
                found = self._rule.newcomers(shard, changes)
                turns[number] = Turn(shard, changes, found, own.causes, answers, reconsidered)
        return turns

    def _go_on(self, shards: Mapping[int, Shard], causes: Mapping[int, Mapping[Subject, Timer]]) -> dict[int, Turn]:
        """Nothing changes here: the records stand in the state, but not all shortlists have heard of them."""
        turns: dict[int, Turn] = {}
        for number, shard in shards.items():
            touched = {subject: Change(subject, shard.versions.get(subject, 0), None) for subject in causes[number]}
            turns[number] = Turn(shard, touched, self._rule.newcomers(shard, touched), causes[number])
        return turns

    async def _settle(self, turns: Mapping[int, Turn], work: UnitOfWork) -> list[Message]:
        """Brings the shortlists up to date and says what has changed in them."""
        before = await self._store.proposed(work, {number: turn.touched for number, turn in turns.items()})
        settled = await self._run(partial(self._outcomes, turns, before))
        for number, (_, later) in settled.items():
            for id in later:
                data = {"shard": number, "technology": id}
                cause = turns[number].causes[Subject(Side.TECHNOLOGY, id)]
                work.set_timer(cause, CONTINUATION, f"{number}/{id}", datetime.now(UTC), data)
        outcomes = {number: found for number, (found, _) in settled.items()}
        records, kinds = await self._records(turns, outcomes, work)
        messages = await self._run(partial(self._all_messages, turns, outcomes, records, kinds))
        for number, turn in turns.items():
            self._keep(number, turn.shard, outcomes[number], work)
        return messages

    def _outcomes(
        self, turns: Mapping[int, Turn], before: Mapping[int, Mapping[str, Proposed]]
    ) -> dict[int, tuple[list[Outcome], Later]]:
        """By shard, what its turn comes to, and what is left for another poll."""
        settled: dict[int, tuple[list[Outcome], Later]] = {}
        for number, turn in turns.items():
            shard, changes, found, own = turn.shard, turn.changes, turn.found, before[number]
            later = self._rule.later(changes, found, own, MOST_DEMANDS)
            settled[number] = self._rule.outcomes(shard, changes, found, own, later, turn.reconsidered), later
        return settled

    async def _in_step(self, numbers: Collection[int], work: UnitOfWork) -> dict[int, Shard]:
        """The shards as the state has them; loaded anew where one has missed a change, whoever made it."""
        await self._run(lambda: [self._shards[number].take_back() for number in numbers if number in self._shards])
        stands = await self._store.changes_of(work, numbers)
        shards: dict[int, Shard] = {}
        for number in numbers:
            shard = self._shards.get(number)
            if shard is None or shard.number != stands[number]:
                shard = await self._load(number)
            if self._snapshots is not None and self._snapshots.is_due(number, shard):
                await self._run(partial(self._snapshots.write, self._origin(number), shard))
            shards[number] = shard
        return shards

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
        self, turns: Mapping[int, Turn], outcomes: Mapping[int, Sequence[Outcome]], work: UnitOfWork
    ) -> tuple[dict[int, dict[Subject, WorkRecord]], Kinds]:
        """By shard, the records that messages are made of, from this poll or else from the state; and their owners."""
        new: dict[int, dict[Subject, WorkRecord]] = {}
        missing: dict[int, set[Subject]] = {}
        for number, turn in turns.items():
            wanted = {subject for each in outcomes[number] if not each.is_closed for subject in each.subjects}
            changed = {subject: turn.changes[subject].work for subject in wanted & turn.changes.keys()}
            new[number] = {subject: record for subject, record in changed.items() if record is not None}
            missing[number] = wanted - new[number].keys()
        stored = await self._store.records(work, missing)
        records = {number: stored[number] | new[number] for number in turns}
        owners = {record.party.owner for own in records.values() for record in own.values()}
        return records, await self._store.kinds(work, owners)

    def _all_messages(
        self,
        turns: Mapping[int, Turn],
        outcomes: Mapping[int, Sequence[Outcome]],
        records: Mapping[int, Mapping[Subject, WorkRecord]],
        kinds: Kinds,
    ) -> list[Message]:
        messages: list[Message] = []
        for number, turn in turns.items():
            analysed = {
                subject: Analysed(record, turn.shard.profile(subject), kinds.get(record.party.owner))
                for subject, record in records[number].items()
            }
            total = len(turn.shard.technologies)
            for outcome in outcomes[number]:
                messages += self._messages(outcome, analysed, total, turn.causes[outcome.cause])
        return messages

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
