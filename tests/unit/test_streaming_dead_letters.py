"""A dead letter keeps a record byte for byte, and gives it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.dead_letter import DeadLetter
from shared.streaming.event import Timer
from shared.streaming.item import Item, Verdict, unwrap, unwrap_timer
from shared.streaming.record import RECORD_LIMIT, Record

ORIGIN = TopicPartition("p.in", 3)
CARRIER = Record(TopicPartition("p.replays", 0), 99, "replays", 0, 5, None, None, [])
VERDICT = Verdict("Odd", "half a pair: \ud800", 2)
BYTES = st.none() | st.binary(max_size=50)


def sent(item: Item) -> DeadLetter:
    """The letter as it comes back from the log."""
    return DeadLetter.model_validate_json(item.dead_letter(VERDICT).model_dump_json())


@given(BYTES, BYTES, st.lists(st.tuples(st.binary(max_size=20), BYTES), max_size=5), st.integers(0, 2**62))
def test_any_record(key: bytes | None, value: bytes | None, headers: list[Any], offset: int) -> None:
    names = [(name.decode("utf-8", "surrogateescape"), content) for name, content in headers]
    letter = sent(Item(ORIGIN, Record(ORIGIN, offset, "in", 3, 1, key, value, names)))
    assert letter.key == f"in/3/{offset}"
    assert letter.original.header_bytes == headers
    again = unwrap(letter, CARRIER)
    assert (again.topic, again.partition, again.key, again.value, list(again.headers)) == ("in", 3, key, value, names)
    assert again.next_offset == 100, "it moves the position of the topic that it came back on"
    assert sent(Item(CARRIER.origin, again)).original == letter.original


def test_a_record_as_large_as_may_be_with_all_its_headers_is_kept() -> None:
    headers = [("h", b"x" * 60_000)]
    letter = sent(Item(ORIGIN, Record(ORIGIN, 1, "in", 3, 1, b"", b"v" * RECORD_LIMIT, headers)))
    assert letter.original.value_bytes == b"v" * RECORD_LIMIT
    assert letter.original.header_bytes == [(b"h", b"x" * 60_000)]


def test_a_larger_one_is_not_and_can_never_come_back_as_a_null_record() -> None:
    headers = [("ce_id", b"1"), ("ce_source", b"/x"), ("ce_type", b"t"), ("ce_specversion", b"1.0")]
    letter = sent(Item(ORIGIN, Record(ORIGIN, 1, "in", 3, 1, b"k", b"v" * 2 * RECORD_LIMIT, headers)))
    assert "sha256" in letter.message
    assert letter.original.value is None
    assert unwrap(letter, CARRIER).headers == [], "without an envelope it is no event, so no withdrawal either"


def test_timers_have_letters_of_their_own_and_come_back() -> None:
    due = datetime.now(UTC).replace(microsecond=0)
    data = {"at": due, "number": 2**40, "text": "中"}
    timers = [Timer("alarm", id, due + timedelta(seconds=n), data, ORIGIN, "00-a-b-01") for n in (0, 1) for id in "ab"]
    letters = [sent(Item(ORIGIN, timer=timer)) for timer in timers]
    assert len({letter.key for letter in letters}) == 4
    for timer, letter in zip(timers, letters, strict=True):
        again = unwrap_timer(letter, ORIGIN)
        assert again is not None
        assert (again.name, again.id, again.due, again.data, again.trace) == (
            timer.name,
            timer.id,
            timer.due,
            timer.data,
            timer.trace,
        )
