"""Brings a file's fields to those of a record: by their names, by --map, and from text to what the contract wants."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import orjson

from shared.contracts.base import Draft

_SEPARATORS = re.compile(r"\s*[;；]\s*")
Schema = Mapping[str, Any]


class MappingError(ValueError):
    """--map does not say what it must; the text says why."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """`to` is a path in the record; its value is the file's field `source`, or always the text `literal`."""

    to: tuple[str, ...]
    source: str
    literal: str | None = None


class FieldMapping:
    """How each line becomes a record of one kind. Counts the fields that go nowhere."""

    def __init__(self, model: type[Draft], assignments: Sequence[str], from_text: bool) -> None:
        """`from_text`: values are text, as in CSV, to be read as what the record's field is. Raises MappingError."""
        self._schema = model.model_json_schema(mode="validation")
        self._definitions: Schema = self._schema.get("$defs", {})
        self._from_text = from_text
        self._assignments = [self._parse(text) for text in assignments]
        self._sources = {each.source for each in self._assignments}
        self._of_name: dict[str, tuple[tuple[str, ...], Schema] | None] = {}
        self.left_out: Counter[str] = Counter()
        """Fields of the file that the record does not have and that no --map takes."""
        self.found: set[str] = set()
        """Sources of assignments that occurred."""

    @property
    def missing(self) -> list[str]:
        """Sources that no line had."""
        wanted = {each.source for each in self._assignments if each.literal is None}
        return sorted(wanted - self.found)

    def record(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The record of a line. Raises MappingError if it has no id, without which nothing can be said about it."""
        record: dict[str, Any] = {}
        for name, value in fields.items():
            place = self._place(name)
            if place is not None:
                _put(record, place[0], self._value(value, place[1]))
            elif name not in self._sources:
                self.left_out[name] += 1
        for each in self._assignments:
            value = each.literal if each.literal is not None else _get(fields, each.source)
            if value is not None:
                self.found.add(each.source)
                schema = self._schema_at(each.to) or {}
                _put(record, each.to, self._convert(value, schema) if each.literal else self._value(value, schema))
        if record.get("id") in (None, ""):
            raise MappingError("has no id: give it with --map id=FIELD")
        return record

    def _parse(self, text: str) -> Assignment:
        to, equals, source = text.partition("=")
        path = tuple(to.strip().split("."))
        if not equals or not to.strip() or not source.strip():
            raise MappingError(f"{text} is not TO=FROM: left a field of the record, right one of the file")
        if self._schema_at(path) is None:
            known = list(self._schema["properties"])
            near = get_close_matches(path[0], known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise MappingError(f"a record has no field {to.strip()}: {hint}")
        if source.startswith("="):
            return Assignment(path, "", source[1:])
        return Assignment(path, source.strip())

    def _place(self, name: str) -> tuple[tuple[str, ...], Schema] | None:
        """Where a field of that name belongs by itself; `trl.level` is a path."""
        if name not in self._of_name:
            path = tuple(name.split("."))
            schema = self._schema_at(path)
            self._of_name[name] = None if schema is None else (path, schema)
        return self._of_name[name]

    def _schema_at(self, path: Sequence[str]) -> Schema | None:
        schema = self._schema
        for name in path:
            properties = self._resolved(schema).get("properties", {})
            if name not in properties:
                return None
            schema = properties[name]
        return self._resolved(schema)

    def _resolved(self, schema: Schema) -> Schema:
        """The schema behind a reference, or the one beside null."""
        while True:
            if "$ref" in schema:
                schema = self._definitions[schema["$ref"].rpartition("/")[2]]
            elif "anyOf" in schema and (others := [each for each in schema["anyOf"] if each.get("type") != "null"]):
                if len(others) > 1:
                    return schema
                schema = others[0]
            else:
                return schema

    def _value(self, value: Any, schema: Schema) -> Any:
        return self._convert(value, schema) if self._from_text and isinstance(value, str) else value

    def _convert(self, text: str, schema: Schema) -> Any:
        """Text as what the field wants. What does not fit stays text: intake says what is wrong, once and for all."""
        kind = schema.get("type")
        stripped = text.strip()
        if kind in ("object", "array") and stripped[:1] in ("{", "["):
            try:
                return orjson.loads(stripped)
            except orjson.JSONDecodeError:
                return text
        if kind == "array":
            return [part for part in _SEPARATORS.split(stripped) if part]
        if kind == "integer" and re.fullmatch(r"[+-]?\d{1,18}", stripped):
            return int(stripped)
        return text


def _get(fields: Mapping[str, Any], name: str) -> Any:
    """The field of that name; `organisation.name` also reaches into objects."""
    if name in fields:
        return fields[name]
    value: Any = fields
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _put(record: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        inner = record.get(name)
        if not isinstance(inner, dict):
            inner = record[name] = {}
        record = inner
    record[path[-1]] = value
