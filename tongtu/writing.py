"""Writes CloudEvents in binary mode: acknowledged by all replicas, once each, in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Self, cast

from aiokafka import AIOKafkaProducer, TopicPartition

from tongtu.target import Target

_BATCH_BYTES = 256 * 1024
_REQUEST_BYTES = 8 * 1024 * 1024
"""Above the largest record that any topic takes (4 MiB); how much a topic takes the broker decides."""
_LINGER_MILLISECONDS = 5
_NONE: Mapping[str, str] = MappingProxyType({})

Headers = list[tuple[str, bytes]]
AnyHeaders = Sequence[tuple[str, bytes | None]]


def event_headers(
    type: str,
    source: str,
    id: str | None = None,
    subject: str | None = None,
    extensions: Mapping[str, str] = _NONE,
    has_data: bool = True,
) -> Headers:
    """Attributes of a CloudEvent as Kafka headers; without an id it gets a random one."""
    attributes = {
        "specversion": "1.0",
        "id": id or os.urandom(16).hex(),
        "source": source,
        "type": type,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **({"subject": subject} if subject else {}),
        **extensions,
    }
    headers = [(f"ce_{name}", value.encode("utf-8", "replace")) for name, value in attributes.items()]
    return [*headers, ("content-type", b"application/json")] if has_data else headers


class Writer:
    """An idempotent producer. After a failed send it is done with: what follows could overtake what failed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._producer = AIOKafkaProducer(
            bootstrap_servers=target.kafka,
            **target.kafka_security,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=_LINGER_MILLISECONDS,
            max_batch_size=_BATCH_BYTES,
            max_request_size=_REQUEST_BYTES,
        )

    async def __aenter__(self) -> Self:
        """Connects. Raises KafkaError."""
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(
        self, topic: str, key: str | bytes | None, value: bytes | None, headers: AnyHeaders
    ) -> asyncio.Future[Any]:
        """Hands a record over; the future gives its place once it is acknowledged. Waits while the buffer is full."""
        raw = key.encode() if isinstance(key, str) else key
        return await self._producer.send(self._target.topic(topic), value, key=raw, headers=cast(Any, headers))

    async def write(self, topic: str, key: str, value: bytes | None, headers: Headers) -> TopicPartition:
        """Writes one record and waits until it stands in the log. Raises KafkaError."""
        return await (await self.send(topic, key, value, headers))
