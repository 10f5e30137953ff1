"""Settings that every service has: where Kafka and MongoDB are, how it names things, what it logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime.login import Login, LoginError


class ServiceSettings(BaseSettings):
    """Environment variables with their defaults. A service's own settings are `TONGTU_<SERVICE>_...`."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True, env_ignore_empty=True)

    kafka: Annotated[str, Field(validation_alias=AliasChoices("TONGTU_KAFKA", "kafka"))] = "127.0.0.1:19092"
    """Bootstrap servers, separated by commas; the default is the embedded broker's address."""
    kafka_user: Annotated[str | None, Field(validation_alias=AliasChoices("TONGTU_KAFKA_USER", "kafka_user"))] = None
    """The SCRAM-SHA-512 user of this process on a secured Kafka; without it Kafka is not secured."""
    kafka_password_file: Annotated[
        Path | None, Field(validation_alias=AliasChoices("TONGTU_KAFKA_PASSWORD_FILE", "kafka_password_file"))
    ] = None
    """The file whose first line is that user's password. A file: environments and arguments are seen by more."""
    kafka_ca_file: Annotated[
        Path | None, Field(validation_alias=AliasChoices("TONGTU_KAFKA_CA_FILE", "kafka_ca_file"))
    ] = None
    """PEM file of the authorities that may certify Kafka, or `system` for those that the system trusts; with it every
    connection to Kafka is TLS and verifies the host name, without it none is."""
    mongodb: Annotated[str, Field(validation_alias=AliasChoices("TONGTU_MONGODB", "mongodb"))] = (
        "mongodb://127.0.0.1:27117/?replicaSet=rs0"
    )
    """URI of a replica set (transactions need one); the default is the embedded one's."""
    prefix: Annotated[
        str, Field(pattern=r"^[a-z0-9.-]{0,40}$", validation_alias=AliasChoices("TONGTU_PREFIX", "prefix"))
    ] = ""
    """Goes before every topic, consumer group and database name, so that several platforms share one cluster."""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(validation_alias=AliasChoices("TONGTU_LOG", "log_level"))
    ] = "info"
    health_host: Annotated[str, Field(validation_alias=AliasChoices("TONGTU_HEALTH_HOST", "health_host"))] = "127.0.0.1"
    """Address that health and metrics are served on; 0.0.0.0 in a container."""
    health_port: Annotated[
        int, Field(ge=0, le=65535, validation_alias=AliasChoices("TONGTU_HEALTH_PORT", "health_port"))
    ] = 0
    """Port for /live, /ready and /metrics; 0 serves none."""
    max_records: Annotated[
        int, Field(ge=1, le=10_000, validation_alias=AliasChoices("TONGTU_MAX_RECORDS", "max_records"))
    ] = 2000
    """Records in one poll, and so in one MongoDB and one Kafka transaction."""
    session_timeout: Annotated[
        float, Field(ge=1, le=300, validation_alias=AliasChoices("TONGTU_SESSION_TIMEOUT", "session_timeout"))
    ] = 10.0
    """Seconds of silence after which an instance loses its partitions."""

    @model_validator(mode="after")
    def _user_and_password_go_together(self) -> Self:
        if (self.kafka_user is None) != (self.kafka_password_file is None):
            raise ValueError("TONGTU_KAFKA_USER and TONGTU_KAFKA_PASSWORD_FILE go together: set both, or neither")
        if self.kafka_ca_file is not None and self.kafka_user is None:
            raise ValueError("TONGTU_KAFKA_CA_FILE needs TONGTU_KAFKA_USER: over TLS, too, Kafka asks for a login")
        return self

    @property
    def login(self) -> Login | None:
        """How this process logs in to Kafka; None where Kafka is not secured."""
        if self.kafka_user is None or self.kafka_password_file is None:
            return None
        return Login(self.kafka_user, self.kafka_password_file, self.kafka_ca_file)

    @property
    def kafka_security(self) -> dict[str, Any]:
        """What every aiokafka client of this process is given beside the address. Raises LoginError."""
        return self.login.for_aiokafka() if self.login else {}


S = TypeVar("S", bound=ServiceSettings)


class SettingsError(Exception):
    """What is wrong with the environment, in one line a variable."""


def load(kind: type[S]) -> S:
    """Reads the settings of a service. Raises SettingsError that names every wrong variable at once."""
    try:
        settings = kind()
        settings.kafka_security  # noqa: B018 - a password that cannot be read is told now, not by a client that retries
        return settings
    except LoginError as error:
        raise SettingsError(str(error)) from None
    except ValidationError as error:
        faults = "; ".join(": ".join([".".join(map(str, fault["loc"])), fault["msg"]]) for fault in error.errors())
        raise SettingsError(f"settings: {faults}") from error
