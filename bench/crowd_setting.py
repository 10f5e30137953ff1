"""Members by the thousand: their topics, what they say, and services whose metrics are read from outside."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import orjson
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from pymongo import MongoClient

from bench.setting import new_prefix
from shared.contracts.events import TechnologyDraft
from shared.runtime.topics import apply_topics, load_topics
from tongtu import members as registry
from tongtu.embedded import Addresses
from tongtu.supervision.service_process import ServiceProcess
from tongtu.target import Target
from tongtu.writing import event_headers

TOPICS_AT_ONCE = 250
"""Members whose topics are created in one request: the controller takes 10,000 changes at once."""
BATCH_RECORDS = 500
"""About half of the megabyte that a batch may have in an outbox."""
ROUND_RECORDS = 40_000
"""About 40 MB, of all members: what is sent at once goes in one request, and a broker takes 100 MB."""
_MB = 1024 * 1024
_TEXT = "A coating that keeps offshore bearings from pitting, tested for a year in salt spray at 40 degrees. " * 9
_LOOK_SECONDS = 0.2


class Crowd:
    """So many members on a platform of their own: a prefix, their topics, and a producer for all of their outboxes."""

    def __init__(self, addresses: Addresses, count: int) -> None:
        self.target = Target(addresses.kafka, addresses.mongodb, new_prefix())
        self.members = [f"crowd-{number:04}" for number in range(count)]
        self.said = 0
        """Records that were sent; each has an id of its own."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=addresses.kafka, acks="all", enable_idempotence=True, max_batch_size=1 << 20
        )
        self._reader = AIOKafkaConsumer(bootstrap_servers=addresses.kafka, isolation_level="read_committed")
        self._mongodb: MongoClient[dict[str, Any]] = MongoClient(addresses.mongodb)

    async def __aenter__(self) -> Self:
        await apply_topics(self.target.kafka, load_topics(), self.target.prefix)
        for start in range(0, len(self.members), TOPICS_AT_ONCE):
            await registry.create_topics(self.target, self.members[start : start + TOPICS_AT_ONCE])
        await self._producer.start()
        await self._reader.start()
        await self._producer.client.set_topics([self.outbox(member) for member in self.members])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        await self._reader.stop()
        self._mongodb.close()

    def outbox(self, member: str) -> str:
        """The whole name of the member's outbox."""
        return self.target.topic(f"member.{member}.outbox")

    async def say(self, each: int, members: Sequence[str] | None = None) -> int:
        """Each of the members (default: all) says so many things, as many in a batch as fit; returns when all stand."""
        members = self.members if members is None else members
        most = max(1, min(BATCH_RECORDS, ROUND_RECORDS // len(members)))
        for left in range(each, 0, -most):
            waiting: list[asyncio.Future[Any]] = []
            for member in members:
                batch = self._producer.create_batch()
                for _ in range(min(left, most)):
                    id = f"{member}/t-{self.said}"
                    value = orjson.dumps({"id": id, "title": f"coating {self.said}", "description": _TEXT})
                    headers = event_headers(TechnologyDraft.type, f"/members/{member}", uuid.uuid4().hex, id)
                    batch.append(key=id.encode(), value=value, timestamp=None, headers=headers)
                    self.said += 1
                waiting.append(await self._producer.send_batch(batch, self.outbox(member), partition=0))
            await asyncio.gather(*waiting)
        return each * len(members)

    async def add(self) -> str:
        """One more member; returns when its topics are there."""
        member = f"crowd-{len(self.members):04}"
        await registry.create_topics(self.target, [member])
        self.members.append(member)
        return member

    def kept(self) -> tuple[int, int]:
        """How many records intake holds, and how many outbox documents wait to be published."""
        database = self._mongodb[f"{self.target.prefix}tongtu-intake".replace(".", "-")]
        return database["records"].count_documents({}), database["outbox"].count_documents({})

    async def hear(self, member: str, seconds: float) -> float:
        """Seconds until the first message stands in the member's inbox."""
        began = time.monotonic()
        # The end that readers of committed records see counts the marker of its transaction, too.
        inbox = TopicPartition(self.target.topic(f"member.{member}.inbox"), 0)
        while (await self._reader.end_offsets([inbox]))[inbox] == 0:
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{member} heard nothing for {seconds:.0f} s")
            await asyncio.sleep(_LOOK_SECONDS)
        return time.monotonic() - began


class Watched:
    """A service as a process of its own, seen through its metrics."""

    def __init__(self, service: str, target: Target, logs: Path, **environment: str) -> None:
        self._process = ServiceProcess.of(service, {**target.environment, "TONGTU_LOG": "warning", **environment}, logs)
        self.started = 0.0

    def start(self) -> None:
        """Returns at once."""
        self.started = time.monotonic()
        self._process.start()

    def stop(self) -> None:
        """SIGTERM, and waits."""
        self._process.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    @property
    def process(self) -> psutil.Process:
        """To read its memory and processor time. Raises RuntimeError with its last words where it has ended."""
        pid = self._process.pid
        if pid is None:
            raise RuntimeError(f"{self._process.name} has ended: {self._process.last_words()}")
        return psutil.Process(pid)

    @property
    def rss_mb(self) -> int:
        """Resident memory."""
        return round(self.process.memory_info().rss / _MB)

    def is_ready(self) -> bool:
        """Whether it lets records through."""
        return self._process.readiness() == "ready"

    def metrics(self) -> Mapping[str, float]:
        """The core's metrics, summed over consumer groups; all 0 while it does not answer."""
        found: defaultdict[str, float] = defaultdict(float)
        try:
            with urllib.request.urlopen(f"{self._process.address}/metrics", timeout=5) as answer:  # noqa: S310 - ours
                text = answer.read().decode()
        except OSError:
            return found
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] += sample.value
        return found

    @property
    def processed(self) -> int:
        """Records whose processing is committed, since the process began."""
        return round(self.metrics()["tongtu_records_processed_total"])

    @property
    def published(self) -> int:
        """Messages in committed Kafka transactions, since the process began."""
        return round(self.metrics()["tongtu_messages_published_total"])

    async def until(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Seconds since the start of the process at which the condition came true. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not await asyncio.to_thread(condition):
            _ = self.process  # tells where it has ended
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s")
            await asyncio.sleep(_LOOK_SECONDS)
        return time.monotonic() - self.started


def machine_load() -> float:
    """The machine's load over the last minute: above the number of its cores, others took part."""
    return round(os.getloadavg()[0], 1)
