"""The compatibility check sees each change that would break a reader or a writer, and lets the others pass."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from shared.contracts.base import OpenEnum
from shared.contracts.compatibility import Direction, breaks


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"
    OTHER = "other"


class FewerColours(StrEnum):
    RED = "red"
    OTHER = "other"


class MoreColours(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"
    OTHER = "other"


class Part(BaseModel):
    name: Annotated[str, Field(max_length=10)]
    weight: float | None = None


class HeavyPart(Part):
    weight: float  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


class Round(BaseModel):
    form: Literal["round"]
    radius: float


class Square(BaseModel):
    form: Literal["square"]
    side: float


Fields = dict[str, Any]
RELEASED: Fields = {
    "id": (Annotated[str, Field(pattern="^[a-z]+$")], ...),
    "title": (Annotated[str, Field(min_length=1, max_length=100)], ...),
    "level": (Annotated[int | None, Field(ge=1, le=9)], None),
    "share": (float, 0.5),
    "colour": (Colour, ...),
    "open_colour": (Annotated[Colour, OpenEnum(Colour.OTHER)], ...),
    "parts": (Annotated[tuple[Part, ...], Field(max_length=5)], ()),
    "names": (dict[str, Annotated[str, Field(max_length=20)]], Field(default_factory=dict)),
    "form": (Annotated[Round | Square, Field(discriminator="form")], ...),
}


def schema(fields: Fields, *, closed: bool = False) -> dict[str, Any]:
    extra = "forbid" if closed else "allow"
    return create_model("Record", __config__=ConfigDict(extra=extra), **fields).model_json_schema()


def with_field(name: str, definition: Any) -> Fields:
    return {**RELEASED, name: definition}


def without(name: str) -> Fields:
    return {other: definition for other, definition in RELEASED.items() if other != name}


def title(min_length: int = 1, max_length: int = 100) -> Fields:
    return with_field("title", (Annotated[str, Field(min_length=min_length, max_length=max_length)], ...))


BREAKS_BOTH: dict[str, tuple[Fields, str]] = {
    "field removed": (without("level"), "/level"),
    "required field removed": (without("colour"), "/colour"),
    "field renamed": ({**without("title"), "name": RELEASED["title"]}, "/title"),
    "type changed": (with_field("share", (str, "0.5")), "/share"),
    "pattern changed": (with_field("id", (Annotated[str, Field(pattern="^[a-z0-9]+$")], ...)), "/id"),
    "default changed": (with_field("share", (float, 0.9)), "/share"),
    "one thing where there were several": (with_field("parts", (Part | None, None)), "/parts"),
    "another field of an entry removed": (
        with_field("parts", (Annotated[tuple[create_model("Part", name=(str, ...)), ...], Field(max_length=5)], ())),
        "/parts/*/weight",
    ),
}

BREAKS_READING: dict[str, tuple[Fields, str]] = {
    "new required field": (with_field("owner", (str, ...)), "/owner"),
    "optional field required": (with_field("level", (Annotated[int, Field(ge=1, le=9)], ...)), "/level"),
    "null no longer taken": (with_field("level", (Annotated[int, Field(ge=1, le=9)], 1)), "/level"),
    "shorter text": (title(max_length=50), "/title"),
    "longer minimum": (title(min_length=3), "/title"),
    "smaller maximum": (with_field("level", (Annotated[int | None, Field(ge=1, le=7)], None)), "/level"),
    "fewer entries": (with_field("parts", (Annotated[tuple[Part, ...], Field(max_length=4)], ())), "/parts"),
    "value gone from an enumeration": (with_field("colour", (FewerColours, ...)), "/colour"),
    "value gone from an open enumeration": (
        with_field("open_colour", (Annotated[FewerColours, OpenEnum(FewerColours.OTHER)], ...)),
        "/open_colour",
    ),
    "number must be whole": (with_field("share", (int, ...)), "/share"),
    "field of an entry required": (
        with_field("parts", (Annotated[tuple[HeavyPart, ...], Field(max_length=5)], ())),
        "/parts/*/weight",
    ),
    "shorter text in a map": (
        with_field("names", (dict[str, Annotated[str, Field(max_length=5)]], Field(default_factory=dict))),
        "/names/*",
    ),
    "alternative gone": (with_field("form", (Round, ...)), "/form"),
}

BREAKS_WRITING: dict[str, tuple[Fields, str]] = {
    "required field optional": (title() | {"colour": (Colour | None, None)}, "/colour"),
    "longer text": (title(max_length=200), "/title"),
    "larger maximum": (with_field("level", (Annotated[int | None, Field(ge=1, le=12)], None)), "/level"),
    "more entries": (with_field("parts", (Annotated[tuple[Part, ...], Field(max_length=9)], ())), "/parts"),
    "further value in a closed enumeration": (with_field("colour", (MoreColours, ...)), "/colour"),
    "limit gone": (with_field("title", (str, ...)), "/title"),
}

BREAKS_NOTHING: dict[str, Fields] = {
    "nothing changed": RELEASED,
    "new optional field": with_field("note", (str | None, None)),
    "further value in an open enumeration": with_field(
        "open_colour", (Annotated[MoreColours, OpenEnum(MoreColours.OTHER)], ...)
    ),
    "described": with_field("title", (Annotated[str, Field(min_length=1, max_length=100, description="New.")], ...)),
    "other order": dict(reversed(RELEASED.items())),
}


@pytest.mark.parametrize("change", BREAKS_BOTH)
@pytest.mark.parametrize("direction", ["reading", "writing"])
def test_change_that_breaks_readers_and_writers_is_seen(change: str, direction: Direction) -> None:
    fields, place = BREAKS_BOTH[change]
    found = breaks(schema(RELEASED), schema(fields), direction)
    assert any(problem.startswith(f"{place}:") for problem in found), found


@pytest.mark.parametrize("change", BREAKS_READING)
def test_change_that_breaks_reading_what_was_written_is_seen(change: str) -> None:
    fields, place = BREAKS_READING[change]
    found = breaks(schema(RELEASED), schema(fields), "reading")
    assert any(problem.startswith((f"{place}:", f"{place}/")) for problem in found), found


@pytest.mark.parametrize("change", BREAKS_WRITING)
def test_change_that_breaks_those_who_read_what_is_written_is_seen(change: str) -> None:
    fields, place = BREAKS_WRITING[change]
    found = breaks(schema(RELEASED), schema(fields), "writing")
    assert any(problem.startswith(f"{place}:") for problem in found), found


@pytest.mark.parametrize("change", BREAKS_NOTHING)
@pytest.mark.parametrize("direction", ["reading", "writing"])
def test_change_that_breaks_nobody_passes(change: str, direction: Direction) -> None:
    assert breaks(schema(RELEASED), schema(BREAKS_NOTHING[change]), direction) == []


@pytest.mark.parametrize("widening", [change for change in BREAKS_WRITING if change != "required field optional"])
def test_input_may_be_widened(widening: str) -> None:
    assert breaks(schema(RELEASED), schema(BREAKS_WRITING[widening][0]), "reading") == []


def test_fields_that_are_not_declared_stay_allowed() -> None:
    assert breaks(schema(RELEASED), schema(RELEASED, closed=True), "reading") == [
        ": fields that are not declared are no longer allowed"
    ]


def test_each_break_is_told_once_and_says_where() -> None:
    part: Fields = {"name": (Annotated[str, Field(max_length=3)], ...), "weight": (float | None, None)}
    shorter = with_field("parts", (Annotated[tuple[create_model("Part", **part), ...], Field(max_length=5)], ()))
    found = breaks(schema(RELEASED), schema(shorter), "reading")
    assert found == ["/parts/*/name: maxLength 10 is written and 3 is read"]
