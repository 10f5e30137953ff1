"""The shared risk model's parameters: a versioned, checked-in file, validated, looked up by readiness level."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Tag = Literal["V", "S", "U"]
"""How well a number is known: V read at its source, S restated by a third party, U an assumption."""

TechnologyReadiness = Annotated[int, Field(ge=1, le=9)]

MODEL_FOLDER = Path(__file__).parent / "model"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(_Part):
    """One number with its unit and where it comes from."""

    value: float = Field(ge=0, allow_inf_nan=False)
    unit: str
    source: str = Field(min_length=1)
    tag: Tag


class Range(_Part):
    """Relative deviation from an estimate at its lower and upper end, e.g. -0.3 and +0.5."""

    low: float = Field(gt=-1, le=0)
    high: float = Field(ge=0, le=10)
    source: str = Field(min_length=1)
    tag: Tag


class EstimateClassRange(Range):
    """The accuracy of one AACE 18R-97 estimate class; 5 is the least precise."""

    estimate_class: int = Field(ge=1, le=5)


class SlipAtReadiness(Parameter):
    """Share of the planned months that is added, for a project that starts at this readiness level."""

    trl: TechnologyReadiness


class SuccessPrior(_Part):
    """Beta distribution of the probability to pass a gate: prior, not evidence.

    `from_trl` names the readiness levels at which a project must start for this prior to hold;
    empty means every other start.
    """

    from_trl: tuple[TechnologyReadiness, ...]
    mean: float = Field(gt=0, lt=1)
    effective_sample_size: float = Field(gt=0, le=1000)
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


class Gate(_Part):
    """The end of one stage: what has to be shown there before the next stage is paid for."""

    name: str
    passed_at_trl: TechnologyReadiness
    success: tuple[SuccessPrior, ...] = Field(min_length=1)
    months: Parameter
    cost_weight: Parameter

    def prior(self, start_trl: int | None) -> int:
        """Position in `success` of the prior that holds for a project starting at `start_trl` (None: not known)."""
        otherwise = 0
        for position, candidate in enumerate(self.success):
            if start_trl is not None and start_trl in candidate.from_trl:
                return position
            if start_trl is None and 1 in candidate.from_trl:
                return position
            if not candidate.from_trl:
                otherwise = position
        return otherwise


class NotUsed(_Part):
    """A published figure that was considered and left out, so that nobody has to wonder."""

    what: str
    why: str
    tag: Tag


class SharedModel(_Part):
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
        if not 0 < self.estimate_coverage.value < 1:
            raise ValueError("estimate_coverage must lie between 0 and 1")
        return self

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
        level = 1 if start_trl is None else start_trl
        return min(self.schedule_slip, key=lambda each: abs(each.trl - level))
