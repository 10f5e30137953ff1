"""The score of a technology for a demand: a pure function of the two records and the model."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from services.matching import lexical
from services.matching.features import features
from services.matching.profile import Profile
from services.matching.statistics import Model
from services.matching.traits import DemandTraits, TechnologyTraits
from services.matching.vectors import cosine

Floats = npt.NDArray[np.float64]

MOST_OVERLAP = (1 << 31) - 1
"""Above every overlap (see `postings`)."""
MOST_COSINE = 1 + 1e-9
"""Above every cosine, rounding included."""
MOST_RAISED = 4.0
"""Log-odds by which the second stage may raise the first one's word. On 301 labelled demands nothing is lost against no
such bound (3.5: -.002 nDCG@10, 3: -.008), and what the second stage looks at stays a few hundred pairs at any size."""
ENGLISH_ENOUGH = 0.4
"""Cosines of English embeddings above this (one pair in a hundred) count as this at the first stage: so far up the
second stage decides anyway, and the search need not look at the embedding of a pair that could only be saved by more.
From .3 to .8 nothing is lost or won beyond noise (docs/adr/0030)."""


def logits(
    overlap: Floats, expected: Floats, cosine: Floats, same_language: npt.NDArray[np.bool_], model: Model
) -> Floats:
    """Log-odds that the technology answers the demand; for all pairs but those of two English records.

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


def english_logits(overlap: Floats, expected: Floats, latent: Floats, english: Floats, model: Model) -> Floats:
    """The same at the first stage for two English records; `latent`, `english`: cosines.

    From model.english_least on, what stands is the re-ranker's word, within `highest`.
    """
    per_deviation, per_latent, per_english = model.english_weights.tolist()
    return (
        per_deviation * (overlap / lexical.SCALE**2 - expected)
        + per_latent * latent
        + per_english * np.minimum(english, ENGLISH_ENOUGH)
        + model.english_intercept
    )


def highest(first: Floats) -> Floats:
    """The log-odds that a pair with these at the first stage can have in the end."""
    return first + MOST_RAISED


def least_overlap(logit: float, expected: float, model: Model, is_english: bool = False) -> int:
    """An overlap below which no pair of one language reaches these log-odds, whatever its cosines; nearly the greatest.

    `is_english`: two English records, second stage included.
    """
    nothing, chance, most = np.array(0.0), np.array(expected), np.array(MOST_COSINE)
    if is_english:
        weight, rest = float(model.english_weights[0]), highest(english_logits(nothing, chance, most, most, model))
    else:
        weight, rest = model.lexical_weight, logits(nothing, chance, most, np.array(True), model)
    if weight <= 0 or logit <= rest:
        return 0
    least = (logit - float(rest)) / weight * lexical.SCALE**2
    # One step less, and a little more of a large number: that much rounding can account for.
    return min(max(math.floor(least * (1 - 1e-9) - 1), 0), MOST_OVERLAP)


def least_cosine(logit: float, model: Model) -> float:
    """A cosine below which no pair of two languages reaches these log-odds; nearly the greatest such."""
    if model.across_semantic_weight <= 0 or math.isinf(logit):
        return -MOST_COSINE
    return (logit - model.across_intercept) / model.across_semantic_weight - 1e-9


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


def components(technology: Profile, demand: Profile) -> dict[str, float]:
    """What the score of a pair is made of: cosines, and within one language the lexical overlap beyond chance."""
    parts = {"semantic": round(cosine(technology.vector, demand.vector), 4)}
    if technology.language == demand.language:
        parts["lexical"] = round(overlap(technology, demand) / lexical.SCALE**2 - demand.expected, 3)
    offered, asked = technology.traits, demand.traits
    if isinstance(offered, TechnologyTraits) and isinstance(asked, DemandTraits):
        parts["semantic_english"] = round(cosine(offered.english, asked.english), 4)
        parts["subject"] = round(cosine(offered.latent, asked.latent), 4)
    return parts


def pair_logit(technology: Profile, demand: Profile, model: Model) -> float:
    """The log-odds of one pair; equal, to the last bit, to what an index of many gives."""
    found, expected = np.array(float(overlap(technology, demand))), np.array(demand.expected)
    offered, asked = technology.traits, demand.traits
    if not isinstance(offered, TechnologyTraits) or not isinstance(asked, DemandTraits):
        similarity = np.array(cosine(technology.vector, demand.vector))
        same_language = np.array(technology.language == demand.language)
        return float(logits(found, expected, similarity, same_language, model))
    latent, english = cosine(offered.latent, asked.latent), cosine(offered.english, asked.english)
    first = float(english_logits(found, expected, np.array(latent), np.array(english), model))
    if first < model.english_least:
        return first
    again = float(model.reranker.logits(features([asked], [offered]))[0])
    return min(again, float(highest(np.array(first))))
