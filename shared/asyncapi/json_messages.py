"""The messages of the AsyncAPI document that are JSON objects: CloudEvents in structured and batched mode, webhooks."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence

from shared.asyncapi import wording
from shared.asyncapi.messages import JSON, Carried, JsonObject, attributes, required_attributes
from shared.asyncapi.schemas import reference
from shared.asyncapi.wording import both
from shared.contracts.example import Example
from shared.contracts.problems import Wording

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
MOST_BATCHED = 100
EXAMPLE_SECRET = "whsec_" + base64.b64encode(b"a secret for examples, not used!").decode()
KAFKA_ONLY = ("subject", "partitionkey", "traceparent")
"""Attributes that every inbox record has, and not every JSON object that tells of it."""
_EXAMPLE_TIMESTAMP = 1_773_304_200


def event_schema(carried: Carried) -> JsonObject:
    """A type as one JSON object."""
    data: JsonObject = reference(carried.contract.model.__name__)
    schema: JsonObject = {
        "type": "object",
        "required": [*(name for name in required_attributes(carried) if name not in KAFKA_ONLY), "data"],
        "properties": {**attributes(carried), "datacontenttype": {"type": "string", "const": JSON}, "data": data},
    }
    if carried.withdrawals:
        schema["required"].remove("data")
        schema["properties"]["data"] = {"anyOf": [data, {"type": "null"}]}
        schema["anyOf"] = [{"required": ["data"], "properties": {"data": data}}, {"required": ["subject"]}]
    return schema


def as_event(example: Example) -> JsonObject:
    """An example as one JSON object."""
    event: JsonObject = {name[3:]: value for name, value in example.headers.items() if name.startswith("ce_")}
    if example.value is not None:
        event |= {"datacontenttype": example.headers["content-type"], "data": example.value}
    return event


def _examples(carried: Sequence[Carried], names: Sequence[str]) -> list[tuple[str, Example]]:
    """Those of each type that have one of these names, and all withdrawals, each with a name of its own."""
    return [
        (f"{each.type}-{example.name.removeprefix('valid-')}", example)
        for each in carried
        for example in each.examples
        if example.name in names or example.value is None
    ]


def _content_type(value: str) -> JsonObject:
    return {
        "type": "object",
        "required": ["content-type"],
        "properties": {"content-type": {"type": "string", "const": value}},
    }


def structured(carried: Sequence[Carried], title: Wording, schema: str, *names: str) -> JsonObject:
    """Any of these types as one JSON object."""
    return {
        "name": STRUCTURED,
        "title": both(title),
        "contentType": STRUCTURED,
        "headers": _content_type(STRUCTURED),
        "payload": reference(schema),
        "examples": [
            {
                "name": name,
                "summary": example.expect,
                "headers": {"content-type": STRUCTURED},
                "payload": as_event(example),
            }
            for name, example in _examples(carried, names)
        ],
    }


def batch(carried: Sequence[Carried], schema: str) -> JsonObject:
    """Several of these types at once."""
    events = [as_event(example) for _, example in _examples(carried, ("valid-zh",))]
    return {
        "name": BATCHED,
        "title": both(wording.BATCH),
        "contentType": BATCHED,
        "headers": _content_type(BATCHED),
        "payload": {"type": "array", "maxItems": MOST_BATCHED, "items": reference(schema)},
        "examples": [{"name": "two", "headers": {"content-type": BATCHED}, "payload": events[:2]}],
    }


def page(carried: Sequence[Carried], schema: str) -> JsonObject:
    """What the gateway answers to who reads the inbox."""
    events = [as_event(example) for _, example in _examples(carried, ("valid-en",))]
    return {
        "name": "page",
        "title": both(wording.PAGE),
        "contentType": JSON,
        "payload": {
            "type": "object",
            "required": ["events", "next", "more"],
            "properties": {
                "events": {"type": "array", "items": reference(schema)},
                "next": {"type": "string", "description": both(wording.NEXT)},
                "more": {"type": "boolean", "description": both(wording.MORE)},
            },
        },
        "examples": [{"name": "two", "payload": {"events": events[:2], "next": "AAAAAAAAAAAAAAAC", "more": False}}],
    }


def signature(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """A webhook's, as Standard Webhooks has it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, b"%b.%d.%b" % (identifier.encode(), timestamp, body), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def webhook(carried: Sequence[Carried], schema: str) -> JsonObject:
    """Any of these types as one JSON object, signed."""
    message = structured(carried, wording.WEBHOOK, schema, "valid-en")
    words: Mapping[str, JsonObject] = {
        "content-type": {"type": "string", "pattern": f"^{re.escape(STRUCTURED)}(; *charset=utf-8)?$"},
        "webhook-id": {"type": "string", "description": both(wording.WEBHOOK_ID)},
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$", "description": both(wording.WEBHOOK_TIMESTAMP)},
        "webhook-signature": {
            "type": "string",
            "pattern": "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$",
            "description": both(wording.WEBHOOK_SIGNATURE),
        },
    }
    message["headers"]["properties"] |= words
    message["headers"]["required"] = [*words]
    for example in message["examples"]:
        event = {name: value for name, value in example["payload"].items() if name not in KAFKA_ONLY[1:]}
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        example["payload"] = event
        example["headers"] = {
            "content-type": f"{STRUCTURED}; charset=utf-8",
            "webhook-id": event["id"],
            "webhook-timestamp": str(_EXAMPLE_TIMESTAMP),
            "webhook-signature": signature(EXAMPLE_SECRET, event["id"], _EXAMPLE_TIMESTAMP, body),
        }
    return message
