"""What a distribution of draws comes to: quantiles, loss, tail, and which inputs its variance is from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.risk.draws import Array

TOGETHER = 4
"""Distributions described at once: four rows of 4,096 draws stay in a core's own cache, and in memory kept at hand."""
BLOCK = 512
"""Draws multiplied at once."""
TAIL = 0.05
"""VaR and CVaR look at the worst 5 % of the draws."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Figures of m distributions, each (m,). `var95` and `cvar95` are losses: positive is a loss."""

    mean: Array
    p10: Array
    p50: Array
    p90: Array
    p_loss: Array
    var95: Array
    cvar95: Array


def describe(draws: Array) -> Distribution:
    """Figures of `draws` (m, n), all draws equally likely; quantiles by linear interpolation between draws."""
    ranked = in_order(draws)
    p10, p50, p90, p05 = (sorted_quantile(ranked, q) for q in (0.1, 0.5, 0.9, TAIL))
    return Distribution(
        mean=draws.mean(axis=1),
        p10=p10,
        p50=p50,
        p90=p90,
        p_loss=(draws < 0).mean(axis=1),
        var95=-p05,
        cvar95=-_mean_of_worst(ranked),
    )


def in_order(draws: Array) -> Array:
    """`draws` (m, n) with every row in rising order.

    By 16-bit keys first, which are sorted without comparing (radix); that leaves next to nothing to the comparing
    sort, which needs three times as long for the whole. The keys decide about speed alone, never about the result.
    """
    low, high = draws.min(axis=1, keepdims=True), draws.max(axis=1, keepdims=True)
    per_unit = 65535 / np.maximum(high - low, 1e-300)
    keys = ((draws - low) * per_unit).astype(np.uint16)
    order = np.argsort(keys, axis=1, kind="stable")
    order += np.arange(0, draws.size, draws.shape[1])[:, None]
    ranked = draws.ravel().take(order)
    ranked.sort(axis=1, kind="stable")
    return ranked


def spread(draws: Array) -> Array:
    """P90 - P10 of each row of `draws` (m, n): (m,)."""
    ranked = in_order(draws)
    return sorted_quantile(ranked, 0.9) - sorted_quantile(ranked, 0.1)


def sorted_quantile(ranked: Array, q: float) -> Array:
    """The quantile `q` of draws already in rising order along the last axis."""
    position = q * (ranked.shape[-1] - 1)
    below = int(position)
    above = min(below + 1, ranked.shape[-1] - 1)
    low, high = ranked[..., below], ranked[..., above]
    return low + (position - below) * (high - low)


def _mean_of_worst(ranked: Array) -> Array:
    """Mean of the lowest 5 %; where that is not a whole number of draws, the last one counts in part."""
    share = TAIL * ranked.shape[-1]
    whole = int(share)
    total = ranked[..., :whole].sum(axis=-1) + (share - whole) * ranked[..., whole]
    return total / share


def variance_shares(draws: Array, columns: Array) -> Array:
    """Share of the variance of each row of `draws` (m, n) that each of `columns` (n, q) explains: (m, q).

    First-order Sobol indices by regression on orthonormal functions of one input each (Sudret 2008, global
    sensitivity analysis using polynomial chaos expansions); the shares of one input's columns add up to its index.
    A distribution without variance has no drivers: zeros.
    """
    centred = draws - draws.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    coefficients = _products(centred, columns) / columns.shape[0]
    shares = np.zeros_like(coefficients)
    # Rounding leaves a spread of about 1e-16 of the amounts, which are at most of order 1000 in their own scale.
    np.divide(np.square(coefficients), variance, out=shares, where=variance > 1e-20)
    return shares


def _products(rows: Array, columns: Array) -> Array:
    """`rows` @ `columns`, always four rows and 512 draws at a time.

    A matrix product of another shape, or shared out over threads, may add up in another order. This way what a row
    comes to depends neither on the rows beside it nor on the machine's cores; and products this small are not shared
    out (OpenBLAS: up to 2^18 multiplications), whose threads wait for each other badly on a busy machine.
    """
    count, draws = rows.shape
    padded = np.zeros((-(-count // TOGETHER) * TOGETHER, draws))
    padded[:count] = rows
    blocks = columns.reshape(-1, min(BLOCK, draws), columns.shape[1])
    fours = padded.reshape(-1, TOGETHER, *blocks.shape[:2]).swapaxes(1, 2)
    return np.concatenate([np.matmul(four, blocks).sum(axis=0) for four in fours])[:count]
