"""What the risk service does with each event: assess proposals, and say which model it assesses with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from services.risk.assessment import RiskModel
from services.risk.publication import publication_of
from services.risk.store import RiskStore
from shared.contracts.events import MatchProposed, NotAssessed, RiskAssessed, RiskModelPublished
from shared.streaming import Event, Message, UnitOfWork

log = structlog.get_logger(__name__)


class Assessor:
    """Assesses proposals with one version of the shared model."""

    def __init__(self, model: RiskModel, store: RiskStore) -> None:
        self._model = model
        self._store = store
        self._version = model.parameters.version
        self._is_published = False

    async def assess(self, events: Sequence[Event[MatchProposed]], work: UnitOfWork) -> list[Message]:
        """Each proposal goes on with its risk, or with why there is none; one that no longer holds goes on as null.

        The figures are computed anew each time: that is quicker than looking them up, and gives the same.
        """
        proposals = [event.data for event in events if event.data is not None]
        results = iter(await asyncio.to_thread(self._model.assess, proposals))
        assessed = {
            event: RiskAssessed(match_id=event.data.match_id, proposal=event.data, assessment=next(results))
            for event in events
            if event.data is not None
        }
        self._store.keep(work, [(_match_id(event), assessed.get(event)) for event in events])
        self._log_failures(list(assessed.values()))
        messages = await self._model_if_new(events, work)
        messages += [
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
        return messages

    async def _model_if_new(self, events: Sequence[Event[MatchProposed]], work: UnitOfWork) -> list[Message]:
        """The model, with the first assessments that use this version of it, and never again."""
        if self._is_published or not events:
            return []
        work.after_commit(self._note_published)
        if await self._store.is_published(work, self._version):
            return []
        self._store.note_published(work, self._version)
        model = publication_of(self._model.parameters, datetime.now(UTC))
        return [Message(RiskModelPublished.topic, model.key, RiskModelPublished.type, model, events[0], private=True)]

    def _note_published(self) -> None:
        self._is_published = True

    def _log_failures(self, assessed: Sequence[RiskAssessed]) -> None:
        failed = Counter(
            each.assessment.detail
            for each in assessed
            if isinstance(each.assessment, NotAssessed) and each.assessment.reason == "failed"
        )
        for detail, count in failed.items():
            log.error("assessment_failed", detail=detail, matches=count)


def _match_id(event: Event[MatchProposed]) -> str:
    return event.data.match_id if event.data is not None else event.key or ""
