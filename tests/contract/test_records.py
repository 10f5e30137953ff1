"""Drafts are read exactly, canonical records tolerantly, and the one becomes the other."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.contracts.events import (
    AnswerDraft,
    DemandDraft,
    MatchAnswered,
    NotAssessed,
    NotAssessedReason,
    OutcomeDraft,
    RiskAssessed,
    Side,
    TechnologyDraft,
    TechnologySubmitted,
    TransferMode,
    Visibility,
)
from shared.contracts.example import load_examples
from shared.contracts.problems import field_problems

TECHNOLOGY = {"id": "t-1", "title": "Title", "summary": "Summary"}
DEMAND = {"id": "d-1", "title": "Title", "problem": "Problem"}
CANONICAL = {"id": "acme/t-1", "owner": "acme", "version": 1, "language": "en", "title": "Title"}


def technology(**fields: Any) -> TechnologyDraft:
    return TechnologyDraft.model_validate({**TECHNOLOGY, **fields})


def demand(**fields: Any) -> DemandDraft:
    return DemandDraft.model_validate({**DEMAND, **fields})


def wrong_fields(model: type[BaseModel], value: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return [problem.pointer for problem in field_problems(caught.value)]


class TestIdentity:
    @pytest.mark.parametrize("written", ["t-1", "acme/t-1"])
    def test_draft_gives_its_local_or_its_full_id(self, written: str) -> None:
        assert technology(id=written).canonical("acme", 1, "en").id == "acme/t-1"

    def test_draft_cannot_take_another_member_s_id(self) -> None:
        with pytest.raises(ValueError, match="begin with acme/"):
            technology(id="other/t-1").canonical("acme", 1, "en")

    @pytest.mark.parametrize("written", ["", ".t", "a/b/c", "t 1", "钛", "x" * 81, "A/t", "acme/", "t\n"])
    def test_id_of_another_form_is_refused(self, written: str) -> None:
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "id": written}) == ["/id"]

    def test_owner_and_version_follow_from_intake_and_not_from_the_draft(self) -> None:
        record = technology(owner="other", version=7).canonical("acme", 3, "en")
        assert (record.owner, record.version, record.key) == ("acme", 3, "acme/t-1")

    def test_language_of_the_draft_wins_over_the_detected_one(self) -> None:
        assert technology(language="zh").canonical("acme", 1, "en").language == "zh"
        assert technology().canonical("acme", 1, "en").language == "en"

    @pytest.mark.parametrize("example", [e for e in load_examples() if e.valid and e.value], ids=str)
    def test_valid_draft_becomes_a_canonical_record(self, example: Any) -> None:
        member = "example-member"
        value = example.value if "/" not in str(example.value.get("id")) else {**example.value, "id": "x"}
        match example.contract:
            case "tongtu.technology.submitted.v1.draft":
                record = TechnologyDraft.model_validate(value).canonical(member, 1, "en")
            case "tongtu.demand.posted.v1.draft":
                record = DemandDraft.model_validate(value).canonical(member, 1, "en")
            case "tongtu.outcome.recorded.v1.draft":
                record = OutcomeDraft.model_validate(value).canonical(member, 1)
            case _:
                return
        assert record.id == f"{member}/{value['id']}"
        assert type(record).model_validate_json(record.model_dump_json()) == record

    def test_answer_is_keyed_by_match_and_side(self) -> None:
        answer = load_examples("tongtu.match.answered.v1")[-1]
        assert MatchAnswered.model_validate(answer.value).key == f"{answer.value and answer.value['match_id']}/demand"
        assert Side.DEMAND.other is Side.TECHNOLOGY


class TestUnknownFields:
    @pytest.mark.parametrize(
        "value", [2**63, -(2**64), {"deep": 10**40}, {"a\0b": 1}, {"x" * 129: 1}, json.loads("[" * 21 + "]" * 21)]
    )
    def test_that_no_database_could_hold_are_refused(self, value: Any) -> None:
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "note": value}) == ["/note"]
        trl = {"level": 4, "note": value}
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "trl": trl}) == ["/trl/note"]

    @pytest.mark.parametrize("name", ["x" * 129, "a\0b"])
    def test_with_names_that_no_database_could_hold_are_refused(self, name: str) -> None:
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, name: 1}) == [""]
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "trl": {"level": 4, name: 1}}) == ["/trl"]

    def test_that_json_cannot_say_are_written_as_null(self) -> None:
        written = technology(note=float("nan")).canonical("acme", 1, "en").model_dump_json()
        assert json.loads(written)["note"] is None


class TestJoinedFields:
    def test_technology_says_something(self) -> None:
        assert wrong_fields(TechnologyDraft, {"id": "t", "title": "T"}) == ["/description"]
        TechnologyDraft.model_validate({"id": "t", "title": "T", "description": "D"})

    def test_decline_gives_a_reason_and_acceptance_none(self) -> None:
        assert wrong_fields(AnswerDraft, {"match_id": "m", "decision": "declined"}) == ["/reason"]
        accepted = {"match_id": "m", "decision": "accepted", "reason": "other"}
        assert wrong_fields(AnswerDraft, accepted) == ["/reason"]

    def test_outcome_is_of_a_match_or_of_a_technology(self) -> None:
        outcome = {"id": "o", "stage": "pilot", "result": "passed", "date": "2026-03-01"}
        assert wrong_fields(OutcomeDraft, outcome) == ["/technology_id"]
        assert wrong_fields(OutcomeDraft, {**outcome, "match_id": "m", "technology_id": "t"}) == ["/technology_id"]
        recorded = OutcomeDraft.model_validate({**outcome, "technology_id": "t"}).canonical("acme", 1)
        assert recorded.technology_id == "acme/t"


class TestVisibility:
    @pytest.mark.parametrize(
        ("visibility", "others"),
        [("public", {"friend", "stranger"}), ("members", {"friend", "stranger"}), ("named", {"friend"})],
    )
    def test_says_who_may_see_a_record(self, visibility: str, others: set[str]) -> None:
        record = TechnologySubmitted.model_validate(
            {**CANONICAL, "visibility": visibility, "named_members": ["friend"]}
        )
        assert {member for member in ("friend", "stranger") if record.visible_to(member)} == others
        assert record.visible_to("acme")

    def test_unknown_one_reads_as_the_strictest(self) -> None:
        record = TechnologySubmitted.model_validate({**CANONICAL, "visibility": "alliance"})
        assert record.visibility is Visibility.NAMED
        assert not record.visible_to("stranger")

    def test_named_needs_names(self) -> None:
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "visibility": "named"}) == ["/named_members"]


class TestTolerantReading:
    def test_unknown_values_read_as_other(self) -> None:
        record = TechnologySubmitted.model_validate(
            {**CANONICAL, "ipr": {"status": "utility_model"}, "transfer_modes": ["barter", "investment"]}
        )
        assert record.ipr is not None
        assert record.ipr.status == "other"
        assert record.transfer_modes == (TransferMode.OTHER, TransferMode.INVESTMENT)

    def test_unknown_fields_are_carried_along_at_every_depth(self) -> None:
        later = {**CANONICAL, "ethics": {"reviewed": True}, "trl": {"level": 4, "confidence": 0.5}}
        written = TechnologySubmitted.model_validate(later).model_dump(mode="json")
        assert written["ethics"] == {"reviewed": True}
        assert written["trl"]["confidence"] == 0.5

    def test_unknown_kind_of_assessment_reads_as_not_assessed(self) -> None:
        example = next(each for each in load_examples("tongtu.risk.assessed.v1") if each.name == "valid-zh")
        assert example.value
        read = RiskAssessed.model_validate({**example.value, "assessment": {"status": "postponed", "until": "2027"}})
        assert read.assessment == NotAssessed(reason=NotAssessedReason.OTHER)

    def test_value_that_is_no_text_is_still_wrong(self) -> None:
        assert wrong_fields(TechnologySubmitted, {**CANONICAL, "visibility": 3}) == ["/visibility"]

    def test_records_cannot_be_changed(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            technology().title = "other"  # pyright: ignore[reportAttributeAccessIssue]
