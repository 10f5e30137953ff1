"""One match to its end: both parties accept it in their outboxes, and each learns who the other is."""

from __future__ import annotations

import time

import catalogue
from shared.contracts.feedback import AnswerDraft, Decision
from shared.contracts.introduction import MutualInterest
from shared.contracts.match import Side
from tongtu.demonstration import scenario
from tongtu.demonstration.observed import Observed, Pair
from tongtu.reading import Reader
from tongtu.target import Target
from tongtu.writing import event_headers

_SILENCE_SECONDS = 60.0
"""For so long the introduction is waited for."""
_COMMENTS = {Side.TECHNOLOGY: "可先安排样例测试。", Side.DEMAND: "希望先看试验数据。"}


def chosen(observed: Observed) -> Pair | None:
    """The best of the matches that the catalogue expects; None where none has come."""
    expected = {(each.demand_id, technology) for each in catalogue.expected() for technology in each.technologies}
    return next((pair for pair in observed.pairs if (pair.demand_id, pair.technology_id) in expected), None)


def acceptances(pair: Pair) -> list[scenario.Sent]:
    """The answer of each party, to what it was shown."""
    match_id = pair.proposal.match_id
    sent: list[scenario.Sent] = []
    for side, record_id in ((Side.DEMAND, pair.demand_id), (Side.TECHNOLOGY, pair.technology_id)):
        member = record_id.partition("/")[0]
        event_id = f"{match_id}-{side}"
        draft = AnswerDraft(
            match_id=match_id, versions=pair.proposal.versions, decision=Decision.ACCEPTED, comment=_COMMENTS[side]
        )
        headers = event_headers(AnswerDraft.type, f"/members/{member}", event_id, subject=match_id)
        sent.append(scenario.Sent(member, match_id.encode(), draft.model_dump_json().encode(), headers, event_id))
    return sent


async def introduce(reader: Reader, target: Target, observed: Observed, pair: Pair) -> dict[Side, MutualInterest]:
    """What each party is told once both have accepted; a side that is told nothing is not in it."""
    answers = acceptances(pair)
    inboxes = [f"member.{each.member}.inbox" for each in answers]
    ends = await reader.ends(inboxes)
    await scenario.send(target, answers)
    deadline = time.monotonic() + _SILENCE_SECONDS
    # On a platform where the demonstration has run before, they were told then.
    async for event in reader.follow(inboxes, ends):
        if event is not None:
            observed.take(event, is_new=True)
        if len(_told(observed, pair)) == len(Side) or time.monotonic() > deadline:
            break
    return _told(observed, pair)


def _told(observed: Observed, pair: Pair) -> dict[Side, MutualInterest]:
    match_id = pair.proposal.match_id
    return {side: found for side in Side if (found := observed.interests.get((match_id, side))) is not None}
