"""The demonstration is as strict as the catalogue: whatever is missing or should not be there is found and named."""

from typing import Any

import pytest

import catalogue
from services.notify.members import disclosed
from shared.contracts.feedback import AnswerDraft
from shared.contracts.inbox import (
    FieldProblem,
    NoMatch,
    OwnRecord,
    Proposal,
    ProposalWithdrawn,
    Receipt,
    RecordReference,
    Rejection,
)
from shared.contracts.introduction import MutualInterest
from shared.contracts.match import DemandDisplay, Side, TechnologyDisplay
from shared.contracts.risk import NotAssessed
from shared.streaming.event import Event
from tongtu.demonstration import scenario
from tongtu.demonstration.expectations import Expectations, with_introduction
from tongtu.demonstration.introduction import acceptances, chosen
from tongtu.demonstration.observed import Observed


def message(member: str, content: Any) -> Event[bytes]:
    data = content.model_dump_json().encode()
    return Event("1", "/services/x", type(content).type, None, None, None, f"member.{member}.inbox", data)


def proposal(demand: str, technology: str, side: Side, score: float) -> Proposal:
    display: dict[str, Any] = (
        {"technology": TechnologyDisplay(title="t", language="en")}
        if side is Side.DEMAND
        else {"demand": DemandDisplay(title="d", language="en")}
    )
    return Proposal(
        match_id=f"{demand}--{technology}".replace("/", "_").replace(".", "_"),
        side=side,
        own=OwnRecord(id=demand if side is Side.DEMAND else technology, version=1),
        versions={"technology": 1, "demand": 1},  # type: ignore[arg-type]
        score=score,
        method="1",
        risk=NotAssessed(reason="nothing_given"),  # type: ignore[arg-type]
        **display,
    )


def propose(observed: Observed, demand: str, technology: str, score: float) -> None:
    for side, own in ((Side.DEMAND, demand), (Side.TECHNOLOGY, technology)):
        observed.take(message(own.partition("/")[0], proposal(demand, technology, side, score)), is_new=True)


@pytest.fixture
def submitted() -> list[scenario.Sent]:
    return scenario.submissions()


@pytest.fixture
def everything(submitted: list[scenario.Sent]) -> Observed:
    """What the inboxes hold when all went well."""
    observed = Observed()
    for each in submitted:
        id = each.key.decode()
        receipt = Receipt(event_id=each.event_id, outcome="accepted", record=RecordReference(kind="other", id=id))  # type: ignore[arg-type]
        observed.take(message(each.member, receipt), is_new=True)
    for wrong in catalogue.malformed():
        errors = tuple(FieldProblem(pointer=e.pointer, code=e.code, message="m") for e in wrong.errors)
        rejection = Rejection(type=f"urn:tongtu:problem:{wrong.problem}", title="t", errors=errors)
        observed.take(message(wrong.member, rejection), is_new=True)
    for each in catalogue.expected():
        for technology in each.technologies:
            propose(observed, each.demand_id, technology, 0.8)
        if not each.technologies:
            own = OwnRecord(id=each.demand_id, version=1)
            no_match = NoMatch(own=own, technologies_searched=40, threshold=0.5, method="1")
            observed.take(message(each.demand_id.partition("/")[0], no_match), is_new=True)
    return observed


def test_all_of_it_is_as_expected(submitted: list[scenario.Sent], everything: Observed) -> None:
    comparison = Expectations(submitted).compare(everything)
    assert comparison.is_as_expected, (comparison.missing, comparison.wrong)
    assert all(good == total > 0 for good, total in comparison.counts.values())


def test_nothing_at_all_is_missing_everything(submitted: list[scenario.Sent]) -> None:
    comparison = Expectations(submitted).compare(Observed())
    assert len(comparison.missing) == len(submitted) + len(catalogue.malformed()) + 28 + 2
    assert not comparison.wrong


def test_a_missing_rejection_is_named_by_its_kind(submitted: list[scenario.Sent], everything: Observed) -> None:
    everything.rejections.pop(0)
    (told,) = Expectations(submitted).compare(everything).missing
    assert catalogue.malformed()[0].kind in told


def test_a_rejection_that_names_fewer_fields_does_not_count(
    submitted: list[scenario.Sent], everything: Observed
) -> None:
    at = next(n for n, (_, each) in enumerate(everything.rejections) if len(each.errors) > 1)
    member, rejection = everything.rejections[at]
    everything.rejections[at] = (member, rejection.model_copy(update={"errors": rejection.errors[:1]}))
    comparison = Expectations(submitted).compare(everything)
    assert len(comparison.missing) == 1


def test_a_rejection_of_what_is_in_order_is_wrong(submitted: list[scenario.Sent], everything: Observed) -> None:
    errors = (FieldProblem(pointer="/title", code="odd", message="m"),)
    rejection = Rejection(type="urn:tongtu:problem:invalid-record", title="t", errors=errors)
    everything.take(message("sample-grid", rejection), is_new=True)
    assert len(Expectations(submitted).compare(everything).wrong) == 1


def test_a_proposal_to_one_party_alone_does_not_count(submitted: list[scenario.Sent], everything: Observed) -> None:
    match_id = next(iter(everything.proposals))[0]
    everything.proposals.pop((match_id, Side.TECHNOLOGY))
    assert len(Expectations(submitted).compare(everything).missing) == 1


def test_a_proposal_that_was_taken_back_does_not_count(submitted: list[scenario.Sent], everything: Observed) -> None:
    (match_id, side), known = next(iter(everything.proposals.items()))
    withdrawn = ProposalWithdrawn(match_id=match_id, side=side, own_id=known.own.id)
    everything.take(message(known.own.id.partition("/")[0], withdrawn), is_new=True)
    assert len(Expectations(submitted).compare(everything).missing) == 1


def test_a_proposal_for_what_nothing_solves_is_wrong(submitted: list[scenario.Sent], everything: Observed) -> None:
    demand = next(each.demand_id for each in catalogue.expected() if not each.technologies)
    propose(everything, demand, "sample-robotics/hull-cleaning-rov", 0.6)
    (told,) = Expectations(submitted).compare(everything).wrong
    assert "which nothing solves" in told


def test_a_near_miss_that_stands_before_is_remarked_and_fails_nothing(
    submitted: list[scenario.Sent], everything: Observed
) -> None:
    case = next(each for each in catalogue.expected() if each.near_misses and each.technologies)
    propose(everything, case.demand_id, case.near_misses[0], 0.7)
    assert Expectations(submitted).compare(everything).is_as_expected
    propose(everything, case.demand_id, case.near_misses[0], 0.9)
    comparison = Expectations(submitted).compare(everything)
    (told,) = comparison.remarks
    assert comparison.is_as_expected, "the ranking is shown, it fails nothing"
    assert case.near_misses[0] in told


def test_answers_from_an_earlier_time_do_not_count(submitted: list[scenario.Sent]) -> None:
    observed = Observed()
    rejection = Rejection(type="urn:tongtu:problem:invalid-record", title="t")
    observed.take(message("sample-grid", rejection), is_new=False)
    assert observed.rejections == []


def test_an_update_of_a_proposal_is_not_told_twice() -> None:
    observed = Observed()
    first = proposal("aa/d", "bb/t", Side.DEMAND, 0.5)
    assert observed.take(message("a", first), is_new=True) == first
    assert observed.take(message("a", first.model_copy(update={"score": 0.6})), is_new=True) is None
    assert observed.proposals["aa_d--bb_t", Side.DEMAND].score == 0.6


def test_technologies_and_demands_go_by_turns_each_from_its_member(submitted: list[scenario.Sent]) -> None:
    assert len(submitted) == len(catalogue.technologies()) + len(catalogue.demands())
    assert len({each.event_id for each in submitted}) == len(submitted)
    types = [dict(each.headers)["ce_type"] for each in submitted[:4]]
    assert types[0] != types[1]
    assert all(each.key.decode().startswith(f"{each.member}/") for each in submitted)


def test_both_parties_of_an_expected_match_accept_what_they_were_shown(everything: Observed) -> None:
    pair = chosen(everything)
    assert pair is not None
    answers = acceptances(pair)
    assert [each.member for each in answers] == [id.partition("/")[0] for id in (pair.demand_id, pair.technology_id)]
    for each in answers:
        draft = AnswerDraft.model_validate_json(each.value or b"")
        assert (draft.match_id, draft.decision, draft.versions) == (
            pair.proposal.match_id,
            "accepted",
            pair.proposal.versions,
        )


def test_nothing_is_accepted_where_nothing_was_proposed() -> None:
    assert chosen(Observed()) is None


def test_an_introduction_that_did_not_come_or_says_whom_nobody_can_reach_is_not_as_expected(
    submitted: list[scenario.Sent], everything: Observed
) -> None:
    comparison = Expectations(submitted).compare(everything)
    organisations = {each.id: disclosed(each) for each in catalogue.organisations()}
    told = {
        side: MutualInterest(
            match_id="m", side=side, own_id="aa/own", other_id="bb/other", organisation=organisations["sample-grid"]
        )
        for side in Side
    }
    assert with_introduction(comparison, told).is_as_expected
    assert len(with_introduction(comparison, {Side.DEMAND: told[Side.DEMAND]}).missing) == 1
    silent = organisations["sample-grid"].model_copy(update={"contacts": ()})
    told[Side.DEMAND] = told[Side.DEMAND].model_copy(update={"organisation": silent})
    assert len(with_introduction(comparison, told).wrong) == 1
