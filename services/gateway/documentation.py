"""What the OpenAPI document says beside the code: words, examples in Chinese and English, and every answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.gateway.envelope import Fault
from services.gateway.problems import KINDS, Problem
from shared.contracts.example import load_examples
from shared.contracts.problems import Language

DESCRIPTION = """\
Members send CloudEvents and read their inbox over HTTP; no client of the platform's own is needed.
成员通过 HTTP 发送 CloudEvents 并读取收件箱，无需专用客户端。

**Sending 发送**: the HTTP binding of any CloudEvents SDK: binary, structured, batched. 202 means that the event is in
the log, on all replicas; whether it is in order is told in the inbox, by a receipt or a rejection. Who got no
answer, or 503, sends the same event again with the same `id`: it is taken once.
202 表示事件已写入平台日志的全部副本；内容是否符合要求，由收件箱中的回执或退回消息告知。未收到应答或收到 503 时，
请用相同的 `id` 重发：只会被接收一次。

**Reading 读取**: by cursor, or as server-sent events. A cursor is opaque; keep the last one and go on from it.
Messages are kept for 30 days. 请保存最近的游标并从该处继续；消息保留 30 天。

Errors are problem details (RFC 9457), in the language of `Accept-Language` (zh, en).
错误采用 RFC 9457 格式，语言由 `Accept-Language` 决定。
"""

JsonObject = dict[str, Any]

_ATTRIBUTE: JsonObject = {"type": "string", "minLength": 1, "maxLength": 2048}
SCHEMAS: Mapping[str, JsonObject] = {
    "Event": {
        "type": "object",
        "description": "A CloudEvent 1.0 in JSON. Its data is described by the JSON Schema of its type.",
        "required": ["specversion", "id", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**_ATTRIBUTE, "description": "Yours; the same id from the same source is taken once."},
            "source": {**_ATTRIBUTE, "description": "/members/<your id> or below it; may be left out when sending."},
            "type": {**_ATTRIBUTE, "examples": ["tongtu.technology.submitted.v1"]},
            "subject": {**_ATTRIBUTE, "description": "The record's id; needed where there is no data: withdrawn."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": _ATTRIBUTE,
            "dataschema": {"type": "string", "format": "uri"},
            "partitionkey": _ATTRIBUTE,
            "recordversion": {**_ATTRIBUTE, "description": "The record's version, where the data does not say it."},
            "data": {"description": "The record."},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
        "patternProperties": {"^[a-z0-9]{1,64}$": {}},
        "additionalProperties": False,
    },
    "Accepted": {
        "type": "object",
        "required": ["events"],
        "properties": {"events": {"type": "array", "items": {"$ref": "#/components/schemas/Fate"}}},
    },
    "Fate": {
        "type": "object",
        "description": "What became of one event; they come in the order in which they were sent.",
        "required": ["id", "source", "status"],
        "properties": {
            "id": {"type": "string"},
            "source": {"type": "string"},
            "status": {"enum": ["accepted", "unknown"]},
        },
    },
    "Page": {
        "type": "object",
        "required": ["events", "next", "more"],
        "properties": {
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
            "next": {"type": "string", "description": "The cursor to go on from, also where there are no events."},
            "more": {"type": "boolean", "description": "Whether more is there already."},
        },
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "description": "Every wrong field at once, at most 50.",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "message"],
                    "properties": {
                        "pointer": {"type": "string", "description": "RFC 6901; begins with the index in a batch."},
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/Fate"}},
            "next": {"type": "string", "description": "Where to go on, when a cursor has expired."},
        },
    },
}
SECURITY_SCHEMES: JsonObject = {
    "token": {"type": "http", "scheme": "bearer", "description": "From `tongtu members add` or `rotate`."}
}


def _sent(name: str) -> JsonObject:
    """An event as a member sends it, from the contract's own examples."""
    contract, _, example = name.rpartition("/")
    found = next(each for each in load_examples(contract) if each.name == example)
    attributes = {key[3:]: text for key, text in found.headers.items() if key in ("ce_specversion", "ce_id", "ce_type")}
    return {**attributes, "data": found.value}


def _request() -> JsonObject:
    zh, en = _sent("tongtu.technology.submitted.v1.draft/valid-zh"), _sent("tongtu.demand.posted.v1.draft/valid-en")
    one = {"zh": {"summary": "发布技术", "value": zh}, "en": {"summary": "Post a demand", "value": en}}
    event, data = {"$ref": "#/components/schemas/Event"}, {"description": "The record. Attributes are headers: ce-id."}
    return {
        "required": True,
        "description": "Binary mode is told by `ce-` headers, the others by Content-Type.",
        "content": {
            "application/cloudevents+json": {"schema": event, "examples": one},
            "application/cloudevents-batch+json": {
                "schema": {"type": "array", "items": event, "maxItems": 100},
                "examples": {"both": {"summary": "Two at once 一次两条", "value": [zh, en]}},
            },
            "application/json": {
                "schema": data,
                "examples": {"zh": {"value": zh["data"]}, "en": {"value": en["data"]}},
            },
        },
    }


def _header(name: str, words: str, example: str) -> JsonObject:
    schema = {"type": "string", "maxLength": 2048, "pattern": "^[!-~]*$"}
    return {"name": name, "in": "header", "required": False, "description": words, "schema": schema, "example": example}


_LANGUAGE = _header("Accept-Language", "Language of problems: zh or en; both where neither is named.", "zh")
_BINARY = [
    _header("ce-specversion", "Binary mode: 1.0", "1.0"),
    _header("ce-id", "Binary mode: the event's id.", "2026-0001"),
    _header("ce-type", "Binary mode: the event's type.", "tongtu.technology.submitted.v1"),
    _header("ce-source", "Binary mode: may be left out.", "/members/example-materials"),
    _header("ce-subject", "Binary mode: the record's id; needed to withdraw it, with an empty body.", "coating-17"),
]


def _problem(kind: str, language: Language) -> JsonObject:
    errors = [Fault("/source", "envelope", "is missing").said(language)] if kind == "invalid-envelope" else []
    context = {"event": 1048576, "batch": 4194304, "events": 100, "most": 5}
    return json.loads(bytes(Problem(kind, errors, context=context).response(language).body))


def _problems(*kinds: str) -> JsonObject:
    by_status: dict[str, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(str(KINDS[kind].status), []).append(kind)
    return {
        status: {
            "description": " · ".join(f"{KINDS[kind].title.en} {KINDS[kind].title.zh}" for kind in of_status),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        f"{kind}-{language}": {"value": _problem(kind, language)}
                        for kind in of_status
                        for language in _LANGUAGES
                    },
                }
            },
        }
        for status, of_status in by_status.items()
    }


_LANGUAGES: Sequence[Language] = ("zh", "en")
_ALWAYS = ("unauthenticated", "timeout", "too-many-requests", "header-too-large", "malformed-request", "unavailable")


def submit() -> JsonObject:
    """POST /v1/events."""
    return {
        "summary": "Send events 发送",
        "operationId": "submit",
        "security": [{"token": []}],
        "parameters": [*_BINARY, _LANGUAGE],
        "requestBody": _request(),
        "responses": {
            "202": {
                "description": "Kafka has them, on all replicas 已写入日志",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}},
            },
            **_problems(
                *_ALWAYS,
                "invalid-envelope",
                "foreign-source",
                "too-large",
                "unsupported-encoding",
                "unsupported-media-type",
                "not-acknowledged",
            ),
        },
    }


def read() -> JsonObject:
    """GET /v1/inbox."""
    return {
        "security": [{"token": []}],
        "parameters": [_LANGUAGE],
        "responses": {
            "200": {
                "description": "Messages in order, none where there is nothing new 按顺序的消息",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
            },
            **_problems(*_ALWAYS, "invalid-request", "cursor-expired", "unsupported-encoding", "too-many-streams"),
        },
    }


def stream() -> JsonObject:
    """GET /v1/inbox/stream."""
    document = read()
    document["parameters"] = [_LANGUAGE, _header("Last-Event-ID", "The cursor to go on from.", "AAAAAAAAAAAAAAAA")]
    document["responses"]["200"] = {
        "description": "Server-sent events: `id` is the cursor, `data` the event in JSON 服务器推送",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
    return document
