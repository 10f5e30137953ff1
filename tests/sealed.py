"""Keys for webhook secrets, as a platform has them: made once for a run of the tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.contracts.channels import ChannelsConfigured
from shared.runtime.sealing import seal
from tongtu.access.webhook_keys import WebhookKeys


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="tongtu-keys-")


@cache
def keys() -> WebhookKeys:
    """Of the registry and of notify."""
    made = WebhookKeys(Path(_folder().name))
    made.make()
    return made


def sealed(secret: str, member: str) -> str:
    """A secret as it stands in the entry of a member."""
    purpose = ChannelsConfigured(member=member, version=1).purpose
    return seal(secret, keys().public, purpose)
