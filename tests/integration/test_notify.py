"""The notify service on real Kafka and MongoDB: the right members are told, once, and nobody learns who it is about."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from services.notify.app import assemble
from services.notify.settings import NotifySettings
from services.notify.showing import FREE, RAISED, STEP
from services.notify.store import LEFT, MATCHES, SMALL
from shared.contracts.base import EventData
from shared.contracts.events import (
    DemandSearched,
    NoMatch,
    OrganisationRegistered,
    Proposal,
    ProposalWithdrawn,
    RiskAssessed,
    Side,
)
from shared.runtime.service import Service
from tests.platform import Headers, Platform, event_headers, eventually, topics_of

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
OWNER, SEEKER, OTHER_OWNER = "example-materials", "example-motors", "example-other"
PROPOSAL, WITHDRAWN, NO_MATCH = Proposal.type, ProposalWithdrawn.type, NoMatch.type


@pytest.fixture
async def notify(platform: Platform) -> AsyncIterator[Platform]:
    """A platform with the notify service running, and inboxes for the members of the examples."""
    inboxes = [f"member.{member}.inbox" for member in (OWNER, SEEKER, OTHER_OWNER)]
    # One partition each, so that what is written last is told last.
    await platform.create_topics(dict.fromkeys([*topics_of("notify"), *inboxes], 1))
    settings = platform.settings(NotifySettings)
    async with Service("notify", settings) as service:
        assemble(service, settings)
        async with platform.running(service):
            yield platform


def example(type_: str, name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / type_ / f"{name}.json").read_text("utf-8"))["value"]


def record(model: type[EventData], key: str, value: dict[str, Any] | None) -> tuple[str, bytes | None, Headers]:
    # A trace and an extension that would join what two members read, were they handed on.
    extensions = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "recordversion": "5", "cause": f"{OWNER}-{SEEKER}"}
    headers = event_headers(f"{OWNER}-{SEEKER}-{key}", model.type, f"/members/{OWNER}", **extensions)
    return key, None if value is None else json.dumps(value).encode(), headers


def assessed(match_id: str, score: float = 0.8, **technology: Any) -> tuple[str, bytes | None, Headers]:
    value = example(RiskAssessed.type, "valid-zh")
    value["match_id"] = value["proposal"]["match_id"] = match_id
    value["proposal"] |= {"score": score, "note": OWNER}
    value["proposal"]["technology"] |= technology
    value["proposal"]["technology"]["display"] |= {"owner": OWNER}
    value["proposal"]["demand"]["display"] |= {"owner": SEEKER}
    return record(RiskAssessed, match_id, value)


def no_longer(match_id: str) -> tuple[str, bytes | None, Headers]:
    return record(RiskAssessed, match_id, None)


def searched(demand_id: str, **changes: Any) -> tuple[str, bytes | None, Headers]:
    value = example(DemandSearched.type, "valid-zh") | {"demand_id": demand_id, "owner": demand_id.partition("/")[0]}
    return record(DemandSearched, demand_id, value | changes)


async def inbox(platform: Platform, member: str, last: str) -> list[Any]:
    """The member's inbox up to the message with the key `last`, without which the test fails; and nothing after it."""

    async def complete() -> list[Any] | None:
        records = await platform.read(f"member.{member}.inbox")
        return records if any(each.key == last.encode() for each in records) else None

    records = await eventually(complete, what=f"{last} in the inbox of {member}")
    assert records[-1].key == last.encode()
    return records[:-1]


def told(records: list[Any]) -> list[tuple[str, str]]:
    """Type and key of each message."""
    return [(dict(each.headers)["ce_type"].decode(), each.key.decode()) for each in records]


async def test_both_sides_are_told_and_neither_learns_who_the_other_is(notify: Platform) -> None:
    history = [assessed("m1"), assessed("m2"), no_longer("m1"), no_longer("m3"), assessed("last")]
    await notify.produce("risk.assessed", history)
    to_owner, to_seeker = await inbox(notify, OWNER, "last"), await inbox(notify, SEEKER, "last")
    assert told(to_owner) == told(to_seeker) == [(PROPOSAL, "m1"), (PROPOSAL, "m2"), (WITHDRAWN, "m1")]

    for records, other in ((to_owner, SEEKER), (to_seeker, OWNER)):
        for each in records:
            parts = [each.key, each.value, *(name.encode() for name, _ in each.headers), *dict(each.headers).values()]
            assert not [part for part in parts if other.encode() in part]
    sides = [Proposal.model_validate_json(records[0].value).side for records in (to_owner, to_seeker)]
    assert sides == [Side.TECHNOLOGY, Side.DEMAND]


async def test_no_two_members_can_join_what_they_read(notify: Platform) -> None:
    await notify.produce("risk.assessed", [assessed("m1"), no_longer("m1"), assessed("last")])
    records = await inbox(notify, OWNER, "last") + await inbox(notify, SEEKER, "last")
    headers = [dict(each.headers) for each in records]
    for name in ("ce_traceparent", "ce_id"):
        assert len({each[name] for each in headers}) == len(headers)
    assert {each["ce_source"] for each in headers} == {b"/services/notify"}
    assert not [each for each in headers if b"ab" * 16 in each["ce_traceparent"]]
    allowed = {"specversion", "id", "source", "type", "time", "subject", "dataschema", "partitionkey", "traceparent"}
    assert {name for each in headers for name in each} <= {f"ce_{name}" for name in allowed} | {"content-type"}


async def test_a_proposal_is_told_again_only_if_it_has_changed(notify: Platform) -> None:
    same = [assessed("m", score=0.8), assessed("m", score=0.8, version=2)]
    await notify.produce("risk.assessed", [*same, assessed("m", score=0.6, version=2), assessed("last")])
    records = await inbox(notify, OWNER, "last")
    assert [Proposal.model_validate_json(each.value).score for each in records] == [0.8, 0.6]


async def test_a_technology_proposed_often_is_shown_later_and_one_of_a_small_owner_first(notify: Platform) -> None:
    entry = example(OrganisationRegistered.type, "valid-zh") | {"id": OTHER_OWNER, "size": "micro"}
    await notify.produce(OrganisationRegistered.topic, [record(OrganisationRegistered, OTHER_OWNER, entry)])

    async def noted() -> bool:
        return notify.database("notify")[SMALL].find_one({"_id": OTHER_OWNER}) is not None

    await eventually(noted)
    often = [assessed(f"m{number}") for number in range(FREE + 3)]
    small = assessed("small", owner=OTHER_OWNER, id=f"{OTHER_OWNER}/thing")
    history = [*often, no_longer("m0"), assessed("again"), small, assessed("last")]
    await notify.produce("risk.assessed", history)
    told_first: dict[str, float | None] = {}
    for each in await inbox(notify, SEEKER, "last"):
        if dict(each.headers)["ce_type"] == PROPOSAL.encode():
            told_first[each.key.decode()] = Proposal.model_validate_json(each.value).order
    usual = told_first.pop("m0")
    assert usual is not None
    later = [0, 0, 0, STEP, 2 * STEP, 2 * STEP, -RAISED]  # m0 no longer counts for the last but one
    assert [*told_first] == ["m1", "m2", "m3", "m4", "m5", "again", "small"]
    assert [*told_first.values()] == [pytest.approx(usual - less) for less in later]
    # An owner reads of demands, which nothing moves.
    to_owner = (await inbox(notify, OWNER, "last"))[:5]
    orders = [Proposal.model_validate_json(each.value).order for each in to_owner]
    assert orders == [usual] * 5


async def test_what_is_not_the_other_sides_to_see_is_told_to_nobody(notify: Platform) -> None:
    hidden: dict[str, Any] = {"visibility": "named", "named_members": ["third-party"]}
    history = [assessed("m1", **hidden), assessed("m2"), assessed("m2", version=2, **hidden), assessed("last")]
    await notify.produce("risk.assessed", history)
    for member in (OWNER, SEEKER):
        assert told(await inbox(notify, member, "last")) == [(PROPOSAL, "m2"), (WITHDRAWN, "m2")]


async def test_no_match_is_told_to_the_demands_owner_once(notify: Platform) -> None:
    wish, other = f"{SEEKER}/wish", f"{SEEKER}/other"
    history = [searched(wish), searched(wish, technologies_searched=9), searched(other, proposals=2)]
    history += [searched(wish, demand_version=2), record(DemandSearched, wish, None), searched(wish)]
    await notify.produce("demand.searched", [*history, searched(f"{SEEKER}/last")])
    records = await inbox(notify, SEEKER, f"{SEEKER}/last")
    assert told(records) == [(NO_MATCH, wish)] * 3
    assert not [each for each in records if OWNER.encode() in each.value]
    assert await notify.read(f"member.{OWNER}.inbox") == []


async def test_a_member_that_has_left_is_told_nothing_more_and_its_proposals_are_taken_back(notify: Platform) -> None:
    await notify.produce("risk.assessed", [assessed("m1"), assessed("m2")])
    await inbox(notify, OWNER, "m2")
    await notify.produce(OrganisationRegistered.topic, [record(OrganisationRegistered, OWNER, None)])

    async def noted() -> bool:
        return notify.database("notify")[LEFT].find_one({"_id": OWNER}) is not None

    await eventually(noted)
    last = assessed("last", owner=OTHER_OWNER, id=f"{OTHER_OWNER}/thing")
    await notify.produce("risk.assessed", [assessed("m3"), assessed("m1", score=0.5), no_longer("m2"), last])
    to_seeker = told(await inbox(notify, SEEKER, "last"))
    assert to_seeker[:2] == [(PROPOSAL, "m1"), (PROPOSAL, "m2")]
    assert sorted(to_seeker[2:]) == [(WITHDRAWN, "m1"), (WITHDRAWN, "m2")]
    assert told(await notify.read(f"member.{OWNER}.inbox")) == [(PROPOSAL, "m1"), (PROPOSAL, "m2")]


async def test_the_state_holds_who_was_told_and_nothing_of_what_the_records_say(notify: Platform) -> None:
    await notify.produce("risk.assessed", [assessed("m"), assessed("gone"), no_longer("gone"), assessed("last")])
    await inbox(notify, OWNER, "last")
    documents = {each["_id"]: each for each in notify.database("notify")[MATCHES].find()}
    assert [documents[name]["holds"] for name in ("m", "gone")] == [True, False]
    assert documents["m"]["parties"]["demand"]["told"]
    assert documents["gone"]["parties"]["demand"]["told"] is None
    assert "电解质" not in json.dumps(list(documents.values()), ensure_ascii=False, default=str)
