"""The latest version of every record that a shard has heard of, withdrawn ones too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

from services.matching.work import Subject
from shared.contracts.events import Side


class Versions:
    """Versions by subject. Held by side and id: a subject for each of a million records would take 200 MB."""

    def __init__(self) -> None:
        self._by_side: dict[Side, dict[str, int]] = {side: {} for side in Side}

    def __getitem__(self, subject: Subject) -> int:
        return self._by_side[subject.side][subject.id]

    def __setitem__(self, subject: Subject, version: int) -> None:
        self._by_side[subject.side][subject.id] = version

    def __delitem__(self, subject: Subject) -> None:
        del self._by_side[subject.side][subject.id]

    def __contains__(self, subject: Subject) -> bool:
        return subject.id in self._by_side[subject.side]

    @overload
    def get(self, subject: Subject) -> int | None: ...
    @overload
    def get(self, subject: Subject, default: int) -> int: ...
    def get(self, subject: Subject, default: int | None = None) -> int | None:
        """The version of a record, or the default where it is unknown."""
        return self._by_side[subject.side].get(subject.id, default)

    def of(self, side: Side) -> Mapping[str, int]:
        """The versions of one side by record id."""
        return self._by_side[side]

    def update(self, side: Side, versions: Mapping[str, int]) -> None:
        """Takes over versions of one side."""
        self._by_side[side].update(versions)
