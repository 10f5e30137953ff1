"""What the fit reports: quality by demand, intervals by resampling demands, and how honest a probability is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.fit.corpus import Mask, Matrix

RESAMPLED = 2_000


def by_demand(scores: Matrix, relevant: Mask) -> dict[str, Matrix]:
    """nDCG@10, recall@10 and recall@100 of each demand, from [demands, technologies]."""
    discount = 1 / np.log2(np.arange(2, 12))
    rows: list[tuple[float, float, float]] = []
    for row, mask in zip(scores, relevant, strict=True):
        found = mask[np.argsort(-row, kind="stable")[:100]]
        right = int(mask.sum())
        ideal = discount[: min(10, right)].sum()
        rows.append((float((found[:10] * discount).sum() / ideal), found[:10].sum() / right, found.sum() / right))
    ndcg, ten, hundred = np.array(rows).T
    return {"ndcg_at_10": ndcg, "recall_at_10": ten, "recall_at_100": hundred}


def interval(values: Matrix, seed: int = 0) -> tuple[float, float, float]:
    """Mean, and the limits between which 95 % of the means of resampled demands lie."""
    chance = np.random.default_rng(seed)
    means = values[chance.integers(0, len(values), (RESAMPLED, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def told(values: Matrix) -> str:
    """A mean with its interval, in words."""
    return "{:.3f} [{:.3f}, {:.3f}]".format(*interval(values))


def reliability(probabilities: Matrix, labels: Mask, edges: npt.ArrayLike) -> list[dict[str, float]]:
    """For each band of probability: pairs, the mean probability, and the share that is labelled."""
    bands = np.digitize(probabilities, np.asarray(edges)[1:-1])
    return [
        {
            "pairs": int((bands == band).sum()),
            "told": float(probabilities[bands == band].mean()),
            "found": float(labels[bands == band].mean()),
        }
        for band in range(len(np.asarray(edges)) - 1)
        if (bands == band).any()
    ]


def calibration_error(bands: list[dict[str, float]]) -> float:
    """Expected calibration error: the mean distance of told from found, weighted by pairs."""
    total = sum(band["pairs"] for band in bands)
    return sum(band["pairs"] * abs(band["told"] - band["found"]) for band in bands) / total
