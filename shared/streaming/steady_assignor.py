"""Shares partitions out so that hardly any changes hands when topics or instances come and go.

aiokafka deals them out in turn by name: a new member's outbox shifts every partition behind it to the next instance,
and each must be taken over. Its sticky assignor remembers who had what on its class, which is one for all consumer
groups of a process, and takes a quarter of a second for 2,000 outboxes, during which everything else waits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


class SteadyAssignor(AbstractPartitionAssignor):
    """Each partition has an order of preference among the instances of its own, and goes to the first with room.

    All get equally many, and of each topic's partitions as equally many as that allows. Nothing is remembered: the
    order is a hash of the names (rendezvous hashing with bounded loads).
    """

    name = "steady"  # type: ignore[assignment]
    version = 0

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """By member id, what it is to read. Partitions are given to members alone that subscribe to their topic."""
        subscribers: defaultdict[str, list[str]] = defaultdict(list)
        for member, metadata in members.items():
            for topic in metadata.subscription:
                subscribers[topic].append(member)
        partitions = {topic: sorted(cluster.partitions_for_topic(topic) or ()) for topic in subscribers}
        share, larger = divmod(sum(map(len, partitions.values())), len(members))
        given: dict[str, defaultdict[str, list[int]]] = {member: defaultdict(list) for member in members}
        counts = Counter(dict.fromkeys(members, 0))
        # Large topics first: while all have room, each of them is shared out equally.
        for topic in sorted(partitions, key=lambda topic: (-len(partitions[topic]), topic)):
            for partition in partitions[topic]:
                most = share + (larger > 0)
                willing = subscribers[topic]
                able = [member for member in willing if counts[member] < most] or willing
                _, _, chosen = min(
                    (len(given[member][topic]), _preference(member, topic, partition), member) for member in able
                )
                given[chosen][topic].append(partition)
                counts[chosen] += 1
                larger -= counts[chosen] == share + 1
        return {
            member: ConsumerProtocolMemberAssignment(
                cls.version, [(topic, numbers) for topic, numbers in sorted(mine.items()) if numbers], b""
            )
            for member, mine in given.items()
        }

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What an instance tells the leader: its topics."""
        return ConsumerProtocolMemberMetadata(cls.version, list(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing to remember."""


def _preference(member: str, topic: str, partition: int) -> bytes:
    return blake2b(f"{member} {topic}/{partition}".encode(), digest_size=8).digest()
