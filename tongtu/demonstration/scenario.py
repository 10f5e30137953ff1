"""What the demonstration sends: the catalogue's records, and messages that are wrong, each to its member's outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import orjson

import catalogue
from shared.contracts.base import Draft
from shared.contracts.demand import DemandDraft
from shared.contracts.organisation import OrganisationRegistered
from shared.contracts.technology import TechnologyDraft
from tongtu import members
from tongtu.importing.submission import message_id
from tongtu.reading import Reader
from tongtu.target import Target
from tongtu.writing import Writer, event_headers


@dataclass(frozen=True, slots=True)
class Sent:
    """One message to a member's outbox."""

    member: str
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    event_id: str


def submissions() -> list[Sent]:
    """Technologies and demands by turns, so that each kind meets some of the other that are there already."""
    technologies = [_record(TechnologyDraft, line) for line in catalogue.lines(catalogue.TECHNOLOGIES)]
    demands = [_record(DemandDraft, line) for line in catalogue.lines(catalogue.DEMANDS)]
    return [each for each in chain.from_iterable(zip_longest(technologies, demands)) if each is not None]


def malformed() -> list[Sent]:
    """Every message of the catalogue that is wrong, after the one that makes it wrong where there is such."""
    sent: list[Sent] = []
    for message in catalogue.malformed():
        if message.after is not None:
            sent.append(_message(message.member, message.after.value(), message.headers_of_first()))
        sent.append(_message(message.member, message.value(), message.headers_to_write()))
    return sent


def kinds_of_malformed() -> int:
    """How many ways of being wrong there are."""
    return len(catalogue.malformed())


def organisations() -> tuple[OrganisationRegistered, ...]:
    """The members."""
    return catalogue.organisations()


async def register(target: Target) -> None:
    """Creates the members' topics and publishes who they are, where that is not there yet. Raises CommandError."""
    await members.create_topics(target, [each.id for each in organisations()])
    async with Reader(target) as reader:
        present = await members.registered(reader)
    async with Writer(target) as writer:
        for organisation in organisations():
            known = present.get(organisation.id)
            if known is None or known.model_copy(update={"version": organisation.version}) != organisation:
                version = organisation.version if known is None else known.version + 1
                await members.publish(writer, organisation.model_copy(update={"version": version}))


async def send(target: Target, messages: Sequence[Sent]) -> None:
    """Writes them in order; returns when all stand in the log."""
    async with Writer(target) as writer:
        futures = [
            await writer.send(f"member.{each.member}.outbox", each.key, each.value, each.headers) for each in messages
        ]
        for future in futures:
            await future


def _record(model: type[Draft], line: bytes) -> Sent:
    id: str = orjson.loads(line)["id"]
    member = id.partition("/")[0]
    event_id = message_id(model.type, id, line)
    headers = event_headers(model.type, f"/members/{member}", event_id, subject=id, extensions={"partitionkey": id})
    return Sent(member, id.encode(), line, headers, event_id)


def _message(member: str, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Sent:
    event_id = next((id.decode("utf-8", "replace") for name, id in headers if name == "ce_id" and id), "")
    return Sent(member, member.encode(), value, headers, event_id)
