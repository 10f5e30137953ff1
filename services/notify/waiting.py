"""How long an answer is waited for: one reminder, then the proposal lapses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.notify.consent import silent
from services.notify.match_state import MatchState
from shared.contracts.events import AnswerReminder, SeenVersions


@dataclass(frozen=True, slots=True)
class Patience:
    """Both counted from when the two sides were given the proposal."""

    reminder: timedelta
    lapse: timedelta


def deadline(state: MatchState, patience: Patience) -> datetime | None:
    """When something is to be done because nobody answers; None: nobody is waited for."""
    if state.asked is None or not silent(state):
        return None
    return state.asked + (patience.lapse if state.reminded else patience.reminder)


def after_waiting(state: MatchState, patience: Patience, now: datetime) -> tuple[MatchState, list[AnswerReminder]]:
    """The state at that hour, and the reminders to those who have not answered; unchanged before a deadline."""
    due = deadline(state, patience)
    if due is None or now < due or state.asked is None:
        return state, []
    lapses = state.asked + patience.lapse
    if now >= lapses:
        return replace(state, lapsed=state.versions), []
    assert state.parties is not None
    technology, demand = state.versions
    reminders = [
        AnswerReminder(
            match_id=state.match_id,
            side=side,
            own_id=state.parties[side].record_id,
            versions=SeenVersions(technology=technology, demand=demand),
            lapses_on=lapses.date(),
        )
        for side in silent(state)
    ]
    return replace(state, reminded=True), reminders
