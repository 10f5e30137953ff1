"""What the benchmarks share: servers to run against, topics of their own, and the last line as JSON."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tongtu.embedded import Infrastructure, infrastructure


def new_prefix() -> str:
    """Goes before every name of a run, so that runs against the same servers do not meet."""
    return f"b{uuid.uuid4().hex[:8]}."


@contextmanager
def servers(kafka_heap: int | None = None) -> Iterator[Infrastructure]:
    """Kafka and MongoDB, empty, or those that TONGTU_KAFKA and TONGTU_MONGODB name."""
    with infrastructure(fresh=True, kafka_heap=kafka_heap) as started:
        yield started


async def create_topics(kafka: str, topics: Mapping[str, int], **config: str) -> None:
    """Creates topics (name -> partitions) with one replica."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, count, 1, topic_configs=config) for name, count in topics.items()])
    finally:
        await admin.close()


def report(figures: Mapping[str, Any]) -> None:
    """Prints the figures, one a line, unless --json; the last line is always the JSON object."""
    if "--json" not in sys.argv:
        for name, value in figures.items():
            print(f"{name:>24}  {value}")
    print(json.dumps(figures))
