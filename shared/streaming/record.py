"""A Kafka record as the core handles it, whether it could be read or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition

RECORD_LIMIT = 1024 * 1024
"""Bytes of key and value together, decompressed; more is refused. Headers have a limit of their own."""

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(slots=True, eq=False)
class Record:
    """Key, value and headers exactly as they were written.

    Header keys are str decoded with surrogateescape, so that `key.encode("utf-8", "surrogateescape")` gives the bytes
    back even where they are not UTF-8. `origin` is where it was read and where its position moves; `topic` is its
    logical topic, which differs for a replayed dead letter.
    """

    origin: TopicPartition
    offset: int
    topic: str
    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    last_offset: int | None = None
    """Set where one record stands for a whole batch that cannot be read: the batch's last offset."""
    unreadable: str | None = None
    """Why the batch could not be read."""
    replay_of: str | None = None
    """The dead letter's key, where the record is replayed."""
    original_offset: int | None = None
    """Its offset in `topic`, where that is not the one it was read at."""

    @property
    def next_offset(self) -> int:
        """The offset to go on from once this record is dealt with."""
        return (self.offset if self.last_offset is None else self.last_offset) + 1

    @property
    def is_too_large(self) -> bool:
        """Whether it is over RECORD_LIMIT."""
        return len(self.key or b"") + len(self.value or b"") > RECORD_LIMIT

    @property
    def size(self) -> int:
        """Bytes of key, value and headers, decompressed."""
        total = len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:
            total += len(name) + len(value or b"")
        return total
