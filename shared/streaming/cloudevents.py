"""CloudEvents 1.0 in the Kafka protocol binding: binary and structured in, binary out.

Reading never raises: whatever is wrong is listed, because the one who sent it has to be told all of it.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from shared.streaming.event import NO_EXTENSIONS, Event, Problem
from shared.streaming.record import Record

STRUCTURED = "application/cloudevents"
ATTRIBUTE_LIMIT = 2048
"""Characters in one attribute value; 64 KiB of headers is the other limit."""
HEADERS_LIMIT = 64 * 1024
ATTRIBUTES_LIMIT = 64
REQUIRED = ("id", "source", "type")
_CORE_ATTRIBUTES = frozenset(
    {"id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema"}
)
_COMMON_EXTENSIONS = ("traceparent", "partitionkey", "recordversion")
_PLAIN_NAMES = {f"ce_{name}": name for name in (*_CORE_ATTRIBUTES, *_COMMON_EXTENSIONS)}
_PLAIN_NAMES["content-type"] = "content-type"
_EXTENSION_NAME = re.compile(r"[a-z0-9]{1,64}")


def decode(record: Record, topic: str) -> Event[bytes]:
    """The event in a record; `problems` says what keeps it from being a CloudEvent. Key problems included."""
    attributes = _plain_attributes(record)
    if attributes is None:
        return _decode_carefully(record, topic)
    try:
        key = None if record.key is None else record.key.decode()
    except UnicodeDecodeError:
        return _decode_carefully(record, topic)
    take = attributes.pop
    id, source, type = take("id"), take("source"), take("type")
    subject, time, content_type = take("subject", None), take("time", None), take("content-type", None)
    content_type = take("datacontenttype", content_type)
    take("dataschema", None)
    del attributes["specversion"]
    extensions = attributes or NO_EXTENSIONS
    return Event(id, source, type, subject, time, key, topic, record.value, extensions, content_type, (), record)


def _plain_attributes(record: Record) -> dict[str, str] | None:
    """The attributes of an event as nearly all are: binary, in headers with known names, nothing wrong with it.

    None for everything else, which is then read with care.
    """
    attributes: dict[str, str] = {}
    names = _PLAIN_NAMES
    try:
        for name, value in record.headers:
            attributes[names[name]] = value.decode()  # type: ignore[union-attr]
    except (KeyError, AttributeError, UnicodeDecodeError):
        return None
    if len(attributes) != len(record.headers) or max(map(len, attributes.values()), default=0) > ATTRIBUTE_LIMIT:
        return None
    get = attributes.get
    if not (get("id") and get("source") and get("type")) or get("specversion") != "1.0":
        return None
    if "content-type" in attributes:
        attributes["content-type"] = attributes["content-type"].strip().lower()
        if attributes["content-type"].startswith(STRUCTURED):
            return None
    return attributes


def _decode_carefully(record: Record, topic: str) -> Event[bytes]:
    problems: list[Problem] = []
    attributes: dict[str, str] = {}
    content_type = None
    if len(record.headers) > ATTRIBUTES_LIMIT:
        problems.append(Problem("/headers", f"more than {ATTRIBUTES_LIMIT} headers"))
    elif sum(len(name) + len(value or b"") for name, value in record.headers) > HEADERS_LIMIT:
        problems.append(Problem("/headers", f"headers larger than {HEADERS_LIMIT} bytes"))
    else:
        content_type = _read_headers(record, attributes, problems)
    data = record.value
    if content_type is not None and content_type.startswith(STRUCTURED):
        data, content_type = _read_structured(record, content_type, attributes, problems)
    try:
        key = None if record.key is None else record.key.decode()
    except UnicodeDecodeError:
        key = None
        problems.append(Problem("/key", "the Kafka key is not UTF-8"))
    _check(attributes, problems)
    extensions = {name: value for name, value in attributes.items() if name not in _CORE_ATTRIBUTES}
    return Event(
        id=attributes.get("id", ""),
        source=attributes.get("source", ""),
        type=attributes.get("type", ""),
        subject=attributes.get("subject"),
        time=attributes.get("time"),
        key=key,
        topic=topic,
        data=data,
        extensions=extensions or NO_EXTENSIONS,
        content_type=attributes.get("datacontenttype") or content_type,
        problems=tuple(problems),
        record=record,
    )


def _read_headers(record: Record, attributes: dict[str, str], problems: list[Problem]) -> str | None:
    """Collects ce_ headers into `attributes`; gives the content type."""
    content_type = None
    for name, value in record.headers:
        lower = name.lower()
        if not (lower.startswith("ce_") or lower == "content-type"):
            if not _is_text(name):
                problems.append(Problem("/headers", "a header name is not UTF-8"))
            continue
        try:
            text = (value or b"").decode()
        except UnicodeDecodeError:
            problems.append(Problem(f"/headers/{lower}", "is not UTF-8"))
            continue
        if value is None:
            problems.append(Problem(f"/headers/{lower}", "has no value"))
        elif lower == "content-type":
            content_type = text.strip().lower()
        elif lower[3:] in attributes:
            problems.append(Problem(f"/headers/{lower}", "appears twice"))
        else:
            attributes[lower[3:]] = text
    return content_type


def _read_structured(
    record: Record, content_type: str, attributes: dict[str, str], problems: list[Problem]
) -> tuple[bytes | None, str | None]:
    """Attributes and data of a structured event: one JSON object holds it all, and headers do not count."""
    attributes.clear()
    if not re.fullmatch(r"application/cloudevents\+json *(; *charset *= *\"?utf-8\"?)?", content_type):
        problems.append(Problem("/headers/content-type", "only application/cloudevents+json in UTF-8 can be read"))
        return record.value, content_type
    try:
        envelope = _parse(record.value or b"")
    except (ValueError, RecursionError) as error:
        problems.append(Problem("", f"is not JSON that can be read: {str(error)[:200]}"))
        return record.value, content_type
    if not isinstance(envelope, dict):
        problems.append(Problem("", "is not a JSON object"))
        return record.value, content_type
    data = None
    for name, value in envelope.items():
        if name in ("data", "data_base64") or value is None:
            continue
        if isinstance(value, (dict, list, float)):
            problems.append(Problem(f"/{_shown(name)}", "is not a CloudEvents attribute value"))
            continue
        attributes[name] = str(value).lower() if isinstance(value, bool) else str(value)
    if envelope.get("data") is not None:
        if envelope.get("data_base64") is not None:
            problems.append(Problem("/data_base64", "stands beside data; only one of them may"))
        data = json.dumps(envelope["data"], ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    elif envelope.get("data_base64") is not None:
        try:
            data = base64.b64decode(envelope["data_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            problems.append(Problem("/data_base64", "is not base64"))
    return data, attributes.get("datacontenttype", "application/json")


def _parse(text: bytes) -> Any:
    """JSON as strict as it can be told. Raises ValueError, RecursionError.

    The standard library's parser, because the fast ones keep silent about a key that stands twice.
    """
    return json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_no_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {_shown(next(n for n in names if names.count(n) > 1))!r} appears twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _check(attributes: dict[str, str], problems: list[Problem]) -> None:
    problems.extend(Problem(f"/{name}", "is missing") for name in REQUIRED if not attributes.get(name))
    version = attributes.get("specversion")
    if version is None:
        problems.append(Problem("/specversion", "is missing"))
    elif version not in ("1.0", "1.0.0", "1.0.1", "1.0.2"):
        problems.append(Problem("/specversion", "only CloudEvents 1.0 can be read"))
    for name, value in attributes.items():
        if len(value) > ATTRIBUTE_LIMIT:
            problems.append(Problem(f"/{_shown(name)}", f"is longer than {ATTRIBUTE_LIMIT} characters"))
        if name not in _CORE_ATTRIBUTES and not _EXTENSION_NAME.fullmatch(name):
            problems.append(Problem(f"/{_shown(name)}", "is not an attribute name: a-z and 0-9 only, at most 64"))


def _is_text(name: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in name)


def _shown(name: str) -> str:
    """A name fit to be sent back: bounded, and UTF-8 whatever came in."""
    return name[:80].encode("utf-8", "replace").decode()
