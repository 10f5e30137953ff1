"""Every number in an assessment that the records did not give, with where it is from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache, partial

from services.risk.basis import Basis, LeftOut
from services.risk.shared_model import Parameter, Range, SharedModel, SuccessPrior, Tag
from services.risk.stages import priors_ahead, stages_with
from shared.contracts.events import Assumption

LABELS: dict[Tag, str] = {
    "V": "published, read at its source",
    "S": "published, as a third party restates it",
    "U": "assumption, not verified",
}
_LEFT_OUT = {
    LeftOut.PRICE: ("price", "no price is given: the figures are before paying for the technology"),
    LeftOut.PRICE_CURRENCY: ("price", "the price is in another currency than the plan: left out, not converted"),
    LeftOut.CAPITAL: ("capital", "no capital is given: the price is taken as all that the adopter pays"),
}


class Assumptions:
    """The assumptions of one model version; equal ones are built once and shared."""

    def __init__(self, model: SharedModel) -> None:
        self._model = model
        self._priors = lru_cache(1024)(partial(priors_ahead, model))
        self._built = cache(lambda *key: tuple(self._list(*key)))

    def of(self, basis: Basis) -> tuple[Assumption, ...]:
        """Those behind one assessment, in the order in which the model uses them."""
        case, money = basis.case, basis.case.money
        return self._built(
            case.trl,
            case.planned_months is not None,
            money.estimate_class if money.capital or money.annual_cost else None,
            basis.class_given,
            money.capital > 0,
            basis.by_budget,
            basis.left_out,
            self._priors(case.trl, case.field),
        )

    def _list(
        self,
        trl: int | None,
        months_given: bool,
        estimate_class: int | None,
        class_given: bool,
        has_capital: bool,
        by_budget: bool,
        left_out: LeftOut | None,
        priors: tuple[int, ...],
    ) -> Iterator[Assumption]:
        model = self._model
        if trl is None:
            yield Assumption(
                name="trl",
                value="no gate passed",
                source=f"{LABELS['U']}: no readiness level is given, and no gate counts as passed by itself",
            )
        stages = stages_with(model, trl, priors)
        for stage in stages:
            yield _prior(f"success.{stage.gate.name}", stage.prior)
        if months_given:
            yield _parameter("schedule_slip", model.slip(trl))
        else:
            yield from (_parameter(f"months.{stage.gate.name}", stage.gate.months) for stage in stages)
        yield _parameter("months_log_sd", model.months_log_sd)
        if has_capital and len(stages) > 1:
            yield from (_parameter(f"cost_weight.{stage.gate.name}", stage.gate.cost_weight) for stage in stages)
        if estimate_class is not None:
            if not class_given:
                yield _parameter("estimate_class", model.estimate_class_when_not_given)
            yield from _range("estimate", model.ranges[estimate_class])
            yield _parameter("estimate_coverage", model.estimate_coverage)
        if by_budget:
            yield Assumption(
                name="value",
                value="the demand's budget",
                source=f"{LABELS['U']}: no yearly revenue and cost are given; a solution is worth at least the budget "
                "offered for it, once, when production is reached",
            )
        else:
            yield from _range("annual_revenue", model.revenue_range)
            yield _parameter("production_years", model.production_years)
        yield _parameter("discount_rate", model.discount_rate)
        if model.correlations:
            pairs = ", ".join(f"{each.of} with {each.with_} {each.value:g}" for each in model.correlations)
            tags = sorted({LABELS[each.tag] for each in model.correlations})
            yield Assumption(
                name="correlations", value=pairs, source=f"{'; '.join(tags)}: each with its source in the model"
            )
        if left_out is not None:
            name, why = _LEFT_OUT[left_out]
            yield Assumption(name=f"{name}.left_out", value=0.0, source=f"{LABELS['U']}: {why}")


def _parameter(name: str, parameter: Parameter) -> Assumption:
    return Assumption(
        name=name, value=parameter.value, unit=parameter.unit, source=f"{LABELS[parameter.tag]}: {parameter.source}"
    )


def _prior(name: str, prior: SuccessPrior) -> Assumption:
    return Assumption(
        name=name,
        value=prior.mean,
        unit=f"mean of a Beta prior that weighs as much as {prior.effective_sample_size:g} outcomes",
        source=f"prior, not evidence; {LABELS[prior.tag]}: {prior.source}",
    )


def _range(name: str, limits: Range) -> Iterator[Assumption]:
    for end, value in (("low", limits.low), ("high", limits.high)):
        yield Assumption(
            name=f"{name}.{end}",
            value=value,
            unit="share of the estimate",
            source=f"{LABELS[limits.tag]}: {limits.source}",
        )
