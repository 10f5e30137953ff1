"""Fixes messages for good: id, time, headers, bytes and target partition, before they go into the outbox."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from aiokafka.partitioner import murmur2

from shared.streaming.event import Message
from shared.streaming.outbox import Outgoing

PARTITIONS_CACHED = 65536
HEADERS_BYTES = 512
"""What the headers of a message take, without keys, subject and extensions."""
ID_BYTES = 16
TRACE_BYTES = 24
_JSON = ("content-type", b"application/json")


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
        self._fixed_headers: dict[str, list[tuple[str, bytes]]] = {}
        self._partition_counts: dict[str, int] = {}

    def encode(self, messages: Sequence[Message]) -> list[Outgoing]:
        """One outgoing record a message, in the same order. Raises PydanticSerializationError, KeyError (topic)."""
        now = time.time_ns() // 1_000_000
        told = ("ce_time", datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").encode())
        chance = _random_hex(len(messages), ID_BYTES + TRACE_BYTES)
        return [self._encode(message, now, told, digits) for message, digits in zip(messages, chance, strict=True)]

    def _encode(self, message: Message, now: int, told: tuple[str, bytes], digits: bytes) -> Outgoing:
        key = message.key.encode()
        partition = message.partition
        if partition is None:
            count = self._count(message.topic)
            partition = 0 if count == 1 else _key_hash(key) % count
        trace = None if message.private else message.cause.trace
        subject = key if message.subject is None else message.subject.encode()
        headers = [
            *self._fixed(message.type),
            told,
            ("ce_id", digits[: 2 * ID_BYTES]),
            ("ce_subject", subject),
            ("ce_partitionkey", key),
            ("ce_traceparent", trace.encode() if trace else _new_trace(digits)),
        ]
        size = HEADERS_BYTES + 2 * len(key) + len(subject)
        value = None
        if message.data is not None:
            headers.append(_JSON)
            data = message.data
            value = data if isinstance(data, bytes) else data.__pydantic_serializer__.to_json(data)
            size += len(value)
        if message.extensions:
            for name, text in message.extensions.items():
                if name not in ("traceparent", "partitionkey"):
                    headers.append((f"ce_{name}", text.encode()))
                    size += 4 * len(text)
        return Outgoing(f"{self._prefix}{message.topic}", partition, key, value, headers, now, size)

    def _count(self, topic: str) -> int:
        """Partitions of a topic, looked up once: counts never change, and a member's topic is found by its pattern."""
        count = self._partition_counts.get(topic)
        if count is None:
            count = self._partition_counts[topic] = self._partitions_of(topic)
        return count

    def _fixed(self, event_type: str) -> list[tuple[str, bytes]]:
        """The headers that every message of a type has."""
        headers = self._fixed_headers.get(event_type)
        if headers is None:
            headers = self._fixed_headers[event_type] = [
                ("ce_specversion", b"1.0"),
                ("ce_source", self._source),
                ("ce_type", event_type.encode()),
                ("ce_dataschema", f"urn:tongtu:schema:{event_type}".encode()),
            ]
        return headers


def _random_hex(count: int, size: int) -> list[bytes]:
    """So many random numbers of so many bytes, as hex; asked of the system at once."""
    digits = os.urandom(count * size).hex().encode()
    return [digits[start : start + 2 * size] for start in range(0, len(digits), 2 * size)]


def _new_trace(digits: bytes) -> bytes:
    """A W3C traceparent of a trace that begins here, from the random digits behind the id."""
    trace = 2 * ID_BYTES
    return b"00-%b-%b-01" % (digits[trace : trace + 32], digits[trace + 32 :])
