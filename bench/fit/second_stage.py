"""Learns the re-ranker: a listwise linear score, and LambdaMART over it, averaged over seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np
from scipy.optimize import minimize

from bench.fit.corpus import Matrix
from services.matching.reranking import Curve, Reranker
from services.matching.trees import LEAVES, Trees, compiled

SEEDS = 3
ROUNDS = 120
TREE_WEIGHT = 2.0
"""What trees add to the linear score, which counts in log-odds."""
RIDGE = 3e-3
PARAMETERS: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": LEAVES,
    "min_data_in_leaf": 200,
    "lambda_l2": 10,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambdarank_truncation_level": 20,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
NOTHING_YET = Curve(np.zeros(1), np.zeros(1), np.ones(1))


@dataclass(frozen=True)
class Query:
    """One demand's candidates."""

    features: np.ndarray
    """[candidates, features], single precision"""
    labels: Matrix


def fitted(queries: list[Query]) -> Reranker:
    """The re-ranker, without its calibration."""
    queries = [query for query in queries if query.labels.any()]
    together = np.concatenate([query.features for query in queries]).astype(np.float64)
    mean, deviation = together.mean(axis=0), together.std(axis=0) + 1e-9
    weights = _listwise([((query.features - mean) / deviation, query.labels) for query in queries]) / deviation
    empty = np.zeros((0, LEAVES - 1))
    none = Trees(
        empty.astype(np.uint8), empty.astype(np.float32), empty.astype(np.uint8), np.zeros((0, LEAVES), np.int32)
    )
    linear = Reranker(weights, -float(weights @ mean), none, NOTHING_YET)
    rows = np.concatenate(
        [np.column_stack([query.features, linear.linear(query.features).astype(np.float32)]) for query in queries]
    )
    data = lightgbm.Dataset(
        rows,
        np.concatenate([query.labels for query in queries]),
        group=[len(query.labels) for query in queries],
        params={"max_bin": PARAMETERS["max_bin"], "verbose": -1},
    )
    models: list[Any] = [
        lightgbm.train(PARAMETERS | {"seed": seed}, data, ROUNDS).dump_model() for seed in range(SEEDS)
    ]
    return replace(linear, trees=compiled(models, TREE_WEIGHT / SEEDS))


def _listwise(queries: list[tuple[Matrix, Matrix]]) -> Matrix:
    """Weights under which the labelled candidates most likely come first (conditional logit, ridge)."""

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        value, gradient = 0.0, np.zeros_like(weights)
        for features, labels in queries:
            scores = features @ weights
            shifted = scores - scores.max()
            chances = np.exp(shifted)
            total = chances.sum()
            wanted = labels / labels.sum()
            value -= float(wanted @ shifted) - float(np.log(total))
            gradient -= features.T @ (wanted - chances / total)
        return (
            value / len(queries) + RIDGE * float(weights @ weights),
            gradient / len(queries) + 2 * RIDGE * weights,
        )

    return minimize(loss, np.zeros(queries[0][0].shape[1]), jac=True, method="L-BFGS-B").x
