"""The matches of one record as the log has them: proposals, their risk, and what the search came to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from shared.contracts.demand import DemandPosted
from shared.contracts.feedback import MatchAnswered
from shared.contracts.formats import RECORD_ID
from shared.contracts.match import DemandSearched, MatchProposed, Side
from shared.contracts.risk import Assessment, NotAssessed, RiskAssessed
from shared.contracts.technology import TechnologySubmitted
from tongtu.errors import CommandError, UsageError
from tongtu.reading import Reader


@dataclass(frozen=True, slots=True)
class Found:
    """One match, with its risk once that is assessed."""

    proposal: MatchProposed
    risk: Assessment | NotAssessed | None
    answers: Mapping[Side, MatchAnswered] = field(default_factory=dict[Side, MatchAnswered])
    """The latest of each party that has answered, of whatever versions."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The matches of one record, best first; `searched` is what the search for a demand came to."""

    side: Side
    id: str
    title: str
    found: Sequence[Found]
    searched: DemandSearched | None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            f"{self.side}_id": self.id,
            "title": self.title,
            "matches": [
                {
                    "rank": rank,
                    **_json(each.proposal),
                    "risk": _json(each.risk) if each.risk else None,
                    "answers": {str(side): _json(answer) for side, answer in each.answers.items()},
                }
                for rank, each in enumerate(self.found, 1)
            ],
            "searched": _json(self.searched) if self.searched else None,
        }


def _json(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)


async def matches_of(reader: Reader, side: Side, id: str) -> Matches:
    """Ranked by score and strategic priority. Memory grows with this record's matches alone.

    Raises CommandError if no such record is known, or if it was withdrawn.
    """
    if not re.fullmatch(RECORD_ID, id):
        raise UsageError(f"{id} is not a record id: it is MEMBER/LOCAL-ID")
    title = await _title(reader, side, id)
    proposals = [
        proposal
        for event in (await reader.state(MatchProposed.topic, containing=f'"{id}"')).values()
        if event.data and (proposal := MatchProposed.model_validate_json(event.data)).party(side).id == id
    ]
    proposals.sort(key=lambda proposal: (-_shown_by(proposal), proposal.match_id))
    risks = await _risks(reader, id) if proposals else {}
    answers = await _answers(reader, id) if proposals else {}
    searched = await reader.latest(DemandSearched.topic, id) if side is Side.DEMAND else None
    return Matches(
        side,
        id,
        title,
        [Found(each, risks.get(each.match_id), answers.get(each.match_id, {})) for each in proposals],
        DemandSearched.model_validate_json(searched.data) if searched and searched.data else None,
    )


def _shown_by(proposal: MatchProposed) -> float:
    return proposal.score + proposal.components.get("priority", 0.0)


async def assessed(reader: Reader, match_id: str) -> RiskAssessed:
    """A match with its risk. Raises CommandError if there is none, saying how far it got."""
    event = await reader.latest(RiskAssessed.topic, match_id)
    if event is not None and event.data is not None:
        return RiskAssessed.model_validate_json(event.data)
    proposed = await reader.latest(MatchProposed.topic, match_id)
    if proposed is not None and proposed.data is not None:
        raise CommandError(f"the risk of match {match_id} is not assessed yet: `tongtu lag` shows how far risk is")
    if event is not None or proposed is not None:
        raise CommandError(f"match {match_id} no longer holds: a record was changed or withdrawn")
    raise CommandError(f"there is no match {match_id}: `tongtu matches --demand ID` names those of a demand")


async def _risks(reader: Reader, id: str) -> dict[str, Assessment | NotAssessed]:
    found = await reader.state(RiskAssessed.topic, containing=f'"{id}"')
    read = [RiskAssessed.model_validate_json(event.data) for event in found.values() if event.data]
    return {each.match_id: each.assessment for each in read}


async def _answers(reader: Reader, id: str) -> dict[str, dict[Side, MatchAnswered]]:
    """By match."""
    found: dict[str, dict[Side, MatchAnswered]] = {}
    for event in (await reader.state(MatchAnswered.topic, containing=f'"{id}"')).values():
        answer = MatchAnswered.model_validate_json(event.data or b"")
        found.setdefault(answer.match_id, {})[answer.side] = answer
    return found


async def _title(reader: Reader, side: Side, id: str) -> str:
    model = DemandPosted if side is Side.DEMAND else TechnologySubmitted
    event = await reader.latest(model.topic, id)
    if event is None:
        raise CommandError(f"no {side} {id} is known: ids are MEMBER/LOCAL-ID, as the receipts in the inbox name them")
    if event.data is None:
        raise CommandError(f"{side} {id} was {'closed' if side is Side.DEMAND else 'withdrawn'}")
    return model.model_validate_json(event.data).title
