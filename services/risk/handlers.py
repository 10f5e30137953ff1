"""What the risk service does with proposals: assess them, and again when the model has changed on their way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import structlog

from services.risk import documents
from services.risk.documents import OpenMatch
from services.risk.learner import REASSESSMENT, Learner
from services.risk.models import Models
from services.risk.relevance import is_news
from services.risk.store import RiskStore
from shared.contracts.events import Assessment, MatchProposed, NotAssessed, RiskAssessed
from shared.streaming import Event, Message, Timer, UnitOfWork

log = structlog.get_logger(__name__)


class Assessor:
    """Assesses proposals with the version of the shared model that holds."""

    def __init__(self, store: RiskStore, learner: Learner, most: int) -> None:
        """`most`: matches of one stream that are assessed again in one transaction."""
        self._store = store
        self._learner = learner
        self._models = Models(store)
        self._most = most

    async def assess(self, events: Sequence[Event[MatchProposed]], work: UnitOfWork) -> list[Message]:
        """Each proposal goes on with its risk, or with why there is none; one that no longer holds goes on as null.

        The figures are computed anew each time: that is quicker than looking them up, and gives the same.
        """
        current, messages = await self._learner.current(events[0], work)
        model = await self._models.built(work, current)
        proposals = [event.data for event in events if event.data is not None]
        results = iter(await asyncio.to_thread(model.assess, proposals))
        assessed = {
            event: RiskAssessed(match_id=event.data.match_id, proposal=event.data, assessment=next(results))
            for event in events
            if event.data is not None
        }
        new = await self._store.without_forecast(work, {each.match_id for each in assessed.values()})
        for event in events:
            risk = assessed.get(event)
            if risk is None:
                self._store.close_match(work, _match_id(event))
                continue
            state = documents.match_state(
                event.stream, current.number, risk.proposal, risk.assessment, event.extensions
            )
            first = None
            if risk.match_id in new and isinstance(risk.assessment, Assessment):
                factor = model.parameters.months_factor.value
                first = documents.first_forecast(current.number, factor, risk.assessment)
                new.discard(risk.match_id)
            self._store.keep_match(work, risk.proposal, state, first)
        if new_streams := {event.stream for event in events}.difference(current.streams):
            self._store.add_streams(work, new_streams)
        _log_failures(assessed.values())
        return messages + [
            Message(
                topic=RiskAssessed.topic,
                key=_match_id(event),
                type=RiskAssessed.type,
                data=assessed.get(event),
                cause=event,
                extensions=event.extensions,
            )
            for event in events
        ]

    async def assess_again(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """Open matches whose way to production has changed since they were assessed; told where figures moved."""
        current, messages = await self._learner.current(timers[0], work)
        model = await self._models.built(work, current)
        for timer in timers:
            found = await self._store.outdated(work, timer.id, current.since, self._most)
            matches = await asyncio.to_thread(_readable, found)
            results = await asyncio.to_thread(model.assess, [match.proposal for match in matches.values()])
            moved = {
                match.id: (match, result)
                for match, result in zip(matches.values(), results, strict=True)
                if is_news(match.told, result)
            }
            for id in (document["_id"] for document in found):
                self._store.keep_result(work, id, current.number, moved[id][1] if id in moved else None)
            told = [
                (RiskAssessed(match_id=match.id, proposal=match.proposal, assessment=result), match.extensions)
                for match, result in moved.values()
            ]
            messages += [
                Message(risk.topic, risk.match_id, risk.type, risk, timer, extensions=extensions, private=True)
                for risk, extensions in told
            ]
            _log_failures(risk for risk, _ in told)
            if len(found) == self._most:
                work.set_timer(timer, REASSESSMENT, timer.id, datetime.now(UTC), {})
        return messages


def _readable(found: Iterable[documents.Document]) -> dict[str, OpenMatch]:
    """By id. A proposal of an earlier day that the contracts of today refuse keeps the assessment that it has."""
    matches: dict[str, OpenMatch] = {}
    for document in found:
        try:
            matches[document["_id"]] = documents.open_match(document)
        except ValueError as error:
            log.warning("match_unreadable", match=document["_id"], error=str(error)[:200])
    return matches


def _match_id(event: Event[MatchProposed]) -> str:
    return event.data.match_id if event.data is not None else event.key or ""


def _log_failures(assessed: Iterable[RiskAssessed]) -> None:
    failed = Counter(
        each.assessment.detail
        for each in assessed
        if isinstance(each.assessment, NotAssessed) and each.assessment.reason == "failed"
    )
    for detail, count in failed.items():
        log.error("assessment_failed", detail=detail, matches=count)
