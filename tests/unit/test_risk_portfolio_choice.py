"""A portfolio of matches: correlated within a field, each as in its own assessment, every decision explained."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from catalogue import FOLDER
from services.risk.assessment import RiskModel
from services.risk.basis import Basis, basis_of
from services.risk.portfolio_choice import MixedCurrencies, Why, decide, outlay_of
from services.risk.portfolio_draws import projects_by_draw
from services.risk.portfolio_tail import cvar95
from services.risk.project import Case
from services.risk.shared_model import SharedModel
from shared.contracts.events import MatchProposed
from shared.contracts.risk import Assessment
from tongtu.project_file import read_projects

NO_LIMIT = 1e12


@pytest.fixture(scope="module")
def model() -> SharedModel:
    return SharedModel.load("2")


@pytest.fixture(scope="module")
def sample() -> list[MatchProposed]:
    return [project.proposal for project in read_projects(FOLDER / "projects" / "portfolio.json")]


def case_of(proposal: MatchProposed) -> Case:
    basis = basis_of(proposal)
    assert isinstance(basis, Basis)
    return basis.case


def total(model: SharedModel, cases: Sequence[tuple[str, Case]]) -> Any:
    return np.sum([each.net_present_value for each in projects_by_draw(model, cases)], axis=0)


def in_field(case: Case, field: str | None) -> Case:
    return Case(case.trl, case.planned_months, case.money, field)


def test_projects_of_one_field_have_the_heavier_tail(model: SharedModel, sample: list[MatchProposed]) -> None:
    case = case_of(sample[0])
    together = total(model, [(f"p{number}", in_field(case, "emerging.3")) for number in range(20)])
    apart = total(model, [(f"p{number}", in_field(case, None)) for number in range(20)])
    assert cvar95(together) > 1.3 * cvar95(apart)
    assert together.mean() == pytest.approx(apart.mean(), abs=0.1 * apart.std())


def test_without_a_correlation_variances_add_up(model: SharedModel, sample: list[MatchProposed]) -> None:
    apart = model.model_copy(update={"field_correlation": model.field_correlation.model_copy(update={"value": 0.0})})
    case = case_of(sample[0])
    cases = [(f"p{number}", case) for number in range(30)]
    alone = [each.net_present_value for each in projects_by_draw(apart, cases)]
    expected = math.sqrt(sum(float(value.var()) for value in alone))
    assert float(np.sum(alone, axis=0).std()) == pytest.approx(expected, rel=0.05)


def test_a_project_fares_as_in_its_own_assessment(model: SharedModel, sample: list[MatchProposed]) -> None:
    assessed = RiskModel(model).assess(sample)
    drawn = projects_by_draw(model, [(each.match_id, case_of(each)) for each in sample])
    for risk, value in zip(assessed, drawn, strict=True):
        assert isinstance(risk, Assessment)
        spread = float(risk.npv.p90) - float(risk.npv.p10)
        assert value.net_present_value.mean() == pytest.approx(float(risk.npv.mean), abs=0.05 * spread)
        assert np.quantile(value.net_present_value, 0.5) == pytest.approx(float(risk.npv.p50), abs=0.05 * spread)
        assert (value.net_present_value < 0).mean() == pytest.approx(risk.p_loss, abs=0.03)


def test_what_else_is_there_changes_no_project(model: SharedModel, sample: list[MatchProposed]) -> None:
    cases = [(each.match_id, case_of(each)) for each in sample]
    whole = [each.net_present_value for each in projects_by_draw(model, cases)]
    [alone] = projects_by_draw(model, cases[3:4])
    assert np.array_equal(whole[3], alone.net_present_value)


def test_every_match_says_why_it_is_in_or_out(model: SharedModel, sample: list[MatchProposed]) -> None:
    decision = decide(model, sample, 100e6, 70e6)
    chosen = [entry for entry in decision.entries if entry.why is Why.CHOSEN]
    assert len(decision.entries) == len(sample)
    assert {entry.why for entry in decision.entries} <= {Why.CHOSEN, Why.OVER_BUDGET, Why.OVER_LIMIT, Why.LOSES}
    assert decision.whole.outlay == pytest.approx(sum(entry.outlay or 0.0 for entry in chosen))
    assert decision.whole.expected == pytest.approx(sum(entry.adds_value or 0.0 for entry in chosen))
    assert decision.whole.cvar95 <= 70e6
    assert decision.whole.paid_at_start < decision.whole.outlay
    assert decision.currency == "CNY"
    for entry in decision.entries:
        if entry.why is Why.OVER_BUDGET:
            assert decision.whole.outlay + (entry.outlay or 0.0) > 100e6
        if entry.why is Why.OVER_LIMIT:
            assert decision.whole.cvar95 + (entry.adds_cvar or 0.0) > 70e6
        if entry.why is Why.LOSES:
            assert (entry.adds_value or 0.0) <= 0


def test_counted_as_independent_the_tail_would_look_lighter(model: SharedModel, sample: list[MatchProposed]) -> None:
    one_field = [
        each.model_copy(
            update={
                "technology": each.technology.model_copy(
                    update={
                        "display": each.technology.display.model_copy(
                            update={"strategic_fields": sample[0].technology.display.strategic_fields}
                        )
                    }
                )
            }
        )
        for each in sample
    ]
    whole = decide(model, one_field, 1e9, NO_LIMIT).whole
    assert whole.cvar95 > whole.cvar95_if_independent


def test_a_demand_is_solved_once(model: SharedModel, sample: list[MatchProposed]) -> None:
    again = sample[1].model_copy(update={"match_id": "again", "demand": sample[0].demand})
    decision = decide(model, [sample[0], again], 1e9, NO_LIMIT)
    assert sorted(entry.why for entry in decision.entries) == [Why.CHOSEN, Why.REPLACED]


def test_what_cannot_be_assessed_is_named_with_what_is_missing(model: SharedModel, sample: list[MatchProposed]) -> None:
    silent = sample[0].technology.model_copy(
        update={"id": "a-b/c", "risk": sample[0].technology.risk.model_copy(update={"plan": None, "price": None})}
    )
    decision = decide(
        model, [sample[1], sample[0].model_copy(update={"match_id": "x", "technology": silent})], 1e9, 1e9
    )
    assert decision.entries[1].why is Why.NOT_ASSESSED
    assert "/technology/plan" in decision.entries[1].missing


def test_nothing_that_can_be_assessed_is_an_empty_choice(model: SharedModel) -> None:
    decision = decide(model, [], 1.0, 1.0)
    assert decision.whole.expected == 0.0
    assert decision.currency is None


def test_several_currencies_are_refused_by_name(model: SharedModel, sample: list[MatchProposed]) -> None:
    [other] = read_projects(FOLDER / "projects" / "sample-en.json")
    with pytest.raises(MixedCurrencies, match="CNY, EUR"):
        decide(model, [*sample, other.proposal], 1e9, 1e9)


def test_the_outlay_is_the_middle_of_the_price_and_the_capital(sample: list[MatchProposed]) -> None:
    assert outlay_of(case_of(sample[0]).money) == pytest.approx(30e6 + 4.5e6)
