"""A record as the ranking sees it: weighted terms, vectors of whole numbers, and who may see it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching import lexical
from services.matching.analysis import Term
from services.matching.statistics import Model
from services.matching.traits import DemandTraits, TechnologyTraits, demand_traits, technology_traits
from services.matching.vectors import Vector
from shared.contracts.events import Party

DIMENSIONS = 512
ENGLISH_DIMENSIONS = 384
ENGLISH = "en"


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One version of one record, ready to be ranked."""

    party: Party
    """Whose record it is and who may see it; nothing of what it says."""
    terms: tuple[str, ...]
    values: npt.NDArray[np.int32]
    """Per term: a technology's impacts, a demand's weights (see lexical)."""
    expected: float
    """A demand's overlap by chance, in standard deviations; 0 for a technology."""
    vector: Vector
    traits: TechnologyTraits | DemandTraits | None = None
    """What the re-ranker looks at; English records have it."""

    @property
    def id(self) -> str:
        """The record's id."""
        return self.party.id

    @property
    def version(self) -> int:
        """The record's version."""
        return self.party.version

    @property
    def language(self) -> str:
        """The language without its script or region: zh for zh-Hant."""
        return _language(self.party)


def technology_profile(
    party: Party, terms: Sequence[Term], vector: Vector, model: Model, order: bytes = b"", english: bytes = b""
) -> Profile:
    """The profile of a technology. `order`, `english`: see work.WorkRecord; without the latter it is not re-ranked."""
    traits = None
    if _language(party) == ENGLISH and english:
        traits = technology_traits(terms, order, np.frombuffer(english, dtype=np.int8)[:ENGLISH_DIMENSIONS], model)
    names = [term.term for term in terms]
    return _profile(party, names, lexical.impacts(terms, model), 0.0, vector, traits)


def demand_profile(
    party: Party, terms: Sequence[Term], vector: Vector, model: Model, order: bytes = b"", english: bytes = b""
) -> Profile:
    """The profile of a demand; `english` holds two embeddings, of its beginning and of its title."""
    traits = None
    if _language(party) == ENGLISH and english:
        both = np.frombuffer(english, dtype=np.int8)
        traits = demand_traits(terms, order, both[:ENGLISH_DIMENSIONS], both[ENGLISH_DIMENSIONS:], model)
    return _profile(party, *lexical.query(terms, model, _language(party) == ENGLISH), vector, traits)


def _language(party: Party) -> str:
    return party.language.partition("-")[0]


def _profile(
    party: Party,
    terms: Sequence[str],
    values: lexical.Integers,
    expected: float,
    vector: Vector,
    traits: TechnologyTraits | DemandTraits | None,
) -> Profile:
    bare = Party.model_construct(**{name: getattr(party, name) for name in Party.model_fields})
    # A term is one string in memory, however many records hold it.
    return Profile(bare, tuple(map(sys.intern, terms)), values.astype(np.int32), expected, vector, traits)
