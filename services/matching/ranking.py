"""The score of a technology for a demand: a pure function of the two records and the model."""

import math

import numpy as np
import numpy.typing as npt

from services.matching import lexical
from services.matching.profile import Profile
from services.matching.statistics import Model

Floats = npt.NDArray[np.float64]

MOST_OVERLAP = (1 << 31) - 1
"""Above every overlap (see `postings`)."""


def logits(
    overlap: Floats, expected: Floats, cosine: Floats, same_language: npt.NDArray[np.bool_], model: Model
) -> Floats:
    """Log-odds that the technology answers the demand, against a hundred that do not.

    `overlap` is the sum of weight x impact over shared terms, in steps of lexical.SCALE squared. Only elementwise
    arithmetic that IEEE 754 fixes to the last bit, so a pair has the same value in every batch.
    """
    within = (
        model.lexical_weight * (overlap / lexical.SCALE**2 - expected)
        + model.semantic_weight * cosine
        + model.intercept
    )
    # Two languages share no words, which says nothing about the subject: only the embedding speaks.
    across = model.across_semantic_weight * cosine + model.across_intercept
    return np.where(same_language, within, across)


def least_overlap(logit: float, expected: float, model: Model) -> int:
    """The smallest overlap with which a pair of one language can reach these log-odds, whatever its cosine."""
    low, high = 0, MOST_OVERLAP
    while low < high:
        middle = (low + high) // 2
        best = logits(np.array(float(middle)), np.array(expected), np.array(1.0), np.array(True), model)
        low, high = (low, middle) if best >= logit else (middle + 1, high)
    return low


def least_cosine(logit: float, model: Model) -> float:
    """A cosine below which no pair of two languages reaches these log-odds; nearly the greatest such."""
    low, high = -1.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        nothing = np.array(0.0)
        is_enough = logits(nothing, nothing, np.array(middle), np.array(False), model) >= logit
        low, high = (low, middle) if is_enough else (middle, high)
    return low


def score(logit: float) -> float:
    """Log-odds as a probability, 0 to 1."""
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


def logit(score: float) -> float:
    """The log-odds of a probability; ValueError outside 0 < score < 1."""
    if not 0 < score < 1:
        raise ValueError("a threshold must lie between 0 and 1")
    return math.log(score / (1 - score))


def overlap(technology: Profile, demand: Profile) -> int:
    """The sum of weight x impact over the terms that both hold."""
    impact = dict(zip(technology.terms, technology.values.tolist(), strict=True))
    return sum(weight * impact.get(term, 0) for term, weight in zip(demand.terms, demand.values.tolist(), strict=True))


def length(vector: npt.NDArray[np.int8]) -> float:
    """The Euclidean length of a quantised vector."""
    whole = vector.astype(np.int64)
    return math.sqrt(int(whole @ whole))


def cosine(left: npt.NDArray[np.int8], right: npt.NDArray[np.int8]) -> float:
    """Cosine of two quantised vectors; 0 where one has no direction."""
    lengths = length(left) * length(right)
    return int(left.astype(np.int64) @ right.astype(np.int64)) / lengths if lengths else 0.0


def pair_logit(technology: Profile, demand: Profile, model: Model) -> float:
    """The log-odds of one pair; equal, to the last bit, to what an index of many gives."""
    return float(
        logits(
            np.array(float(overlap(technology, demand))),
            np.array(demand.expected),
            np.array(cosine(technology.vector, demand.vector)),
            np.array(technology.language == demand.language),
            model,
        )
    )
