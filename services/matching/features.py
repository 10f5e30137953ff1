"""What speaks for a pair of English records, as numbers that the re-ranker weighs; of many pairs at once.

All pairs have their demand or their technology in common. Each feature is a pure function of the two records: sums run
over shared terms by ascending fingerprint, one after the other, so that no feature depends on which other pairs are
computed with it, or from which side. No document length, nothing about a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from services.matching import lexical
from services.matching.arrays import Array
from services.matching.batches import Batch, together
from services.matching.traits import LOGARITHMS, SHARPER, STEEP, TITLE, DemandTraits, TechnologyTraits

NAMES = (
    "bm25", "bm25_deep", "bm25_body", "tfidf", "tfidf_body", "tfidf_title", "title_covered", "title_bm25",
    "top20_covered", "top50_covered", "top10_bm25", "top20_bm25", "offered_covered", "offered_weight_covered",
    "strongest", "strongest_share", "rare_shared", "lead_bm25", "lead_tfidf", "phrase_cosine", "phrases_covered",
    "title_phrases_covered", "rare_phrases", "lead_phrase_cosine", "lead_phrases_covered", "latent", "latent_title",
    "english", "english_title",
)  # fmt: skip
_RARE = 5.3
"""idf of a term in half a percent of all texts."""
_RARE_PHRASE = 6.0
_LOW_BITS = (1 << 16) - 1

Features = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Meeting = tuple[Integers, Integers, Integers]


def features(demands: Sequence[DemandTraits], technologies: Sequence[TechnologyTraits]) -> Features:
    """[pairs, features]; one of the two sequences has one member, which meets each of the other."""
    return batch_features(together(demands), together(technologies))


def batch_features(demands: Batch, technologies: Batch) -> Features:
    """The same, of records that lie end to end."""
    pairs = max(len(demands), len(technologies))
    asked, offered = demands.records, technologies.records
    columns = [
        *_of_terms(demands, technologies, pairs),
        *_of_phrases(demands, technologies, pairs),
        _cosines(asked["latent"], offered["latent"]),
        _cosines(asked["latent_title"], offered["latent"]),
        _cosines(asked["english"], offered["english"]),
        _cosines(asked["english_title"], offered["english"]),
    ]
    return np.stack([np.broadcast_to(column, pairs) for column in columns], axis=1).astype(np.float32)


def _of_terms(demands: Batch, technologies: Batch, pairs: int) -> list[Floats]:
    asked, offered = demands.records["scales"], technologies.records["scales"]
    here, there = demands.terms, technologies.terms
    pair, left, right = _meeting(here["terms"], demands.sizes, there["terms"], technologies.sizes)
    title = here["title_counts"][left].astype(np.intp)
    body = here["body_counts"][left].astype(np.intp)
    lead = here["lead_counts"][left].astype(np.intp)
    idf = here["idf"][left].astype(np.float64)
    rank = here["ranks"][left]
    count = there["counts"][right]
    length, deep_length = (offered[pair if len(technologies) > 1 else np.zeros_like(pair)][:, :2]).T
    impact, deep_impact = count / (count + length), count / (count + deep_length)
    steep_idf = idf**STEEP
    steep = _log(lexical.TITLE_WEIGHT * title + body) * steep_idf
    met = LOGARITHMS[count] * idf
    named = np.where(title > 0, idf, 0.0)

    total = partial(_total, pair, pairs)
    strongest = np.zeros(pairs)
    products = steep * impact
    if len(pair):
        starts = np.flatnonzero(np.diff(pair, prepend=-1))
        strongest[pair[starts]] = np.maximum.reduceat(products, starts)
    bm25 = total(products)
    tfidf_length = offered[:, 3]
    return [
        bm25 / asked[:, 0],
        total(_log(SHARPER[2] * title + body) * idf * idf * deep_impact) / asked[:, 1],
        total(LOGARITHMS[body] * steep_idf * impact) / asked[:, 2],
        total(_log(TITLE * title + body) * idf * met) / (asked[:, 3] * tfidf_length),
        total(LOGARITHMS[body] * idf * met) / (asked[:, 4] * tfidf_length),
        total(named * met) / (asked[:, 5] * tfidf_length),
        total(named) / asked[:, 6],
        total(named * idf * impact) / asked[:, 7],
        total(np.where(rank < 20, steep, 0.0)) / asked[:, 9],
        total(np.where(rank < 50, steep, 0.0)) / asked[:, 10],
        total(np.where(rank < 10, products, 0.0)) / asked[:, 8],
        total(np.where(rank < 20, products, 0.0)) / asked[:, 9],
        total(met) / offered[:, 2],
        total(met * met) / (tfidf_length * tfidf_length),
        strongest / asked[:, 0],
        np.divide(strongest, bm25, out=np.zeros(pairs), where=bm25 > 0),
        total(np.where(idf > _RARE, idf, 0.0)),
        total(_log(lexical.TITLE_WEIGHT * title + lead) * steep_idf * impact) / asked[:, 14],
        total(_log(TITLE * title + lead) * idf * met) / (asked[:, 15] * tfidf_length),
    ]


def _of_phrases(demands: Batch, technologies: Batch, pairs: int) -> list[Floats]:
    asked, offered = demands.records["scales"], technologies.records["scales"]
    here, there = demands.phrases, technologies.phrases
    pair, left, right = _meeting(here["phrases"], demands.phrase_sizes, there["phrases"], technologies.phrase_sizes)
    title = here["phrase_title_counts"][left].astype(np.intp)
    body = here["phrase_body_counts"][left].astype(np.intp)
    lead = here["phrase_lead_counts"][left].astype(np.intp)
    idf = here["phrase_idf"][left].astype(np.float64)
    said_first = _log(TITLE * title + lead) * idf
    said = _log(TITLE * title + body) * idf
    met = LOGARITHMS[there["phrase_counts"][right]] * idf
    total = partial(_total, pair, pairs)

    return [
        total(said * met) / (asked[:, 11] * offered[:, 4]),
        total(said) / asked[:, 12],
        total(np.where(title > 0, idf, 0.0)) / asked[:, 13],
        total(np.where(idf > _RARE_PHRASE, idf, 0.0)),
        total(said_first * met) / (asked[:, 16] * offered[:, 4]),
        total(said_first) / asked[:, 17],
    ]


def _total(pair: Integers, pairs: int, values: Floats) -> Floats:
    """The sum over each pair's shared terms, in their order."""
    return np.bincount(pair, weights=values, minlength=pairs).astype(np.float64)


def _log(counts: npt.NDArray[np.intp]) -> Floats:
    return LOGARITHMS[np.minimum(counts, len(LOGARITHMS) - 1)]


def _meeting(demands: Array, demand_sizes: Array, technologies: Array, technology_sizes: Array) -> Meeting:
    """Of each shared fingerprint: the pair, where it stands among the demands' and among the technologies'."""
    is_one_demand = len(demand_sizes) == 1
    many, sizes, one = (
        (technologies, technology_sizes, demands) if is_one_demand else (demands, demand_sizes, technologies)
    )
    if len(one) == 0:
        empty = np.zeros(0, dtype=np.intp)
        return empty, empty, empty
    # A look at the low bits says for nearly all others that they are not shared; a search costs ten times as much.
    low = np.zeros(_LOW_BITS + 1, dtype=np.bool_)
    low[one & _LOW_BITS] = True
    here = np.flatnonzero(low[many & _LOW_BITS])
    there = np.minimum(np.searchsorted(one, many[here]), len(one) - 1)
    shared = one[there] == many[here]
    here, there = here[shared], there[shared]
    pair = np.repeat(np.arange(len(sizes)), sizes)[here]
    return (pair, there, here) if is_one_demand else (pair, here, there)


def _cosines(demands: Array, technologies: Array) -> Floats:
    """Whole numbers below 2^24 until the last division: exact in single precision, in any order."""
    left, right = demands.astype(np.float32), technologies.astype(np.float32)
    dots = (left @ right.T).reshape(-1).astype(np.float64)
    lengths = np.sqrt(
        (left * left).sum(axis=1, dtype=np.float64)[:, None] * (right * right).sum(axis=1, dtype=np.float64)
    )
    lengths = lengths.reshape(-1)
    return np.divide(dots, lengths, out=np.zeros(len(dots)), where=lengths > 0)
