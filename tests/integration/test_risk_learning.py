"""Outcomes teach the shared model on real Kafka and MongoDB: once each, for every instance, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.risk.app import assemble
from services.risk.assessment import RiskModel
from services.risk.relevance import is_news
from services.risk.settings import RiskSettings
from services.risk.shared_model import MODEL_FOLDER, SharedModel
from services.risk.store import MATCHES, MODELS
from shared.contracts.events import Assessment, NotAssessed, OutcomeRecorded, RiskAssessed, RiskModelPublished
from shared.runtime.service import Service
from tests.integration.test_core_kills import JOURNAL, PRODUCER
from tests.integration.test_risk import create_topics, null_record, record
from tests.platform import Headers, Platform, event_headers, eventually
from tests.risk_worker import QUICK

BASE = SharedModel.load(RiskSettings().model)
Record = tuple[str, bytes | None, Headers]


def matches(names: Sequence[str], **risk: Any) -> list[Record]:
    """A proposal each, of a technology each."""
    made: list[Record] = []
    for name in names:
        key, value, headers = record(name, **risk)
        content = json.loads(value or b"")
        content["technology"]["id"] = f"example-materials/{name}"
        made.append((key, json.dumps(content).encode(), headers))
    return made


def outcome(id: str, match: str, result: str = "failed", version: int = 1, **given: Any) -> Record:
    """Of the pilot stage, by a member of its own."""
    member = f"member-{id}"
    value: dict[str, Any] = {
        "id": f"{member}/o", "owner": member, "version": version, "match_id": match, "stage": "pilot",
        "result": result, "date": "2026-05-01", **given,
    }  # fmt: skip
    headers = event_headers(f"{id}-{version}", OutcomeRecorded.type, "/services/intake", time="2026-06-01T00:00:00Z")
    return f"{member}/o", json.dumps(value).encode(), headers


def taken_back(id: str, version: int) -> Record:
    headers = event_headers(f"{id}-{version}", OutcomeRecorded.type, "/services/intake", recordversion=str(version))
    return f"member-{id}/o", None, [header for header in headers if header[0] != "content-type"]


@asynccontextmanager
async def risk_service(platform: Platform, **settings: Any) -> AsyncIterator[None]:
    chosen = platform.settings(RiskSettings, **settings)
    async with Service("risk", chosen, options=QUICK) as service:
        assemble(service, chosen)
        async with platform.running(service):
            yield


@pytest.fixture
async def learning(platform: Platform) -> AsyncIterator[Platform]:
    """A platform with the risk service running."""
    await create_topics(platform)
    async with risk_service(platform):
        yield platform


async def models(platform: Platform) -> list[RiskModelPublished]:
    records = await platform.read(RiskModelPublished.topic)
    return [RiskModelPublished.model_validate_json(each.value or b"") for each in records]


async def model_with(platform: Platform, outcomes: int) -> RiskModelPublished:
    """The latest version, once it rests on so many outcomes."""

    async def latest() -> RiskModelPublished | None:
        published = await models(platform)
        return published[-1] if published and published[-1].outcomes_used == outcomes else None

    return await eventually(latest, what=f"a model of {outcomes} outcomes")


async def histories(platform: Platform) -> dict[str, list[RiskAssessed | None]]:
    """By match, all that was said of it, in the order of the log."""
    found: dict[str, list[RiskAssessed | None]] = {}
    for each in await platform.read(RiskAssessed.topic):
        value = None if each.value is None else RiskAssessed.model_validate_json(each.value)
        found.setdefault((each.key or b"").decode(), []).append(value)
    return found


async def settled(platform: Platform, names: Sequence[str]) -> dict[str, list[RiskAssessed | None]]:
    """The histories, once nothing is to be published or assessed again and each match has been assessed."""
    database = platform.database("risk")

    async def nothing_waits() -> dict[str, list[RiskAssessed | None]] | None:
        current = database[MODELS].find_one({"_id": "current"})
        if current is None:
            return None
        behind = [
            {"open": True, "trl": None if start == "None" else int(start), "checked": {"$lt": number}}
            for start, number in current["since"].items()
        ]
        if behind and database[MATCHES].count_documents({"$or": behind}):
            return None
        # Last: what was assessed while the rest was looked at waits here until it stands in the log.
        if database["outbox"].count_documents({}):
            return None
        found = await histories(platform)
        return found if found.keys() >= set(names) else None

    return await eventually(nothing_waits, what="the end of all assessments")


async def assert_right(platform: Platform, found: dict[str, list[RiskAssessed | None]]) -> None:
    """Each version was published once; no match was told twice of the same one; and what was told last still holds."""
    published = await models(platform)
    numbers = {each.version: each.learning.number for each in published if each.learning}
    assert sorted(numbers.values()) == list(range(len(published))), "each version once"
    newest = max(published, key=lambda each: numbers[each.version])
    model = RiskModel(SharedModel.model_validate_json(newest.definition or ""))
    for name, history in found.items():
        said = [each for each in history if each is not None and isinstance(each.assessment, Assessment)]
        versions = [numbers[each.assessment.model_version] for each in said]  # type: ignore[union-attr]
        assert versions == sorted(set(versions)), name
        if history[-1] is not None:
            assert not is_news(history[-1].assessment, model.assess([history[-1].proposal])[0]), name


async def test_outcomes_make_a_version_and_the_open_matches_on_that_way_are_assessed_again(learning: Platform) -> None:
    nothing: dict[str, Any] = {"trl": None, "plan": None, "price": None}
    names = [f"m{number}" for number in range(12)]
    await learning.produce("match.proposed", matches(names))
    await learning.produce("match.proposed", [*matches(["beyond"], trl=8), *matches(["none"], **nothing)])
    await learning.produce("match.proposed", [*matches(["gone"]), null_record("gone")])
    everything = [*names, "beyond", "none", "gone"]
    before = await settled(learning, everything)
    assert [len(before[name]) for name in everything] == [*[1] * 14, 2]

    reported = [outcome(str(number), names[number], months=30) for number in range(6)]
    await learning.produce("outcome.recorded", reported)
    model = await model_with(learning, 6)
    after = await settled(learning, everything)

    assert model.version.startswith(f"{BASE.version}.")
    assert model.learning is not None
    changes = {change.name: change for change in model.learning.changes}
    pilot = next(gate for gate in BASE.gates if gate.name == "pilot").success[0]
    assert changes["success.pilot"].outcomes == 6
    assert changes["success.pilot"].after == pytest.approx(pilot.alpha / (pilot.effective_sample_size + 6), rel=1e-5)
    assert {"success.prototype", "success.demonstration"}.isdisjoint(changes)
    for name in names:
        old, new = before[name][-1], after[name][-1]
        assert old is not None
        assert new is not None
        assert isinstance(old.assessment, Assessment)
        assert isinstance(new.assessment, Assessment)
        assert new.proposal == old.proposal
        assert new.assessment.p_success < old.assessment.p_success
        assert new.assessment.evidence.outcomes_used == 6
    assert after["none"] == before["none"]
    assert after["gone"][-1] is None, "what was withdrawn is not assessed again"
    assert len(after["gone"]) == 2
    await assert_right(learning, after)

    scores = model.learning.scores
    forecast = before["m0"][0]
    assert forecast is not None
    assert isinstance(forecast.assessment, Assessment)
    stage = next(stage for stage in forecast.assessment.stages if stage.name == "pilot")
    assert scores.success.brier == pytest.approx(stage.p_success**2), "six forecasts of that much, and none held"
    assert (scores.months.forecasts, scores.versions[0].version) == (6, BASE.version)
    influence = model.learning.influence
    assert (influence.members, influence.largest_share) == (6, pytest.approx(1 / 6, rel=1e-5))
    assert "member-" not in model.model_dump_json(), "nobody is named"


async def test_a_corrected_outcome_replaces_its_effect_and_a_null_takes_it_back(learning: Platform) -> None:
    await learning.produce("match.proposed", matches(["m"]))
    await settled(learning, ["m"])

    def pilot(model: RiskModelPublished) -> dict[str, float]:
        return next(each.values for each in model.parameters if each.name == "success.pilot")

    before = pilot((await models(learning))[0])
    await learning.produce("outcome.recorded", [outcome("1", "m", "failed")])
    failed = pilot(await model_with(learning, 1))
    assert failed["beta"] == pytest.approx(before["beta"] + 1, rel=1e-5)
    await learning.produce("outcome.recorded", [outcome("1", "m", "passed", 2), outcome("1", "m", "failed", 1)])

    async def corrected() -> bool:
        return pilot((await models(learning))[-1])["beta"] < failed["beta"]

    await eventually(corrected)
    assert pilot((await models(learning))[-1])["alpha"] == pytest.approx(before["alpha"] + 1, rel=1e-5)
    await learning.produce("outcome.recorded", [taken_back("1", 3), outcome("1", "m", "failed", 2)])
    assert pilot(await model_with(learning, 0)) == before
    await assert_right(learning, await settled(learning, ["m"]))


async def test_the_same_outcomes_in_another_order_teach_the_same(platform: Platform) -> None:
    await create_topics(platform)
    names = [f"m{number}" for number in range(8)]
    said = [outcome(name, name, "passed" if number % 3 else "failed") for number, name in enumerate(names)]
    said.insert(3, outcome("m7", "m7", "failed", 2))
    definitions: list[str] = []
    for mixed in (said, said[::-1]):
        other = Platform(platform.kafka, platform.mongodb)
        await create_topics(other)
        async with risk_service(other):
            await other.produce("match.proposed", matches(names))
            await settled(other, names)
            for one in mixed:
                await other.produce("outcome.recorded", [one])
            model = SharedModel.model_validate_json((await model_with(other, 8)).definition or "")
            definitions.append(model.model_copy(update={"version": "-"}).model_dump_json())
        other.close()
    assert definitions[0] == definitions[1]


async def test_an_outcome_that_comes_before_its_match_counts_once_the_match_is_there(learning: Platform) -> None:
    await learning.produce("outcome.recorded", [outcome("1", "late")])

    async def aside() -> bool:
        published = await models(learning)
        return bool(published and published[-1].learning and published[-1].learning.set_aside == {"not_assessed": 1})

    await eventually(aside)
    await learning.produce("match.proposed", matches(["late"]))
    model = await model_with(learning, 1)
    assert model.learning is not None
    assert model.learning.set_aside == {}
    await assert_right(learning, await settled(learning, ["late"]))


async def test_what_is_no_outcome_becomes_a_dead_letter_that_names_each_field(learning: Platform) -> None:
    await learning.produce("match.proposed", matches(["m"]))
    await settled(learning, ["m"])
    key, _, headers = outcome("bad", "m")
    bad = json.dumps({"id": 5, "owner": "member-bad", "version": 0, "result": "passed", "date": "soon"}).encode()
    await learning.produce("outcome.recorded", [(key, bad, headers), outcome("good", "m")])
    await model_with(learning, 1)
    letter = json.loads((await learning.read_until("risk.dead-letters", 1))[0].value or b"")
    assert all(name in letter["message"] for name in ("id", "version", "stage", "date"))


async def test_two_instances_leave_no_match_with_an_old_version(platform: Platform) -> None:
    await create_topics(platform)
    names = [f"m{number}" for number in range(160)]
    async with risk_service(platform, reassessment_batch=7), risk_service(platform, reassessment_batch=7):
        for first in range(0, 160, 20):
            await platform.produce("match.proposed", matches(names[first : first + 20]))
            reported = [outcome(f"{first}-{n}", names[first + n], "failed", months=9 * n) for n in range(5)]
            await platform.produce("outcome.recorded", reported)
        model = await model_with(platform, 40)
        found = await settled(platform, names)
    assert len(model.learning.changes if model.learning else ()) > 0
    await assert_right(platform, found)
    assert any(len(history) > 1 for history in found.values())
    kept = {each["_id"] for each in platform.database("risk")[MODELS].find({}, {"_id": 1})}
    for history in found.values():
        for each in history:
            assert each is not None
            assert isinstance(each.assessment, Assessment)
            assert each.assessment.model_version in kept, "the version that made it can be looked up"


async def test_a_restart_goes_on_with_what_was_learnt(platform: Platform) -> None:
    await create_topics(platform)
    async with risk_service(platform):
        await platform.produce("match.proposed", matches([f"m{n}" for n in range(4)]))
        await settled(platform, ["m0"])
        await platform.produce("outcome.recorded", [outcome(str(n), f"m{n}") for n in range(4)])
        model = await model_with(platform, 4)
        await settled(platform, ["m0"])
    published = len(await models(platform))
    async with risk_service(platform):
        await platform.produce("match.proposed", matches(["new"]))
        found = await settled(platform, ["new"])
    assert len(await models(platform)) == published, "nothing new was learnt"
    new = found["new"][0]
    assert new is not None
    assert isinstance(new.assessment, Assessment)
    assert new.assessment.model_version == model.version


LEARNING = [
    (f"{JOURNAL}.add", "after"),
    ("shared.streaming.transaction:_commit", "after"),
    (f"{PRODUCER}.send_batch", "after"),
]
"""In the transaction that learns, between it and its publication, and while that is under way."""


@pytest.mark.usefixtures("transactions_of_the_dead_end_soon")
@pytest.mark.parametrize("place", LEARNING, ids=lambda place: place[0].rpartition(":")[2])
async def test_killed_while_learning_and_while_assessing_again_each_is_done_once(
    platform: Platform, place: tuple[str, str]
) -> None:
    await create_topics(platform)
    names = [f"m{number}" for number in range(60)]
    async with risk_service(platform):
        await platform.produce("match.proposed", matches(names))
        await settled(platform, names)
    await platform.produce("outcome.recorded", [outcome(str(n), names[n]) for n in range(6)])

    def start(*kill: str) -> subprocess.Popen[bytes]:
        few = {"TONGTU_RISK_REASSESSMENT_BATCH": "7"}
        return platform.start_process("tests.risk_worker", *kill, TONGTU_SESSION_TIMEOUT="1", **few)

    # The first dies over the outcomes; so does the next, or over the first matches that it assesses again.
    for _ in range(2):
        process = start(*place)
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL, "it came to that place"
    last = start()
    try:
        await model_with(platform, 6)
        found = await settled(platform, names)
    finally:
        last.terminate()
        await asyncio.to_thread(last.wait, 20)
    await assert_right(platform, found)
    assert all(len(history) > 1 for history in found.values())


async def test_another_model_file_is_taken_up_with_what_was_learnt(platform: Platform) -> None:
    await create_topics(platform)
    versions = sorted(file.stem for file in MODEL_FOLDER.glob("*.json"))
    assert len(versions) > 1
    async with risk_service(platform, model=versions[0]):
        await platform.produce("match.proposed", matches(["m"]))
        await settled(platform, ["m"])
        await platform.produce("outcome.recorded", [outcome("1", "m")])
        await model_with(platform, 1)
    async with risk_service(platform, model=versions[1]):
        await platform.produce("match.proposed", matches(["new"]))
        await eventually(lambda: _version_is(platform, f"{versions[1]}.2"))
        found = await settled(platform, ["m", "new"])
    model = (await models(platform))[-1]
    assert model.learning is not None
    assert (model.learning.reason, model.learning.previous) == ("base", f"{versions[0]}.1")
    assert model.outcomes_used == 1
    await assert_right(platform, found)


async def _version_is(platform: Platform, version: str) -> bool:
    return (await models(platform))[-1].version == version


async def test_a_match_that_cannot_be_assessed_is_not_hidden(learning: Platform) -> None:
    nothing: dict[str, Any] = {"trl": None, "plan": None, "price": None}
    await learning.produce("match.proposed", matches(["none"], **nothing))
    said = (await settled(learning, ["none"]))["none"][0]
    assert said is not None
    assert isinstance(said.assessment, NotAssessed)
