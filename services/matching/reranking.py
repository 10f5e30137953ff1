"""The second stage of ranking: what a pair's features come to, as a calibrated probability.

A linear score and boosted trees over it (LambdaMART) are added and mapped to log-odds by a curve that rises
everywhere, so that calibration changes no order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching.trees import Trees

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A rising, piecewise linear function, drawn on beyond both of its ends."""

    starts: Floats
    """Where each piece begins, ascending; the first also holds below."""
    values: Floats
    """The value at each start."""
    slopes: Floats
    """Of each piece, above 0."""

    def __call__(self, scores: Floats) -> Floats:
        """The value at each score."""
        piece = np.maximum(np.searchsorted(self.starts, scores, side="right") - 1, 0)
        return self.values[piece] + self.slopes[piece] * (scores - self.starts[piece])


@dataclass(frozen=True)
class Reranker:
    """Weighs the features of features.NAMES."""

    weights: Floats
    intercept: float
    trees: Trees
    """Over the features and, last, the linear score."""
    calibration: Curve
    """From scores to log-odds."""

    def linear(self, features: npt.NDArray[np.float32]) -> Floats:
        """The linear score of each pair; added up feature by feature, so that every batch rounds alike."""
        scores = np.full(len(features), self.intercept)
        for column, weight in enumerate(self.weights.tolist()):
            scores += weight * features[:, column].astype(np.float64)
        return scores

    def scores(self, features: npt.NDArray[np.float32]) -> Floats:
        """What orders the pairs."""
        linear = self.linear(features)
        return linear + self.trees.sums(np.column_stack([features, linear.astype(np.float32)]))

    def logits(self, features: npt.NDArray[np.float32]) -> Floats:
        """Log-odds that each pair belongs together."""
        return self.calibration(self.scores(features))
