"""A proposal says in both languages why it was made, what is missing, and what differs."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from services.matching.checks import checks
from services.matching.parties import demand_party, technology_party
from services.matching.passages import passages, sentences
from services.matching.priorities import BOUND, FILE, Priorities, in_common
from services.matching.shortlist import Entry
from shared.contracts.code_lists import STRATEGIC_FIELDS
from shared.contracts.events import Check, MatchProposed, StrategicField, Verdict
from tests.unit.test_matching_proposals import PROPOSER, analysed, demand, technology

EMERGING = "strategic-emerging-industries"


def field(code: str, version: str = "2023", list: str = EMERGING) -> StrategicField:
    return StrategicField(list=list, version=version, code=code)


def check(criterion: str, **fields: object) -> Check:
    offer = technology(**{name: value for name, value in fields.items() if name in TECHNOLOGY})
    ask = demand(**{name: value for name, value in fields.items() if name not in TECHNOLOGY})
    return next(each for each in checks(technology_party(offer), demand_party(ask)) if each.criterion == criterion)


TECHNOLOGY = {"trl", "price", "plan", "transfer_modes"}


@pytest.mark.parametrize(
    ("asked", "offered", "zh", "en"),
    [
        (7, 4, "差 3 级；尚需完成：样机（TRL 6）、中试（TRL 7）。", "To be passed: prototype (TRL 6), pilot (TRL 7)."),
        (5, 3, "实验室验证（小试）（TRL 4）、样机（TRL 6）。", "laboratory proof (TRL 4), prototype (TRL 6)."),
        (8, 7, "差 1 级；尚需完成：示范（TRL 8）。", "1 level short. To be passed: demonstration (TRL 8)."),
        (9, 8, "首次量产（TRL 9）。", "first production (TRL 9)."),
        (5, 6, "已达到。", "reached."),
    ],
)
def test_a_gap_in_readiness_names_the_stages_that_would_close_it(asked: int, offered: int, zh: str, en: str) -> None:
    found = check("trl", required_trl=asked, trl={"level": offered})
    assert found.wording is not None
    assert found.wording.zh.endswith(zh)
    assert found.wording.en.endswith(en)


def test_a_price_says_how_far_it_is_off_and_currencies_are_not_converted() -> None:
    cny, eur = {"max": "1000000", "currency": "CNY"}, {"min": "1200000", "currency": "EUR"}
    off = check("budget", budget=cny, price=eur | {"currency": "CNY"})
    assert off.verdict is Verdict.UNMET
    assert off.wording is not None
    assert "超出预算 200000 CNY" in off.wording.zh
    assert "200000 CNY above the budget" in off.wording.en
    other = check("budget", budget=cny, price=eur)
    assert other.verdict is Verdict.UNKNOWN
    assert other.wording is not None
    assert "币种不同" in other.wording.zh


@pytest.mark.parametrize(
    ("asked", "offered", "verdict"),
    [
        (["licence"], ["sole_licence"], Verdict.MET),
        (["purchase", "joint_development"], ["joint_development"], Verdict.MET),
        (["commissioned"], ["technical_service"], Verdict.MET),
        (["purchase"], ["non_exclusive_licence"], Verdict.UNMET),
        (["purchase"], [], Verdict.UNKNOWN),
        (["purchase", "other"], ["consulting"], Verdict.UNKNOWN),
        (["purchase"], ["other"], Verdict.UNKNOWN),
    ],
)
def test_a_mode_of_transfer_fits_how_the_seeker_would_work(
    asked: list[str], offered: list[str], verdict: Verdict
) -> None:
    assert check("cooperation", cooperation_modes=asked, transfer_modes=offered).verdict is verdict


def test_every_check_of_a_real_pair_says_its_verdict_in_both_languages() -> None:
    offer = technology(transfer_modes=["sole_licence"], strategic_fields=[field("3")])
    ask = demand(
        cooperation_modes=["licence"],
        strategic_fields=[field("3")],
        targets=[{"name": "热导率", "comparator": "at_most", "value": 1, "unit": "W/(m·K)"}],
    )
    found = checks(technology_party(offer), demand_party(ask))
    assert [each.criterion for each in found][2:] == [
        "trl", "budget", "deadline", "region", "cooperation", "strategic_field", "target.1",
    ]  # fmt: skip
    assert all(each.wording and each.wording.zh and each.wording.en for each in found)


def test_the_longest_values_still_make_a_valid_proposal() -> None:
    name, unit = "热" * 128, "度" * 64
    targets = [{"name": name, "comparator": "at_most", "value": "甲" * 500, "unit": unit}] * 20
    ask = demand(targets=targets, title="涂层" * 128, problem="热障涂层" * 4000, keywords=["涂" * 64] * 10)
    offer = technology(summary=None, description="热障涂层。" * 3000, title="涂层" * 128)
    proposal = PROPOSER.proposal(Entry("maker/coating", 2, 1.1), analysed(offer), analysed(ask))
    assert MatchProposed.model_validate_json(proposal.model_dump_json()) == proposal


# --- passages and missing terms


def test_the_sentences_that_meet_best_are_quoted() -> None:
    offered = sentences("等离子喷涂热障涂层\n用于燃气轮机叶片，热导率低。已通过台架考核。")
    asked = sentences("叶片涂层需求\n现有涂层寿命短。燃气轮机叶片需要热导率低的涂层！")
    found = passages(offered, asked, {"燃气": 5, "气轮": 5, "轮机": 5, "热导": 4, "导率": 4, "涂层": 3, "叶片": 2})
    assert (found[0].technology, found[0].demand) == (
        "用于燃气轮机叶片，热导率低。",
        "燃气轮机叶片需要热导率低的涂层！",
    )
    assert (found[1].technology, found[1].demand) == ("等离子喷涂热障涂层", "叶片涂层需求")
    assert passages(offered, asked, {}) == ()


def test_a_decimal_point_ends_no_sentence() -> None:
    assert [each.text for each in sentences("It is 3.5 mm thick. Second one")] == ["It is 3.5 mm thick.", "Second one"]


def test_key_words_that_the_technology_does_not_use_are_missing() -> None:
    ask = demand(keywords=["热障涂层", "激光熔覆"])
    proposal = PROPOSER.proposal(Entry("maker/coating", 2, 1.1), analysed(technology()), analysed(ask))
    assert proposal.missing_terms == ("激光熔覆",)
    assert proposal.passages[0].technology == "用于燃气轮机叶片的热障涂层,热导率低。"


def test_across_languages_nothing_is_quoted_and_nothing_is_called_missing() -> None:
    english = analysed(demand(language="en", title="Blades", problem="Coating YSZ", keywords=["coating"]))
    chinese = analysed(technology(summary="YSZ 涂层。"))
    proposal = PROPOSER.proposal(Entry("maker/coating", 2, 1.1), chinese, english)
    assert (proposal.passages, proposal.missing_terms) == ((), ())
    assert proposal.shared_terms == ("YSZ",)  # what both write alike is shared in any language


# --- priority


def test_the_reviewed_weights_name_every_field_of_the_lists_in_force_and_stay_within_the_bound() -> None:
    priorities = Priorities.load()
    for list, version in ((EMERGING, "2023"), ("future-industries", "2024")):
        for code in STRATEGIC_FIELDS[list, version]:
            assert 0 < priorities.bonus([field(code, version, list)]) <= BOUND
    assert priorities.version == orjson.loads(FILE.read_bytes())["version"]
    assert priorities.bonus([]) == priorities.bonus([field("unheard-of")]) == 0


@pytest.mark.parametrize("wrong", [{"code": "10"}, {"weight": 1.5}, {"version": "1999"}])
def test_a_wrong_code_or_weight_is_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "priorities.json"
    entry = {"list": EMERGING, "version": "2023", "code": "1", "weight": 1.0}
    file.write_bytes(orjson.dumps({"version": "x", "fields": [entry | wrong]}))
    with pytest.raises(ValueError, match="no known code"):
        Priorities.load(file)


def test_fields_are_compared_by_what_they_mean_in_their_version() -> None:
    assert in_common([field("3")], [field("3", "2018")]) == [field("3")]
    assert in_common([field("7")], [field("7", "2018")]) == []
    assert in_common([field("9", "2031")], [field("9", "2031")]) == [field("9", "2031")]


def test_priority_is_a_component_of_its_own_and_does_not_touch_the_score() -> None:
    both = {"strategic_fields": [field("3").model_dump()]}
    entry = Entry("maker/coating", 2, 1.1)
    plain = PROPOSER.proposal(entry, analysed(technology()), analysed(demand()))
    raised = PROPOSER.proposal(entry, analysed(technology(**both)), analysed(demand(**both)))
    assert "priority" not in plain.components
    assert raised.components["priority"] == BOUND
    assert raised.score == plain.score
    found = next(each for each in raised.checks if each.criterion == "strategic_field")
    assert found.wording is not None
    assert found.wording.zh == "同属战略领域：新材料。显示顺序 +0.05 (2026-1)。"
