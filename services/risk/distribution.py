"""What a distribution of draws comes to: quantiles, loss, tail, and which inputs its variance is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.draws import Array

ROWS = 4
"""Rows multiplied at once."""
BLOCK = 512
"""Draws multiplied at once."""
SURROUNDINGS = 12
"""Draws on each side of a wanted place that are put in order with it; keys that equal draws share seldom reach over."""
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
    n = draws.shape[1]
    tail = TAIL * n
    worst = slice(0, int(tail) + 1)
    around = [_around(q, n) for q in (TAIL, 0.1, 0.5, 0.9)]
    lowest, *pairs = in_places(draws, [worst, *(between.places for between in around)])
    p05, p10, p50, p90 = (between.of(pair) for between, pair in zip(around, pairs, strict=True))
    return Distribution(
        mean=mean(draws),
        p10=p10,
        p50=p50,
        p90=p90,
        p_loss=np.count_nonzero(draws < 0, axis=1) / n,
        var95=-p05,
        # Where 5 % is not a whole number of draws, the last one counts in part.
        cvar95=-(lowest[:, :-1].sum(axis=1) + (tail - int(tail)) * lowest[:, -1]) / tail,
    )


def spread(draws: Array) -> Array:
    """P90 - P10 of each row of `draws` (m, n): (m,)."""
    low, high = _around(0.1, draws.shape[1]), _around(0.9, draws.shape[1])
    lower, upper = in_places(draws, [low.places, high.places])
    return high.of(upper) - low.of(lower)


def mean(draws: Array) -> Array:
    """Of each row of `draws` (m, n): (m,). Half the time of numpy's own."""
    return np.vecdot(draws, _ones(draws.shape[1])) / draws.shape[1]


@cache
def _ones(n: int) -> Array:
    return np.ones(n)


def sorted_quantile(ranked: Array, q: float) -> Array:
    """The quantile `q` of draws already in rising order along the last axis."""
    between = _around(q, ranked.shape[-1])
    return between.of(ranked[..., between.places])


def in_places(draws: Array, places: Sequence[slice]) -> list[Array]:
    """What stands in each of `places` (ranges from a start to a stop) once every row of `draws` (m, n) is in order.

    The whole is ranked by 16-bit keys alone, without comparing (radix), and only the surroundings of the places are
    put in order by value; that takes a third of the time of sorting. The keys decide about speed alone, never about
    the result: where equal ones may reach past the surroundings, the row is sorted as a whole.
    """
    n = draws.shape[1]
    keys = _keys(draws)
    order = np.argsort(keys, axis=1, kind="stable")
    order += np.arange(0, draws.size, n)[:, None]
    found: list[Array] = []
    for wanted in places:
        start, stop = max(wanted.start - SURROUNDINGS, 0), min(wanted.stop + SURROUNDINGS, n)
        first, last = wanted.start - start, wanted.stop - 1 - start
        near = order[:, start:stop]
        ranked, ranked_keys = draws.ravel()[near], keys.ravel()[near]
        ranked.sort(axis=1)
        in_place = ranked[:, first : last + 1]
        unsure = np.zeros(len(draws), dtype=bool)
        if start > 0:
            unsure |= ranked_keys[:, 0] == ranked_keys[:, first]
        if stop < n:
            unsure |= ranked_keys[:, -1] == ranked_keys[:, last]
        if unsure.any():
            in_place[unsure] = np.sort(draws[unsure], axis=1)[:, wanted]
        found.append(in_place)
    return found


def _keys(draws: Array) -> NDArray[np.uint16]:
    """Of each row's values, places on a scale from its least (0) to its greatest (65535)."""
    above = draws - draws.min(axis=1, keepdims=True)
    above *= 65535 / np.maximum(above.max(axis=1, keepdims=True), 1e-300)
    return above.astype(np.uint16)


class _Between(NamedTuple):
    """Where a quantile falls among draws in order: between two of them, `part` of the way."""

    places: slice
    part: float

    def of(self, pair: Array) -> Array:
        """The quantile, where the last axis of `pair` holds the draws at `places`."""
        low, high = pair[..., 0], pair[..., -1]
        return low + self.part * (high - low)


@cache
def _around(q: float, n: int) -> _Between:
    position = q * (n - 1)
    below = int(position)
    return _Between(slice(below, min(below + 2, n)), position - below)


def variance_shares(draws: Array, columns: Array) -> Array:
    """Share of the variance of each row of `draws` (m, n) that each of `columns` (n, q) explains: (m, q).

    First-order Sobol indices by regression on orthonormal functions of one input each (Sudret 2008, global
    sensitivity analysis using polynomial chaos expansions); the shares of one input's columns add up to its index.
    A distribution without variance has no drivers: zeros.
    """
    centred = draws - mean(draws)[:, None]
    variance = (np.vecdot(centred, centred) / draws.shape[1])[:, None]
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
    padded = np.zeros((-(-count // ROWS) * ROWS, draws))
    padded[:count] = rows
    blocks = columns.reshape(-1, min(BLOCK, draws), columns.shape[1])
    fours = padded.reshape(-1, ROWS, *blocks.shape[:2]).swapaxes(1, 2)
    return np.concatenate([np.matmul(four, blocks).sum(axis=0) for four in fours])[:count]
