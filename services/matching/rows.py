"""The records of one side in one language, as columns: what the search runs over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.arrays import Array, Codes, Column, Lists
from services.matching.batches import TraitRows
from services.matching.bounds import Bounds
from services.matching.directions import Directions, Floats
from services.matching.postings import Postings, Sums
from services.matching.profile import DIMENSIONS, Profile
from shared.contracts.events import Party, Side, Visibility


class Names:
    """Codes that all rows of an index share."""

    def __init__(self) -> None:
        self.terms = Codes()
        self.owners = Codes()
        self.languages = Codes()
        """With script and region, as the record says it."""


class LanguageRows:
    """Rows of profiles, all with traits or all without. A row is written once; a new version gets a new row and the
    old one dies."""

    def __init__(self, side: Side, language: str, has_traits: bool, names: Names) -> None:
        self.side = side
        self.language = language
        self.traits = TraitRows(side) if has_traits else None
        self.directions = Directions(DIMENSIONS)
        """What the multilingual encoder makes of each record."""
        self.bounds = Bounds(self.directions)
        self._names = names
        self.ids: list[str] = []
        self._named: dict[int, tuple[str, ...]] = {}
        """The members who may see a row that is for named members alone."""
        self._seen_by: dict[str, list[int]] = {}
        """The same by member; dead rows too."""
        self._versions = Column(np.int32)
        self._owners = Column(np.int32)
        self._languages = Column(np.int32)
        self._visibilities = Column(np.uint8)
        self._expected = Column(np.float64)
        self._floors = Column(np.float64)
        self._alive = Column(np.bool_)
        self._terms = Lists(codes=np.uint32, values=np.uint16)
        self._postings = Postings(self._terms)
        self.dead = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def owners(self) -> Array:
        """Each row's owner, as a code."""
        return self._owners.values

    @property
    def expected(self) -> Floats:
        """A demand's overlap by chance."""
        return self._expected.values

    @property
    def floors(self) -> Floats:
        """The log-odds that a newcomer must reach."""
        return self._floors.values

    @property
    def alive(self) -> npt.NDArray[np.bool_]:
        """Whether the row is the present version of a record."""
        return self._alive.values

    def add(self, profile: Profile) -> int:
        """Writes a row and returns its number."""
        party, row = profile.party, len(self.ids)
        if profile.values.size and int(profile.values.max()) > np.iinfo(np.uint16).max:
            raise ValueError(f"{party.id}: a term weighs more than 65,535")
        self.ids.append(party.id)
        self._versions.append(party.version)
        self._owners.append(self._names.owners.put(party.owner))
        self._languages.append(self._names.languages.put(party.language))
        self._visibilities.append(_VISIBILITIES.index(party.visibility))
        self._expected.append(profile.expected)
        self._floors.append(-np.inf)
        self._alive.append(True)
        self.directions.append(profile.vector)
        if self.traits is not None and profile.traits is not None:
            self.traits.append(profile.traits)
        self._terms.append(codes=list(map(self._names.terms.put, profile.terms)), values=profile.values)
        if party.visibility is Visibility.NAMED:
            self._name(row, tuple(party.named_members))
        return row

    def kill(self, row: int) -> None:
        """Takes a row out of every search."""
        self.alive[row] = False
        self._named.pop(row, None)
        self.dead += 1

    def visible_to(self, member: str) -> npt.NDArray[np.bool_]:
        """Which living rows of others the member may see."""
        visible = self.alive & (self._visibilities.values != _VISIBILITIES.index(Visibility.NAMED))
        named = self._seen_by.get(member, [])
        visible[named] = self.alive[named]
        return visible

    def profile(self, row: int) -> Profile:
        """The row as it was put."""
        _, listed = self._terms.take(np.array([row]))
        terms = tuple([self._names.terms.names[code] for code in listed["codes"].tolist()])
        vector = self.directions.vectors[row].copy()
        traits = None if self.traits is None else self.traits.traits(row)
        return Profile(
            self.party(row), terms, listed["values"].astype(np.int32), float(self.expected[row]), vector, traits
        )

    def party(self, row: int) -> Party:
        """Whose record it is and who may see it."""
        return Party.model_construct(
            id=self.ids[row],
            version=int(self._versions.values[row]),
            owner=self._names.owners.names[self._owners.values[row]],
            visibility=_VISIBILITIES[self._visibilities.values[row]],
            named_members=self._named.get(row, ()),
            language=self._names.languages.names[self._languages.values[row]],
        )

    def overlaps(self, other: Profile) -> Sums:
        """For each row, the sum of weight x impact over the terms that both hold."""
        codes = np.array([self._names.terms.get(term) for term in other.terms], dtype=np.int64)
        known = codes >= 0
        return self._postings.sums(codes[known], other.values[known].astype(np.int32), len(self._names.terms))

    def compact(self) -> None:
        """Forgets the dead rows; the others get new numbers in the old order."""
        kept = self.alive
        numbers = np.cumsum(kept) - 1
        self._name_all({int(numbers[row]): members for row, members in self._named.items()})
        self.ids = [self.ids[row] for row in np.flatnonzero(kept).tolist()]
        self._terms.keep(kept)
        self.directions.keep(kept)
        self.bounds.clear()
        if self.traits is not None:
            self.traits.keep(kept)
        for column in self._columns().values():
            column.replace(column.values[kept])
        self._postings.clear()
        self.dead = 0

    def arrays(self) -> dict[str, Any]:
        """Everything but the names, fit for `restore`; what changes in place is copied, so that rows may be added and
        die while somebody writes this down."""
        changing = ("alive", "floors")
        return {
            "ids": list(self.ids),
            "named": [[row, *members] for row, members in self._named.items()],
            **{
                name: column.values.copy() if name in changing else column.values
                for name, column in self._columns().items()
            },
            "terms": self._terms.arrays(),
            "directions": self.directions.arrays(),
            "traits": {} if self.traits is None else self.traits.arrays(),
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Takes over what `arrays` gave."""
        self.ids = arrays["ids"]
        self._name_all({row: tuple(members) for row, *members in arrays["named"]})
        for name, column in self._columns().items():
            column.replace(arrays[name])
        self._terms.restore(arrays["terms"])
        self.directions.restore(arrays["directions"])
        self.bounds.clear()
        if self.traits is not None:
            self.traits.restore(arrays["traits"])
        self._postings.clear()
        self.dead = len(self.ids) - int(self.alive.sum())

    def versions(self) -> Iterable[tuple[str, int]]:
        """Id and version of every living row."""
        versions = self._versions.values
        rows = np.flatnonzero(self.alive)
        return zip([self.ids[row] for row in rows.tolist()], versions[rows].tolist(), strict=True)

    def living(self) -> Iterable[tuple[str, int]]:
        """Id and row of every living row."""
        return ((self.ids[row], row) for row in np.flatnonzero(self.alive).tolist())

    def _name(self, row: int, members: tuple[str, ...]) -> None:
        self._named[row] = members
        for member in members:
            self._seen_by.setdefault(member, []).append(row)

    def _name_all(self, named: Mapping[int, tuple[str, ...]]) -> None:
        self._named, self._seen_by = {}, {}
        for row, members in named.items():
            self._name(row, members)

    def _columns(self) -> dict[str, Column]:
        return {
            "versions": self._versions,
            "owners": self._owners,
            "languages": self._languages,
            "visibilities": self._visibilities,
            "expected": self._expected,
            "floors": self._floors,
            "alive": self._alive,
        }


_VISIBILITIES = list(Visibility)
