"""Outbox documents: the messages that one poll caused for one input partition, until they stand in the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

Headers = Sequence[tuple[str, bytes]]

DOCUMENT_LIMIT = 8 * 1024 * 1024
"""Bytes of messages in one document; MongoDB takes 16 MiB."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message with everything fixed: where it goes, its id, its bytes."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: Headers
    timestamp: int
    size: int
    """Bytes it takes, at least: key, value, headers."""


@dataclass(frozen=True, slots=True, eq=False)
class OutboxDocument:
    """Part `part` of what step `sequence` of an input partition has to publish; `end` is its next offset."""

    position_id: str
    sequence: int
    part: int
    end: int
    transactional_id: str
    messages: Sequence[Outgoing]

    @property
    def id(self) -> str:
        """The document id, in the order of publishing within a position."""
        return f"{self.position_id}#{self.sequence:012d}.{self.part:04d}"

    def to_bson(self, group: str) -> dict[str, Any]:
        """The MongoDB document."""
        return {
            "_id": self.id,
            "group": group,
            "position": self.position_id,
            "sequence": self.sequence,
            "part": self.part,
            "end": self.end,
            "transactional_id": self.transactional_id,
            "count": len(self.messages),
            # One blob: BSON would spend more on the array structure of ten headers a message than on what is in them.
            "messages": msgpack.packb(
                [(m.topic, m.partition, m.key, m.value, m.headers, m.timestamp, m.size) for m in self.messages]
            ),
        }

    @classmethod
    def from_bson(cls, document: dict[str, Any]) -> OutboxDocument:
        """Reads it back."""
        return cls(
            position_id=document["position"],
            sequence=document["sequence"],
            part=document["part"],
            end=document["end"],
            transactional_id=document["transactional_id"],
            messages=[
                Outgoing(topic, partition, key, value, list(headers), *rest)  # aiokafka's headers are a list, no tuple
                for topic, partition, key, value, headers, *rest in msgpack.unpackb(
                    document["messages"], use_list=False
                )
            ],
        )


def split(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Runs of messages of at most DOCUMENT_LIMIT bytes, in order; one larger message stands alone."""
    run: list[Outgoing] = []
    size = 0
    for message in messages:
        if run and size + message.size > DOCUMENT_LIMIT:
            yield run
            run, size = [], 0
        run.append(message)
        size += message.size
    if run:
        yield run
