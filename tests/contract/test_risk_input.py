"""Numbers that a forecast rests on are refused at intake where they cannot be, each field by its pointer."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.events import DemandDraft, Draft, OutcomeDraft, TechnologyDraft
from shared.contracts.problems import field_problems

TECHNOLOGY = {"id": "plant", "title": "Plant", "summary": "A plant.", "visibility": "members"}
DEMAND = {"id": "need", "title": "Need", "problem": "A problem.", "visibility": "members"}
OUTCOME = {"id": "result", "technology_id": "plant", "stage": "pilot", "result": "passed", "date": "2026-03-01"}
PLAN = {"capital": "5", "annual_revenue": "9", "annual_cost": "3", "currency": "CNY", "months": 12, "estimate_class": 3}


def refused(draft: type[Draft], value: dict[str, Any]) -> dict[str, str]:
    """Pointer and code of every wrong field."""
    with pytest.raises(ValidationError) as caught:
        draft.model_validate(value)
    problems = field_problems(caught.value, "en")
    assert all(problem.message for problem in (*problems, *field_problems(caught.value, "zh")))
    return {problem.pointer: problem.code for problem in problems}


def test_what_these_tests_change_is_valid_as_it_stands() -> None:
    assert TechnologyDraft.model_validate(TECHNOLOGY | {"plan": PLAN})
    assert DemandDraft.model_validate(DEMAND)
    assert OutcomeDraft.model_validate(OUTCOME)


def test_every_wrong_number_of_a_technology_is_named_at_once() -> None:
    plan = PLAN | {"capital": "-1", "annual_cost": "-0.5", "estimate_class": 7, "currency": "XXX", "months": -3}
    price = {"min": "9", "max": "8", "currency": "GLD"}
    assert refused(TechnologyDraft, TECHNOLOGY | {"plan": plan, "price": price, "trl": {"level": 10}}) == {
        "/plan/capital": "negative_amount",
        "/plan/annual_cost": "negative_amount",
        "/plan/estimate_class": "less_than_equal",
        "/plan/currency": "currency",
        "/plan/months": "greater_than_equal",
        "/price/max": "max_below_min",
        "/price/currency": "currency",
        "/trl/level": "less_than_equal",
    }


@pytest.mark.parametrize(
    ("capital", "code"),
    [
        (-1, "decimal_string"),
        (1.5, "decimal_string"),
        ("NaN", "string_pattern_mismatch"),
        ("Infinity", "string_pattern_mismatch"),
        ("1e9", "string_pattern_mismatch"),
        ("1" * 16, "amount_too_large"),
        ("", "string_pattern_mismatch"),
    ],
)
def test_an_amount_is_a_plain_decimal_number(capital: object, code: str) -> None:
    assert refused(TechnologyDraft, TECHNOLOGY | {"plan": PLAN | {"capital": capital}}) == {"/plan/capital": code}


def test_every_wrong_number_of_a_demand_is_named_at_once() -> None:
    wrong = {"budget": {"min": "-2", "currency": "YYY"}, "starts_on": "2027-05-01", "deadline": "2027-04-30"}
    assert refused(DemandDraft, DEMAND | wrong) == {
        "/budget/min": "negative_amount",
        "/budget/currency": "currency",
        "/deadline": "end_before_start",
    }


def test_every_wrong_number_of_an_outcome_is_named_at_once() -> None:
    wrong = {"months": -1, "cost": {"amount": "-7", "currency": "XXX"}, "date": "2026-02-30", "stage": "moon"}
    found = refused(OutcomeDraft, OUTCOME | wrong)
    assert found.pop("/date") in ("date_from_datetime_parsing", "date_parsing")
    assert found == {
        "/months": "greater_than_equal",
        "/cost/amount": "negative_amount",
        "/cost/currency": "currency",
        "/stage": "enum",
    }
