"""The simulated worlds forecast as the service does, and what they show is there at any seed."""

from __future__ import annotations

import random

from bench.calibration import figures_of
from bench.risk import proposal
from bench.simulated_worlds import WORLDS, forecasts_of, simulate
from services.risk.assessment import RiskModel
from services.risk.shared_model import SharedModel
from shared.contracts.events import Assessment, MatchProposed

BASE = SharedModel.load("2")


def without_plan_months(trl: int) -> MatchProposed:
    made = proposal(random.Random(trl)).model_dump(mode="json")
    made["technology"]["risk"]["trl"] = trl
    made["technology"]["risk"]["plan"]["months"] = None
    return MatchProposed.model_validate(made)


def test_the_simulated_forecasts_are_those_of_an_assessment() -> None:
    for trl in (1, 3, 5, 8, 9):
        assessment = RiskModel(BASE).assess([without_plan_months(trl)])[0]
        assert isinstance(assessment, Assessment)
        forecasts = forecasts_of(BASE, trl, None, 0)
        assert [stage.name for stage in assessment.stages] == list(forecasts)
        for stage in assessment.stages:
            forecast = forecasts[stage.name]
            assert abs(stage.p_success - forecast.p_success) < 1e-9
            months = (stage.months.p10, stage.months.p50, stage.months.p90)
            assert all(abs(a - b) < 1e-6 for a, b in zip(months, forecast.months, strict=True))


def test_where_the_file_is_wrong_the_model_learns_and_says_how_sure_it_is() -> None:
    world = next(world for world in WORLDS if world.name == "prior_wrong")
    figures = figures_of([simulate(BASE, world, 1001)])
    assert figures["brier"] < figures["brier_of_file"]  # type: ignore[operator]
    assert figures["error"] < 0.5 * figures["error_of_file"]  # type: ignore[operator]
    assert 0.7 < figures["coverage"] < 0.9  # type: ignore[operator]


def test_one_liar_moves_the_model_little() -> None:
    honest, lied_to = (
        figures_of([simulate(BASE, world, 1001)]) for world in WORLDS if world.name in ("prior_right", "one_liar")
    )
    assert lied_to["error"] < honest["error"] + 0.05  # type: ignore[operator]
