"""A member's own system: librdkafka, the CloudEvents SDK and the published JSON Schemas, nothing of Tongtu's code."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cloudevents.core.bindings import kafka as binding
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from jsonschema import Draft202012Validator, FormatChecker

SCHEMAS = Path(__file__).parents[2] / "shared" / "contracts" / "schemas"
"""What the platform publishes about its messages."""
DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Letter:
    """One message in an inbox, as the SDK reads it."""

    event: CloudEvent
    offset: int
    visible: bytes
    """Key, headers and value: all that its reader can see."""

    @property
    def id(self) -> str:
        """The event's id, which tells a repetition."""
        return self.event.get_id()

    @property
    def type(self) -> str:
        """The event's type."""
        return self.event.get_type()

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.event.get_subject() or ""

    @property
    def data(self) -> dict[str, Any]:
        """What it says."""
        data = self.event.get_data()
        assert isinstance(data, dict), data
        return data


class ForeignMember:
    """Writes into one outbox and reads one inbox."""

    def __init__(self, kafka: str, prefix: str, name: str, login: Mapping[str, str] | None = None) -> None:
        """`login` are librdkafka's settings for a secured Kafka."""
        self.name = name
        connection: dict[str, Any] = {"bootstrap.servers": kafka, **(login or {})}
        self._outbox, self._inbox = f"{prefix}member.{name}.outbox", f"{prefix}member.{name}.inbox"
        self._producer = Producer({**connection, "enable.idempotence": True, "linger.ms": 0})
        self._consumer = Consumer(
            {
                **connection,
                "group.id": f"{prefix}member.{name}.{uuid.uuid4().hex[:8]}",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        self._consumer.subscribe([self._inbox])
        self.letters: list[Letter] = []
        """What was read until now, in order."""
        self._at_end = False

    def close(self) -> None:
        """Leaves the group."""
        self._consumer.close()

    def say(
        self, type: str, data: Mapping[str, Any] | None, *, structured: bool = False, id: str = "", **attributes: str
    ) -> str:
        """Writes one event and waits until it stands in the log; gives the event's id. No data: a null record."""
        chosen = {"id": id or uuid.uuid4().hex, "source": f"/members/{self.name}/system", "type": type}
        if data is not None:
            chosen["datacontenttype"] = "application/json"
        event = CloudEvent(chosen | attributes, None if data is None else dict(data))
        convert = binding.to_structured_event if structured else binding.to_binary_event
        message = convert(event, key_mapper=lambda _: attributes.get("subject"))
        failures: list[Any] = []

        def note(error: Any, _: Any) -> None:
            if error is not None:
                failures.append(error)

        self._producer.produce(
            self._outbox,
            # The SDK writes no data as an empty value; Kafka's word for a withdrawal is null.
            value=message.value if data is not None else None,
            key=message.key,
            headers=list(message.headers.items()),
            on_delivery=note,
        )
        left = self._producer.flush(DEADLINE_SECONDS)
        assert not failures, failures
        assert left == 0, f"the message to {self._outbox} was not written within {DEADLINE_SECONDS} s"
        return event.get_id()

    def hear(self, condition: Callable[[Letter], bool], what: str, seconds: float = DEADLINE_SECONDS) -> Letter:
        """The first message that meets the condition, from all that came; fails at the deadline with what did come."""
        looked_at = 0
        deadline = time.monotonic() + seconds
        while True:
            for letter in self.letters[looked_at:]:
                if condition(letter):
                    return letter
            looked_at = len(self.letters)
            assert time.monotonic() < deadline, f"{self.name} did not hear {what} within {seconds} s; {self._heard()}"
            self._read()

    def hear_everything(self, seconds: float = DEADLINE_SECONDS) -> list[Letter]:
        """All messages that the inbox holds now."""
        self._at_end = False
        deadline = time.monotonic() + seconds
        while not self._at_end:
            assert time.monotonic() < deadline, f"{self.name} did not reach the end of its inbox; {self._heard()}"
            self._read()
        return self.letters

    def _read(self) -> None:
        for message in self._consumer.consume(100, _POLL_SECONDS):
            error = message.error()
            if error is None:
                self.letters.append(read(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._at_end = True
            else:
                raise KafkaException(error)

    def _heard(self) -> str:
        return f"heard: {[(each.type, each.subject) for each in self.letters[-20:]]}"


def read(message: Message) -> Letter:
    """The letter in a Kafka message. Fails where the SDK or the published schema of its type finds anything wrong."""
    headers = headers_of(message)
    value, key, offset = message.value(), message.key(), message.offset()
    assert isinstance(value, bytes)
    assert isinstance(key, bytes)
    assert offset is not None
    event = binding.from_kafka_event(binding.KafkaMessage(headers=headers, key=key, value=value))
    assert isinstance(event, CloudEvent)
    assert event.get_extension("partitionkey") == headers["ce_partitionkey"].decode() == key.decode()
    assert event.get_datacontenttype() == "application/json"
    schema = _validator(event.get_dataschema())
    faults = [f"{fault.json_path}: {fault.message}" for fault in schema.iter_errors(event.get_data())]
    assert not faults, faults
    visible = b"\n".join([key, value, *(name.encode() + b": " + text for name, text in headers.items())])
    return Letter(event, offset, visible)


def headers_of(message: Message) -> dict[str, bytes]:
    """The headers by name; none may stand there twice or without a value."""
    found: Iterable[tuple[str, Any]] = message.headers() or ()
    headers: list[tuple[str, Any]] = list(found)
    named = dict(headers)
    assert len(named) == len(headers)
    assert all(isinstance(value, bytes) for value in named.values())
    return named


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    documents: Sequence[dict[str, Any]] = [json.loads(file.read_bytes()) for file in SCHEMAS.glob("*.json")]
    return {document["$id"]: document for document in documents}


@cache
def _validator(dataschema: str | None) -> Draft202012Validator:
    assert dataschema in _schemas(), f"no published schema is called {dataschema}"
    return Draft202012Validator(_schemas()[dataschema], format_checker=FormatChecker())
