"""A record as the ranking sees it: weighted terms, a vector of whole numbers, and who may see it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching import lexical
from services.matching.analysis import Term
from services.matching.statistics import Model
from shared.contracts.events import Party

DIMENSIONS = 512
_LARGEST = 127


def quantised(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """An embedding in steps of 1/127 of its largest component; cosines move by less than 0.002.

    Dot products of such vectors are whole numbers below 2^24, which single precision adds without rounding.
    """
    largest = float(np.abs(vector).max())
    if largest == 0:
        return np.zeros(len(vector), dtype=np.int8)
    return np.rint(vector * (_LARGEST / largest)).astype(np.int8)


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
    vector: npt.NDArray[np.int8]

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
        return self.party.language.partition("-")[0]


def technology_profile(party: Party, terms: Sequence[Term], vector: npt.NDArray[np.int8], model: Model) -> Profile:
    """The profile of a technology."""
    return _profile(party, [term.term for term in terms], lexical.impacts(terms, model), 0.0, vector)


def demand_profile(party: Party, terms: Sequence[Term], vector: npt.NDArray[np.int8], model: Model) -> Profile:
    """The profile of a demand."""
    return _profile(party, *lexical.query(terms, model), vector)


def _profile(
    party: Party, terms: Sequence[str], values: lexical.Integers, expected: float, vector: npt.NDArray[np.int8]
) -> Profile:
    bare = Party.model_construct(**{name: getattr(party, name) for name in Party.model_fields})
    # A term is one string in memory, however many records hold it.
    return Profile(bare, tuple(map(sys.intern, terms)), values.astype(np.int32), expected, vector)
