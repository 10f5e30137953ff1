"""Settings of the risk service."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, Field, field_validator

from services.risk.shared_model import SharedModel
from shared.runtime.settings import ServiceSettings


class RiskSettings(ServiceSettings):
    """Environment variables of the risk service, besides those of every service."""

    model: Annotated[str, Field(validation_alias=AliasChoices("TONGTU_RISK_MODEL", "model"), validate_default=True)] = (
        "2"
    )
    """The model file to start from, in services/risk/model; what outcomes have taught is added to it."""
    reassessment_batch: Annotated[
        int,
        Field(ge=1, le=1000, validation_alias=AliasChoices("TONGTU_RISK_REASSESSMENT_BATCH", "reassessment_batch")),
    ] = 250
    """Matches that a partition assesses again in one transaction; a large fan-out takes many, about one a second."""

    @field_validator("model")
    @classmethod
    def _exists_and_is_valid(cls, version: str) -> str:
        return SharedModel.load(version).version
