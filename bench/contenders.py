"""The job of bench.pipeline in several ways: read an event, count it per key in kept state, publish it with its count.

Each `async` contender gets a filled input topic and gives seconds from its first event in hand to the last event
published and committed, so that connecting and joining the group do not count.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgpack
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference, UpdateOne, WriteConcern
from pymongo.read_concern import ReadConcern

from bench.counting import Counted, Counter
from shared.runtime.service import Service
from shared.runtime.settings import ServiceSettings
from shared.streaming import Event, Message, UnitOfWork

POLL_RECORDS = 2000
CloudEvent = tuple[bytes, bytes, list[tuple[str, bytes]]]
_HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_source", b"/bench"),
    ("ce_type", Counted.type.encode()),
    ("content-type", b"application/json"),
]


@dataclass(frozen=True, slots=True)
class Job:
    """Where to read and write, and how much; names carry the run's prefix already where a client needs them whole."""

    kafka: str
    mongodb: str
    prefix: str
    partitions: int
    events: int

    @property
    def source(self) -> str:
        """The input topic's whole name."""
        return f"{self.prefix}in"

    @property
    def output(self) -> str:
        """The output topic's whole name."""
        return f"{self.prefix}out"

    def database(self, client: AsyncIOMotorClient[dict[str, Any]]) -> Any:
        """The database of a contender that has none of its own."""
        return client[f"{self.prefix}bench".replace(".", "-")]


class Watch:
    """Seconds from the first event in hand to the moment when as many as wanted are done."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._seen = 0
        self._started = 0.0
        self.seconds = 0.0
        self.finished = asyncio.Event()

    def begin(self) -> None:
        """An event is in hand."""
        if not self._started:
            self._started = time.perf_counter()

    def done(self, count: int) -> None:
        """So many more are done for good."""
        self._seen += count
        if self._seen >= self._wanted and not self.finished.is_set():
            self.seconds = time.perf_counter() - self._started
            self.finished.set()


async def core(job: Job) -> float:
    """This project's core: one service in this process."""
    watch = Watch(job.events)
    counter = Counter("out")

    async def count(events: Sequence[Event[Counted]], work: UnitOfWork) -> list[Message]:
        watch.begin()
        return await counter.count(events, work)

    settings = ServiceSettings(kafka=job.kafka, mongodb=job.mongodb, prefix=job.prefix, log_level="error")
    async with Service("bench", settings, partitions_of=lambda _: job.partitions) as service:
        service.on_topic("in", Counted, count)
        running = asyncio.create_task(service.run())
        await _all_published(job, watch)
        service.stop()
        await running
    return watch.seconds


async def _all_published(job: Job, watch: Watch) -> None:
    """Watches the group's offsets from outside: they move with the messages, in the same Kafka transactions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=job.kafka)
    await admin.start()
    published = 0
    while not watch.finished.is_set():
        offsets = await admin.list_consumer_group_offsets(f"{job.prefix}tongtu.bench")
        # What goes in is in no transaction, so that an offset is a count.
        before, published = published, sum(max(0, each.offset) for each in offsets.values())
        watch.done(published - before)
        await asyncio.sleep(0.05)
    await admin.close()


async def bare_loop(job: Job) -> float:
    """The same guarantee and the same events by hand, nothing that can go wrong looked after."""
    watch = Watch(job.events)
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(job.mongodb)
    database = job.database(client)
    for name in ("positions", "outbox", "counts"):
        await database.create_collection(name)
    await database.positions.insert_many([{"_id": number, "next": 0} for number in range(job.partitions)])
    consumer = AIOKafkaConsumer(
        bootstrap_servers=job.kafka, group_id=None, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=job.kafka, transactional_id=f"{job.prefix}bare", acks="all", max_batch_size=1 << 20
    )
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(job.source, number) for number in range(job.partitions)])
    publishing: asyncio.Task[None] | None = None

    async def publish(messages: list[CloudEvent], ids: list[str], ends: dict[TopicPartition, int]) -> None:
        async with producer.transaction():
            batches: dict[int, Any] = {}
            sent: list[Any] = []
            for key, value, headers in messages:
                target = hash(key) % job.partitions
                batch = batches.get(target) or batches.setdefault(target, producer.create_batch())
                if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                    sent.append(await producer.send_batch(batch, job.output, partition=target))
                    batch = batches[target] = producer.create_batch()
                    batch.append(timestamp=None, key=key, value=value, headers=headers)
            for target, batch in batches.items():
                sent.append(await producer.send_batch(batch, job.output, partition=target))
            await asyncio.gather(*sent)
            await producer.send_offsets_to_transaction(ends, f"{job.prefix}bare")
        await database.outbox.delete_many({"_id": {"$in": ids}})
        watch.done(len(messages))

    while not watch.finished.is_set():
        polled = await consumer.getmany(timeout_ms=200, max_records=POLL_RECORDS)
        if not polled:
            continue
        watch.begin()
        events = {tp: [Counted.model_validate_json(r.value or b"") for r in records] for tp, records in polled.items()}
        keys = {tp: [r.key or b"" for r in records] for tp, records in polled.items()}
        messages: list[CloudEvent] = []
        documents: list[dict[str, Any]] = []
        async with await client.start_session() as session:
            session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"), ReadPreference.PRIMARY)
            known = sorted({key.decode() for each in keys.values() for key in each})
            found = database.counts.find({"_id": {"$in": known}}, session=session)
            before = {document["_id"]: document["n"] async for document in found}
            seen: dict[str, int] = defaultdict(int)
            for tp, records in polled.items():
                mine: list[CloudEvent] = []
                for key, event in zip(keys[tp], events[tp], strict=True):
                    name = key.decode()
                    seen[name] += 1
                    event.count = before.get(name, 0) + seen[name]
                    mine.append((key, event.model_dump_json().encode(), [*_HEADERS, ("ce_id", uuid4().hex.encode())]))
                messages.extend(mine)
                id = f"{tp.partition}/{records[0].offset}"
                documents.append({"_id": id, "next": records[-1].offset + 1, "messages": msgpack.packb(mine)})
            await database.counts.bulk_write(
                [UpdateOne({"_id": key}, {"$inc": {"n": more}}, upsert=True) for key, more in seen.items()],
                session=session,
            )
            await database.outbox.insert_many(documents, session=session)
            moves = [UpdateOne({"_id": tp.partition}, {"$set": {"next": polled[tp][-1].offset + 1}}) for tp in polled]
            await database.positions.bulk_write(moves, session=session)
            await session.commit_transaction()
        if publishing is not None:
            await publishing
        ends = {tp: records[-1].offset + 1 for tp, records in polled.items()}
        publishing = asyncio.create_task(publish(messages, [document["_id"] for document in documents], ends))
    await consumer.stop()
    await producer.stop()
    client.close()
    return watch.seconds


async def documented_style(job: Job) -> float:
    """FastStream as its documentation shows it: one message, one Motor upsert, one publish, one acknowledgement."""
    watch = Watch(job.events)
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(job.mongodb, w="majority")
    counts = job.database(client).counted
    broker = KafkaBroker(job.kafka, logger=None, acks="all", enable_idempotence=True)

    @broker.subscriber(
        job.source, group_id=f"{job.prefix}docs", auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
    )
    async def handle(event: Counted) -> None:
        watch.begin()
        name = f"k{event.number}"
        await counts.update_one({"_id": name}, {"$inc": {"n": 1}}, upsert=True)
        await broker.publish(event, job.output, key=name.encode())
        watch.done(1)

    app = FastStream(broker, logger=None)
    running = asyncio.create_task(app.run())
    await watch.finished.wait()
    app.exit()
    await running
    client.close()
    return watch.seconds


async def quix(job: Job) -> float:
    """Quix Streams in a process of its own: it wants the main thread."""
    command = [sys.executable, "-m", "bench.quix", job.kafka, job.source, job.output, str(job.events)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    printed, _ = await process.communicate()
    return float(printed.split()[-1])
