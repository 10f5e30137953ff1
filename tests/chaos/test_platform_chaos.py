"""The whole platform under kills: whatever is killed when, the same proposals stand at the end, told once each."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord

import catalogue
from bench.settling import settle
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform, eventually
from tests.service_processes import SESSION_SECONDS, ServiceProcesses, register
from tongtu.supervision.service_process import SERVICES
from tongtu.target import Target

SEED = int(os.environ.get("TONGTU_CHAOS_SEED", "1"))
"""Of the moments at which services are killed; another one to look for what only some moments show."""
KILLS = 3
"""Of each service."""
PAUSE_SECONDS = 1.5
"""At most so long a service that is ready lives until it is killed."""
DEADLINE_SECONDS = 120.0
MEMBERS = [organisation.id for organisation in catalogue.organisations()]


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a member."""

    member: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class End:
    """What stands at the end: the latest record of each key, and every inbox in order."""

    proposed: dict[str, Any]
    assessed: dict[str, Any]
    inboxes: dict[str, list[ConsumerRecord[Any, Any]]]
    dead_letters: dict[str, Counter[str]]
    """How many each service has written, by error."""


def everything() -> list[Said]:
    """The whole catalogue, technologies, demands and malformed messages mixed."""
    records: list[list[Said]] = []
    for file, type in (
        (catalogue.TECHNOLOGIES, "tongtu.technology.submitted.v1"),
        (catalogue.DEMANDS, "tongtu.demand.posted.v1"),
    ):
        said: list[Said] = []
        for line in catalogue.lines(file):
            id: str = json.loads(line)["id"]
            member = id.partition("/")[0]
            headers = catalogue.SampleMessage().all_headers(member, type, f"good: {id}")
            said.append(Said(member, id.encode(), line, headers))
        records.append(said)
    wrong: list[Said] = []
    for bad in catalogue.malformed():
        if bad.after is not None:
            wrong.append(Said(bad.member, b"free", bad.after.value(), bad.headers_of_first()))
        wrong.append(Said(bad.member, b"free", bad.value(), bad.headers_to_write()))
    mixed = itertools.chain.from_iterable(itertools.zip_longest(*records, wrong))
    return [said for said in mixed if said is not None]


async def submit(platform: Platform, messages: Sequence[Said], may_go_on: Callable[[int], Awaitable[None]]) -> None:
    """Writes the messages to their outboxes, each as soon as `may_go_on(its number)` returns."""
    producer = AIOKafkaProducer(
        bootstrap_servers=platform.kafka, acks="all", enable_idempotence=True, max_request_size=4_194_304
    )
    await producer.start()
    try:
        for number, said in enumerate(messages):
            await may_go_on(number)
            topic = f"{platform.prefix}member.{said.member}.outbox"
            headers: Any = said.headers
            await producer.send_and_wait(topic, said.value, key=said.key, headers=headers)
    finally:
        await producer.stop()


async def at_once(_: int) -> None:
    """Holds nothing back."""


class Killing:
    """Kills each service some times: at a random moment after it was ready, and starts it again at once."""

    def __init__(self, services: ServiceProcesses, seed: int) -> None:
        self._services = services
        self._chance = random.Random(seed)
        self.kills: Counter[str] = Counter()

    async def run(self) -> None:
        """Returns when the last of all kills is done and everything is ready again."""
        await asyncio.gather(*(self._kill(name, random.Random(self._chance.random())) for name in SERVICES))

    async def _kill(self, name: str, chance: random.Random) -> None:
        while self.kills[name] < KILLS:
            await self._ready(name)
            await asyncio.sleep(chance.uniform(0, PAUSE_SECONDS))
            await asyncio.to_thread(self._services.kill, name)
            await asyncio.to_thread(self._services.start_again, name)
            self.kills[name] += 1
        await self._ready(name)

    async def _ready(self, name: str) -> None:
        async def ready() -> bool:
            return await asyncio.to_thread(self._services.is_ready, name)

        await eventually(ready, DEADLINE_SECONDS, f"{name} ready again")

    async def spread(self, number: int, of: int) -> None:
        """Returns once so large a part of the kills is done: the messages come from the first kill to the last."""

        async def far_enough() -> bool:
            return self.kills.total() * of >= number * KILLS * len(SERVICES)

        await eventually(far_enough, DEADLINE_SECONDS, f"kills for message {number}")


async def end_of(platform: Platform, messages: Sequence[Said]) -> End:
    """What stands when every message is answered and nothing is under way."""
    await settle(target_of(platform), DEADLINE_SECONDS)
    wanted = Counter(said.member for said in messages)
    inboxes = {member: await platform.read(f"member.{member}.inbox") for member in MEMBERS}
    letters = {service: Counter(map(error_of, await platform.read(f"{service}.dead-letters"))) for service in SERVICES}
    for member, records in inboxes.items():
        # A message that became a dead letter without intake's doing (of error Crash, say) is one without a reply.
        assert len(replies(records)) == wanted[member], f"replies to {member}; dead letters: {letters}"
    for service in SERVICES:
        assert platform.database(service)["outbox"].count_documents({}) == 0, f"outbox of {service}"
    proposed, assessed = [latest(await platform.read(topic)) for topic in ("match.proposed", "risk.assessed")]
    return End(proposed, assessed, inboxes, letters)


def target_of(platform: Platform) -> Target:
    """The platform as the command line's own modules know it."""
    return Target(platform.kafka, platform.mongodb, platform.prefix)


def latest(records: Sequence[ConsumerRecord[Any, Any]]) -> dict[str, Any]:
    """The last value of each key whose last record is not null."""
    values = {(record.key or b"").decode(): record.value for record in records}
    return {key: json.loads(value) for key, value in values.items() if value is not None}


def error_of(record: ConsumerRecord[Any, Any]) -> str:
    """Why the record in a dead letter was not handled."""
    return json.loads(record.value or b"{}")["error"]


def attribute(record: ConsumerRecord[Any, Any], name: str) -> str:
    """An attribute of the CloudEvent."""
    return next(value.decode() for header, value in record.headers if header == f"ce_{name}")


def replies(records: Sequence[ConsumerRecord[Any, Any]]) -> list[str]:
    """Receipts and rejections."""
    return [(each.value or b"").decode() for each in records if attribute(each, "source") == "/services/intake"]


def proposals(records: Sequence[ConsumerRecord[Any, Any]]) -> dict[str, Any]:
    """By match, what notify told last of it: a proposal, or that it no longer holds."""
    told = ("tongtu.proposal.v1", "tongtu.proposal-withdrawn.v1")
    return {
        attribute(each, "subject"): json.loads(each.value or b"null")
        for each in records
        if attribute(each, "type") in told
    }


def without_match(records: Sequence[ConsumerRecord[Any, Any]]) -> set[str]:
    """The demands of which notify has told that nothing is good enough."""
    return {attribute(each, "subject") for each in records if attribute(each, "type") == "tongtu.no-match.v1"}


def hopeless(member: str) -> set[str]:
    """The member's demands that nothing in the catalogue answers."""
    return {
        each.demand_id
        for each in catalogue.expected()
        if not each.technologies and each.demand_id.startswith(f"{member}/")
    }


def repeated(records: Sequence[ConsumerRecord[Any, Any]]) -> list[Any]:
    """What was told more than once: the same id, or the same words about the same subject."""
    ids = Counter(attribute(each, "id") for each in records)
    words = Counter((attribute(each, "subject"), attribute(each, "type"), each.value) for each in records)
    return [what for counted in (ids, words) for what, count in counted.items() if count > 1]


async def undisturbed(platform: Platform, messages: Sequence[Said], folder: Path) -> End:
    """The end of a run in which nothing happens."""
    async with running(platform, folder):
        await submit(platform, messages, at_once)
        return await end_of(platform, messages)


async def disturbed(platform: Platform, messages: Sequence[Said], folder: Path) -> End:
    """The end of a run in which each service is killed, from the first message to the last."""
    async with running(platform, folder, TONGTU_SESSION_TIMEOUT=SESSION_SECONDS) as services:
        killing = Killing(services, SEED)

        async def as_kills_come(number: int) -> None:
            await killing.spread(number, len(messages))

        await asyncio.gather(submit(platform, messages, as_kills_come), killing.run())
        assert killing.kills == dict.fromkeys(SERVICES, KILLS)
        return await end_of(platform, messages)


@asynccontextmanager
async def running(platform: Platform, folder: Path, **environment: str) -> AsyncGenerator[ServiceProcesses]:
    """All services with all members, whom matching knows before the first record comes; logs shown where it fails."""
    folder.mkdir()
    await register(platform, MEMBERS)
    services = ServiceProcesses(platform, folder, **environment)
    try:
        await asyncio.to_thread(services.start)
        await settle(target_of(platform), DEADLINE_SECONDS)
        yield services
    except BaseException:
        print(services.tails())
        raise
    finally:
        await asyncio.to_thread(services.stop)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("transactions_of_the_dead_end_soon")
async def test_kills_change_nothing_of_what_is_proposed_and_told(infra: TestInfrastructure, tmp_path: Path) -> None:
    messages = everything()
    calm, shaken = Platform(infra.kafka, infra.mongodb), Platform(infra.kafka, infra.mongodb)
    try:
        expected = await undisturbed(calm, messages, tmp_path / "calm")
        found = await disturbed(shaken, messages, tmp_path / "shaken")
    finally:
        calm.close()
        shaken.close()
    assert len(expected.proposed) >= sum(len(each.technologies) for each in catalogue.expected())
    assert found.proposed == expected.proposed
    assert found.assessed == expected.assessed
    assert found.assessed.keys() == found.proposed.keys()
    assert found.dead_letters == expected.dead_letters
    for member in MEMBERS:
        before, after = expected.inboxes[member], found.inboxes[member]
        assert repeated(before) == repeated(after) == [], member
        assert sorted(replies(after)) == sorted(replies(before)), member
        assert proposals(after) == proposals(before), member
        # Others may have had none for a while, which depends on what came first.
        assert hopeless(member) <= without_match(before) & without_match(after), member
