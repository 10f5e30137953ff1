"""What an assessment works on: one technology taken to production for one demand, in one currency."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Between:
    """A range in units of the project's currency, both ends included and equally likely throughout; low <= high."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Money:
    """The money of a project as its adopter sees it: price and capital out, margin or value in.

    Amounts in units of one currency, all >= 0. `capital` is spent from now to production; `annual_revenue` and
    `annual_cost` hold for each year of production; `price` is paid for the technology at the start; `value` is
    received once, when production is reached.
    """

    currency: str
    capital: float = 0.0
    estimate_class: int = 5
    annual_revenue: float = 0.0
    annual_cost: float = 0.0
    price: Between = Between(0.0, 0.0)
    value: Between = Between(0.0, 0.0)

    @property
    def largest(self) -> float:
        """The largest amount, or 1 if all are zero: the scale in which the figures are computed."""
        return max(self.capital, self.annual_revenue, self.annual_cost, self.price.high, self.value.high) or 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """A project that can be computed: where it starts, how long it plans to take (months; None: not known), money.

    `trl` is 1 to 9, or None if it is not known. `field` is the strategic field that it is assessed under, a word of
    `services.risk.field`; None means any.
    """

    trl: int | None
    planned_months: float | None
    money: Money
    field: str | None = None
