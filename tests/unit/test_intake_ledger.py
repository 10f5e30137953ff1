"""What becomes of what members say, given what was said before."""

from __future__ import annotations

import itertools
import json
from datetime import date
from typing import Any

import pytest

from services.intake.ledger import Ledger, Parties, Taken
from services.intake.reading import read
from services.intake.replies import receipt_for, receipt_for_expiry, rejection_for
from services.intake.statements import Refusal, Statement
from services.intake.versions import Known
from shared.contracts.events import (
    Decision,
    MatchAnswered,
    OutcomeRecorded,
    ReceiptOutcome,
    RecordKind,
    SeenVersions,
    Side,
    TechnologySubmitted,
)
from shared.streaming import Event

TODAY = date(2026, 12, 1)
TECHNOLOGY = "tongtu.technology.submitted.v1"
DEMAND = "tongtu.demand.posted.v1"
ANSWER = "tongtu.match.answered.v1"
OUTCOME = "tongtu.outcome.recorded.v1"
RECORD = "technology/acme/t-1"
MATCHES = {"m-1": Parties("acme", "works", SeenVersions(technology=3, demand=5), "acme/t-1", "works/d-1")}
OUTCOME_OF_MATCH = {"id": "o-1", "match_id": "m-1", "stage": "pilot", "result": "passed", "date": "2026-05-01"}
ids = itertools.count()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger({}, {}, dict(MATCHES))


def said(data: dict[str, Any] | None, type: str = TECHNOLOGY, member: str = "acme", **attributes: Any) -> Statement:
    """A valid message; without an id each is a message of its own."""
    given: dict[str, Any] = {
        "id": f"m-{next(ids)}", "source": f"/members/{member}", "type": type, "subject": None, "time": None,
        "key": None, "topic": f"member.{member}.outbox", "data": None if data is None else json.dumps(data).encode(),
    }  # fmt: skip
    statement = read(Event(**{**given, **attributes}), member, TODAY)
    assert isinstance(statement, Statement), statement
    return statement


def technology(title: str = "Metal seals", **fields: Any) -> Statement:
    attributes = {name: fields.pop(name) for name in ("message_id",) if name in fields}
    id = {"id": attributes["message_id"]} if attributes else {}
    return said({"id": "t-1", "title": title, "summary": "Down to 20 K.", **fields}, **id)


def withdrawal(version: int | None = None) -> Statement:
    return said(None, subject="t-1", extensions={} if version is None else {"recordversion": str(version)})


def hear(ledger: Ledger, statement: Statement) -> tuple[ReceiptOutcome, int | None]:
    taken = ledger.hear(statement, TODAY)
    assert isinstance(taken, Taken), taken
    return taken.outcome, taken.version


def refused(ledger: Ledger, statement: Statement) -> str:
    before = dict(ledger.records), dict(ledger.messages)
    refusal = ledger.hear(statement, TODAY)
    assert isinstance(refusal, Refusal), refusal
    assert (ledger.records, ledger.messages) == before, "a refusal leaves no trace"
    return refusal.problem


# --- messages that are sent again


def test_the_same_message_again_changes_nothing(ledger: Ledger) -> None:
    message = technology(message_id="once")
    assert hear(ledger, message) == (ReceiptOutcome.ACCEPTED, 1)
    hear(ledger, technology("Better seals"))
    changed = dict(ledger.changed)
    assert hear(ledger, message) == (ReceiptOutcome.REPEATED, 1)
    assert ledger.changed == changed


def test_an_id_is_not_used_for_two_contents(ledger: Ledger) -> None:
    hear(ledger, technology(message_id="once"))
    for other in (technology("Other", message_id="once"), technology(message_id="once", version=2)):
        assert refused(ledger, other) == "id-reused"
    assert refused(ledger, said(None, id="once", subject="t-1")) == "id-reused"


def test_a_message_that_was_refused_may_be_mended_under_its_id(ledger: Ledger) -> None:
    hear(ledger, technology(version=4))
    assert refused(ledger, technology("Other", version=4, message_id="mended")) == "version-conflict"
    assert hear(ledger, technology("Other", version=5, message_id="mended")) == (ReceiptOutcome.ACCEPTED, 5)


# --- versions


def test_each_new_content_is_the_next_version_and_the_same_content_is_none(ledger: Ledger) -> None:
    assert hear(ledger, technology()) == (ReceiptOutcome.ACCEPTED, 1)
    assert hear(ledger, technology()) == (ReceiptOutcome.REPEATED, 1)
    assert hear(ledger, technology("Better seals")) == (ReceiptOutcome.ACCEPTED, 2)
    assert hear(ledger, technology()) == (ReceiptOutcome.ACCEPTED, 3)


def test_an_older_version_is_dropped_and_an_equal_one_must_be_equal(ledger: Ledger) -> None:
    hear(ledger, technology(version=7))
    assert hear(ledger, technology("Older", version=6)) == (ReceiptOutcome.OUTDATED, 7)
    assert hear(ledger, technology(version=7)) == (ReceiptOutcome.REPEATED, 7)
    assert refused(ledger, technology("Other", version=7)) == "version-conflict"


def test_a_withdrawal_takes_a_version_and_only_a_higher_one_brings_the_record_back(ledger: Ledger) -> None:
    hear(ledger, technology(version=2))
    assert hear(ledger, withdrawal()) == (ReceiptOutcome.WITHDRAWN, 3)
    assert ledger.records[RECORD] == Known(3, None)
    assert hear(ledger, withdrawal()) == (ReceiptOutcome.REPEATED, 3)
    assert hear(ledger, technology(version=2)) == (ReceiptOutcome.OUTDATED, 3)
    assert refused(ledger, technology(version=3)) == "version-conflict"
    assert hear(ledger, technology(version=4)) == (ReceiptOutcome.ACCEPTED, 4)


def test_what_is_not_known_cannot_be_withdrawn(ledger: Ledger) -> None:
    assert refused(ledger, withdrawal()) == "unknown-record"


def test_a_technology_and_a_demand_may_share_an_id(ledger: Ledger) -> None:
    hear(ledger, technology())
    assert hear(ledger, said({"id": "t-1", "title": "x", "problem": "x"}, DEMAND)) == (ReceiptOutcome.ACCEPTED, 1)
    assert set(ledger.changed) == {RECORD, "demand/acme/t-1"}


def test_the_record_that_is_published_has_its_version(ledger: Ledger) -> None:
    hear(ledger, technology())
    taken = ledger.hear(technology("Better seals"), TODAY)
    assert isinstance(taken, Taken)
    assert isinstance(taken.event, TechnologySubmitted)
    assert (taken.event.key, taken.event.version, taken.event.title) == ("acme/t-1", 2, "Better seals")


# --- expiry


def test_a_record_that_has_expired_is_refused_unless_it_was_heard_before(ledger: Ledger) -> None:
    assert refused(ledger, technology(expires_on="2026-11-30")) == "invalid-record"
    last_day = technology(expires_on="2026-12-01", message_id="last")
    assert hear(ledger, last_day) == (ReceiptOutcome.ACCEPTED, 1)
    again = ledger.hear(last_day, date(2027, 1, 1))
    assert isinstance(again, Taken)
    assert again.outcome is ReceiptOutcome.REPEATED


def test_a_later_version_outlives_the_end_of_an_earlier_one(ledger: Ledger) -> None:
    for statement, expires_on, outlived in (
        (technology(expires_on="2027-01-01"), date(2027, 1, 1), False),
        (technology(expires_on="2027-02-01"), date(2027, 2, 1), False),
        (technology(), None, True),
        (technology("Better seals"), None, False),
        (technology("Best seals", expires_on="2027-02-01"), date(2027, 2, 1), False),
        (withdrawal(), None, True),
    ):
        taken = ledger.hear(statement, TODAY)
        assert isinstance(taken, Taken)
        assert (taken.expires_on, taken.outlived) == (expires_on, outlived)


def test_expiry_ends_the_version_that_it_was_set_for_and_no_other(ledger: Ledger) -> None:
    hear(ledger, technology(expires_on="2027-01-01"))
    assert ledger.expire(RECORD, 1) == 2
    assert ledger.records[RECORD] == Known(2, None)
    assert ledger.expire(RECORD, 2) is None
    hear(ledger, technology("Better seals", expires_on="2027-01-01"))
    assert ledger.expire(RECORD, 1) is None
    assert ledger.expire("technology/acme/other", 1) is None


def test_a_demand_without_an_end_of_its_own_ends_with_its_deadline(ledger: Ledger) -> None:
    def taken(**fields: Any) -> Taken | Refusal:
        demand = {"id": f"d-{next(ids)}", "title": "Seals wanted", "problem": "Down to 20 K."}
        return ledger.hear(said({**demand, **fields}, DEMAND), TODAY)

    for fields, last in (
        ({"deadline": "2027-06-30"}, date(2027, 6, 30)),
        ({"deadline": "2027-06-30", "expires_on": "2027-12-31"}, date(2027, 12, 31)),
        ({"deadline": "2026-11-30"}, None),  # posted all the same
        ({}, None),
    ):
        found = taken(**fields)
        assert isinstance(found, Taken)
        assert found.expires_on == last


# --- answers and outcomes


def test_only_a_party_answers_and_its_side_follows_from_who_it_is(ledger: Ledger) -> None:
    accepted = {"match_id": "m-1", "decision": "accepted"}
    for member, side in (("acme", Side.TECHNOLOGY), ("works", Side.DEMAND)):
        taken = ledger.hear(said(accepted, ANSWER, member), TODAY)
        assert isinstance(taken, Taken)
        assert taken.event == MatchAnswered(
            match_id="m-1", side=side, member=member, version=1, decision=Decision.ACCEPTED,
            versions=SeenVersions(technology=3, demand=5), technology_id="acme/t-1", demand_id="works/d-1",
        )  # fmt: skip
    assert refused(ledger, said(accepted, ANSWER, "stranger")) == "not-a-party"


def test_answers_are_counted_and_the_same_answer_is_none(ledger: Ledger) -> None:
    accepted = {"match_id": "m-1", "decision": "accepted"}
    declined = {"match_id": "m-1", "decision": "declined", "reason": "too_early", "side": "demand", "member": "works"}
    declined["technology_id"] = "stranger/t-9"
    assert hear(ledger, said(accepted, ANSWER)) == (ReceiptOutcome.ACCEPTED, 1)
    assert hear(ledger, said(accepted, ANSWER)) == (ReceiptOutcome.REPEATED, 1)
    taken = ledger.hear(said(declined, ANSWER), TODAY)
    assert isinstance(taken, Taken)
    assert isinstance(taken.event, MatchAnswered)
    assert taken.event.technology_id == "acme/t-1"
    assert (taken.event.version, taken.event.side, taken.event.member) == (2, Side.TECHNOLOGY, "acme")


def test_the_same_words_to_a_match_proposed_anew_are_another_answer(ledger: Ledger) -> None:
    accepted = {"match_id": "m-1", "decision": "accepted"}
    hear(ledger, said(accepted, ANSWER))
    anew = Ledger(
        ledger.records, ledger.messages, {"m-1": Parties("acme", "works", SeenVersions(technology=4, demand=5))}
    )
    assert hear(anew, said(accepted, ANSWER)) == (ReceiptOutcome.ACCEPTED, 2)


def test_an_answer_waits_for_its_match_and_is_given_up_so_that_it_may_be_sent_again(ledger: Ledger) -> None:
    answer = said({"match_id": "m-2", "decision": "accepted"}, ANSWER, id="early")
    assert hear(ledger, answer) == (ReceiptOutcome.WAITING, None)
    assert ledger.changed == {}
    refusal = ledger.give_up(answer)
    assert refusal.problem == "unknown-match"
    assert ledger.forgotten == {answer.message_key}


def test_an_outcome_is_a_partys_or_about_a_technology_of_its_own(ledger: Ledger) -> None:
    assert hear(ledger, said(OUTCOME_OF_MATCH, OUTCOME)) == (ReceiptOutcome.ACCEPTED, 1)
    assert refused(ledger, said(OUTCOME_OF_MATCH, OUTCOME, "stranger")) == "not-a-party"
    of_technology = {**OUTCOME_OF_MATCH, "id": "o-2", "match_id": None, "technology_id": "t-1"}
    assert refused(ledger, said(of_technology, OUTCOME)) == "unknown-record"
    hear(ledger, technology())
    taken = ledger.hear(said(of_technology, OUTCOME), TODAY)
    assert isinstance(taken, Taken)
    assert isinstance(taken.event, OutcomeRecorded)
    assert (taken.event.id, taken.event.technology_id) == ("acme/o-2", "acme/t-1")


def test_an_outcome_is_corrected_by_its_own_id(ledger: Ledger) -> None:
    hear(ledger, said(OUTCOME_OF_MATCH, OUTCOME))
    assert hear(ledger, said({**OUTCOME_OF_MATCH, "result": "failed"}, OUTCOME)) == (ReceiptOutcome.ACCEPTED, 2)


def test_an_outcome_is_taken_back_by_the_member_that_reported_it(ledger: Ledger) -> None:
    hear(ledger, said(OUTCOME_OF_MATCH, OUTCOME))
    assert refused(ledger, said(None, OUTCOME, "works", subject="o-1")) == "unknown-record"
    assert hear(ledger, said(None, OUTCOME, subject="o-1")) == (ReceiptOutcome.WITHDRAWN, 2)


# --- what the member is told


def test_a_receipt_names_the_message_the_record_and_what_became_of_it(ledger: Ledger) -> None:
    statement = technology(colour="blue", message_id="once")
    taken = ledger.hear(statement, TODAY)
    assert isinstance(taken, Taken)
    receipt = receipt_for(statement, taken).model_dump(mode="json")
    assert receipt["event_id"] == "once"
    assert receipt["outcome"] == "accepted"
    assert receipt["record"] == {"kind": "technology", "id": "acme/t-1", "version": 1}
    assert [warning["pointer"] for warning in receipt["warnings"]] == ["/colour"]


def test_a_rejection_is_a_problem_description_in_the_members_language(ledger: Ledger) -> None:
    hear(ledger, technology("金属密封", version=3))
    refusal = ledger.hear(technology("陶瓷密封", version=3), TODAY)
    assert isinstance(refusal, Refusal)
    rejection = rejection_for(refusal).model_dump(mode="json")
    assert rejection["type"] == "urn:tongtu:problem:version-conflict"
    assert rejection["title"] == "该版本已被其他内容占用"
    assert [(error["pointer"], error["code"]) for error in rejection["errors"]] == [("/version", "version_reused")]
    assert "版本 3" in rejection["errors"][0]["message"]
    assert rejection["record"] == {"kind": "technology", "id": "acme/t-1", "version": None}


def test_the_end_of_a_record_is_told_without_a_message() -> None:
    receipt = receipt_for_expiry(RecordKind.DEMAND, "acme/d-1", 4)
    assert (receipt.event_id, receipt.outcome, receipt.key) == (None, ReceiptOutcome.EXPIRED, "acme/d-1")
