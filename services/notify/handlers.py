"""What the notify service does with each event: find out what is due, and send it to the members it is due to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.notify.due import due
from services.notify.match_state import MatchState, answered, is_outdated, merged
from services.notify.members import Members
from services.notify.messages import proposals_of
from services.notify.searches import SearchState, after
from services.notify.showing import Exposure
from services.notify.store import NotifyStore
from services.notify.waiting import Patience, after_waiting, deadline
from shared.contracts.base import EventData, InboxMessage
from shared.contracts.events import (
    DemandSearched,
    MatchAnswered,
    OrganisationRegistered,
    Proposal,
    RiskAssessed,
    Side,
)
from shared.streaming import Event, Message, Timer, UnitOfWork

DEADLINE = "deadline"
"""Timer that reminds of a proposal, then takes it back; id: the match id."""
MEMBER = "member"
"""Timer that looks at the matches of a member whose entry is new or gone; id: the member id."""
LOOK_AGAIN = timedelta(seconds=30)
"""After this the same matches are looked at once more: a poll that read the old entry is over by then, because MongoDB
ends a transaction after ten seconds."""
MOST_MATCHES = 250
"""Of one member in one poll; each takes at most four messages, and a thousand is the limit."""


def now_utc() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class Notifier:
    """Tells members of proposals with their risk, of what became of them, and of demands without a match."""

    def __init__(self, store: NotifyStore, patience: Patience, clock: Callable[[], datetime] = now_utc) -> None:
        """`patience`: how long an answer is waited for. The clock decides about nothing else."""
        self._store = store
        self._patience = patience
        self._clock = clock

    async def tell_of_matches(self, events: Sequence[Event[RiskAssessed]], work: UnitOfWork) -> list[Message]:
        """A proposal goes to both sides, again if what a side sees has changed, and is taken back when it is null."""
        states = await self._store.matches(work, {_key(event) for event in events})
        table = await self._table(work, states, _owners(events))
        exposure = await self._store.exposure(work, [event.data.proposal for event in events if event.data is not None])
        for event in events:
            known = table.match(_key(event))
            if event.data is not None and is_outdated(known, event.data):
                table.keep(known)
                continue
            wanted = _wanted(event.data, known, exposure)
            state = merged(known, event.data, may_see=bool(wanted))
            table.settle(state, wanted, event)
            exposure.note(known, state)
        return table.close()

    async def hear_answers(self, events: Sequence[Event[MatchAnswered]], work: UnitOfWork) -> list[Message]:
        """A decline goes to the other side; two acceptances tell each side who the other is."""
        answers = [event for event in events if event.data is not None]
        states = await self._store.matches(work, {event.data.match_id for event in answers if event.data})
        table = await self._table(work, states, with_names=True)
        for event in answers:
            assert event.data is not None
            table.settle(answered(table.match(event.data.match_id), event.data), None, event)
        return table.close()

    async def stop_waiting(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """One reminder to a side that does not answer; later the proposal is taken back from both."""
        states = await self._store.matches(work, {timer.id for timer in timers})
        table = await self._table(work, states)
        for timer in timers:
            known = table.match(timer.id)
            state, reminders = after_waiting(known, self._patience, table.now)
            table.send(known, reminders, timer)
            table.settle(state, None, timer)
        return table.close()

    async def note_members(self, events: Sequence[Event[OrganisationRegistered]], work: UnitOfWork) -> list[Message]:
        """Who has left is told nothing more; who is small is not crowded out; names wait for two acceptances."""
        causes = {_key(event): event for event in events}
        for member in await self._store.keep_membership(work, {key: event.data for key, event in causes.items()}):
            work.set_timer(causes[member], MEMBER, member, self._clock(), {"after": "", "again": True})
        return []

    async def look_at_matches_of(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """Proposals with one who has left are taken back; who was told of a member learns its new contacts."""
        by_start: dict[str, list[Timer]] = {}
        for timer in timers:
            by_start.setdefault(timer.data["after"], []).append(timer)
        start, together = by_start.popitem()
        for timer in (each for others in by_start.values() for each in others):
            work.set_timer(timer, MEMBER, timer.id, timer.due, timer.data)
        states = await self._store.concerned(work, {timer.id for timer in together}, start, MOST_MATCHES)
        table = await self._table(work, states, with_names=True)
        causes = {timer.id: timer for timer in together}
        for state in states.values():
            table.settle(state, None, next(causes[owner] for owner in state.owners.values() if owner in causes))
        for timer in together:
            if len(states) == MOST_MATCHES:
                work.set_timer(timer, MEMBER, timer.id, table.now, {**timer.data, "after": max(states)})
            elif timer.data["again"]:
                work.set_timer(timer, MEMBER, timer.id, table.now + LOOK_AGAIN, {"after": "", "again": False})
        return table.close()

    async def tell_of_searches(self, events: Sequence[Event[DemandSearched]], work: UnitOfWork) -> list[Message]:
        """The owner of a demand learns that nothing is good enough; once, until there is something new to say."""
        states: dict[str, SearchState | None] = {**await self._store.searches(work, {_key(event) for event in events})}
        left = await self._store.who_left(work, {event.data.owner for event in events if event.data})
        messages: list[Message] = []
        for event in events:
            demand_id = _key(event)
            if event.data is None:
                states[demand_id] = None
                continue
            states[demand_id], message = after(states.get(demand_id), event.data)
            if message is not None and event.data.owner not in left:
                messages.append(_to_inbox(event.data.owner, message, event))
        self._store.keep_searches(work, states)
        return messages

    async def _table(
        self, work: UnitOfWork, states: dict[str, MatchState], owners: Iterable[str] = (), with_names: bool = False
    ) -> _Table:
        """Names are read only where somebody has answered."""
        with_names = with_names or any(state.answers for state in states.values())
        owners = {*owners}.union(*(state.owners.values() for state in states.values()))
        members = await self._store.members(work, owners, with_names)
        return _Table(self._store, work, states, members, self._patience, self._clock())


class _Table:
    """The matches of one poll: what is known of them, and what goes out."""

    def __init__(
        self,
        store: NotifyStore,
        work: UnitOfWork,
        states: dict[str, MatchState],
        members: Members,
        patience: Patience,
        now: datetime,
    ) -> None:
        self.now = now
        self._store = store
        self._work = work
        self._states = states
        self._members = members
        self._patience = patience
        self._messages: list[Message] = []

    def match(self, match_id: str) -> MatchState:
        """What is known of it."""
        return self._states.get(match_id) or MatchState(match_id)

    def keep(self, state: MatchState) -> None:
        """Has it written, changed or not."""
        self._states[state.match_id] = state

    def settle(self, state: MatchState, wanted: Mapping[Side, Proposal] | None, cause: Event[Any] | Timer) -> None:
        """Says what is due of a match now, and remembers that it was said."""
        fired = isinstance(cause, Timer) and cause.name == DEADLINE
        before = None if fired else deadline(self.match(state.match_id), self._patience)
        state, notices = due(state, wanted, self._members, self.now)
        self.send(state, notices, cause)
        self.keep(state)
        until = deadline(state, self._patience)
        if until is not None and until != before:
            self._work.set_timer(cause, DEADLINE, state.match_id, until, {})
        elif until is None and before is not None:
            self._work.cancel_timer(DEADLINE, state.match_id)

    def send(self, state: MatchState, notices: Iterable[Any], cause: Event[Any] | Timer) -> None:
        """To each side what is for it, unless it has left."""
        self._messages += [
            _to_inbox(owner, notice, cause)
            for notice in notices
            if (owner := state.owners[notice.side]) not in self._members.left
        ]

    def close(self) -> list[Message]:
        """Writes every match; the messages of all."""
        self._store.keep_matches(self._work, self._states.values())
        return self._messages


def _wanted(assessed: RiskAssessed | None, known: MatchState, exposure: Exposure) -> Mapping[Side, Proposal]:
    """What each side may be told."""
    if assessed is None:
        return {}
    return proposals_of(assessed, {side: exposure.order(assessed.proposal, side, known) for side in Side})


def _key(event: Event[EventData]) -> str:
    """What the event is about: a match, a demand, a member."""
    return event.data.key if event.data is not None else event.key or ""


def _owners(events: Sequence[Event[RiskAssessed]]) -> set[str]:
    """Everyone that the events concern."""
    proposals = [event.data.proposal for event in events if event.data is not None]
    return {proposal.party(side).owner for proposal in proposals for side in Side}


def _to_inbox(member: str, message: InboxMessage, cause: Event[Any] | Timer) -> Message:
    """Private: a trace of its own, so that no two members can find out that they read of the same thing."""
    return Message(message.topic_of(member), message.key, message.type, message, cause, private=True)
