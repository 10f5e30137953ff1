"""Matches and risks at the command line: ranked, explained, and only what still holds."""

import json
from typing import Any

import pytest

from shared.contracts.example import load_examples
from shared.contracts.match import DemandSearched, MatchProposed
from shared.contracts.risk import RiskAssessed
from tests.command_line import CommandLine
from tests.platform import Platform, event_headers

DEMAND = "example-motors/quiet-motor"
OTHER_DEMAND = "example-motors/other"
TOPICS = (
    "technology.submitted",
    "demand.posted",
    "match.proposed",
    "demand.searched",
    "risk.assessed",
    "match.answered",
)


def example(type: str, name: str = "valid-zh") -> dict[str, Any]:
    return next(each.value for each in load_examples(type) if each.name == name and each.value is not None)


class Log:
    """Writes what matching and risk would."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    async def write(self, topic: str, key: str, value: dict[str, Any] | None) -> None:
        data = None if value is None else json.dumps(value, ensure_ascii=False).encode()
        await self.platform.produce(topic, [(key, data, event_headers(f"{topic} {key}", f"tongtu.{topic}.v1"))])

    async def demand(self, id: str) -> None:
        posted = example("tongtu.demand.posted.v1")
        await self.write("demand.posted", id, posted | {"id": id, "owner": "example-motors", "title": "静音电机"})

    async def match(self, match_id: str, technology: str, demand: str, score: float, assessed: bool = True) -> None:
        proposal = example(MatchProposed.type)
        proposal |= {"match_id": match_id, "score": score}
        proposal["technology"] |= {"id": technology, "owner": technology.partition("/")[0]}
        proposal["demand"] |= {"id": demand, "owner": demand.partition("/")[0]}
        proposal["checks"] = [
            {"criterion": "trl", "asked": ">= 7", "offered": "8", "verdict": "met"},
            {"criterion": "budget", "asked": "2000000 CNY", "verdict": "unknown"},
            {"criterion": "region", "offered": "CN-JS", "verdict": "unmet"},
        ]
        await self.write("match.proposed", match_id, proposal)
        if assessed:
            risk = example(RiskAssessed.type)
            await self.write("risk.assessed", match_id, risk | {"match_id": match_id, "proposal": proposal})


@pytest.fixture
async def log(platform: Platform) -> Log:
    await platform.create_topics(dict.fromkeys(TOPICS, 4))
    return Log(platform)


async def test_matches_are_ranked_explained_and_carry_their_risk(platform: Platform, log: Log) -> None:
    await log.demand(DEMAND)
    await log.match("m-low", "lab-b/bearing", DEMAND, 0.4, assessed=False)
    await log.match("m-high", "lab-a/winding", DEMAND, 0.9)
    await log.match("m-gone", "lab-c/magnet", DEMAND, 0.8)
    await log.write("match.proposed", "m-gone", None)
    await log.match("m-other", "lab-a/winding", OTHER_DEMAND, 0.7)
    tongtu = CommandLine.on(platform)

    found = tongtu.json("matches", "--demand", DEMAND)
    assert [(each["rank"], each["match_id"], each["score"]) for each in found["matches"]] == [
        (1, "m-high", 0.9),
        (2, "m-low", 0.4),
    ]
    assert found["matches"][0]["risk"]["status"] == "assessed"
    assert found["matches"][1]["risk"] is None
    assert found["title"] == "静音电机"

    printed = tongtu.run("matches", "--demand", DEMAND)
    assert printed.index("lab-a/winding") < printed.index("lab-b/bearing")
    assert "✓ trl: asked >= 7, offered 8" in printed
    assert "? budget: asked 2000000 CNY\n" in printed
    assert "✗ region: offered CN-JS\n" in printed
    assert "not assessed yet" in printed
    assert "net present value" in printed

    technology = example("tongtu.technology.submitted.v1") | {"id": "lab-a/winding", "owner": "lab-a"}
    await log.write("technology.submitted", "lab-a/winding", technology)
    found = tongtu.json("matches", "--technology", "lab-a/winding")
    assert [each["demand"]["id"] for each in found["matches"]] == [DEMAND, OTHER_DEMAND]


async def test_answers_are_told_to_operators(platform: Platform, log: Log) -> None:
    await log.demand(DEMAND)
    await log.match("m-1", "lab-a/winding", DEMAND, 0.9)
    await log.match("m-2", "lab-b/bearing", DEMAND, 0.8)
    common = {"match_id": "m-1", "technology_id": "lab-a/winding", "demand_id": DEMAND, "version": 1}
    common |= {"versions": {"technology": 1, "demand": 2}}
    accepted = {**common, "side": "technology", "member": "lab-a", "decision": "accepted"}
    declined = {**common, "side": "demand", "member": "example-motors", "decision": "declined", "reason": "too_early"}
    await log.write("match.answered", "m-1/technology", accepted)
    await log.write("match.answered", "m-1/demand", declined)
    tongtu = CommandLine.on(platform)
    printed = tongtu.run("matches", "--demand", DEMAND)
    assert printed.count("answers") == 1
    assert "lab-a accepted at versions technology 1, demand 2" in printed
    assert "example-motors declined (too early) at versions technology 1, demand 2" in printed
    answers = [each["answers"] for each in tongtu.json("matches", "--demand", DEMAND)["matches"]]
    assert [{side: said["decision"] for side, said in each.items()} for each in answers] == [
        {"technology": "accepted", "demand": "declined"},
        {},
    ]


async def test_no_good_match_is_an_answer(platform: Platform, log: Log) -> None:
    tongtu = CommandLine.on(platform)
    await log.demand(DEMAND)
    assert "no search has come to an end yet" in tongtu.run("matches", "--demand", DEMAND)
    searched = example(DemandSearched.type) | {"demand_id": DEMAND, "proposals": 0}
    await log.write("demand.searched", DEMAND, searched)
    printed = tongtu.run("matches", "--demand", DEMAND)
    assert "no good match 没有合适的匹配" in printed
    assert tongtu.json("matches", "--demand", DEMAND)["searched"]["proposals"] == 0


async def test_records_that_are_not_there(platform: Platform, log: Log) -> None:
    tongtu = CommandLine.on(platform)
    assert f"no demand {DEMAND} is known" in tongtu.refusal("matches", "--demand", DEMAND)
    await log.demand(DEMAND)
    await log.write("demand.posted", DEMAND, None)
    assert f"demand {DEMAND} was closed" in tongtu.refusal("matches", "--demand", DEMAND)
    assert "is not a record id" in tongtu.refusal("matches", "--technology", 'x"y', code=2)


async def test_a_risk_is_drawn(platform: Platform, log: Log) -> None:
    await log.match("m-1", "lab-a/winding", DEMAND, 0.9)
    tongtu = CommandLine.on(platform)
    risk = example(RiskAssessed.type)["assessment"]
    printed = tongtu.run("risk", "m-1")
    for part in ("lab-a/winding", DEMAND, "probability of a loss", "stages to pass", "┃", "what drives the spread"):
        assert part in printed
    for assumption in risk["assumptions"]:
        assert assumption["name"] in printed
    assert tongtu.json("risk", "m-1")["assessment"]["npv"] == risk["npv"]


async def test_a_risk_that_is_not_there_says_how_far_the_match_got(platform: Platform, log: Log) -> None:
    tongtu = CommandLine.on(platform)
    assert "there is no match m-1" in tongtu.refusal("risk", "m-1")
    await log.match("m-1", "lab-a/winding", DEMAND, 0.9, assessed=False)
    assert "not assessed yet" in tongtu.refusal("risk", "m-1")
    await log.write("match.proposed", "m-1", None)
    assert "no longer holds" in tongtu.refusal("risk", "m-1")


async def test_what_cannot_be_assessed_says_what_is_missing(platform: Platform, log: Log) -> None:
    value = example(RiskAssessed.type)
    value["match_id"] = value["proposal"]["match_id"] = "m-1"
    value["assessment"] = {"status": "not_assessed", "reason": "nothing_given", "missing": ["/technology/plan"]}
    await log.write("risk.assessed", "m-1", value)
    printed = CommandLine.on(platform).run("risk", "m-1")
    assert "cannot be assessed (nothing given, missing /technology/plan)" in printed
