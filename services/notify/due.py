"""What is due of a match and has not gone out: proposals, what is taken back, declines, introductions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.notify import fingerprint
from services.notify.consent import is_mutual
from services.notify.introductions import decline_of, interests_of
from services.notify.match_state import MatchState, Party
from services.notify.members import Members
from shared.contracts.events import (
    Decision,
    MatchDeclined,
    MutualInterest,
    Proposal,
    ProposalWithdrawn,
    Side,
    WithdrawalReason,
)

Notice = Proposal | ProposalWithdrawn | MatchDeclined | MutualInterest


def due(
    state: MatchState, wanted: Mapping[Side, Proposal] | None, members: Members, now: datetime
) -> tuple[MatchState, list[Notice]]:
    """What each side is to be told now, and the state once that has gone out.

    `wanted` is what each side may be told of the match as it is; None: it is as it was. The two are proposed to
    before it is asked whether they accept, because an answer counts for what was told.
    """
    if state.parties is None:
        return state, []
    gone = members.any_left(state.owners.values())
    shown, notices = _proposed(state, None if gone else wanted, gone, now)
    declining, declines = _declined(shown, members, gone)
    introduced, introductions = _introduced(declining, members)
    return introduced, [*notices, *declines, *introductions]


def _proposed(
    state: MatchState, wanted: Mapping[Side, Proposal] | None, gone: bool, now: datetime
) -> tuple[MatchState, list[Notice]]:
    """A proposal goes out if it tells the side something new, and is taken back only from one that holds it."""
    stands = state.holds and not gone
    is_shown = stands and state.lapsed is None
    reason = WithdrawalReason.LAPSED if stands else WithdrawalReason.NO_LONGER_HOLDS
    notices: list[Notice] = []
    parties: dict[Side, Party] = {}
    asked, reminded = state.asked, state.reminded
    for side, party in (state.parties or {}).items():
        parties[side] = party
        if not is_shown:
            if party.told is not None:
                notices.append(
                    ProposalWithdrawn(match_id=state.match_id, side=side, own_id=party.record_id, reason=reason)
                )
                parties[side] = replace(party, told=None)
        elif wanted is not None and (digest := fingerprint.of_proposal(wanted[side])) != party.told:
            notices.append(wanted[side])
            since = party.since if digest == party.seen else state.versions
            parties[side] = replace(party, told=digest, seen=digest, since=since)
            if party.told is None or since != party.since:  # another question: the time to answer begins anew
                asked, reminded = now, False
    if not is_shown:
        asked, reminded = None, False
    return replace(state, parties=parties, asked=asked, reminded=reminded), notices


def _declined(state: MatchState, members: Members, gone: bool) -> tuple[MatchState, list[Notice]]:
    """Each decline goes once to the other side, if that knows of the match."""
    notices: list[Notice] = []
    parties = dict(state.parties or {})
    for side, party in parties.items():
        given = state.answers.get(side.other)
        declines = given is not None and given.decision is Decision.DECLINED
        if not declines or given is None or gone or given.member != parties[side.other].owner:
            parties[side] = replace(party, declined=None)
        elif party.seen is not None and party.declined != given.version:
            notices.append(decline_of(state, side, members))
            parties[side] = replace(party, declined=given.version)
    return replace(state, parties=parties), notices


def _introduced(state: MatchState, members: Members) -> tuple[MatchState, list[Notice]]:
    """Both are told who the other is while both accept; again if they come to accept again, or an entry has changed."""
    parties = dict(state.parties or {})
    if not is_mutual(state, members):
        ended = {side: replace(party, interest=None) for side, party in parties.items()}
        return replace(state, parties=ended), []
    notices: list[Notice] = []
    for side, message in interests_of(state, members).items():
        digest = fingerprint.of_interest(message)
        if digest != parties[side].interest:
            notices.append(message)
            parties[side] = replace(parties[side], interest=digest)
    # A late answer has ended the lapse.
    return replace(state, parties=parties, lapsed=None), notices
