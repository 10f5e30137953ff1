"""When the projects on one path spend and earn, draw by draw: shares of their amounts, discounted to today."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.risk.distribution import mean
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
    """(p, n): share of the capital spent on the stages before the last one. (p, 1) if that is the first, or none."""
    last: Array
    """(p, n): share of the capital that the last stage takes, where it is reached. (p, 1) if it is the first too."""
    income: Array
    """(p, n): what a unit of income is worth today, zero where production is not reached."""
    expected_spent: tuple[Array, ...]
    """k arrays: what each stage takes, times the probability of reaching it instead of whether it is. The first is
    paid today in any case, (p, 1); the others are (p, n)."""
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
    dependent = bool(model.correlations)
    spent = np.full_like(pace, path.stages[0].cost_share)
    before_last, expected_spent = np.zeros_like(pace), [spent]
    discount = _discount(pace, path.months[0])
    waiting = [mean(discount)]
    for position in range(1, len(path.stages)):
        before_last = before_last + spent
        spent = discount * path.cost_passed[position]
        if dependent:
            expected_spent.append(discount * path.cost_reached[position])
        wait = _discount(pace, path.months[position])
        waiting.append(mean(wait))
        discount = discount * wait
    return Timeline(
        pace=pace,
        before_last=before_last,
        last=spent,
        income=discount * path.passed[-1],
        expected_spent=tuple(expected_spent) if dependent else (),
        expected_income=discount * path.reach[-1] if dependent else np.empty(0),
        waiting=np.array(waiting[-1:] if dependent else waiting),
    )


def spent_until(path: Path, pace: Array, stop_before: int) -> Array:
    """Share of the capital (n,) that one project spends on the stages before `stop_before`; `pace` is its own (1,)."""
    spent, discount = np.zeros(1), np.ones(1)
    for stage in range(stop_before):
        spent = spent + discount * path.cost_passed[stage]
        discount = discount * np.exp(pace * path.months[stage])
    return spent


def _discount(pace: Array, months: Array) -> Array:
    """Over so many months in each draw: (p, n)."""
    wait = pace * months
    return np.exp(wait, out=wait)
