"""Criteria that a proposal is held against, one by one; they explain it and never hide it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType

from services.matching import wording
from services.matching.figures import Clause
from services.matching.priorities import Priorities, in_common
from services.matching.targets import target_checks
from shared.contracts.events import (
    Check,
    CooperationMode,
    DemandParty,
    MoneyRange,
    StrategicField,
    TechnologyParty,
    TransferMode,
    Verdict,
)

FITTING = MappingProxyType(
    {
        CooperationMode.COMMISSIONED: frozenset({TransferMode.JOINT_DEVELOPMENT, TransferMode.TECHNICAL_SERVICE}),
        CooperationMode.JOINT_DEVELOPMENT: frozenset({TransferMode.JOINT_DEVELOPMENT}),
        CooperationMode.LICENCE: frozenset(
            {TransferMode.EXCLUSIVE_LICENCE, TransferMode.SOLE_LICENCE, TransferMode.NON_EXCLUSIVE_LICENCE}
        ),
        CooperationMode.PURCHASE: frozenset({TransferMode.ASSIGNMENT}),
        CooperationMode.TECHNICAL_SERVICE: frozenset({TransferMode.TECHNICAL_SERVICE}),
        CooperationMode.CONSULTING: frozenset({TransferMode.CONSULTING}),
        CooperationMode.INVESTMENT: frozenset({TransferMode.INVESTMENT}),
        CooperationMode.OTHER: frozenset[TransferMode](),
    }
)
"""Which modes of transfer give a seeker what it wants. Commissioned work is development or service for it."""


PRIORITIES = Priorities.load()


def checks(technology: TechnologyParty, demand: DemandParty, clauses: Sequence[Clause] = ()) -> tuple[Check, ...]:
    """Every criterion that the demand names, and the two that every proposal has passed.

    `clauses`: what is shown of the technology, as far as it gives figures.
    """
    return tuple(_all(technology, demand, clauses))


def priority(technology: TechnologyParty, demand: DemandParty) -> float:
    """What strategic priority adds to the pair in the order of what is shown, 0 to 0.05."""
    return PRIORITIES.bonus(in_common(demand.display.strategic_fields, technology.display.strategic_fields))


def _all(technology: TechnologyParty, demand: DemandParty, clauses: Sequence[Clause]) -> Iterator[Check]:
    # Both are filters: a pair that fails one is never proposed. They are told so that it can be seen.
    yield Check(
        criterion="visibility", offered=technology.visibility.value, verdict=Verdict.MET, wording=wording.VISIBLE
    )
    yield Check(criterion="other_organisation", verdict=Verdict.MET, wording=wording.OTHER_ORGANISATION)
    asked, offered = demand.display, technology.display
    if asked.required_trl is not None:
        yield Check(
            criterion="trl",
            asked=f">= {asked.required_trl}",
            offered=None if offered.trl is None else str(offered.trl),
            verdict=_verdict(None if offered.trl is None else offered.trl >= asked.required_trl),
            wording=wording.trl(asked.required_trl, offered.trl),
        )
    if asked.budget is not None:
        verdict = _verdict(None if offered.price is None else affordable(asked.budget, offered.price))
        yield Check(
            criterion="budget",
            asked=wording.amounts(asked.budget),
            offered=None if offered.price is None else wording.amounts(offered.price),
            verdict=verdict,
            wording=wording.budget(asked.budget, offered.price, verdict, _excess(asked.budget, offered.price)),
        )
    if asked.deadline is not None:
        months = technology.risk.plan.months if technology.risk.plan else None
        verdict = _verdict(in_time(demand.risk.starts_on, months, asked.deadline))
        yield Check(
            criterion="deadline",
            asked=asked.deadline.isoformat(),
            offered=None if months is None else f"{months} months",
            verdict=verdict,
            wording=wording.deadline(demand.risk.starts_on, months, asked.deadline, verdict),
        )
    if asked.region is not None:
        verdict = _verdict(None if offered.region is None else same_region(asked.region, offered.region))
        yield Check(
            criterion="region",
            asked=asked.region,
            offered=offered.region,
            verdict=verdict,
            wording=wording.region(asked.region, offered.region, verdict),
        )
    if asked.cooperation_modes:
        verdict = _verdict(suits(asked.cooperation_modes, offered.transfer_modes))
        yield Check(
            criterion="cooperation",
            asked=", ".join(asked.cooperation_modes),
            offered=", ".join(offered.transfer_modes) or None,
            verdict=verdict,
            wording=wording.cooperation(asked.cooperation_modes, offered.transfer_modes, verdict),
        )
    if asked.strategic_fields:
        common = in_common(asked.strategic_fields, offered.strategic_fields)
        yield Check(
            criterion="strategic_field",
            asked=_codes(asked.strategic_fields),
            offered=_codes(offered.strategic_fields) or None,
            verdict=_verdict(bool(common) if offered.strategic_fields else None),
            wording=wording.strategic_field(asked.strategic_fields, common, offered.strategic_fields, _told(common)),
        )
    yield from target_checks(asked.targets, clauses)


def _verdict(is_met: bool | None) -> Verdict:
    if is_met is None:
        return Verdict.UNKNOWN
    return Verdict.MET if is_met else Verdict.UNMET


def affordable(budget: MoneyRange, price: MoneyRange) -> bool | None:
    """Whether the lowest price lies within the budget; None where that cannot be told. Currencies are not converted."""
    if budget.currency != price.currency or budget.max is None:
        return None
    most = Decimal(budget.max)
    if price.min is not None:
        return Decimal(price.min) <= most
    return True if price.max is not None and Decimal(price.max) <= most else None


def _excess(budget: MoneyRange, price: MoneyRange | None) -> str | None:
    """How far the lowest price lies above the budget, in its currency."""
    if price is None or price.min is None or budget.max is None:
        return None
    return f"{Decimal(price.min) - Decimal(budget.max):f} {budget.currency}"


def in_time(start: date | None, months: int | None, deadline: date) -> bool | None:
    """Whether so many months from the start end by the deadline; None without a start (no clock is asked)."""
    if start is None or months is None:
        return None
    years, month = divmod(start.month - 1 + months, 12)
    if start.year + years > date.max.year:
        return False
    # Twelve months from the 1st of January are over when the 31st of December is, and one month from the 31st of
    # January with the last of February.
    day = min(start.day, monthrange(start.year + years, month + 1)[1])
    return date(start.year + years, month + 1, day) - timedelta(days=1) <= deadline


def same_region(one: str, other: str) -> bool:
    """Whether one region is the other or lies in it: CN-GD in CN."""
    return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")


def suits(asked: Sequence[CooperationMode], offered: Sequence[TransferMode]) -> bool | None:
    """Whether one mode that is offered gives what one that is asked wants; None where that cannot be told."""
    if any(mode in FITTING[wish] for wish in asked for mode in offered):
        return True
    # "Other" may be anything, and nothing said is nothing refused.
    is_open = not offered or CooperationMode.OTHER in asked or TransferMode.OTHER in offered
    return None if is_open else False


def _told(common: Sequence[StrategicField]) -> str:
    """What the fields add, and by which weights; nothing where they add nothing."""
    bonus = PRIORITIES.bonus(common)
    return f" +{bonus:g} ({PRIORITIES.version})" if bonus else ""


def _codes(fields: Sequence[StrategicField]) -> str:
    return ", ".join("/".join(part for part in (each.list, each.version, each.code) if part) for each in fields)[:500]
