"""What a model file is made of: numbers with their unit, their source and how well they are known."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Tag = Literal["V", "S", "U"]
"""How well a number is known: V read at its source, S restated by a third party, U an assumption."""

TechnologyReadiness = Annotated[int, Field(ge=1, le=9)]


class Part(BaseModel):
    """A part of a model file: never changed, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)


class Parameter(Part):
    """One number with its unit and where it comes from."""

    value: float = Field(ge=0, allow_inf_nan=False)
    unit: str
    source: str = Field(min_length=1)
    tag: Tag


class Range(Part):
    """Relative deviation from an estimate at its lower and upper end, e.g. -0.3 and +0.5."""

    low: float = Field(gt=-1, le=0)
    high: float = Field(ge=0, le=10)
    source: str = Field(min_length=1)
    tag: Tag
