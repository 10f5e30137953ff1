"""Settings of the notify service: environment variables TONGTU_NOTIFY_... beside those of every service."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic_settings import NoDecode

from services.notify.channels.breaker import Limits
from services.notify.channels.courier import Sending
from services.notify.channels.schedule import RECOMMENDED_WAITS, Schedule
from shared.runtime.settings import ServiceSettings


def _named(name: str, **rules: Any) -> Any:
    return Field(validation_alias=AliasChoices(f"TONGTU_NOTIFY_{name.upper()}", name), **rules)


def _separated(value: Any) -> Any:
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


class NotifySettings(ServiceSettings):
    """How much is sent to members' own systems, how often, and where to."""

    plain_targets: Annotated[bool, _named("plain_targets")] = False
    """Whether webhooks may go to http addresses: for tests and demonstrations."""
    allowed_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_separated), _named("allowed_networks")
    ] = ()
    """Networks, separated by commas, that webhooks may go to although they are not public, such as 10.1.0.0/16."""
    sends: Annotated[int, _named("sends", ge=1, le=1000)] = 32
    """Deliveries that are sent at a time; of each instance."""
    sends_to_one: Annotated[int, _named("sends_to_one", ge=1, le=100)] = 4
    """Of them to one endpoint; of all instances together."""
    send_seconds: Annotated[float, _named("send_seconds", gt=0, le=120)] = 15.0
    """In which a receiver must have answered."""
    retry_seconds: Annotated[
        tuple[Annotated[float, Field(gt=0, le=432_000)], ...],
        NoDecode,
        BeforeValidator(_separated),
        _named("retry_seconds", min_length=1, max_length=50),
    ] = RECOMMENDED_WAITS
    """Waits between tries, separated by commas; after the last one a delivery is given up."""
    pause_seconds: Annotated[float, _named("pause_seconds", gt=0, le=3600)] = 60.0
    """How long an endpoint is left alone that failed five times in a row; doubles up to an hour while it is dead."""

    @property
    def sending(self) -> Sending:
        """The same as the sender takes it."""
        limits = Limits(in_flight=self.sends_to_one, first_pause=timedelta(seconds=self.pause_seconds))
        return Sending(self.sends, self.send_seconds, Schedule(self.retry_seconds), limits)
