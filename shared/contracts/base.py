"""How a contract model reads: the frozen base classes, open enumerations, unknown fields."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LONGEST_ENUM_VALUE = 64
"""Characters; an enumeration value longer than this is not one of a future version."""


class Value(BaseModel):
    """A part of a record. Frozen; fields that this version does not know are carried along."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)


class EventData(Value):
    """What an event of the platform carries: `topic` and `type` say where and what, `key` is its Kafka key."""

    topic: ClassVar[str]
    type: ClassVar[str]

    @property
    def key(self) -> str:
        """The Kafka key, which is also the subject of the event."""
        raise NotImplementedError


class Draft(Value):
    """What a member writes: exact about values; fields that are not known are kept and warned about."""

    topic: ClassVar[str] = "member.{member}.outbox"
    type: ClassVar[str]


class InboxMessage(BaseModel):
    """What a member finds in its inbox: declared fields only, at every depth, so nothing unknown gets out."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True, use_attribute_docstrings=True)
    topic: ClassVar[str] = "member.{member}.inbox"
    type: ClassVar[str]

    @property
    def key(self) -> str:
        """The Kafka key: the subject of the message, always something that the reader knows already."""
        raise NotImplementedError

    @classmethod
    def topic_of(cls, member: str) -> str:
        """The inbox topic of that member."""
        return cls.topic.format(member=member)

    @field_validator("*", mode="after")
    @classmethod
    def _drop_unknown_fields(cls, value: Any) -> Any:
        return without_unknown_fields(value)


class OpenEnum:
    """Annotation for an enumeration as a reader takes it: a value of a later version reads as `fallback`."""

    def __init__(self, fallback: StrEnum) -> None:
        self.fallback = fallback
        self.known = frozenset(type(fallback))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "maxLength": LONGEST_ENUM_VALUE,
            "x-known-values": [str(value) for value in type(self.fallback)],
            "x-unknown-reads-as": str(self.fallback),
        }

    def _read(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) <= LONGEST_ENUM_VALUE and value not in self.known:
            return self.fallback
        return value


def refuse(code: str, message: str, /, **context: Any) -> PydanticCustomError:
    """The error of a rule of ours; `code` is the key to its wording in other languages (problems.py)."""
    # The type asks for a literal, so that templates stay constant; the callers pass constants.
    return PydanticCustomError(cast(Any, code), cast(Any, message), context or None)


def without_unknown_fields(value: Any) -> Any:
    """The same value, every model in it reduced to the fields that its class declares."""
    if isinstance(value, BaseModel):
        declared = type(value).model_fields
        kept = {name: without_unknown_fields(getattr(value, name)) for name in declared}
        return value.model_construct(_fields_set=value.model_fields_set & declared.keys(), **kept)
    if isinstance(value, tuple):
        return tuple(without_unknown_fields(item) for item in cast(tuple[Any, ...], value))
    return value


def unknown_fields(value: Any, pointer: str = "") -> Iterator[str]:
    """JSON pointers (RFC 6901) of the fields that were read but that no class declares."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{pointer}/{escaped(name)}"
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{pointer}/{escaped(name)}")
    elif isinstance(value, tuple):
        for position, item in enumerate(cast(tuple[Any, ...], value)):
            yield from unknown_fields(item, f"{pointer}/{position}")


def escaped(name: str) -> str:
    """One segment of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
