"""Fits the score of pairs that are not both English: from hand-written pairs, against real records that answer none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

import catalogue
from bench.fit.corpus import Matrix, Records, read
from bench.fit.logistic import logistic
from services.matching.analysis import is_han
from services.matching.embedding import Embedder
from services.matching.encoding import Analyser, Record
from services.matching.index import ProfileIndex
from services.matching.statistics import Model
from services.matching.vectors import cosine
from shared.contracts.events import DemandPosted, Side, TechnologySubmitted

HAND = Path(__file__).with_name("bilingual_pairs.jsonl")
RIDGE = 1e-4
MARKET = 240
"""Technologies that a demand meets in its own language, one of which answers it: how many a young market has of a
field. With the corpus's 16,155 hardly any answer in other words reaches the threshold (3 % of those of
bench/paraphrases), though 99.9 % of all pairs lie below it (46 % with this)."""
ACROSS = (0.35, -1.8)
"""Slope and intercept on the log-odds of pairs across languages, as a line cross-validated by demand on
bench/paraphrases has them: texts on one subject are near each other in two languages, whether one answers the other or
not, and what was told as .86 was right once in four."""


def with_other_languages(model: Model, technologies: Records, embedder: Embedder, hand: Path = HAND) -> Model:
    """The model with the weights of the remaining pairs.

    Within one language: half words, half embedding, as measured on Chinese demands and achievements (each as large as
    the best of a demand's candidates); across: the embedding alone. How likely a value is comes from the hand-written
    pairs, 24 that belong together against the others; across languages from these and the catalogue's, against all
    technologies of the corpus, which are of no use to these demands, and then made humbler (ACROSS). Within one
    language each demand counts as if it met MARKET technologies, across as many as the corpus has.
    """
    written = read(hand)
    sides: dict[tuple[Side, str], Records] = {}
    for side in Side:
        for language in ("en", "zh"):
            texts = [(row["id"], row[f"{side.value}_{language}"]) for row in written]
            records = Records([(id, text["title"], text["text"], language) for id, text in texts], side)
            records.embed(embedder)
            sides[side, language] = records
    same = np.eye(len(written), dtype=np.bool_)
    words, cosines = _parts(sides[Side.TECHNOLOGY, "zh"], sides[Side.DEMAND, "zh"], model)
    ratio = float(words.max(axis=1).mean())
    within = _fit([(words + ratio * cosines, same)], MARKET)
    near = _parts(sides[Side.TECHNOLOGY, "en"], sides[Side.DEMAND, "zh"], model)[1]
    back = _parts(sides[Side.TECHNOLOGY, "zh"], sides[Side.DEMAND, "en"], model)[1]
    far = _parts(technologies, sides[Side.DEMAND, "zh"], model)[1]
    fitting = np.concatenate([near[same], back[same], _catalogue(embedder)])
    across = _even_chance(fitting, far.ravel(), len(technologies.rows))
    return replace(
        model,
        lexical_weight=within[0],
        semantic_weight=within[0] * ratio,
        intercept=within[1],
        across_semantic_weight=ACROSS[0] * across[0],
        across_intercept=ACROSS[0] * across[1] + ACROSS[1],
    )


def _parts(technologies: Records, demands: Records, model: Model) -> tuple[Matrix, Matrix]:
    """Lexical part and cosine of every pair, [demands, technologies], by the production index."""
    parts: list[Matrix] = []
    for lexical_weight, semantic_weight in ((1.0, 0.0), (0.0, 1.0)):
        bare = replace(
            model,
            lexical_weight=lexical_weight,
            semantic_weight=semantic_weight,
            intercept=0.0,
            across_semantic_weight=semantic_weight,
            across_intercept=0.0,
        )
        index = ProfileIndex(Side.TECHNOLOGY, bare)
        for profile in technologies.profiles(model):
            index.put(replace(profile, traits=None))
        parts.append(np.stack(list(index.columns([replace(each, traits=None) for each in demands.profiles(model)]))))
    return parts[0], parts[1]


def _catalogue(embedder: Embedder) -> Matrix:
    """Cosines of the catalogue's pairs between two languages."""
    analyser = Analyser(embedder)
    vectors: dict[str, tuple[str, np.ndarray]] = {}
    for draft in (*catalogue.technologies(), *catalogue.demands()):
        language = draft.language or ("zh" if is_han(draft.title) else "en")
        record: Record = draft.canonical(catalogue.member_of(draft), draft.version or 1, language)
        vector, _ = analyser.vectors(record)
        vectors[f"{type(record).__name__}:{record.id}"] = language, vector
    found: list[float] = []
    for expected in catalogue.expected():
        asked, demand = vectors[f"{DemandPosted.__name__}:{expected.demand_id}"]
        for id in expected.technologies:
            offered, technology = vectors[f"{TechnologySubmitted.__name__}:{id}"]
            if asked != offered:
                found.append(cosine(demand, technology))
    return np.array(found)


def _even_chance(fitting: Matrix, others: Matrix, pool: int) -> tuple[float, float]:
    """Slope and intercept where both kinds of cosines follow normal laws and one pair in `pool` + 1 fits.

    The line that touches the log-odds where chances are even: a regression over all values would bend to the pairs
    told in such other words that no embedding sees them, and tell little of a cosine that hardly any other pair has.
    """
    (mean, deviation), (other_mean, other_deviation) = [(each.mean(), each.std()) for each in (fitting, others)]

    def log_odds(cosine: float) -> float:
        kind, other = (cosine - mean) / deviation, (cosine - other_mean) / other_deviation
        return float((other**2 - kind**2) / 2 + np.log(other_deviation / deviation) - np.log(pool))

    root: Any = brentq(log_odds, other_mean + other_deviation, 1.0)
    even = float(root)
    slope = (even - other_mean) / other_deviation**2 - (even - mean) / deviation**2
    return float(slope), float(-slope * even)


def _fit(sets: list[tuple[Matrix, np.ndarray]], pool: int) -> tuple[float, float]:
    """Slope and intercept of the log-odds; in each set the pairs that do not belong together weigh as `pool`."""
    values = np.concatenate([scores.ravel() for scores, _ in sets])
    labels = np.concatenate([same.ravel() for _, same in sets]).astype(np.float64)
    weights = np.concatenate(
        [np.where(same, 1.0, pool * len(same) / max(int((~same).sum()), 1)).ravel() for _, same in sets]
    )
    slopes, intercept = logistic(values[:, None], labels, weights, RIDGE)
    return float(slopes[0]), intercept
