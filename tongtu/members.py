"""The registry of members: who is registered, who has left, and what is published when that changes."""

from __future__ import annotations

from collections.abc import Collection

from shared.contracts.base import EventData
from shared.contracts.organisation import OrganisationRegistered
from shared.runtime.topics import apply_topics, load_topics
from tongtu.errors import CommandError
from tongtu.reading import Reader
from tongtu.target import Target
from tongtu.writing import Writer, event_headers

SOURCE = "/registry"
VERSION_ATTRIBUTE = "recordversion"


async def registered(reader: Reader) -> dict[str, OrganisationRegistered]:
    """Every member, by id in alphabetical order."""
    found = await reader.state(OrganisationRegistered.topic)
    return {
        id: OrganisationRegistered.model_validate_json(event.data) for id, event in sorted(found.items()) if event.data
    }


async def entry(reader: Reader, member: str) -> OrganisationRegistered | None:
    """The member's entry; None if it never was one. Raises CommandError if it has left: ids are never used again."""
    event = await reader.latest(OrganisationRegistered.topic, member)
    if event is None:
        return None
    if event.data is None:
        raise CommandError(f"{member} was a member and has left; an id is never used again: choose another")
    return OrganisationRegistered.model_validate_json(event.data)


async def create_topics(where: Target, members: Collection[str]) -> None:
    """Creates the members' outboxes and inboxes where they are missing, and lets the services in. Raises TopicsError.

    Nothing here lets a member in.
    """
    topics = load_topics()
    wanted = [topic for member in members for topic in topics.for_member(member)]
    await apply_topics(where.kafka, wanted, where.prefix, **where.kafka_security)
    if where.login is not None:
        from tongtu.access.rules import service_rules_for_member
        from tongtu.access.services import administration  # librdkafka is loaded only where it is needed

        rules = [rule for member in members for rule in service_rules_for_member(topics, member, where.prefix)]
        administration(where).allow(rules)


async def publish(writer: Writer, organisation: OrganisationRegistered) -> None:
    """Tells everybody who the member is."""
    value = organisation.model_dump_json(exclude_none=True).encode()
    await write_registry(writer, OrganisationRegistered, organisation.id, value, organisation.version)


async def publish_removal(writer: Writer, member: str, version: int) -> None:
    """Tells everybody that the member has left."""
    await write_registry(writer, OrganisationRegistered, member, None, version)


async def write_registry(writer: Writer, kind: type[EventData], member: str, value: bytes | None, version: int) -> None:
    """Writes a record of the registry about a member, as all readers of its topic know it; None: it is no longer so."""
    extensions = {"partitionkey": member, VERSION_ATTRIBUTE: str(version)}
    headers = event_headers(kind.type, SOURCE, subject=member, extensions=extensions, has_data=value is not None)
    await writer.write(kind.topic, member, value, headers)
