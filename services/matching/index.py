"""Many profiles in memory, searched exactly: every standing demand, or every live technology, of a shard.

Exact means: whatever the order of arrival and whatever else is indexed, the answer is what scoring every pair alone
would give, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.arrays import Array
from services.matching.profile import Profile
from services.matching.rows import LanguageRows, Names
from services.matching.search import Best, Floats, Search
from services.matching.statistics import Model
from shared.contracts.events import Party, Side, Visibility

_MOST_DEAD = 64
"""Dead rows that are always tolerated."""
_LANGUAGES = 1 << 20
"""More than there can be."""
_TRAITS = "+"
"""Ends the name of a table of records that have traits."""

Bools = npt.NDArray[np.bool_]


class ProfileIndex:
    """Profiles of one side, by language. Demands are met by technologies, technologies by demands."""

    def __init__(self, side: Side, model: Model) -> None:
        self.side = side
        self._model = model
        self._names = Names()
        self._tables: dict[tuple[str, bool], LanguageRows] = {}
        self._order: list[LanguageRows] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, id: str) -> bool:
        return id in self._places

    def get(self, id: str) -> Profile | None:
        """The present version of a record, or None where it is not indexed."""
        if id not in self._places:
            return None
        table, row = self._place(id)
        return table.profile(row)

    def profiles(self) -> Iterable[Profile]:
        """Every profile, in the order of arrival."""
        return (table.profile(row) for table, row in map(self._place, self._places))

    def put(self, profile: Profile) -> None:
        """Adds a profile, or replaces the version that is there."""
        self.remove(profile.id)
        table = self._table(profile.language, profile.traits is not None)
        self._places[profile.id] = table.add(profile) * _LANGUAGES + self._order.index(table)

    def remove(self, id: str) -> None:
        """Forgets a record; nothing happens where it is not indexed."""
        if id not in self._places:
            return
        table, row = self._place(id)
        del self._places[id]
        table.kill(row)
        if table.dead > _MOST_DEAD and table.dead > len(table) - table.dead:
            # So that a record changed often costs no more than another.
            table.compact()
            self._find(table)

    def set_floor(self, id: str, floor: float) -> None:
        """The log-odds that a newcomer must reach to enter this demand's best; minus infinity while there is room."""
        table, row = self._place(id)
        table.floors[row] = floor

    def floor(self, id: str) -> float:
        """What `set_floor` said last; KeyError where the record is not indexed."""
        table, row = self._place(id)
        return float(table.floors[row])

    def hits(
        self, others: Sequence[Profile], threshold: float, without: Collection[str] = ()
    ) -> Iterable[tuple[Party, Profile, float]]:
        """Every (record here, other, log-odds) at or above the threshold and the row's floor, hard filters passed."""
        for other in others:
            for table in self._order:
                search = Search(table, other, self._model)
                rows, found = search.reaching(self._meeting(table, other, without), threshold)
                for row, logit in zip(rows.tolist(), found.tolist(), strict=True):
                    yield table.party(row), other, logit

    def best(
        self,
        others: Sequence[Profile],
        count: int,
        without: Collection[str] = (),
        least: float = -math.inf,
        below: int = 1,
    ) -> Iterable[list[tuple[Party, float]]]:
        """For each of the others the `count` best here with their log-odds, best first, ties by id; filters passed.

        Of those below `least` only as many as it takes to have `below` altogether.
        """
        for other in others:
            best = Best(count, least, below)
            # The other's own language first: what is found there says how little of another is worth a look.
            for table in sorted(self._order, key=lambda table: table.language != other.language):
                Search(table, other, self._model).promising(self._meeting(table, other, without), best)
            yield [(table.party(row), logit) for table, row, logit in best.ranked()]

    def columns(self, others: Sequence[Profile], without: Collection[str] = ()) -> Iterable[Floats]:
        """For each of the others the log-odds of every row, in the order of arrival; minus infinity where a pair must
        not meet. `without` names records whose row no longer counts."""
        places = np.fromiter(self._places.values(), dtype=np.int64, count=len(self._places))
        for other in others:
            column = np.full(len(places), -np.inf)
            for number, table in enumerate(self._order):
                own = np.flatnonzero(places % _LANGUAGES == number)
                rows = places[own] // _LANGUAGES
                meeting = self._meeting(table, other, without)[rows]
                column[own[meeting]] = Search(table, other, self._model).logits(rows[meeting])
            yield column

    def nearness(self, other: Profile) -> Iterable[tuple[Floats, Array]]:
        """For each language the cosine of every row with the other, and the rows' vectors."""
        return ((table.directions.cosines(other.vector), table.directions.vectors) for table in self._order)

    def versions(self) -> dict[str, int]:
        """Every record's version."""
        return {id: version for table in self._order for id, version in table.versions()}

    def arrays(self) -> dict[str, Any]:
        """Everything that is needed to `restore` it; may be written down while rows are added and removed."""
        names = self._names
        return {
            "terms": list(names.terms.names),
            "owners": list(names.owners.names),
            "tags": list(names.languages.names),
            "tables": {
                table.language + _TRAITS * has_traits: table.arrays() for (_, has_traits), table in self._tables.items()
            },
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Takes over what `arrays` gave, into an empty index."""
        self._names.terms.replace(arrays["terms"])
        self._names.owners.replace(arrays["owners"])
        self._names.languages.replace(arrays["tags"])
        for name, columns in arrays.get("tables", {}).items():
            table = self._table(name.removesuffix(_TRAITS), name.endswith(_TRAITS))
            table.restore(columns)
            self._find(table)

    def _table(self, language: str, has_traits: bool) -> LanguageRows:
        table = self._tables.get((language, has_traits))
        if table is None:
            table = self._tables[language, has_traits] = LanguageRows(self.side, language, has_traits, self._names)
            self._order.append(table)
        return table

    def _place(self, id: str) -> tuple[LanguageRows, int]:
        row, number = divmod(self._places[id], _LANGUAGES)
        return self._order[number], row

    def _find(self, table: LanguageRows) -> None:
        number = self._order.index(table)
        self._places.update((id, row * _LANGUAGES + number) for id, row in table.living())

    def _meeting(self, table: LanguageRows, other: Profile, without: Collection[str]) -> Bools:
        """Which rows may meet the other: alive, somebody else's, and each visible to the other's owner."""
        meeting = table.visible_to(other.party.owner) & (table.owners != self._names.owners.get(other.party.owner))
        for id in without:
            if id in self._places and (place := self._place(id))[0] is table:
                meeting[place[1]] = False
        if other.party.visibility is Visibility.NAMED:
            seeing = [owner in other.party.named_members for owner in self._names.owners.names]
            meeting &= np.array(seeing, dtype=np.bool_)[table.owners]
        return meeting
