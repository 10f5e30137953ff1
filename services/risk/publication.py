"""The shared model as anyone may read it: every parameter with what is behind it, and what moved since the last one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.risk.assumptions import LABELS
from services.risk.evidence import Evidence
from services.risk.learning import sway_of
from services.risk.shared_model import Correlation, Range, SharedModel, SuccessPrior
from services.risk.shared_model import Parameter as Number
from shared.contracts.events import (
    ChangeReason,
    EvidenceWeight,
    Influence,
    ModelLearning,
    ModelScores,
    Parameter,
    ParameterChange,
    RiskModelPublished,
    Stage,
)


def publication_of(
    model: SharedModel, published_at: datetime, learning: ModelLearning | None = None, outcomes_used: int = 0
) -> RiskModelPublished:
    """The whole of a model version, enough to repeat an assessment with other software."""
    return RiskModelPublished(
        version=model.version,
        published_at=published_at,
        outcomes_used=outcomes_used,
        parameters=tuple(_parameters(model)),
        learning=learning,
        definition=model.model_dump_json(by_alias=True, exclude_defaults=True),
    )


def learning_of(
    base: str,
    number: int,
    reason: ChangeReason,
    old: SharedModel | None,
    new: SharedModel,
    evidence: Evidence,
    scores: ModelScores,
) -> ModelLearning:
    """What this version has learnt and from how much; nobody is named. `old`: the version before."""
    sway = sway_of(new, evidence)
    return ModelLearning(
        base=base,
        number=number,
        previous=old.version if old else None,
        reason=reason,
        changes=tuple(changes(old, new)) if old else (),
        latest=evidence.latest,
        set_aside={why.value: count for why, count in sorted(evidence.set_aside.items())},
        influence=Influence(
            members=sway.members,
            member_weight=new.learning.member_weight.value,
            members_at_limit=sway.members_at_limit,
            largest_share=sway.largest_share,
            largest_pull=sway.largest_pull,
        ),
        scores=scores,
    )


def changes(old: SharedModel, new: SharedModel) -> Iterator[ParameterChange]:
    """Every learnt parameter that moved, with the outcomes behind it before and after."""
    before, after = dict(_learnt(old)), dict(_learnt(new))
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        yield ParameterChange(
            name=name,
            stage=(now or was or _NOTHING).stage,
            before=was.value if was else None,
            after=now.value if now else None,
            outcomes=now.outcomes if now else 0,
            outcomes_before=was.outcomes if was else 0,
        )


@dataclass(frozen=True, slots=True)
class _Learnt:
    value: float | None
    weight: float
    outcomes: int
    stage: Stage | None


_NOTHING = _Learnt(None, 0.0, 0, None)


def _learnt(model: SharedModel) -> Iterator[tuple[str, _Learnt]]:
    for gate in model.gates:
        stage = Stage(gate.name)
        for prior in gate.success:
            yield _name(gate.name, prior), _Learnt(prior.mean, prior.effective_sample_size, prior.outcomes, stage)
    yield "months_factor", _Learnt(model.months_factor.value, 0.0, 0, None)
    yield "months_log_sd", _Learnt(model.months_log_sd.value, 0.0, 0, None)


def _name(gate: str, prior: SuccessPrior) -> str:
    """Such as `success.pilot.emerging.5`, or `success.laboratory_proof.from_trl_1_2`."""
    start = [f"from_trl_{'_'.join(map(str, prior.from_trl))}"] if prior.from_trl else []
    return ".".join(["success", gate, *start, *prior.fields])


def _parameters(model: SharedModel) -> Iterator[Parameter]:
    for gate in model.gates:
        stage = Stage(gate.name)
        for prior in gate.success:
            values = {"alpha": prior.alpha, "beta": prior.beta}
            weight = EvidenceWeight(prior_weight=prior.prior_weight, outcomes_used=prior.outcomes)
            yield _parameter(_name(gate.name, prior), "beta", values, "probability", prior, stage, weight)
        months = {"median": model.months_factor.value * gate.months.value, "log_sd": model.months_log_sd.value}
        yield _parameter(f"months.{gate.name}", "lognormal", months, "months", gate.months, stage)
        weight = {"value": gate.cost_weight.value}
        yield _parameter(f"cost_weight.{gate.name}", "constant", weight, gate.cost_weight.unit, gate.cost_weight, stage)
    for slip in model.schedule_slip:
        yield _parameter(f"schedule_slip.trl_{slip.trl}", "constant", {"value": slip.value}, slip.unit, slip)
    ranges = {f"estimate_class_{number}": limits for number, limits in sorted(model.ranges.items())}
    for name, limits in (ranges | {"annual_revenue": model.revenue_range}).items():
        ends = {"low": limits.low, "high": limits.high, "coverage": model.estimate_coverage.value}
        yield _parameter(name, "two_sided_lognormal", ends, "share of the estimate", limits)
    for name in (
        "months_factor",
        "estimate_class_when_not_given",
        "estimate_coverage",
        "discount_rate",
        "production_years",
        "field_correlation",
    ):
        constant = getattr(model, name)
        yield _parameter(name, "constant", {"value": constant.value}, constant.unit, constant)
    for name, rule in model.learning:
        yield _parameter(f"learning.{name}", "constant", {"value": rule.value}, rule.unit, rule)
    for each in model.correlations:
        value = {"value": each.value}
        yield _parameter(f"correlation.{each.of}.{each.with_}", "constant", value, "correlation of normal scores", each)
    for name, value in (("draws", model.draws), ("seed", model.seed)):
        yield Parameter(
            name=name,
            distribution="constant",
            values={"value": float(value)},
            source="scrambled Sobol sequence, the same for every assessment",
            evidence=EvidenceWeight(prior_weight=0.0, outcomes_used=0),
        )


def _parameter(
    name: str,
    distribution: str,
    values: Mapping[str, float],
    unit: str,
    origin: SuccessPrior | Number | Range | Correlation,
    stage: Stage | None = None,
    evidence: EvidenceWeight | None = None,
) -> Parameter:
    return Parameter(
        name=name,
        stage=stage,
        distribution=distribution,
        values=dict(values),
        unit=unit,
        source=f"{LABELS[origin.tag]}: {origin.source}",
        evidence=evidence or EvidenceWeight(prior_weight=0.0, outcomes_used=0),
    )
