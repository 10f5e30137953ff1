"""Settings that every service has: where Kafka and MongoDB are, how it names things, what it logs."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Environment variables with their defaults. A service's own settings are `TONGTU_<SERVICE>_...`."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    kafka: Annotated[str, Field(validation_alias=AliasChoices("TONGTU_KAFKA", "kafka"))] = "127.0.0.1:19092"
    """Bootstrap servers, separated by commas; the default is the embedded broker's address."""
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


S = TypeVar("S", bound=ServiceSettings)


class SettingsError(Exception):
    """What is wrong with the environment, in one line a variable."""


def load(kind: type[S]) -> S:
    """Reads the settings of a service. Raises SettingsError that names every wrong variable at once."""
    try:
        return kind()
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"settings: {faults}") from error
