"""Matching on real Kafka and MongoDB: records in, proposals out, the same ones whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.matching import matcher
from services.matching.app import assemble
from services.matching.match_id import match_id
from services.matching.settings import MatchingSettings
from services.matching.store import DEMANDS, LABELS, PROPOSALS, SHARDS, TECHNOLOGIES, MatchingStore
from shared.contracts.events import (
    DemandPosted,
    DemandSearched,
    MatchAnswered,
    MatchProposed,
    OrganisationRegistered,
    Side,
    TechnologySubmitted,
    Verdict,
)
from shared.runtime.service import Service
from shared.runtime.topics import load_topics
from tests.platform import Platform, event_headers, eventually
from tests.service_processes import SESSION_SECONDS
from tests.unit.matching_profiles import party, work

TOPICS = (
    "technology.submitted",
    "demand.posted",
    "organisation.registered",
    "match.answered",
    "match.proposed",
    "demand.searched",
    "matching.work",
    "matching.dead-letters",
    "matching.replays",
)
SECRET = b"the same for all"
Record = tuple[str, bytes | None, list[tuple[str, bytes]]]

COATING: dict[str, Any] = {
    "title": "Thermal barrier coating for gas turbine blades",
    "summary": "Columnar ceramic coating by suspension plasma spraying; low thermal conductivity.",
    "keywords": ["thermal barrier coating", "gas turbine", "plasma spraying"],
    "trl": {"level": 6},
    "price": {"min": "800000", "currency": "CNY"},
}
COATING_WANTED: dict[str, Any] = {
    "title": "Longer-lived thermal barrier coating for gas turbine blades",
    "problem": "The ceramic coating of our gas turbine blades spalls. A thermal barrier coating that lasts is wanted.",
    "keywords": ["thermal barrier coating", "gas turbine"],
    "required_trl": 7,
    "budget": {"max": "900000", "currency": "CNY"},
}
COATING_WANTED_IN_CHINESE: dict[str, Any] = {
    "title": "燃气轮机叶片长寿命热障涂层",
    "problem": "燃气轮机叶片陶瓷涂层剥落,希望获得等离子喷涂的低热导率热障涂层。",
    "keywords": ["热障涂层", "燃气轮机", "等离子喷涂"],
    "language": "zh",
}
BREWING: dict[str, Any] = {
    "title": "Soy sauce fermentation with selected yeast",
    "summary": "A yeast strain that shortens the fermentation of soy sauce.",
    "keywords": ["fermentation", "yeast"],
}


def technology(id: str, version: int = 1, /, **fields: Any) -> Record:
    return record(TechnologySubmitted.type, id, version, fields)


def demand(id: str, version: int = 1, /, **fields: Any) -> Record:
    return record(DemandPosted.type, id, version, fields)


def record(type: str, id: str, version: int, fields: dict[str, Any]) -> Record:
    identity = {"id": id, "owner": id.partition("/")[0], "version": version}
    value = {"language": "en", "visibility": "members", **identity, **fields}
    return id, json.dumps(value).encode(), event_headers(f"{type}-{id}-{version}", type)


def gone(type: str, id: str, version: int) -> Record:
    headers = event_headers(f"{type}-{id}-{version}", type, recordversion=str(version))
    return id, None, [header for header in headers if header[0] != "content-type"]


def answer(id: str, pair: tuple[str, str], side: Side, version: int = 1, **fields: Any) -> Record:
    """A decline of the first versions of both records by the owner on that side, unless the fields say otherwise."""
    value: dict[str, Any] = {
        "match_id": id,
        "side": side.value,
        "member": pair[0 if side is Side.TECHNOLOGY else 1].partition("/")[0],
        "version": version,
        "technology_id": pair[0],
        "demand_id": pair[1],
        "versions": {"technology": 1, "demand": 1},
        "decision": "declined",
        "reason": "too_early",
        "comment": "not to be kept",
        **fields,
    }
    key, type = f"{id}/{side}", MatchAnswered.type
    return key, json.dumps(value).encode(), event_headers(f"{type}-{key}-{version}", type)


async def create_topics(platform: Platform, shards: int = 1) -> None:
    topics = load_topics()
    counts = {name: topics.partitions(name) for name in TOPICS} | {"matching.work": shards}
    await platform.create_topics(counts)


@pytest.fixture
async def matching(platform: Platform) -> AsyncIterator[Platform]:
    """A platform with the matching service running."""
    await create_topics(platform)
    settings = platform.settings(MatchingSettings)
    async with Service("matching", settings) as service:
        assemble(service, settings)
        async with platform.running(service):
            yield platform


async def standing(platform: Platform) -> dict[tuple[str, str], MatchProposed]:
    """The proposals that hold, by (technology id, demand id): the last record of each key."""
    last = {each.key: each.value for each in await platform.read(MatchProposed.topic)}
    found = [MatchProposed.model_validate_json(value) for value in last.values() if value is not None]
    return {(each.technology.id, each.demand.id): each for each in found}


async def until_standing(platform: Platform, pairs: set[tuple[str, str]]) -> dict[tuple[str, str], MatchProposed]:
    async def are() -> dict[tuple[str, str], MatchProposed] | bool:
        found = await standing(platform)
        return (found or True) if found.keys() == pairs else False

    found = await eventually(are, what=f"proposals {pairs}")
    return found if isinstance(found, dict) else {}


async def searches(platform: Platform, count: int) -> dict[str, list[DemandSearched | None]]:
    found: dict[str, list[DemandSearched | None]] = {}
    for each in await platform.read_until(DemandSearched.topic, count):
        value = None if each.value is None else DemandSearched.model_validate_json(each.value)
        found.setdefault((each.key or b"").decode(), []).append(value)
    return found


async def test_a_technology_and_a_demand_meet_whichever_comes_first(matching: Platform) -> None:
    await matching.produce("technology.submitted", [technology("maker/first", **COATING)])
    await matching.produce("technology.submitted", [technology("brewer/yeast", **BREWING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    first = await until_standing(matching, {("maker/first", "utility/blades")})
    await matching.produce("technology.submitted", [technology("rival/second", **COATING)])
    both = await until_standing(matching, {("maker/first", "utility/blades"), ("rival/second", "utility/blades")})

    # Read by partition, so in no order.
    one, other = both["maker/first", "utility/blades"], both["rival/second", "utility/blades"]
    assert one.score == other.score > 0.3
    assert first[one.technology.id, one.demand.id].match_id == one.match_id != other.match_id
    verdicts = {check.criterion: check.verdict for check in one.checks}
    assert verdicts["trl"] is Verdict.UNMET
    assert verdicts["budget"] is Verdict.MET
    assert "coating" in one.shared_terms
    # One search was told: the number only rose.
    (told,) = (await searches(matching, 1))["utility/blades"]
    assert told is not None
    assert (told.proposals, told.technologies_searched, told.nearest_miss) == (1, 2, None)


async def test_chinese_demands_find_english_technologies(matching: Platform) -> None:
    await matching.produce("demand.posted", [demand("utility/zh", **COATING_WANTED_IN_CHINESE)])
    await matching.produce("technology.submitted", [technology("maker/en", **COATING), technology("b-b/1", **BREWING)])
    found = await until_standing(matching, {("maker/en", "utility/zh")})
    assert found["maker/en", "utility/zh"].components.keys() == {"semantic"}


async def test_no_good_match_is_told_with_the_nearest_miss_and_again_when_the_last_one_goes(matching: Platform) -> None:
    await matching.produce("technology.submitted", [technology("brewer/yeast", **BREWING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    (none,) = (await searches(matching, 1))["utility/blades"]
    assert none is not None
    assert none.proposals == 0
    assert none.nearest_miss is not None
    assert none.nearest_miss.technology_id == "brewer/yeast"
    assert none.nearest_miss.score < none.threshold

    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    await until_standing(matching, {("maker/one", "utility/blades")})
    await matching.produce("technology.submitted", [gone(TechnologySubmitted.type, "maker/one", 2)])
    await until_standing(matching, set())
    told = (await searches(matching, 3))["utility/blades"]
    assert [each.proposals for each in told if each] == [0, 1, 0]


async def test_changes_keep_the_id_and_say_only_what_is_new(matching: Platform) -> None:
    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    pair = ("maker/one", "utility/blades")
    first = (await until_standing(matching, {pair}))[pair]
    await matching.produce("technology.submitted", [technology("maker/one", 1, **BREWING)])  # not newer: ignored
    await matching.produce("technology.submitted", [technology("maker/one", 2, **COATING)])

    async def changed() -> MatchProposed | None:
        found = (await standing(matching)).get(pair)
        return found if found and found.technology.version == 2 else None

    second: MatchProposed = await eventually(changed)
    assert second.match_id == first.match_id
    assert second.demand.version == 1
    await matching.produce("technology.submitted", [technology("maker/one", 3, **BREWING)])
    await until_standing(matching, set())
    assert len(await matching.read(MatchProposed.topic)) == 3


async def test_a_closed_demand_takes_its_proposals_and_its_search_with_it(matching: Platform) -> None:
    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    await until_standing(matching, {("maker/one", "utility/blades")})
    await matching.produce("demand.posted", [gone(DemandPosted.type, "utility/blades", 2)])
    await until_standing(matching, set())
    assert (await searches(matching, 2))["utility/blades"][-1] is None
    await matching.produce("demand.posted", [demand("utility/blades", 3, **COATING_WANTED)])
    await until_standing(matching, {("maker/one", "utility/blades")})


async def test_who_must_not_see_a_record_is_never_proposed_to(matching: Platform) -> None:
    private = {**COATING, "visibility": "named", "named_members": ["friend"]}
    unknown = {**COATING, "visibility": "something-new"}
    await matching.produce(
        "technology.submitted", [technology("maker/private", **private), technology("maker/unknown", **unknown)]
    )
    wanted = [demand(f"{owner}/blades", **COATING_WANTED) for owner in ("maker", "friend", "stranger")]
    await matching.produce("demand.posted", wanted)
    await searches(matching, 3)
    assert (await standing(matching)).keys() == {("maker/private", "friend/blades")}


async def test_the_kind_of_the_owner_is_shown_and_its_name_is_not(matching: Platform) -> None:
    entry = {"id": "maker", "version": 1, "names": {"en": "Hidden Name"}, "kind": "institute", "languages": ["en"]}
    type = OrganisationRegistered.type
    await matching.produce(
        "organisation.registered", [("maker", json.dumps(entry).encode(), event_headers("o-1", type))]
    )

    async def known() -> bool:
        return matching.database("matching")["organisations"].find_one({"_id": "maker"}) is not None

    await eventually(known)
    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    (found,) = (await until_standing(matching, {("maker/one", "utility/blades")})).values()
    assert found.technology.display.organisation_kind == "institute"
    assert "Hidden Name" not in found.model_dump_json()


async def test_a_null_record_without_its_version_becomes_a_dead_letter_and_the_next_one_arrives(
    matching: Platform,
) -> None:
    headers = [h for h in event_headers("e", TechnologySubmitted.type) if h[0] != "content-type"]
    await matching.produce("technology.submitted", [("maker/one", None, headers), technology("maker/two", **COATING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    await until_standing(matching, {("maker/two", "utility/blades")})
    (letter,) = await matching.read_until("matching.dead-letters", 1)
    assert b"NoVersion" in (letter.value or b"")


async def test_a_declined_pair_is_withdrawn_and_comes_back_only_with_a_new_version(matching: Platform) -> None:
    pair, other = ("maker/one", "utility/blades"), ("rival/two", "utility/blades")
    await matching.produce("technology.submitted", [technology(id, **COATING) for id, _ in (pair, other)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    first = (await until_standing(matching, {pair, other}))[pair]
    await matching.produce("match.answered", [answer(first.match_id, pair, Side.DEMAND)])
    await until_standing(matching, {other})

    (label,) = matching.database("matching")[LABELS].find()
    assert (label["technology"], label["demand"], label["side"]) == (*pair, "demand")
    assert (label["decision"], label["reason"]) == ("declined", "too_early")
    assert label["versions"] == {"technology": 1, "demand": 1}
    assert label["method"] == first.method
    assert "not to be kept" not in str(label)

    # Another technology changes nothing about it; a new version of its own does, under the id that it had.
    await matching.produce("technology.submitted", [technology("third/three", **COATING)])
    await until_standing(matching, {other, ("third/three", "utility/blades")})
    await matching.produce("technology.submitted", [technology("maker/one", 2, **COATING)])
    again = await until_standing(matching, {pair, other, ("third/three", "utility/blades")})
    assert again[pair].match_id == first.match_id
    # A change of mind counts too.
    seen = {"technology": 2, "demand": 1}
    await matching.produce("match.answered", [answer(first.match_id, pair, Side.DEMAND, 2, versions=seen)])
    await until_standing(matching, {other, ("third/three", "utility/blades")})
    accepted = {"decision": "accepted", "reason": None, "versions": seen}
    await matching.produce("match.answered", [answer(first.match_id, pair, Side.DEMAND, 3, **accepted)])
    await until_standing(matching, {pair, other, ("third/three", "utility/blades")})


async def test_an_answer_of_anybody_else_or_to_another_match_changes_nothing(matching: Platform) -> None:
    pair = ("maker/one", "utility/blades")
    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    (proposal,) = (await until_standing(matching, {pair})).values()
    strangers = [
        answer(proposal.match_id, pair, Side.DEMAND, member="stranger"),
        answer(proposal.match_id, pair, Side.TECHNOLOGY, member="utility"),
        answer("another-match", pair, Side.DEMAND),
        answer(proposal.match_id, pair, Side.DEMAND, technology_id=None, demand_id=None),
    ]
    await matching.produce("match.answered", strangers)
    letters = await matching.read_until("matching.dead-letters", 4)
    assert sorted(b"NotAParty" in (letter.value or b"") for letter in letters) == [False, True, True, True]
    assert list(matching.database("matching")[LABELS].find()) == []
    assert (await standing(matching)).keys() == {pair}


def variants(count: int) -> tuple[list[Record], list[Record]]:
    """Technologies and demands of a few subjects that overlap in their words."""
    subjects = [
        "thermal barrier coating",
        "hydrogen sensor",
        "rail inspection",
        "membrane distillation",
        "magnet alloy",
    ]
    offered = [
        technology(
            f"maker{number % 4}/t{number}",
            title=f"{subjects[number % 5]} {number % 7}",
            summary=f"A {subjects[number % 5]} with a {subjects[number // 5 % 5]}, model m{number % 11}.",
        )
        for number in range(count)
    ]
    asked = [
        demand(
            f"user{number % 3}/d{number}",
            title=f"{subjects[number % 5]} wanted",
            problem=f"We need a {subjects[number % 5]} that works with a {subjects[number // 3 % 5]}.",
        )
        for number in range(count // 2)
    ]
    return offered, asked


def declines(asked: Sequence[Record]) -> tuple[list[Record], set[tuple[str, str]]]:
    """Declines of two technologies of each demand's own subject, and which pairs they are about."""
    pairs = [
        (f"maker{number % 5 % 4}/t{number % 5}" if first else f"maker{(number % 5 + 5) % 4}/t{number % 5 + 5}", id)
        for number, (id, _, _) in enumerate(asked)
        for first in (True, False)
    ]
    records = [answer(match_id(SECRET, *pair), pair, list(Side)[position % 2]) for position, pair in enumerate(pairs)]
    return records, set(pairs)


async def run_all(
    platform: Platform, parts: Sequence[tuple[str, list[Record]]], instances: int, shards: int, restart: bool
) -> dict[tuple[str, str], tuple[float, str]]:
    """Feeds parts one after another to so many instances; stops and starts one of them between parts if so asked."""
    await create_topics(platform, shards)
    settings = platform.settings(MatchingSettings, max_records=20, most=3, secret=SECRET)
    demands = sum(len(records) for topic, records in parts if topic == "demand.posted")
    technologies = sum(len(records) for topic, records in parts if topic == "technology.submitted")
    answers = sum(len(records) for topic, records in parts if topic == "match.answered")

    def partitions(topic: str) -> int:
        return shards if topic == "matching.work" else load_topics().partitions(topic)

    async def running(stop: asyncio.Event, started: asyncio.Event) -> None:
        async with Service("matching", settings, partitions_of=partitions) as service:
            assemble(service, settings, shards)
            async with platform.running(service):
                started.set()
                await stop.wait()

    async def start() -> tuple[asyncio.Event, asyncio.Task[None]]:
        stop, started = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(running(stop, started))
        await started.wait()
        return stop, task

    runs = [await start() for _ in range(instances)]
    for topic, records in parts:
        await platform.produce(topic, records)
        if restart:
            stop, task = runs.pop(0)
            stop.set()
            await task
            runs.append(await start())

    await until_known(platform, technologies * shards, demands, answers)
    for stop, task in runs:
        stop.set()
        await task
    return await result(platform)


async def until_known(platform: Platform, technologies: int, demands: int, answers: int = 0) -> None:
    database = platform.database("matching")

    async def known() -> bool:
        enough = database[TECHNOLOGIES].count_documents({}) >= technologies
        enough = enough and database[LABELS].count_documents({}) >= answers
        return enough and database[PROPOSALS].count_documents({}) >= demands

    await eventually(known, what="every record in every shard")


async def result(platform: Platform) -> dict[tuple[str, str], tuple[float, str]]:
    """Score and match id of every proposal that holds, once the log has what the state says."""
    stored = {
        (entry["technology"], each["_id"]): entry["match_id"]
        for each in platform.database("matching")[PROPOSALS].find()
        for entry in each["proposed"]
    }
    found = await until_standing(platform, set(stored))
    assert stored == {pair: each.match_id for pair, each in found.items()}
    return {pair: (each.score, each.match_id) for pair, each in found.items()}


async def run_and_kill(platform: Platform, parts: Sequence[tuple[str, list[Record]]]) -> dict[Any, Any]:
    """The same by a process of its own that is killed twice on the way."""
    await create_topics(platform)
    for topic, records in parts:
        await platform.produce(topic, records)
    environment = {
        "TONGTU_MATCHING_MAX_RECORDS": "5",
        "TONGTU_MATCHING_MOST": "3",
        "TONGTU_MATCHING_SECRET": SECRET.decode(),
        "TONGTU_SESSION_TIMEOUT": SESSION_SECONDS,
    }
    process = platform.start_process("services.matching", **environment)
    try:
        for technologies in (5, 30):
            await until_known(platform, technologies, 0)
            process.kill()
            process.wait()
            process = platform.start_process("services.matching", **environment)
        await until_known(platform, 60, 30, 60)
        return await result(platform)
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("transactions_of_the_dead_end_soon")
async def test_the_proposals_are_the_same_for_any_order_instances_shards_and_kills(infra: Any) -> None:
    offered, asked = variants(60)
    said, declined = declines(asked)
    whole = [("technology.submitted", offered), ("demand.posted", asked), ("match.answered", said)]
    mixed = [
        part
        for number in range(3)
        for part in (
            # Answers may come before what they are about, as after a rebuild.
            ("match.answered", said[number * 20 : number * 20 + 20]),
            ("demand.posted", asked[number * 10 : number * 10 + 10]),
            ("technology.submitted", offered[number * 20 : number * 20 + 20]),
        )
    ]
    results: list[dict[Any, Any]] = []
    for run in (
        partial(run_all, parts=whole, instances=1, shards=1, restart=False),
        partial(run_all, parts=mixed, instances=2, shards=2, restart=True),
        partial(run_and_kill, parts=mixed),
    ):
        platform = Platform(infra.kafka, infra.mongodb)
        try:
            results.append(await run(platform))
        finally:
            platform.close()
    assert len(results[0]) > 30
    assert results[0].keys().isdisjoint(declined)
    assert results[0] == results[1]
    assert results[0] == results[2]


async def test_state_changed_behind_an_instances_back_is_noticed(matching: Platform) -> None:
    """What happens when a shard was somebody else's for a while: the index in memory has missed changes."""
    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    await until_standing(matching, {("maker/one", "utility/blades")})
    database = matching.database("matching")
    one = database[TECHNOLOGIES].find_one({"record": "maker/one"})
    assert one is not None
    other = {**one, "_id": "0/maker/two", "record": "maker/two", "party": {**one["party"], "id": "maker/two"}}
    database[TECHNOLOGIES].insert_one(other)
    database[SHARDS].update_one({"_id": 0}, {"$inc": {"number": 1}})
    await matching.produce("demand.posted", [demand("plant/blades", **COATING_WANTED)])
    pairs = {("maker/one", "utility/blades"), ("maker/one", "plant/blades"), ("maker/two", "plant/blades")}
    await until_standing(matching, pairs)


async def test_a_technology_that_fits_many_demands_reaches_them_in_several_polls(
    matching: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matcher, "MOST_DEMANDS", 3)
    wanted = [demand(f"user{number}/blades", **COATING_WANTED) for number in range(10)]
    await matching.produce("demand.posted", wanted)
    await searches(matching, 10)
    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    pairs = {("maker/one", f"user{number}/blades") for number in range(10)}
    await until_standing(matching, pairs)
    await matching.produce("technology.submitted", [gone(TechnologySubmitted.type, "maker/one", 2)])
    await until_standing(matching, set())
    assert len(await matching.read(MatchProposed.topic)) == 20


async def test_work_of_another_encoder_becomes_a_dead_letter(matching: Platform) -> None:
    other = work(Side.TECHNOLOGY, 1, party("maker/other")).model_copy(update={"encoder": "another"})
    headers = event_headers("w-1", other.type, shard="0", recordversion="1")
    await matching.produce(other.topic, [(other.key, other.model_dump_json().encode(), headers)])
    (letter,) = await matching.read_until("matching.dead-letters", 1)
    assert b"OtherEncoder" in (letter.value or b"")
    await matching.produce("technology.submitted", [technology("maker/one", **COATING)])
    await matching.produce("demand.posted", [demand("utility/blades", **COATING_WANTED)])
    await until_standing(matching, {("maker/one", "utility/blades")})


async def test_records_of_another_encoder_are_right_once_encoded_anew(platform: Platform) -> None:
    await create_topics(platform)
    offered = [technology(f"maker{number}/one", **COATING) for number in range(3)]
    asked = [demand(f"user{number}/blades", **COATING_WANTED) for number in range(3)]
    database = platform.database("matching")

    @asynccontextmanager
    async def started() -> AsyncIterator[None]:
        settings = platform.settings(MatchingSettings)
        async with Service("matching", settings) as service:
            assemble(service, settings)
            async with platform.running(service):
                yield

    async def encode_anew(topic: str, records: Sequence[Record], name: str) -> None:
        async def done() -> bool:
            return database[name].count_documents({"encoder": "another"}) == 0

        await platform.produce(topic, records)
        await eventually(done, what=f"every record of {name} encoded anew")

    async with started():
        await platform.produce("technology.submitted", offered)
        await platform.produce("demand.posted", asked)
        every = {(f"maker{t}/one", f"user{d}/blades") for t in range(3) for d in range(3)}
        proposed = await until_standing(platform, every)
    for name in (TECHNOLOGIES, DEMANDS):
        # Not even as long as a vector of this model; log-odds that would keep everything else out.
        database[name].update_many({}, {"$set": {"encoder": "another", "vector": b"other", "english": b"other"}})
    database[PROPOSALS].update_many({}, {"$set": {"proposed.$[].logit": 99.0}})
    async with started():
        # Nothing can be compared yet, but what is withdrawn holds no longer.
        await platform.produce("technology.submitted", [gone(TechnologySubmitted.type, "maker0/one", 2)])
        left = {pair: each for pair, each in proposed.items() if pair[0] != "maker0/one"}
        assert await until_standing(platform, set(left)) == left
        await encode_anew("technology.submitted", offered[1:], TECHNOLOGIES)
        await encode_anew("demand.posted", asked, DEMANDS)
        every = {(f"maker{t}/one", f"user{d}/blades") for t in range(1, 4) for d in range(3)}
        await platform.produce("technology.submitted", [technology("maker3/one", **COATING)])
        found = await until_standing(platform, every)
    assert len({each.score for each in [*found.values(), *proposed.values()]}) == 1
    # Told once more each, and on the way nothing was withdrawn that still holds.
    told = await platform.read(MatchProposed.topic)
    assert sum(each.value is None for each in told) == 3
    assert len(told) == len(proposed) + 3 + len(left) + 3


async def test_a_restart_takes_over_the_snapshot_and_what_has_changed_since(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_topics(platform)
    whole = MatchingStore.load
    read_after: list[int] = []

    async def load(store: MatchingStore, shard: int, after: int = 0) -> Any:
        read_after.append(after)
        return await whole(store, shard, after)

    monkeypatch.setattr(MatchingStore, "load", load)

    async def run(folder: Path | None, events: Sequence[Any], pairs: set[tuple[str, str]]) -> None:
        settings = platform.settings(MatchingSettings, snapshots=folder)
        async with Service("matching", settings) as service:
            owner = assemble(service, settings)
            async with platform.running(service):
                for topic, records in events:
                    await platform.produce(topic, records)
                await until_standing(platform, pairs)
            await owner.close()

    offered, asked = "technology.submitted", "demand.posted"
    first = [(offered, [technology("maker/one", **COATING), technology("maker/gone", **COATING)])]
    wanted = [(asked, [demand("utility/blades", **COATING_WANTED)])]
    pairs = {("maker/one", "utility/blades"), ("maker/gone", "utility/blades")}
    await run(tmp_path, [*first, *wanted], pairs)
    assert (tmp_path / "shard-0.npz").is_file()
    # Meanwhile the shard is somebody else's, who keeps no snapshots.
    meanwhile = [(offered, [technology("maker/two", **COATING), gone(TechnologySubmitted.type, "maker/gone", 2)])]
    pairs = {("maker/one", "utility/blades"), ("maker/two", "utility/blades")}
    await run(None, meanwhile, pairs)
    del read_after[:]
    pairs |= {("maker/one", "plant/blades"), ("maker/two", "plant/blades")}
    await run(tmp_path, [(asked, [demand("plant/blades", **COATING_WANTED)])], pairs)
    assert read_after[0] > 0
