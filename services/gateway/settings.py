"""The gateway's settings: environment variables TONGTU_GATEWAY_... beside those of every service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, model_validator

from shared.runtime.settings import ServiceSettings


def _named(name: str, **rules: Any) -> Any:
    return Field(validation_alias=AliasChoices(f"TONGTU_GATEWAY_{name.upper()}", name), **rules)


class GatewaySettings(ServiceSettings):
    """Where it listens, and how much it takes."""

    host: Annotated[str, _named("host")] = "127.0.0.1"
    """Address that members reach it on; 0.0.0.0 in a container."""
    port: Annotated[int, _named("port", ge=1, le=65535)] = 8480
    certificate: Annotated[Path | None, _named("certificate")] = None
    """PEM file of the TLS certificate chain. Without it something in front of the gateway must speak TLS: tokens are
    secrets."""
    certificate_key: Annotated[Path | None, _named("certificate_key")] = None
    """PEM file of its private key."""
    rate: Annotated[int, _named("rate", ge=1, le=1_000_000)] = 200
    """Events that a member may send in a second; of each instance."""
    connections: Annotated[int, _named("connections", ge=1, le=100_000)] = 1000
    """Connections open at a time."""
    streams: Annotated[int, _named("streams", ge=1, le=1000)] = 5
    """Streams and waiting reads that a member may have open at a time."""
    in_flight_mb: Annotated[int, _named("in_flight_mb", ge=8, le=65536)] = 64
    """Megabytes of requests that are being received, and again of records that wait for Kafka."""
    batch: Annotated[int, _named("batch", ge=1, le=1000)] = 100
    """Events in one batch."""
    head_seconds: Annotated[float, _named("head_seconds", gt=0, le=300)] = 10.0
    """In which a request's head must have come."""
    body_seconds: Annotated[float, _named("body_seconds", gt=0, le=300)] = 30.0
    """In which its body must have come."""
    kafka_seconds: Annotated[float, _named("kafka_seconds", gt=0, le=300)] = 10.0
    """In which Kafka must have acknowledged, or answered a read."""
    send_seconds: Annotated[float, _named("send_seconds", gt=0, le=300)] = 30.0
    """In which the reader of a stream must have taken what was sent; then it is dropped, and goes on by its cursor."""
    heartbeat_seconds: Annotated[float, _named("heartbeat_seconds", gt=0, le=300)] = 15.0
    """Between comments in a stream where nothing comes, so that nobody in between takes it for dead."""

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.certificate is None) != (self.certificate_key is None):
            raise ValueError("TONGTU_GATEWAY_CERTIFICATE and TONGTU_GATEWAY_CERTIFICATE_KEY go together")
        return self
