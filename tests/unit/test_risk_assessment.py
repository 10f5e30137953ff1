"""From a proposal to its assessment: figures where the records allow them, else what is missing, never an invention."""

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from services.risk.assessment import RiskModel, amount
from services.risk.publication import publication_of
from services.risk.settings import RiskSettings
from services.risk.shared_model import SharedModel
from services.risk.simulation import Simulation
from shared.contracts.events import Assessment, MatchProposed, NotAssessed, RiskModelPublished, Stage
from shared.runtime.settings import SettingsError, load

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
PLAN = {"capital": "45000000", "annual_revenue": "120000000", "annual_cost": "78000000", "currency": "CNY"}
PRICE = {"min": "3000000", "max": "8000000", "currency": "CNY"}
BUDGET = {"min": "9000000", "max": "20000000", "currency": "CNY"}


@pytest.fixture(scope="module")
def model() -> RiskModel:
    return RiskModel(SharedModel.load("1"))


def proposal(technology: dict[str, Any], demand: dict[str, Any] | None = None) -> MatchProposed:
    """The example proposal with these risk extracts."""
    value = json.loads((EXAMPLES / "tongtu.match.proposed.v1" / "valid-zh.json").read_text("utf-8"))["value"]
    value["technology"]["risk"] = technology
    value["demand"]["risk"] = demand or {}
    return MatchProposed.model_validate(value)


def assessed(model: RiskModel, *arguments: dict[str, Any]) -> Assessment:
    result = model.assess([proposal(*arguments)])[0]
    assert isinstance(result, Assessment), result
    return result


def not_assessed(model: RiskModel, *arguments: dict[str, Any]) -> NotAssessed:
    result = model.assess([proposal(*arguments)])[0]
    assert isinstance(result, NotAssessed), result
    return result


def assumed(assessment: Assessment) -> dict[str, Any]:
    return {each.name: each.value for each in assessment.assumptions}


def test_a_full_plan_gives_the_whole_record(model: RiskModel) -> None:
    plan = PLAN | {"months": 30, "estimate_class": 4}
    result = assessed(model, {"trl": 5, "plan": plan, "price": PRICE})

    assert (result.model_version, result.draws, result.currency) == ("1", 4096, "CNY")
    assert [stage.name for stage in result.stages] == list(Stage)[1:5]
    assert result.p_success == pytest.approx(math.prod(stage.p_success for stage in result.stages))
    npv = result.npv
    assert Decimal(npv.p10) <= Decimal(npv.p50) <= Decimal(npv.p90)
    assert 0 < result.p_loss < 1
    assert Decimal(result.cvar95) >= Decimal(result.var95) > 0
    assert Decimal(result.option_value) >= 0
    # 30 months with the slip of readiness level 5.
    assert 40 < result.months_to_production.p50 < 50
    assert [each.share for each in result.drivers] == sorted((each.share for each in result.drivers), reverse=True)
    assert "success.first_production" in {each.name for each in result.drivers}
    assert (result.evidence.prior_weight, result.evidence.outcomes_used) == (80, 0)


def test_every_assumption_names_its_source(model: RiskModel) -> None:
    result = assessed(model, {"trl": 5, "plan": PLAN})
    assert result.assumptions
    assert all(each.source for each in result.assumptions)
    assert all(len(each.source) <= 500 for each in result.assumptions)
    sources = {each.name: each.source for each in result.assumptions}
    assert sources["discount_rate"].startswith("assumption, not verified")
    assert sources["success.pilot"].startswith("prior, not evidence; published, read at its source: NRC")


def test_what_the_record_gives_is_no_assumption(model: RiskModel) -> None:
    bare = assumed(assessed(model, {"plan": PLAN}))
    full = assumed(assessed(model, {"trl": 6, "plan": PLAN | {"months": 12, "estimate_class": 3}, "price": PRICE}))

    assert {"trl", "months.pilot", "estimate_class", "price.left_out"} <= bare.keys()
    assert not {"trl", "months.pilot", "estimate_class", "price.left_out"} & full.keys()
    assert (bare["estimate_class"], bare["estimate.high"], full["estimate.high"]) == (5, 1.0, 0.3)
    assert full["schedule_slip"] == 0.29
    assert "schedule_slip" not in bare


def test_unknown_readiness_counts_as_nothing_passed(model: RiskModel) -> None:
    unknown, lowest = assessed(model, {"plan": PLAN}), assessed(model, {"trl": 1, "plan": PLAN})
    assert unknown.npv == lowest.npv
    assert len(unknown.stages) == 5


def test_price_and_budget_are_enough(model: RiskModel) -> None:
    result = assessed(model, {"trl": 6, "price": PRICE}, {"budget": BUDGET})
    assert Decimal(result.npv.p10) >= -8_000_000  # at worst the price is lost
    assert Decimal(result.npv.p90) <= 17_000_000  # at best the highest budget for the lowest price
    assert {"value", "capital.left_out"} <= assumed(result).keys()
    assert "production_years" not in assumed(result)


def test_an_open_range_is_taken_at_its_given_end(model: RiskModel) -> None:
    result = assessed(
        model, {"trl": 8, "price": {"min": "100", "currency": "EUR"}}, {"budget": {"max": "600", "currency": "EUR"}}
    )
    assert result.npv.p10 == "-100"
    assert "price" not in {each.name for each in result.drivers}


@pytest.mark.parametrize(
    ("technology", "demand", "reason", "missing"),
    [
        (
            {},
            {},
            "nothing_given",
            {"/technology/plan", "/technology/price", "/technology/trl", "/demand/budget"},
        ),
        ({}, {"budget": BUDGET}, "nothing_given", {"/technology/plan", "/technology/price", "/technology/trl"}),
        ({"trl": 4}, {}, "incomplete", {"/technology/plan", "/technology/price", "/demand/budget"}),
        ({"trl": 4, "price": PRICE}, {}, "incomplete", {"/technology/plan", "/demand/budget"}),
        (
            {"trl": 4, "plan": {"capital": "1", "currency": "CNY"}},
            {},
            "incomplete",
            {"/technology/plan/annual_revenue", "/technology/plan/annual_cost", "/technology/price", "/demand/budget"},
        ),
        (
            {"trl": 4, "price": PRICE},
            {"budget": BUDGET | {"currency": "EUR"}},
            "incomplete",
            {"/technology/plan", "/demand/budget/currency"},
        ),
        (
            {"trl": 4, "price": {"currency": "CNY"}, "plan": PLAN | {"annual_cost": None}},
            {},
            "incomplete",
            {"/technology/plan/annual_cost", "/technology/price", "/demand/budget"},
        ),
    ],
)
def test_too_little_is_not_assessed_and_the_missing_fields_are_named(
    model: RiskModel, technology: dict[str, Any], demand: dict[str, Any], reason: str, missing: set[str]
) -> None:
    result = not_assessed(model, technology, demand)
    assert (result.reason, set(result.missing)) == (reason, missing)
    assert result.detail


def test_the_largest_amounts_and_longest_plans_are_assessed(model: RiskModel) -> None:
    largest = {"capital": "0", "annual_revenue": "999999999999999", "annual_cost": "0", "currency": "CNY"}
    for months in (0, 1200):
        assert assessed(model, {"trl": 9, "plan": largest | {"months": months}})
        assert assessed(model, {"trl": 1, "plan": dict.fromkeys(largest, "0") | {"currency": "CNY", "months": months}})


def test_a_price_in_another_currency_is_left_out_and_that_is_said(model: RiskModel) -> None:
    other = assessed(model, {"trl": 6, "plan": PLAN, "price": PRICE | {"currency": "EUR"}})
    none = assessed(model, {"trl": 6, "plan": PLAN})
    assert other.npv == none.npv
    assert "another currency" in next(each.source for each in other.assumptions if each.name == "price.left_out")


def test_a_failing_assessment_hides_no_match(model: RiskModel, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Simulation.run

    def run_or_fail(self: Simulation, cases: Any) -> Any:
        if any(case.money.capital == 13 for case in cases):
            raise ArithmeticError("cannot")
        return run(self, cases)

    monkeypatch.setattr(Simulation, "run", run_or_fail)
    good, bad = {"trl": 6, "plan": PLAN}, {"trl": 6, "plan": PLAN | {"capital": "13"}}
    results = model.assess([proposal(each) for each in (good, good, bad, good, {})])
    assert [result.status for result in results] == ["assessed"] * 2 + ["not_assessed", "assessed", "not_assessed"]
    failed = results[2]
    assert isinstance(failed, NotAssessed)
    assert failed.reason == "failed"
    assert "ArithmeticError" in (failed.detail or "")


def test_same_proposal_and_model_give_the_same_bytes(model: RiskModel) -> None:
    extracts = [{"trl": trl, "plan": PLAN | {"months": 10 * trl}, "price": PRICE} for trl in range(1, 10)]
    batch = [proposal(each) for each in extracts * 3]
    first = [result.model_dump_json() for result in model.assess(batch)]
    again = RiskModel(SharedModel.load("1"))
    assert first == [again.assess([each])[0].model_dump_json() for each in batch]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0000001, "0"),
        (123456789.0, "123456789"),
        (-1234567.89, "-1234567.89"),
        (33333333300000000.0, "33333333300000000"),
        (0.000123456789, "0.000123"),
        (-7.5, "-7.5"),
        (1e15, "1000000000000000"),
    ],
)
def test_money_is_written_as_a_plain_decimal(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_figure_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        amount(value)


def test_the_model_is_published_whole(model: RiskModel) -> None:
    parameters = model.parameters
    published = publication_of(parameters, RiskModelPublished.model_validate(example_model()).published_at)
    again = RiskModelPublished.model_validate_json(published.model_dump_json())
    assert again == published
    by_name = {each.name: each for each in published.parameters}
    assert len(by_name) == len(published.parameters)
    pilot = by_name["success.pilot"]
    assert pilot.values == pytest.approx({"alpha": 0.861 * 20, "beta": 0.139 * 20})
    assert by_name["seed"].values == {"value": parameters.seed}
    gates = [gate.name for gate in parameters.gates]
    constants = {"discount_rate", "production_years", "estimate_coverage", "estimate_class_when_not_given", "draws"}
    constants |= {f"{of}.{gate}" for of in ("months", "cost_weight") for gate in gates}
    constants |= {f"estimate_class_{number}" for number in range(1, 6)} | {"annual_revenue"}
    constants |= {f"schedule_slip.trl_{slip.trl}" for slip in parameters.schedule_slip}
    assert constants <= by_name.keys()
    assert len([name for name in by_name if name.startswith("success.")]) == 7


def example_model() -> dict[str, Any]:
    return json.loads((EXAMPLES / "tongtu.risk.model.v1" / "valid-en.json").read_text("utf-8"))["value"]


def test_a_model_that_does_not_exist_is_one_readable_error_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGTU_RISK_MODEL", "none")
    with pytest.raises(SettingsError, match=r"TONGTU_RISK_MODEL: .*no risk model version 'none'"):
        load(RiskSettings)
