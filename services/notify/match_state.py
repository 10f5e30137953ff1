"""What is known of one match: who is in it, what they answered, what each side has been told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.contracts.events import Decision, DeclineReason, MatchAnswered, RiskAssessed, Side

Versions = tuple[int, int]
"""Of the technology and of the demand."""


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a match."""

    owner: str
    record_id: str
    version: int
    told: str | None = None
    """Fingerprint of the proposal that it holds; None: it holds none."""
    seen: str | None = None
    """Fingerprint of the last proposal that it was told, taken back or not; None: it knows nothing of the match."""
    since: Versions | None = None
    """The oldest records of which it has seen the same as of the present ones."""
    interest: str | None = None
    """Fingerprint of what it was told of the other party; None: nothing, or not for the answers that count now."""
    declined: int | None = None
    """Version of the other side's decline that it was told."""


@dataclass(frozen=True, slots=True)
class Given:
    """The latest answer of one side."""

    member: str
    version: int
    decision: Decision
    versions: Versions
    """What it is an answer to."""
    reason: DeclineReason | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class MatchState:
    """All that notify keeps of a match; nothing of what the records say."""

    match_id: str
    holds: bool = False
    """Whether it is proposed, and each side may see the other's record."""
    parties: Mapping[Side, Party] | None = None
    """None: nothing was proposed yet, or it was withdrawn before that was known."""
    answers: Mapping[Side, Given] = field(default_factory=dict[Side, Given])
    asked: datetime | None = None
    """When the two were given the proposal that they hold; None: they hold none."""
    reminded: bool = False
    lapsed: Versions | None = None
    """The records of which the proposal was taken back for want of an answer."""

    @property
    def owners(self) -> dict[Side, str]:
        """Who stands on each side, as far as that is known."""
        return {side: party.owner for side, party in (self.parties or {}).items()}

    @property
    def versions(self) -> Versions:
        """Of the present records. Raises AssertionError where none are known."""
        assert self.parties is not None
        return self.parties[Side.TECHNOLOGY].version, self.parties[Side.DEMAND].version


def is_outdated(state: MatchState, fact: RiskAssessed) -> bool:
    """Whether the fact is of older records than one that was merged before, such as a replayed dead letter.

    With equal versions the later fact counts: another method or model may have come to it.
    """
    if state.parties is None:
        return False
    return any(fact.proposal.party(side).version < party.version for side, party in state.parties.items())


def merged(state: MatchState, fact: RiskAssessed | None, may_see: bool) -> MatchState:
    """The state with this fact in it; None says that the proposal no longer holds.

    `may_see`: whether each side may see the other's record.
    """
    if fact is None:
        return replace(state, holds=False)
    before = state.parties or {}
    parties: dict[Side, Party] = {}
    for side in Side:
        party = fact.proposal.party(side)
        known = before.get(side) or Party(party.owner, party.id, party.version)
        parties[side] = replace(known, owner=party.owner, record_id=party.id, version=party.version)
    new = replace(state, holds=may_see, parties=parties)
    return new if new.versions == state.lapsed else replace(new, lapsed=None)


def answered(state: MatchState, fact: MatchAnswered) -> MatchState:
    """The state with this answer in it; an older one than is known changes nothing."""
    known = state.answers.get(fact.side)
    if known is not None and known.version >= fact.version:
        return state
    versions = fact.versions.technology, fact.versions.demand
    given = Given(fact.member, fact.version, fact.decision, versions, fact.reason, fact.comment)
    return replace(state, answers={**state.answers, fact.side: given})
