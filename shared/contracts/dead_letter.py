"""A record that could not be handled, kept byte for byte."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.base import EventData, Value

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
"""Standard alphabet; the empty string is empty bytes, null is null."""


class OriginalHeader(Value):
    """One header; its key is bytes too, because Kafka does not promise UTF-8."""

    key: Base64
    value: Base64 | None


class OriginalRecord(Value):
    """A Kafka record as it was read; null is kept apart from empty."""

    topic: Annotated[str, StringConstraints(min_length=1, max_length=249)]
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    timestamp: int | None
    """Milliseconds since 1970, as the log has it."""
    key: Base64 | None
    value: Base64 | None
    headers: tuple[OriginalHeader, ...]

    @classmethod
    def wrap(
        cls,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[bytes, bytes | None]],
    ) -> "OriginalRecord":
        """The record of these bytes."""
        return cls(
            topic=topic,
            partition=partition,
            offset=offset,
            timestamp=timestamp,
            key=_encoded(key),
            value=_encoded(value),
            headers=tuple(OriginalHeader(key=_encoded(k) or "", value=_encoded(v)) for k, v in headers),
        )

    @property
    def key_bytes(self) -> bytes | None:
        """The key as it was."""
        return _decoded(self.key)

    @property
    def value_bytes(self) -> bytes | None:
        """The value as it was."""
        return _decoded(self.value)

    @property
    def header_bytes(self) -> list[tuple[bytes, bytes | None]]:
        """The headers as they were, in order."""
        return [(base64.b64decode(header.key), _decoded(header.value)) for header in self.headers]


class DeadLetter(EventData):
    """The original record, why it could not be handled, and how often that was tried."""

    topic: ClassVar[str] = "{service}.dead-letters"
    type: ClassVar[str] = "tongtu.dead-letter.v1"

    original: OriginalRecord
    error: Annotated[str, StringConstraints(max_length=256)]
    """Short name of what went wrong, such as a class of exceptions."""
    message: Annotated[str, StringConstraints(max_length=4_000)]
    traceback_hash: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Equal for equal places in the code, so that letters can be counted by cause."""
    tries: Annotated[int, Field(ge=0)]
    first_seen: datetime

    @property
    def key(self) -> str:
        """Where the original stands, so that a record has one letter only."""
        return f"{self.original.topic}/{self.original.partition}/{self.original.offset}"


def _encoded(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode("ascii")


def _decoded(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)
