"""Which Kafka, MongoDB and prefix a command works on: the environment's, else those of the platform that runs here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.runtime.login import Login

if TYPE_CHECKING:
    from tongtu.embedded.lock import Addresses


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses, the prefix before every topic, group, user and database name, and how to log in to Kafka."""

    kafka: str
    mongodb: str
    prefix: str = ""
    login: Login | None = None
    """None where Kafka is not secured."""

    @property
    def kafka_security(self) -> dict[str, Any]:
        """What every aiokafka client is given beside the address. Raises LoginError."""
        return self.login.for_aiokafka() if self.login else {}

    def topic(self, name: str) -> str:
        """The topic's name on the broker."""
        return self.prefix + name

    @property
    def environment(self) -> dict[str, str]:
        """What has another process work on the same platform."""
        variables = {"TONGTU_KAFKA": self.kafka, "TONGTU_MONGODB": self.mongodb, "TONGTU_PREFIX": self.prefix}
        return variables | (self.login.environment if self.login else {})

    def logged_in_as(self, login: Login | None) -> Target:
        """The same platform for another user."""
        return replace(self, login=login)

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
        return Target(settings.kafka, settings.mongodb, settings.prefix, settings.login)
    home = default_home()
    state = read_state(home)
    if state is not None and state.addresses is not None:
        addresses, prefix = state.addresses, state.prefix
    else:
        found = running(home)
        if found is None or found.addresses is None:
            raise CommandError(
                f"nothing runs on {home}: start it with `tongtu up --detach`, "
                "or give the addresses in TONGTU_KAFKA and TONGTU_MONGODB"
            )
        addresses, prefix = found.addresses, ""
    return Target(
        settings.kafka if "kafka" in given else addresses.kafka,
        settings.mongodb if "mongodb" in given else addresses.mongodb,
        settings.prefix if "prefix" in given else prefix,
        # An administrator's password is for the server that it was made for, not for one that the environment names.
        settings.login or (None if "kafka" in given else login_at(addresses)),
    )


def login_at(addresses: Addresses) -> Login | None:
    """The administrator's login at embedded servers; None where they are not secured."""
    if addresses.kafka_user is None or addresses.kafka_password_file is None:
        return None
    authority = Path(addresses.kafka_ca_file) if addresses.kafka_ca_file else None
    return Login(addresses.kafka_user, Path(addresses.kafka_password_file), authority)
