"""What a proposal says: checks, shared terms, parties without names, an id that cannot be guessed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.matching.checks import affordable, checks, in_time, same_region
from services.matching.embedding import ENCODER
from services.matching.encoding import body, work_record
from services.matching.match_id import match_id
from services.matching.parties import demand_party, shortened, technology_party
from services.matching.proposals import Analysed, Proposer
from services.matching.shard import profile_of
from services.matching.shared_terms import shared_terms
from services.matching.shortlist import Entry
from services.matching.work import Subject, WorkRecord
from shared.contracts.events import (
    DemandPosted,
    MatchProposed,
    MoneyRange,
    OrganisationKind,
    Side,
    TechnologySubmitted,
    Verdict,
)
from tests.unit.matching_profiles import MODEL, vector

PROPOSER = Proposer(MODEL, b"a secret of the test", 0.25)


def technology(**fields: Any) -> TechnologySubmitted:
    usual = {
        "id": "maker/coating",
        "owner": "maker",
        "version": 2,
        "language": "zh",
        "visibility": "members",
        "title": "锆酸钆热障涂层",
        "summary": "用于燃气轮机叶片的热障涂层,热导率低。",
        "trl": {"level": 6},
        "price": {"min": "800000", "max": "1500000", "currency": "CNY"},
        "plan": {"currency": "CNY", "months": 18},
        "region": "CN-SN",
    }
    return TechnologySubmitted.model_validate(usual | fields)


def demand(**fields: Any) -> DemandPosted:
    usual = {
        "id": "utility/blades",
        "owner": "utility",
        "version": 3,
        "language": "zh",
        "visibility": "public",
        "title": "燃气轮机叶片热障涂层需求",
        "problem": "现有涂层寿命短,希望热障涂层在频繁启停下不剥落。",
        "required_trl": 7,
        "budget": {"max": "1000000", "currency": "CNY"},
        "starts_on": "2027-01-31",
        "deadline": "2028-07-31",
        "region": "CN",
    }
    return DemandPosted.model_validate(usual | fields)


def verdicts(offer: TechnologySubmitted, ask: DemandPosted) -> dict[str, Verdict]:
    return {each.criterion: each.verdict for each in checks(technology_party(offer), demand_party(ask))}


def work(record: TechnologySubmitted | DemandPosted, seed: int = 1) -> WorkRecord:
    return work_record(record, vector(seed), ENCODER)


def analysed(record: TechnologySubmitted | DemandPosted, kind: OrganisationKind | None = None) -> Analysed:
    return Analysed(work(record), profile_of(work(record), MODEL), kind)


def test_each_criterion_that_the_demand_names_has_a_verdict() -> None:
    assert verdicts(technology(), demand()) == {
        "visibility": Verdict.MET,
        "other_organisation": Verdict.MET,
        "trl": Verdict.UNMET,
        "budget": Verdict.MET,
        "deadline": Verdict.MET,
        "region": Verdict.MET,
    }


def test_what_the_technology_does_not_say_is_unknown_and_what_nobody_asks_is_no_criterion() -> None:
    silent = technology(trl=None, price=None, plan=None, region=None)
    found = verdicts(silent, demand())
    assert {found[name] for name in ("trl", "budget", "deadline", "region")} == {Verdict.UNKNOWN}
    undemanding = demand(required_trl=None, budget=None, deadline=None, region=None)
    assert verdicts(technology(), undemanding).keys() == {"visibility", "other_organisation"}


def test_checks_say_what_was_asked_and_offered() -> None:
    found = {each.criterion: each for each in checks(technology_party(technology()), demand_party(demand()))}
    assert (found["trl"].asked, found["trl"].offered) == (">= 7", "6")
    assert (found["budget"].asked, found["budget"].offered) == ("<= 1000000 CNY", "800000-1500000 CNY")
    assert (found["deadline"].asked, found["deadline"].offered) == ("2028-07-31", "18 months")


@pytest.mark.parametrize(
    ("budget", "price", "verdict"),
    [
        ({"max": "10"}, {"min": "10"}, True),
        ({"max": "10"}, {"min": "10.01", "max": "20"}, False),
        ({"max": "10"}, {"max": "10"}, True),
        ({"max": "10"}, {"max": "11"}, None),  # perhaps cheaper, perhaps not
        ({"min": "10"}, {"min": "5"}, None),
        ({"max": "10"}, {}, None),
    ],
)
def test_a_price_is_affordable_if_its_lowest_lies_within_the_budget(
    budget: dict[str, str], price: dict[str, str], verdict: bool | None
) -> None:
    assert affordable(MoneyRange(**budget, currency="CNY"), MoneyRange(**price, currency="CNY")) is verdict
    assert affordable(MoneyRange(**budget, currency="CNY"), MoneyRange(**price, currency="EUR")) is None


def test_months_are_counted_on_the_calendar() -> None:
    assert in_time(date(2027, 1, 31), 1, date(2027, 2, 28)) is True
    assert in_time(date(2027, 1, 31), 18, date(2028, 7, 31)) is True
    assert in_time(date(2027, 1, 15), 12, date(2028, 1, 14)) is True
    assert in_time(date(2027, 1, 15), 12, date(2028, 1, 13)) is False
    assert in_time(date(2027, 1, 1), 36, date(2029, 12, 31)) is True
    assert in_time(date(9999, 1, 1), 36, date(9999, 12, 31)) is False
    assert in_time(None, 12, date(2028, 1, 14)) is None
    assert in_time(date(2027, 1, 15), None, date(2028, 1, 14)) is None


def test_a_region_holds_its_subdivisions_and_not_those_of_another() -> None:
    assert same_region("CN", "CN-GD")
    assert same_region("CN-GD", "CN")
    assert not same_region("CN-GD", "CN-BJ")
    assert not same_region("CN", "DE")


def test_neighbouring_bigrams_become_the_terms_that_people_wrote() -> None:
    contributions = {"热障": 9, "障涂": 9, "涂层": 5, "叶片": 4, "coat": 7}
    surfaces = {term: term for term in contributions} | {"coat": "Coatings"}
    found = shared_terms(contributions, surfaces, "燃气轮机热障涂层:叶片的涂层 Coatings")
    assert found == ("热障涂层", "Coatings", "叶片")


def test_bigrams_outside_the_text_at_hand_stand_for_themselves() -> None:
    assert shared_terms({"热障": 9, "粘结": 5}, {"热障": "热障", "粘结": "粘结"}, "热障") == ("热障", "粘结")
    assert shared_terms({}, {}, "热障") == ()


def test_a_text_is_cut_at_the_end_of_a_sentence() -> None:
    assert shortened("一句话。" * 200).endswith("。")
    assert len(shortened("一句话。" * 200)) <= 500
    assert shortened("word " * 200) == ("word " * 200)[:499].rstrip() + "…"
    assert shortened("A decimal 3.5 stays. " + "x" * 600, 30) == "A decimal 3.5 stays."
    assert shortened("short") == "short"


def test_a_work_record_survives_json() -> None:
    for record in (work(technology()), work(demand(), 2)):
        again = WorkRecord.model_validate_json(record.model_dump_json())
        assert again == record
        assert again.numbers.tolist() == record.numbers.tolist()
        assert Subject.parse(again.key) == again.subject


def test_a_work_record_is_of_one_side_and_whole() -> None:
    good = work(technology()).model_dump()
    for wrong in (
        {"demand": work(demand()).demand},
        {"technology": None},
        {"terms": ["one"]},
        {"vector": b"short"},
    ):
        with pytest.raises(ValueError, match="must"):
            WorkRecord.model_validate(good | wrong)


def test_a_technology_goes_to_every_shard_and_a_demand_always_to_the_same() -> None:
    assert list(Subject(Side.TECHNOLOGY, "maker/coating").shards(4)) == [0, 1, 2, 3]
    found = {tuple(Subject(Side.DEMAND, f"utility/{number}").shards(4)) for number in range(100)}
    assert found == {(0,), (1,), (2,), (3,)}
    assert Subject(Side.DEMAND, "utility/1").shards(4) == Subject(Side.DEMAND, "utility/1").shards(4)


def test_keywords_and_targets_are_part_of_what_is_compared() -> None:
    offer = technology(keywords=["悬浮液喷涂"], advantages="寿命两倍", description="双层结构")
    assert body(offer).split("\n") == ["用于燃气轮机叶片的热障涂层,热导率低。", "双层结构", "寿命两倍", "悬浮液喷涂"]
    ask = demand(targets=[{"name": "热循环次数", "comparator": "at_least", "value": 1500}], keywords=["热障涂层"])
    assert body(ask).split("\n")[1:] == ["热循环次数", "热障涂层"]


def test_a_proposal_is_valid_self_contained_and_explains_itself() -> None:
    offer = analysed(technology(), OrganisationKind.INSTITUTE)
    proposal = PROPOSER.proposal(Entry("maker/coating", 2, 1.1), offer, analysed(demand()))
    again = MatchProposed.model_validate_json(proposal.model_dump_json())
    assert again.score == 0.7503
    assert again.components["semantic"] == 1.0
    assert again.components["lexical"] > 5
    assert {"热障涂层", "燃气轮机叶片"} <= set(again.shared_terms)
    assert again.technology.display.organisation_kind is OrganisationKind.INSTITUTE
    assert again.demand.display.organisation_kind is None
    assert again.technology.display.title == technology().title
    assert again.demand.display.summary == demand().problem
    assert again.technology.risk.plan == technology().plan
    assert again.demand.risk.budget == demand().budget
    assert again.method == MODEL.method


def test_across_languages_only_the_meaning_is_a_component() -> None:
    english = analysed(demand(language="en", title="Blades", problem="Coating"))
    proposal = PROPOSER.proposal(Entry("maker/coating", 2, 1.1), analysed(technology()), english)
    assert proposal.components.keys() == {"semantic"}


def test_no_good_match_names_the_nearest_miss_with_its_checks() -> None:
    near = (Entry("maker/coating", 2, -2.0), analysed(technology()))
    searched = PROPOSER.searched(analysed(demand()), 0, 41, near)
    assert (searched.proposals, searched.technologies_searched, searched.threshold) == (0, 41, 0.25)
    assert searched.nearest_miss is not None
    assert searched.nearest_miss.score == 0.1192
    assert searched.nearest_miss.technology_version == 2
    assert "trl" in {each.criterion for each in searched.nearest_miss.checks}
    assert "热障涂层" in searched.nearest_miss.shared_terms


def test_a_match_id_depends_on_both_records_and_the_secret_alone() -> None:
    id = match_id(b"secret", "maker/coating", "utility/blades")
    assert id == match_id(b"secret", "maker/coating", "utility/blades")
    assert len({id, match_id(b"other", "maker/coating", "utility/blades"), match_id(b"secret", "maker/x", "a/b")}) == 3
    assert len(id) == 32
    assert id.isalnum()
    assert id == id.lower()
