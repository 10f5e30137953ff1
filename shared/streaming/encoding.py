"""Fixes messages for good: id, time, headers, bytes and target partition, before they go into the outbox."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache

from aiokafka.partitioner import murmur2

from shared.streaming.event import Message
from shared.streaming.outbox import Headers, Outgoing

PARTITIONS_CACHED = 65536


@lru_cache(PARTITIONS_CACHED)
def _key_hash(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


class Encoder:
    """Turns messages into outgoing records of one service."""

    def __init__(self, service: str, prefix: str, partitions_of: Callable[[str], int]) -> None:
        """`partitions_of` gives the partition count of a logical topic; `prefix` goes before every topic's name."""
        self._source = f"/services/{service}".encode()
        self._prefix = prefix
        self._partitions_of = partitions_of

    def encode(self, messages: Iterable[Message]) -> list[Outgoing]:
        """One outgoing record a message, in the same order. Raises PydanticSerializationError, KeyError (topic)."""
        now = time.time_ns() // 1_000_000
        told = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").encode()
        return [self._encode(message, now, told) for message in messages]

    def _encode(self, message: Message, now: int, told: bytes) -> Outgoing:
        key = message.key.encode()
        partition = message.partition
        if partition is None:
            count = self._partitions_of(message.topic)
            partition = 0 if count == 1 else _key_hash(key) % count
        trace = None if message.private else message.cause.trace
        event_type = message.type.encode()
        headers: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", os.urandom(16).hex().encode()),
            ("ce_source", self._source),
            ("ce_type", event_type),
            ("ce_time", told),
            ("ce_subject", (message.subject or message.key).encode()),
            ("ce_dataschema", b"urn:tongtu:schema:" + event_type),
            ("ce_partitionkey", key),
            ("ce_traceparent", (trace or new_trace()).encode()),
        ]
        value = None
        if message.data is not None:
            headers.append(("content-type", b"application/json"))
            value = message.data.__pydantic_serializer__.to_json(message.data)
        for name, text in message.extensions.items():
            if name not in ("traceparent", "partitionkey"):
                headers.append((f"ce_{name}", text.encode()))
        return Outgoing(f"{self._prefix}{message.topic}", partition, key, value, headers, now)


def new_trace() -> str:
    """A W3C traceparent of a trace that begins here."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"

