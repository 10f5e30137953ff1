"""notify under kills: each match ends as it should, and nothing is said twice or not at all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from shared.contracts.events import MatchAnswered, OrganisationRegistered, Side
from shared.runtime.topics import load_topics
from tests.integration.test_notify import OWNER, PROPOSAL, SEEKER, assessed, no_longer
from tests.integration.test_notify_answers import (
    DECLINED,
    INTEREST,
    OF,
    REMINDER,
    WITHDRAWN,
    answer,
    entry,
    types,
)
from tests.platform import Platform, eventually, topics_of
from tests.service_processes import SESSION_SECONDS

SEED = 1
MATCHES = 40
"""Of each kind."""
KILLS = 6
REMINDER_SECONDS = 12
DAY = 86_400
KINDS = {
    "both": ([PROPOSAL, INTEREST], [PROPOSAL, INTEREST]),
    "one": ([PROPOSAL], [PROPOSAL, REMINDER]),
    "declined": ([PROPOSAL, DECLINED], [PROPOSAL]),
    "none": ([PROPOSAL, REMINDER], [PROPOSAL, REMINDER]),
    "ended": ([PROPOSAL, WITHDRAWN], [PROPOSAL, WITHDRAWN]),
}
"""What the owner of the technology and the seeker are told, by kind of match."""


def messages(kind: str, match_id: str) -> list[list[tuple[str, Any]]]:
    """What happens to a match: several streams, each in order. (topic, record)"""
    answers = {
        "both": [answer(match_id, side) for side in Side],
        "one": [answer(match_id, Side.TECHNOLOGY)],
        "declined": [answer(match_id, Side.DEMAND, "declined", comment="希望完成中试后再谈。")],
    }.get(kind, [])
    proposals = [assessed(match_id), *([no_longer(match_id)] if kind == "ended" else [])]
    return [[("risk.assessed", each) for each in proposals], *([(MatchAnswered.topic, each)] for each in answers)]


async def write(platform: Platform, chance: random.Random) -> None:
    """Everything, mixed: each stream in order."""
    streams = [stream for kind in KINDS for n in range(MATCHES) for stream in messages(kind, f"{kind}-{n}")]
    streams += [[(OrganisationRegistered.topic, entry(member))] for member in OF.values()]
    order = [stream for stream in streams for _ in stream]
    chance.shuffle(order)
    places = {id(stream): iter(stream) for stream in streams}
    written = [next(places[id(stream)]) for stream in order]
    for start in range(0, len(written), 25):
        for topic in {topic for topic, _ in written[start : start + 25]}:
            await platform.produce(topic, [each for at, each in written[start : start + 25] if at == topic])


async def told(platform: Platform, member: str) -> dict[str, list[Any]]:
    """What a member was told, by match."""
    found: dict[str, list[Any]] = {}
    for each in await platform.read(f"member.{member}.inbox"):
        found.setdefault((each.key or b"").decode(), []).append(each)
    return found


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("transactions_of_the_dead_end_soon")
async def test_kills_neither_lose_nor_repeat_what_is_said_of_answers(platform: Platform) -> None:
    chance = random.Random(SEED)
    partitions = {name: load_topics().partitions(name) for name in topics_of("notify")}
    await platform.create_topics({**partitions, **{f"member.{member}.inbox": 1 for member in OF.values()}})
    environment = {
        "TONGTU_SESSION_TIMEOUT": SESSION_SECONDS,
        "TONGTU_NOTIFY_REMINDER_DAYS": str(REMINDER_SECONDS / DAY),
        "TONGTU_LOG": "warning",
    }
    process = platform.start_process("services.notify", **environment)
    writing = asyncio.create_task(write(platform, chance))
    try:
        for kill in range(KILLS):

            async def further(least: int = kill * 60) -> bool:
                return sum(map(len, (await told(platform, SEEKER)).values())) >= least

            await eventually(further, what=f"progress before kill {kill + 1}")
            await asyncio.sleep(chance.uniform(0, 1))
            process.kill()
            process.communicate()
            process = platform.start_process("services.notify", **environment)
        await writing
        wanted = sum(len(both_sides[1]) for both_sides in KINDS.values()) * MATCHES

        async def complete() -> bool:
            return sum(map(len, (await told(platform, SEEKER)).values())) >= wanted

        await eventually(complete, what=f"{wanted} messages to {SEEKER}")
        for member, side in ((OWNER, 0), (SEEKER, 1)):
            by_match = await told(platform, member)
            for kind, both_sides in KINDS.items():
                for number in range(MATCHES):
                    found, expected = types(by_match[f"{kind}-{number}"]), both_sides[side]
                    if REMINDER not in expected and found.count(REMINDER) == 1:
                        found.remove(REMINDER)  # what ended the waiting came late: the machine is under load
                    assert found == expected, (member, kind, number)
            ids = Counter(dict(each.headers)["ce_id"] for records in by_match.values() for each in records)
            assert set(ids.values()) == {1}
    finally:
        writing.cancel()
        process.kill()
        process.communicate()
