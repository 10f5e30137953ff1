"""JSON is read exactly, whatever is sent."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.json_text import DEEPEST, NotJsonError, parse

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def code(text: bytes) -> str:
    with pytest.raises(NotJsonError) as raised:
        parse(text)
    return raised.value.fault.code


@given(JSON_VALUES, st.sampled_from([(",", ":"), (", ", " : "), (",\n", "\t:\r\n")]), st.booleans())
def test_whatever_is_json_is_read_without_a_fault(value: Any, separators: tuple[str, str], ascii_only: bool) -> None:
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
    assert parse(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "pointers"),
    [
        (b'{"a":1,"a":1}', ["/a"]),
        (b'{"a" :1,"a" :1, "x": "\\":"}', ["/a"]),
        (b'{"a":{"b":1,"b":2},"c":[{"d":1},{"d":1,"d":1}]}', ["/a/b", "/c/1/d"]),
        (b'{"a/b":1,"a\\/b":2}', ["/a~1b"]),
        ('{"键":1,"\\u952e":2}'.encode(), ["/键"]),
        (b'{"t":"\\u0022:","a":1,"a":2}', ["/a"]),  # an escaped quote must not make up for the key that is lost
        (b'{"t":"x","a":[],"a":{"b":"\\":"}}', ["/a"]),
    ],
)
def test_a_key_given_twice_is_named_wherever_it_stands(text: bytes, pointers: list[str]) -> None:
    value, faults = parse(text)
    assert value == orjson.loads(text)
    assert [(fault.pointer, fault.code) for fault in faults] == [
        (pointer, "json_duplicate_key") for pointer in pointers
    ]


def test_texts_that_look_like_keys_are_no_duplicates() -> None:
    assert parse(b'{"a":"\\":\\":","b":"x :y"}')[1] == []


@pytest.mark.parametrize("text", [b'{"a":NaN}', b'{"a": nan}', b"[Infinity]", b'{"a":-Infinity}', b"NaN", b"-Infinity"])
def test_what_is_no_number_is_said_to_be_none(text: bytes) -> None:
    assert code(text) == "json_not_a_number"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"\xff\xfe{\x00}\x00",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b'{"a":"\\ud800"}',
        b"{'a':1}",
        b"nul",
    ],
)
def test_what_is_not_json_is_said_to_be_none(text: bytes) -> None:
    assert code(text) == "json_invalid"


def test_nesting_ends_at_the_limit() -> None:
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST)[1] == []
    assert code(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1)) == "json_too_deep"
    assert code(b"[" * 500_000) == "json_too_deep"
    assert code(b'{"a":' * 200_000) == "json_too_deep"


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":' + b"9" * 1_000_000 + b"}",
        b'{"a":0.' + b"9" * 1_000_000 + b"}",
        b'{"a":1e' + b"9" * 1_000_000 + b"}",
        b'{"a":1,"a":' + b"9" * 1_000_000 + b"}",
        b"[" + b"1," * 500_000 + b"1]",
        b'{"a":"' + b'\\":' * 300_000 + b'"}',
        b'{"a"' + b" " * 1_000_000 + b":1}",
        b'["' + b'"," ' * 250_000 + b'"]',
        b'{"a":1,"a":2,"' + b"k" * 500_000 + b'":[' + b"[]," * 150_000 + b"[]]}",
    ],
    ids=[
        "digits",
        "fraction",
        "exponent",
        "digits beside a duplicate",
        "items",
        "quotes",
        "spaces",
        "texts",
        "long key",
    ],
)
def test_nothing_of_a_mebibyte_takes_long(text: bytes) -> None:
    begun = time.process_time()
    with contextlib.suppress(NotJsonError):
        parse(text)
    assert time.process_time() - begun < 2
