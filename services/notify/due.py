"""What is known of one match and what each side has been told of it; from that, what is due and has not gone out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.notify import fingerprint
from shared.contracts.events import Proposal, ProposalWithdrawn, RiskAssessed, Side

Notice = Proposal | ProposalWithdrawn


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a match. `told` is the fingerprint of the proposal that it holds; None: it holds none."""

    owner: str
    record_id: str
    version: int
    told: str | None = None


@dataclass(frozen=True, slots=True)
class MatchState:
    """All that notify keeps of a match: who is in it and what they were told; nothing of what the records say."""

    match_id: str
    holds: bool = False
    parties: Mapping[Side, Party] | None = None
    """None: it was withdrawn before anything was known of it."""

    @property
    def owners(self) -> dict[Side, str]:
        """Who stands on each side, as far as that is known."""
        return {side: party.owner for side, party in (self.parties or {}).items()}


def is_outdated(state: MatchState, fact: RiskAssessed) -> bool:
    """Whether the fact is of older records than one that was merged before, such as a replayed dead letter.

    With equal versions the later fact counts: another method or model may have come to it.
    """
    if state.parties is None:
        return False
    return any(fact.proposal.party(side).version < party.version for side, party in state.parties.items())


def merged(state: MatchState, fact: RiskAssessed | None) -> MatchState:
    """The state with this fact in it; None says that the proposal no longer holds."""
    if fact is None:
        return replace(state, holds=False)
    before = state.parties or {}
    parties: dict[Side, Party] = {}
    for side in Side:
        party = fact.proposal.party(side)
        told = before[side].told if side in before else None
        parties[side] = Party(party.owner, party.id, party.version, told)
    return replace(state, holds=True, parties=parties)


def due(state: MatchState, wanted: Mapping[Side, Proposal]) -> dict[Side, Notice]:
    """What each side is to be told now.

    `wanted` is what each side may be told of the match as it is; a side that is not in it should hold no proposal.
    A proposal goes out if it tells the side something new, and is taken back only from one that holds it.
    """
    notices: dict[Side, Notice] = {}
    for side, party in (state.parties or {}).items():
        proposal = wanted.get(side) if state.holds else None
        if proposal is None:
            if party.told is not None:
                notices[side] = ProposalWithdrawn(match_id=state.match_id, side=side, own_id=party.record_id)
        elif fingerprint.of_proposal(proposal) != party.told:
            notices[side] = proposal
    return notices


def told(state: MatchState, notices: Mapping[Side, Notice]) -> MatchState:
    """The state once the notices have gone out."""
    if state.parties is None or not notices:
        return state
    parties = dict(state.parties)
    for side, notice in notices.items():
        digest = fingerprint.of_proposal(notice) if isinstance(notice, Proposal) else None
        parties[side] = replace(parties[side], told=digest)
    return replace(state, parties=parties)
