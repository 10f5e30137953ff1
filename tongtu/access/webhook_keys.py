"""The keys that webhook secrets are sealed with: the registry has the public one, notify alone the private one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from shared.runtime.sealing import SealingKeyError, new_private_key, public_key_of, seal
from tongtu.access.passwords import write_private
from tongtu.embedded.home import default_home
from tongtu.errors import CommandError
from tongtu.supervision.state import read_state
from tongtu.target import Target

NOTIFY_VARIABLE = "TONGTU_NOTIFY_WEBHOOK_KEY_FILE"
REGISTRY_VARIABLE = "TONGTU_WEBHOOK_PUBLIC_KEY_FILE"


@dataclass(frozen=True, slots=True)
class WebhookKeys:
    """Both files in their folder."""

    folder: Path

    @classmethod
    def at(cls, home: Path) -> WebhookKeys:
        """Where the platform on a home has them."""
        return cls(home / "notify")

    @property
    def private(self) -> Path:
        """For notify; the newest key first."""
        return self.folder / "webhooks.key"

    @property
    def public(self) -> Path:
        """For the registry; no secret."""
        return self.folder / "webhooks.pub"

    def make(self) -> None:
        """Makes what is missing. Raises OSError, SealingKeyError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.private.exists():
            self._write(new_private_key())
        elif not self.public.exists():
            self._write(self.private.read_text(encoding="utf-8"))

    def renew(self) -> None:
        """From now on everything is sealed with a new key; notify still opens what was sealed before."""
        self.make()
        self._write(new_private_key() + self.private.read_text(encoding="utf-8"))

    def _write(self, private: str) -> None:
        public = public_key_of(private)
        write_private(self.private, private)  # before anybody seals with it
        write_private(self.public, public)


def sealed(secret: str, purpose: str, platform: Target) -> str:
    """The secret as only the notify of this platform can read it. Raises CommandError."""
    named = os.environ.get(REGISTRY_VARIABLE)
    file = Path(named) if named else _key_at_home(platform)
    if file is None:
        raise CommandError(
            f"webhook secrets are sealed for notify: give its public key in {REGISTRY_VARIABLE} "
            "(`tongtu access webhook-key` makes one)"
        )
    try:
        return seal(secret, file, purpose)
    except SealingKeyError as error:
        raise CommandError(f"{file} cannot be used as notify's public key ({error}): set {REGISTRY_VARIABLE}") from None


def _key_at_home(platform: Target) -> Path | None:
    """That of the platform that runs here, for no other: what another notify cannot open is never sent."""
    home = default_home()
    state = read_state(home)
    file = WebhookKeys.at(home).public
    is_here = state is not None and state.addresses is not None and state.addresses.kafka == platform.kafka
    return file if is_here and file.exists() else None
