"""What pair features need of one English record: its terms and phrases by fingerprint, with weights and scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching import lexical
from services.matching.analysis import Term, phrases
from services.matching.statistics import Model, fingerprint
from services.matching.vectors import Vector

Fingerprints = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]

LEVELS = 1024
LOGARITHMS: Floats = np.concatenate([[0.0], 1 + np.log(np.arange(1, LEVELS))])
"""By frequency, the weight 1 + ln frequency; 0 for none."""
SHARPER = (4.0, 0.9, 4, 2.0)
"""k1, b, weight of the title and power of idf of the second BM25: it reaches deeper, where the first ranks better."""
STEEP = 1.5
"""Power of idf in the first BM25."""
TITLE = 4
"""How often a demand's title counts in cosines."""
LEAD = 25
"""Terms at the beginning of a demand's text (some 250 characters) that are also looked at by themselves: they tell what
is wanted, where the rest tells its background, its conditions and what it leads to (measured: docs/adr/0030)."""


@dataclass(frozen=True, slots=True, eq=False)
class TechnologyTraits:
    """A technology; fingerprints ascend."""

    terms: Fingerprints
    counts: Counts
    phrases: Fingerprints
    phrase_counts: Counts
    scales: tuple[float, float, float, float, float]
    """Lengths of both BM25; sum and length of the TF-IDF vector; length of the phrase vector."""
    latent: Vector
    english: Vector


@dataclass(frozen=True, slots=True, eq=False)
class DemandTraits:
    """A demand; fingerprints ascend."""

    terms: Fingerprints
    title_counts: Counts
    body_counts: Counts
    lead_counts: Counts
    """How many of a term's occurrences stand among the text's first LEAD."""
    idf: Weights
    ranks: Counts
    """0 for the weightiest term."""
    phrases: Fingerprints
    phrase_title_counts: Counts
    phrase_body_counts: Counts
    phrase_lead_counts: Counts
    phrase_idf: Weights
    scales: tuple[float, ...]
    """What each sum is set against, in the order in which demand_traits lists them."""
    latent: Vector
    latent_title: Vector
    english: Vector
    english_title: Vector


def technology_traits(terms: Sequence[Term], order: bytes, english: Vector, model: Model) -> TechnologyTraits:
    """`order`: see work.WorkRecord."""
    ids, title, body = _sorted([(fingerprint(t.term), t.title, t.body) for t in terms], 3)
    counts = _capped(title + body)
    total = float(counts.sum())
    weights = LOGARITHMS[counts] * model.idf(ids)
    phrase_ids, phrase_title, phrase_body = _sorted(
        [(fingerprint(phrase), title, body) for phrase, title, body in phrases(terms, order)], 3
    )
    phrase_counts = _capped(phrase_title + phrase_body)
    phrase_weights = LOGARITHMS[phrase_counts] * model.idf(phrase_ids)
    length = total / model.average_length
    return TechnologyTraits(
        ids,
        counts,
        phrase_ids,
        phrase_counts,
        (
            lexical.K1 * (1 - lexical.B + lexical.B * length),
            SHARPER[0] * (1 - SHARPER[1] + SHARPER[1] * length),
            _positive(weights.sum()),
            _positive(math.sqrt(weights @ weights)),
            _positive(math.sqrt(phrase_weights @ phrase_weights)),
        ),
        model.latent.vector(ids, weights),
        english,
    )


def demand_traits(
    terms: Sequence[Term], order: bytes, english: Vector, english_title: Vector, model: Model
) -> DemandTraits:
    """`order`: see work.WorkRecord."""
    opening, in_lead = _opening(terms, order)
    ids, title, body, lead = _sorted(
        [(fingerprint(t.term), t.title, t.body, count) for t, count in zip(terms, in_lead, strict=True)], 4
    )
    title, body, lead = _capped(title), _capped(body), _capped(lead)
    idf = model.idf(ids).astype(np.float32)
    exact = idf.astype(np.float64)
    steep = LOGARITHMS[_capped(lexical.TITLE_WEIGHT * title.astype(np.int64) + body)] * exact**STEEP
    order_by_weight = np.lexsort((ids, -steep))
    ranks = np.empty(len(ids), dtype=np.uint16)
    ranks[order_by_weight] = np.minimum(np.arange(len(ids)), 65_535)
    sharp = LOGARITHMS[_capped(SHARPER[2] * title.astype(np.int64) + body)] * exact * exact
    both = LOGARITHMS[_capped(TITLE * title.astype(np.int64) + body)] * exact
    alone = LOGARITHMS[body] * exact
    named = np.where(title > 0, exact, 0.0)
    opened = LOGARITHMS[_capped(lexical.TITLE_WEIGHT * title.astype(np.int64) + lead)] * exact**STEEP
    both_opened = LOGARITHMS[_capped(TITLE * title.astype(np.int64) + lead)] * exact
    in_opening = {phrase: count for phrase, _, count in phrases(terms, opening)}
    phrase_ids, phrase_title, phrase_body, phrase_lead = _sorted(
        [
            (fingerprint(phrase), title, body, in_opening.get(phrase, 0))
            for phrase, title, body in phrases(terms, order)
        ],
        4,
    )
    phrase_idf = model.idf(phrase_ids).astype(np.float32)
    said = LOGARITHMS[_capped(TITLE * phrase_title + phrase_body)] * phrase_idf
    said_first = LOGARITHMS[_capped(TITLE * phrase_title + phrase_lead)] * phrase_idf
    scales = (
        _spread(steep, exact),
        _spread(sharp, exact),
        _positive((LOGARITHMS[body] * exact**STEEP).sum()),
        _positive(math.sqrt(both @ both)),
        _positive(math.sqrt(alone @ alone)),
        _positive(math.sqrt(named @ named)),
        _positive(named.sum()),
        _positive((named * exact).sum()),
        *(_positive(steep[ranks < most].sum()) for most in (10, 20, 50)),
        _positive(math.sqrt(said @ said)),
        _positive(said.sum()),
        _positive(phrase_idf[phrase_title > 0].sum()),
        _spread(opened, exact),
        _positive(math.sqrt(both_opened @ both_opened)),
        _positive(math.sqrt(said_first @ said_first)),
        _positive(said_first.sum()),
    )
    return DemandTraits(
        ids,
        title,
        body,
        lead,
        idf,
        ranks,
        phrase_ids,
        _capped(phrase_title),
        _capped(phrase_body),
        _capped(phrase_lead),
        phrase_idf,
        scales,
        model.latent.vector(ids, both),
        model.latent.vector(ids, named),
        english,
        english_title,
    )


def _opening(terms: Sequence[Term], order: bytes) -> tuple[bytes, list[int]]:
    """The order of the title's terms and of the text's first LEAD, and how often each term is among the latter."""
    in_title = sum(term.title for term in terms)
    opening = np.frombuffer(order, dtype="<u2")[: in_title + LEAD]
    return opening.tobytes(), np.bincount(opening[in_title:], minlength=len(terms)).tolist()


def _sorted(rows: Sequence[tuple[int, ...]], width: int) -> tuple[Fingerprints, *tuple[npt.NDArray[np.int64], ...]]:
    """Columns by ascending fingerprint; terms that share one (a chance of one in a million texts) count as one."""
    table = np.array(sorted(rows), dtype=np.int64).reshape(-1, width)
    ids, start = np.unique(table[:, 0], return_index=True)
    counts = np.add.reduceat(table[:, 1:], start, axis=0) if len(ids) else table[:, 1:]
    return ids.astype(np.uint32), *counts.T


def _capped(counts: npt.NDArray[np.int64]) -> Counts:
    return np.minimum(counts, LEVELS - 1).astype(np.uint16)


def _positive(value: float) -> float:
    """Zero means that there is nothing to set against anything: any divisor serves."""
    return float(value) or 1.0


def _spread(weights: Floats, idf: Floats) -> float:
    """What an overlap varies by when it comes about by chance (see lexical.query)."""
    share = np.maximum(np.exp(-idf), lexical.RAREST_SURPRISE)
    return _positive(math.sqrt(float((weights * weights * share * (1 - share)).sum())))
