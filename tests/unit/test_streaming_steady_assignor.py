"""Partitions are shared out equally, and stay where they are when topics or instances come and go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata

from shared.streaming.steady_assignor import SteadyAssignor

OUTBOXES = {f"member.crowd-{number:04}.outbox": 1 for number in range(500)}
TOPICS = {**OUTBOXES, "match.proposed": 6, "intake.replays": 1}
INSTANCES = tuple(f"intake-{letter}" for letter in "abc")


def shared_out(
    topics: Mapping[str, int], instances: Iterable[str] = INSTANCES, unknown: Mapping[str, str] | None = None
) -> dict[str, set[TopicPartition]]:
    """Who gets what. `unknown` names the one topic that an instance does not subscribe to yet."""
    cluster = ClusterMetadata()
    cluster._partitions = {topic: dict.fromkeys(range(count)) for topic, count in topics.items()}
    hidden = unknown or {}
    members = {
        instance: SteadyAssignor.metadata([topic for topic in topics if topic != hidden.get(instance)])
        for instance in instances
    }
    given = {
        instance: assignment.partitions() for instance, assignment in SteadyAssignor.assign(cluster, members).items()
    }
    everything = [partition for mine in given.values() for partition in mine]
    assert sorted(everything) == sorted(TopicPartition(t, p) for t, count in topics.items() for p in range(count))
    return {instance: set(mine) for instance, mine in given.items()}


def moved(before: Mapping[str, set[TopicPartition]], after: Mapping[str, set[TopicPartition]]) -> int:
    """How many partitions an instance had that is still there, and has no more."""
    return sum(len(mine - after[instance]) for instance, mine in before.items() if instance in after)


def test_all_get_equally_many_and_of_each_topic_too() -> None:
    for instances in (INSTANCES[:1], INSTANCES[:2], INSTANCES):
        given = shared_out(TOPICS, instances)
        sizes = [len(mine) for mine in given.values()]
        assert max(sizes) - min(sizes) <= 1
        of_matches = [sum(p.topic == "match.proposed" for p in mine) for mine in given.values()]
        assert of_matches == [6 // len(instances)] * len(instances)


def test_more_instances_than_partitions() -> None:
    assert sorted(len(mine) for mine in shared_out({"in": 2}).values()) == [0, 1, 1]


def test_a_new_topic_moves_hardly_anything_wherever_its_name_stands() -> None:
    topics, before = dict(TOPICS), shared_out(TOPICS)
    for name in ("member.aaa.outbox", "member.crowd-0100b.outbox", "member.zzz.outbox", "a.first", "z.last"):
        topics[name] = 1
        after = shared_out(topics)
        assert moved(before, after) <= len(INSTANCES)
        before = after


def test_an_instance_that_comes_or_goes_moves_little_more_than_its_share() -> None:
    two, three = shared_out(TOPICS, INSTANCES[:2]), shared_out(TOPICS)
    share = sum(TOPICS.values()) // 3
    assert share <= moved(two, three) < 1.2 * share
    assert moved(three, two) < 0.2 * share


def test_a_topic_goes_to_instances_alone_that_know_it() -> None:
    topic = "member.crowd-0007.outbox"
    for instance in INSTANCES:
        given = shared_out(TOPICS, unknown={instance: topic})
        assert TopicPartition(topic, 0) not in given[instance]
