"""How reported outcomes move the model: each number with its source, as part of the model."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from services.risk.parameter import Parameter, Part

NOT_REPORTED = "1 until durations are reported"


def _assumed(value: float, unit: str, why: str) -> Parameter:
    return Parameter(value=value, unit=unit, source=f"assumption: {why}", tag="U")


class LearningParameters(Part):
    """A model file may leave them out: then these hold."""

    half_life: Parameter = _assumed(
        3, "years", "techniques and funding change within a few years; no published figure found"
    )
    """An outcome that is so much older than the latest weighs half as much. Above 0."""
    field_weight: Parameter = _assumed(
        20, "outcomes", "as much as the prior of a gate; how much fields differ is not published"
    )
    """What a field takes over from all others weighs so much."""
    field_least_outcomes: Parameter = _assumed(5, "outcomes", "fewer say little beside what is taken over")
    """Weight of outcomes from which a field has a figure of its own."""
    field_least_members: Parameter = _assumed(
        3, "members", "so that no figure of a field tells what one member reported; customary in official statistics"
    )
    member_weight: Parameter = _assumed(5, "outcomes", "a quarter of the prior of a gate")
    """The most that the outcomes of one member weigh together at one gate, and in the months. Above 0."""
    months_weight: Parameter = _assumed(10, "durations", "half the prior of a gate: durations are told more exactly")
    """What the prior of months and of their spread weighs. Above 0."""
    months_horizon: Parameter = _assumed(
        3,
        "years",
        "as long as from a first assessment to the later gates; bench.calibration tries it",
    )
    """The spread of months holds how far they have moved within so many years. Whole quarters; 0: they do not move."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.half_life.value, self.member_weight.value, self.months_weight.value, self.field_weight.value) <= 0:
            raise ValueError("half_life, member_weight, months_weight and field_weight of learning must be above 0")
        quarters = 4 * self.months_horizon.value
        if quarters < 0 or quarters != round(quarters):
            raise ValueError("months_horizon of learning must be whole quarters, 0 or more")
        return self
