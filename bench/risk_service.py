"""The risk service as it runs in production, through Kafka and MongoDB: how many proposals a second it assesses."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.setting import create_topics, new_prefix, servers
from shared.contracts.events import MatchProposed, RiskAssessed
from shared.runtime.topics import load_topics
from tongtu.embedded import Addresses
from tongtu.supervision.service_process import ServiceProcess

TOPICS = ("match.proposed", "outcome.recorded", "risk.assessed", "risk.model", "risk.dead-letters", "risk.replays")
PATIENCE_SECONDS = 180.0


def through_kafka(proposals: Sequence[MatchProposed], events: int) -> float:
    """Assessments a second of one service process, while it works off `events` proposals that wait for it.

    From the first of its transactions to the last; what reads the results counts only what is committed.
    """
    with servers() as infrastructure, tempfile.TemporaryDirectory() as logs:
        return asyncio.run(_measure(infrastructure.addresses, proposals, events, Path(logs)))


async def _measure(addresses: Addresses, proposals: Sequence[MatchProposed], events: int, logs: Path) -> float:
    prefix = new_prefix()
    topics = load_topics()
    await create_topics(addresses.kafka, {prefix + name: topics.partitions(name) for name in TOPICS})
    await _propose(addresses.kafka, prefix + MatchProposed.topic, proposals, events)
    environment = {"TONGTU_KAFKA": addresses.kafka, "TONGTU_MONGODB": addresses.mongodb, "TONGTU_PREFIX": prefix}
    service = ServiceProcess.of("risk", environment, logs)
    service.start()
    try:
        return await _rate(addresses.kafka, prefix + RiskAssessed.topic, topics.partitions(RiskAssessed.topic), events)
    except TimeoutError:
        raise SystemExit(f"the risk service did not assess {events} proposals: {service.last_words()}") from None
    finally:
        service.stop()


async def _propose(kafka: str, topic: str, proposals: Sequence[MatchProposed], events: int) -> None:
    bodies = [proposal.model_dump(mode="json") for proposal in proposals]
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5, max_batch_size=1 << 18) as producer:
        await producer.client._wait_on_metadata(topic)
        sent = []
        for number in range(events):
            match_id = f"{number:024x}"
            value = orjson.dumps(bodies[number % len(bodies)] | {"match_id": match_id})
            headers = [
                ("ce_specversion", b"1.0"),
                ("ce_id", uuid.uuid4().bytes.hex().encode()),
                ("ce_source", b"/bench"),
                ("ce_type", MatchProposed.type.encode()),
                ("content-type", b"application/json"),
            ]
            sent.append(await producer.send(topic, value, key=match_id.encode(), headers=headers))
        await asyncio.gather(*sent)


async def _rate(kafka: str, topic: str, partitions: int, events: int) -> float:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", isolation_level="read_committed")
    async with consumer, asyncio.timeout(PATIENCE_SECONDS):
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        seen = first = 0
        started = ended = 0.0
        while seen < events:
            polled = await consumer.getmany(timeout_ms=200)
            count = sum(len(records) for records in polled.values())
            if not count:
                continue
            seen += count
            ended = time.perf_counter()
            if not started:
                started, first = ended, seen
        return (seen - first) / (ended - started)
