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

    From model.english_least on, what stands is the re-ranker's word.
    """
    per_deviation, per_latent, per_english = model.english_weights.tolist()
    return (
        per_deviation * (overlap / lexical.SCALE**2 - expected)
        + per_latent * latent
        + per_english * english
        + model.english_intercept
    )


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
    return float(model.reranker.logits(features([asked], [offered]))[0])
