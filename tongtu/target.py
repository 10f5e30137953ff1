"""Which Kafka, MongoDB and prefix a command works on: the environment's, else those of the platform that runs here."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses and the prefix before every topic, group and database name."""

    kafka: str
    mongodb: str
    prefix: str = ""

    def topic(self, name: str) -> str:
        """The topic's name on the broker."""
        return self.prefix + name

    @property
    def environment(self) -> dict[str, str]:
        """What has another process work on the same platform."""
        return {"TONGTU_KAFKA": self.kafka, "TONGTU_MONGODB": self.mongodb, "TONGTU_PREFIX": self.prefix}

    @property
    def mongodb_shown(self) -> str:
        """MongoDB's address without what may be a password."""
        return re.sub(r"//[^@/]*@", "//", self.mongodb)


def target() -> Target:
    """Raises CommandError if no address is given and nothing runs here, SettingsError if the environment is wrong."""
    from shared.runtime.settings import ServiceSettings, load
    from tongtu.embedded.home import default_home
    from tongtu.embedded.lock import running
    from tongtu.errors import CommandError
    from tongtu.supervision.state import read_state

    settings = load(ServiceSettings)
    given = settings.model_fields_set
    if {"kafka", "mongodb"} <= given:
        return Target(settings.kafka, settings.mongodb, settings.prefix)
    home = default_home()
    state = read_state(home)
    if state is not None and state.addresses is not None:
        kafka, mongodb, prefix = state.addresses.kafka, state.addresses.mongodb, state.prefix
    else:
        found = running(home)
        if found is None or found.addresses is None:
            raise CommandError(
                f"nothing runs on {home}: start it with `tongtu up --detach`, "
                "or give the addresses in TONGTU_KAFKA and TONGTU_MONGODB"
            )
        kafka, mongodb, prefix = found.addresses.kafka, found.addresses.mongodb, ""
    return Target(
        settings.kafka if "kafka" in given else kafka,
        settings.mongodb if "mongodb" in given else mongodb,
        settings.prefix if "prefix" in given else prefix,
    )
