"""Intake's settings: environment variables TONGTU_INTAKE_... beside those of every service."""

from datetime import timedelta
from typing import Annotated

from pydantic import AliasChoices, Field

from shared.runtime.settings import ServiceSettings


class IntakeSettings(ServiceSettings):
    """How long intake remembers, and how long it waits."""

    remember_days: Annotated[
        int,
        Field(ge=1, le=3650, validation_alias=AliasChoices("TONGTU_INTAKE_REMEMBER_DAYS", "remember_days")),
    ] = 30
    """Days in which a message that is sent again is recognised; no shorter than an outbox keeps its records."""
    match_wait_hours: Annotated[
        float,
        Field(gt=0, le=168, validation_alias=AliasChoices("TONGTU_INTAKE_MATCH_WAIT_HOURS", "match_wait_hours")),
    ] = 24
    """Hours that an answer or an outcome waits for its match to be proposed."""

    @property
    def remember(self) -> timedelta:
        """How long a message is remembered."""
        return timedelta(days=self.remember_days)

    @property
    def match_wait(self) -> timedelta:
        """How long a statement waits for its match."""
        return timedelta(hours=self.match_wait_hours)
