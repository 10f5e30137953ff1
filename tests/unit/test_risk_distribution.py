"""Quantiles, tails and variance shares of draws against what is known exactly."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from services.risk.distribution import describe, in_places, spread, variance_shares
from services.risk.draws import Draws, draw, estimate_factor
from services.risk.drivers import Drivers, orthonormal
from services.risk.shared_model import SharedModel


@pytest.fixture(scope="module")
def draws() -> Draws:
    return draw(SharedModel.load("1"))


@pytest.fixture(scope="module")
def money_columns(draws: Draws) -> dict[str, np.ndarray]:
    return {driver.name: driver.columns for driver in Drivers(draws).money}


def uniform(n: int) -> np.ndarray:
    return (np.arange(n) + 0.5) / n


def test_figures_of_a_known_distribution() -> None:
    values = np.array([[NormalDist(5, 10).inv_cdf(u) for u in uniform(4096)]])
    figures = describe(values[:, np.random.default_rng(1).permutation(4096)])
    z = NormalDist().inv_cdf
    assert figures.mean[0] == pytest.approx(5, abs=1e-9)
    assert figures.p10[0] == pytest.approx(5 + 10 * z(0.1), rel=1e-2)
    assert figures.p90[0] == pytest.approx(5 + 10 * z(0.9), rel=1e-2)
    assert figures.p_loss[0] == pytest.approx(NormalDist(5, 10).cdf(0), abs=1e-3)
    assert figures.var95[0] == pytest.approx(-(5 + 10 * z(0.05)), rel=1e-2)
    # The mean of the worst 5 % of a normal distribution is the density at that point over 5 %, downwards.
    assert figures.cvar95[0] == pytest.approx(-(5 - 10 * NormalDist().pdf(z(0.05)) / 0.05), rel=1e-2)


def test_tail_counts_the_last_draw_in_part() -> None:
    # 5 % of 50 draws are 2.5 draws.
    figures = describe(np.arange(50, dtype=float)[None, :])
    assert figures.cvar95[0] == pytest.approx(-(0 + 1 + 0.5 * 2) / 2.5)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=4096),
        np.exp(np.random.default_rng(2).normal(size=4096) * 9),  # nearly all keys are equal
        np.random.default_rng(3).integers(0, 3, 4096).astype(float),
        np.zeros(4096),
        np.arange(50.0),
    ],
)
def test_places_are_those_of_the_sorted_draws(values: np.ndarray) -> None:
    draws = np.stack([values, -values, np.random.default_rng(4).permutation(values)])
    ranked, n = np.sort(draws, axis=1), draws.shape[1]
    places = [slice(0, 1), slice(0, n // 20 + 1), slice(n // 2, n // 2 + 2), slice(n - 1, n)]
    for wanted, found in zip(places, in_places(draws, places), strict=True):
        assert (found == ranked[:, wanted]).all()
    figures = describe(draws)
    quantiles = np.quantile(draws, [0.1, 0.5, 0.9], axis=1)
    assert np.stack([figures.p10, figures.p50, figures.p90]) == pytest.approx(quantiles)
    assert spread(draws) == pytest.approx(quantiles[2] - quantiles[0])


def test_shares_of_a_sum_are_the_shares_of_its_variances(draws: Draws, money_columns: dict[str, np.ndarray]) -> None:
    capital, revenue = draws.capital_factor[3], draws.revenue_factor[0]
    total = 3 * capital - 2 * revenue
    parts = np.array([9 * capital.var(), 4 * revenue.var()])
    columns = np.hstack([money_columns["capital"], money_columns["annual_revenue"]])
    shares = variance_shares(total[None, :], columns)[0]
    assert [shares[:3].sum(), shares[3:].sum()] == pytest.approx(parts / parts.sum(), abs=0.01)


def test_share_of_a_gate_is_its_first_order_index(draws: Draws) -> None:
    """The product of two independent events: V_i = p_j^2 p_i (1 - p_i)."""
    first, second = ((draws.luck[gate] < draws.chance[gate][0]).astype(float) for gate in (2, 3))
    p, q = first.mean(), second.mean()
    total = p * q * (1 - p * q)
    columns = np.hstack([orthonormal(first[:, None]), orthonormal(second[:, None])])
    shares = variance_shares((first * second)[None, :], columns)[0]
    assert shares == pytest.approx([q * q * p * (1 - p) / total, p * p * q * (1 - q) / total], abs=0.01)


def test_a_distribution_without_variance_has_no_drivers(money_columns: dict[str, np.ndarray]) -> None:
    assert not variance_shares(np.full((2, 4096), 7.0), money_columns["capital"]).any()


def test_estimate_factor_has_the_class_limits_at_p10_and_p90() -> None:
    model = SharedModel.load("1")
    for limits in model.estimate_classes:
        factor = estimate_factor(np.array([NormalDist().inv_cdf(q) for q in (0.1, 0.5, 0.9)]), limits, 0.8)
        assert factor == pytest.approx([1 + limits.low, 1, 1 + limits.high])


def test_draws_are_the_same_every_time_and_independent_of_each_other(draws: Draws) -> None:
    again = draw(SharedModel.load("1"))
    assert all((one == other).all() for one, other in zip(draws.months_factor, again.months_factor, strict=True))
    inputs = [np.log(row) for row in draws.months_factor]
    inputs += [luck < chances[0] for luck, chances in zip(draws.luck, draws.chance, strict=True)]
    inputs += [np.log(draws.capital_factor[0]), np.log(draws.revenue_factor[0]), draws.price_position]
    correlations = np.corrcoef(inputs)
    assert np.abs(correlations - np.eye(len(inputs))).max() < 5 / math.sqrt(draws.n)
