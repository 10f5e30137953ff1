"""Forecasts are scored against what came, once each, by the version that made them."""

from __future__ import annotations

import math
import random

import pytest

from services.risk.relevance import is_news
from services.risk.scoring import scores_of, success_score
from shared.contracts.events import Assessment, NotAssessed, NotAssessedReason
from tests.unit.risk_reports import forecast, report


def test_brier_and_logarithmic_score_of_known_forecasts() -> None:
    score = success_score([(0.8, True), (0.8, False)])
    assert score.brier == pytest.approx((0.04 + 0.64) / 2)
    assert score.log_score == pytest.approx(-(math.log(0.8) + math.log(0.2)) / 2)
    assert (score.forecasts, score.mean_forecast, score.passed) == (2, 0.8, 0.5)


def test_no_outcome_gives_no_score_but_says_so() -> None:
    scores = scores_of([])
    assert (scores.success.forecasts, scores.success.brier, scores.versions, scores.reliability) == (0, None, (), ())


def test_each_version_answers_for_its_own_forecasts() -> None:
    scores = scores_of(
        [
            report("passed", number=9, forecasts={"pilot": forecast(0.9)}),
            report("failed", number=9, forecasts={"pilot": forecast(0.9)}),
            report("passed", number=9, forecasts={"pilot": forecast(0.6, version="1.3", number=3)}),
        ]
    )
    assert [(each.version, each.success.forecasts) for each in scores.versions] == [("1.3", 1), ("1", 2)]
    assert scores.success.forecasts == 3


def test_a_stage_of_a_match_is_scored_once_and_not_where_its_parties_contradict_each_other() -> None:
    twice = [report("passed", about="m", forecasts={"pilot": forecast(0.7)}) for _ in range(2)]
    assert scores_of(twice).success.forecasts == 1
    assert scores_of([*twice, report("failed", about="m", forecasts={"pilot": forecast(0.7)})]).success.forecasts == 0


def test_what_was_stopped_or_has_no_forecast_is_not_scored() -> None:
    found = [report("stopped", forecasts={"pilot": forecast()}), report(), report("passed", forecasts={})]
    assert scores_of(found).success.forecasts == 0


def test_months_are_counted_below_within_and_above_the_range() -> None:
    found = [report(months=months, forecasts={"pilot": forecast(median=12)}) for months in (5, 6, 12, 24, 25, 30)]
    months = scores_of(found).months
    assert (months.forecasts, months.below, months.within, months.above) == (6, 1, 3, 2)


def test_the_reliability_curve_of_true_probabilities_lies_on_the_diagonal() -> None:
    chance = random.Random(5)
    found = [
        report("passed" if chance.random() < p else "failed", forecasts={"pilot": forecast(p)})
        for p in (chance.uniform(0, 1) for _ in range(8000))
    ]
    curve = scores_of(found).reliability
    assert len(curve) == 10
    for each in curve:
        assert each.passed == pytest.approx(each.mean_forecast, abs=5 * 0.5 / math.sqrt(each.forecasts))


# --- whether a match that was assessed again is told again


def assessment(**changes: object) -> Assessment:
    given: dict[str, object] = {
        "model_version": "1", "draws": 64, "seed": 1, "p_success": 0.5, "p_loss": 0.4, "currency": "CNY",
        "npv": {"p10": "-100", "p50": "10", "p90": "300", "mean": "60"}, "var95": "120", "cvar95": "130",
        "option_value": "5", "months_to_production": {"p10": 20.0, "p50": 30.0, "p90": 45.0},
        "stages": [{"name": "pilot", "p_success": 0.5, "months": {"p10": 8.0, "p50": 12.0, "p90": 18.0}}],
        "evidence": {"prior_weight": 20.0, "outcomes_used": 0},
    }  # fmt: skip
    return Assessment.model_validate(given | changes)


@pytest.mark.parametrize(
    "change",
    [
        {"p_success": 0.506},
        {"p_loss": 0.394},
        {"npv": {"p10": "-103", "p50": "10", "p90": "300", "mean": "60"}},
        {"months_to_production": {"p10": 20.0, "p50": 30.0, "p90": 46.0}},
    ],
)
def test_a_figure_that_moved_by_more_than_rounding_is_news(change: dict[str, object]) -> None:
    assert is_news(assessment(), assessment(**change))


def test_rounding_and_another_version_are_no_news() -> None:
    same = assessment(model_version="1.1", p_success=0.5004, evidence={"prior_weight": 20.0, "outcomes_used": 3})
    assert not is_news(assessment(), same)


def test_that_it_can_be_assessed_now_is_news() -> None:
    failed = NotAssessed(reason=NotAssessedReason.FAILED)
    assert is_news(failed, assessment())
    assert not is_news(failed, failed)
