"""Inbox records as CloudEvents in JSON, each with the cursor behind it; nothing but what the record says is added."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import orjson

from services.gateway import cursor
from shared.streaming.log_reader import LogRecord

_JSON = ("application/json", "+json")


def event(record: LogRecord) -> bytes:
    """The event in the structured JSON format, on one line."""
    attributes: dict[str, str] = {}
    content_type = ""
    for name, value in record.headers:
        text = (value or b"").decode("utf-8", "replace")
        if name == "content-type":
            content_type = text
        elif name.startswith("ce_"):
            attributes[name[3:]] = text
    if content_type:
        attributes["datacontenttype"] = content_type
    head = orjson.dumps(attributes)
    if record.value is None:
        return head
    data = _data(record.value, content_type)
    return b"%b%b%b}" % (head[:-1], b"," if attributes else b"", data)


def _data(value: bytes, content_type: str) -> bytes:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.endswith(_JSON):
        try:
            # Read and written again: it is JSON for certain then, and on one line.
            return b'"data":' + orjson.dumps(orjson.loads(value))
        except orjson.JSONDecodeError:
            pass
    return b'"data_base64":"' + base64.b64encode(value) + b'"'


def page(member: str, records: Sequence[LogRecord], next_offset: int, more: bool) -> bytes:
    """The answer to a read."""
    return b'{"events":[%b],"next":"%b","more":%b}' % (
        b",".join(map(event, records)),
        cursor.written(member, next_offset).encode(),
        b"true" if more else b"false",
    )


def stream_message(member: str, record: LogRecord) -> bytes:
    """A message of a stream of server-sent events; its id is the cursor to go on from."""
    return b"id: %b\ndata: %b\n\n" % (cursor.written(member, record.next_offset).encode(), event(record))
