"""The worst 5 % of the draws: what a portfolio loses there, and what each project adds to that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.risk.distribution import TAIL
from services.risk.draws import Array

_ROUNDING = 1e-9


class Tail:
    """The worst 5 % of n draws with their weights, which add up to 1; where that is no whole number, one in part."""

    def __init__(self, value: Array) -> None:
        share = TAIL * len(value)
        count = max(1, int(np.ceil(share - _ROUNDING)))
        worst = np.argpartition(value, count - 1)[:count]
        self.draws: NDArray[np.intp] = worst[np.argsort(value[worst], kind="stable")]
        self.weights: Array = np.full(count, 1 / share)
        self.weights[-1] = 1 - (count - 1) / share

    def loss(self, value: Array) -> Array:
        """Mean loss of rows (..., n) over these draws; positive is a loss."""
        return -(value[..., self.draws] @ self.weights)


def cvar95(value: Array) -> float:
    """The mean loss of the worst 5 % of the draws (n,), as in an assessment; positive is a loss."""
    return float(Tail(value).loss(value))


def marginal(value: Array, chosen: NDArray[np.bool_]) -> Array:
    """(m,): what CVaR 95 would change by if each project were put in, or taken out where it is in."""
    together = value[chosen].sum(axis=0)
    now = cvar95(together)
    others = np.where(chosen[:, None], together - value, together + value)
    return np.array([cvar95(other) - now for other in others])
