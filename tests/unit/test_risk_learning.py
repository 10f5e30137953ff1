"""What the model learns from reported outcomes: a pure function of those that stand, whoever reports them when."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.evidence import Report, SetAside, evidence_of
from services.risk.learning import learnt, starts_that_differ, sway_of, version_of
from services.risk.shared_model import SharedModel, SuccessPrior
from tests.unit.risk_reports import DAY, forecast, report

BASE = SharedModel.load("2")
FIELDS = (None, "emerging.1", "emerging.5")
GATES = [gate.name for gate in BASE.gates]


def learn(*reports: Report, base: SharedModel = BASE) -> SharedModel:
    return learnt(base, evidence_of(base, reports))


def prior(model: SharedModel, stage: str = "pilot", trl: int = 6, field: str | None = None) -> SuccessPrior:
    gate = model.gates[GATES.index(stage)]
    return gate.success[gate.prior(trl, field)]


@st.composite
def reports(draw: st.DrawFn) -> list[Report]:
    """Any mixture: several of one member, several about one technology, every result and stage, with and without
    months, some about nothing that was ever assessed."""
    made: list[Report] = []
    for number in range(draw(st.integers(0, 30))):
        stage = draw(st.sampled_from([*GATES, "market"]))
        trl = draw(st.sampled_from([None, 2, 3, 5, 6, 8, 9]))
        one = report(
            draw(st.sampled_from(["passed", "failed", "stopped", "other"])),
            stage,
            id=f"m/o-{number}",
            owner=f"member-{draw(st.integers(0, 4))}",
            about=f"match-{draw(st.integers(0, 12))}",
            trl=trl,
            field=draw(st.sampled_from(FIELDS)),
            forecasts={stage: forecast(draw(st.floats(0.05, 0.95)))},
            day=DAY - timedelta(days=draw(st.integers(0, 4000))),
            months=draw(st.sampled_from([None, 0, 3, 12, 40])),
        )
        made.append(replace(one, subject=None) if draw(st.integers(0, 9)) == 0 else one)
    return made


@given(reports(), st.randoms())
def test_the_order_of_outcomes_does_not_matter(found: list[Report], chance: random.Random) -> None:
    mixed = list(found)
    chance.shuffle(mixed)
    assert learn(*mixed) == learn(*found)
    assert evidence_of(BASE, mixed) == evidence_of(BASE, found)


@given(reports())
def test_what_is_learnt_is_a_valid_model_and_its_counts_add_up(found: list[Report]) -> None:
    model = learn(*found)
    assert SharedModel.model_validate_json(model.model_dump_json(exclude_defaults=True)) == model
    evidence = evidence_of(BASE, found)
    counted = sum(len(group) for group in evidence.by_gate.values())
    assert counted + sum(evidence.set_aside.values()) == len(found)
    pooled = sum(prior.outcomes for gate in model.gates for prior in gate.success if not prior.fields)
    assert pooled == counted


@given(reports())
def test_a_member_never_weighs_more_than_its_limit_at_a_gate(found: list[Report]) -> None:
    evidence = evidence_of(BASE, found)
    most = BASE.learning.member_weight.value
    for group in evidence.by_gate.values():
        by_member: dict[str, float] = {}
        for each in group:
            by_member[each.report.owner] = by_member.get(each.report.owner, 0) + each.weight
        assert max(by_member.values()) <= most + 1e-9


def test_an_outcome_adds_to_the_pseudo_counts_of_its_gate_alone() -> None:
    before, after = prior(BASE), prior(learn(report("failed")))
    assert (after.alpha, after.beta) == pytest.approx((before.alpha, before.beta + 1), rel=1e-5)
    assert (after.outcomes, after.prior_weight) == (1, pytest.approx(20))
    assert [learn(report("failed")).gates[n] for n in (0, 1, 3, 4)] == [BASE.gates[n] for n in (0, 1, 3, 4)]


def test_a_corrected_outcome_counts_as_it_now_reads_and_one_taken_back_not_at_all() -> None:
    first, other = report("failed"), report("passed")
    corrected = replace(first, result=other.result)
    assert prior(learn(first, other)).mean < prior(learn(corrected, other)).mean
    assert learn(other) == learn(*[each for each in (first, other) if each is not first])
    assert learn() == BASE


def test_an_outcome_that_is_a_half_life_older_weighs_half() -> None:
    years = int(BASE.learning.half_life.value)
    old, new = report("failed", day=date(DAY.year - years, DAY.month, 1)), report("passed")
    after = prior(learn(old, new))
    assert after.outcomes_weight == pytest.approx(1.5)
    # Only the distance to the latest outcome counts: the same two, ten years later, say the same.
    later = [replace(each, day=each.day.replace(year=each.day.year + 10)) for each in (old, new)]
    assert prior(learn(*later)) == after


def test_an_outcome_of_the_same_quarter_leaves_the_other_gates_alone() -> None:
    first = report("failed")
    then = report("passed", "demonstration", day=DAY + timedelta(days=20))
    assert learn(first).gates[2] == learn(first, then).gates[2]


def test_one_technology_passes_a_stage_once_however_many_report_it() -> None:
    both = [report("passed", technology="t"), report("passed", technology="t")]
    assert prior(learn(*both)).outcomes_weight == pytest.approx(1)
    contradicting = learn(report("passed", technology="t"), report("failed", technology="t"))
    assert prior(contradicting).alpha == pytest.approx(prior(BASE).alpha + 0.5, rel=1e-5)


def test_a_member_cannot_move_the_model_alone() -> None:
    model = learn(*(report("failed", owner="one") for _ in range(1000)))
    most = BASE.learning.member_weight.value
    assert prior(model).outcomes_weight == pytest.approx(most)
    assert prior(model).mean == pytest.approx(prior(BASE).alpha / (20 + most), rel=1e-5)
    many = learn(*(report("failed") for _ in range(1000)))
    assert prior(many).mean < 0.02


def test_the_influence_of_members_is_told_without_their_names() -> None:
    found = [report("failed", owner="one") for _ in range(10)] + [report("passed") for _ in range(5)]
    evidence = evidence_of(BASE, found)
    sway = sway_of(learnt(BASE, evidence), evidence)
    assert (sway.members, sway.members_at_limit) == (6, 1)
    assert sway.largest_share == pytest.approx(0.5)
    assert sway.largest_pull == pytest.approx(5 / 30, rel=1e-4)


def test_a_field_stands_for_itself_once_enough_members_say_enough() -> None:
    few = [report("failed", field="emerging.5", owner=f"m{n % 2}") for n in range(20)]
    assert prior(learn(*few), field="emerging.5") == prior(learn(*few)), "two members are not enough"
    enough = [report("failed", field="emerging.5", owner=f"m{n % 4}") for n in range(20)]
    others = [report("passed") for _ in range(20)]
    model = learn(*enough, *others)
    own, pooled = prior(model, field="emerging.5"), prior(model)
    assert own.fields == ("emerging.5",)
    # The mean of the others, (0.861 x 20 + 20) / 40, at a weight of 20, and 20 failures of its own.
    assert own.mean == pytest.approx(0.9305 * 20 / 40, rel=1e-4)
    assert own.mean < pooled.mean < prior(BASE).mean
    assert prior(model, field="emerging.1") == pooled


def test_a_published_prior_of_a_field_learns_by_itself() -> None:
    own = prior(BASE).model_copy(update={"fields": ("emerging.4",), "mean": 0.3, "effective_sample_size": 10.0})
    gates = list(BASE.gates)
    gates[2] = gates[2].model_copy(update={"success": (*gates[2].success, own)})
    base = BASE.model_copy(update={"gates": tuple(gates)})
    model = learn(*(report("passed", field="emerging.4") for _ in range(10)), base=base)
    assert prior(model, field="emerging.4").mean == pytest.approx((3 + 10) / 20, rel=1e-5)
    assert prior(model) == prior(base)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (report("passed", "market"), SetAside.NO_GATE),
        (report("other"), SetAside.NO_GATE),
        (report("stopped"), SetAside.STOPPED),
        (replace(report(), subject=None), SetAside.NOT_ASSESSED),
        (report(trl=7), SetAside.PASSED_BEFORE),
        (report(stage="laboratory_proof", trl=None), SetAside.START_UNKNOWN),
    ],
)
def test_what_says_nothing_about_success_is_set_aside_and_counted(told: Report, why: SetAside) -> None:
    assert evidence_of(BASE, [told]).set_aside == {why: 1}
    assert learn(told) == BASE


def test_the_start_decides_which_prior_an_outcome_is_about() -> None:
    model = learn(report(stage="laboratory_proof", trl=3))
    assert prior(model, "laboratory_proof", 3).outcomes == 1
    assert prior(model, "laboratory_proof", 1) == prior(BASE, "laboratory_proof", 1)
    # Not known where it started, and one prior for all: it counts.
    assert prior(learn(report(trl=None))).outcomes == 1


def test_months_that_were_longer_lengthen_all_months_and_move_their_spread() -> None:
    late = [report(months=24, forecasts={"pilot": forecast(median=12)}) for _ in range(30)]
    model = learn(*late)
    assert model.months_factor.value == pytest.approx(2 ** (30 / 40), rel=1e-5)
    # Against a forecast that knew of the factor already, the same months say the same.
    known = [report(months=24, forecasts={"pilot": forecast(median=24, months_factor=2.0)}) for _ in range(30)]
    assert learn(*known).months_factor == model.months_factor
    exact = learn(*(report(months=12, forecasts={"pilot": forecast(median=12)}) for _ in range(90)))
    assert exact.months_factor.value == 1
    assert exact.months_log_sd.value == pytest.approx(BASE.months_log_sd.value * math.sqrt(0.1), rel=1e-5)


def test_months_that_move_over_the_years_widen_the_spread_by_what_a_forecast_will_meet() -> None:
    def of(*logarithms: float) -> float:
        """Twenty reports for each: of so many times the forecast months, up and down by a factor of 1.2."""
        found = [
            report(
                months=12 * math.exp(each) * 1.2 ** (1 if number % 2 else -1),
                day=date(DAY.year - 6 + quarter // 4, 1 + 3 * (quarter % 4), 15),
                forecasts={"pilot": forecast(median=12)},
            )
            for quarter, each in enumerate(logarithms)
            for number in range(20)
        ]
        still = BASE.learning.months_horizon.model_copy(update={"value": 0})
        standing = BASE.model_copy(update={"learning": BASE.learning.model_copy(update={"months_horizon": still})})
        widened, alone = learn(*found), learn(*found, base=standing)
        assert widened.months_factor == alone.months_factor
        return math.sqrt(widened.months_log_sd.value**2 - alone.months_log_sd.value**2)

    assert of(*[0.5] * 24) == 0
    # Too short a time to see as far ahead as the forecasts reach.
    assert of(*[0.1 * quarter for quarter in range(12)]) == 0
    # 0.1 a quarter is 1.2 in three years; the prior, which is no movement, takes some of it.
    assert 1.08 < of(*[0.1 * quarter for quarter in range(24)]) < 1.2
    assert 1.08 < of(*[-0.1 * quarter for quarter in range(24)]) < 1.2


def test_an_outcome_of_any_age_can_be_learnt_from() -> None:
    def lasted(months: float, year: int) -> Report:
        return report(months=months, day=date(year, 5, 1), forecasts={"pilot": forecast(median=12)})

    recent = [lasted(14, 2023), lasted(13, 2026)]
    # So old that the square of their weight is 0: they change nothing, and stop nothing.
    ancient = [lasted(12, 1), lasted(40, 4)]
    assert learn(*recent, *ancient).months_log_sd == learn(*recent).months_log_sd


def test_only_a_forecast_that_did_not_know_the_outcome_is_one() -> None:
    knew = report(number=4, forecasts={"pilot": forecast(number=4)})
    assert knew.forecast is None
    assert replace(knew, number=5).forecast is not None


def test_only_starts_whose_way_leads_through_a_changed_gate_differ() -> None:
    assert starts_that_differ(BASE, learn(report("failed"))) == [None, 1, 2, 3, 4, 5, 6]
    assert starts_that_differ(BASE, learn(report("failed", "laboratory_proof", trl=3))) == [3]
    assert starts_that_differ(BASE, BASE.model_copy(update={"version": "1.1"})) == []
    assert len(starts_that_differ(BASE, BASE.model_copy(update={"seed": 5}))) == 10


def test_versions_name_the_base_and_count_what_was_learnt() -> None:
    assert [version_of("2", number) for number in (0, 17)] == ["2", "2.17"]
