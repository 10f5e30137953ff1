"""Reads JSON exactly: keys given twice, NaN and bottomless nesting are faults here."""

import json
import re
from collections import Counter
from typing import Any, cast

import orjson

from services.intake.wording import Fault
from shared.contracts.base import escaped
from shared.contracts.events import MOST_ERRORS

DEEPEST = 32
"""Levels of objects and arrays; a record of the contract has four."""

_KEY = re.compile(rb'"[ \t\r\n]*:')
_NOT_A_NUMBER = re.compile(r".?(NaN|Infinity|nan|inf)")


class NotJsonError(Exception):
    """The text is not JSON at all; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


class _TooDeepError(Exception):
    pass


class _Pairs(list[tuple[str, Any]]):
    """An object with its keys as they were written."""


def parse(text: bytes) -> tuple[Any, list[Fault]]:
    """The value and its faults; of a key given twice the value is the last one. Raises NotJsonError."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJsonError(_explained(error)) from None
    try:
        keys = _count_keys(value, 1)
    except _TooDeepError:
        raise NotJsonError(Fault("", "json_too_deep", {"most": DEEPEST})) from None
    # Every key is followed by a colon, so equal numbers mean that none was lost; texts with '":' in them only cost
    # the second look.
    if text.count(b":") == keys or _most_keys(text) == keys:
        return value, []
    return value, [Fault(pointer, "json_duplicate_key") for pointer in _duplicates(text)]


def _explained(error: orjson.JSONDecodeError) -> Fault:
    # The decoder points at the word or just behind it, according to where it gave up.
    if _NOT_A_NUMBER.match(error.doc[max(error.pos - 1, 0) : error.pos + 9]):
        return Fault("", "json_not_a_number")
    if "infinity" in error.msg:
        return Fault("", "json_number_too_large")
    if "depth" in error.msg:
        return Fault("", "json_too_deep", {"most": DEEPEST})
    return Fault("", "json_invalid", {"error": str(error)})


def _most_keys(text: bytes) -> int:
    """As many keys as there can be in the text."""
    if b" :" in text or b"\t:" in text or b"\r:" in text or b"\n:" in text:
        return len(_KEY.findall(text))
    return text.count(b'":')


def _count_keys(value: Any, depth: int) -> int:
    if depth > DEEPEST:
        raise _TooDeepError
    if type(value) is dict:
        items = cast(dict[str, Any], value)
        count, children = len(items), items.values()
    elif type(value) is list:
        count, children = 0, cast(list[Any], value)
    else:
        return 0
    for child in children:
        kind = type(child)
        if kind is dict or kind is list:
            count += _count_keys(child, depth + 1)
    return count


_Place = tuple["_Place", str] | None
"""Where a value stands: the place of what holds it, and its key there. Pointers are only made of the few places that
are named, because a single long key would stand in the pointer of everything below it."""


def _duplicates(text: bytes) -> list[str]:
    """Pointers of the keys that appear more than once in their object; the first 50."""
    # Numbers are not needed, and Python refuses those of more than 4,300 digits.
    tree = json.loads(text, object_pairs_hook=_Pairs, parse_int=len, parse_float=len)
    found: list[str] = []
    waiting: list[tuple[_Place, Any]] = [(None, tree)]
    while waiting and len(found) < MOST_ERRORS:
        place, value = waiting.pop()
        if isinstance(value, _Pairs):
            times = Counter(key for key, _ in value)
            found += [_pointer((place, key)) for key, count in times.items() if count > 1]
            waiting.extend(((place, key), child) for key, child in value if isinstance(child, list))
        elif isinstance(value, list):
            items = enumerate(cast(list[Any], value))
            waiting.extend(((place, str(position)), child) for position, child in items if isinstance(child, list))
    return sorted(set(found))[:MOST_ERRORS]


def _pointer(place: _Place) -> str:
    segments: list[str] = []
    while place is not None:
        place, segment = place
        segments.append(f"/{escaped(segment)}")
    return "".join(reversed(segments))
