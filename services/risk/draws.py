"""The draws of one model version: computed once and shared by every assessment (common random numbers)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri
from scipy.stats import qmc

from services.risk.dependence import dependent
from services.risk.shared_model import Range, SharedModel

Array = NDArray[np.float64]

_BITS = 30


@dataclass(frozen=True, slots=True)
class Draws:
    """Everything random in the model. `n` draws; every array's last axis runs over the draws.

    Factors multiply the estimate they belong to (1 = as estimated); positions lie between 0 (low end of a range
    given by a record) and 1 (high end).
    """

    n: int
    luck: tuple[Array, ...]
    """By gate: uniform. A gate is passed where this lies below the chance of passing it."""
    chance: tuple[tuple[Array, ...], ...]
    """By gate and prior: the probability of passing."""
    months_factor: tuple[Array, ...]
    """By gate."""
    capital_factor: Array
    """Shape (6, n): by AACE estimate class 1 to 5; the last row is 1, for a cost that is known."""
    operating_cost_factor: Array
    """Shape (6, n), like `capital_factor`."""
    revenue_factor: Array
    """Shape (2, n): by the model's range; the last row is 1, for a revenue that is known."""
    price_position: Array
    value_position: Array
    months_normal: tuple[Array, ...]
    """By gate: the normal variates behind `months_factor`."""
    money_normal: tuple[tuple[str, Array], ...]
    """Those behind capital, annual_revenue, annual_cost, price and value, in this order, with these names."""

    def first(self, n: int) -> Draws:
        """The first `n` draws; a power of two of them is balanced as the whole is."""
        return Draws(
            n=n,
            luck=tuple(row[:n] for row in self.luck),
            chance=tuple(tuple(row[:n] for row in rows) for rows in self.chance),
            months_factor=tuple(row[:n] for row in self.months_factor),
            capital_factor=np.ascontiguousarray(self.capital_factor[:, :n]),
            operating_cost_factor=np.ascontiguousarray(self.operating_cost_factor[:, :n]),
            revenue_factor=np.ascontiguousarray(self.revenue_factor[:, :n]),
            price_position=self.price_position[:n],
            value_position=self.value_position[:n],
            months_normal=tuple(row[:n] for row in self.months_normal),
            money_normal=tuple((name, row[:n]) for name, row in self.money_normal),
        )

    def with_months_known(self) -> Draws:
        """The same where every stage takes its median."""
        return replace(self, months_factor=tuple(np.ones_like(row) for row in self.months_factor))


def columns(model: SharedModel) -> tuple[str, ...]:
    """What each column of uniforms stands for, in the order in which `draws_from` takes them.

    `luck.<gate>` decides whether a gate is passed, `chance.<gate>` draws the probability of it, `months.<gate>` the
    duration of the stage before it. The columns that decide most come first, where a Sobol sequence is best.
    """
    gates = [gate.name for gate in model.gates]
    return (
        *(f"luck.{gate}" for gate in gates),
        "capital",
        "annual_revenue",
        "annual_cost",
        *(f"months.{gate}" for gate in gates),
        "price",
        "value",
        *(f"chance.{gate}" for gate in gates),
    )


def draw(model: SharedModel) -> Draws:
    """The draws of the model's own scrambled Sobol sequence."""
    return draws_from(model, sobol(model))


def sobol(model: SharedModel) -> Array:
    """Shape (draws, d): scrambled Sobol points of the model's seed, one column for each of `columns`."""
    generator = np.random.Generator(np.random.PCG64(model.seed))
    sequence = qmc.Sobol(len(columns(model)), scramble=True, bits=_BITS, rng=generator)
    points: Array = np.asarray(sequence.random_base2(model.draws.bit_length() - 1))
    # Points lie on a grid of 2^-30 that contains 0, where a normal quantile is infinite: take the cells' middles.
    return points + 2.0 ** -(_BITS + 1)


def draws_from(model: SharedModel, uniforms: Array) -> Draws:
    """Uniforms (n, d), strictly between 0 and 1, turned into the model's distributions and their dependence.

    The columns are those of `columns`, and must be independent of each other: the model's correlations are applied
    here. Chances by the gate's Beta prior, durations lognormal, estimates by a lognormal on each side of the median,
    so that both ends of the range hold exactly. Raises ValueError for another shape or a value outside.
    """
    names = columns(model)
    if uniforms.ndim != 2 or uniforms.shape[1] != len(names):
        raise ValueError(f"uniforms must have the {len(names)} columns of services.risk.draws.columns")
    if not ((uniforms > 0) & (uniforms < 1)).all():
        raise ValueError("uniforms must lie strictly between 0 and 1")
    uniform = {name: np.ascontiguousarray(column) for name, column in zip(names, uniforms.T, strict=True)}
    normal = {name: ndtri(column) for name, column in uniform.items() if not name.startswith("luck.")}
    correlated = dependent(model, normal)
    uniform |= {name: ndtr(row) for name, row in correlated.items()}
    normal |= correlated

    gates = [gate.name for gate in model.gates]
    coverage = model.estimate_coverage.value
    known = np.ones((1, len(uniforms)))

    def by_class(row: Array) -> Array:
        factors = [estimate_factor(row, model.ranges[number], coverage) for number in range(1, 6)]
        return np.vstack([*factors, known])

    return Draws(
        n=len(uniforms),
        luck=tuple(uniform[f"luck.{gate}"] for gate in gates),
        chance=tuple(
            tuple(betaincinv(prior.alpha, prior.beta, uniform[f"chance.{gate.name}"]) for prior in gate.success)
            for gate in model.gates
        ),
        months_factor=tuple(np.exp(model.months_log_sd.value * normal[f"months.{gate}"]) for gate in gates),
        capital_factor=by_class(normal["capital"]),
        operating_cost_factor=by_class(normal["annual_cost"]),
        revenue_factor=np.vstack([estimate_factor(normal["annual_revenue"], model.revenue_range, coverage), known]),
        price_position=uniform["price"],
        value_position=uniform["value"],
        months_normal=tuple(normal[f"months.{gate}"] for gate in gates),
        money_normal=tuple(
            (name, normal[name]) for name in ("capital", "annual_revenue", "annual_cost", "price", "value")
        ),
    )


def estimate_factor(normal: Array, limits: Range, coverage: float) -> Array:
    """Factor on an estimate: median 1, and `limits` at the quantiles (1 -+ coverage) / 2 of the normal variates."""
    end = ndtri((1 + coverage) / 2)
    steps: Array = normal / end
    return np.where(steps < 0, (1 + limits.low) ** -steps, (1 + limits.high) ** steps)
