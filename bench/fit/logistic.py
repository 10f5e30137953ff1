"""Scores as log-odds: logistic regression on weighted pairs, and rising curves."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from bench.fit.corpus import Matrix
from services.matching.reranking import Curve


def logistic(values: Matrix, labels: Matrix, weights: Matrix, ridge: float = 1e-6) -> tuple[Matrix, float]:
    """Slopes and intercept of the log-odds that a pair is labelled, from [pairs, values]."""
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-12
    standard = (values - mean) / scale
    total = weights.sum()

    def loss(parameters: Matrix) -> tuple[float, Matrix]:
        z = standard @ parameters[:-1] + parameters[-1]
        wrong = weights * (1 / (1 + np.exp(-np.clip(z, -500, 500))) - labels)
        value = float(np.sum(weights * (np.logaddexp(0, z) - labels * z)))
        gradient = np.append(standard.T @ wrong + 2 * ridge * total * parameters[:-1], wrong.sum())
        return (value + ridge * total * float(parameters[:-1] @ parameters[:-1])) / total, gradient / total

    start = np.append(np.zeros(values.shape[1]), np.log(labels @ weights / total))
    options = {"maxiter": 1_000, "ftol": 1e-14, "gtol": 1e-12}
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    slopes = best[:-1] / scale
    return slopes, float(best[-1] - slopes @ mean)


def curve(scores: Matrix, labels: Matrix, pieces: int = 6) -> Curve:
    """A rising, piecewise linear curve from scores to the log-odds of being labelled.

    A logistic regression on hinges whose weights may not make it fall; the hinges stand at scores between which the
    labelled pairs are shared out evenly.
    """
    starts = np.quantile(scores[labels > 0], np.linspace(0, 1, pieces + 1)[1:-1])
    starts = np.concatenate([[starts[0] - 1], starts])
    ends = np.append(starts[1:], np.inf)
    # How far a score has come along each piece: the curve is linear in these.
    columns = [np.minimum(scores, ends[0]) - starts[0]]
    columns += [np.clip(scores - begin, 0, end - begin) for begin, end in zip(starts[1:], ends[1:], strict=True)]
    design = np.stack(columns, axis=1)

    def loss(parameters: Matrix) -> tuple[float, Matrix]:
        z = design @ parameters[:-1] + parameters[-1]
        wrong = 1 / (1 + np.exp(-np.clip(z, -500, 500))) - labels
        value = float(np.sum(np.logaddexp(0, z) - labels * z))
        return value / len(z), np.append(design.T @ wrong, wrong.sum()) / len(z)

    bounds = [(0.02, None)] * design.shape[1] + [(None, None)]
    first = np.append(np.full(design.shape[1], 1.0), -3.0)
    best = minimize(
        loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2_000, "ftol": 1e-14}
    ).x
    slopes = best[:-1]
    values = best[-1] + np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(starts))])
    return Curve(starts, values, slopes)
