"""The Monte Carlo model against closed forms, against a plain simulation, and at the ends of what is legal."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from services.risk.figures import Figures, significant
from services.risk.project import Between, Case, Money
from services.risk.shared_model import SharedModel
from services.risk.simulation import Simulation
from tests.plain_risk import PlainSimulation

MILLION = 1e6


@pytest.fixture(scope="module", params=["1", "2"])
def model(request: pytest.FixtureRequest) -> SharedModel:
    return SharedModel.load(request.param)


@pytest.fixture(scope="module")
def simulation(model: SharedModel) -> Simulation:
    return Simulation(model)


def changed(model: SharedModel, **changes: object) -> SharedModel:
    """The model with other parameters; `gates` and parameters are given as plain data."""
    return SharedModel.model_validate({**model.model_dump(), **changes})


def two_gates(model: SharedModel, p_technical: float, p_commercial: float, **changes: object) -> SharedModel:
    """Development, then commercialisation; every estimate holds exactly."""
    gates = [model.gates[2].model_dump(), model.gates[4].model_dump()]
    for gate, mean, weight in zip(gates, (p_technical, p_commercial), (1, 3), strict=True):
        gate["success"] = [{**gate["success"][0], "mean": mean}]
        gate["cost_weight"] = {**gate["cost_weight"], "value": weight}
    exact = [{**each.model_dump(), "low": 0, "high": 0} for each in model.estimate_classes]
    return changed(
        model,
        gates=gates,
        estimate_classes=exact,
        revenue_range={**model.revenue_range.model_dump(), "low": 0, "high": 0},
        **changes,
    )


def without_discount(model: SharedModel) -> dict[str, object]:
    return {"discount_rate": {**model.discount_rate.model_dump(), "value": 0}}


@pytest.mark.parametrize(("p_technical", "p_commercial"), [(0.5, 0.6), (0.9, 0.2), (0.3, 0.95)])
def test_two_stages_agree_with_expected_commercial_value(
    model: SharedModel, p_technical: float, p_commercial: float
) -> None:
    """ECV = [PV * P_cs - C] * P_ts - D, here with D = 1/4 and C = 3/4 of the capital."""
    capital, value = 40 * MILLION, 300 * MILLION
    exact = two_gates(model, p_technical, p_commercial, **without_discount(model))
    money = Money("CNY", capital=capital, value=Between(value, value))
    figures = Simulation(exact).run([Case(6, None, money)])[0]

    ecv = (value * p_commercial - 0.75 * capital) * p_technical - 0.25 * capital
    assert figures.committed == pytest.approx(ecv, rel=1e-9)
    spread = value * math.sqrt(p_technical * p_commercial / exact.draws)
    assert figures.npv_mean == pytest.approx(ecv, abs=4 * spread)


def test_two_stages_agree_with_expected_commercial_value_when_time_costs(model: SharedModel) -> None:
    """The same with discounting: each amount times the expected discount factor of the time that it waits for."""
    discounted = two_gates(model, 0.5, 0.6, correlations=())
    rate = math.log(1 + discounted.discount_rate.value) / 12
    sd = discounted.months_log_sd.value

    def waiting(median: float) -> float:
        def weighted(z: float) -> float:
            return math.exp(-rate * median * math.exp(sd * z) - z * z / 2) / math.sqrt(2 * math.pi)

        return integrate.quad(weighted, -9, 9)[0]

    first, second = (waiting(gate.months.value) for gate in discounted.gates)
    money = Money("CNY", capital=40 * MILLION, value=Between(300 * MILLION, 300 * MILLION))
    ecv = (300 * MILLION * 0.6 * second - 30 * MILLION) * 0.5 * first - 10 * MILLION
    assert Simulation(discounted).run([Case(6, None, money)])[0].committed == pytest.approx(ecv, rel=1e-5)


def test_stopping_before_a_worthless_last_stage_saves_its_cost(model: SharedModel) -> None:
    exact = two_gates(model, 0.5, 0.6, **without_discount(model))
    money = Money("CNY", capital=40 * MILLION, value=Between(10 * MILLION, 10 * MILLION))
    figures = Simulation(exact).run([Case(6, None, money)])[0]

    assert figures.committed == pytest.approx((10 * 0.6 - 30) * 0.5 * MILLION - 10 * MILLION)
    assert figures.npv_mean == pytest.approx(-10 * MILLION)  # the first stage, and nothing after it
    assert figures.option_value == pytest.approx(figures.npv_mean - figures.committed)


@pytest.mark.parametrize("weight", [0.5, 10, 1000])
@pytest.mark.parametrize("mean", [0.05, 0.44, 0.9])
def test_share_of_passed_gates_is_the_prior_mean_whatever_its_weight(
    model: SharedModel, mean: float, weight: float
) -> None:
    gates = [gate.model_dump() for gate in model.gates]
    gates[4]["success"] = [{**gates[4]["success"][0], "mean": mean, "effective_sample_size": weight}]
    draws = Simulation(changed(model, gates=gates)).draws
    passed = draws.luck[4] < draws.chance[4][0]
    assert passed.mean() == pytest.approx(mean, abs=4 * math.sqrt(mean * (1 - mean) / model.draws))


def test_certain_success_and_certain_failure_are_the_limits(model: SharedModel) -> None:
    money = Money("CNY", capital=40 * MILLION, value=Between(300 * MILLION, 300 * MILLION))

    def figures(p: float) -> Figures:
        return Simulation(two_gates(model, p, p, **without_discount(model))).run([Case(6, None, money)])[0]

    sure, hopeless = figures(1 - 1e-9), figures(1e-9)
    assert (sure.npv.p10, sure.npv.p90, sure.p_loss) == (260 * MILLION, 260 * MILLION, 0)
    assert (hopeless.npv.p10, hopeless.npv.p90, hopeless.p_loss) == (-10 * MILLION, -10 * MILLION, 1)
    assert hopeless.var95 == hopeless.cvar95 == 10 * MILLION


CASES = [
    Case(5, 36.0, Money("CNY", 30 * MILLION, 4, 40 * MILLION, 12 * MILLION, Between(2 * MILLION, 5 * MILLION))),
    Case(2, None, Money("USD", 200 * MILLION, 5, 90 * MILLION, 30 * MILLION)),
    Case(8, 6.0, Money("CNY", 5 * MILLION, 2, 4 * MILLION, 3 * MILLION, Between(MILLION, MILLION))),
    Case(6, 24.0, Money("EUR", price=Between(MILLION, 2 * MILLION), value=Between(8 * MILLION, 20 * MILLION))),
    Case(9, 12.0, Money("CNY", 80 * MILLION, 3, 12 * MILLION, 11 * MILLION)),
    Case(4, 18.0, Money("CNY", 60 * MILLION, 5, 9 * MILLION, 2 * MILLION)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"trl{case.trl}")
def test_figures_agree_with_a_plain_simulation(simulation: Simulation, case: Case) -> None:
    figures = simulation.run([case])[0]
    plain = PlainSimulation(simulation.model, case, worlds=20_000)
    values = np.array(plain.best_policy())

    error = values.std() * math.sqrt(1 / len(values) + 1 / simulation.model.draws)
    assert figures.npv_mean == pytest.approx(values.mean(), abs=4 * error)
    gained = values - np.array(plain.committed())
    assert figures.option_value == pytest.approx(gained.mean(), abs=4 * gained.std() / math.sqrt(len(values)))
    for q, figure in ((0.1, figures.npv.p10), (0.5, figures.npv.p50), (0.9, figures.npv.p90), (0.05, -figures.var95)):
        # Compared as probabilities, because a quantile may fall between two clusters of outcomes.
        tolerance = 4 * math.sqrt(q * (1 - q)) * math.sqrt(1 / len(values) + 1 / simulation.model.draws)
        slack = abs(figure) * 1e-3
        assert (values < figure - slack).mean() - tolerance <= q <= (values <= figure + slack).mean() + tolerance
    p = (values < 0).mean()
    assert figures.p_loss == pytest.approx(p, abs=0.002 + 4 * math.sqrt(p * (1 - p) * (1 / len(values) + 1 / 4096)))
    worst = np.sort(values)[: len(values) // 20]
    assert figures.cvar95 == pytest.approx(-worst.mean(), rel=0.05)
    months = np.quantile(plain.months(), [0.1, 0.5, 0.9])
    assert [figures.months_to_production.p10, figures.months_to_production.p90] == pytest.approx(
        [months[0], months[2]], rel=0.02
    )


amounts = st.one_of(st.just(0.0), st.floats(1e-6, 1e18), st.sampled_from([1e-6, 1.0, 999_999_999_999_999_999.0]))
ranges = st.tuples(amounts, amounts).map(sorted).map(lambda ends: Between(*ends))
cases = st.builds(
    Case,
    trl=st.one_of(st.none(), st.integers(1, 9)),
    planned_months=st.one_of(st.none(), st.integers(0, 1200).map(float)),
    money=st.builds(Money, st.just("CNY"), amounts, st.integers(1, 5), amounts, amounts, ranges, ranges),
)


@settings(max_examples=150, deadline=None)
@given(case=cases)
def test_extreme_but_legal_input_gives_finite_figures_in_order(simulation: Simulation, case: Case) -> None:
    figures = simulation.run([case])[0]
    npv = figures.npv
    money = [npv.p10, npv.p50, npv.p90, figures.npv_mean, figures.var95, figures.cvar95, figures.option_value]
    assert all(math.isfinite(each) for each in money)
    assert npv.p10 <= npv.p50 <= npv.p90
    assert figures.cvar95 >= figures.var95 - 1e-8 * abs(figures.var95)
    assert 0 <= figures.p_loss <= 1
    assert figures.option_value >= -1e-9 * case.money.largest
    shares = [share for _, share in figures.drivers]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share <= 1 for share in shares)
    assert simulation.model.correlations or sum(shares) <= 1.05
    narrowings = [share for _, _, share in figures.missing_information]
    assert narrowings == sorted(narrowings, reverse=True)
    assert all(0 < share <= 1 for share in narrowings)
    months = figures.months_to_production
    assert 0 <= months.p10 <= months.p50 <= months.p90 < math.inf
    assert math.prod(stage.p_success for stage in figures.stages) == pytest.approx(figures.p_success)


def test_figures_do_not_depend_on_the_batch_or_the_run(model: SharedModel, simulation: Simulation) -> None:
    batch = [case for _ in range(5) for case in CASES]
    together = simulation.run(batch)
    again = Simulation(model)
    assert [again.run([case])[0] for case in CASES] == together[: len(CASES)]
    assert simulation.run(batch[::-1])[::-1] == together


# To 9 digits, on any machine: what differs needs a new model version.
# P10, P50, P90, mean, VaR, CVaR, value of the option, first driver's share, first narrowing.
FOR_EVER = {
    ("1", 0): [
        -23382434.3,
        -5977290.53,
        120513757.0,
        16392578.1,
        29614075.3,
        36302011.3,
        504937.427,
        0.164067809,
        0.0854001742,
    ],
    ("1", 4): [
        -98456376.1,
        -71768221.7,
        -33797667.0,
        -68601652.0,
        106673455.0,
        117501794.0,
        10211996.9,
        0.464690186,
        0.328509662,
    ],
    ("2", 0): [
        -24112516.9,
        -5955538.97,
        122325928.0,
        17637662.9,
        29722571.1,
        35422703.1,
        537618.208,
        0.167964746,
        0.0789295194,
    ],
    ("2", 4): [
        -99451643.3,
        -72090194.2,
        -31790819.3,
        -68675585.9,
        108060702.0,
        119089748.0,
        10157350.2,
        0.420697677,
        0.376387314,
    ],
}


@pytest.mark.parametrize(("version", "number"), FOR_EVER)
def test_figures_of_a_published_version_are_these_for_ever(version: str, number: int) -> None:
    figures = Simulation(SharedModel.load(version)).run([CASES[number]])[0]
    npv = figures.npv
    obtained = [npv.p10, npv.p50, npv.p90, figures.npv_mean, figures.var95, figures.cvar95, figures.option_value]
    obtained += [figures.drivers[0][1], figures.missing_information[0][2]]
    assert obtained == pytest.approx(FOR_EVER[version, number], rel=1.1e-8)


def test_figures_are_the_same_alone_and_anywhere_in_a_full_batch(model: SharedModel, simulation: Simulation) -> None:
    chance = random.Random(1)
    batch = [proposal_case(chance) for _ in range(256)]
    together = simulation.run(batch)
    order = chance.sample(range(256), 256)
    shuffled = simulation.run([batch[position] for position in order])
    assert [shuffled[order.index(position)] for position in range(256)] == together
    assert [simulation.run([case])[0] for case in batch] == together


def proposal_case(chance: random.Random) -> Case:
    """A project of any readiness, size and estimate class."""
    capital = 10 ** chance.uniform(5, 9)
    money = Money("CNY", capital, chance.randint(1, 5), capital * chance.uniform(0.2, 3), capital * chance.random())
    return Case(chance.choice([None, *range(1, 10)]), chance.choice([None, 12.0, 40.0]), money)


def test_figures_scale_with_the_currency(simulation: Simulation) -> None:
    case = CASES[1]
    yuan = simulation.run([case])[0]
    money = replace(case.money, capital=case.money.capital / 4, annual_revenue=case.money.annual_revenue / 4)
    quarter = simulation.run([replace(case, money=replace(money, annual_cost=case.money.annual_cost / 4))])[0]
    assert quarter.npv_mean == pytest.approx(yuan.npv_mean / 4, rel=1e-8)
    assert quarter.p_loss == yuan.p_loss


def test_more_mature_technology_is_less_risky_and_sooner(simulation: Simulation) -> None:
    money = Money("CNY", 30 * MILLION, 4, 60 * MILLION, 12 * MILLION)
    results = simulation.run([Case(trl, None, money) for trl in (1, 3, 4, 6, 7, 8, 9)])
    chances = [figures.p_success for figures in results]
    assert chances == sorted(chances)
    months = [figures.months_to_production.p50 for figures in results]
    assert months == sorted(months, reverse=True)


def test_significant_keeps_nine_digits() -> None:
    values = np.array([123456789.49, -0.000123456789123, 0.0, 1e17 / 3, -7.0241360534])
    assert significant(values).tolist() == [123456789.0, -0.000123456789, 0.0, 33333333300000000.0, -7.02413605]
