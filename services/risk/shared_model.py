"""The shared risk model's parameters: a versioned, checked-in file, validated, looked up by readiness level."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from services.risk.dependence import PER_GATE, correlated_names, correlation_matrix
from services.risk.learning_parameters import NOT_REPORTED, LearningParameters
from services.risk.parameter import Parameter, Part, Range, Tag, TechnologyReadiness

MODEL_FOLDER = Path(__file__).parent / "model"


class EstimateClassRange(Range):
    """The accuracy of one AACE 18R-97 estimate class; 5 is the least precise."""

    estimate_class: int = Field(ge=1, le=5)


class SlipAtReadiness(Parameter):
    """Share of the planned months that is added, for a project that starts at this readiness level."""

    trl: TechnologyReadiness


class SuccessPrior(Part):
    """Beta distribution of the probability to pass a gate: prior, not evidence.

    `from_trl` names the readiness levels at which a project must start for this prior to hold, `fields` the
    strategic fields that it must belong to (words of `services.risk.field`); empty means every other one.
    """

    from_trl: tuple[TechnologyReadiness, ...]
    fields: tuple[str, ...] = ()
    mean: float = Field(gt=0, lt=1)
    effective_sample_size: float = Field(gt=0, le=100_000)
    """Of prior and outcomes together."""
    outcomes: int = Field(default=0, ge=0)
    """Reported outcomes that it has learnt from."""
    outcomes_weight: float = Field(default=0.0, ge=0)
    """Part of `effective_sample_size` that is from them; old ones weigh less than one each."""
    source: str = Field(min_length=1)
    tag: Tag

    @property
    def alpha(self) -> float:
        """Pseudo-count of passes."""
        return self.mean * self.effective_sample_size

    @property
    def beta(self) -> float:
        """Pseudo-count of failures."""
        return (1 - self.mean) * self.effective_sample_size

    @property
    def prior_weight(self) -> float:
        """Part of `effective_sample_size` that is prior."""
        return max(self.effective_sample_size - self.outcomes_weight, 0.0)

    def specificity(self, start_trl: int | None, field: str | None) -> int | None:
        """How closely it is meant for such a project: higher is closer; None if it does not hold for it.

        Readiness counts before the field. A start that is not known counts as the lowest.
        """
        start = 1 if start_trl is None else start_trl
        if (self.from_trl and start not in self.from_trl) or (self.fields and field not in self.fields):
            return None
        return 2 * bool(self.from_trl) + bool(self.fields)


class Gate(Part):
    """The end of one stage: what has to be shown there before the next stage is paid for."""

    name: str
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)
    passed_at_trl: TechnologyReadiness
    success: tuple[SuccessPrior, ...] = Field(min_length=1)
    months: Parameter
    cost_weight: Parameter

    def prior(self, start_trl: int | None, field: str | None = None) -> int:
        """Position in `success` of the prior that is meant most closely for such a project (None: not known)."""
        fitting = [
            (closeness, -position)
            for position, candidate in enumerate(self.success)
            if (closeness := candidate.specificity(start_trl, field)) is not None
        ]
        return -max(fitting)[1]


Kind = Literal["chance", "months", "capital", "annual_cost", "annual_revenue"]


class Correlation(Part):
    """Of the normal variates behind every two quantities of two kinds (Gaussian copula); see `dependence`.

    `chance` is the probability to pass a gate, `months` the duration of a stage: every gate has one of each.
    """

    of: Kind
    with_: Kind = Field(alias="with")
    value: float = Field(gt=-1, lt=1)
    source: str = Field(min_length=1)
    tag: Tag


class NotUsed(Part):
    """A published figure that was considered and left out, so that nobody has to wonder."""

    what: str
    why: str
    tag: Tag


class SharedModel(Part):
    """All parameters of one model version. Two equal versions give equal figures for equal input."""

    version: str = Field(min_length=1)
    title: str
    draws: int = Field(ge=64, le=65536, description="Monte Carlo draws, a power of two")
    seed: int = Field(ge=0)
    gates: tuple[Gate, ...] = Field(min_length=1)
    months_log_sd: Parameter
    schedule_slip: tuple[SlipAtReadiness, ...] = Field(min_length=1)
    estimate_classes: tuple[EstimateClassRange, ...]
    estimate_class_when_not_given: Parameter
    estimate_coverage: Parameter
    revenue_range: Range
    discount_rate: Parameter
    production_years: Parameter
    months_factor: Parameter = Parameter(value=1, unit="factor on all months", source=NOT_REPORTED, tag="U")
    learning: LearningParameters = LearningParameters()
    field_correlation: Parameter = Parameter(
        value=0.2,
        unit="correlation of normal variates",
        source="assumption: how alike two projects of one strategic field fare; the Basel II corporate formula uses "
        "0.12 to 0.24 for the assets of two firms, recalled",
        tag="U",
    )
    """Between the same quantity of two projects of one strategic field, in a portfolio."""
    correlations: tuple[Correlation, ...] = ()
    """Of what these do not name, everything is independent of everything."""
    considered_and_not_used: tuple[NotUsed, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.draws & (self.draws - 1):
            raise ValueError("draws must be a power of two: a Sobol sequence is balanced only there")
        levels = [gate.passed_at_trl for gate in self.gates]
        if levels != sorted(set(levels)):
            raise ValueError("gates must be in order of their readiness level")
        if sorted(each.estimate_class for each in self.estimate_classes) != [1, 2, 3, 4, 5]:
            raise ValueError("estimate_classes must name the classes 1 to 5 once each")
        if any(gate.months.value <= 0 or gate.cost_weight.value <= 0 for gate in self.gates):
            raise ValueError("months and cost_weight of every gate must be above 0")
        if self.field_correlation.value >= 1:
            raise ValueError("field_correlation must be below 1")
        if self.months_factor.value <= 0:
            raise ValueError("months_factor must be above 0")
        for gate in self.gates:
            reaching = [start for start in range(1, 10) if start < gate.passed_at_trl or gate is self.gates[-1]]
            if any(all(prior.specificity(start, None) is None for prior in gate.success) for start in reaching):
                raise ValueError(f"success of {gate.name} must have a prior for every start and for no known field")
        self._check_correlations()
        if not 0 < self.estimate_coverage.value < 1:
            raise ValueError("estimate_coverage must lie between 0 and 1")
        return self

    def _check_correlations(self) -> None:
        pairs = [frozenset({each.of, each.with_}) for each in self.correlations]
        if len(set(pairs)) < len(pairs):
            raise ValueError("correlations must name every two kinds once")
        if any(each.of == each.with_ and each.of not in PER_GATE for each in self.correlations):
            raise ValueError("a correlation of a kind with itself is one between gates: only months and chance have it")
        names = correlated_names([gate.name for gate in self.gates], self.correlations)
        if names and np.linalg.eigvalsh(correlation_matrix(names, self.correlations)).min() < 1e-6:
            raise ValueError("no quantities can have all these correlations at once: make the largest ones smaller")

    @classmethod
    def load(cls, version: str, folder: Path = MODEL_FOLDER) -> SharedModel:
        """Reads `<folder>/<version>.json`; raises ValueError with one readable line if it is absent or not valid."""
        path = folder / f"{version}.json"
        if not path.is_file():
            known = ", ".join(sorted(each.stem for each in folder.glob("*.json"))) or "none"
            raise ValueError(f"no risk model version {version!r} in {folder}: known versions are {known}")
        model = cls.model_validate_json(path.read_bytes())
        if model.version != version:
            raise ValueError(f"{path} says version {model.version!r}: a file holds the version that it is named after")
        return model

    @cached_property
    def ranges(self) -> dict[int, EstimateClassRange]:
        """AACE accuracy range by estimate class."""
        return {each.estimate_class: each for each in self.estimate_classes}

    def slip(self, start_trl: int | None) -> SlipAtReadiness:
        """Schedule slip of the readiness level; outside the published levels that of the nearest one.

        A level is looked up, never interpolated or averaged: readiness levels are ordinal. Not known counts as lowest.
        """
        return self._slips[1 if start_trl is None else start_trl]

    @cached_property
    def _slips(self) -> dict[int, SlipAtReadiness]:
        return {level: min(self.schedule_slip, key=lambda each: abs(each.trl - level)) for level in range(1, 10)}
