"""A record as the ranking sees it: weighted terms, a vector of whole numbers, and who may see it."""

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
    """An embedding in steps of 1/127 of its largest component; its direction moves by less than 0.002 in cosine.

    Dot products of such vectors are whole numbers below 2^24, which single precision adds without rounding.
    """
    largest = float(np.abs(vector).max())
    if largest == 0:
        return np.zeros(len(vector), dtype=np.int8)
    return np.rint(vector * (_LARGEST / largest)).astype(np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One version of one record, ready to be ranked."""

    id: str
    version: int
    party: Party
    terms: Sequence[str]
    values: npt.NDArray[np.int64]
    """Per term: a technology's impacts, a demand's weights (see lexical)."""
    expected: float
    """A demand's overlap by chance, in standard deviations; 0 for a technology."""
    vector: npt.NDArray[np.int8]

    @property
    def language(self) -> str:
        """The language without its script or region: zh for zh-Hant."""
        return self.party.language.partition("-")[0]


def technology_profile(
    party: Party, terms: Sequence[Term], vector: npt.NDArray[np.int8], model: Model
) -> Profile:
    """The profile of a technology."""
    values = lexical.impacts(terms, model)
    return Profile(party.id, party.version, party, [term.term for term in terms], values, 0.0, vector)


def demand_profile(party: Party, terms: Sequence[Term], vector: npt.NDArray[np.int8], model: Model) -> Profile:
    """The profile of a demand."""
    weighty, weights, expected = lexical.query(terms, model)
    return Profile(party.id, party.version, party, weighty, weights, expected, vector)
