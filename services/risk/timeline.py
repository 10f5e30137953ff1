"""When the projects on one path spend and earn, draw by draw: shares of their amounts, discounted to today."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.risk.draws import Array
from services.risk.paths import Path
from services.risk.shared_model import SharedModel

MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class Timeline:
    """Of p projects with k stages ahead. All amounts paid at the start of a stage, all income at production."""

    pace: Array
    """(p, 1): minus the discount rate per month of the path."""
    before_last: Array
    """(p, n): share of the capital spent on the stages before the last one."""
    last: Array
    """(p, n): share of the capital that the last stage takes, where it is reached."""
    income: Array
    """(p, n): what a unit of income is worth today, zero where production is not reached."""
    expected_spent: tuple[Array, ...]
    """k arrays (p, n): what each stage takes, times the probability of reaching it instead of whether it is."""
    expected_income: Array
    """(p, n): likewise."""
    waiting: Array
    """(k, p): mean discount over the duration of each stage; in a model with correlations of the last stage alone."""


def monthly_rate(model: SharedModel) -> float:
    """Continuous discount rate per month."""
    return float(np.log1p(model.discount_rate.value)) / MONTHS_PER_YEAR


def annuity(model: SharedModel) -> float:
    """Present value, when production begins, of one a year that flows evenly while it lasts."""
    rate, years = monthly_rate(model) * MONTHS_PER_YEAR, model.production_years.value
    return years if rate == 0 else float(-np.expm1(-rate * years)) / rate


def timeline(model: SharedModel, path: Path, stretch: Array) -> Timeline:
    """Of projects that run the path with all durations times `stretch` (p, 1)."""
    pace = -monthly_rate(model) * stretch
    *earlier, last = range(len(path.stages))
    dependent = bool(model.correlations)
    before_last = np.zeros((len(pace), len(path.passed[0])))
    expected_spent: list[Array] = []
    for position in earlier:
        discount = _discount(path, pace, position)
        before_last += discount * path.cost_passed[position]
        if dependent:
            expected_spent.append(discount * path.cost_reached[position])
    at_last, at_production = _discount(path, pace, last), np.exp(pace * path.months_before[-1])
    if dependent:
        expected_spent.append(at_last * path.cost_reached[last])
    durations = path.months[last:] if dependent else path.months
    return Timeline(
        pace=pace,
        before_last=before_last,
        last=at_last * path.cost_passed[last],
        income=at_production * path.passed[-1],
        expected_spent=tuple(expected_spent),
        expected_income=at_production * path.reach[-1] if dependent else np.empty(0),
        waiting=np.array([np.exp(pace * months).mean(axis=1) for months in durations]),
    )


def spent_until(path: Path, pace: Array, stop_before: int) -> Array:
    """Share of the capital (n,) that one project spends on the stages before `stop_before`; `pace` is its own (1,)."""
    return sum((_discount(path, pace, stage) * path.cost_passed[stage] for stage in range(stop_before)), np.zeros(1))


def _discount(path: Path, pace: Array, stage: int) -> Array:
    """At the beginning of a stage; the first begins today."""
    return np.exp(pace * path.months_before[stage]) if stage else np.ones_like(pace)
