"""Figures with units in a text, held against the figures that a demand names; what cannot be told is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.figures import clauses
from services.matching.targets import held_against, target_checks
from services.matching.units import unit
from shared.contracts.events import Target, Verdict

MET, UNMET, UNKNOWN = Verdict.MET, Verdict.UNMET, Verdict.UNKNOWN


def target(name: str, comparator: str, value: Any, unit: str | None = None) -> Target:
    return Target.model_validate({"name": name, "comparator": comparator, "value": value, "unit": unit})


def verdict(text: str, *asked: Any) -> Verdict:
    return held_against(target(*asked), list(clauses(text)))[0]


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("焊接速度 450 mm/min。", ("焊接速度", "at_least", 400, "mm/min"), MET),
        ("焊接速度 0.45 m/min。", ("焊接速度", "at_least", 400, "mm/min"), MET),
        ("焊接速度 350 mm/min。", ("焊接速度", "at_least", 400, "mm/min"), UNMET),
        ("免维护周期 3 年。", ("免维护周期", "at_least", 24, "月"), MET),
        ("残余孔隙率低于 2 %，已验证。", ("残余孔隙率", "at_most", 5, "%"), MET),
        ("残余孔隙率低于 6 %。", ("残余孔隙率", "at_most", 5, "%"), UNKNOWN),  # below 6 may be above 5
        ("持久寿命大于 210 h。", ("持久寿命", "at_least", 200, "h"), MET),
        ("持久寿命大于 150 h。", ("持久寿命", "at_least", 200, "h"), UNKNOWN),
        ("持久寿命 210 h 以上。", ("持久寿命", "at_least", 200, "h"), MET),
        ("再生次数 80 次。", ("再生次数", "at_least", 50, "次"), MET),
        ("Packet loss below 2 %.", ("Packet loss", "at_most", 5, "%"), MET),
        ("A cell voltage of 1.9 V.", ("Cell voltage", "at_most", 1.85, "V"), UNMET),
        ("The cell voltage is 1800-1840 mV.", ("Cell voltage", "at_most", 1.85, "V"), MET),
        ("The cell voltage is 1800 to 1900 mV.", ("Cell voltage", "at_most", 1.85, "V"), UNKNOWN),
        ("A conductivity of 50 W/(m·K).", ("Conductivity", "at_least", 50, "W/(m·K)"), MET),
        ("A conductivity of 50 W/(m·K).", ("Conductivity", "more_than", 50, "W/(m·K)"), UNMET),
        ("最低工作温度 -40 ℃。", ("最低工作温度", "at_most", -30, "℃"), MET),
        ("工作温度-40～85 ℃。", ("工作温度", "at_least", -20, "℃"), UNKNOWN),
        ("工作温度 −60 to −40 ℃", ("工作温度", "at_most", -30, "℃"), MET),
        ("寿命 1,200 h", ("寿命", "at_least", 1000, "h"), MET),
        ("出水氟化物 0.8 mg/L", ("出水氟化物", "at_most", 1.0, "g/m³"), MET),
        ("金属杂质低于 1 ppb。", ("金属杂质", "at_most", 0.001, "ppm"), MET),
    ],
)
def test_a_figure_in_a_comparable_unit_decides(text: str, asked: tuple[Any, ...], expected: Verdict) -> None:
    assert verdict(text, *asked) is expected


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("焊接速度 450 mm/min。", ("行走速度", "at_least", 400, "mm/min")),  # something else is 450
        ("膜厚 30 μm。", ("膜厚", "at_most", 40, "kg")),  # another dimension
        ("膜厚 30 μm，或 50 μm 膜厚。", ("膜厚", "at_most", 40, "µm")),  # two that disagree
        ("膜厚 30 μm 或 50 μm。", ("膜厚", "at_most", 40, "µm")),  # which of them?
        ("循环 800 次容量保持率 90 %。", ("循环 1000 次容量保持率", "at_least", 85, "%")),  # another condition
        ("起始温度 300 ℃。", ("起始温度", "at_least", 500, "°F")),  # scales with an offset
        ("安全性通过 3 项试验。", ("安全", "equal", "通过针刺试验")),
        ("纸张 pH 8.", ("pH", "at_least", 7.5)),
        ("没有数值。", ("膜厚", "at_most", 40, "µm")),
        ("设计使用期自 2026 年起算。", ("设计使用期", "at_least", 5, "年")),  # a year of the calendar
        ("试验周期至 3 月。", ("试验周期", "at_least", 2, "月")),  # March
        ("能耗比 0.4 kg/t。", ("能耗比", "at_most", 0.5, "g/kg")),  # a ratio of its own; not a share of anything
    ],
)
def test_whatever_is_less_than_certain_is_unknown(text: str, asked: tuple[Any, ...]) -> None:
    assert verdict(text, *asked) is UNKNOWN


def test_a_check_quotes_what_it_rests_on_in_both_languages() -> None:
    targets = [target("焊接速度", "at_least", 400, "mm/min"), target("设备质量", "at_most", 10, "kg")]
    first, second = target_checks(targets, list(clauses("全位置焊接，焊接速度 450 mm/min，一次合格率 99.6 %。")))
    assert (first.criterion, first.asked, first.offered) == (
        "target.1",
        "焊接速度 >= 400 mm/min",
        "焊接速度 450 mm/min",
    )
    assert first.wording is not None
    assert first.wording.zh == "要求 焊接速度 >= 400 mm/min；技术写明“焊接速度 450 mm/min”，已达到。"
    assert first.wording.en.endswith("the technology says “焊接速度 450 mm/min”: reached.")
    assert (second.verdict, second.offered) == (UNKNOWN, None)


def test_numbers_that_are_parts_of_names_are_no_figures() -> None:
    assert list(clauses("CO2 捕集，10^7 次循环的 Ti-6Al-4V 合金。")) == []


@given(st.text(max_size=80))
def test_any_unit_that_a_member_may_write_is_taken(written: str) -> None:
    assert unit(written).scale >= 0


@pytest.mark.parametrize("written", ["9**9**9**9", "kg**999999999", "1e9999*m", "m" * 64, "__import__", "()" * 20])
def test_a_hostile_unit_costs_nothing(written: str) -> None:
    assert unit(written) == unit(written)
    assert unit(written).scale == 1.0


@given(st.text(alphabet="0123456789.,%℃ mMPa/()²年大于低于以上以下~-至膜厚", max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for clause in clauses(text):
        assert all(figure.interval.low <= figure.interval.high for figure in clause.figures)
