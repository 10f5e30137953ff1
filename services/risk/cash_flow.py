"""Net present value of projects on one path, draw by draw, with the freedom to stop at each gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.draws import Array, Draws
from services.risk.paths import Path
from services.risk.project import Money
from services.risk.shared_model import SharedModel

MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class MoneyColumns:
    """The money of m projects as columns (m, 1), each project in its own scale (its largest amount is 1)."""

    capital: Array
    annual_revenue: Array
    annual_cost: Array
    price_low: Array
    price_width: Array
    value_low: Array
    value_width: Array
    estimate_class: NDArray[np.intp]
    """Shape (m,), 0 for class 1 to 4 for class 5."""

    @classmethod
    def of(cls, monies: Sequence[Money]) -> MoneyColumns:
        """The columns of these projects."""
        rows = np.array(
            [
                (
                    money.capital,
                    money.annual_revenue,
                    money.annual_cost,
                    money.price.low,
                    money.price.high - money.price.low,
                    money.value.low,
                    money.value.high - money.value.low,
                )
                for money in monies
            ]
        ) / np.array([[money.largest] for money in monies])
        capital, revenue, cost, price_low, price_width, value_low, value_width = np.hsplit(rows, rows.shape[1])
        classes = np.array([money.estimate_class - 1 for money in monies], dtype=np.intp)
        return cls(capital, revenue, cost, price_low, price_width, value_low, value_width, classes)

    @property
    def uncertain(self) -> NDArray[np.bool_]:
        """Shape (m, 5): which of `Draws.money_drivers`, in that order, matter to a project at all."""
        amounts = [self.capital, self.annual_revenue, self.annual_cost, self.price_width, self.value_width]
        return np.hstack(amounts) > 0


@dataclass(frozen=True, slots=True)
class NetPresentValue:
    """`by_draw` (m, n), with stopping; `option_value` (m,): what the freedom to stop adds to the expectation.

    `committed` (m,): the expectation for a project that goes on to the end unless a stage fails.
    """

    by_draw: Array
    option_value: Array
    committed: Array


def net_present_value(
    model: SharedModel, draws: Draws, path: Path, money: MoneyColumns, stretch: Array
) -> NetPresentValue:
    """Discounted to today, price and first stage always paid (not to begin at all is no risk and no news).

    Each stage is paid when it begins; a failed one ends the project. Before the last stage the estimate of cost and
    the market are known (AACE: a class 3 estimate is what authorises), so the project goes on only in the draws where
    that is worth it; at the gates before it only expectations are known, so it goes on in all draws or in none. A
    production that earns less than it costs to run is closed. This policy is optimal for that order of news, because
    success and durations of later stages say nothing earlier. `stretch` (m, 1) lengthens all durations.
    """
    rate = np.log1p(model.discount_rate.value) / MONTHS_PER_YEAR
    years = model.production_years.value
    annuity = years if rate == 0 else -np.expm1(-rate * MONTHS_PER_YEAR * years) / (rate * MONTHS_PER_YEAR)
    stages = path.stages
    last = len(stages) - 1

    capital = money.capital * draws.capital_factor[money.estimate_class]
    running_cost = money.annual_cost * draws.operating_cost_factor[money.estimate_class]
    margin = money.annual_revenue * draws.revenue_factor[0] - running_cost
    value = money.value_low + money.value_width * draws.value_position
    earned = annuity * np.maximum(margin, 0.0) + value
    price = money.price_low + money.price_width * draws.price_position

    # Seen from the beginning of a stage: what going on is worth. First the last stage, draw by draw.
    chance = [stage.prior.mean for stage in stages]
    waiting = [np.exp(-rate * stretch * months).mean(axis=1) for months in path.months]
    to_win = (chance[last] * waiting[last])[:, None]
    at_last_gate = to_win * earned - stages[last].cost_share * capital
    worth = np.maximum(at_last_gate, 0.0).mean(axis=1) if last else at_last_gate.mean(axis=1)
    committed = (to_win * (annuity * margin + value) - stages[last].cost_share * capital).mean(axis=1)
    going_on: list[Array] = []
    mean_capital = capital.mean(axis=1)
    for position in range(last - 1, -1, -1):
        spent = stages[position].cost_share * mean_capital
        worth = chance[position] * waiting[position] * worth - spent
        committed = chance[position] * waiting[position] * committed - spent
        if position:
            going_on.insert(0, (worth > 0).astype(np.float64)[:, None])
            worth = np.maximum(worth, 0.0)

    # Now the draws, along the same decisions.
    on: Array = np.ones_like(stretch)
    spent_share = np.zeros_like(capital)
    for position in range(last):
        if position:
            on = on * going_on[position - 1]
        discount = np.exp(-rate * stretch * path.months_before[position]) if position else 1.0
        spent_share += on * (stages[position].cost_share * path.passed[position]) * discount
    if last:
        on = on * (at_last_gate > 0)
    discount = np.exp(-rate * stretch * path.months_before[last]) if last else 1.0
    spent_share += on * (stages[last].cost_share * path.passed[last]) * discount
    income = on * path.passed[last + 1] * np.exp(-rate * stretch * path.months_before[last + 1]) * earned
    mean_price = price.mean(axis=1)
    return NetPresentValue(
        by_draw=income - capital * spent_share - price, option_value=worth - committed, committed=committed - mean_price
    )
