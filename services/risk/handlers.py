"""What the risk service does with proposals: assess them, and again when the model has changed on their way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from services.risk import documents
from services.risk.documents import OpenMatch
from services.risk.learner import REASSESSMENT, Learner
from services.risk.models import Models
from services.risk.relevance import is_news
from services.risk.store import RiskStore
from services.risk.telling import Told, telling
from shared.contracts.events import Assessment, MatchProposed, NotAssessed, NotAssessedReason, RiskAssessed
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
        results = await asyncio.to_thread(model.assess, proposals)
        new = await self._store.without_forecast(work, {each.match_id for each in proposals})
        left = iter(results)
        for event in events:
            proposal, told = event.data, None
            if proposal is None:
                self._store.close_match(work, _match_id(event))
            else:
                result = next(left)
                told = telling(proposal, result)
                state = documents.match_state(event.stream, current.number, proposal, told, event.extensions)
                first = None
                if proposal.match_id in new and isinstance(result, Assessment):
                    factor = model.parameters.months_factor.value
                    first = documents.first_forecast(current.number, factor, result)
                    new.discard(proposal.match_id)
                self._store.keep_match(work, proposal, state, first)
            messages.append(_message(_match_id(event), told, event, event.extensions))
        if new_streams := {event.stream for event in events}.difference(current.streams):
            self._store.add_streams(work, new_streams)
        _log_failures(results)
        return messages

    async def assess_again(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """Open matches whose way to production has changed since they were assessed; told where figures moved."""
        current, messages = await self._learner.current(timers[0], work)
        model = await self._models.built(work, current)
        for timer in timers:
            found = await self._store.outdated(work, timer.id, current.since, self._most)
            matches = await asyncio.to_thread(_readable, found)
            results = await asyncio.to_thread(model.assess, [match.proposal for match in matches.values()])
            told = {
                match.id: telling(match.proposal, result)
                for match, result in zip(matches.values(), results, strict=True)
                if is_news(match.told, result)
            }
            for id in (document["_id"] for document in found):
                self._store.keep_result(work, id, current.number, told.get(id))
            messages += [_message(id, each, timer, matches[id].extensions, private=True) for id, each in told.items()]
            _log_failures(results)
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


def _message(
    match_id: str,
    told: Told | None,
    cause: Event[MatchProposed] | Timer,
    extensions: Mapping[str, str],
    private: bool = False,
) -> Message:
    event = told.event if told else None
    return Message(
        RiskAssessed.topic, match_id, RiskAssessed.type, event, cause, extensions=extensions, private=private
    )


def _log_failures(results: Iterable[Assessment | NotAssessed]) -> None:
    failed = Counter(
        each.detail for each in results if isinstance(each, NotAssessed) and each.reason is NotAssessedReason.FAILED
    )
    for detail, count in failed.items():
        log.error("assessment_failed", detail=detail, matches=count)
