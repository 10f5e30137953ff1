"""The shared model as anyone may read it: every parameter with its distribution and what is behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from services.risk.assumptions import LABELS
from services.risk.shared_model import Parameter as Number
from services.risk.shared_model import Range, SharedModel, SuccessPrior
from shared.contracts.events import EvidenceWeight, Parameter, RiskModelPublished, Stage


def publication_of(model: SharedModel, published_at: datetime) -> RiskModelPublished:
    """The whole of a model version, enough to repeat an assessment with other software."""
    return RiskModelPublished(
        version=model.version, published_at=published_at, outcomes_used=0, parameters=tuple(_parameters(model))
    )


def _parameters(model: SharedModel) -> Iterator[Parameter]:
    for gate in model.gates:
        stage = Stage(gate.name)
        for prior in gate.success:
            start = "".join(f".from_trl_{level}" for level in prior.from_trl)
            yield _parameter(
                f"success.{gate.name}{start}",
                "beta",
                {"alpha": prior.alpha, "beta": prior.beta},
                "probability",
                prior,
                stage,
                prior.effective_sample_size,
            )
        months = {"median": gate.months.value, "log_sd": model.months_log_sd.value}
        yield _parameter(f"months.{gate.name}", "lognormal", months, "months", gate.months, stage)
        weight = {"value": gate.cost_weight.value}
        yield _parameter(f"cost_weight.{gate.name}", "constant", weight, gate.cost_weight.unit, gate.cost_weight, stage)
    for slip in model.schedule_slip:
        yield _parameter(f"schedule_slip.trl_{slip.trl}", "constant", {"value": slip.value}, slip.unit, slip)
    ranges = {f"estimate_class_{number}": limits for number, limits in sorted(model.ranges.items())}
    for name, limits in (ranges | {"annual_revenue": model.revenue_range}).items():
        ends = {"low": limits.low, "high": limits.high, "coverage": model.estimate_coverage.value}
        yield _parameter(name, "two_sided_lognormal", ends, "share of the estimate", limits)
    for name in ("estimate_class_when_not_given", "estimate_coverage", "discount_rate", "production_years"):
        constant = getattr(model, name)
        yield _parameter(name, "constant", {"value": constant.value}, constant.unit, constant)
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
    origin: SuccessPrior | Number | Range,
    stage: Stage | None = None,
    prior_weight: float = 0.0,
) -> Parameter:
    return Parameter(
        name=name,
        stage=stage,
        distribution=distribution,
        values=dict(values),
        unit=unit,
        source=f"{LABELS[origin.tag]}: {origin.source}",
        evidence=EvidenceWeight(prior_weight=prior_weight, outcomes_used=0),
    )
