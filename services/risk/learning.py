"""The shared model after reported outcomes: conjugate posteriors, partly pooled over strategic fields."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.risk.evidence import Evidence, Weighed, quarter_of
from services.risk.shared_model import Gate, SharedModel, SuccessPrior
from services.risk.stages import gates_ahead

STARTS = (None, *range(1, 10))
"""Readiness levels at which a project may start; None: not known."""
DIGITS = 6
"""Significant digits of what is learnt: no order of adding shows in them."""


def version_of(base: str, number: int) -> str:
    """Such as `2.17`: base model 2, the 17th version that was learnt; `2` is the base alone."""
    return base if number == 0 else f"{base}.{number}"


def learnt(base: SharedModel, evidence: Evidence) -> SharedModel:
    """The base model with everything that the evidence moves; its version is still that of the base.

    Success: the Beta prior of a gate plus the weighted passes and failures of all fields. A field with outcomes of
    enough weight from enough members has a Beta of its own: the mean of all other fields at a weight of `field_weight`
    outcomes, plus its own outcomes. Months: see `_months`.
    """
    gates = tuple(_gate(base, gate, evidence.by_gate.get(gate.name, ())) for gate in base.gates)
    factor, log_sd = _months(base, evidence)
    return base.model_copy(
        update={
            "gates": gates,
            "months_factor": base.months_factor.model_copy(update={"value": factor}),
            "months_log_sd": base.months_log_sd.model_copy(update={"value": log_sd}),
        }
    )


def starts_that_differ(old: SharedModel, new: SharedModel) -> list[int | None]:
    """Readiness levels whose way to production has other parameters in the new version."""
    if old.model_copy(update={"gates": (), "version": ""}) != new.model_copy(update={"gates": (), "version": ""}):
        return list(STARTS)
    return [trl for trl in STARTS if _ahead(old, trl) != _ahead(new, trl)]


@dataclass(frozen=True, slots=True)
class Sway:
    """How far single members move a version: see `Influence` of the contracts."""

    members: int
    members_at_limit: int
    largest_share: float
    largest_pull: float


def sway_of(model: SharedModel, evidence: Evidence) -> Sway:
    """The largest part that one member has anywhere. `model`: the learnt one."""
    shares, pulls = [0.0], [0.0]
    for gate in model.gates:
        group = evidence.by_gate.get(gate.name, ())
        total = math.fsum(each.weight for each in group)
        by_member = _by_member(group)
        if total:
            shares.append(max(by_member.values()) / total)
        for prior in gate.success:
            own = [each for each in group if not prior.fields or _field(each) in prior.fields]
            pulls += [weight / prior.effective_sample_size for weight in _by_member(own).values()]
    members = {each.report.owner for group in evidence.by_gate.values() for each in group}
    return Sway(len(members), len(evidence.limited), _rounded(max(shares)), _rounded(max(pulls)))


def _gate(base: SharedModel, gate: Gate, group: Sequence[Weighed]) -> Gate:
    success: list[SuccessPrior] = []
    for position, prior in enumerate(gate.success):
        if prior.fields:
            # A published prior of its own: these fields learn by themselves, and say nothing about the others.
            own = [each for each in group if _field(each) in prior.fields and _same_start(gate, prior, each)]
            success.append(_plus(prior, own))
            continue
        apart = {field for other in gate.success if other.from_trl == prior.from_trl for field in other.fields}
        pooled = [each for each in group if each.position == position and _field(each) not in apart]
        success.append(_plus(prior, pooled))
        success += _fields(base, prior, pooled)
    return gate.model_copy(update={"success": tuple(success)})


def _fields(base: SharedModel, prior: SuccessPrior, pooled: Sequence[Weighed]) -> Iterator[SuccessPrior]:
    """The fields of a pooled prior with enough evidence of their own."""
    rules = base.learning
    by_field: dict[str, list[Weighed]] = defaultdict(list)
    for each in pooled:
        if (field := _field(each)) is not None:
            by_field[field].append(each)
    for field, own in sorted(by_field.items()):
        weight = math.fsum(each.weight for each in own)
        members = len({each.report.owner for each in own})
        if weight < rules.field_least_outcomes.value or members < rules.field_least_members.value:
            continue
        others = _plus(prior, [each for each in pooled if _field(each) != field])
        start = prior.model_copy(
            update={
                "fields": (field,),
                "mean": others.mean,
                "effective_sample_size": rules.field_weight.value,
                "source": f"all other fields, at a weight of {rules.field_weight.value:g} outcomes: {prior.source}"[
                    :400
                ],
            }
        )
        yield _plus(start, own)


def _plus(prior: SuccessPrior, group: Sequence[Weighed]) -> SuccessPrior:
    """The Beta posterior: pseudo-counts plus weighted passes and failures."""
    if not group:
        return prior
    weight = math.fsum(each.weight for each in group)
    size = prior.effective_sample_size + weight
    mean = (prior.alpha + math.fsum(each.passed for each in group)) / size
    return prior.model_copy(
        update={
            "mean": _rounded(mean),
            "effective_sample_size": _rounded(size),
            "outcomes": len(group),
            "outcomes_weight": _rounded(weight),
        }
    )


def _months(base: SharedModel, evidence: Evidence) -> tuple[float, float]:
    """The factor on all months, and the deviation of their logarithm.

    Conjugate for a lognormal with both unknown (normal-inverse-gamma): the data are logarithms of real over forecast
    months, the forecast without what was learnt by then; the prior is a factor of 1 and the base's deviation, at a
    weight of `months_weight` durations. What months move until the forecast comes due adds to the variance.
    """
    start, deviation = base.learning.months_weight.value, base.months_log_sd.value
    ratios: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for report, weight in evidence.months:
        if report.months and (forecast := report.forecast) and forecast.months[1] > 0:
            ratio = math.log(report.months / (forecast.months[1] / forecast.months_factor))
            ratios[quarter_of(report.day)].append((ratio, weight))
    if not ratios:
        return base.months_factor.value, deviation
    n, mean, within = _moments([each for quarter in ratios.values() for each in quarter])
    squares = start * deviation**2 + within + start * n * mean**2 / (start + n)
    variance = squares / (start + n) + _moved(base, ratios)
    return _rounded(math.exp(n * mean / (start + n))), _rounded(math.sqrt(variance))


def _moved(base: SharedModel, ratios: Mapping[int, Sequence[tuple[float, float]]]) -> float:
    """By how much the mean logarithm of months moves within `months_horizon`, squared.

    From all two quarters so far apart: the square of the difference of their means, less the part that is chance, at
    the spread within quarters. The prior is no movement, at a weight of `months_weight` durations. `ratios`: by
    quarter, with weights.
    """
    start, horizon = base.learning.months_weight.value, round(4 * base.learning.months_horizon.value)
    pairs = [(quarter, quarter + horizon) for quarter in ratios if horizon and quarter + horizon in ratios]
    if not pairs:
        return 0.0
    moments = {quarter: _moments(own) for quarter, own in ratios.items()}
    # The part of a quarter's variance of one that is in its mean: 1/n for n durations of equal weight.
    part = {quarter: math.fsum((w / moments[quarter][0]) ** 2 for _, w in own) for quarter, own in ratios.items()}
    free = math.fsum(n * (1 - part[quarter]) for quarter, (n, _, _) in moments.items())
    within = math.fsum(squares for _, _, squares in moments.values())
    variance = (start * base.months_log_sd.value**2 + within) / (start + free)
    weights = [1 / (1 / moments[old][0] + 1 / moments[new][0]) for old, new in pairs]
    moved = [
        weight * ((moments[new][1] - moments[old][1]) ** 2 - variance * (part[old] + part[new]))
        for (old, new), weight in zip(pairs, weights, strict=True)
    ]
    return max(math.fsum(moved), 0.0) / (start + math.fsum(weights))


def _moments(values: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Of (value, weight): the weight, the mean, and the weighted sum of squares about it."""
    n = math.fsum(weight for _, weight in values)
    mean = math.fsum(weight * value for value, weight in values) / n
    return n, mean, math.fsum(weight * (value - mean) ** 2 for value, weight in values)


def _ahead(model: SharedModel, trl: int | None) -> list[list[SuccessPrior]]:
    """The priors of any field that may hold at the gates ahead of such a project."""
    start = 1 if trl is None else trl
    return [
        [prior for prior in model.gates[position].success if not prior.from_trl or start in prior.from_trl]
        for position in gates_ahead(model, trl)
    ]


def _same_start(gate: Gate, prior: SuccessPrior, each: Weighed) -> bool:
    return gate.success[each.position].from_trl == prior.from_trl


def _field(each: Weighed) -> str | None:
    return each.report.subject.field if each.report.subject else None


def _by_member(group: Sequence[Weighed]) -> dict[str, float]:
    weights: dict[str, list[float]] = defaultdict(list)
    for each in group:
        weights[each.report.owner].append(each.weight)
    return {member: math.fsum(own) for member, own in weights.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
