"""What a handler sees and returns: events in, messages out, timers in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from shared.streaming.record import Record

D = TypeVar("D", covariant=True)

# Events and messages are not to be changed. They are not `frozen`, which would make each three times as slow to make.

NO_EXTENSIONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what was received: an RFC 6901 pointer and a sentence."""

    pointer: str
    message: str


@dataclass(slots=True, eq=False)
class Event(Generic[D]):
    """One CloudEvent.

    `data` is the validated model on a typed subscription, the value as bytes on a raw one, and None for a null
    record (withdrawn, closed, no longer holds). `problems` is only ever filled on raw subscriptions; elsewhere an
    event with problems becomes a dead letter before a handler sees it.
    """

    id: str
    source: str
    type: str
    subject: str | None
    time: str | None
    key: str | None
    topic: str
    data: D | None
    extensions: Mapping[str, str] = field(default_factory=lambda: NO_EXTENSIONS)
    content_type: str | None = None
    problems: tuple[Problem, ...] = ()
    record: Record | None = field(default=None, repr=False)
    """The Kafka record behind the event: for the core alone."""

    @property
    def origin(self) -> TopicPartition:
        """The input partition this event was read from: for the core alone."""
        if self.record is None:
            raise ValueError("this event was made by hand and has no input partition")
        return self.record.origin

    @property
    def stream(self) -> str:
        """The input partition in one word, for state that is kept by partition: one process has it, in order."""
        return f"{self.origin.topic}/{self.origin.partition}"

    @property
    def trace(self) -> str | None:
        """W3C traceparent, handed on to whatever this event causes."""
        return self.extensions.get("traceparent")


@dataclass(frozen=True, slots=True, eq=False)
class Timer:
    """A due moment that a handler asked for; fired once, by whoever owns the input partition it came from."""

    name: str
    id: str
    due: datetime
    data: dict[str, Any]
    origin: TopicPartition
    trace: str | None = None


@dataclass(slots=True, eq=False)
class Message:
    """One event to publish. Messages with the same cause partition and target partition keep their order.

    The core adds id, source, time, traceparent and partitionkey. `data` as bytes is JSON that is written already;
    `data=None` writes a null record. `private` starts a new trace, so that what goes to a member cannot be joined to
    what came from another one.
    """

    topic: str
    key: str
    type: str
    data: BaseModel | bytes | None
    cause: Event[Any] | Timer
    subject: str | None = None
    extensions: Mapping[str, str] = field(default_factory=lambda: NO_EXTENSIONS)
    private: bool = False
    partition: int | None = None
    """Target partition; the default is Kafka's own choice for the key (murmur2)."""
