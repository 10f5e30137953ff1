"""Puts into words what the ranking found: proposals, and what a search came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.matching.checks import checks
from services.matching.lexical import SCALE
from services.matching.match_id import match_id
from services.matching.profile import Profile, demand_profile, technology_profile
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

    def proposal(
        self, entry: Entry, technology: WorkRecord, demand: WorkRecord, kinds: Mapping[str, OrganisationKind]
    ) -> MatchProposed:
        """The proposal of a technology for a demand. `kinds`: what is known of the owners."""
        offer, ask = _technology(technology, kinds), _demand(demand, kinds)
        offered = technology_profile(offer, technology.counted_terms, technology.numbers, self.model)
        asked = demand_profile(ask, demand.counted_terms, demand.numbers, self.model)
        contributions = _contributions(offered, asked)
        components = {"semantic": round(cosine(offered.vector, asked.vector), 4)}
        if offered.language == asked.language:
            components["lexical"] = round(sum(contributions.values()) / SCALE**2 - asked.expected, 3)
        return MatchProposed.model_construct(
            match_id=self.id_of(offer.id, ask.id),
            technology=offer,
            demand=ask,
            score=round(score(entry.logit), 4),
            components=components,
            shared_terms=_words(contributions, demand),
            checks=checks(offer, ask),
            method=self.model.method,
        )

    def searched(
        self,
        demand: WorkRecord,
        proposals: int,
        technologies: int,
        nearest: tuple[Entry, WorkRecord] | None,
        kinds: Mapping[str, OrganisationKind],
    ) -> DemandSearched:
        """What a search among so many technologies came to; `nearest`: the best one, where none was good enough."""
        party = demand.party
        return DemandSearched(
            demand_id=party.id,
            demand_version=party.version,
            owner=party.owner,
            language=party.language,
            proposals=proposals,
            technologies_searched=technologies,
            threshold=self.threshold,
            nearest_miss=None if nearest is None else self._miss(*nearest, demand, kinds),
            method=self.model.method,
        )

    def _miss(
        self, entry: Entry, technology: WorkRecord, demand: WorkRecord, kinds: Mapping[str, OrganisationKind]
    ) -> NearestMiss:
        proposal = self.proposal(entry, technology, demand, kinds)
        return NearestMiss(
            technology_id=entry.technology,
            technology_version=entry.version,
            score=proposal.score,
            shared_terms=proposal.shared_terms,
            checks=proposal.checks,
            display=proposal.technology.display,
        )


def _contributions(technology: Profile, demand: Profile) -> dict[str, int]:
    impacts = dict(zip(technology.terms, technology.values.tolist(), strict=True))
    weights = zip(demand.terms, demand.values.tolist(), strict=True)
    return {term: weight * impacts[term] for term, weight in weights if term in impacts}


def _words(contributions: Mapping[str, int], demand: WorkRecord) -> tuple[str, ...]:
    surfaces = dict(zip(demand.terms, demand.surfaces, strict=True))
    display = demand.party.display
    text = "\n".join((display.title, display.summary or "", *display.keywords))
    return tuple(term[:_LONGEST_TERM] for term in shared_terms(contributions, surfaces, text))


def _technology(work: WorkRecord, kinds: Mapping[str, OrganisationKind]) -> TechnologyParty:
    party = work.technology
    assert party is not None
    kind = kinds.get(party.owner)
    if kind is None:
        return party
    return party.model_copy(update={"display": party.display.model_copy(update={"organisation_kind": kind})})


def _demand(work: WorkRecord, kinds: Mapping[str, OrganisationKind]) -> DemandParty:
    party = work.demand
    assert party is not None
    kind = kinds.get(party.owner)
    if kind is None:
        return party
    return party.model_copy(update={"display": party.display.model_copy(update={"organisation_kind": kind})})
