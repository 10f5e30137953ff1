"""The risk service on real Kafka and MongoDB: every proposal goes on with its risk, in order, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from services.risk.app import assemble
from services.risk.settings import RiskSettings
from services.risk.store import MATCHES
from shared.contracts.events import Assessment, MatchProposed, NotAssessed, RiskAssessed, RiskModelPublished
from shared.runtime.service import Service
from shared.runtime.topics import load_topics
from tests.platform import Headers, Platform, event_headers, eventually

EXAMPLES = Path(shared.contracts.__file__).parent / "examples" / MatchProposed.type
TOPICS = ("match.proposed", "outcome.recorded", "risk.assessed", "risk.model", "risk.dead-letters", "risk.replays")


def record(match_id: str, version: int = 1, language: str = "zh", **risk: Any) -> tuple[str, bytes, Headers]:
    """A Kafka record of a proposal: the example's, with another id, version and risk extract."""
    value = json.loads((EXAMPLES / f"valid-{language}.json").read_text("utf-8"))["value"]
    value["match_id"] = match_id
    value["technology"]["version"] = version
    value["technology"]["risk"] |= risk
    return match_id, json.dumps(value).encode(), event_headers(f"e-{match_id}-{version}", MatchProposed.type)


def null_record(match_id: str, **extensions: str) -> tuple[str, None, Headers]:
    headers = [header for header in event_headers(f"n-{match_id}", MatchProposed.type) if header[0] != "content-type"]
    return match_id, None, headers + [(f"ce_{name}", value.encode()) for name, value in extensions.items()]


async def create_topics(platform: Platform) -> None:
    topics = load_topics()
    await platform.create_topics({name: topics.partitions(name) for name in TOPICS})


@pytest.fixture
async def risk(platform: Platform) -> AsyncIterator[Platform]:
    """A platform with the risk service running."""
    await create_topics(platform)
    settings = platform.settings(RiskSettings)
    async with Service("risk", settings) as service:
        assemble(service, settings)
        async with platform.running(service):
            yield platform


async def assessed(platform: Platform, count: int) -> dict[str, list[RiskAssessed | None]]:
    """What went on, by match id in the order of the log."""
    found: dict[str, list[RiskAssessed | None]] = {}
    for each in await platform.read_until(RiskAssessed.topic, count):
        value = None if each.value is None else RiskAssessed.model_validate_json(each.value)
        found.setdefault((each.key or b"").decode(), []).append(value)
    return found


async def test_each_proposal_goes_on_with_its_risk_and_null_as_null(risk: Platform) -> None:
    nothing: dict[str, Any] = {"trl": None, "plan": None, "price": None}
    records = [record("both"), record("none", **nothing), record("gone"), null_record("gone", recordversion="7")]
    await risk.produce("match.proposed", records)

    found = await assessed(risk, 4)
    both, none = found["both"][0], found["none"][0]
    assert both is not None
    assert none is not None
    assert isinstance(both.assessment, Assessment)
    assert isinstance(none.assessment, NotAssessed)
    assert none.assessment.reason == "nothing_given"
    assert none.proposal.technology.display.title  # the match is not hidden
    assert [each is None for each in found["gone"]] == [False, True]
    headers = {
        name: value
        for each in await risk.read(RiskAssessed.topic)
        for name, value in each.headers
        if each.value is None
    }
    assert headers["ce_recordversion"] == b"7"
    assert headers["ce_type"] == RiskAssessed.type.encode()


async def test_the_state_is_the_last_assessment_of_each_match(risk: Platform) -> None:
    versions = [record("m", version) for version in (1, 2, 3)]
    await risk.produce("match.proposed", [*versions, record("gone"), null_record("gone"), record("other")])
    found = await assessed(risk, 6)

    documents = {each["_id"]: each for each in risk.database("risk")[MATCHES].find()}
    assert {id for id, each in documents.items() if each["open"]} == {"m", "other"}
    assert documents["gone"].keys() == {"_id", "open", "technology_id", "entered", "first"}, "its text is gone"
    assert documents["m"]["technology"]["version"] == 3
    last = found["m"][-1]
    assert last is not None
    assert json.loads(documents["m"]["result"]) == last.assessment.model_dump(mode="json", exclude={"assumptions"})


async def test_the_same_proposal_gives_the_same_assessment_every_time(risk: Platform) -> None:
    await risk.produce("match.proposed", [record("m")] * 3)
    found = await assessed(risk, 3)
    assert len({each.model_dump_json() for each in found["m"] if each}) == 1


async def test_an_invalid_proposal_becomes_a_dead_letter_and_the_next_one_arrives(risk: Platform) -> None:
    headers = event_headers("e", MatchProposed.type)
    await risk.produce("match.proposed", [("m", b'{"match_id": 3}', headers), record("m")])
    assert len((await assessed(risk, 1))["m"]) == 1
    assert len(await risk.read_until("risk.dead-letters", 1)) == 1


async def test_the_model_is_published_once_by_however_many_instances(platform: Platform) -> None:
    await create_topics(platform)
    settings = platform.settings(RiskSettings)
    for first in range(2):
        async with Service("risk", settings) as one, Service("risk", settings) as other:
            for service in (one, other):
                assemble(service, settings)
            async with platform.running(one), platform.running(other):
                await platform.produce("match.proposed", [record(f"m{first}-{number}") for number in range(50)])
                await platform.read_until(RiskAssessed.topic, 50 * (first + 1))

    async def published() -> list[Any]:
        return await platform.read(RiskModelPublished.topic)

    records = await eventually(published)
    assert [each.key for each in records] == [b"model"]
    model = RiskModelPublished.model_validate_json(records[0].value)
    assert model.version == settings.model
    assert len(await platform.read(RiskAssessed.topic)) == 100
