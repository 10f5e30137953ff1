"""How a contract model reads: the frozen base classes, open enumerations, unknown fields."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from operator import is_
from typing import Annotated, Any, ClassVar, Self, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

DEEPEST = 20
"""Levels of arrays and objects in a field that nobody knows."""
LONGEST_NAME = 128
"""Characters of its name, and of the names in it."""
LONGEST_ENUM_VALUE = 64
"""Characters; an enumeration value longer than this is not one of a future version."""


def refuse(code: str, message: str, /, **context: Any) -> PydanticCustomError:
    """The error of a rule of ours; `code` is the key to its wording in other languages (problems.py)."""
    # The type asks for a literal, so that templates stay constant; the callers pass constants.
    return PydanticCustomError(cast(Any, code), cast(Any, message), context or None)


def _check_names(names: Iterable[str]) -> None:
    if any(len(name) > LONGEST_NAME or "\0" in name for name in names):
        raise refuse("unknown_name", "has a field whose name is longer than 128 characters or holds a null character")


def _keepable(value: Any, depth: int = 1) -> Any:
    """Refuses what JSON allows and a database or another reader cannot hold."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise refuse("unknown_number", "holds a whole number of more than 64 bits")
    if isinstance(value, dict | list):
        if depth > DEEPEST:
            raise refuse("unknown_depth", "is nested more than 20 levels deep")
        entries = cast("dict[str, Any] | list[Any]", value)
        if isinstance(entries, dict):
            _check_names(entries)
        for entry in entries.values() if isinstance(entries, dict) else entries:
            _keepable(entry, depth + 1)
    return value


class Value(BaseModel):
    """A part of a record. Frozen; fields that this version does not know are carried along."""

    # How pydantic wants it annotated to check such fields; the base class declares it as possibly None.
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_keepable)]] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    @model_validator(mode="after")
    def _keepable_names(self) -> Self:
        if self.__pydantic_extra__:
            _check_names(self.__pydantic_extra__)
        return self


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

    @model_validator(mode="after")
    def _drop_unknown_fields(self) -> Self:
        for name in _fields_with_models(type(self)):
            value = getattr(self, name)
            kept = without_unknown_fields(value)
            if kept is not value:
                object.__setattr__(self, name, kept)  # it is frozen
        return self


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


def without_unknown_fields(value: Any) -> Any:
    """Every model in the value reduced to the fields that its class declares; the value itself where none has more."""
    if isinstance(value, BaseModel):
        parts = {name: getattr(value, name) for name in _fields_with_models(type(value))}
        if not parts and not value.model_extra:
            return value
        kept = {name: without_unknown_fields(part) for name, part in parts.items()}
        if not value.model_extra and all(kept[name] is part for name, part in parts.items()):
            return value
        declared = type(value).model_fields
        kept = {name: getattr(value, name) for name in declared} | kept
        return value.model_construct(_fields_set=value.model_fields_set & declared.keys(), **kept)
    if isinstance(value, tuple):
        items = cast(tuple[Any, ...], value)
        reduced = tuple(map(without_unknown_fields, items))
        return items if all(map(is_, reduced, items)) else reduced
    return value


def unknown_fields(value: Any, pointer: str = "") -> Iterator[str]:
    """JSON pointers (RFC 6901) of the fields that were read but that no class declares."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{pointer}/{escaped(name)}"
        for name in _fields_with_models(type(value)):
            yield from unknown_fields(getattr(value, name), f"{pointer}/{escaped(name)}")
    elif isinstance(value, tuple):
        for position, item in enumerate(cast(tuple[Any, ...], value)):
            yield from unknown_fields(item, f"{pointer}/{position}")


@cache
def _fields_with_models(model: type[BaseModel]) -> tuple[str, ...]:
    """The declared fields that can hold models: most hold scalars, and to look into each costs."""
    return tuple(name for name, field in model.model_fields.items() if _can_hold_models(field.annotation))


def _can_hold_models(annotation: Any) -> bool:
    inner = get_args(annotation)
    if inner:
        return any(map(_can_hold_models, inner))
    return annotation is Any or (isinstance(annotation, type) and issubclass(annotation, BaseModel))


def escaped(name: str) -> str:
    """One segment of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
