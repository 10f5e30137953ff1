"""A member's message is understood whole, or everything that is wrong with it is said at once."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from services.intake.envelope import KINDS, member_of
from services.intake.expiry import ends_at, is_past
from services.intake.reading import read
from services.intake.statements import Refusal, Statement
from shared.contracts.events import MOST_ERRORS, DemandDraft, OutcomeRecorded, RecordKind, TechnologySubmitted
from shared.contracts.example import Example, load_examples
from shared.streaming import Event
from shared.streaming.record import Record
from shared.streaming.subscription import Subscription, to_event

TODAY = date(2026, 12, 1)
TECHNOLOGY = "tongtu.technology.submitted.v1"
ANSWER = "tongtu.match.answered.v1"
OUTBOX = Subscription(handler=None, pattern=re.compile(".*"))  # type: ignore[arg-type]
DRAFT: dict[str, Any] = {"id": "t-1", "title": "Sealing of hydrogen valves", "summary": "Metal seals down to 20 K."}


def message(data: Any = DRAFT, type: str = TECHNOLOGY, **attributes: Any) -> Event[bytes]:
    """A binary event of the member acme; attributes in `ce_` spelling go over the usual ones."""
    value = data if data is None or isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    given: dict[str, Any] = {
        "id": "m-1", "source": "/members/acme", "type": type, "subject": None, "time": None, "key": None,
        "topic": "member.acme.outbox", "data": value, "content_type": "application/json",
    }  # fmt: skip
    return Event(**{**given, **attributes})


def understood(event: Event[bytes]) -> Statement:
    said = read(event, "acme", TODAY)
    assert isinstance(said, Statement), said
    return said


def refused(event: Event[bytes]) -> dict[str, str]:
    said = read(event, "acme", TODAY)
    assert isinstance(said, Refusal), said
    return {error.pointer: error.code for error in said.errors}


# --- who writes


@pytest.mark.parametrize("topic", ["member.a.outbox", "member.-.outbox", f"member.{'a' * 41}.outbox"])
def test_a_topic_that_names_no_member_is_nobodys(topic: str) -> None:
    assert member_of(topic) is None


def test_the_topic_says_who_writes_and_the_source_may_only_say_where() -> None:
    assert member_of("member.acme.outbox") == "acme"
    assert understood(message(source="/members/acme/laboratory/7")).speaker.member == "acme"
    for source in ("/members/acme-2", "/members/acm", "acme", "/MEMBERS/acme", "https://acme.example/members/acme"):
        assert refused(message(source=source)) == {"/headers/ce_source": "source"}


# --- what is understood


def test_a_draft_becomes_the_canonical_record() -> None:
    said = understood(message({**DRAFT, "strategic_fields": [{"list": "future-industries", "code": "energy"}]}))
    assert (said.kind, said.id, said.version) == (RecordKind.TECHNOLOGY, "acme/t-1", None)
    assert isinstance(said.body, TechnologySubmitted)
    assert (said.body.id, said.body.owner, said.body.language) == ("acme/t-1", "acme", "en")
    assert said.body.strategic_fields[0].version == "2024"


def test_the_language_is_detected_where_it_is_not_given() -> None:
    for draft, language in (
        ({**DRAFT, "title": "氢气阀门密封", "summary": "20 K 金属密封"}, "zh"),
        ({**DRAFT, "language": "de"}, "de"),
    ):
        body = understood(message(draft)).body
        assert isinstance(body, TechnologySubmitted)
        assert body.language == language


def test_a_full_id_a_local_id_and_the_subject_mean_the_same_record() -> None:
    for id, subject in (("t-1", None), ("acme/t-1", "t-1"), ("t-1", "acme/t-1"), ("t-1", "t-1")):
        assert understood(message({**DRAFT, "id": id}, subject=subject)).id == "acme/t-1"
    assert refused(message(subject="t-2")) == {"/headers/ce_subject": "subject_differs"}


def test_the_version_may_stand_in_the_record_or_in_its_attribute() -> None:
    assert understood(message({**DRAFT, "version": 3})).version == 3
    assert understood(message(extensions={"recordversion": "3"})).version == 3
    assert understood(message({**DRAFT, "version": 3}, extensions={"recordversion": "3"})).version == 3
    for wrong in ("0", "-1", "1.0", "03", "²", "9999999999"):
        assert refused(message(extensions={"recordversion": wrong})) == {"/headers/ce_recordversion": "record_version"}


def test_no_data_withdraws_a_record() -> None:
    said = understood(message(None, subject="t-1", extensions={"recordversion": "7"}))
    assert (said.id, said.version, said.body, said.content) == ("acme/t-1", 7, None, None)


def test_unknown_fields_and_attributes_are_carried_along_with_a_warning() -> None:
    draft = {**DRAFT, "colour": "blue", "trl": {"level": 4, "who": "us"}, "owner": "somebody", "model_dump": 1}
    said = understood(message(draft, extensions={"traceparent": "00-1", "batch": "7"}))
    assert {warning.pointer for warning in said.warnings} == {
        "/colour", "/trl/who", "/owner", "/model_dump", "/headers/ce_batch"
    }  # fmt: skip
    assert said.extensions == {"batch": "7"}
    assert isinstance(said.body, TechnologySubmitted)
    assert said.body.owner == "acme"
    assert said.body.model_extra == {"colour": "blue", "model_dump": 1}


def test_an_outcome_names_its_technology_in_full() -> None:
    outcome = {"id": "o-1", "technology_id": "t-1", "stage": "pilot", "result": "passed", "date": "2026-05-01"}
    said = understood(message(outcome, "tongtu.outcome.recorded.v1"))
    assert isinstance(said.body, OutcomeRecorded)
    assert said.body.technology_id == "acme/t-1"
    assert (said.technology_key, said.match_id) == ("technology/acme/t-1", None)


def test_an_answer_is_kept_for_each_party_apart() -> None:
    said = understood(message({"match_id": "m_1", "decision": "accepted", "version": "mine"}, ANSWER))
    assert (said.record_key, said.match_id, said.version) == ("answer/m_1/acme", "m_1", None)


# --- what is the same


def test_content_is_the_same_however_it_is_written() -> None:
    plain = understood(message({**DRAFT, "a": 1, "b": 2}))
    for other in (
        {"b": 2, "a": 1, **DRAFT},
        {**DRAFT, "a": 1, "b": 2, "id": "acme/t-1", "title": f"  {DRAFT['title']} ", "keywords": [], "trl": None},
        {**DRAFT, "a": 1, "b": 2, "visibility": "members", "language": "en"},
        {**DRAFT, "a": 1, "b": 2, "version": 5},
    ):
        assert understood(message(other)).content == plain.content
    composed, decomposed = "Ger\u00e4t", "Gera\u0308t"
    assert understood(message({**DRAFT, "title": composed})).content == (
        understood(message({**DRAFT, "title": decomposed})).content
    )


@pytest.mark.parametrize("change", [{"title": "Other"}, {"a": 1}, {"language": "de"}, {"keywords": ["x"]}])
def test_content_is_another_when_anything_in_it_is(change: dict[str, Any]) -> None:
    assert understood(message({**DRAFT, **change})).content != understood(message()).content


def test_messages_are_the_same_only_with_the_same_member_source_and_id() -> None:
    keys = {
        understood(message(source=source, id=id)).message_key
        for source in ("/members/acme", "/members/acme/a")
        for id in ("1", "2", "编号 \u0000\U0010ffff", "a" * 512)
    }
    assert len(keys) == 8
    assert understood(message(source="/members/acme/1", id="2")).message_key not in keys


# --- what is wrong


def test_everything_wrong_is_said_at_once() -> None:
    data = {"id": "other/t-1", "title": 7, "trl": {"level": 0}, "expires_on": "2020-01-01", "version": 2}
    event = message(data, source="/members/other", content_type="text/xml", extensions={"recordversion": "x"})
    assert refused(event) == {
        "/headers/ce_source": "source",
        "/headers/content-type": "content_type",
        "/headers/ce_recordversion": "record_version",
        "/id": "foreign_id",
        "/expires_on": "expired",
        "/title": "string_type",
        "/trl/level": "greater_than_equal",
        "/description": "no_text",
    }


def test_at_most_fifty_errors_are_named() -> None:
    said = read(message({"id": "t", "named_members": ["X"] * 200}), "acme", TODAY)
    assert isinstance(said, Refusal)
    assert len(said.errors) == MOST_ERRORS


@pytest.mark.parametrize(
    ("content_type", "taken"),
    [
        (None, True), ("application/json", True), ("Application/JSON; Charset=\"UTF-8\"", True),
        ("application/vnd.acme.v2+json", True), ("application/json;charset=us-ascii", True),
        ("application/json; charset=utf-16", False), ("text/json", False), ("application/xml", False),
    ],
)  # fmt: skip
def test_the_content_type_must_be_json_in_utf_8(content_type: str | None, taken: bool) -> None:
    assert isinstance(read(message(content_type=content_type), "acme", TODAY), Statement) is taken


def test_messages_are_answered_in_their_own_language_and_otherwise_in_both() -> None:
    def first(data: Any) -> str:
        said = read(message(data), "acme", TODAY)
        assert isinstance(said, Refusal)
        return said.errors[0].message

    assert first({**DRAFT, "trl": {"level": 10}}) == "must be at most 9"
    assert first({**DRAFT, "title": "氢气阀门", "trl": {"level": 10}}) == "不得大于 9"
    assert first({"id": "t", "title": 1, "summary": 1}) == "must be a text / 必须是文本"
    assert first('{"title": "氢气阀门"'.encode()).startswith("不是有效的 JSON")
    assert first(b"{").startswith("is not valid JSON")
    assert " / 不是有效的 JSON" in first(b"{")


def test_a_record_that_grows_past_what_readers_take_is_too_large() -> None:
    data = json.dumps({**DRAFT, "measured": []}).encode().replace(b"[]", b"[" + b"1e15," * 160_000 + b"1]")
    assert len(data) < 1024 * 1024
    said = read(message(data), "acme", TODAY)
    assert isinstance(said, Refusal)
    assert said.problem == "too-large"


def test_a_record_is_valid_through_the_day_that_it_names() -> None:
    assert not is_past(TODAY, TODAY)
    assert is_past(date(2026, 11, 30), TODAY)
    assert ends_at(TODAY).isoformat() == "2026-12-02T00:00:00+00:00"
    assert ends_at(date.max).date() == date.max


@given(st.binary(max_size=200), st.sampled_from([*KINDS, "other"]), st.text(max_size=20), st.text(max_size=20))
def test_any_bytes_are_understood_or_refused_and_never_raise(data: bytes, type: str, id: str, source: str) -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type.encode()),
    ]
    topic = "member.acme.outbox"
    event = to_event(Record(TopicPartition(topic, 0), 0, topic, 0, 0, data, data, headers), OUTBOX)
    assert isinstance(read(event, "acme", TODAY), Statement | Refusal)


FIELDS = [*DemandDraft.model_fields, "unknown"]
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(FIELDS), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(FIELDS), JUNK))
def test_any_fields_are_understood_or_refused_and_never_raise(data: dict[str, Any]) -> None:
    said = read(message(data, DemandDraft.type), "acme", TODAY)
    assert isinstance(said, Statement | Refusal)
    if isinstance(said, Refusal):
        assert said.errors


# --- the contract's own examples

DRAFT_EXAMPLES = [example for example in load_examples() if example.contract.endswith(".draft")]


@pytest.mark.parametrize("example", DRAFT_EXAMPLES, ids=str)
def test_intake_judges_the_examples_as_the_contract_does(example: Example) -> None:
    member = example.headers["ce_source"].removeprefix("/members/").partition("/")[0]
    topic = f"member.{member}.outbox"
    headers = [(name, value.encode()) for name, value in example.headers.items()]
    event = to_event(Record(TopicPartition(topic, 0), 0, topic, 0, 0, None, example.value_bytes, headers), OUTBOX)
    said = read(event, member, TODAY)
    if isinstance(said, Refusal):
        assert sorted({error.pointer for error in said.errors}) == sorted(set(example.problems))
    else:
        assert example.valid
        assert {warning.pointer for warning in said.warnings} == set(example.warnings)
