"""Who may do what, as topics.yaml says it: the access rules of every service and of every member."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from shared.runtime.topics import Topic, Topics

_MEMBER = "member"
_ADMINISTRATORS = frozenset({"operators", "registry"})
"""They alter users and rules themselves, so a rule could not bind them: they log in as the administrator."""
_ANYONE = "anyone"
"""Every service; a member reads its inbox and nothing else."""

Operation = Literal["read", "write", "write_idempotently"]
Resource = Literal["topic", "group", "transactional_id", "cluster"]
_CLUSTER = "kafka-cluster"
"""Kafka's own name for all of it."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """A user may do one thing with one resource, or with all whose names begin so.

    To read or to write includes to describe; who may write to a topic may do so idempotently.
    """

    user: str
    operation: Operation
    resource: Resource
    name: str
    prefixed: bool = False

    @property
    def pattern(self) -> str:
        """The name, with a star where others may follow."""
        return f"{self.name}*" if self.prefixed else self.name

    def __str__(self) -> str:
        return f"{self.user}: {self.operation} {self.resource} {self.pattern}"


def services(topics: Topics) -> tuple[str, ...]:
    """Every service that topics.yaml names as a writer or reader, in alphabetical order."""
    named = {name for topic in (*topics, *topics.for_member("any")) for name in (*topic.written_by, *topic.read_by)}
    return tuple(sorted(named - _ADMINISTRATORS - {_MEMBER, _ANYONE}))


def user_of_service(service: str, prefix: str = "") -> str:
    """Its Kafka user."""
    return prefix + service


def users_begin(member: str, prefix: str = "") -> str:
    """How the name of a member's Kafka user begins; random characters follow, drawn when the member is added.

    By SCRAM a stranger can find out whether a user exists. So that this does not tell who is a member, nobody can guess
    the name. The dots keep it apart from all other users: no member's id has one.
    """
    return f"{prefix}{_MEMBER}.{member}."


def service_rules(topics: Topics, prefix: str = "") -> frozenset[Rule]:
    """All that the services may do, but for the topics of members."""
    everyone = services(topics)
    on_topics = (rule for topic in topics for rule in _topic_rules(topic, everyone, prefix))
    # Who has dead letters runs on the core, which reads in groups and publishes in transactions.
    processing = [service for service in everyone if any(topic.name == f"{service}.dead-letters" for topic in topics)]
    own = (rule for service in processing for rule in _own_names(service, prefix))
    # Who may write to a topic may do so idempotently; who writes to members' topics alone needs it before there is one.
    idempotent = (
        Rule(user_of_service(service, prefix), "write_idempotently", "cluster", _CLUSTER)
        for service in everyone
        if not any(service in topic.written_by for topic in topics)
    )
    return frozenset([*on_topics, *own, *idempotent])


def member_rules(topics: Topics, member: str, user: str, prefix: str = "") -> frozenset[Rule]:
    """What a member may do: write to its outbox, read its inbox, in groups with a name of its own."""
    group = Rule(user, "read", "group", f"{prefix}{_MEMBER}.{member}.", prefixed=True)
    own = (rule for rule in _on_member_topics(topics, member, prefix) if rule.user == prefix + _MEMBER)
    return frozenset([group, *(replace(rule, user=user) for rule in own)])


def service_rules_for_member(topics: Topics, member: str, prefix: str = "") -> frozenset[Rule]:
    """What the services may do with the topics of a member: by name, because outboxes and inboxes begin alike."""
    return frozenset(rule for rule in _on_member_topics(topics, member, prefix) if rule.user != prefix + _MEMBER)


def _on_member_topics(topics: Topics, member: str, prefix: str) -> Iterator[Rule]:
    for topic in topics.for_member(member):
        yield from _topic_rules(topic, services(topics), prefix)


def _topic_rules(topic: Topic, everyone: Iterable[str], prefix: str) -> Iterator[Rule]:
    named: tuple[tuple[Operation, tuple[str, ...]], ...] = (("write", topic.written_by), ("read", topic.read_by))
    for operation, names in named:
        expanded = [each for name in names for each in (everyone if name == _ANYONE else (name,))]
        for name in expanded:
            if name not in _ADMINISTRATORS:
                yield Rule(user_of_service(name, prefix), operation, "topic", prefix + topic.name)


def _own_names(service: str, prefix: str) -> Iterator[Rule]:
    """A service's consumer groups and transactional ids: `tongtu.<service>`, and what its stages add to that."""
    user, own = user_of_service(service, prefix), f"{prefix}tongtu.{service}"
    yield Rule(user, "read", "group", own)
    yield Rule(user, "read", "group", f"{own}.", prefixed=True)
    yield Rule(user, "write", "transactional_id", f"{own}-", prefixed=True)
    yield Rule(user, "write", "transactional_id", f"{own}.", prefixed=True)


def markdown_table(topics: Topics) -> str:
    """Who writes and reads what, for the documentation."""
    member, its_user = "<id>", "member.<id>.…"
    rules = service_rules(topics) | member_rules(topics, member, its_user) | service_rules_for_member(topics, member)
    lines = ["| user | writes | reads |", "| --- | --- | --- |"]
    for user in (*services(topics), its_user):
        sides = [
            ", ".join(
                f"`{r.name}`" for r in sorted(rules) if (r.user, r.operation, r.resource) == (user, side, "topic")
            )
            for side in ("write", "read")
        ]
        lines.append(f"| `{user}` | {' | '.join(sides)} |")
    return "".join(f"{line}\n" for line in lines)
