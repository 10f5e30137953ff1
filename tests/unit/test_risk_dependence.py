"""Quantities that move together: as much as the model says, without moving what each of them is by itself."""

import math

import numpy as np
import pytest
from scipy.stats import beta as beta_distribution
from scipy.stats import kstest

from services.risk.by_draw import by_draw
from services.risk.draws import Draws, columns, draw, draws_from, sobol
from services.risk.paths import chances_of_those_that_arrive, path_with_draws
from services.risk.project import Between, Case, Money
from services.risk.shared_model import SharedModel
from services.risk.simulation import Simulation
from services.risk.stages import path_to_production, priors_ahead

MILLION = 1e6


@pytest.fixture(scope="module")
def model() -> SharedModel:
    return SharedModel.load("2")


@pytest.fixture(scope="module")
def draws(model: SharedModel) -> Draws:
    return draw(model)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_quantities_correlate_as_the_model_says(model: SharedModel, draws: Draws) -> None:
    money = dict(draws.money_normal)
    said = {frozenset((each.of, each.with_)): each.value for each in model.correlations}
    tolerance = 3 / math.sqrt(draws.n)
    for months in draws.months_normal:
        assert correlation(months, money["capital"]) == pytest.approx(
            said[frozenset(("capital", "months"))], abs=tolerance
        )
        revenue = correlation(months, money["annual_revenue"])
        assert revenue == pytest.approx(said[frozenset(("months", "annual_revenue"))], abs=tolerance)
    assert correlation(*draws.months_normal[1:3]) == pytest.approx(said[frozenset(("months",))], abs=tolerance)
    running = correlation(money["capital"], money["annual_cost"])
    assert running == pytest.approx(said[frozenset(("capital", "annual_cost"))], abs=tolerance)
    assert correlation(money["capital"], money["annual_revenue"]) == pytest.approx(0, abs=tolerance)
    assert correlation(draws.chance[2][0], draws.chance[3][0]) == pytest.approx(0.5, abs=0.05)
    assert correlation(draws.luck[2], draws.luck[3]) == pytest.approx(0, abs=tolerance)


def test_dependence_leaves_every_distribution_what_it_was(model: SharedModel, draws: Draws) -> None:
    independent = draw(model.model_copy(update={"correlations": ()}))
    for one, other in [
        (draws.capital_factor[4], independent.capital_factor[4]),
        (draws.revenue_factor[0], independent.revenue_factor[0]),
        *zip(draws.months_factor, independent.months_factor, strict=True),
    ]:
        quantiles = np.linspace(0.05, 0.95, 10)
        assert np.quantile(one, quantiles) == pytest.approx(np.quantile(other, quantiles), rel=0.02)
    prior = model.gates[3].success[0]
    assert kstest(draws.chance[3][0], beta_distribution(prior.alpha, prior.beta).cdf).pvalue > 0.2


def test_a_prior_holds_among_the_projects_that_reach_its_gate(model: SharedModel, draws: Draws) -> None:
    stages = path_to_production(model, None)
    reach = np.ones(draws.n)
    for stage, chance in zip(stages, chances_of_those_that_arrive(draws, stages, dependent=True), strict=True):
        assert (reach * chance).mean() / reach.mean() == pytest.approx(stage.prior.mean, rel=1e-12)
        assert chance.max() <= 1
        reach = reach * chance
    # Of those that set out, fewer would pass the last gate than of those that arrive there: the weaker ones are gone.
    assert reach.mean() == pytest.approx(math.prod(stage.prior.mean for stage in stages), rel=1e-12)


def test_passes_come_as_often_as_the_priors_say(model: SharedModel, draws: Draws) -> None:
    path = path_with_draws(model, draws, None, 4, priors_ahead(model, 4, None))
    p = path.p_success
    assert path.passed[-1].mean() == pytest.approx(p, abs=3 * math.sqrt(p * (1 - p) / draws.n))


def test_late_projects_are_dear_so_that_long_ways_spread_wider(model: SharedModel) -> None:
    independent = Simulation(model.model_copy(update={"correlations": ()}))
    case = Case(9, 24.0, Money("CNY", 80 * MILLION, 4, 40 * MILLION, 12 * MILLION))
    one, other = Simulation(model).run([case])[0], independent.run([case])[0]
    assert one.cvar95 > 1.02 * other.cvar95
    assert one.npv.p90 - one.npv.p10 > 1.01 * (other.npv.p90 - other.npv.p10)


def test_a_share_counts_what_an_input_tells_of_others(model: SharedModel) -> None:
    """Months cost next to nothing here, but who is late is dear: knowing one tells of the other."""
    case = Case(9, 0.0, Money("CNY", 80 * MILLION, 5, 10 * MILLION, 9 * MILLION))
    shares = dict(Simulation(model).run([case])[0].drivers)
    said = {frozenset((each.of, each.with_)): each.value for each in model.correlations}
    expected = said[frozenset(("capital", "months"))] ** 2 * shares["capital"]
    assert shares["months.first_production"] == pytest.approx(expected, abs=0.03)


def test_draws_from_the_models_own_uniforms_are_its_draws(model: SharedModel) -> None:
    case = Case(5, 36.0, Money("CNY", 30 * MILLION, 4, 40 * MILLION, 12 * MILLION, Between(MILLION, 2 * MILLION)))
    uniforms = sobol(model)
    assert uniforms.shape == (model.draws, len(columns(model)))
    alone = by_draw(model, draws_from(model, uniforms), case)
    assert alone.net_present_value.mean() == pytest.approx(Simulation(model).run([case])[0].npv_mean, rel=1e-8)
    assert alone.first_outlay.min() > MILLION
    order = np.random.default_rng(3).permutation(model.draws)
    permuted = by_draw(model, draws_from(model, uniforms[order]), case)
    assert permuted.net_present_value == pytest.approx(alone.net_present_value[order], rel=1e-9, abs=1e-3)


@pytest.mark.parametrize("wrong", [np.full((8, 3), 0.5), np.zeros((8, 20)), np.full((8, 20), np.nan)])
def test_uniforms_of_another_shape_or_outside_are_refused(model: SharedModel, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uniforms must"):
        draws_from(model, wrong)


def one(of: str, with_: str, value: float) -> dict[str, object]:
    return {"of": of, "with": with_, "value": value, "source": "test", "tag": "U"}


@pytest.mark.parametrize(
    ("correlations", "complaint"),
    [
        ([one("capital", "months", 0.9)], "no quantities can have all these correlations"),
        ([one("months", "months", -0.5)], "no quantities can have all these correlations"),
        ([one("capital", "capital", 0.5)], "between gates"),
        ([one("capital", "months", 0.1), one("months", "capital", 0.2)], "every two kinds once"),
        ([one("capital", "months", 1.0)], "less than 1"),
        ([one("luck", "months", 0.1)], "luck|chance"),
    ],
)
def test_correlations_that_cannot_be_are_refused(
    model: SharedModel, correlations: list[dict[str, object]], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        SharedModel.model_validate(model.model_dump() | {"correlations": correlations})
