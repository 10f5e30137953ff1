"""The one rule of order: a record's versions count up, and no clock has a say in it."""

from dataclasses import dataclass
from enum import StrEnum

HIGHEST = 2_147_483_647


class Ruling(StrEnum):
    """What a version means for a record that is known, or not."""

    TAKE = "take"
    REPEATED = "repeated"  # nothing new
    OUTDATED = "outdated"  # a later version is known
    CONFLICT = "conflict"  # this version is known with other content
    UNKNOWN = "unknown"  # there is nothing to withdraw
    EXHAUSTED = "exhausted"  # there is no next version


@dataclass(frozen=True, slots=True)
class Known:
    """The latest version of a record: a digest of its content, or None when it is withdrawn."""

    version: int
    content: str | None
    expires: bool = False
    """Whether a timer is set that will end it."""


def rule(known: Known | None, version: int | None, content: str | None) -> tuple[Ruling, int]:
    """What to do with a version (None: the next one) of a content (None: a withdrawal).

    Gives the version that the record has afterwards; 0 when there is no record. A withdrawn record comes back with
    any higher version.
    """
    if known is None:
        if content is None:
            return Ruling.UNKNOWN, 0
        return Ruling.TAKE, version or 1
    same = content == known.content
    if version is None:
        if same:
            return Ruling.REPEATED, known.version
        if known.version >= HIGHEST:
            return Ruling.EXHAUSTED, known.version
        return Ruling.TAKE, known.version + 1
    if version > known.version:
        return Ruling.TAKE, version
    if version < known.version:
        return Ruling.OUTDATED, known.version
    return (Ruling.REPEATED if same else Ruling.CONFLICT), known.version
