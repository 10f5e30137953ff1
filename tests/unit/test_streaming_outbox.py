"""Outbox documents: at most 8 MB each, in order, and the same messages when read back."""

from __future__ import annotations

import bson
from hypothesis import given
from hypothesis import strategies as st

from shared.streaming.outbox import DOCUMENT_LIMIT, OutboxDocument, Outgoing, split


def message(size: int, number: int = 0) -> Outgoing:
    return Outgoing("t", number, b"k", b"v" * size, [("ce_id", b"1")], 1, size)


@given(st.lists(st.integers(1, DOCUMENT_LIMIT + 100), max_size=12))
def test_runs_are_in_order_and_small_enough(sizes: list[int]) -> None:
    messages = [Outgoing("t", number, b"k", None, [], 1, size) for number, size in enumerate(sizes)]
    runs = list(split(messages))
    assert [m.partition for run in runs for m in run] == list(range(len(sizes)))
    assert all(run for run in runs)
    assert all(len(run) == 1 or sum(m.size for m in run) <= DOCUMENT_LIMIT for run in runs)


def test_a_document_survives_mongodb() -> None:
    headers = [("ce_id", b"\x00\xff"), ("ce_空", b"")]
    messages = [
        Outgoing("t", 1, b"", None, headers, 5, 10),
        Outgoing("t", 2, "键".encode(), b"\xff", [], 2**41, 2),
    ]
    document = OutboxDocument("group:t/0", 7, 1, 30, "id", messages)
    again = OutboxDocument.from_bson(bson.decode(bson.encode(document.to_bson("group"))))
    assert again.id == document.id
    assert (again.sequence, again.part, again.end, again.transactional_id) == (7, 1, 30, "id")
    fields = [(m.topic, m.partition, m.key, m.value, m.headers, m.timestamp, m.size) for m in again.messages]
    assert fields == [(m.topic, m.partition, m.key, m.value, m.headers, m.timestamp, m.size) for m in messages]
    assert all(isinstance(m.headers, list) for m in again.messages), "aiokafka takes nothing else"
