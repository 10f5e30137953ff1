"""Follows submissions through the platform's topics: when each step named its event, and when that could be read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from bench.invented_records import Kind
from tongtu.target import Target

STAGES = ("registered", "encoded", "proposed", "assessed", "told")
"""What becomes of a submission, in order: the events of intake, both stages of matching, risk and notify."""
TOPICS = {
    "technology.submitted": "registered",
    "demand.posted": "registered",
    "matching.work": "encoded",
    "match.proposed": "proposed",
    "risk.assessed": "assessed",
}
PROPOSAL = b"tongtu.proposal.v1"
_POLL_MILLISECONDS = 500


@dataclass(slots=True)
class Submission:
    """One message, and the standing record of another member that belongs to it. Times are seconds since 1970."""

    kind: Kind
    id: str
    partner: str
    """The standing record's id."""
    title: str
    """Of both: no other counterpart of the partner has it."""
    produced: float = 0.0
    made: dict[str, float] = field(default_factory=dict[str, float])
    """By stage, the event's own time, whole milliseconds: after the work, before the commits."""
    seen: dict[str, float] = field(default_factory=dict[str, float])
    """By stage, when this process had read the event."""

    @property
    def pair(self) -> tuple[str, str]:
        """Technology and demand."""
        return (self.id, self.partner) if self.kind == "technology" else (self.partner, self.id)


class Watch:
    """Reads the inboxes and the topics between the services from now on."""

    def __init__(self, target: Target, members: Sequence[str]) -> None:
        self._target = target
        self._inboxes = [target.topic(f"member.{member}.inbox") for member in members]
        self._between = {target.topic(topic): stage for topic, stage in TOPICS.items()}
        self._consumers = [self._consumer(), self._consumer()]
        self._tasks: list[asyncio.Task[None]] = []
        self._by_id: dict[str, Submission] = {}
        self._by_pair: dict[tuple[str, str], Submission] = {}
        self._by_match: dict[str, Submission] = {}
        self._by_partner: dict[tuple[str, str], Submission] = {}
        self.read: Counter[str] = Counter()
        """How many events were read, by stage."""

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._target.kafka, isolation_level="read_committed", enable_auto_commit=False
        )

    async def __aenter__(self) -> Self:
        """Connects, and stands at the end of every topic."""
        for consumer, topics in zip(self._consumers, (self._inboxes, self._between), strict=True):
            await consumer.start()
            partitions = await _partitions(consumer, topics)
            consumer.assign(partitions)
            await consumer.seek_to_end(*partitions)
            for partition in partitions:
                await consumer.position(partition)
        inboxes, between = self._consumers
        self._tasks = [
            asyncio.create_task(self._follow(inboxes, self._read_inbox)),
            asyncio.create_task(self._follow(between, self._read_between)),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for consumer in self._consumers:
            await consumer.stop()

    def expect(self, submission: Submission) -> None:
        """Notes what happens to it."""
        self._by_id[submission.id] = submission
        self._by_pair[submission.pair] = submission
        self._by_partner[submission.partner, submission.title] = submission

    async def _follow(self, consumer: AIOKafkaConsumer, take: Any) -> None:
        while True:
            found = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS)
            now = time.time()
            for records in found.values():
                for record in records:
                    take(record, now)

    def _read_between(self, record: ConsumerRecord[bytes, bytes], now: float) -> None:
        stage = self._between[record.topic]
        self.read[stage] += 1
        key = (record.key or b"").decode()
        if stage == "registered":
            submission = self._by_id.get(key)
        elif stage == "encoded":
            submission = self._by_id.get(key.partition(":")[2])
        elif stage == "assessed":
            submission = self._by_match.get(key)
        else:
            submission = self._proposed(key, record.value)
        if submission is not None:
            _note(submission, stage, record, now)

    def _proposed(self, match_id: str, value: bytes | None) -> Submission | None:
        if value is None:
            return None
        proposal = orjson.loads(value)
        submission = self._by_pair.get((proposal["technology"]["id"], proposal["demand"]["id"]))
        if submission is not None:
            self._by_match[match_id] = submission
        return submission

    def _read_inbox(self, record: ConsumerRecord[bytes, bytes], now: float) -> None:
        if _attribute(record, "ce_type") != PROPOSAL:
            return
        self.read["told"] += 1
        # Not by the match: what is read of match.proposed may come to this process later than what it led to.
        proposal = orjson.loads(record.value or b"")
        other = proposal.get("demand") or proposal["technology"]
        submission = self._by_partner.get((proposal["own"]["id"], other["title"]))
        if submission is not None:
            _note(submission, "told", record, now)


def _note(submission: Submission, stage: str, record: ConsumerRecord[bytes, bytes], now: float) -> None:
    """The first time counts."""
    if stage not in submission.seen:
        submission.seen[stage] = now
        submission.made[stage] = datetime.fromisoformat(_attribute(record, "ce_time").decode()).timestamp()


def _attribute(record: ConsumerRecord[bytes, bytes], name: str) -> bytes:
    return next((value for header, value in record.headers if header == name), b"")


async def _partitions(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    cluster = await consumer._client.fetch_all_metadata()
    return [TopicPartition(topic, n) for topic in topics for n in sorted(cluster.partitions_for_topic(topic) or ())]
