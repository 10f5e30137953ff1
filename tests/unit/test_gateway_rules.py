"""The gateway's rules: who a token belongs to, what a cursor opens, how an envelope becomes a record."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import cursor, rendering
from services.gateway.envelope import Fault, Submission, read_batch, read_binary, read_structured
from services.gateway.problems import KINDS, Problem, accepted_language
from services.gateway.tokens import Tokens
from shared.streaming.log_reader import LogRecord

STRUCTURED = b"application/cloudevents+json"


def value(member: str, *tokens: str, **changes: Any) -> bytes:
    listed = [
        {"id": str(n), "sha256": sha256(token.encode()).hexdigest(), "created": "2026-04-01T08:30:00Z"}
        for n, token in enumerate(tokens)
    ]
    return json.dumps({"member": member, "version": 1, "tokens": listed} | changes).encode()


def test_a_token_opens_its_members_door_and_no_other() -> None:
    changed: list[str] = []
    tokens = Tokens(changed.append)
    tokens.apply(b"acme", value("acme", "one", "two"))
    tokens.apply(b"bolt", value("bolt", "three"))
    found = [tokens.caller(token) for token in (b"one", b"two", b"three", b"four", b"", b"one ", b"x" * 600)]
    assert [caller and caller.member for caller in found] == ["acme", "acme", "bolt", None, None, None, None]
    assert changed == ["acme", "bolt"]


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(value("acme", "two"), id="rotated"),
        pytest.param(value("acme"), id="none left"),
        pytest.param(None, id="removed"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(value("bolt", "one"), id="another member's"),
        pytest.param(value("acme", "one", tokens=[{"id": "1", "sha256": "ff", "created": "2026"}]), id="no digest"),
    ],
)
def test_a_token_that_is_no_longer_listed_opens_nothing(later: bytes | None) -> None:
    changed: list[str] = []
    tokens = Tokens(changed.append)
    tokens.apply(b"acme", value("acme", "one"))
    caller = tokens.caller(b"one")
    assert caller is not None
    assert tokens.admits(caller)
    tokens.apply(b"acme", later)
    assert tokens.caller(b"one") is None
    assert not tokens.admits(caller)
    assert changed == ["acme", "acme"]


def test_records_that_cannot_be_read_are_told_without_what_they_say() -> None:
    refused = Tokens(lambda _: None).apply(b"acme", b'{"secret": "one"}')
    assert refused is not None
    assert (refused.member, "secret" in repr(refused)) == ("acme", False)


@given(st.integers(0, cursor.LARGEST))
def test_a_cursor_is_of_use_in_one_inbox(offset: int) -> None:
    place = cursor.written("acme", offset)
    assert cursor.read("acme", place) == offset
    assert cursor.read("bolt", place) is None


@given(st.text(max_size=40))
def test_whatever_is_no_cursor_is_told_apart(text: str) -> None:
    offset = cursor.read("acme", text)
    assert offset is None or cursor.written("acme", offset) == text


def faults(submission: Submission) -> list[str]:
    return [fault.pointer for fault in submission.faults]


def binary(**headers: str) -> list[tuple[bytes, bytes]]:
    given = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    return [(name.encode(), text.encode()) for name, text in given.items() if text]


def test_binary_headers_become_those_of_the_kafka_binding() -> None:
    found = read_binary(binary(ce_subject="caf%C3%A9", content_type="application/json", host="x"), b"{}", "acme")
    assert not found.faults
    assert dict(found.entry.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"1",
        "ce_type": b"t",
        "ce_subject": "café".encode(),
        "content-type": b"application/json",
        "ce_source": b"/members/acme",
    }
    assert (found.entry.key, found.entry.value) == ("café".encode(), b"{}")


@pytest.mark.parametrize(
    ("headers", "body", "wrong"),
    [
        pytest.param(binary(ce_id=""), b"{}", ["/headers/ce-id"], id="no id"),
        pytest.param(binary(ce_specversion="0.3"), b"{}", ["/headers/ce-specversion"], id="old version"),
        pytest.param(binary(ce_subject="%ff"), b"{}", ["/headers/ce-subject"], id="not UTF-8"),
        pytest.param([*binary(), (b"ce-id", b"2")], b"{}", ["/headers/ce-id"], id="twice"),
        pytest.param(binary(ce_source="/members/bolt"), b"{}", ["/headers/ce-source"], id="another member"),
        pytest.param(binary(ce_source="/members/acmeplus"), b"{}", ["/headers/ce-source"], id="longer name"),
        pytest.param(binary(ce_source="/members/acme/../bolt"), b"{}", [], id="below, whatever it looks like"),
        pytest.param(binary(), b"", ["/headers/ce-subject"], id="neither data nor subject"),
        pytest.param(binary(ce_subject="one"), b"", [], id="withdrawal"),
        pytest.param(binary(ce_partitionkey="k"), b"", [], id="a key is enough for Kafka"),
        pytest.param([], b"", ["/headers/ce-id", "/headers/ce-type", "/headers/ce-specversion"], id="nothing"),
    ],
)
def test_faults_of_a_binary_event_name_its_headers(
    headers: list[tuple[bytes, bytes]], body: bytes, wrong: list[str]
) -> None:
    assert faults(read_binary(headers, body, "acme")) == wrong


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        pytest.param(b'{"specversion":"1.0","id":"1","type":"t","source":"/members/acme/a"}', [], id="good"),
        pytest.param(b'{"specversion":"1.0","id":"1","type":"t"}', [], id="no source"),
        pytest.param(b'{"specversion":"1.0","id":"1","type":"t","data":{"source":1}}', [], id="a source in the data"),
        pytest.param(b"{}", ["/id", "/type", "/specversion"], id="empty"),
        pytest.param(b'{"specversion":"1.0","id":"1","id":"2","type":"t"}', [""], id="a key twice"),
        pytest.param(b"[" * 5000, [""], id="deep"),
        pytest.param(b"\xff", [""], id="not UTF-8"),
        pytest.param(b'{"specversion":"1.0","id":"1","type":"t","data_base64":"%"}', ["/data_base64"], id="base64"),
        pytest.param(b'{"specversion":"1.0","id":"1","type":"t","source":"/members/bolt"}', ["/source"], id="foreign"),
    ],
)
def test_faults_of_a_structured_event_name_its_members(body: bytes, wrong: list[str]) -> None:
    found = read_structured(body, STRUCTURED, "acme")
    assert [pointer for pointer in faults(found) if pointer in wrong] == wrong
    assert bool(found.faults) == bool(wrong)
    if not wrong:
        assert json.loads(found.entry.value or b"") == {"source": "/members/acme"} | json.loads(body)


def test_a_batch_keeps_the_bytes_of_its_events() -> None:
    found = read_batch(b' [ {"specversion":"1.0","id":"1","type":"t","data":1.0} ,{"id" : "2"}, 3 ] ', "acme", 10)
    assert isinstance(found, list)
    assert b'"data":1.0}' in (found[0].entry.value or b"")
    assert [faults(each) for each in found] == [[], ["/1/type", "/1/specversion"], ["/2"]]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[", b"[1", b"[1,]", b"[1 2]", b"[1]]", b"[1]x", b"\xff", b"[" * 9000, b"[nope]", b"null"]
)
def test_what_is_no_batch_is_one_fault(body: bytes) -> None:
    assert isinstance(read_batch(body, "acme", 10), Fault)


def test_a_batch_has_a_limit_and_may_be_empty() -> None:
    assert read_batch(b"[1,2,3]", "acme", 2) is None
    assert read_batch(b" [ ] ", "acme", 2) == []


@given(st.binary(max_size=200))
def test_whatever_bytes_are_sent_are_explained(body: bytes) -> None:
    batch = read_batch(body, "acme", 10)
    found: list[Fault] = [batch] if isinstance(batch, Fault) else []
    found += read_structured(body, STRUCTURED, "acme").faults
    assert found
    assert all(fault.said(language).message for fault in found for language in ("en", "zh", None))


@pytest.mark.parametrize(
    ("content_type", "data", "shown"),
    [
        (b"application/json", b'{"a": "\xe9\x87\x91\\n"}', {"data": {"a": "金\n"}}),
        (b"application/json", b'{"a":1}\n\ndata: x', {"data_base64": "eyJhIjoxfQoKZGF0YTogeA=="}),
        (b"text/plain", b"x", {"data_base64": "eA=="}),
        (b"application/json", None, {}),
    ],
)
def test_an_inbox_message_is_one_line_of_json(content_type: bytes, data: bytes | None, shown: dict[str, Any]) -> None:
    record = LogRecord(8, b"k", data, [("ce_id", b"\xff"), ("content-type", content_type), ("other", b"x")])
    message = rendering.stream_message("acme", record)
    assert message.count(b"\n") == 3
    event = json.loads(message.split(b"data: ", 1)[1])
    assert event == {"id": "\ufffd", "datacontenttype": content_type.decode()} | shown


@pytest.mark.parametrize("kind", KINDS)
def test_every_problem_is_said_in_both_languages(kind: str) -> None:
    context = {"event": 1, "batch": 2, "events": 3, "most": 4}
    for language in ("en", "zh", None):
        document = json.loads(bytes(Problem(kind, context=context).response(language).body))
        assert document["type"] == f"urn:tongtu:problem:{kind}"
        assert document["status"] == KINDS[kind].status
        assert any("\u4e00" <= character <= "\u9fff" for character in document["title"]) == (language != "en")
        assert "{" not in document["detail"]


@pytest.mark.parametrize(
    ("header", "language"),
    [("zh-CN,en;q=0.5", "zh"), ("fr, en", "en"), ("", None), ("*", None), ("x" * 10_000, None)],
)
def test_the_language_is_the_first_that_is_spoken_here(header: str, language: str | None) -> None:
    assert accepted_language(header) == language
