"""Makes the topics of a cluster what topics.yaml says: creates, configures, and refuses what cannot be changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

if TYPE_CHECKING:
    from shared.runtime.topics import Topic

_VISIBLE_SECONDS = 30
_LOOK_AGAIN_SECONDS = 0.1
_EXISTS_ALREADY = 36  # Kafka error code: another process created the topic at the same time


class TopicsError(Exception):
    """The cluster's topics cannot be made what was asked; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class AppliedTopics:
    """What was done to the topics."""

    created: tuple[str, ...] = ()
    altered: Mapping[str, Mapping[str, tuple[str | None, str]]] = field(default_factory=dict[str, Any])
    """Topic -> setting -> (value before, value now)."""
    unchanged: tuple[str, ...] = ()
    fewer_replicas: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, Any])
    """Topic -> (replicas it has, replicas it should have); moving replicas is the operator's decision."""


async def apply_topics(bootstrap: str, topics: Iterable[Topic], prefix: str = "", **connection: Any) -> AppliedTopics:
    """Creates the topics that are missing and alters the settings that differ, each under `prefix` + its name.

    Replication is at most the number of brokers, min.insync.replicas at most one less than the replication where that
    is above 1. Settings that topics.yaml does not name are set back to the cluster's defaults on a topic that is
    altered. A partition count that differs raises TopicsError before anything is changed. Returns when every topic
    can be written to. `connection` goes to aiokafka's admin client (security settings).
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **connection)
    await admin.start()
    try:
        return await _apply(admin, [topic.model_copy(update={"name": prefix + topic.name}) for topic in topics])
    finally:
        await admin.close()


async def _apply(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> AppliedTopics:
    brokers = len((await admin.describe_cluster())["brokers"])
    existing = await _existing(admin, topics)
    _refuse_changed_partitions(topics, existing)
    created = await _create(admin, [topic for topic in topics if topic.name not in existing], brokers)
    existing = await _all_existing(admin, topics)
    # One that another process created in between may differ, so it is looked at like those that were there before.
    present = [topic for topic in topics if topic.name not in created]
    _refuse_changed_partitions(present, existing)
    altered = await _alter(admin, present, brokers)
    return AppliedTopics(
        created=tuple(created),
        altered=altered,
        unchanged=tuple(topic.name for topic in present if topic.name not in altered),
        fewer_replicas={
            topic.name: (existing[topic.name].replicas, wanted)
            for topic in present
            if existing[topic.name].replicas < (wanted := min(topic.replication, brokers))
        },
    )


@dataclass(frozen=True, slots=True)
class _Existing:
    partitions: int
    replicas: int
    led: bool
    """Whether each partition has a leader."""


async def _existing(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, _Existing]:
    # Asked for all topics: to ask for one that is missing would create it where the broker allows that.
    wanted = {topic.name for topic in topics}
    return {
        described["topic"]: _Existing(
            partitions=len(described["partitions"]),
            replicas=min((len(partition["replicas"]) for partition in described["partitions"]), default=0),
            led=all(partition["leader"] >= 0 for partition in described["partitions"]),
        )
        for described in await admin.describe_topics()
        if described["topic"] in wanted
    }


async def _all_existing(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, _Existing]:
    """All of them, once the brokers have heard of them and chosen leaders."""
    waiting: list[str] = []
    for _ in range(round(_VISIBLE_SECONDS / _LOOK_AGAIN_SECONDS)):
        existing = await _existing(admin, topics)
        waiting = [topic.name for topic in topics if topic.name not in existing or not existing[topic.name].led]
        if not waiting:
            return existing
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    raise TopicsError(
        f"no leader after {_VISIBLE_SECONDS} s for {', '.join(waiting)}: look at the brokers' logs, then apply again"
    )


def _refuse_changed_partitions(topics: Sequence[Topic], existing: Mapping[str, _Existing]) -> None:
    changed = [
        f"{topic.name} has {existing[topic.name].partitions} and should have {topic.partitions}"
        for topic in topics
        if topic.name in existing and existing[topic.name].partitions != topic.partitions
    ]
    if changed:
        raise TopicsError(
            f"partition counts never change, because records would change place: {'; '.join(changed)}. "
            "Put the old count back, or name a new topic and rebuild; nothing was changed"
        )


def _settings(topic: Topic, brokers: int) -> dict[str, str]:
    settings = topic.settings
    replicas = min(topic.replication, brokers)
    in_sync = int(settings["min.insync.replicas"])
    # With as many as there are replicas, one broker less would stop every writer.
    settings["min.insync.replicas"] = str(min(in_sync, max(1, replicas - 1)))
    return settings


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], brokers: int) -> list[str]:
    if not topics:
        return []
    response: Any = await admin.create_topics(
        [
            NewTopic(
                name=topic.name,
                num_partitions=topic.partitions,
                replication_factor=min(topic.replication, brokers),
                topic_configs=_settings(topic, brokers),
            )
            for topic in topics
        ]
    )
    created: list[str] = []
    for name, code, *message in response.topic_errors:
        if code == 0:
            created.append(name)
        elif code != _EXISTS_ALREADY:
            raise TopicsError(_reason(f"topic {name} could not be created", code, message))
    return created


async def _alter(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], brokers: int
) -> dict[str, dict[str, tuple[str | None, str]]]:
    if not topics:
        return {}
    present = await _configured(admin, topics)
    altered: dict[str, dict[str, tuple[str | None, str]]] = {}
    for topic in topics:
        before = present[topic.name]
        differing = {
            name: (before.get(name), value)
            for name, value in _settings(topic, brokers).items()
            if before.get(name) != value
        }
        if differing:
            altered[topic.name] = differing
    if altered:
        changes = [
            ConfigResource(ConfigResourceType.TOPIC, topic.name, _settings(topic, brokers))
            for topic in topics
            if topic.name in altered
        ]
        responses: list[Any] = await admin.alter_configs(changes)
        for response in responses:
            for code, message, _, name in response.resources:
                if code:
                    raise TopicsError(_reason(f"topic {name} could not be configured", code, [message]))
    return altered


async def _configured(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str | None]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    configured: dict[str, dict[str, str | None]] = {}
    responses: list[Any] = await admin.describe_configs(asked)
    for response in responses:
        for code, message, _, name, entries in response.resources:
            if code:
                raise TopicsError(_reason(f"the settings of topic {name} could not be read", code, [message]))
            configured[name] = {entry[0]: entry[1] for entry in entries}
    return configured


def _reason(what: str, code: int, message: Sequence[str | None]) -> str:
    return f"{what}: {next((text for text in message if text), for_code(code).__name__)}"
