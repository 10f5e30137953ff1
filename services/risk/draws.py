"""The draws of one model version: computed once and shared by every assessment (common random numbers)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri
from scipy.stats import qmc

from services.risk.shared_model import Range, SharedModel

Array = NDArray[np.float64]

_BITS = 30
_POLYNOMIAL_DEGREE = 3
"""Hermite polynomials up to here carry a driver's share: for a lognormal of log deviation 0.5 they miss 0.02 %."""


@dataclass(frozen=True, slots=True)
class Driver:
    """One uncertain quantity: `columns` (draws, k) are orthonormal functions of it alone, with mean zero."""

    name: str
    columns: Array


@dataclass(frozen=True, slots=True)
class Draws:
    """Everything random in the model. `n` draws; every array's last axis runs over the draws.

    Factors multiply the estimate they belong to (1 = as estimated); positions lie between 0 (low end of a range
    given by a record) and 1 (high end).
    """

    n: int
    passed: tuple[tuple[Array, ...], ...]
    """By gate and prior: 1.0 where the gate is passed, else 0.0. Shape (n,) each."""
    months_factor: tuple[Array, ...]
    """By gate."""
    capital_factor: Array
    """Shape (5, n): by AACE estimate class 1 to 5."""
    operating_cost_factor: Array
    """Shape (5, n), like `capital_factor`, drawn independently of it."""
    revenue_factor: Array
    price_position: Array
    value_position: Array
    success_drivers: tuple[tuple[Driver, ...], ...]
    """By gate and prior."""
    months_drivers: tuple[Driver, ...]
    money_drivers: tuple[Driver, ...]


def draw(model: SharedModel) -> Draws:
    """Scrambled Sobol points of the model's seed, turned into the model's distributions.

    Stage success: a probability from the gate's Beta prior, then passed or not. Durations lognormal. Estimates by a
    lognormal on each side of the median, so that both ends of the range hold exactly. All quantities are
    independent of each other. The dimensions that decide most come first, where the sequence is best.
    """
    gates = len(model.gates)
    points = _uniforms(model, 3 * gates + 5)
    passing, capital, revenue, operating, months, price, value, chances = np.split(
        points, np.cumsum([gates, 1, 1, 1, gates, 1, 1])
    )
    coverage = model.estimate_coverage.value
    classes = [model.ranges[number] for number in range(1, 6)]
    passed = tuple(
        tuple(
            (passing[position] < betaincinv(prior.alpha, prior.beta, chances[position])).astype(np.float64)
            for prior in gate.success
        )
        for position, gate in enumerate(model.gates)
    )
    return Draws(
        n=model.draws,
        passed=passed,
        months_factor=tuple(np.exp(model.months_log_sd.value * ndtri(row)) for row in months),
        capital_factor=np.stack([estimate_factor(capital[0], each, coverage) for each in classes]),
        operating_cost_factor=np.stack([estimate_factor(operating[0], each, coverage) for each in classes]),
        revenue_factor=estimate_factor(revenue[0], model.revenue_range, coverage),
        price_position=price[0],
        value_position=value[0],
        success_drivers=tuple(
            tuple(Driver(f"success.{gate.name}", _orthonormal(variant[:, None])) for variant in variants)
            for gate, variants in zip(model.gates, passed, strict=True)
        ),
        months_drivers=tuple(
            Driver(f"months.{gate.name}", _polynomials(row)) for gate, row in zip(model.gates, months, strict=True)
        ),
        money_drivers=(
            Driver("capital", _polynomials(capital[0])),
            Driver("annual_revenue", _polynomials(revenue[0])),
            Driver("annual_cost", _polynomials(operating[0])),
            Driver("price", _polynomials(price[0])),
            Driver("value", _polynomials(value[0])),
        ),
    )


def estimate_factor(uniform: Array, limits: Range, coverage: float) -> Array:
    """Factor on an estimate: median 1, and `limits` at the quantiles (1 -+ coverage) / 2."""
    end = ndtri((1 + coverage) / 2)
    steps: Array = ndtri(uniform) / end
    return np.where(steps < 0, (1 + limits.low) ** -steps, (1 + limits.high) ** steps)


def _uniforms(model: SharedModel, dimensions: int) -> Array:
    """Shape (dimensions, draws), strictly inside 0 and 1."""
    sobol = qmc.Sobol(dimensions, scramble=True, bits=_BITS, rng=np.random.Generator(np.random.PCG64(model.seed)))
    points: Array = np.asarray(sobol.random_base2(model.draws.bit_length() - 1))
    # Points lie on a grid of 2^-30 that contains 0, where a normal quantile is infinite: take the cells' middles.
    return np.ascontiguousarray(points.T) + 2.0 ** -(_BITS + 1)


def _polynomials(uniform: Array) -> Array:
    normal = ndtri(uniform)
    return _orthonormal(np.stack([normal**power for power in range(1, _POLYNOMIAL_DEGREE + 1)], axis=1))


def _orthonormal(columns: Array) -> Array:
    """Columns with mean zero, variance one and no correlation over these very draws. A constant column gives zeros."""
    n = len(columns)
    if not np.ptp(columns, axis=0).any():
        return np.zeros_like(columns)
    basis, _ = np.linalg.qr(np.hstack([np.ones((n, 1)), columns]))
    return np.ascontiguousarray(basis[:, 1:] * np.sqrt(n))
