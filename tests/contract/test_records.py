"""Drafts are read exactly, canonical records tolerantly, and the one becomes the other."""

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.contracts.code_lists import CURRENCIES, STRATEGIC_FIELDS, uscc_check_character
from shared.contracts.events import (
    AmountDistribution,
    AnswerDraft,
    DemandDraft,
    DemandPosted,
    MatchAnswered,
    Money,
    MoneyRange,
    NotAssessed,
    NotAssessedReason,
    OutcomeDraft,
    RiskAssessed,
    Side,
    Target,
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


class TestText:
    def test_is_normalised_to_nfc(self) -> None:
        assert technology(title="Cafe\u0301").title == "Café"

    def test_length_counts_after_normalisation(self) -> None:
        assert len(technology(title="e\u0301" * 256).title) == 256

    def test_length_counts_characters_not_bytes(self) -> None:
        assert technology(title="钛" * 256).title == "钛" * 256
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "title": "钛" * 257}) == ["/title"]

    def test_loses_control_characters_and_surrounding_space(self) -> None:
        assert technology(title=" a\x00b\x1b[31m\r\nc\td ").title == "a b [31m\nc\td"

    def test_of_space_only_is_empty(self) -> None:
        assert wrong_fields(DemandDraft, {**DEMAND, "problem": " \n\u3000"}) == ["/problem"]

    @pytest.mark.parametrize(
        ("field", "limit"), [("title", 256), ("summary", 500), ("description", 20_000), ("advantages", 5_000)]
    )
    def test_has_the_limits_of_the_contract(self, field: str, limit: int) -> None:
        technology(**{field: "x" * limit})
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, field: "x" * (limit + 1)}) == [f"/{field}"]

    def test_ten_keywords_and_no_more(self) -> None:
        technology(keywords=["k"] * 10)
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "keywords": ["k"] * 11}) == ["/keywords"]


class TestMoney:
    @pytest.mark.parametrize("amount", [1200000, 1.5, True, "1e6", "1,000", "-1", "", "0x1", "1.", "NaN", "٣"])
    def test_is_a_decimal_string_and_nothing_else(self, amount: Any) -> None:
        budget = {"min": amount, "currency": "CNY"}
        assert wrong_fields(DemandDraft, {**DEMAND, "budget": budget}) == ["/budget/min"]

    def test_keeps_the_digits_as_written(self) -> None:
        assert Money(amount="1200000.00", currency="CNY").amount == "1200000.00"

    def test_takes_a_decimal_from_our_own_code(self) -> None:
        amounts = {name: Decimal("1E+3") for name in ("p10", "p50", "p90")}
        assert AmountDistribution.model_validate({**amounts, "mean": Decimal("-1.5")}).model_dump() == {
            "p10": "1000",
            "p50": "1000",
            "p90": "1000",
            "mean": "-1.5",
        }

    def test_compares_as_numbers_not_as_text(self) -> None:
        MoneyRange(min="9", max="10", currency="CNY")
        with pytest.raises(ValidationError, match="must not be below min"):
            MoneyRange(min="10", max="9.99", currency="CNY")

    def test_currency_of_a_draft_is_an_active_code(self) -> None:
        budget = {"max": "1", "currency": "DEM"}
        assert wrong_fields(DemandDraft, {**DEMAND, "budget": budget}) == ["/budget/currency"]
        assert {"CNY", "EUR", "USD", "XCG"} <= CURRENCIES
        assert not {"XAU", "XXX", "XTS", "BGN", "HRK"} & CURRENCIES

    def test_currency_that_became_active_later_is_read(self) -> None:
        record = {**CANONICAL, "id": "acme/d-1", "problem": "P", "budget": {"max": "1", "currency": "QQQ"}}
        assert DemandPosted.model_validate(record).budget == MoneyRange(max="1", currency="QQQ")


class TestNumbers:
    @pytest.mark.parametrize("level", [0, 10, "5", 5.0, True])
    def test_trl_is_a_whole_number_from_1_to_9(self, level: Any) -> None:
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "trl": {"level": level}}) == ["/trl/level"]

    @pytest.mark.parametrize(("field", "value"), [("mrl", 11), ("mrl", 0)])
    def test_mrl_is_from_1_to_10(self, field: str, value: int) -> None:
        technology(mrl=10)
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, field: value}) == [f"/{field}"]

    def test_estimate_class_is_from_1_to_5(self) -> None:
        plan = {"currency": "CNY", "estimate_class": 6, "months": -1}
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "plan": plan}) == ["/plan/months", "/plan/estimate_class"]

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, "", " ", "x" * 501, [1]])
    def test_target_is_a_finite_number_or_a_text(self, value: Any) -> None:
        target = {"name": "n", "comparator": "at_least", "value": value}
        assert wrong_fields(DemandDraft, {**DEMAND, "targets": [target]}) == ["/targets/0/value"]

    @pytest.mark.parametrize("value", [2, 2.5, -1, "通过针刺试验"])
    def test_target_keeps_what_was_written(self, value: Any) -> None:
        read = Target.model_validate({"name": "n", "comparator": "at_least", "value": value})
        assert Target.model_validate_json(read.model_dump_json()).value == value


class TestDates:
    @pytest.mark.parametrize("day", ["2026-02-30", "2026/03/01", "20260301", "2026-03-01T00:00:00Z", 1772000000, ""])
    def test_is_an_iso_8601_day(self, day: Any) -> None:
        assert wrong_fields(DemandDraft, {**DEMAND, "deadline": day}) == ["/deadline"]

    def test_end_before_start_is_named_at_the_end(self) -> None:
        days = {"starts_on": "2026-03-02", "deadline": "2026-03-01"}
        assert wrong_fields(DemandDraft, {**DEMAND, **days}) == ["/deadline"]
        demand(starts_on="2026-03-02", deadline="2026-03-02")


class TestCodes:
    @pytest.mark.parametrize("code", ["C", "C35", "C3569", "3569", "35", "T"])
    def test_industry_is_a_gb_t_4754_code(self, code: str) -> None:
        assert technology(industry=[code]).industry == (code,)

    @pytest.mark.parametrize("code", ["U", "c35", "C3", "C35691", "3", "", "35.6"])
    def test_industry_of_another_form_is_refused(self, code: str) -> None:
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "industry": [code]}) == ["/industry/0"]

    def test_strategic_lists_have_nine_nine_and_six_codes(self) -> None:
        assert [len(codes) for codes in STRATEGIC_FIELDS.values()] == [9, 9, 6]
        nbs, plan = list(STRATEGIC_FIELDS.values())[:2]
        assert [code for code in nbs if nbs[code] != plan[code]] == ["7", "8", "9"]

    def test_strategic_field_without_a_version_means_the_latest(self) -> None:
        draft = technology(strategic_fields=[{"list": "strategic-emerging-industries", "code": "9"}])
        assert draft.canonical("acme", 1, "en").strategic_fields[0].version == "2023"

    @pytest.mark.parametrize(
        ("written", "pointer"),
        [
            ({"list": "nine-industries", "code": "1"}, "list"),
            ({"list": "future-industries", "version": "2018", "code": "energy"}, "version"),
            ({"list": "future-industries", "code": "1"}, "code"),
        ],
    )
    def test_strategic_field_that_does_not_exist_is_refused(self, written: dict[str, str], pointer: str) -> None:
        found = wrong_fields(TechnologyDraft, {**TECHNOLOGY, "strategic_fields": [written]})
        assert found == [f"/strategic_fields/0/{pointer}"]

    def test_uscc_check_character(self) -> None:
        # GB 32100-2015, the fixture of python-stdnum's documentation.
        assert uscc_check_character("91110000600037341") == "L"

    @pytest.mark.parametrize("address", ["javascript:alert(1)", "ftp://a.example/x", "https://user:pw@a.example", "a"])
    def test_evidence_is_a_public_address(self, address: str) -> None:
        trl = {"level": 4, "evidence": [{"url": address}]}
        assert wrong_fields(TechnologyDraft, {**TECHNOLOGY, "trl": trl}) == ["/trl/evidence/0/url"]


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
