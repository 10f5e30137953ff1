"""What is known of the search for one demand; from that, whether its owner is to be told that there is no match."""

from __future__ import annotations

from dataclasses import dataclass

from services.notify import fingerprint
from services.notify.messages import no_match_of
from shared.contracts.events import DemandSearched, NoMatch


@dataclass(frozen=True, slots=True)
class SearchState:
    """The version of the demand that was searched for last, and the fingerprint of the "no match" its owner holds.

    `told` is None after a search that found something: the next "no match" is news again.
    """

    demand_id: str
    version: int
    told: str | None = None


def after(state: SearchState | None, searched: DemandSearched) -> tuple[SearchState, NoMatch | None]:
    """The state after this search, and what the owner is to be told, if anything."""
    if state is not None and searched.demand_version < state.version:
        return state, None
    if searched.proposals > 0:
        return SearchState(searched.demand_id, searched.demand_version), None
    message = no_match_of(searched)
    digest = fingerprint.of_no_match(message)
    new = SearchState(searched.demand_id, searched.demand_version, digest)
    return new, None if state is not None and state.told == digest else message
