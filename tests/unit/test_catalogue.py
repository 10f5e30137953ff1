"""The sample catalogue is what it says: valid records, one malformed message of each kind, nothing real."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from pydantic import ValidationError

import catalogue
from catalogue import MalformedMessage
from services.intake.language import detect
from services.intake.ledger import Ledger, Taken
from services.intake.reading import read
from services.intake.statements import Refusal, Statement
from shared.contracts.code_lists import uscc_check_character
from shared.contracts.events import DemandDraft, OrganisationKind, OrganisationRegistered, TechnologyDraft, Visibility
from shared.streaming.event import Event
from shared.streaming.record import Record
from shared.streaming.subscription import Subscription, to_event

TODAY = date(2026, 12, 1)
MEMBERS = {organisation.id: organisation for organisation in catalogue.organisations()}
OUTBOX = Subscription(handler=None, pattern=re.compile(r"^member\.[a-z0-9-]+\.outbox$"))  # type: ignore[arg-type]


def as_read(member: str, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> Event[bytes]:
    topic = f"member.{member}.outbox"
    return to_event(Record(TopicPartition(topic, 0), 0, topic, 0, 0, None, value, headers), OUTBOX)


# --- organisations


def test_the_counts_are_those_of_the_catalogue() -> None:
    assert len(catalogue.organisations()) == 12
    assert len(catalogue.technologies()) == 40
    assert len(catalogue.demands()) == 30


@pytest.mark.parametrize("organisation", catalogue.organisations(), ids=lambda each: each.id)
def test_an_organisation_is_plainly_a_sample(organisation: OrganisationRegistered) -> None:
    assert organisation.model_extra is not None
    assert organisation.model_extra["sample"] is True
    assert organisation.id.startswith("sample-")
    assert "示例" in organisation.names["zh"]
    assert "（样例）" in organisation.names["zh"]
    assert "sample" in organisation.names["en"].lower()
    assert all(
        contact.email is not None and contact.email.endswith("@example.org") for contact in organisation.contacts
    )


@pytest.mark.parametrize("organisation", catalogue.organisations(), ids=lambda each: each.id)
def test_a_credit_code_has_the_right_check_characters_and_is_nobodys(organisation: OrganisationRegistered) -> None:
    code = organisation.uscc
    assert code is not None
    assert "EXAMPL" in code
    assert uscc_check_character(code[:17]) == code[17]
    assert organisation_check_character(code[8:16]) == code[16]


def organisation_check_character(first_eight: str) -> str:
    """GB 11714: the check character of the organisation code inside a credit code."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(character, 36) * weight for character, weight in zip(first_eight, weights, strict=True))
    return "0123456789X"[-total % 11]


def test_a_credit_code_with_another_check_character_is_refused() -> None:
    assert uscc_check_character("91110000600037341") == "L"  # the published example of GB 32100-2015
    with pytest.raises(ValidationError, match="unified social credit code"):
        OrganisationRegistered.model_validate(
            {**catalogue.organisations()[0].model_dump(), "uscc": "91110000600037341M"}
        )


def test_every_kind_of_member_is_there() -> None:
    kinds = {organisation.kind for organisation in MEMBERS.values()}
    assert kinds == {OrganisationKind.ENTERPRISE, OrganisationKind.INSTITUTE, OrganisationKind.UNIVERSITY}
    ownership = Counter((organisation.model_extra or {})["ownership"] for organisation in MEMBERS.values())
    assert ownership == {"central_state": 4, "public": 4, "private": 4}


# --- records


def test_ids_are_unique_and_belong_to_members() -> None:
    for records in (catalogue.technologies(), catalogue.demands()):
        assert len({record.id for record in records}) == len(records)
        assert {catalogue.member_of(record) for record in records} <= set(MEMBERS)


def test_both_languages_are_written_and_said_rightly() -> None:
    for records, chinese in ((catalogue.technologies(), 25), (catalogue.demands(), 20)):
        detected = [detect(record.title) for record in records]
        assert detected.count("zh") == chinese
        assert detected.count("en") == len(records) - chinese
        assert all(record.language in (None, found) for record, found in zip(records, detected, strict=True))
        assert any(record.language is None for record in records)


def test_records_are_described_in_detail() -> None:
    for technology in catalogue.technologies():
        assert len(technology.description or "") >= 100
        assert technology.advantages
        assert technology.trl is not None
        assert technology.trl.evidence
    for demand in catalogue.demands():
        assert len(demand.targets) == 3
        assert demand.required_trl is not None
        assert demand.budget is not None


def test_some_records_lack_what_risk_needs_and_some_are_hidden() -> None:
    assert sum(technology.plan is None for technology in catalogue.technologies()) == 2
    assert {technology.visibility for technology in catalogue.technologies()} == set(Visibility)


@pytest.mark.parametrize(
    ("file", "model"), [(catalogue.TECHNOLOGIES, TechnologyDraft), (catalogue.DEMANDS, DemandDraft)]
)
def test_every_good_record_is_taken_by_intake_without_a_warning(
    file: Path, model: type[TechnologyDraft] | type[DemandDraft]
) -> None:
    for line in catalogue.lines(file):
        member = catalogue.member_of(model.model_validate_json(line))
        headers = catalogue.SampleMessage().all_headers(member, model.type, "1")
        said = read(as_read(member, line, headers), member, TODAY)
        assert isinstance(said, Statement), said
        assert said.warnings == ()
        assert said.speaker.language in ("zh", "en")


# --- what must match


def test_each_demand_says_what_is_expected_of_it() -> None:
    assert [each.demand_id for each in catalogue.expected()] == [demand.id for demand in catalogue.demands()]
    known = {technology.id for technology in catalogue.technologies()}
    for each in catalogue.expected():
        assert set(each.technologies) | set(each.near_misses) <= known
        assert not set(each.technologies) & set(each.near_misses)


def test_matches_stand_within_a_language_and_across_languages() -> None:
    languages = {record.id: detect(record.title) for record in (*catalogue.technologies(), *catalogue.demands())}
    pairs = Counter(
        (languages[each.demand_id], languages[technology])
        for each in catalogue.expected()
        for technology in each.technologies
    )
    assert pairs == {("zh", "zh"): 10, ("en", "en"): 2, ("zh", "en"): 9, ("en", "zh"): 7}


def test_two_demands_have_no_match_and_say_why() -> None:
    without = [each for each in catalogue.expected() if not each.technologies]
    assert len(without) == 2
    assert all(each.note and not each.near_misses for each in without)


def test_nobody_is_expected_to_match_itself_or_what_it_may_not_see() -> None:
    technologies = {technology.id: technology for technology in catalogue.technologies()}
    for each in catalogue.expected():
        seeker = each.demand_id.partition("/")[0]
        for id in each.technologies:
            technology = technologies[id]
            assert catalogue.member_of(technology) != seeker
            assert technology.visibility is not Visibility.NAMED or seeker in technology.named_members


# --- what is malformed


def test_the_kinds_of_malformed_messages_are_distinct() -> None:
    kinds = [message.kind for message in catalogue.malformed()]
    assert len(kinds) == len(set(kinds)) >= 50


@pytest.mark.parametrize("message", catalogue.malformed(), ids=lambda message: message.kind)
def test_a_malformed_message_is_rejected_with_exactly_the_expected_errors(message: MalformedMessage) -> None:
    ledger = Ledger({}, {}, {})
    if message.after is not None:
        first = read(as_read(message.member, message.after.value(), message.headers_of_first()), message.member, TODAY)
        assert isinstance(first, Statement)
        assert isinstance(ledger.hear(first, TODAY), Taken)
    said = read(as_read(message.member, message.value(), message.headers_to_write()), message.member, TODAY)
    decision = ledger.hear(said, TODAY) if isinstance(said, Statement) else said
    assert isinstance(decision, Refusal)
    assert decision.problem == message.problem
    assert sorted((error.pointer, error.code) for error in decision.errors) == sorted(
        (error.pointer, error.code) for error in message.errors
    )
