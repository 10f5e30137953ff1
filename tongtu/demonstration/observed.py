"""What the members' inboxes have told so far: receipts, rejections, proposals that hold, who was introduced to whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.contracts.inbox import NoMatch, Proposal, ProposalWithdrawn, Receipt, Rejection
from shared.contracts.introduction import MutualInterest
from shared.contracts.match import Side
from shared.streaming.event import Event


@dataclass(frozen=True, slots=True)
class Pair:
    """A match, joined from what both parties were told; each knows its own record only."""

    technology_id: str
    demand_id: str
    proposal: Proposal
    """As the seeker sees it."""


@dataclass(slots=True)
class Observed:
    """Filled event by event."""

    receipts: dict[tuple[str, str], Receipt] = field(default_factory=dict[tuple[str, str], Receipt])
    """By member and message id."""
    rejections: list[tuple[str, Rejection]] = field(default_factory=list[tuple[str, Rejection]])
    """With the member."""
    proposals: dict[tuple[str, Side], Proposal] = field(default_factory=dict[tuple[str, Side], Proposal])
    """By match and side, as they hold now."""
    no_matches: dict[str, NoMatch] = field(default_factory=dict[str, NoMatch])
    """By demand."""
    interests: dict[tuple[str, Side], MutualInterest] = field(default_factory=dict[tuple[str, Side], MutualInterest])
    """By match and side: who the other party is."""

    def take(self, event: Event[bytes], is_new: bool) -> Proposal | None:
        """Takes an inbox message in; gives the proposal, if it is one that was not known.

        What is not new was there before this demonstration: it says what holds, not what was answered to it.
        """
        member = event.topic.split(".")[1]
        data = event.data or b"{}"
        if event.type == Receipt.type and is_new:
            receipt = Receipt.model_validate_json(data)
            self.receipts[member, receipt.event_id or ""] = receipt
        elif event.type == Rejection.type and is_new:
            self.rejections.append((member, Rejection.model_validate_json(data)))
        elif event.type == Proposal.type:
            proposal = Proposal.model_validate_json(data)
            known = (proposal.match_id, proposal.side) in self.proposals
            self.proposals[proposal.match_id, proposal.side] = proposal
            return None if known else proposal
        elif event.type == ProposalWithdrawn.type:
            withdrawn = ProposalWithdrawn.model_validate_json(data)
            self.proposals.pop((withdrawn.match_id, withdrawn.side), None)
        elif event.type == NoMatch.type:
            no_match = NoMatch.model_validate_json(data)
            self.no_matches[no_match.own.id] = no_match
        elif event.type == MutualInterest.type:
            interest = MutualInterest.model_validate_json(data)
            self.interests[interest.match_id, interest.side] = interest
        return None

    @property
    def pairs(self) -> list[Pair]:
        """Matches that both parties were told of, best first."""
        found = [
            Pair(other.own.id, proposal.own.id, proposal)
            for (match_id, side), proposal in self.proposals.items()
            if side is Side.DEMAND and (other := self.proposals.get((match_id, Side.TECHNOLOGY))) is not None
        ]
        return sorted(found, key=lambda pair: (-pair.proposal.score, pair.technology_id))
