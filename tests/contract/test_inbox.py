"""Nothing leaves for a member but what its message declares, and nothing in it says who the other party is."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.contracts.events import (
    INBOX_MESSAGES,
    MatchProposed,
    MutualInterest,
    Proposal,
    Receipt,
    Rejection,
    RiskAssessed,
    Side,
)
from shared.contracts.example import load_examples

NEVER_SHOWN = {
    "owner",
    "named_members",
    "visibility",
    "contacts",
    "technology_id",
    "demand_id",
    "organisation",
    "other_id",
}


def example(contract: str, name: str) -> dict[str, Any]:
    found = next(each for each in load_examples(contract) if each.name == name)
    assert found.value is not None
    return found.value


def poisoned(value: Any) -> Any:
    """The same value with an unknown field in every object, each naming the other party."""
    if isinstance(value, dict):
        return {**{name: poisoned(item) for name, item in value.items()}, "owner_name": "SECRET"}
    return [poisoned(item) for item in value] if isinstance(value, list) else value


def field_names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in field_names(item)}
    return {name for item in value for name in field_names(item)} if isinstance(value, list) else set()


@pytest.mark.parametrize("name", ["valid-zh", "valid-en"])
def test_proposal_drops_unknown_fields_at_every_depth(name: str) -> None:
    value = example("tongtu.proposal.v1", name)
    hostile = {**poisoned({key: item for key, item in value.items() if key != "components"}), "components": {}}
    written = json.loads(Proposal.model_validate(hostile).model_dump_json())
    assert "SECRET" not in json.dumps(written)
    assert "owner_name" not in field_names(written)


def test_unknown_fields_of_a_tolerantly_read_event_do_not_reach_a_proposal() -> None:
    assessed = RiskAssessed.model_validate(example("tongtu.risk.assessed.v1", "valid-zh"))
    hostile = json.loads(assessed.model_dump_json())
    hostile["proposal"]["technology"]["display"]["laboratory"] = "SECRET"
    hostile["proposal"]["checks"][0]["comment"] = "SECRET"
    hostile["assessment"]["stages"][0]["site"] = "SECRET"
    read = RiskAssessed.model_validate(hostile)
    match: MatchProposed = read.proposal
    proposal = Proposal.model_validate(
        {
            "match_id": match.match_id,
            "side": Side.DEMAND,
            "own": {"id": match.demand.id, "version": match.demand.version},
            "versions": {"technology": match.technology.version, "demand": match.demand.version},
            "technology": match.technology.display,
            "score": match.score,
            "components": match.components,
            "shared_terms": match.shared_terms,
            "checks": match.checks,
            "method": match.method,
            "risk": read.assessment,
        }
    )
    written = proposal.model_dump_json()
    assert "SECRET" in read.model_dump_json()
    assert "SECRET" not in written
    assert match.technology.owner not in written
    assert match.technology.id not in written


@pytest.mark.parametrize("model", [model for model in INBOX_MESSAGES if model is not MutualInterest])
def test_schema_of_what_a_member_gets_has_no_place_for_the_other_party(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    parts = (schema, *schema.get("$defs", {}).values())
    assert not {name for part in parts for name in part.get("properties", {})} & NEVER_SHOWN


@pytest.mark.parametrize(("side", "shown"), [("technology", "technology"), ("demand", "demand")])
def test_proposal_shows_the_other_side_only(side: str, shown: str) -> None:
    seeker, owner = example("tongtu.proposal.v1", "valid-zh"), example("tongtu.proposal.v1", "valid-en")
    both = {**seeker, "side": side, "technology": seeker["technology"], "demand": owner["demand"]}
    with pytest.raises(ValidationError, match="and only that"):
        Proposal.model_validate(both)


def test_inbox_topic_is_the_reader_s() -> None:
    assert Receipt.topic_of("acme") == "member.acme.inbox"


def test_rejection_is_problem_details() -> None:
    value = example("tongtu.rejection.v1", "valid-zh")
    rejection = Rejection.model_validate(value)
    assert json.loads(rejection.model_dump_json())["type"] == "urn:tongtu:problem:invalid-record"
    unread = {"type": "urn:tongtu:problem:not-json", "title": "Not JSON", "event_id": "e-1"}
    assert Rejection.model_validate(unread).key == "e-1"
