"""Drivers against a kept sensitivity library, and what better information would narrow against doing it by hand."""

from typing import Any

import numpy as np
import pytest
from SALib.analyze import delta
from SALib.analyze import sobol as sobol_analyse
from SALib.sample import sobol as sobol_sample

from services.risk.by_draw import by_draw
from services.risk.draws import columns, draws_from, sobol
from services.risk.paths import path_with_draws
from services.risk.project import Between, Case, Money
from services.risk.shared_model import SharedModel
from services.risk.simulation import Simulation
from services.risk.stages import path_to_production, priors_ahead

MILLION = 1e6
MONEY = Money("CNY", 60 * MILLION, 4, 50 * MILLION, 20 * MILLION, Between(2 * MILLION, 30 * MILLION))


def relevant(trl: int) -> list[str]:
    """Columns of uniforms that matter to MONEY at this start."""
    ahead = [stage.gate.name for stage in path_to_production(SharedModel.load("1"), trl)]
    money = ["capital", "annual_revenue", "annual_cost", "price"]
    return [*money, *(f"{kind}.{gate}" for kind in ("months", "luck", "chance") for gate in ahead)]


@pytest.mark.parametrize("trl", [9, 6])
def test_drivers_are_the_first_order_indices_of_a_sensitivity_library(trl: int) -> None:
    """SALib, by Saltelli's design on the same function, where inputs are independent."""
    model = SharedModel.load("1")
    names = relevant(trl)
    problem: dict[str, Any] = {"num_vars": len(names), "names": names, "bounds": [[1e-9, 1 - 1e-9]] * len(names)}
    design = sobol_sample.sample(problem, 4096, calc_second_order=False, seed=1)
    uniforms = np.full((len(design), len(columns(model))), 0.5)
    uniforms[:, [columns(model).index(name) for name in names]] = design
    case = Case(trl, 24.0, MONEY)
    outcome = by_draw(model, draws_from(model, uniforms), case).net_present_value
    theirs = sobol_analyse.analyze(problem, outcome, calc_second_order=False, num_resamples=10, seed=1)

    ours = dict(Simulation(model).run([case])[0].drivers)
    compared = [name for name in names if name.partition(".")[0] not in ("luck", "chance")]
    indices = dict(zip(names, theirs["S1"], strict=True))
    assert [ours.get(name, 0.0) for name in compared] == pytest.approx([indices[each] for each in compared], abs=0.015)
    assert ours["annual_revenue"] > 0.05


@pytest.mark.parametrize("trl", [9, 6])
def test_drivers_that_go_together_are_those_of_a_sensitivity_library(trl: int) -> None:
    """SALib, from given draws: the variance between classes of one input, whatever else moves with it."""
    model = SharedModel.load("2")
    simulation = Simulation(model)
    case = Case(trl, 24.0, MONEY)
    inputs = {name: row for name, row in simulation.draws.money_normal if name != "value"}
    ahead = path_to_production(model, trl)
    inputs |= {f"months.{stage.gate.name}": simulation.draws.months_normal[stage.position] for stage in ahead}
    problem: dict[str, Any] = {"num_vars": len(inputs), "names": list(inputs), "bounds": [[-7.0, 7.0]] * len(inputs)}
    outcome = by_draw(model, simulation.draws, case).net_present_value
    given = np.column_stack(list(inputs.values()))
    theirs = delta.analyze(problem, given, outcome, num_resamples=2, seed=1)["S1"]

    ours = dict(simulation.run([case])[0].drivers)
    # Means of 48 classes scatter by themselves: an input without influence gets (48 - 1) / 4096 of the variance. And
    # classes are blind to what happens within the outermost ones, where a lognormal input still changes much.
    unbiased = [(share - 47 / 4096) / (1 - 47 / 4096) for share in theirs]
    assert [ours.get(name, 0.0) for name in inputs] == pytest.approx(unbiased, abs=0.035)
    assert ours["annual_revenue"] > 0.05


def test_share_of_a_stage_is_the_variance_between_passing_and_not() -> None:
    model = SharedModel.load("2")
    simulation = Simulation(model)
    outcome = by_draw(model, simulation.draws, Case(8, 24.0, MONEY)).net_present_value
    path = path_with_draws(model, simulation.draws, None, 8, priors_ahead(model, 8, None))
    passed = path.passed[-1] == 1
    between = passed.mean() * (1 - passed.mean()) * (outcome[passed].mean() - outcome[~passed].mean()) ** 2
    share = dict(simulation.run([Case(8, 24.0, MONEY)])[0].drivers)["success.first_production"]
    assert share == pytest.approx(between / outcome.var(), rel=1e-6)


def narrowing(model: SharedModel, case: Case, known: Case, column: str | None = None) -> float:
    """Share of P90 - P10 that goes away, over all draws, with one column of the uniforms in its middle."""
    uniforms = sobol(model)
    before = by_draw(model, draws_from(model, uniforms), case).net_present_value
    if column:
        uniforms[:, columns(model).index(column)] = 0.5
    after = by_draw(model, draws_from(model, uniforms), known).net_present_value
    low, high = np.quantile(before, [0.1, 0.9])
    return 1 - (np.quantile(after, 0.9) - np.quantile(after, 0.1)) / (high - low)


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("/technology/plan/capital", "capital"),
        ("/technology/plan/annual_revenue", "annual_revenue"),
        ("/technology/plan/annual_cost", "annual_cost"),
        ("/technology/price", "price"),
    ],
)
def test_knowing_a_number_narrows_as_much_as_fixing_it_does(field: str, column: str) -> None:
    model = SharedModel.load("1")
    case = Case(9, 24.0, MONEY)
    found = {each: share for each, _, share in Simulation(model).run([case])[0].missing_information}
    # From an eighth of the draws.
    assert found.get(field, 0.0) == pytest.approx(narrowing(model, case, case, column), abs=0.04)


def test_a_better_estimate_is_what_a_record_with_it_would_give() -> None:
    model = SharedModel.load("2")
    rough = Case(9, 24.0, Money("CNY", 60 * MILLION, 5, 50 * MILLION, 20 * MILLION))
    better = Case(9, 24.0, Money("CNY", 60 * MILLION, 3, 50 * MILLION, 20 * MILLION))
    found = {each: share for each, _, share in Simulation(model).run([rough])[0].missing_information}
    assert found["/technology/plan/estimate_class"] == pytest.approx(narrowing(model, rough, better), abs=0.04)
    exact = {each for each, _, _ in Simulation(model).run([better])[0].missing_information}
    assert "/technology/plan/estimate_class" not in exact


def test_months_are_missing_only_where_no_plan_names_them() -> None:
    simulation = Simulation(SharedModel.load("2"))
    money = Money("CNY", 10 * MILLION, 1, value=Between(300 * MILLION, 300 * MILLION))
    unplanned, planned = simulation.run([Case(None, None, money), Case(None, 60.0, money)])
    fields = [{field for field, _, _ in figures.missing_information} for figures in (unplanned, planned)]
    assert "/technology/plan/months" not in fields[1]
    assert all(0.005 <= share <= 1 for _, _, share in unplanned.missing_information)
