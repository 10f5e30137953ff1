"""What a proposal gives an assessment to work on: a case to compute, or what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.risk.field import field_of_proposal
from services.risk.project import Between, Case, Money
from shared.contracts.events import MatchProposed, MoneyRange, NotAssessedReason

ROUGHEST_CLASS = 5
PLAN_FIELDS = ("capital", "annual_revenue", "annual_cost")


class LeftOut(StrEnum):
    """An amount that is not in the figures, and why."""

    PRICE = "price"
    PRICE_CURRENCY = "price_currency"
    CAPITAL = "capital"


@dataclass(frozen=True, slots=True)
class Basis:
    """A case that can be computed, and how it was read from the records."""

    case: Case
    class_given: bool
    by_budget: bool
    """The income is the demand's budget, once; else it is the plan's revenue less its cost, every year."""
    left_out: LeftOut | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing can be computed; `fields` are JSON pointers into the records that would change that."""

    reason: NotAssessedReason
    fields: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class _Amounts:
    """The numbers in a proposal; None where it gives none."""

    trl: int | None
    months: float | None
    estimate_class: int | None
    capital: float | None
    annual_revenue: float | None
    annual_cost: float | None
    plan_currency: str | None
    price: Between | None
    price_currency: str | None
    budget: Between | None
    budget_currency: str | None
    field: str | None

    def case(self, money: Money) -> Case:
        return Case(self.trl, self.months, money, self.field)

    @property
    def missing_of_plan(self) -> tuple[str, ...]:
        if self.plan_currency is None:
            return ("/technology/plan",)
        return tuple(f"/technology/plan/{name}" for name in PLAN_FIELDS if getattr(self, name) is None)


def basis_of(proposal: MatchProposed) -> Basis | Missing:
    """Reads a proposal as its adopter would: what it costs to get there, and what is earned there.

    Income is the plan's yearly revenue and cost; where they are not given, the demand's budget, as the least that
    a solution is worth to the one who offers it. Outlay is the plan's capital and the technology's price. No amount
    is converted between currencies, and none is invented: what is missing is named.
    """
    amounts = _amounts_of(proposal)
    return _by_plan(amounts) or _by_budget(amounts) or _missing(amounts)


def _by_plan(given: _Amounts) -> Basis | None:
    if given.capital is None or given.annual_revenue is None or given.annual_cost is None or not given.plan_currency:
        return None
    left_out = None
    if given.price is None:
        left_out = LeftOut.PRICE
    elif given.price_currency != given.plan_currency:
        left_out = LeftOut.PRICE_CURRENCY
    money = Money(
        currency=given.plan_currency,
        capital=given.capital,
        estimate_class=given.estimate_class or ROUGHEST_CLASS,
        annual_revenue=given.annual_revenue,
        annual_cost=given.annual_cost,
        price=Between(0.0, 0.0) if given.price is None or left_out else given.price,
    )
    return Basis(given.case(money), given.estimate_class is not None, by_budget=False, left_out=left_out)


def _by_budget(given: _Amounts) -> Basis | Missing | None:
    if given.budget is None or not given.budget_currency or (given.capital is None and given.price is None):
        return None
    outlay_currencies = {
        currency
        for amount, currency in ((given.capital, given.plan_currency), (given.price, given.price_currency))
        if amount is not None
    }
    if outlay_currencies != {given.budget_currency}:
        return Missing(
            NotAssessedReason.INCOMPLETE,
            (*given.missing_of_plan, "/demand/budget/currency"),
            "The amounts are in different currencies, and none is converted. 金额币种不一致，平台不做换算。",
        )
    money = Money(
        currency=given.budget_currency,
        capital=given.capital or 0.0,
        estimate_class=given.estimate_class or ROUGHEST_CLASS,
        price=given.price or Between(0.0, 0.0),
        value=given.budget,
    )
    left_out = LeftOut.CAPITAL if given.capital is None else LeftOut.PRICE if given.price is None else None
    return Basis(given.case(money), given.estimate_class is not None, by_budget=True, left_out=left_out)


def _missing(given: _Amounts) -> Missing:
    fields = list(given.missing_of_plan)
    fields += [
        pointer
        for pointer, amount in (
            ("/technology/price", given.price),
            ("/technology/trl", given.trl),
            ("/demand/budget", given.budget),
        )
        if amount is None
    ]
    nothing = given.trl is None and given.plan_currency is None and given.price is None
    return Missing(
        NotAssessedReason.NOTHING_GIVEN if nothing else NotAssessedReason.INCOMPLETE,
        tuple(fields),
        "An assessment needs what production would cost and what it would earn: the plan's capital, annual revenue "
        "and annual cost; or a price and a budget. 评估至少需要：投资额、年收入和年成本；或者价格和预算。",
    )


def _amounts_of(proposal: MatchProposed) -> _Amounts:
    technology, demand = proposal.technology.risk, proposal.demand.risk
    plan, price, budget = technology.plan, technology.price, demand.budget
    return _Amounts(
        trl=technology.trl,
        months=float(plan.months) if plan and plan.months is not None else None,
        estimate_class=plan.estimate_class if plan else None,
        capital=_amount(plan.capital) if plan else None,
        annual_revenue=_amount(plan.annual_revenue) if plan else None,
        annual_cost=_amount(plan.annual_cost) if plan else None,
        plan_currency=plan.currency if plan else None,
        price=_between(price),
        price_currency=price.currency if price else None,
        budget=_between(budget),
        budget_currency=budget.currency if budget else None,
        field=field_of_proposal(proposal),
    )


def _amount(text: str | None) -> float | None:
    return None if text is None else float(text)


def _between(limits: MoneyRange | None) -> Between | None:
    """A range with one open end is taken at the end that is given; one without ends says nothing."""
    if limits is None:
        return None
    low, high = _amount(limits.min), _amount(limits.max)
    if low is None or high is None:
        end = low if high is None else high
        return None if end is None else Between(end, end)
    return Between(low, high)
