"""A real Kafka has the topics that topics.yaml says, and applying them again changes nothing."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from shared.runtime.topics import Topic, Topics, TopicsError, apply_topics, load_topics
from tests.infrastructure import TestInfrastructure


@pytest.fixture
def kafka(infra: TestInfrastructure) -> str:
    return infra.kafka


@pytest.fixture
def prefix() -> str:
    return f"t{uuid4().hex[:8]}."


@pytest.fixture(scope="module")
def topics() -> Topics:
    return load_topics()


def changed(topic: Topic, **settings: str | int) -> Topic:
    config: Mapping[str, Any] = {**topic.config, **{name.replace("_", "."): value for name, value in settings.items()}}
    return topic.model_copy(update={"config": config})


def configured(kafka: str, name: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    admin = AdminClient({"bootstrap.servers": kafka})
    described = admin.describe_configs([resource])[resource].result(30)
    return {entry.name: entry.value for entry in described.values()}


async def test_creates_every_topic_as_declared_as_far_as_the_brokers_allow(
    kafka: str, prefix: str, topics: Topics
) -> None:
    applied = await apply_topics(kafka, topics, prefix)
    assert set(applied.created) == {f"{prefix}{topic.name}" for topic in topics}
    cluster = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=30)
    replicas = min(3, len(cluster.brokers))
    for topic in topics:
        partitions = cluster.topics[f"{prefix}{topic.name}"].partitions
        assert len(partitions) == topic.partitions
        assert all(len(partition.replicas) == replicas for partition in partitions.values())
    settings = configured(kafka, f"{prefix}technology.submitted")
    assert settings["cleanup.policy"] == "compact"
    assert settings["delete.retention.ms"] == "3155760000000"
    assert settings["min.insync.replicas"] == ("2" if replicas == 3 else "1")
    assert configured(kafka, f"{prefix}intake.dead-letters")["cleanup.policy"] == "compact,delete"


async def test_applying_again_changes_nothing(kafka: str, prefix: str, topics: Topics) -> None:
    await apply_topics(kafka, topics, prefix)
    again = await apply_topics(kafka, topics, prefix)
    assert not again.created
    assert not again.altered
    assert len(again.unchanged) == len(topics)


async def test_topics_of_one_member_can_be_written_to_at_once(kafka: str, prefix: str, topics: Topics) -> None:
    applied = await apply_topics(kafka, topics.for_member("acme"), prefix)
    assert applied.created == (f"{prefix}member.acme.outbox", f"{prefix}member.acme.inbox")
    producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": 2_000_000})
    refusals: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        refusals.append(error)

    for size in (1024 * 1024, 1024 * 1024 + 100_000):
        producer.produce(f"{prefix}member.acme.outbox", b"x" * size, on_delivery=delivered)
        await asyncio.to_thread(producer.flush, 30)
    assert [refusal and refusal.code() for refusal in refusals] == [None, KafkaError.MSG_SIZE_TOO_LARGE]


async def test_settings_that_differ_are_altered_and_told(kafka: str, prefix: str, topics: Topics) -> None:
    outbox, inbox = topics.for_member("acme")
    await apply_topics(kafka, [changed(outbox, retention_ms=1000), inbox], prefix)
    applied = await apply_topics(kafka, [outbox, inbox], prefix)
    assert applied.altered == {f"{prefix}{outbox.name}": {"retention.ms": ("1000", "2592000000")}}
    assert applied.unchanged == (f"{prefix}{inbox.name}",)
    assert configured(kafka, f"{prefix}{outbox.name}")["retention.ms"] == "2592000000"


async def test_changed_partition_count_is_refused_before_anything_is_done(
    kafka: str, prefix: str, topics: Topics
) -> None:
    outbox, inbox = topics.for_member("acme")
    await apply_topics(kafka, [outbox], prefix)
    grown = changed(outbox, retention_ms=1000).model_copy(update={"partitions": 2})
    with pytest.raises(TopicsError, match=r"member\.acme\.outbox has 1 and should have 2") as refused:
        await apply_topics(kafka, [grown, inbox], prefix)
    assert "\n" not in str(refused.value)
    assert configured(kafka, f"{prefix}{outbox.name}")["retention.ms"] == "2592000000"
    with pytest.raises(KafkaException):
        configured(kafka, f"{prefix}{inbox.name}")


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
async def test_setting_that_kafka_refuses_is_one_readable_line(
    kafka: str, prefix: str, topics: Topics, existing: bool
) -> None:
    outbox, _ = topics.for_member("acme")
    if existing:
        await apply_topics(kafka, [outbox], prefix)
    with pytest.raises(TopicsError, match=r"Invalid value soon for configuration retention\.ms") as refused:
        await apply_topics(kafka, [changed(outbox, retention_ms="soon")], prefix)
    assert f"topic {prefix}{outbox.name} could not be" in str(refused.value)


async def test_several_may_apply_at_the_same_time(kafka: str, prefix: str, topics: Topics) -> None:
    applied = await asyncio.gather(*(apply_topics(kafka, topics, prefix) for _ in range(3)))
    created = [name for each in applied for name in each.created]
    assert sorted(created) == sorted(f"{prefix}{topic.name}" for topic in topics)
    assert not any(each.altered for each in applied)
