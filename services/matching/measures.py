"""Quality of rankings against graded pairs, with intervals from resampling the demands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ranking = Sequence[tuple[str, float]]
"""(technology id, score), best first."""
Grades = dict[str, dict[str, float]]
"""By demand id and technology id, the grade: above 0; 1 where pairs are not graded."""
RESAMPLED = 1_000
_DEPTH = 10


def by_demand(rankings: Mapping[str, Ranking], grades: Mapping[str, Mapping[str, float]]) -> dict[str, list[float]]:
    """Of each demand: nDCG@10 with gains 2^grade - 1, recall@10 and @100, reciprocal rank of the first that fits."""
    found: dict[str, list[float]] = {"ndcg_at_10": [], "recall_at_10": [], "recall_at_100": [], "mrr": []}
    for demand, ranking in rankings.items():
        ids, good = [id for id, _ in ranking], grades[demand]
        found["ndcg_at_10"].append(ndcg(ids, good, _DEPTH))
        found["recall_at_10"].append(len(good.keys() & set(ids[:10])) / len(good))
        found["recall_at_100"].append(len(good.keys() & set(ids[:100])) / len(good))
        found["mrr"].append(next((1 / rank for rank, id in enumerate(ids, 1) if id in good), 0.0))
    return found


def means(rankings: Mapping[str, Ranking], grades: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The means over all demands."""
    return {name: float(np.mean(values)) for name, values in by_demand(rankings, grades).items()}


def measured(rankings: Mapping[str, Ranking], grades: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The means, and under `intervals` the limits of 95 % of the means of resampled demands."""
    found = {name: np.array(values) for name, values in by_demand(rankings, grades).items()}
    return {name: float(values.mean()) for name, values in found.items()} | {
        "intervals": {name: interval(values) for name, values in found.items()}
    }


def interval(values: npt.NDArray[np.float64]) -> list[float]:
    """Two limits; the same every time for the same values."""
    chance = np.random.default_rng(0)
    resampled = values[chance.integers(0, len(values), (RESAMPLED, len(values)))].mean(axis=1)
    return [float(limit) for limit in np.percentile(resampled, [2.5, 97.5])]


def ndcg(ids: Sequence[str], grades: Mapping[str, float], depth: int) -> float:
    """Normalised discounted cumulative gain of a ranking cut at `depth`."""
    discount = 1 / np.log2(np.arange(2, depth + 2))
    gained = np.array([2 ** grades.get(id, 0.0) - 1 for id in ids[:depth]])
    best = np.sort([2**grade - 1 for grade in grades.values()])[::-1][:depth]
    return float((gained * discount[: len(gained)]).sum() / (best * discount[: len(best)]).sum())
