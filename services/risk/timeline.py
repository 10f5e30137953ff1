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

    spent_before: tuple[Array, ...]
    """k arrays (p, n): share of the capital spent on the stages before each one; zero before the first."""
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
    last = len(path.stages) - 1
    discount = [np.ones_like(pace), *(np.exp(pace * months) for months in path.months_before[1:])]
    shares = [stage.cost_share for stage in path.stages]
    spent = [discount[position] * (shares[position] * path.passed[position]) for position in range(last + 1)]
    before = [np.zeros_like(spent[0])]
    for amount in spent[:last]:
        before.append(before[-1] + amount)
    dependent = bool(model.correlations)
    durations = path.months[last:] if dependent else path.months
    return Timeline(
        spent_before=tuple(before),
        last=spent[last],
        income=discount[-1] * path.passed[-1],
        expected_spent=tuple(
            discount[position] * (shares[position] * path.reach[position]) for position in range(last + 1)
        )
        if dependent
        else (),
        expected_income=discount[-1] * path.reach[-1] if dependent else np.empty(0),
        waiting=np.array([np.exp(pace * months).mean(axis=1) for months in durations]),
    )
