"""Settings of the notify service: environment variables TONGTU_NOTIFY_... beside those of every service."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AliasChoices, Field, model_validator

from services.notify.waiting import Patience
from shared.runtime.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """How long an answer is waited for."""

    reminder_days: Annotated[
        float,
        Field(gt=0, le=365, validation_alias=AliasChoices("TONGTU_NOTIFY_REMINDER_DAYS", "reminder_days")),
    ] = 14
    """Days after which a side that has not answered a proposal is reminded, once."""
    lapse_days: Annotated[
        float,
        Field(gt=0, le=3650, validation_alias=AliasChoices("TONGTU_NOTIFY_LAPSE_DAYS", "lapse_days")),
    ] = 45
    """Days after which a proposal that a side has not answered is taken back; more than until the reminder."""

    @model_validator(mode="after")
    def _reminds_before_it_lapses(self) -> Self:
        if self.lapse_days <= self.reminder_days:
            raise ValueError("TONGTU_NOTIFY_LAPSE_DAYS must be more than TONGTU_NOTIFY_REMINDER_DAYS")
        return self

    @property
    def patience(self) -> Patience:
        """How long an answer is waited for."""
        return Patience(timedelta(days=self.reminder_days), timedelta(days=self.lapse_days))
