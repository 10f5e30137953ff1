"""The services on a secured Kafka: a user each, its password in a file, and exactly the rules of topics.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.contracts.organisation import OrganisationRegistered
from shared.runtime.login import Login
from shared.runtime.topics import load_topics
from tongtu.access.broker import BrokerAccess
from tongtu.access.passwords import kept_login
from tongtu.access.rules import Rule, service_rules, service_rules_for_member, services, user_of_service
from tongtu.errors import CommandError
from tongtu.reading import Reader
from tongtu.target import Target


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done."""

    logins: dict[str, Login]
    """Of each service."""
    allowed: frozenset[Rule]
    forbidden: frozenset[Rule]


def administration(target: Target) -> BrokerAccess:
    """Users and rules of the target's Kafka. Raises CommandError where it is not secured."""
    if target.login is None:
        raise CommandError(
            "this Kafka is not secured: start it with `tongtu up --secure`, or give its administrator's login in "
            "TONGTU_KAFKA_USER and TONGTU_KAFKA_PASSWORD_FILE"
        )
    return BrokerAccess.at(target.kafka, target.login.for_librdkafka())


async def apply_access(target: Target, passwords: Path) -> Applied:
    """Makes the services' users and gives them the rules that they should have, and no other.

    Passwords are in the folder, a file each with the user's name; one that is missing is made. Raises CommandError,
    LoginError.
    """
    broker = administration(target)
    authority = target.login.ca_file if target.login else None
    wanted = await _wanted(target)
    names = {service: user_of_service(service, target.prefix) for service in services(load_topics())}
    present = frozenset(rule for rule in broker.rules() if rule.user in names.values())
    broker.allow(wanted - present)
    broker.forbid(present - wanted)
    logins = {service: kept_login(passwords, user, authority) for service, user in names.items()}
    for login in logins.values():
        broker.set_password(login.user, login.password())
    return Applied(logins, wanted - present, present - wanted)


async def _wanted(target: Target) -> frozenset[Rule]:
    topics = load_topics()
    rules = set(service_rules(topics, target.prefix))
    async with Reader(target) as reader:
        if OrganisationRegistered.topic in await reader.topics():
            # Of members that left, too: what they wrote last is still to be read, until it has expired.
            async for event in reader.scan(OrganisationRegistered.topic):
                if event.key is not None:
                    rules |= service_rules_for_member(topics, event.key, target.prefix)
    return frozenset(rules)
