"""Puts into words what the ranking found: proposals, and what a search came to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from services.matching.checks import checks
from services.matching.lexical import SCALE
from services.matching.match_id import match_id
from services.matching.profile import Profile
from services.matching.ranking import cosine, score
from services.matching.shared_terms import shared_terms
from services.matching.shortlist import Entry
from services.matching.statistics import Model
from services.matching.work import WorkRecord
from shared.contracts.events import (
    DemandParty,
    DemandSearched,
    MatchProposed,
    NearestMiss,
    OrganisationKind,
    TechnologyParty,
)

_LONGEST_TERM = 64


class Analysed:
    """A record as it was handed on and as the ranking sees it, with what many proposals of it have in common."""

    def __init__(self, work: WorkRecord, profile: Profile, kind: OrganisationKind | None = None) -> None:
        """`kind`: of its owner, as far as it is known."""
        self.work = work
        self.profile = profile
        self._kind = kind

    @cached_property
    def technology(self) -> TechnologyParty:
        """The party of a technology, with the kind of its owner."""
        party = self.work.technology
        assert party is not None
        display = party.display.model_copy(update={"organisation_kind": self._kind})
        return party.model_copy(update={"display": display})

    @cached_property
    def demand(self) -> DemandParty:
        """The party of a demand, with the kind of its owner."""
        party = self.work.demand
        assert party is not None
        display = party.display.model_copy(update={"organisation_kind": self._kind})
        return party.model_copy(update={"display": display})

    @cached_property
    def values(self) -> dict[str, int]:
        """What each of its terms counts in the ranking."""
        return dict(zip(self.profile.terms, self.profile.values.tolist(), strict=True))

    @cached_property
    def surfaces(self) -> dict[str, str]:
        """How it wrote each of its terms."""
        return dict(zip(self.work.terms, self.work.surfaces, strict=True))

    @cached_property
    def text(self) -> str:
        """Its own words, as far as they are shown."""
        display = self.work.party.display
        return "\n".join((display.title, display.summary or "", *display.keywords))


@dataclass(frozen=True, slots=True)
class Proposer:
    """Builds the events; holds what all of them have in common."""

    model: Model
    secret: bytes
    threshold: float
    """0-1."""

    def id_of(self, technology_id: str, demand_id: str) -> str:
        """The id of the match of these two."""
        return match_id(self.secret, technology_id, demand_id)

    def proposal(self, entry: Entry, technology: Analysed, demand: Analysed) -> MatchProposed:
        """The proposal of a technology for a demand."""
        offered, asked = technology.profile, demand.profile
        shared = demand.values.keys() & technology.values.keys()
        contributions = {term: demand.values[term] * technology.values[term] for term in shared}
        components = {"semantic": round(cosine(offered.vector, asked.vector), 4)}
        if offered.language == asked.language:
            components["lexical"] = round(sum(contributions.values()) / SCALE**2 - asked.expected, 3)
        words = shared_terms(contributions, demand.surfaces, demand.text)
        # Nothing here comes from outside: what is built from valid parts is not validated once more.
        return MatchProposed.model_construct(
            match_id=self.id_of(offered.id, asked.id),
            technology=technology.technology,
            demand=demand.demand,
            score=round(score(entry.logit), 4),
            components=components,
            shared_terms=tuple(word[:_LONGEST_TERM] for word in words),
            checks=checks(technology.technology, demand.demand),
            method=self.model.method,
        )

    def searched(
        self, demand: Analysed, proposals: int, technologies: int, nearest: tuple[Entry, Analysed] | None
    ) -> DemandSearched:
        """What a search among so many technologies came to; `nearest`: the best one, where none was good enough."""
        party = demand.work.party
        return DemandSearched(
            demand_id=party.id,
            demand_version=party.version,
            owner=party.owner,
            language=party.language,
            proposals=proposals,
            technologies_searched=technologies,
            threshold=self.threshold,
            nearest_miss=None if nearest is None else self._miss(*nearest, demand),
            method=self.model.method,
        )

    def _miss(self, entry: Entry, technology: Analysed, demand: Analysed) -> NearestMiss:
        proposal = self.proposal(entry, technology, demand)
        return NearestMiss(
            technology_id=entry.technology,
            technology_version=entry.version,
            score=proposal.score,
            shared_terms=proposal.shared_terms,
            checks=proposal.checks,
            display=proposal.technology.display,
        )
