"""What a member is told of the other side's answer: its reason without a name, or, once both accept, the name."""

from __future__ import annotations

from services.notify.match_state import MatchState
from services.notify.members import Members
from services.notify.naming import gives_away
from shared.contracts.events import DeclineReason, MatchDeclined, MutualInterest, SeenVersions, Side


def interests_of(state: MatchState, members: Members) -> dict[Side, MutualInterest]:
    """The message to each side of a match that both accept; none to either while one of them is not known by name."""
    assert state.parties is not None
    if any(owner not in members.organisations for owner in state.owners.values()):
        return {}
    return {
        side: MutualInterest(
            match_id=state.match_id,
            side=side,
            own_id=own.record_id,
            other_id=state.parties[side.other].record_id,
            organisation=members.organisations[state.parties[side.other].owner],
            comment=state.answers[side.other].comment,
        )
        for side, own in state.parties.items()
    }


def decline_of(state: MatchState, side: Side, members: Members) -> MatchDeclined:
    """The message to that side of a match that the other one declines."""
    assert state.parties is not None
    other, given = state.parties[side.other], state.answers[side.other]
    technology, demand = given.versions
    comment = given.comment
    if comment is not None and gives_away(comment, members.organisations.get(other.owner), other.record_id):
        comment = None
    return MatchDeclined(
        match_id=state.match_id,
        side=side,
        own_id=state.parties[side].record_id,
        versions=SeenVersions(technology=technology, demand=demand),
        reason=given.reason or DeclineReason.OTHER,
        comment=comment,
    )
