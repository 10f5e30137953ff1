"""Settings of the risk service."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, Field, field_validator

from services.risk.shared_model import SharedModel
from shared.runtime.settings import ServiceSettings


class RiskSettings(ServiceSettings):
    """Environment variables of the risk service, besides those of every service."""

    model: Annotated[str, Field(validation_alias=AliasChoices("TONGTU_RISK_MODEL", "model"), validate_default=True)] = (
        "1"
    )
    """Version of the shared risk model to assess with: the name of a file in services/risk/model."""

    @field_validator("model")
    @classmethod
    def _exists_and_is_valid(cls, version: str) -> str:
        return SharedModel.load(version).version
