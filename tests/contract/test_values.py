"""Text, money, numbers, dates and codes of a draft are what the contract says, and each wrong one is named."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.contracts.code_lists import CURRENCIES, STRATEGIC_FIELDS, uscc_check_character
from shared.contracts.events import (
    AmountDistribution,
    DemandDraft,
    DemandPosted,
    Money,
    MoneyRange,
    Target,
    TechnologyDraft,
)
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
