"""What the tests of the embedded runtime look at: processes that have ended, records and documents that are there."""

import os
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pymongo import MongoClient

LIMIT = 60.0  # seconds for a start, measured 3 on two cores


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not after {LIMIT:.0f} s: {what}")
        time.sleep(0.01)


def assert_all_end(*processes: psutil.Process) -> None:
    wait_until(lambda: all(map(has_ended, processes)), f"the end of {processes}")


def has_ended(process: psutil.Process) -> bool:
    """True also if only its entry is left: what lost its parent belongs to process 1, which may be slow to look."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def create_topic(address: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(name, num_partitions=1)])[name].result(LIMIT)


def write_in_transaction(address: str, topic: str, value: str) -> None:
    producer = Producer({"bootstrap.servers": address, "transactional.id": f"writer-of-{topic}"})
    producer.init_transactions(LIMIT)
    producer.begin_transaction()
    producer.produce(topic, value.encode())
    producer.commit_transaction(LIMIT)


def read(address: str, topic: str, count: int) -> list[str]:
    settings: dict[str, Any] = {"auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    consumer = Consumer({"bootstrap.servers": address, "group.id": f"reader-{os.urandom(4).hex()}", **settings})
    consumer.subscribe([topic])
    try:
        found = consumer.consume(count, LIMIT)
        return [(message.value() or b"").decode() for message in found if not message.error()]
    finally:
        consumer.close()


def insert_in_transaction(address: str, value: str) -> None:
    with MongoClient[dict[str, Any]](address) as client:
        client.get_database("test").create_collection(f"things-{value}")
        with client.start_session() as session, session.start_transaction():
            client.get_database("test")[f"things-{value}"].insert_one({"value": value}, session=session)


def stored(address: str, value: str) -> bool:
    with MongoClient[dict[str, Any]](address) as client:
        return client.get_database("test")[f"things-{value}"].find_one({"value": value}) is not None
