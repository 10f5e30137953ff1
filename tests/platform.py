"""A platform of a test's own: its prefix, its topics, clients on both ends, services in this process or in others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import pymongo
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo.database import Database

from shared.runtime.service import Service
from shared.runtime.settings import ServiceSettings
from shared.runtime.topics import load_topics

DEADLINE_SECONDS = 150.0
"""Most conditions come true within a second or two; the rest is for machines under load."""
Headers = Sequence[tuple[str, bytes | None]]


def pause(asked: float) -> float:
    """Seconds until it is asked again what was asked at `asked`: asking takes no more than half of the time."""
    return min(0.5, max(0.05, time.monotonic() - asked))


async def eventually(
    condition: Callable[[], Awaitable[Any]], seconds: float = DEADLINE_SECONDS, what: str = "the condition"
) -> Any:
    """The first true value of `condition`, asked again and again; fails at the deadline with the last value."""
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        value = await condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s; last value: {value!r}"
        await asyncio.sleep(pause(asked))


def event_headers(id: str, type: str, source: str = "/test", **extensions: str) -> list[tuple[str, bytes]]:
    """Headers of a binary CloudEvent with JSON data."""
    attributes = {"specversion": "1.0", "id": id, "source": source, "type": type} | extensions
    return [(f"ce_{name}", value.encode()) for name, value in attributes.items()] + [
        ("content-type", b"application/json")
    ]


def topics_of(service: str) -> list[str]:
    """The topics that a service reads or writes, as topics.yaml has them; without those that each member has."""
    return [topic.name for topic in load_topics() if service in (*topic.read_by, *topic.written_by)]


class Platform:
    """Every name begins with `prefix`. Topics are given by their logical names."""

    def __init__(self, kafka: str, mongodb: str) -> None:
        self.kafka = kafka
        self.mongodb = mongodb
        self.prefix = f"t{uuid.uuid4().hex[:8]}."
        self.client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongodb, tz_aware=True)

    def close(self) -> None:
        """Drops the databases; the topics end with the broker."""
        for name in self.client.list_database_names():
            if name.startswith(self.prefix.replace(".", "-")):
                self.client.drop_database(name)
        self.client.close()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that have a service's process join this platform."""
        return {"TONGTU_KAFKA": self.kafka, "TONGTU_MONGODB": self.mongodb, "TONGTU_PREFIX": self.prefix}

    def database(self, service: str) -> Database[dict[str, Any]]:
        """The service's database."""
        return self.client[f"{self.prefix}tongtu-{service}".replace(".", "-")]

    def settings(self, kind: type[ServiceSettings] = ServiceSettings, **values: Any) -> Any:
        """Settings of a service on this platform."""
        return kind(kafka=self.kafka, mongodb=self.mongodb, prefix=self.prefix, **values)

    async def create_topics(self, topics: Mapping[str, int], **config: str) -> None:
        """Creates topics with so many partitions and waits until each has a leader."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()

        async def controlled() -> bool:
            await admin._client.force_metadata_update()
            return admin._client.cluster.controller is not None

        try:
            # A node that was stopped or starved for seconds is without one until its controller hears of it again.
            await eventually(controlled, what="a controller of the cluster")
            names = {self.prefix + name: count for name, count in topics.items()}
            await admin.create_topics([NewTopic(n, count, 1, topic_configs=config) for n, count in names.items()])

            async def led() -> bool:
                found = await admin.describe_topics()
                mine = [t for t in found if t["topic"] in names]
                return len(mine) == len(names) and all(p["leader"] >= 0 for t in mine for p in t["partitions"])

            await eventually(led, what="a leader for every topic")
        finally:
            await admin.close()

    async def delete_topics(self, *topics: str) -> None:
        """Deletes topics for good."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.delete_topics([self.prefix + topic for topic in topics])
        finally:
            await admin.close()

    async def produce(
        self, topic: str, records: Iterable[tuple[str | bytes | None, bytes | None, Headers]], **options: Any
    ) -> None:
        """Writes records (key, value, headers) in order, acknowledged by all replicas."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all", enable_idempotence=True, **options)
        await producer.start()
        try:
            sent = [
                await producer.send(
                    self.prefix + topic, value, key=key.encode() if isinstance(key, str) else key, headers=headers
                )
                for key, value, headers in records
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[ConsumerRecord[Any, Any]]:
        """Everything that is committed in a topic now, partition by partition."""
        name = self.prefix + topic
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            found = consumer.partitions_for_topic(name)
            if not found:
                await consumer._client._wait_on_metadata(name)
                found = consumer.partitions_for_topic(name) or set()
            partitions = [TopicPartition(name, number) for number in sorted(found)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            records: list[ConsumerRecord[Any, Any]] = []
            for partition in partitions:
                await consumer.seek_to_beginning(partition)
                while await consumer.position(partition) < ends[partition]:
                    got = await consumer.getmany(partition, timeout_ms=500)
                    records.extend(got.get(partition, []))
            return records
        finally:
            await consumer.stop()

    async def read_until(
        self, topic: str, count: int, seconds: float = DEADLINE_SECONDS
    ) -> list[ConsumerRecord[Any, Any]]:
        """Reads a topic until it holds at least `count` committed records."""

        async def enough() -> list[ConsumerRecord[Any, Any]] | None:
            records = await self.read(topic)
            return records if len(records) >= count else None

        return await eventually(enough, seconds, f"{count} records in {topic}")

    @contextlib.asynccontextmanager
    async def running(self, service: Service, until_ready: bool = True) -> AsyncIterator[Service]:
        """Runs a service in this process for the duration of the block; what it fails with is raised at the end.

        The block begins once it is ready; not `until_ready`, at once.
        """
        task = asyncio.create_task(service.run())

        async def ready() -> bool:
            if task.done():
                task.result()
            return service.is_ready or not until_ready

        try:
            await eventually(ready, what="the service's readiness")
            yield service
        finally:
            service.stop()
            await asyncio.wait_for(task, 15)

    def start_process(self, *module: str, **environment: str) -> subprocess.Popen[bytes]:
        """Starts `python -m MODULE ARGUMENTS...` on this platform; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            env=os.environ | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
