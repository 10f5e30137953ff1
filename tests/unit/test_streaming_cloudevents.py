"""Reading an event never raises, whatever is in the record."""

from __future__ import annotations

import json
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.streaming import cloudevents
from shared.streaming.record import Record

NAMES = st.one_of(
    st.sampled_from(
        ["ce_id", "ce_source", "ce_type", "ce_specversion", "CE_ID", "content-type", "Content-Type", "ce_", "x"]
    ),
    st.binary(max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape")),
)
CONTENT_TYPES = st.sampled_from(
    [
        b"application/cloudevents+json",
        b"application/cloudevents+json; charset=utf-8",
        b"APPLICATION/CLOUDEVENTS+JSON;CHARSET=UTF-8",
        b"application/cloudevents+xml",
        b"application/json",
        b"\xff",
    ]
)
VALUES = st.one_of(st.none(), st.binary(max_size=40), CONTENT_TYPES, st.just(b"1.0"))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10))
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
MEMBERS = st.dictionaries(
    st.sampled_from(["id", "source", "type", "specversion", "data", "data_base64", "subject", "Ext", "time"]), JSON
)


def record(value: bytes | None, headers: Any, key: bytes | None = b"k") -> Record:
    return Record(TopicPartition("t", 0), 0, "t", 0, 0, key, value, headers)


@given(st.none() | st.binary(), st.lists(st.tuples(NAMES, VALUES), max_size=12), st.none() | st.binary(max_size=5))
def test_any_record_becomes_an_event(value: bytes | None, headers: list[Any], key: bytes | None) -> None:
    event = cloudevents.decode(record(value, headers, key), "t")
    for problem in event.problems:
        (problem.pointer + problem.message).encode()  # fit to be sent back


@settings(max_examples=50)
@given(MEMBERS)
def test_any_structured_record_becomes_an_event(members: dict[str, Any]) -> None:
    value = json.dumps(members).encode()
    event = cloudevents.decode(record(value, [("content-type", b"application/cloudevents+json")]), "t")
    if not event.problems:
        assert event.id
        assert event.source
        assert event.type


@given(st.binary())
def test_any_bytes_called_structured_become_an_event(value: bytes) -> None:
    cloudevents.decode(record(value, [("content-type", b"application/cloudevents+json")]), "t")
