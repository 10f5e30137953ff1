"""Whether a schema may replace a released one: what the change would break, for whoever reads and whoever writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Schema = Mapping[str, Any]
Direction = Literal["reading", "writing"]
"""reading: the new version reads what was written by the old; writing: the old version reads what the new writes."""

_UPPER_LIMITS = ("maximum", "maxLength", "maxItems", "maxProperties")
_LOWER_LIMITS = ("minimum", "minLength", "minItems", "minProperties")
_MUST_BE_EQUAL = ("pattern", "format", "propertyNames", "patternProperties", "uniqueItems", "multipleOf")
_EVERY_TYPE = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


def breaks(released: Schema, new: Schema, direction: Direction) -> list[str]:
    """What the new schema breaks, each with the pointer of the field; an empty list if it breaks nothing.

    Compares the subset of JSON Schema 2020-12 that pydantic writes: types, enumerations, limits, patterns, required
    and removed fields, arrays, maps and alternatives. A changed pattern always counts. Rules that join two fields
    stand in no schema and are not seen here.
    """
    comparison = _Comparison(released, new, direction)
    return list(dict.fromkeys(comparison.fields("", released, new)))


@dataclass(frozen=True, slots=True)
class _Comparison:
    released: Schema
    new: Schema
    direction: Direction

    def fields(self, pointer: str, released: Schema, new: Schema) -> Iterator[str]:
        """Compares what stands at one place of the document."""
        released, new = _resolved(released, self.released), _resolved(new, self.new)
        alternatives = _alternatives(released, self.released), _alternatives(new, self.new)
        if len(alternatives[0]) > 1 or len(alternatives[1]) > 1:
            yield from self._alternatives(pointer, *alternatives)
            return
        released, new = alternatives[0][0], alternatives[1][0]
        yield from self._types(pointer, released, new)
        yield from self._values(pointer, released, new)
        yield from self._limits(pointer, released, new)
        yield from self._properties(pointer, released, new)
        if "items" in released and "items" in new:
            yield from self.fields(f"{pointer}/*", released["items"], new["items"])
        maps = released.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(maps[0], Mapping) and isinstance(maps[1], Mapping):
            yield from self.fields(f"{pointer}/*", maps[0], maps[1])
        elif self._reader(*maps) is False and self._writer(*maps) is not False:
            yield f"{pointer}: fields that are not declared are no longer allowed"
        if "default" in released and "default" in new and released["default"] != new["default"]:
            yield f"{pointer}: what is meant when it is absent changed"

    def _writer[T](self, released: T, new: T) -> T:
        return released if self.direction == "reading" else new

    def _reader[T](self, released: T, new: T) -> T:
        return new if self.direction == "reading" else released
