"""Whose answer counts, and whether both accept: consent is to what was seen (docs/adr/0020)."""

from __future__ import annotations

from services.notify.match_state import Given, MatchState
from services.notify.members import Members
from shared.contracts.events import Decision, Side


def counting(state: MatchState, side: Side) -> Given | None:
    """The side's answer, if it is to what that side was told last.

    It may name older records than the present ones as long as the side has seen no difference since, and none that
    are newer: those it has not been shown.
    """
    given = state.answers.get(side)
    if given is None or state.parties is None:
        return None
    party = state.parties[side]
    if given.member != party.owner or party.since is None:
        return None
    between = zip(party.since, given.versions, state.versions, strict=True)
    return given if all(oldest <= named <= present for oldest, named, present in between) else None


def is_mutual(state: MatchState, members: Members) -> bool:
    """Whether both accept what they have seen, of a match that stands, and both are still members."""
    if not state.holds or members.any_left(state.owners.values()):
        return False
    answers = (counting(state, side) for side in Side)
    return all(given is not None and given.decision is Decision.ACCEPTED for given in answers)


def silent(state: MatchState) -> list[Side]:
    """The sides that hold a proposal without an answer to it; none where the other one declines it."""
    if state.asked is None:
        return []
    answers = {side: counting(state, side) for side in Side}
    if any(given is not None and given.decision is Decision.DECLINED for given in answers.values()):
        return []
    return [side for side, given in answers.items() if given is None]
