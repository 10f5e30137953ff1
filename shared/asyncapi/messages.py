"""The messages of the AsyncAPI document in binary mode: one for each type, one for its withdrawal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.asyncapi import wording
from shared.asyncapi.schemas import reference
from shared.asyncapi.wording import WITHDRAWAL, both
from shared.contracts.example import Example, load_examples
from shared.contracts.formats import MEMBER_ID
from shared.contracts.generate import Contract

JSON = "application/json"
_LONGEST = 2048  # characters of an attribute

Box = Literal["outbox", "inbox"]
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Carried:
    """A type of message that a member sends (outbox) or receives (inbox)."""

    contract: Contract
    box: Box
    key: str
    """What its Kafka key is, in words."""

    @property
    def type(self) -> str:
        """Of the CloudEvent."""
        return self.contract.name.removesuffix(".draft")

    @property
    def examples(self) -> list[Example]:
        """The valid ones."""
        return [example for example in load_examples(self.contract.name) if example.valid]

    @property
    def withdrawals(self) -> list[Example]:
        """Those without data; a type that has none cannot be withdrawn."""
        return [example for example in self.examples if example.value is None]

    @property
    def event_schema(self) -> str:
        """The name of its schema as a JSON object with attributes and data."""
        return f"{self.contract.model.__name__}Event"


def attributes(carried: Carried) -> JsonObject:
    """The schemas of the CloudEvents attributes, by name."""
    text = {"type": "string", "minLength": 1, "maxLength": _LONGEST}
    schemas: JsonObject = {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {**text, "maxLength": 512},
        "source": {**text, "pattern": f"^/members/{MEMBER_ID.strip('^$')}(/.*)?$"},
        "type": {"type": "string", "const": carried.type},
        "subject": text,
        "time": {"type": "string", "format": "date-time"},
        "dataschema": {"type": "string", "const": f"urn:tongtu:schema:{carried.contract.name}"},
        "partitionkey": text,
        "traceparent": {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    }
    if carried.box == "outbox":
        schemas["recordversion"] = {"type": "string", "pattern": "^[1-9][0-9]*$"}
        schemas["dataschema"] = {"type": "string", "format": "uri"}
        del schemas["partitionkey"], schemas["traceparent"]
    else:
        schemas["source"] = {**text, "pattern": "^/services/[a-z-]+$"}
    for name, schema in schemas.items():
        if (words := wording.ATTRIBUTES.get(f"{carried.box}.{name}")) is not None:
            schemas[name] = {**schema, "description": both(words)}
    return schemas


def required_attributes(carried: Carried) -> list[str]:
    """The names of those that are always there."""
    always = ["specversion", "id", "source", "type"]
    written = [*always, "subject", "time", "dataschema", "partitionkey", "traceparent"]
    return always if carried.box == "outbox" else written


def _headers(carried: Carried, *, data: bool) -> JsonObject:
    properties = {f"ce_{name}": schema for name, schema in attributes(carried).items()}
    required = [f"ce_{name}" for name in required_attributes(carried)]
    if data:
        properties["content-type"] = (
            {"type": "string", "const": JSON} if carried.box == "inbox" else {"type": "string", "default": JSON}
        )
    elif "ce_subject" not in required:
        required.append("ce_subject")
    if carried.box == "inbox" and data:
        required.append("content-type")
    return {"type": "object", "required": required, "properties": properties}


def _binary(carried: Carried, name: str, examples: Sequence[Example]) -> JsonObject:
    data = examples[0].value is not None
    purpose = " ".join((carried.contract.model.__doc__ or "").split())
    title = wording.TITLES.get(name)
    keys = list(dict.fromkeys(example.key for example in examples if example.key))
    told = {"summary": purpose, "contentType": JSON} if data else {"description": both(wording.NULL)}
    return {
        "name": carried.type,
        "title": both(title) if title else purpose.partition(".")[0],
        **told,
        "headers": _headers(carried, data=data),
        "payload": reference(carried.contract.model.__name__) if data else {"type": "null"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": carried.key, "examples": keys},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [
            {
                "name": example.name.removeprefix("valid-"),
                "summary": example.expect,
                "headers": dict(example.headers),
                "payload": example.value,
            }
            for example in examples
        ],
    }


def binary_messages(carried: Carried) -> Iterator[tuple[str, JsonObject]]:
    """The message of a type, and that of its withdrawal where it can be withdrawn, each with its name."""
    withdrawal = f"{carried.type}{WITHDRAWAL}"
    yield carried.type, _binary(carried, carried.type, [each for each in carried.examples if each.value is not None])
    if carried.withdrawals:
        yield withdrawal, _binary(carried, withdrawal, carried.withdrawals)
