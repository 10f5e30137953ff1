"""Makes items of records: which handler they are for, or why they become dead letters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from shared.contracts.dead_letter import DeadLetter
from shared.streaming.item import Item, Verdict, unwrap, unwrap_timer
from shared.streaming.record import Record
from shared.streaming.subscription import Invalid, Subscription, to_event

log = structlog.get_logger(__name__)


class ItemReader:
    """Reads the records of one consumer group. Never raises: whatever a record holds, it stops nobody else's."""

    def __init__(
        self, prefix: str, subscriptions: Sequence[Subscription], timers: Collection[str], replay_topic: str
    ) -> None:
        self._prefix = prefix
        self._subscriptions = subscriptions
        self._timers = timers
        self._replay_topic = replay_topic
        self._by_topic: dict[str, Subscription | None] = {}

    def topic(self, name: str) -> str:
        """The logical topic of a topic's whole name."""
        return name.removeprefix(self._prefix)

    def record(self, raw: ConsumerRecord[Any, Any] | Record, origin: TopicPartition, topic: str) -> Record:
        """The record as the core handles it."""
        if isinstance(raw, Record):
            return replace(raw, topic=topic)
        return Record(origin, raw.offset, topic, raw.partition, raw.timestamp, raw.key, raw.value, raw.headers)

    def item(self, record: Record) -> Item:
        """What is to be done with the record; a replayed dead letter is opened."""
        subscription = self._subscription_of(record.topic)
        if subscription is None and record.topic == self._replay_topic:
            return self._replayed(record)
        if subscription is None:
            verdict = Verdict("NoHandler", f"nothing here handles {record.topic}")
            return Item(record.origin, record, verdict=verdict)
        return self._event(record, subscription)

    def _event(self, record: Record, subscription: Subscription) -> Item:
        try:
            return Item(record.origin, record, to_event(record, subscription), subscription)
        except Invalid as invalid:
            return Item(record.origin, record, verdict=Verdict(invalid.error, str(invalid)))
        except Exception as error:
            log.exception("record_unexpected", topic=record.topic, offset=record.offset)
            return Item(record.origin, record, verdict=Verdict.of(error, 1))

    def _replayed(self, carrier: Record) -> Item:
        if carrier.value is None:
            return Item(carrier.origin, carrier)
        try:
            letter = DeadLetter.model_validate_json(carrier.value)
            timer = unwrap_timer(letter, carrier.origin)
        except Exception as error:
            verdict = Verdict("Invalid", f"not a dead letter: {error}"[:4000])
            return Item(carrier.origin, carrier, verdict=verdict)
        record = unwrap(letter, carrier)
        if timer is not None and timer.name in self._timers:
            return Item(carrier.origin, record, timer=timer)
        subscription = self._subscription_of(record.topic)
        if subscription is None:  # another consumer group of this service handles it
            return Item(carrier.origin, record)
        return self._event(record, subscription)

    def _subscription_of(self, topic: str) -> Subscription | None:
        try:
            return self._by_topic[topic]
        except KeyError:
            found = next((each for each in self._subscriptions if each.takes(topic)), None)
            self._by_topic[topic] = found
            return found
