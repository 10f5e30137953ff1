"""Whether a schema may replace a released one: what the change would break, for whoever reads and whoever writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Schema = Mapping[str, Any]
Direction = Literal["reading", "writing"]
"""reading: the new version reads what was written by the old; writing: the old version reads what the new writes."""

_UPPER_LIMITS = ("maximum", "maxLength", "maxItems", "maxProperties")
_LOWER_LIMITS = ("minimum", "minLength", "minItems", "minProperties")
_TO_BE_EQUAL = ("pattern", "format", "propertyNames", "patternProperties", "uniqueItems", "multipleOf")


def breaks(released: Schema, new: Schema, direction: Direction) -> list[str]:
    """What the new schema breaks, each with the place of the field (* for any entry); empty if it breaks nothing.

    Compares the part of JSON Schema 2020-12 that pydantic writes: types, enumerations, limits, patterns, required
    and removed fields, arrays, maps and alternatives. A pattern that changes always counts. Rules that join two
    fields stand in no schema and are not seen here.
    """
    if direction == "reading":
        return list(_Comparison(released, new, released_writes=True).at("", released, new))
    return list(_Comparison(new, released, released_writes=False).at("", new, released))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Can the reader take all that the writer may write? Fields count as removed if only the released side has them."""

    writer: Schema
    reader: Schema
    released_writes: bool

    def at(self, place: str, writer: Schema, reader: Schema) -> Iterator[str]:
        """What breaks at one place of the document and below."""
        written, readable = _alternatives(writer, self.writer), _alternatives(reader, self.reader)
        for alternative in written:
            # The reader takes it if one of its alternatives does; otherwise the nearest one tells best why not.
            yield from min((list(self._alternative(place, alternative, other)) for other in readable), key=len)

    def _alternative(self, place: str, writer: Schema, reader: Schema) -> Iterator[str]:
        yield from _types(place, writer, reader)
        yield from _values(place, writer, reader)
        yield from _limits(place, writer, reader)
        yield from self._known_values(place, writer, reader)
        yield from self._fields(place, writer, reader)
        for keyword in ("items", "additionalProperties"):
            entries = writer.get(keyword), reader.get(keyword)
            if isinstance(entries[0], Mapping) and isinstance(entries[1], Mapping):
                yield from self.at(f"{place}/*", entries[0], entries[1])
            elif entries[0] is not False and entries[1] is False:
                yield f"{place}: fields that are not declared are no longer allowed"
        if "default" in writer and "default" in reader and writer["default"] != reader["default"]:
            yield f"{place}: absent means {reader['default']!r} to the reader and {writer['default']!r} to the writer"

    def _known_values(self, place: str, writer: Schema, reader: Schema) -> Iterator[str]:
        # Of an open enumeration; a further value reads as the fallback, a missing one takes meaning from old records.
        if self.released_writes and (lost := _known(writer) - _known(reader)) and "enum" not in reader:
            yield f"{place}: no longer known: {', '.join(sorted(lost))}"

    def _fields(self, place: str, writer: Schema, reader: Schema) -> Iterator[str]:
        written, readable = writer.get("properties", {}), reader.get("properties", {})
        for name in reader.get("required", ()):
            if name not in writer.get("required", ()):
                yield f"{place}/{name}: is required by the reader and not always written"
        released, new = (written, readable) if self.released_writes else (readable, written)
        for name in released:
            if name not in new:
                yield f"{place}/{name}: was removed or renamed"
        for name in written:
            if name in readable:
                yield from self.at(f"{place}/{name}", written[name], readable[name])


def _types(place: str, writer: Schema, reader: Schema) -> Iterator[str]:
    taken = reader.get("type")
    written = writer.get("type")
    if taken is not None and written != taken and (written, taken) != ("integer", "number"):
        yield f"{place}: is written as {written or 'anything'} and read as {taken}"


def _values(place: str, writer: Schema, reader: Schema) -> Iterator[str]:
    taken, written = _closed(reader), _closed(writer)
    if taken is None:
        return
    if written is None:
        yield f"{place}: only {', '.join(map(str, taken))} are read"
    elif lost := [value for value in written if value not in taken]:
        yield f"{place}: not read: {', '.join(map(str, lost))}"


def _limits(place: str, writer: Schema, reader: Schema) -> Iterator[str]:
    if _closed(writer) is not None:  # its values were compared one by one
        return
    for keyword in _UPPER_LIMITS:
        if keyword in reader and writer.get(keyword, float("inf")) > reader[keyword]:
            yield f"{place}: {keyword} {writer.get(keyword, 'none')} is written and {reader[keyword]} is read"
    for keyword in _LOWER_LIMITS:
        if keyword in reader and writer.get(keyword, float("-inf")) < reader[keyword]:
            yield f"{place}: {keyword} {writer.get(keyword, 'none')} is written and {reader[keyword]} is read"
    for keyword in _TO_BE_EQUAL:
        if keyword in reader and writer.get(keyword) != reader[keyword]:
            yield f"{place}: {keyword} {writer.get(keyword, 'none')} is written and {reader[keyword]} is read"


def _closed(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _known(schema: Schema) -> set[str]:
    return set(schema.get("x-known-values", ()))


def _alternatives(schema: Schema, document: Schema) -> list[Schema]:
    """The alternatives of a place, each resolved and with what stands beside it (such as a default)."""
    beside = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "oneOf")}
    if "$ref" in schema:
        target = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return [{**alternative, **beside} for alternative in _alternatives(target, document)]
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches is None:
        return [schema]
    return [{**alternative, **beside} for branch in branches for alternative in _alternatives(branch, document)]
