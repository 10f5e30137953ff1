"""`tongtu risk` on a platform: the learnt model, reports of its matches, portfolios of its demands."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.risk.assessment import RiskModel
from services.risk.publication import publication_of
from services.risk.shared_model import SharedModel
from shared.contracts.match import MatchProposed
from shared.contracts.risk import RiskAssessed
from shared.contracts.risk_model import RiskModelPublished
from tests.command_line import CommandLine
from tests.integration.test_cli_matches import DEMAND, TOPICS, Log, example
from tests.platform import Platform


@pytest.fixture
async def log(platform: Platform) -> Log:
    await platform.create_topics(dict.fromkeys((*TOPICS, RiskModelPublished.topic), 4))
    return Log(platform)


@pytest.fixture
def learnt() -> SharedModel:
    """As a platform publishes it after some outcomes: another version, with other figures."""
    base = SharedModel.load("2")
    rate = base.discount_rate.model_copy(update={"value": 0.11})
    return base.model_copy(update={"version": "2.7", "discount_rate": rate})


async def publish(log: Log, model: SharedModel) -> None:
    published = publication_of(model, datetime.now(UTC)).model_dump(mode="json", exclude_none=True)
    await log.write(RiskModelPublished.topic, "model", published | {"definition": model.model_dump_json()})


async def assessed_match(log: Log, match_id: str, technology: str, model: SharedModel) -> None:
    """A match as the risk service assesses it with `model`."""
    await log.match(match_id, technology, DEMAND, 0.9, assessed=False)
    value: dict[str, Any] = example(MatchProposed.type) | {"match_id": match_id}
    value["technology"] |= {"id": technology, "owner": technology.partition("/")[0]}
    value["demand"] |= {"id": DEMAND, "owner": DEMAND.partition("/")[0]}
    proposal = MatchProposed.model_validate_json(json.dumps(value))
    [risk] = RiskModel(model).assess([proposal])
    event = RiskAssessed(match_id=match_id, proposal=proposal, assessment=risk)
    await log.write(RiskAssessed.topic, match_id, event.model_dump(mode="json", exclude_none=True))


async def test_a_report_of_a_match_repeats_the_draws_of_the_learnt_model(
    platform: Platform, log: Log, learnt: SharedModel, tmp_path: Path
) -> None:
    await publish(log, learnt)
    await assessed_match(log, "m-1", "lab-a/winding", learnt)
    report = tmp_path / "report.html"
    CommandLine.on(platform).run("risk", "m-1", "--report", str(report), "--language", "en")
    written = report.read_text(encoding="utf-8")
    assert "shared risk model 2.7" in written
    assert "Bars count draws" in written  # a histogram, because its draws give the figures of the assessment


async def test_the_model_of_the_platform_is_shown_and_compared(
    platform: Platform, log: Log, learnt: SharedModel
) -> None:
    tongtu = CommandLine.on(platform)
    assert "published no risk model yet" in tongtu.refusal("risk", "model", "show", "--current")
    await publish(log, learnt)
    assert tongtu.json("risk", "model", "show", "--current")["version"] == "2.7"
    [changed] = tongtu.json("risk", "model", "diff", "2", "current")
    assert changed["name"] == "discount_rate"
    assert changed["after"]["values"] == {"value": 0.11}


async def test_a_portfolio_of_a_demand_and_of_single_matches(platform: Platform, log: Log, learnt: SharedModel) -> None:
    await log.demand(DEMAND)
    await publish(log, learnt)
    for match_id, technology in (("m-1", "lab-a/winding"), ("m-2", "lab-b/magnet")):
        await assessed_match(log, match_id, technology, learnt)
    tongtu = CommandLine.on(platform)
    limits = ("--budget", "1000000000", "--cvar-limit", "1000000000")
    by_demand = tongtu.json("risk", "portfolio", "--demand", DEMAND, *limits)
    assert {each["match_id"] for each in by_demand["matches"]} == {"m-1", "m-2"}
    assert by_demand["model_version"] == "2.7"
    assert sum(each["chosen"] for each in by_demand["matches"]) <= 1  # they are for one demand
    by_match = tongtu.json("risk", "portfolio", "--match", "m-1", "--demand", DEMAND, *limits)
    assert len(by_match["matches"]) == 2
