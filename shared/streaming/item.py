"""One thing in hand: a record on its way to a handler or to the dead letters, or a timer that is due."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition
from bson import json_util

from shared.contracts.dead_letter import DeadLetter, OriginalRecord
from shared.streaming.cloudevents import HEADERS_LIMIT
from shared.streaming.event import Event, Timer
from shared.streaming.record import RECORD_LIMIT, Record
from shared.streaming.subscription import Subscription

KEPT_LIMIT = RECORD_LIMIT + HEADERS_LIMIT
"""Bytes of a record that a dead letter keeps whole; base64 makes four of three."""
_TIMER = "timer."


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Why something becomes a dead letter instead of being handled."""

    error: str
    message: str
    tries: int = 1
    traceback_hash: str | None = None

    @classmethod
    def of(cls, error: BaseException, tries: int) -> Verdict:
        """The verdict over an exception; equal places in the code give equal hashes."""
        frames = traceback.extract_tb(error.__traceback__)
        place = "|".join(f"{frame.filename}:{frame.name}:{frame.lineno}" for frame in frames)
        digest = hashlib.sha256(f"{type(error).__name__}|{place}".encode()).hexdigest()[:16]
        return cls(type(error).__name__, str(error)[:4000], tries, digest)


@dataclass(slots=True, eq=False)
class Item:
    """Exactly one of: an event for a subscription, a due timer, a verdict, or (replayed before) nothing to do."""

    origin: TopicPartition
    record: Record | None = None
    event: Event[Any] | None = None
    subscription: Subscription | None = None
    timer: Timer | None = None
    verdict: Verdict | None = None

    @property
    def is_valid(self) -> bool:
        """Whether a handler is to see it."""
        return self.verdict is None and (self.event is not None or self.timer is not None)

    @property
    def due_timer(self) -> Timer | None:
        """The timer that is due, as its document says; not one that comes back from a dead letter."""
        return self.timer if self.record is None else None

    def condemned(self, verdict: Verdict) -> Item:
        """The same item as a dead letter."""
        return replace(self, verdict=verdict)

    @property
    def cause(self) -> Event[Any] | Timer:
        """What a dead letter is attributed to."""
        if self.timer is not None:
            return self.timer
        if self.event is not None:
            return self.event
        return Event("", "", "", None, None, None, self.origin.topic, None, record=self.record)

    def dead_letter(self, verdict: Verdict) -> DeadLetter:
        """The letter that keeps it, with the original bytes; content past the record limit only by its size."""
        message = verdict.message.encode("utf-8", "replace").decode()[:4000]
        if self.timer is not None:
            original = wrap_timer(self.timer)
        else:
            assert self.record is not None
            original, note = wrap(self.record)
            message = (message + note)[:4000]
        return DeadLetter(
            original=original,
            error=verdict.error[:256],
            message=message,
            traceback_hash=verdict.traceback_hash,
            tries=verdict.tries,
            first_seen=datetime.now(UTC),
        )


def wrap(record: Record) -> tuple[OriginalRecord, str]:
    """The record for a dead letter, and a note where it is too large to be kept whole."""
    headers = [(name.encode("utf-8", "surrogateescape"), value) for name, value in record.headers]
    if record.size <= KEPT_LIMIT:
        key, value, note = record.key, record.value, ""
    else:
        digest = hashlib.sha256(record.value or b"").hexdigest()
        note = f" (not kept: {record.size} bytes, sha256 of the value {digest}; it stands in its topic)"
        key, value, headers = record.key, None, []
        if len(record.key or b"") > RECORD_LIMIT // 2:
            key = None
    offset = record.offset if record.original_offset is None else record.original_offset
    return OriginalRecord.wrap(record.topic, record.partition, offset, record.timestamp, key, value, headers), note


def wrap_timer(timer: Timer) -> OriginalRecord:
    """A timer for a dead letter, under an offset that no other one has; `unwrap_timer` gives it back."""
    due = timer.due.isoformat()
    number = int.from_bytes(hashlib.sha256(f"{timer.id}|{due}".encode()).digest()[:6])
    value = json_util.dumps({"due": timer.due, "data": timer.data, "trace": timer.trace}).encode()
    return OriginalRecord.wrap(f"{_TIMER}{timer.name}", 0, number, None, timer.id.encode(), value, [])


def unwrap_timer(letter: DeadLetter, origin: TopicPartition) -> Timer | None:
    """The timer of a dead letter that came back, to be fired on `origin`; None where it holds a record."""
    original = letter.original
    if not original.topic.startswith(_TIMER) or original.key_bytes is None:
        return None
    kept = json_util.loads(original.value_bytes or b"", json_options=json_util.JSONOptions(tz_aware=True))
    id, name = original.key_bytes.decode(), original.topic.removeprefix(_TIMER)
    return Timer(name, id, kept["due"], kept["data"], origin, kept["trace"])


def unwrap(letter: DeadLetter, carrier: Record) -> Record:
    """The original record of a dead letter that came back on the replay topic."""
    original = letter.original
    return Record(
        origin=carrier.origin,
        offset=carrier.offset,
        topic=original.topic,
        partition=original.partition,
        timestamp=original.timestamp or carrier.timestamp,
        key=original.key_bytes,
        value=original.value_bytes,
        headers=[(name.decode("utf-8", "surrogateescape"), value) for name, value in original.header_bytes],
        replay_of=letter.key,
        original_offset=original.offset,
    )
