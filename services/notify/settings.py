"""Settings of the notify service."""

from __future__ import annotations

from shared.runtime.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """Environment variables of every service; notify has none of its own."""
