"""Criteria that a proposal is held against, one by one; they explain it and never hide it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from shared.contracts.events import Check, DemandParty, MoneyRange, TechnologyParty, Verdict


def checks(technology: TechnologyParty, demand: DemandParty) -> tuple[Check, ...]:
    """Every criterion that the demand names, and the two that every proposal has passed."""
    return tuple(_all(technology, demand))


def _all(technology: TechnologyParty, demand: DemandParty) -> Iterator[Check]:
    # Both are filters: a pair that fails one is never proposed. They are told so that it can be seen.
    yield Check(criterion="visibility", offered=technology.visibility.value, verdict=Verdict.MET)
    yield Check(criterion="other_organisation", verdict=Verdict.MET)
    asked, offered = demand.display, technology.display
    if asked.required_trl is not None:
        yield Check(
            criterion="trl",
            asked=f">= {asked.required_trl}",
            offered=None if offered.trl is None else str(offered.trl),
            verdict=_verdict(None if offered.trl is None else offered.trl >= asked.required_trl),
        )
    if asked.budget is not None:
        yield Check(
            criterion="budget",
            asked=amounts(asked.budget),
            offered=None if offered.price is None else amounts(offered.price),
            verdict=_verdict(None if offered.price is None else affordable(asked.budget, offered.price)),
        )
    if asked.deadline is not None:
        months = technology.risk.plan.months if technology.risk.plan else None
        yield Check(
            criterion="deadline",
            asked=asked.deadline.isoformat(),
            offered=None if months is None else f"{months} months",
            verdict=_verdict(in_time(demand.risk.starts_on, months, asked.deadline)),
        )
    if asked.region is not None:
        yield Check(
            criterion="region",
            asked=asked.region,
            offered=offered.region,
            verdict=_verdict(None if offered.region is None else same_region(asked.region, offered.region)),
        )


def _verdict(is_met: bool | None) -> Verdict:
    if is_met is None:
        return Verdict.UNKNOWN
    return Verdict.MET if is_met else Verdict.UNMET


def amounts(money: MoneyRange) -> str:
    """A range in words: `500000-800000 CNY`, `<= 800000 CNY`, `>= 500000 CNY`."""
    if money.min is None and money.max is None:
        return money.currency
    if money.min is None:
        return f"<= {money.max} {money.currency}"
    if money.max is None:
        return f">= {money.min} {money.currency}"
    return f"{money.min}-{money.max} {money.currency}"


def affordable(budget: MoneyRange, price: MoneyRange) -> bool | None:
    """Whether the lowest price lies within the budget; None where that cannot be told. Currencies are not converted."""
    if budget.currency != price.currency or budget.max is None:
        return None
    most = Decimal(budget.max)
    if price.min is not None:
        return Decimal(price.min) <= most
    return True if price.max is not None and Decimal(price.max) <= most else None


def in_time(start: date | None, months: int | None, deadline: date) -> bool | None:
    """Whether so many months from the start end by the deadline; None without a start (no clock is asked)."""
    if start is None or months is None:
        return None
    ends_month = start.month - 1 + months
    # Compared by month and day: the 31st plus one month is still that month's end, not the next one's beginning.
    return (start.year + ends_month // 12, ends_month % 12 + 1, start.day) <= (
        deadline.year,
        deadline.month,
        deadline.day if deadline.day < 28 else 31,
    )


def same_region(one: str, other: str) -> bool:
    """Whether one region is the other or lies in it: CN-GD in CN."""
    return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")
