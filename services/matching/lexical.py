"""How strongly the words of a technology answer the words of a demand: BM25 corrected for chance, in whole numbers.

Whole numbers make every sum exact in any order, so that one pair has one score wherever and with whatever else it is
computed. BM25 with k1 2.2 and b 1, query weights (1 + ln frequency) x idf^1.5 with the demand's title counted eight
times, and the weightiest 100 terms of a demand: measured on real solicitations and awards, where plain BM25 (k1 1.2,
b 0.75, all terms alike) drowns in boilerplate.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.matching.analysis import Term
from services.matching.statistics import Model, fingerprint

K1 = 2.2
B = 1.0
TITLE_WEIGHT = 8
IDF_POWER = 1.5
OTHER_TITLE_WEIGHT = 2
OTHER_IDF_POWER = 2.0
"""For demands that are not English: a Chinese title tells a symptom as often as a subject, and bigrams want steeper
weights."""
MOST_QUERY_TERMS = 100
SCALE = 1 << 10
"""Impacts and weights are held in steps of 1/1024; a product of the two counts in steps of 1/1024 squared."""
# Words of one subject come together, so an overlap of rare words is less of a surprise than independence says: no term
# counts as rarer than this in the expected spread. Without it one shared misspelling would outweigh a page.
RAREST_SURPRISE = 0.01

Integers = npt.NDArray[np.int64]


def impacts(terms: Sequence[Term], model: Model) -> Integers:
    """What each term of a technology counts, 0 to 1024: its frequency, saturated and set against the length."""
    counts = np.array([term.title + term.body for term in terms], dtype=np.float64)
    length = K1 * (1 - B + B * counts.sum() / model.average_length)
    return np.rint(SCALE * counts / (counts + length)).astype(np.int64)


def query(terms: Sequence[Term], model: Model, is_english: bool = True) -> tuple[list[str], Integers, float]:
    """The weighty terms of a demand, their weights, and the overlap that chance alone would give.

    Weights and expectation are in standard deviations of a chance overlap, weights in steps of 1/1024 of one.
    """
    shares = model.share(np.array([fingerprint(term.term) for term in terms], dtype=np.uint32))
    title_weight, power = (TITLE_WEIGHT, IDF_POWER) if is_english else (OTHER_TITLE_WEIGHT, OTHER_IDF_POWER)
    counts = np.array([title_weight * term.title + term.body for term in terms], dtype=np.float64)
    weights = (1 + np.log(counts)) * (-np.log(shares)) ** power
    # Ties at the cut go by position in the record, which is the same every time.
    kept = np.sort(np.argsort(-weights, kind="stable")[:MOST_QUERY_TERMS])
    weights, shares = weights[kept], shares[kept]
    surprise = np.maximum(shares, RAREST_SURPRISE)
    spread = math.sqrt(float(np.sum(weights**2 * surprise * (1 - surprise))) * model.mean_square_impact)
    if spread == 0:
        return [], np.zeros(0, dtype=np.int64), 0.0
    expected = float(np.sum(weights * shares)) * model.mean_impact / spread
    return [terms[index].term for index in kept], np.rint(SCALE * weights / spread).astype(np.int64), expected
