"""Intake on real Kafka and MongoDB: what members write into their outboxes, and what comes of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from prometheus_client import REGISTRY

import catalogue
from services.intake.app import compose
from services.intake.ledger import MOST_WAITING
from services.intake.settings import IntakeSettings
from shared.contracts.dead_letter import DeadLetter
from shared.contracts.events import MatchProposed
from shared.contracts.example import load_examples
from shared.runtime.service import Service
from shared.runtime.topics import load_topics
from tests.platform import Headers, Platform, eventually

TECHNOLOGY = "tongtu.technology.submitted.v1"
DEMAND = "tongtu.demand.posted.v1"
ANSWER = "tongtu.match.answered.v1"
OUTPUTS = ("technology.submitted", "demand.posted", "match.answered", "outcome.recorded")
PROPOSAL = next(e for e in load_examples("tongtu.match.proposed.v1") if e.valid and e.value is not None)
KEY = "free"  # members choose it; Kafka's own client insists on one where there is no value
Record = tuple[str | bytes | None, bytes | None, Headers]


@asynccontextmanager
async def intake(platform: Platform, **settings: Any) -> AsyncGenerator[Service]:
    configured = platform.settings(IntakeSettings, **settings)
    async with Service("intake", configured) as service:
        compose(service, configured)
        async with platform.running(service):
            yield service


async def create_topics(platform: Platform, members: Iterable[str]) -> None:
    topics = load_topics()
    names = [*OUTPUTS, "match.proposed", "intake.dead-letters", "intake.replays"]
    names += [topic.name for member in members for topic in topics.for_member(member)]
    await platform.create_topics({name: topics.partitions(name) for name in names}, **{"max.message.bytes": "4194304"})


def message(id: str, data: Any, type: str = TECHNOLOGY, member: str = "acme", **extra: str) -> Record:
    headers = catalogue.SampleMessage(null=data is None).all_headers(member, type, id)
    headers += [(f"ce_{name}", value.encode()) for name, value in extra.items()]
    return KEY, None if data is None else json.dumps(data, ensure_ascii=False).encode(), headers


def technology(id: str, title: str = "Metal seals", **fields: Any) -> dict[str, Any]:
    return {"id": id, "title": title, "summary": "Down to 20 K."} | fields


def header(record: ConsumerRecord[Any, Any], name: str) -> str | None:
    return next((value.decode() for key, value in record.headers if key == name), None)


def data_of(record: ConsumerRecord[Any, Any]) -> dict[str, Any]:
    assert record.value is not None
    return json.loads(record.value)


def outcome(record: ConsumerRecord[Any, Any]) -> tuple[str, str]:
    """Of a reply: the message that it answers, and the receipt's outcome or the rejection's problem."""
    reply = data_of(record)
    return reply["event_id"], reply.get("outcome") or reply["type"].rpartition(":")[2]


async def replies(platform: Platform, count: int, member: str = "acme") -> list[tuple[str, str]]:
    return [outcome(record) for record in await platform.read_until(f"member.{member}.inbox", count)]


# --- the whole catalogue


async def test_the_catalogue_goes_in_and_every_message_is_answered_once(platform: Platform) -> None:
    outboxes: dict[str, list[Record]] = {organisation.id: [] for organisation in catalogue.organisations()}
    for file, type in ((catalogue.TECHNOLOGIES, TECHNOLOGY), (catalogue.DEMANDS, DEMAND)):
        for line in catalogue.lines(file):
            data = json.loads(line)
            member = data["id"].partition("/")[0]
            outboxes[member].append(message(f"good: {data['id']}", data, type, member))
    expected: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
    for bad in catalogue.malformed():
        if bad.after is not None:
            outboxes[bad.member].append((KEY, bad.after.value(), bad.headers_of_first()))
        if bad.problem == "too-large":
            continue  # a topic of its own is needed for it: below
        outboxes[bad.member].append((KEY, bad.value(), bad.headers_to_write()))
        expected[bad.member, bad.kind] = frozenset((error.pointer, error.code) for error in bad.errors)
    await create_topics(platform, outboxes)
    for member, records in outboxes.items():
        await platform.produce(f"member.{member}.outbox", records)
    async with intake(platform):
        inboxes = {
            member: await platform.read_until(f"member.{member}.inbox", len(records))
            for member, records in outboxes.items()
            if records
        }
        submitted = await platform.read_until("technology.submitted", 40)
        posted = await platform.read_until("demand.posted", 30)
        letters = await platform.read_until("intake.dead-letters", len(expected))
    assert {member: len(found) for member, found in inboxes.items()} == {
        member: len(records) for member, records in outboxes.items() if records
    }
    rejections = Counter(
        (member, frozenset((error["pointer"], error["code"]) for error in reply["errors"]))
        for member, found in inboxes.items()
        for reply in map(data_of, found)
        if "errors" in reply
    )
    assert rejections == Counter((member, errors) for (member, _), errors in expected.items())
    assert len(letters) == len(expected)
    firsts = sum(bad.after is not None for bad in catalogue.malformed())
    assert len(submitted) == 40 + firsts
    assert len(posted) == 30
    for record in (*submitted, *posted):
        canonical = data_of(record)
        assert (record.key or b"").decode() == canonical["id"] == header(record, "ce_subject")
        assert header(record, "ce_recordversion") == str(canonical["version"]) == "1"
        assert header(record, "ce_source") == "/services/intake"
    for found in inboxes.values():
        assert {header(record, "ce_source") for record in found} == {"/services/intake"}


async def test_a_message_past_the_limit_is_rejected_and_a_good_one_after_it_arrives(platform: Platform) -> None:
    large = next(bad for bad in catalogue.malformed() if bad.problem == "too-large")
    await create_topics(platform, ["acme"])
    await platform.produce(
        "member.acme.outbox",
        [(KEY, large.value(), large.headers_to_write()), message("after", technology("t-1"))],
        max_request_size=4_194_304,
    )
    async with intake(platform):
        found = await platform.read_until("member.acme.inbox", 2)
        await platform.read_until("technology.submitted", 1)
        await platform.read_until("intake.dead-letters", 1)
    assert data_of(found[0])["type"] == "urn:tongtu:problem:too-large"
    assert outcome(found[1]) == ("after", "accepted")


# --- one record through its life


async def test_repetitions_versions_and_withdrawal(platform: Platform) -> None:
    first = message("1", technology("t-1", colour="blue"), batch="7")
    sent = [
        (first, "accepted"),
        (first, "repeated"),
        (message("1", technology("t-1", "Other")), "id-reused"),
        (message("2", technology("t-1", "Better seals", version=5)), "accepted"),
        (message("3", technology("t-1", version=4)), "outdated"),
        (message("4", technology("t-1", "Best seals", version=5)), "version-conflict"),
        (message("5", None, subject="t-1"), "withdrawn"),
        (message("6", None, subject="t-1", recordversion="6"), "repeated"),
        (message("7", technology("t-1", version=6)), "version-conflict"),
        (message("8", technology("t-1")), "accepted"),
    ]
    await create_topics(platform, ["acme"])
    await platform.produce("member.acme.outbox", [record for record, _ in sent])
    async with intake(platform):
        found = await replies(platform, len(sent))
        records = await platform.read_until("technology.submitted", 4)
    assert [result for _, result in found] == [result for _, result in sent]
    assert [header(record, "ce_recordversion") for record in records] == ["1", "5", "6", "7"]
    assert [record.value is None for record in records] == [False, False, True, False]
    assert data_of(records[0])["colour"] == "blue"
    assert header(records[0], "ce_batch") == "7"
    assert {record.key for record in records} == {b"acme/t-1"}

    # All of it again, with a new process: nothing is said to the platform that was said before.
    await platform.produce("member.acme.outbox", [record for record, _ in sent])
    async with intake(platform):
        again = (await replies(platform, 2 * len(sent)))[len(sent) :]
    rejected_before = {2: "id-reused", 5: "outdated", 8: "outdated"}
    assert [result for _, result in again] == [rejected_before.get(n, "repeated") for n in range(len(sent))]
    assert len(await platform.read("technology.submitted")) == 4


async def test_structured_events_are_taken_like_binary_ones(platform: Platform) -> None:
    envelope = {"specversion": "1.0", "id": "1", "source": "/members/acme/erp", "type": TECHNOLOGY}
    structured = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    again = catalogue.SampleMessage(headers={"ce_source": envelope["source"]}).all_headers("acme", TECHNOLOGY, "1")
    withdrawn = {**envelope, "id": "2", "subject": "t-1", "data": None}
    await create_topics(platform, ["acme"])
    await platform.produce(
        "member.acme.outbox",
        [
            (KEY, json.dumps({**envelope, "data": technology("t-1")}).encode(), structured),
            (KEY, json.dumps(technology("t-1")).encode(), again),
            (KEY, json.dumps(withdrawn).encode(), structured),
        ],
    )
    async with intake(platform):
        found = await replies(platform, 3)
        records = await platform.read_until("technology.submitted", 2)
    assert [result for _, result in found] == ["accepted", "repeated", "withdrawn"]
    assert records[1].value is None


async def test_members_in_one_poll_do_not_touch_each_other(platform: Platform) -> None:
    members = [f"member-{number}" for number in range(20)]
    await create_topics(platform, members)
    for member in members:
        mine = [message(f"{n}", technology("t-1", f"Title {n % 3}"), member=member) for n in range(6)]
        await platform.produce(f"member.{member}.outbox", [*mine, message("bad", {"id": "x"}, member=member)])
    async with intake(platform):
        await platform.read_until("technology.submitted", 20 * 6)
        for member in members:
            results = await replies(platform, 7, member)
            assert [result for _, result in results] == ["accepted"] * 6 + ["invalid-record"]
    records = await platform.read("technology.submitted")
    versions = Counter((data_of(r)["owner"], header(r, "ce_recordversion")) for r in records)
    assert versions == {(member, str(n)): 1 for member in members for n in range(1, 7)}


# --- expiry


async def test_a_record_ends_by_itself_and_its_owner_is_told(platform: Platform) -> None:
    await create_topics(platform, ["acme"])
    await platform.produce(
        "member.acme.outbox",
        [
            message("1", technology("ends", expires_on="2099-01-01")),
            message("2", technology("stays", expires_on="2099-01-01")),
            message("3", technology("stays", "No end any more")),
        ],
    )
    timers = platform.database("intake")["timers"]
    async with intake(platform):
        await replies(platform, 3)
        (timer,) = timers.find({"name": "expiry"})
        assert timer["due"] == datetime(2099, 1, 2, tzinfo=UTC)
        timers.update_one({"_id": timer["_id"]}, {"$set": {"due": datetime.now(UTC) - timedelta(seconds=1)}})
        records = await platform.read_until("technology.submitted", 4)
        found = await platform.read_until("member.acme.inbox", 4)
    ended = [record for record in records if record.value is None]
    assert [(record.key, header(record, "ce_recordversion")) for record in ended] == [(b"acme/ends", "2")]
    receipt = data_of(found[-1])
    assert (receipt["outcome"], receipt["event_id"], receipt["record"]["version"]) == ("expired", None, 2)
    assert list(timers.find({})) == []


# --- answers


def proposal(match_id: str) -> Record:
    """The contract's example of a match, between acme and works."""
    assert PROPOSAL.value is not None
    data: dict[str, Any] = json.loads(json.dumps(PROPOSAL.value)) | {"match_id": match_id}
    for side, owner in (("technology", "acme"), ("demand", "works")):
        data[side] |= {"id": f"{owner}/{side}", "owner": owner, "version": 3}
    MatchProposed.model_validate(data)
    headers = [(name, value.encode()) for name, value in PROPOSAL.headers.items()]
    return match_id, json.dumps(data).encode(), headers


@pytest.fixture
async def matched(platform: Platform) -> Platform:
    await create_topics(platform, ["acme", "works", "stranger"])
    return platform


def not_a_party() -> float:
    """Messages that this process has rejected because somebody spoke about a match of others."""
    name = "tongtu_intake_messages_rejected_total"
    return REGISTRY.get_sample_value(name, {"problem": "not-a-party"}) or 0.0


async def test_parties_answer_and_strangers_do_not(matched: Platform) -> None:
    counted = not_a_party()
    accepted = {"match_id": "m-1", "decision": "accepted"}
    await matched.produce("match.proposed", [proposal("m-1"), ("m-1", None, proposal("m-1")[2])])
    database = matched.database("intake")
    async with intake(matched):

        async def known() -> bool:
            return database["matches"].count_documents({"_id": "m-1"}) == 1

        await eventually(known)
        for member in ("acme", "works", "stranger"):
            await matched.produce(f"member.{member}.outbox", [message("1", accepted, ANSWER, member)])
        answers = await matched.read_until("match.answered", 2)
        assert await replies(matched, 1, "acme") == [("1", "accepted")]
        assert await replies(matched, 1, "works") == [("1", "accepted")]
        assert await replies(matched, 1, "stranger") == [("1", "not-a-party")]
        # An operator sees that somebody tries: counted, and kept whole.
        assert not_a_party() == counted + 1
        (record,) = await matched.read_until("intake.dead-letters", 1)
    letter = DeadLetter.model_validate_json(record.value or b"")
    assert (letter.error, letter.original.topic) == ("not-a-party", "member.stranger.outbox")
    assert json.loads(letter.original.value_bytes or b"") == accepted
    assert {record.key for record in answers} == {b"m-1/technology", b"m-1/demand"}
    assert all(data_of(record)["versions"] == {"technology": 3, "demand": 3} for record in answers)
    joined = [(data_of(record)["technology_id"], data_of(record)["demand_id"]) for record in answers]
    assert joined == [("acme/technology", "works/demand")] * 2


async def test_an_answer_waits_for_its_match_and_a_later_one_takes_its_place(matched: Platform) -> None:
    def answer(id: str, comment: str, member: str) -> Record:
        return message(id, {"match_id": "m-2", "decision": "accepted", "comment": comment}, ANSWER, member)

    await matched.produce(
        "member.acme.outbox",
        [answer("1", "first", "acme"), answer("2", "second", "acme"), answer("2", "second", "acme")],
    )
    await matched.produce("member.stranger.outbox", [answer("1", "mine", "stranger")])
    async with intake(matched):
        assert await replies(matched, 3) == [("1", "waiting"), ("2", "waiting"), ("2", "repeated")]
        assert await replies(matched, 1, "stranger") == [("1", "waiting")]
        await matched.produce("match.proposed", [proposal("m-2")])
        (answered,) = await matched.read_until("match.answered", 1)
        assert (await replies(matched, 4))[-1] == ("2", "accepted")
        assert (await replies(matched, 2, "stranger"))[-1] == ("1", "not-a-party")
    assert data_of(answered)["comment"] == "second"
    assert list(matched.database("intake")["timers"].find({})) == []


async def test_no_member_fills_the_database_with_answers_to_matches_that_it_made_up(matched: Platform) -> None:
    def answer(number: int) -> Record:
        return message(f"{number}", {"match_id": f"made-up-{number}", "decision": "accepted"}, ANSWER)

    await matched.produce("member.acme.outbox", [answer(number) for number in range(MOST_WAITING + 3)])
    waiting = matched.database("intake")["waiting"]
    async with intake(matched):
        found = await replies(matched, MOST_WAITING + 3)
        assert Counter(result for _, result in found) == {"waiting": MOST_WAITING, "unknown-match": 3}
        assert waiting.count_documents({"member": "acme"}) == MOST_WAITING
        await matched.produce("match.proposed", [proposal("made-up-7"), proposal("made-up-8")])
        await matched.read_until("match.answered", 2)
        await matched.produce("member.acme.outbox", [answer(MOST_WAITING)])
        assert (await replies(matched, MOST_WAITING + 6))[-1] == (f"{MOST_WAITING}", "waiting")
    assert waiting.count_documents({"member": "acme"}) == MOST_WAITING - 1
    assert matched.database("intake")["timers"].count_documents({}) == 1


async def test_an_answer_to_a_match_that_never_comes_is_rejected_and_may_be_sent_again(matched: Platform) -> None:
    answer = message("1", {"match_id": "m-3", "decision": "accepted"}, ANSWER)
    await matched.produce("member.acme.outbox", [answer])
    async with intake(matched, match_wait_hours=1 / 3600):
        assert await replies(matched, 2) == [("1", "waiting"), ("1", "unknown-match")]
        await matched.produce("match.proposed", [proposal("m-3")])
        database = matched.database("intake")

        async def known() -> bool:
            return database["matches"].count_documents({"_id": "m-3"}) == 1

        await eventually(known)
        await matched.produce("member.acme.outbox", [answer])
        assert (await replies(matched, 3))[-1] == ("1", "accepted")


# --- the database


async def test_messages_are_forgotten_after_the_days_that_are_set(platform: Platform) -> None:
    await create_topics(platform, ["acme"])
    for days in (30, 45):
        async with intake(platform, remember_days=days):
            index = platform.database("intake")["messages"].index_information()["forget"]
            assert index["expireAfterSeconds"] == days * 86_400
