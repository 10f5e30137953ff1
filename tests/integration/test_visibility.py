"""Trying to get through, over all services: what is for named members reaches nobody else by any exit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import catalogue
from bench.settling import settle
from shared.contracts.events import (
    AnswerDraft,
    DemandDraft,
    MutualInterest,
    NoMatch,
    OutcomeDraft,
    Proposal,
    ProposalWithdrawn,
    Rejection,
    TechnologyDraft,
)
from tests.gateway import GatewayProcess, give_tokens, structured, token_of
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform, event_headers, eventually
from tests.service_processes import ServiceProcesses, organisation_called, register
from tongtu.target import Target

pytestmark = pytest.mark.timeout(300)  # seconds
OWNER, SEEKER, STRANGER, OTHER = "sample-metals-institute", "sample-aero-group", "sample-steel", "sample-photonics"
MEMBERS = [OWNER, SEEKER, STRANGER, OTHER]
DEADLINE_SECONDS = 120.0
BLADE = next(
    record for record in map(json.loads, catalogue.lines(catalogue.TECHNOLOGIES)) if "single-crystal" in record["id"]
)
WISH = next(record for record in map(json.loads, catalogue.lines(catalogue.DEMANDS)) if "turbine-blade" in record["id"])


class World:
    """All services and the gateway, with four members who speak and listen over HTTP alone."""

    def __init__(self, platform: Platform, gateway: GatewayProcess) -> None:
        self.platform = platform
        self._gateway = gateway
        self._number = 0

    async def say(self, member: str, type_: str, data: Mapping[str, Any] | None, **attributes: str) -> str:
        """Sends an event; its id."""
        self._number += 1
        event = structured(f"said-{self._number}", data, type=type_, **attributes)
        async with self._gateway.client(member) as client:
            answer = await client.post(
                "/v1/events", content=json.dumps(event), headers={"content-type": "application/cloudevents+json"}
            )
        assert answer.status_code == 202, answer.text
        return event["id"]

    async def offer(self, id: str, title: str, **fields: Any) -> None:
        await self.say(OWNER, TechnologyDraft.type, {**BLADE, "id": id, "title": f"{title}{BLADE['title']}", **fields})

    async def ask(self, member: str, id: str) -> None:
        await self.say(member, DemandDraft.type, {**WISH, "id": id})

    async def answer(self, member: str, match_id: str, **fields: Any) -> str:
        return await self.say(member, AnswerDraft.type, {"match_id": match_id, "decision": "accepted", **fields})

    async def settled(self) -> None:
        """Returns once nothing is under way any more."""
        target = Target(self.platform.kafka, self.platform.mongodb, self.platform.prefix)
        await settle(target, DEADLINE_SECONDS)

    async def inbox(self, member: str) -> list[dict[str, Any]]:
        """Everything that a member finds, over HTTP."""
        found: list[dict[str, Any]] = []
        place: dict[str, str] = {}
        async with self._gateway.client(member) as client:
            while True:
                page = (await client.get("/v1/inbox", params=place)).json()
                found += page["events"]
                place = {"cursor": page["next"]}
                if not page["more"]:
                    return found

    async def told(self, member: str, type_: str, **fields: Any) -> list[dict[str, Any]]:
        """The messages of that type, of those fields."""
        messages = [each["data"] for each in await self.inbox(member) if each["type"] == type_]
        return [each for each in messages if fields.items() <= each.items()]

    async def match_of(self, member: str, record_id: str, word: str) -> str:
        """The match in which a member was shown a record with that word in its title."""

        async def proposed() -> str | None:
            for each in await self.told(member, Proposal.type):
                shown = each["technology"] or each["demand"]
                if each["own"]["id"] == record_id and word in shown["title"]:
                    return each["match_id"]
            return None

        return await eventually(proposed, what=f"a proposal of {word} to {member}")

    async def everything_of(self, member: str) -> str:
        """All that stands in a member's inbox: raw records, keys, headers and values, and what HTTP gives."""
        parts = [json.dumps(await self.inbox(member), ensure_ascii=False)]
        for record in await self.platform.read(f"member.{member}.inbox"):
            headers = [part for name, value in record.headers for part in (name.encode(), value or b"")]
            parts += [part.decode() for part in (record.key or b"", record.value or b"", *headers)]
            parts.append(json.dumps(json.loads(record.value or b"null"), ensure_ascii=False))
        return "\n".join(parts)


@pytest.fixture
async def world(infra: TestInfrastructure, tmp_path: Path) -> AsyncIterator[World]:
    platform = Platform(infra.kafka, infra.mongodb)
    await register(platform, MEMBERS)
    for member in MEMBERS:
        await give_tokens(platform, member, [token_of(member)])
    services, gateway = ServiceProcesses(platform, tmp_path), GatewayProcess(platform)
    try:
        await asyncio.to_thread(services.start)
        await gateway.start()
        yield World(platform, gateway)
    except BaseException:
        print(services.tails())
        raise
    finally:
        gateway.stop()
        await asyncio.to_thread(services.stop)
        platform.close()


def clues_of(member: str) -> list[str]:
    """What says who a member is."""
    entry = organisation_called(member)
    contacts = [part for contact in entry.contacts for part in (contact.email, contact.phone)]
    return [part for part in (member, entry.uscc, *entry.names.values(), *contacts) if part]


async def test_what_is_for_named_members_reaches_nobody_else(world: World) -> None:
    await world.offer("hidden-blade", "玄武", visibility="named", named_members=[SEEKER])
    await world.ask(SEEKER, "wish")
    await world.ask(STRANGER, "same-wish")
    match_id = await world.match_of(SEEKER, f"{SEEKER}/wish", "玄武")
    await world.settled()
    # Asked for in the very same words, and there is nothing: not even as what came nearest.
    (nothing,) = await world.told(STRANGER, NoMatch.type)
    assert nothing["nearest_miss"] is None
    assert await world.told(STRANGER, Proposal.type) == []

    # The stranger has heard the ids somewhere and tries them all.
    tries = [
        await world.answer(STRANGER, match_id),
        await world.answer(STRANGER, match_id, decision="declined", reason="other", comment="x"),
        await world.answer(STRANGER, match_id, versions={"technology": 1, "demand": 1}),
        await world.say(STRANGER, OutcomeDraft.type, outcome("o1", match_id=match_id)),
        await world.say(STRANGER, OutcomeDraft.type, outcome("o2", technology_id="hidden-blade")),
        await world.say(STRANGER, OutcomeDraft.type, outcome("o3", technology_id=f"{OWNER}/hidden-blade")),
        await world.say(STRANGER, TechnologyDraft.type, {**BLADE, "id": f"{OWNER}/hidden-blade"}),
        await world.say(STRANGER, TechnologyDraft.type, None, subject=f"{OWNER}/hidden-blade"),
        await world.say(STRANGER, DemandDraft.type, None, subject=f"{SEEKER}/wish"),
    ]
    guessed = [await world.answer(STRANGER, f"{number:024x}") for number in range(5)]
    await world.settled()
    rejected = {each["event_id"]: each for each in await world.told(STRANGER, Rejection.type)}
    assert set(tries) <= rejected.keys()
    assert not set(guessed) & rejected.keys()  # they wait for a day, and then are rejected
    assert {rejected[each]["type"] for each in tries[:4]} == {"urn:tongtu:problem:not-a-party"}
    assert await answers_in(world, match_id) == []

    # The two of them get to know each other, and the stranger hears nothing of it.
    for member in (SEEKER, OWNER):
        await world.answer(member, match_id, versions={"technology": 1, "demand": 1})

    async def introduced() -> bool:
        return all([await world.told(member, MutualInterest.type) for member in (SEEKER, OWNER)])

    await eventually(introduced, what="the introduction")
    await world.settled()
    for reader in (STRANGER, OTHER):
        everything = await world.everything_of(reader)
        hidden = ["玄武", *clues_of(OWNER), *clues_of(SEEKER), f"{SEEKER}/wish"]
        if reader is STRANGER:
            # Its own words come back to it: ids that it had sent itself.
            everything = everything.replace(f"{OWNER}/hidden-blade", "").replace(f"{SEEKER}/wish", "")
        else:
            hidden.append(match_id)
        assert [clue for clue in hidden if clue in everything] == []
    assert await world.told(STRANGER, MutualInterest.type) == []
    # Nor do the parties read of anybody else.
    for reader, other in ((OWNER, SEEKER), (SEEKER, OWNER)):
        introductions = await world.told(reader, MutualInterest.type)
        assert [each["organisation"]["id"] for each in introductions] == [other]
        assert not [clue for clue in clues_of(STRANGER) if clue in await world.everything_of(reader)]


async def test_an_unknown_visibility_is_for_named_members_and_a_narrowed_one_is_taken_back(world: World) -> None:
    # What a later version of intake might write, and this one refuses to take.
    await world.ask(STRANGER, "same-wish")
    await world.offer("refused-blade", "朱雀", visibility="partners", named_members=[SEEKER])
    value = {**BLADE, "id": f"{OWNER}/later-blade", "owner": OWNER, "title": f"青龙{BLADE['title']}", "language": "zh"}
    value |= {"visibility": "partners", "named_members": [SEEKER]}
    headers = event_headers("later", "tongtu.technology.submitted.v1", "/services/intake")
    await world.platform.produce("technology.submitted", [(value["id"], json.dumps(value).encode(), headers)])
    await world.offer("narrowed-blade", "白虎")
    match_id = await world.match_of(STRANGER, f"{STRANGER}/same-wish", "白虎")
    await world.ask(SEEKER, "wish")
    await world.match_of(SEEKER, f"{SEEKER}/wish", "青龙")
    await world.answer(STRANGER, match_id, versions={"technology": 1, "demand": 1})
    await world.settled()
    (refusal,) = await world.told(OWNER, Rejection.type)
    assert [each["pointer"] for each in refusal["errors"]] == ["/visibility"]

    await world.offer("narrowed-blade", "白虎", version=2, visibility="named", named_members=[SEEKER])

    async def taken_back() -> list[dict[str, Any]]:
        return await world.told(STRANGER, ProposalWithdrawn.type, match_id=match_id)

    (withdrawn,) = await eventually(taken_back, what="the proposal taken back")
    assert withdrawn["reason"] == "no_longer_holds"
    # Both accept what was shown before, and what is not shown any more.
    await world.answer(OWNER, match_id, versions={"technology": 1, "demand": 1})
    await world.answer(OWNER, match_id, versions={"technology": 2, "demand": 1})
    await world.answer(STRANGER, match_id, versions={"technology": 2, "demand": 1})
    await world.settled()
    assert len(await answers_in(world, match_id)) == 4
    for member in (OWNER, STRANGER):
        assert await world.told(member, MutualInterest.type) == []
    everything = await world.everything_of(STRANGER)
    assert [clue for clue in ("青龙", "朱雀", *clues_of(OWNER), *clues_of(SEEKER)) if clue in everything] == []
    # The owner may have lost sight of one seeker and gained another; a name it has of neither.
    assert [clue for clue in clues_of(STRANGER) + clues_of(SEEKER) if clue in await world.everything_of(OWNER)] == []


def outcome(id: str, **about: str) -> dict[str, Any]:
    return {"id": id, "version": 1, "stage": "pilot", "result": "passed", "date": "2026-05-20", **about}


async def answers_in(world: World, match_id: str) -> list[Any]:
    """What intake has published of the answers to a match."""
    records = await world.platform.read("match.answered")
    return [each for each in records if (each.key or b"").startswith(match_id.encode())]
