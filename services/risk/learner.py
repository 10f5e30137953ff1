"""Turns outcomes into model versions: the one place that says which version holds."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from services.risk import documents
from services.risk.documents import Document
from services.risk.evidence import Report, evidence_of
from services.risk.learning import learnt, starts_that_differ, version_of
from services.risk.publication import learning_of, publication_of
from services.risk.scoring import scores_of
from services.risk.shared_model import SharedModel
from services.risk.store import Current, RiskStore
from shared.contracts.events import ChangeReason, ModelLearning, OutcomeRecorded, RiskModelPublished
from shared.streaming import Event, Message, Timer, UnitOfWork

PLACING = "placing"
"""Timer that looks whether outcomes have a match by now; there is one, for all of them."""
REASSESSMENT = "reassessment"
"""Timer that assesses matches again; one for each stream, so that all that is said of a match keeps its order."""
FIRST_LOOK = timedelta(seconds=2)
"""Each further pause is twice as long; after a day only a further outcome has them looked at again."""
LONGEST_PAUSE = timedelta(days=1)
VERSION_ATTRIBUTE = "recordversion"


class Learner:
    """Learns from outcomes, and keeps the version that holds."""

    def __init__(self, store: RiskStore) -> None:
        self._store = store

    async def learn(self, events: Sequence[Event[OutcomeRecorded]], work: UnitOfWork) -> list[Message]:
        """Outcomes as they stand now: at most one new version, whatever their number.

        A later version of an outcome replaces what it said; a null takes it back.
        """
        current, messages = await self.current(events[0], work)
        before = await self._store.outcomes(work, {id for event in events if (id := _id(event))})
        changed: dict[str, Document] = {}
        for event in events:
            id = _id(event)
            known = changed.get(id) or before.get(id)
            version = _version(event, known)
            if known is not None and version < known["version"]:
                continue
            number = known["number"] if known else current.number + 1
            if event.data is None:
                changed[id] = documents.taken_back(id, version, number)
            else:
                changed[id] = documents.outcome(event.data, _day(event), number, None)
        without = await self._place(list(changed.values()), work)
        self._store.keep_outcomes(work, changed.values())
        if without:
            _look_again(events[0], work, FIRST_LOOK)
        return messages + await self._renew(current, events[0], work)

    async def place(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """Outcomes that came before their match: looks again, and learns from those that have one now.

        Nothing orders the two topics that they come from.
        """
        timer = timers[-1]
        waiting = await self._store.without_subject(work)
        without = await self._place(waiting, work)
        self._store.keep_outcomes(work, [each for each in waiting if each["subject"] is not None])
        pause = timedelta(seconds=timer.data["pause"]) * 2
        if without and pause <= LONGEST_PAUSE:
            _look_again(timer, work, pause)
        if len(without) == len(waiting):
            return []
        current, messages = await self.current(timer, work)
        return messages + await self._renew(current, timer, work)

    async def _place(self, outcomes: Sequence[Document], work: UnitOfWork) -> list[Document]:
        """Gives each outcome what is known of its match; those of which nothing is known yet come back."""
        standing = [each for each in outcomes if "subject" in each]
        matches = {each["match"] for each in standing} - {None}
        technologies = {each["technology"] for each in standing} - {None}
        subjects = await self._store.subjects(work, matches, technologies)
        for each in standing:
            each["subject"] = subjects.get(each["match"] or each["technology"])
        return [each for each in standing if each["subject"] is None]

    async def current(self, cause: Event[Any] | Timer, work: UnitOfWork) -> tuple[Current, list[Message]]:
        """The version that holds, as of this transaction, and the message that publishes it where it is new.

        It is new for the first event of all, and where the latest process to start was told to use another model
        file: what was learnt is then learnt again from that one.
        """
        current, definition = await self._store.current(work)
        base = _base(definition)
        if current is not None and current.base == base.version:
            return current, []
        return await self._make(current, base, ChangeReason.BASE, cause, work)

    async def _renew(self, current: Current, cause: Event[Any] | Timer, work: UnitOfWork) -> list[Message]:
        base = _base((await self._store.current(work))[1])
        return (await self._make(current, base, ChangeReason.OUTCOMES, cause, work))[1]

    async def _make(
        self,
        before: Current | None,
        base: SharedModel,
        reason: ChangeReason,
        cause: Event[Any] | Timer,
        work: UnitOfWork,
    ) -> tuple[Current, list[Message]]:
        """The version after `before`, from all outcomes that stand now; `before` where they add nothing to it."""
        reports = await self._store.reports(work)
        number = before.number + 1 if before else 0
        old = SharedModel.model_validate_json(await self._store.definition(work, before.version)) if before else None
        new = await asyncio.to_thread(new_version, base, reports, number, reason, old)
        if before and reason is ChangeReason.OUTCOMES and new.fingerprint == before.fingerprint:
            return before, []
        moved = starts_that_differ(old, new.model) if old else []
        since = {**(before.since if before else {}), **{str(start): number for start in moved}}
        streams = before.streams if before else ()
        current = Current(new.model.version, number, base.version, new.fingerprint, since, streams)
        published = publication_of(new.model, datetime.now(UTC), new.learning, new.outcomes)
        self._store.keep_model(work, current, published)
        for stream in streams if moved else ():
            work.set_timer_of(stream, REASSESSMENT, stream, datetime.now(UTC), {})
        message = Message(
            RiskModelPublished.topic, published.key, RiskModelPublished.type, published, cause, private=True
        )
        return current, [message]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A model with what it has learnt; equal fingerprints say the same under whatever version."""

    model: SharedModel
    learning: ModelLearning
    outcomes: int
    fingerprint: str


def new_version(
    base: SharedModel, reports: Sequence[Report], number: int, reason: ChangeReason, old: SharedModel | None
) -> NewVersion:
    """The base after these outcomes, in whatever order they came."""
    evidence = evidence_of(base, reports)
    outcomes = sum(len(group) for group in evidence.by_gate.values())
    is_bare = reason is ChangeReason.BASE and not reports
    named = version_of(base.version, 0 if is_bare else number)
    model = learnt(base, evidence).model_copy(update={"version": named})
    learning = learning_of(base.version, number, reason, old, model, evidence, scores_of(reports))
    said = learning.model_dump_json(include={"latest", "set_aside", "influence", "scores"})
    content = model.model_copy(update={"version": base.version}).model_dump_json()
    return NewVersion(model, learning, outcomes, hashlib.sha256(f"{content}\n{said}".encode()).hexdigest())


@lru_cache(2)
def _base(definition: str) -> SharedModel:
    """Read at every poll, and all but always the same."""
    return SharedModel.model_validate_json(definition)


def _id(event: Event[OutcomeRecorded]) -> str:
    return event.data.id if event.data is not None else event.key or ""


def _version(event: Event[OutcomeRecorded], known: Document | None) -> int:
    if event.data is not None:
        return event.data.version
    given = event.extensions.get(VERSION_ATTRIBUTE, "")
    return int(given) if given.isdecimal() else (known["version"] + 1 if known else 1)


def _day(event: Event[OutcomeRecorded]) -> date:
    """When it happened; not after it was recorded, or one member's date would make all other outcomes old."""
    assert event.data is not None
    recorded = datetime.fromisoformat(event.time).date() if event.time else event.data.date
    return min(event.data.date, recorded)


def _look_again(cause: Event[Any] | Timer, work: UnitOfWork, pause: timedelta) -> None:
    work.set_timer(cause, PLACING, "outcomes", datetime.now(UTC) + pause, {"pause": pause.total_seconds()})
