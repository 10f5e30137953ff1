"""The shared risk model as everybody reads it: its parameters, what it has learnt, and how good its forecasts were."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.base import EventData, OpenEnum, Value
from shared.contracts.match import CodeWord
from shared.contracts.risk import EvidenceWeight, ModelVersion, NonNegative, OpenStage
from shared.contracts.values import Count, Name, Number, Share, Summary


class Parameter(Value):
    """One parameter of the shared model: its distribution, and what is behind it."""

    name: CodeWord
    stage: OpenStage | None = None
    distribution: CodeWord
    """Such as beta, lognormal, triangular, constant."""
    values: Annotated[dict[CodeWord, Number], Field(max_length=20)]
    unit: Name | None = None
    source: Summary
    evidence: EvidenceWeight | None = None


class ParameterChange(Value):
    """A parameter that moved with this version."""

    name: CodeWord
    stage: OpenStage | None = None
    before: Number | None = None
    """Its mean or value in the version before; none where it is new, such as the first figure of a field."""
    after: Number | None = None
    """None where it is gone, such as a field of which too many outcomes were taken back."""
    outcomes: Count
    """Reported outcomes that it rests on now."""
    outcomes_before: Count
    """Those that it rested on in the version before."""


class ChangeReason(StrEnum):
    """Why there is a new version."""

    OUTCOMES = "outcomes"  # outcomes were recorded, corrected or taken back
    BASE = "base"  # the model file was replaced, and what was learnt was carried over
    OTHER = "other"


class Influence(Value):
    """How far single members can move the model. Nobody is named."""

    members: Count
    """With an outcome that counts."""
    member_weight: NonNegative
    """The most that all outcomes of one member weigh at one gate, in outcomes."""
    members_at_limit: Count
    """Members whose outcomes weigh less than they would, because of that limit."""
    largest_share: Share
    """The largest part of the learnt weight at any one gate that is one member's."""
    largest_pull: Share
    """The largest part of the whole weight of a parameter, prior included, that is one member's."""


class SuccessScore(Value):
    """Forecasts of passing a stage, against what became of it. Lower is better for both scores."""

    forecasts: Count
    brier: NonNegative | None = None
    """Mean squared difference of probability and result: 0 is perfect, always saying one half gives 0.25."""
    log_score: NonNegative | None = None
    """Mean of -ln(probability given to what happened)."""
    mean_forecast: Share | None = None
    passed: Share | None = None
    """Share of the stages that were passed; equal to mean_forecast where forecasts are right on average."""


class IntervalScore(Value):
    """Forecast ranges from P10 to P90, against the value that came. Right ranges hold it 80 times in 100."""

    forecasts: Count
    below: Count
    within: Count
    above: Count


class ReliabilityBin(Value):
    """Forecasts of about the same probability: how many, their mean, and how often the stage was passed."""

    forecasts: Count
    mean_forecast: Share
    passed: Share


class ForecastScores(Value):
    """Forecasts that stood when an outcome came, scored."""

    success: SuccessScore
    months: IntervalScore


class VersionScores(ForecastScores):
    """The same for the forecasts of one model version."""

    version: ModelVersion


class ModelScores(ForecastScores):
    """Of all versions together, of the versions with the latest scored forecasts, and the reliability curve."""

    versions: Annotated[tuple[VersionScores, ...], Field(max_length=50)] = ()
    reliability: Annotated[tuple[ReliabilityBin, ...], Field(max_length=20)] = ()


class ModelLearning(Value):
    """What this version has learnt from reported outcomes, and how."""

    base: ModelVersion
    """The model file that it starts from."""
    number: Count
    """Counts the learnt versions, whatever their base."""
    previous: ModelVersion | None = None
    reason: Annotated[ChangeReason, OpenEnum(ChangeReason.OTHER)]
    changes: Annotated[tuple[ParameterChange, ...], Field(max_length=500)] = ()
    latest: date | None = None
    """Day of the latest outcome; older ones weigh less by their distance to it."""
    set_aside: Annotated[dict[CodeWord, Count], Field(max_length=20)] = Field(default_factory=dict)
    """Outcomes that say nothing about success, by why: stopped, no_gate, start_unknown."""
    influence: Influence
    scores: ModelScores


class RiskModelPublished(EventData):
    """The shared model as it is now: whole, so that anyone can repeat an assessment."""

    topic: ClassVar[str] = "risk.model"
    type: ClassVar[str] = "tongtu.risk.model.v1"

    version: ModelVersion
    """Of the model file, and after a point the number of the learnt version, such as 2.17."""
    published_at: datetime
    outcomes_used: Count
    parameters: Annotated[tuple[Parameter, ...], Field(min_length=1, max_length=500)]
    learning: ModelLearning | None = None
    """None where nothing has been learnt."""
    definition: Annotated[str, StringConstraints(max_length=1_000_000)] | None = None
    """The model as a file: JSON, as `tongtu risk` reads it."""

    @property
    def key(self) -> str:
        """There is one shared model."""
        return "model"
