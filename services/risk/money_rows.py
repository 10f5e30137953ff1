"""The money of many projects as columns, one row for each project or for each variant of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.draws import Array
from services.risk.project import Money

KNOWN = 5
"""Row of a cost that is known in `Draws.capital_factor` and `operating_cost_factor`; 0 to 4 are classes 1 to 5."""


class MoneyRow(NamedTuple):
    """One project's money in its own scale (its largest amount is 1), and how well each estimate is known."""

    capital: float
    annual_revenue: float
    annual_cost: float
    price_low: float
    price_width: float
    value_low: float
    value_width: float
    capital_row: int
    """Row of `Draws.capital_factor`."""
    cost_row: int
    """Row of `Draws.operating_cost_factor`."""
    revenue_row: int = 0
    """Row of `Draws.revenue_factor`: 0 by the model's range, 1 known."""

    @classmethod
    def of(cls, money: Money) -> MoneyRow:
        """The row of a project as its records give it."""
        scale = money.largest
        estimate = money.estimate_class - 1
        return cls(
            money.capital / scale,
            money.annual_revenue / scale,
            money.annual_cost / scale,
            money.price.low / scale,
            (money.price.high - money.price.low) / scale,
            money.value.low / scale,
            (money.value.high - money.value.low) / scale,
            estimate,
            estimate,
        )


@dataclass(frozen=True, slots=True)
class MoneyColumns:
    """m rows as columns (m, 1); the choices of a factor's row (m,)."""

    capital: Array
    annual_revenue: Array
    annual_cost: Array
    price_low: Array
    price_width: Array
    value_low: Array
    value_width: Array
    capital_row: NDArray[np.intp]
    cost_row: NDArray[np.intp]
    revenue_row: NDArray[np.intp]

    @classmethod
    def of(cls, rows: Sequence[MoneyRow]) -> MoneyColumns:
        """The columns of these rows."""
        columns = np.array(rows).T
        capital, revenue, cost, price_low, price_width, value_low, value_width = columns[:7, :, None]
        capital_row, cost_row, revenue_row = columns[7:].astype(np.intp)
        return cls(
            capital,
            revenue,
            cost,
            price_low,
            price_width,
            value_low,
            value_width,
            capital_row,
            cost_row,
            revenue_row,
        )

    @property
    def uncertain(self) -> NDArray[np.bool_]:
        """Shape (m, 5): which of `Draws.money_normal`, in that order, matter to a project at all."""
        amounts = [self.capital, self.annual_revenue, self.annual_cost, self.price_width, self.value_width]
        return np.hstack(amounts) > 0
