"""What risk writes of a match, in parts, is what its contracts write as a whole."""

import json
from pathlib import Path

import pytest

import shared.contracts
from services.risk.assessment import RiskModel
from services.risk.shared_model import SharedModel
from services.risk.telling import telling
from shared.contracts.events import Assessment, MatchProposed, NotAssessed, RiskAssessed

EXAMPLES = Path(shared.contracts.__file__).parent / "examples" / MatchProposed.type


@pytest.fixture(scope="module")
def model() -> RiskModel:
    return RiskModel(SharedModel.load("2"))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("changes", "kind"), [({}, Assessment), ({"plan": None, "price": None, "later": {"x": [None, "吗"]}}, NotAssessed)]
)
def test_parts_written_once_are_the_whole(
    model: RiskModel, language: str, changes: dict[str, object], kind: type
) -> None:
    value = json.loads((EXAMPLES / f"valid-{language}.json").read_text("utf-8"))["value"]
    value["technology"]["risk"] |= changes
    proposal = MatchProposed.model_validate(value)
    [result] = model.assess([proposal])
    assert isinstance(result, kind)
    whole = RiskAssessed(match_id=proposal.match_id, proposal=proposal, assessment=result)
    told = telling(proposal, result)
    assert RiskAssessed.model_validate_json(told.event) == whole
    assert json.loads(told.event) == json.loads(whole.model_dump_json())
    assert json.loads(told.proposal) == json.loads(proposal.model_dump_json())
    assert json.loads(told.result) == json.loads(result.model_dump_json(exclude={"assumptions"}))
