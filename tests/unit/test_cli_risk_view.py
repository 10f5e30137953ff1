"""The drawings of a risk say what the figures say, and no more."""

from decimal import Decimal

from shared.contracts.risk import Percentiles, Stage, StageForecast
from tongtu.risk_view import distribution, timeline


def points(p5: int, p10: int, p50: int, p90: int) -> dict[str, Decimal]:
    return {"P5": Decimal(p5), "P10": Decimal(p10), "P50": Decimal(p50), "P90": Decimal(p90)}


def test_the_box_spans_p10_to_p90_with_the_median_and_zero_in_place() -> None:
    box, axis, *_ = distribution(points(-100, -50, 50, 100), width=41)
    assert box[2:] == "├" + "─" * 9 + "█" * 20 + "┃" + "▒" * 10
    assert axis[2:].index("0") == 20


def test_zero_is_on_the_scale_even_where_every_outcome_is_a_gain() -> None:
    box, axis, *_ = distribution(points(50, 60, 80, 100), width=101)
    assert axis[2] == "0"
    assert box.index("├") == 2 + 50


def test_quantiles_that_fall_together_are_drawn() -> None:
    lines = distribution(points(-10, -10, -10, 30), width=41)
    assert lines[0][2] == "┃"
    assert "P90 30" in lines[3]


def test_one_single_outcome_needs_no_scale() -> None:
    assert distribution(points(0, 0, 0, 0)) == ["  every outcome is the same: 0"]


def forecast(stage: Stage, median: float) -> StageForecast:
    return StageForecast(name=stage, p_success=0.5, months=Percentiles(p10=median / 2, p50=median, p90=median * 2))


def test_stages_follow_each_other_on_the_time_axis() -> None:
    lines = timeline([forecast(Stage.PILOT, 10.0), forecast(Stage.DEMONSTRATION, 30.0)], width=40)
    first, second = lines[0].index("█"), lines[1].index("█")
    assert lines[0].count("█") == 10
    assert lines[1].count("█") == 30
    assert second == first + 10
    assert "10 (5 to 20) months, passes 50 %" in lines[0]
    assert "40 months" in lines[2]


def test_nothing_left_to_pass() -> None:
    assert timeline([]) == ["  none: it is in use already"]
