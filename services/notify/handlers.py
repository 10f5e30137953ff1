"""What the notify service does with each event: find out what is due, and send it to the members it is due to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.notify.due import MatchState, due, is_outdated, merged, told
from services.notify.messages import proposals_of
from services.notify.searches import SearchState, after
from services.notify.showing import Exposure
from services.notify.store import NotifyStore
from shared.contracts.base import EventData, InboxMessage
from shared.contracts.events import DemandSearched, OrganisationRegistered, Proposal, RiskAssessed, Side
from shared.streaming import Event, Message, UnitOfWork


class Notifier:
    """Tells members of proposals with their risk, of proposals that no longer hold, and of demands without a match."""

    def __init__(self, store: NotifyStore) -> None:
        self._store = store

    async def tell_of_matches(self, events: Sequence[Event[RiskAssessed]], work: UnitOfWork) -> list[Message]:
        """A proposal goes to both sides, again if what a side sees has changed, and is taken back when it is null."""
        states = await self._store.matches(work, {_key(event) for event in events})
        left = await self._store.who_left(work, _owners(events, states.values()))
        exposure = await self._store.exposure(work, [event.data.proposal for event in events if event.data is not None])
        messages: list[Message] = []
        for event in events:
            match_id = _key(event)
            known = states.get(match_id) or MatchState(match_id)
            if event.data is not None and is_outdated(known, event.data):
                states[match_id] = known
                continue
            state = merged(known, event.data)
            notices = due(state, _wanted(event.data, left, known, exposure))
            exposure.note(known, state)
            states[match_id] = told(state, notices)
            messages += [
                _to_inbox(owner, notices[side], event)
                for side, owner in state.owners.items()
                if side in notices and owner not in left
            ]
        self._store.keep_matches(work, states.values())
        return messages

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

    async def note_members(self, events: Sequence[Event[OrganisationRegistered]], work: UnitOfWork) -> list[Message]:
        """A member that has left is told nothing more; a small one is not crowded out."""
        self._store.keep_membership(work, {_key(event): event.data for event in events})
        return []


def _wanted(
    assessed: RiskAssessed | None, left: set[str], known: MatchState, exposure: Exposure
) -> Mapping[Side, Proposal]:
    """What each side may be told; nothing where one of them has left, because nothing can come of it."""
    if assessed is None or any(assessed.proposal.party(side).owner in left for side in Side):
        return {}
    return proposals_of(assessed, {side: exposure.order(assessed.proposal, side, known) for side in Side})


def _key(event: Event[EventData]) -> str:
    """What the event is about: a match, a demand, a member."""
    return event.data.key if event.data is not None else event.key or ""


def _owners(events: Sequence[Event[RiskAssessed]], states: Iterable[MatchState]) -> set[str]:
    """Everyone that the events, or the states that they meet, may concern."""
    proposals = [event.data.proposal for event in events if event.data is not None]
    owners = {proposal.party(side).owner for proposal in proposals for side in Side}
    return owners.union(*(state.owners.values() for state in states))


def _to_inbox(member: str, message: InboxMessage, cause: Event[Any]) -> Message:
    """Private: a trace of its own, so that no two members can find out that they read of the same thing."""
    return Message(message.topic_of(member), message.key, message.type, message, cause, private=True)
