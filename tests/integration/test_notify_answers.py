"""Answers on real Kafka and MongoDB: two acceptances give names, whatever comes first; silence has an end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.notify.app import assemble
from services.notify.settings import NotifySettings
from services.notify.store import ORGANISATIONS
from shared.contracts.events import (
    AnswerReminder,
    MatchAnswered,
    MatchDeclined,
    MutualInterest,
    OrganisationRegistered,
    ProposalWithdrawn,
    Side,
)
from shared.runtime.service import Service
from tests.integration.test_notify import (
    OTHER_OWNER,
    OWNER,
    PROPOSAL,
    SEEKER,
    assessed,
    example,
    inbox,
    no_longer,
    record,
)
from tests.integration.test_notify import told as told_of
from tests.platform import Headers, Platform, eventually, topics_of

INTEREST, DECLINED, REMINDER = MutualInterest.type, MatchDeclined.type, AnswerReminder.type
WITHDRAWN = ProposalWithdrawn.type
OF = {Side.TECHNOLOGY: OWNER, Side.DEMAND: SEEKER}
PHONE = "+86 20 0000 0000"
DAY = 86_400


@pytest.fixture
async def topics(platform: Platform) -> Platform:
    """One partition for each of what matters in an order, four for answers, so that two partitions meet in a match."""
    counts = dict.fromkeys(
        [*topics_of("notify"), *(f"member.{member}.inbox" for member in (*OF.values(), OTHER_OWNER))], 1
    )
    await platform.create_topics({**counts, MatchAnswered.topic: 4})
    return platform


@asynccontextmanager
async def notify(platform: Platform, **values: float) -> AsyncIterator[None]:
    """The service in this process."""
    settings = platform.settings(NotifySettings, **values)
    async with Service("notify", settings) as service:
        assemble(service, settings)
        async with platform.running(service):
            yield


def answer(
    match_id: str, side: Side, decision: str = "accepted", version: int = 1, **more: Any
) -> tuple[str, Any, Headers]:
    value = {
        "match_id": match_id,
        "side": side,
        "member": OF[side],
        "version": version,
        "versions": {"technology": 1, "demand": 1},
        "decision": decision,
        "technology_id": "example-materials/sulfide-electrolyte",
        "demand_id": "example-motors/solid-state-separator",
        **({"reason": "too_early"} if decision == "declined" else {}),
        **more,
    }
    return record(MatchAnswered, f"{match_id}/{side}", value)


def both(match_id: str) -> list[tuple[str, Any, Headers]]:
    return [answer(match_id, side) for side in Side]


def entry(member: str, version: int = 1, phone: str = PHONE) -> tuple[str, Any, Headers]:
    value = example(OrganisationRegistered.type, "valid-zh")
    value |= {"id": member, "version": version, "names": {"zh": f"示例单位（{member}）"}, "internal_note": "SECRET"}
    value["contacts"][0] |= {"phone": phone, "salary": "SECRET"}
    return record(OrganisationRegistered, member, value)


async def know_both(platform: Platform) -> None:
    await platform.produce(OrganisationRegistered.topic, [entry(OWNER), entry(SEEKER)])

    async def known() -> bool:
        return platform.database("notify")[ORGANISATIONS].count_documents({}) == 2

    await eventually(known, what="both entries in notify")


async def about(platform: Platform, member: str, match_id: str, count: int) -> list[Any]:
    """What a member was told of one match, once it is so much."""

    async def enough() -> list[Any] | None:
        records = [each for each in await platform.read(f"member.{member}.inbox") if each.key == match_id.encode()]
        return records if len(records) >= count else None

    return await eventually(enough, what=f"{count} messages of {match_id} to {member}")


def types(records: list[Any]) -> list[str]:
    return [type_ for type_, _ in told_of(records)]


async def test_both_accept_and_each_learns_who_the_other_is_and_nobody_before(topics: Platform) -> None:
    async with notify(topics):
        await know_both(topics)
        await topics.produce("risk.assessed", [assessed("m1"), assessed("m2"), assessed("m3")])
        await topics.produce(MatchAnswered.topic, [answer("m2", Side.TECHNOLOGY), *both("m1")])
        await topics.produce(
            MatchAnswered.topic, [answer("m3", Side.DEMAND, "declined", comment=f"{SEEKER} will not, {PHONE}")]
        )
        for member, other in ((OWNER, SEEKER), (SEEKER, OWNER)):
            records = await about(topics, member, "m1", 2)
            assert types(records) == [PROPOSAL, INTEREST]
            message = MutualInterest.model_validate_json(records[1].value)
            assert message.organisation.id == other
            assert message.organisation.contacts[0].phone == PHONE
            assert (message.own_id.partition("/")[0], message.other_id.partition("/")[0]) == (member, other)
            assert b"SECRET" not in records[1].value
        await about(topics, OWNER, "m3", 2)
        # Everything else, every byte of it: value, key, names and values of headers.
        for member, other in ((OWNER, SEEKER), (SEEKER, OWNER)):
            records = await topics.read(f"member.{member}.inbox")
            assert types([each for each in records if each.key == b"m2"]) == [PROPOSAL]
            for each in records:
                for clue in (other, f"示例单位（{other}）", PHONE):
                    assert clue not in everything_in(each)


def everything_in(message: Any) -> str:
    """Every part of a message: key, names and values of headers, data; but not the data of the one that names."""
    headers = dict(message.headers)
    parts = [message.key, *(name.encode() for name in headers), *headers.values()]
    data = {} if headers["ce_type"] == INTEREST.encode() else json.loads(message.value)
    return b"\n".join(parts).decode() + json.dumps(data, ensure_ascii=False)


async def test_a_decline_goes_to_the_other_side_with_its_reason_once(topics: Platform) -> None:
    async with notify(topics):
        await know_both(topics)
        declined = answer("m", Side.DEMAND, "declined", comment="希望完成中试后再谈。")
        await topics.produce("risk.assessed", [assessed("m")])
        await topics.produce(MatchAnswered.topic, [declined, declined])
        await about(topics, OWNER, "m", 2)
        await topics.produce("risk.assessed", [no_longer("m"), assessed("last")])
        records = await inbox(topics, OWNER, "last")
        assert types(records) == [PROPOSAL, DECLINED, WITHDRAWN]
        message = MatchDeclined.model_validate_json(records[1].value)
        assert (message.side, message.reason, message.comment) == (Side.TECHNOLOGY, "too_early", "希望完成中试后再谈。")
        assert types(await inbox(topics, SEEKER, "last")) == [PROPOSAL, WITHDRAWN]


async def test_answers_before_the_match_and_an_entry_after_both(topics: Platform) -> None:
    async with notify(topics):
        await topics.produce(MatchAnswered.topic, both("m"))
        await topics.produce(OrganisationRegistered.topic, [entry(OWNER)])
        matches = topics.database("notify")["matches"]

        async def heard() -> bool:
            return (
                matches.find_one({"answers.technology": {"$exists": True}, "answers.demand": {"$exists": True}})
                is not None
            )

        await eventually(heard)
        await topics.produce("risk.assessed", [assessed("m"), assessed("last")])
        for member in OF.values():
            assert types(await inbox(topics, member, "last")) == [PROPOSAL]
        await topics.produce(OrganisationRegistered.topic, [entry(SEEKER)])
        for member in OF.values():
            assert types(await about(topics, member, "m", 2)) == [PROPOSAL, INTEREST]
        await topics.produce(OrganisationRegistered.topic, [entry(OWNER, 2, "+86 20 1111 1111")])
        renewed = await about(topics, SEEKER, "m", 3)
        assert types(renewed) == [PROPOSAL, INTEREST, INTEREST]
        assert b"1111 1111" in renewed[2].value
        assert types(await about(topics, OWNER, "m", 2)) == [PROPOSAL, INTEREST]


async def test_proposals_with_a_member_that_leaves_are_taken_back_at_once(topics: Platform) -> None:
    async with notify(topics):
        await know_both(topics)
        await topics.produce("risk.assessed", [assessed("m1"), assessed("m2")])
        await about(topics, SEEKER, "m2", 1)
        await topics.produce(MatchAnswered.topic, [answer("m1", Side.TECHNOLOGY)])
        await topics.produce(OrganisationRegistered.topic, [record(OrganisationRegistered, OWNER, None)])
        for match_id in ("m1", "m2"):
            assert types(await about(topics, SEEKER, match_id, 2)) == [PROPOSAL, WITHDRAWN]
        await topics.produce(MatchAnswered.topic, [answer("m1", Side.DEMAND)])
        await topics.produce(
            "risk.assessed", [assessed("m1"), assessed("last", owner=OTHER_OWNER, id=f"{OTHER_OWNER}/thing")]
        )
        assert types(await inbox(topics, SEEKER, "last")) == [PROPOSAL, PROPOSAL, WITHDRAWN, WITHDRAWN]
        assert topics.database("notify")[ORGANISATIONS].find_one({"_id": OWNER}) is None


async def test_a_record_hidden_after_an_acceptance_introduces_nobody(topics: Platform) -> None:
    async with notify(topics):
        await know_both(topics)
        await topics.produce("risk.assessed", [assessed("m")])
        await topics.produce(MatchAnswered.topic, [answer("m", Side.DEMAND)])
        hidden = assessed("m", version=2, visibility="named", named_members=["somebody-else"])
        await topics.produce("risk.assessed", [hidden])
        await about(topics, SEEKER, "m", 2)
        seen = {"technology": 2, "demand": 1}
        await topics.produce(
            MatchAnswered.topic, [answer("m", Side.TECHNOLOGY), answer("m", Side.DEMAND, version=2, versions=seen)]
        )
        await topics.produce(MatchAnswered.topic, [answer("other", Side.DEMAND, "declined")])
        await topics.produce("risk.assessed", [assessed("other"), assessed("last")])
        for member in OF.values():
            records = await inbox(topics, member, "last")
            assert types([each for each in records if each.key == b"m"]) == [PROPOSAL, WITHDRAWN]


async def test_silence_is_reminded_of_once_over_a_restart_and_then_the_proposal_lapses(topics: Platform) -> None:
    async with notify(topics, reminder_days=3 / DAY, lapse_days=6 / DAY):
        await topics.produce("risk.assessed", [assessed("m", score=0.8)])
        await topics.produce(MatchAnswered.topic, [answer("m", Side.TECHNOLOGY)])
        await about(topics, SEEKER, "m", 1)
        await topics.produce("risk.assessed", [assessed("m", score=0.6)])  # other figures: still waited for
        await about(topics, SEEKER, "m", 2)
    async with notify(topics, reminder_days=3 / DAY, lapse_days=6 / DAY):
        to_seeker = await about(topics, SEEKER, "m", 4)
        assert types(to_seeker) == [PROPOSAL, PROPOSAL, REMINDER, WITHDRAWN]
        assert ProposalWithdrawn.model_validate_json(to_seeker[3].value).reason == "lapsed"
        assert types(await about(topics, OWNER, "m", 3)) == [PROPOSAL, PROPOSAL, WITHDRAWN]
        for each in to_seeker:
            assert OWNER not in everything_in(each)
        # Nothing more of it, until a record changes.
        await topics.produce("risk.assessed", [assessed("m", score=0.5), assessed("m", version=2), assessed("last")])
        assert types((await inbox(topics, SEEKER, "last"))[4:]) == [PROPOSAL]
