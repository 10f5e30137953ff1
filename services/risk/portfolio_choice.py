"""A choice among matches, explained: figures of the whole, and for each match what it adds and why it is in or out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from services.risk.basis import Basis, basis_of
from services.risk.distribution import Distribution, describe
from services.risk.draws import Array
from services.risk.portfolio import Candidates, Choice, choose
from services.risk.portfolio_draws import projects_by_draw
from services.risk.portfolio_tail import cvar95, marginal
from services.risk.project import Money
from services.risk.shared_model import SharedModel
from shared.contracts.events import MatchProposed


class Why(StrEnum):
    """Why a match is in the choice or not; in this order, the first that holds is given."""

    CHOSEN = "chosen"
    NOT_ASSESSED = "not_assessed"  # the records say too little
    LOSES = "loses"  # on average
    REPLACED = "replaced"  # a chosen match is for the same demand, or of the same technology
    OVER_BUDGET = "over_budget"  # with it the outlay would exceed the budget
    OVER_LIMIT = "over_limit"  # with it the mean loss of the worst 5 % would exceed the limit
    LEFT_OUT = "left_out"  # it would fit, and something else is worth more


@dataclass(frozen=True, slots=True)
class Entry:
    """One match in the choice; amounts in units of the portfolio's currency, None where it is not assessed."""

    proposal: MatchProposed
    why: Why
    field: str | None
    adds_value: float | None = None
    """Its expected net present value."""
    adds_cvar: float | None = None
    """What it changes CVaR 95 of the choice by: of the choice with it, less that of the choice without it."""
    cvar95: float | None = None
    """Its own, were it the only one."""
    outlay: float | None = None
    """Price (the middle of its range) and planned capital up to production."""
    missing: tuple[str, ...] = ()
    """JSON pointers to what the records would have to say."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The chosen matches together; losses are positive."""

    expected: float
    p10: float
    p50: float
    p90: float
    p_loss: float
    var95: float
    cvar95: float
    cvar95_if_independent: float
    """Were projects of one field as independent as those of different fields."""
    outlay: float
    paid_at_start: float
    """Expected: prices and first stages; the rest is decided at each gate."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`bound` is what no permitted choice can exceed in expected value."""

    entries: tuple[Entry, ...]
    whole: Whole
    currency: str | None
    bound: float


class MixedCurrencies(ValueError):
    """The matches are in several currencies, and none is converted."""

    def __init__(self, currencies: Sequence[str]) -> None:
        super().__init__(f"amounts in {', '.join(currencies)}: a portfolio has one currency, and none is converted")
        self.currencies = tuple(currencies)


def outlay_of(money: Money) -> float:
    """What a budget has to hold for a project: the middle of its price range, and its planned capital."""
    return (money.price.low + money.price.high) / 2 + money.capital


def decide(model: SharedModel, proposals: Sequence[MatchProposed], budget: float, cvar_limit: float) -> Decision:
    """Chooses for the highest expected value. At most one match for each demand and of each technology is chosen.

    A demand is solved once, and a plan earns its revenue once. Raises MixedCurrencies.
    """
    read = [basis_of(proposal) for proposal in proposals]
    assessed = [position for position, basis in enumerate(read) if isinstance(basis, Basis)]
    cases = [
        (proposals[position].match_id, basis.case)
        for position in assessed
        if isinstance(basis := read[position], Basis)
    ]
    currencies = sorted({case.money.currency for _, case in cases})
    if len(currencies) > 1:
        raise MixedCurrencies(currencies)
    drawn = list(projects_by_draw(model, cases))
    value = np.array([each.net_present_value for each in drawn]).reshape(len(cases), model.draws)
    outlay = np.array([outlay_of(case.money) for _, case in cases])
    groups = _groups([proposals[position] for position in assessed])
    candidates = Candidates(value, outlay, groups)
    choice = choose(candidates, budget, cvar_limit)
    chosen = choice.chosen
    apart = model.model_copy(update={"field_correlation": model.field_correlation.model_copy(update={"value": 0.0})})
    independent = [
        each.net_present_value
        for each in projects_by_draw(apart, [case for case, is_in in zip(cases, chosen, strict=True) if is_in])
    ]
    whole = _whole(value[chosen].sum(axis=0), np.sum(independent, axis=0) if independent else np.zeros(model.draws))
    return Decision(
        entries=_entries(proposals, read, assessed, candidates, choice, budget, cvar_limit),
        whole=Whole(
            **whole,
            outlay=float(outlay[chosen].sum()),
            paid_at_start=float(
                sum(each.first_outlay.mean() for each, is_in in zip(drawn, chosen, strict=True) if is_in)
            ),
        ),
        currency=currencies[0] if currencies else None,
        bound=choice.bound,
    )


def _groups(proposals: Sequence[MatchProposed]) -> tuple[tuple[int, ...], ...]:
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for position, proposal in enumerate(proposals):
        groups["technology", proposal.technology.id].append(position)
        groups["demand", proposal.demand.id].append(position)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _whole(value: Array, independent: Array) -> dict[str, float]:
    figures: Distribution = describe(value[np.newaxis, :])
    return {
        "expected": float(figures.mean[0]),
        "p10": float(figures.p10[0]),
        "p50": float(figures.p50[0]),
        "p90": float(figures.p90[0]),
        "p_loss": float(figures.p_loss[0]),
        "var95": float(figures.var95[0]),
        "cvar95": float(figures.cvar95[0]),
        "cvar95_if_independent": cvar95(independent),
    }


def _entries(
    proposals: Sequence[MatchProposed],
    read: Sequence[object],
    assessed: Sequence[int],
    candidates: Candidates,
    choice: Choice,
    budget: float,
    cvar_limit: float,
) -> tuple[Entry, ...]:
    value, chosen = candidates.value, choice.chosen
    changes = marginal(value, chosen)
    taken = {position for group in candidates.groups if chosen[list(group)].any() for position in group}
    spent, now = candidates.outlay[chosen].sum(), cvar95(value[chosen].sum(axis=0))
    rows = {position: row for row, position in enumerate(assessed)}

    def why(row: int) -> Why:
        if chosen[row]:
            return Why.CHOSEN
        if value[row].mean() <= 0:
            return Why.LOSES
        if row in taken:
            return Why.REPLACED
        if spent + candidates.outlay[row] > budget:
            return Why.OVER_BUDGET
        return Why.OVER_LIMIT if now + changes[row] > cvar_limit else Why.LEFT_OUT

    entries: list[Entry] = []
    for position, (proposal, basis) in enumerate(zip(proposals, read, strict=True)):
        if not isinstance(basis, Basis):
            entries.append(Entry(proposal, Why.NOT_ASSESSED, None, missing=getattr(basis, "fields", ())))
            continue
        row = rows[position]
        entries.append(
            Entry(
                proposal,
                why(row),
                basis.case.field,
                adds_value=float(value[row].mean()),
                adds_cvar=float(-changes[row] if chosen[row] else changes[row]),
                cvar95=cvar95(value[row]),
                outlay=float(candidates.outlay[row]),
            )
        )
    return tuple(entries)
