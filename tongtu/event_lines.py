"""One event as one line: for people and for programs."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from shared.streaming.event import Event
from tongtu.output import moment

_DATA_SHOWN = 240
"""Characters of each part of a line for people."""


def as_json(event: Event[bytes]) -> dict[str, Any]:
    """Where it stands, its attributes, its data (JSON where it is JSON, else base64), and what is wrong with it."""
    record = event.record
    assert record is not None
    shown: dict[str, Any] = {
        "topic": event.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": event.key if event.key is not None else _text(record.key),
        "id": _clean(event.id),
        "source": _clean(event.source),
        "type": _clean(event.type),
        "subject": _clean(event.subject),
        "time": _clean(event.time),
        "extensions": {_clean(name): _clean(value) for name, value in event.extensions.items()},
        **_data(event.data),
    }
    if record.unreadable:
        shown["unreadable"] = record.unreadable
    elif event.problems:
        shown["problems"] = [
            {"pointer": _clean(each.pointer), "message": _clean(each.message)} for each in event.problems
        ]
    return shown


def as_line(event: Event[bytes]) -> str:
    """Time, place, type, key and the data, cut off where it is long."""
    record = event.record
    assert record is not None
    place = f"{event.topic}/{record.partition}@{record.offset}"
    if record.unreadable:
        return f"{moment(record.timestamp)}  {place}  cannot be read: {record.unreadable}"
    data = "null" if event.data is None else event.data[: 4 * _DATA_SHOWN].decode("utf-8", "replace")
    wrong = f"  not a CloudEvent: {event.problems[0].pointer} {event.problems[0].message}" if event.problems else ""
    parts = (moment(record.timestamp), place, _short(event.type) or "-", _short(event.key) or "-", _short(data))
    return "  ".join(parts) + _short(wrong)


def _short(text: str | None) -> str:
    """Of one line, and of a length for one."""
    shown = "".join(character if character.isprintable() else " " for character in (text or "")[: _DATA_SHOWN + 1])
    return shown if len(shown) <= _DATA_SHOWN else shown[:_DATA_SHOWN] + "…"


def _clean(text: str | None) -> str | None:
    """Without the half surrogates that stand for bytes which are not UTF-8."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _data(data: bytes | None) -> dict[str, Any]:
    if data is None:
        return {"data": None}
    try:
        return {"data": orjson.loads(data)}
    except orjson.JSONDecodeError:
        return {"data_base64": base64.b64encode(data).decode("ascii")}


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")
