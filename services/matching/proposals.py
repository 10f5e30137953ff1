"""Puts into words what the ranking found: proposals, and what a search came to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from services.matching.analysis import is_han, terms
from services.matching.checks import checks, priority
from services.matching.figures import Clause, clauses, terms_of
from services.matching.match_id import match_id
from services.matching.passages import Sentence, passages, sentences
from services.matching.profile import Profile
from services.matching.ranking import components, score
from services.matching.shared_terms import MOST, shared_terms
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

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Its title and the sentences of its summary."""
        display = self.work.party.display
        return sentences(f"{display.title}\n{display.summary or ''}")

    @cached_property
    def clauses(self) -> list[Clause]:
        """The clauses of its title and summary that give figures."""
        return [clause for sentence in self.sentences for clause in clauses(sentence.text)]

    @cached_property
    def key_words(self) -> list[tuple[str, frozenset[str]]]:
        """What its author names first: the keywords, each with its terms, or else the words of its title."""
        display = self.work.party.display
        words = display.keywords or [term.surface for term in terms(display.title, "") if not is_han(term.term)]
        return [(word, found) for word in words if (found := terms_of(word))]


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
        one_language = offered.language == asked.language
        parts = components(offered, asked)
        if bonus := priority(technology.technology, demand.demand):
            parts["priority"] = bonus
        words = shared_terms(contributions, demand.surfaces, demand.text)
        # Nothing here comes from outside: what is built from valid parts is not validated once more.
        return MatchProposed.model_construct(
            match_id=self.id_of(offered.id, asked.id),
            technology=technology.technology,
            demand=demand.demand,
            score=round(score(entry.logit), 4),
            components=parts,
            shared_terms=tuple(word[:_LONGEST_TERM] for word in words),
            missing_terms=_missing(demand, technology) if one_language else (),
            passages=passages(technology.sentences, demand.sentences, contributions) if one_language else (),
            checks=checks(technology.technology, demand.demand, technology.clauses),
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
            missing_terms=proposal.missing_terms,
            checks=proposal.checks,
            display=proposal.technology.display,
        )


def _missing(demand: Analysed, technology: Analysed) -> tuple[str, ...]:
    """Key words of the demand of whose terms the technology has at most half."""
    words = [
        word[:_LONGEST_TERM]
        for word, terms in demand.key_words
        if 2 * len(terms & technology.values.keys()) <= len(terms)
    ]
    return tuple(words[:MOST])
