"""Which handler gets which events, and how a record becomes an event for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from shared.streaming import cloudevents
from shared.streaming.event import Event, Message, Problem, Timer
from shared.streaming.record import RECORD_LIMIT, Record
from shared.streaming.unit_of_work import UnitOfWork

Handler = Callable[[Sequence[Event[Any]], UnitOfWork], Awaitable[Iterable[Message]]]
TimerHandler = Callable[[Sequence[Timer], UnitOfWork], Awaitable[Iterable[Message]]]


class Contract(Protocol):
    """A pydantic model class that says which topic it travels on."""

    topic: str


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """A handler with its topic (typed: the value is validated by `model`) or its topic pattern (raw bytes)."""

    handler: Handler
    topic: str | None = None
    pattern: re.Pattern[str] | None = None
    model: type[BaseModel] | None = None

    def takes(self, topic: str) -> bool:
        """Whether records of this logical topic go to the handler."""
        if self.pattern is not None:
            return self.pattern.fullmatch(topic) is not None
        return topic == self.topic


class Invalid(Exception):
    """A record that no handler should see; becomes a dead letter at once."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def to_event(record: Record, subscription: Subscription) -> Event[Any]:
    """The event for a subscription's handler. Raises Invalid on a typed subscription; a raw one gets `problems`."""
    if subscription.model is None:
        return _raw(record)
    if record.unreadable is not None:
        raise Invalid("Unreadable", record.unreadable)
    if record.is_too_large:
        raise Invalid("TooLarge", f"{record.size} bytes; at most {RECORD_LIMIT}")
    event: Event[Any] = cloudevents.decode(record, record.topic)
    if event.problems:
        raise Invalid("NotACloudEvent", "; ".join(f"{p.pointer} {p.message}" for p in event.problems))
    if event.data is None:
        return event
    try:
        event.data = subscription.model.__pydantic_validator__.validate_json(event.data)
    except ValidationError as error:
        raise Invalid("Invalid", str(error)[:4000]) from error
    return event


def _raw(record: Record) -> Event[bytes]:
    if record.unreadable is not None:
        return _empty(record, Problem("", f"cannot be read: {record.unreadable}"))
    if record.is_too_large:
        # Its headers are read all the same, so that whoever is told knows which of its events it was.
        event = cloudevents.decode(replace(record, value=None), record.topic)
        event.problems = (Problem("", f"is {record.size} bytes; at most {RECORD_LIMIT} are taken"),)
        event.record = record
        return event
    return cloudevents.decode(record, record.topic)


def _empty(record: Record, problem: Problem) -> Event[bytes]:
    return Event("", "", "", None, None, None, record.topic, None, problems=(problem,), record=record)
