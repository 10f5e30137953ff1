"""Many profiles in memory, searched exactly: every standing demand, or every live technology, of a shard.

Exact means: whatever the order of arrival and whatever else is indexed, the answer is what scoring every pair alone
would give, to the last bit. What makes it cheap is that no cosine is above 1: a record in the language of the question
whose words do not bring it near enough cannot be saved by its vector, and its vector is not looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.arrays import Array
from services.matching.profile import Profile
from services.matching.ranking import Floats, least_cosine, least_overlap, logits
from services.matching.rows import LanguageRows, Names
from services.matching.statistics import Model
from shared.contracts.events import Side, Visibility

_MOST_DEAD = 64
"""Dead rows that are always tolerated."""
_LANGUAGES = 1 << 20
"""More than there can be."""
FIRST = 256
"""Rows that are looked at first, to learn what a row must reach."""

Bools = npt.NDArray[np.bool_]


class ProfileIndex:
    """Profiles of one side, by language. Demands are met by technologies, technologies by demands."""

    def __init__(self, side: Side, model: Model) -> None:
        self.side = side
        self._model = model
        self._names = Names()
        self._tables: dict[str, LanguageRows] = {}
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
        table = self._tables.get(profile.language)
        if table is None:
            table = self._table(profile.language)
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
    ) -> Iterable[tuple[Profile, Profile, float]]:
        """Every (profile here, other, log-odds) at or above the threshold and the row's floor, hard filters passed."""
        for other in others:
            for table in self._order:
                rows, found = self._reaching(table, other, threshold, self._meeting(table, other, without))
                for row, logit in zip(rows.tolist(), found.tolist(), strict=True):
                    yield table.profile(row), other, logit

    def best(
        self, others: Sequence[Profile], count: int, without: Collection[str] = ()
    ) -> Iterable[list[tuple[Profile, float]]]:
        """For each of the others the `count` best here with their log-odds, best first, ties by id; filters passed."""
        for other in others:
            yield [(table.profile(row), logit) for table, row, logit in self._best(other, count, without)]

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
                column[own[meeting]] = self._logits(table, other, rows[meeting])
            yield column

    def nearness(self, other: Profile) -> Iterable[tuple[Floats, Array]]:
        """For each language the cosine of every row with the other, and the rows' vectors."""
        return ((table.cosines(other), table.vectors) for table in self._order)

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
            "tables": {table.language: table.arrays() for table in self._order},
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Takes over what `arrays` gave, into an empty index."""
        self._names.terms.replace(arrays["terms"])
        self._names.owners.replace(arrays["owners"])
        self._names.languages.replace(arrays["tags"])
        for language, columns in arrays.get("tables", {}).items():
            table = self._table(language)
            table.restore(columns)
            self._find(table)

    def _table(self, language: str) -> LanguageRows:
        table = self._tables[language] = LanguageRows(language, self._names)
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

    def _best(self, other: Profile, count: int, without: Collection[str]) -> list[tuple[LanguageRows, int, float]]:
        found: list[tuple[LanguageRows, Array, Floats]] = []
        for table in self._order:
            meeting = self._meeting(table, other, without)
            found.append((table, *self._promising(table, other, count, meeting)))
        every = np.concatenate([column for _, _, column in found]) if found else np.zeros(0)
        least = np.partition(every, -count)[-count] if len(every) > count else -np.inf
        ranked: list[tuple[float, str, LanguageRows, int]] = [
            (-logit, table.ids[row], table, row)
            for table, rows, column in found
            for row, logit in zip(rows[column >= least].tolist(), column[column >= least].tolist(), strict=True)
        ]
        ranked.sort(key=lambda each: each[:2])
        return [(table, row, -negative) for negative, _, table, row in ranked[:count]]

    def _promising(self, table: LanguageRows, other: Profile, count: int, meeting: Bools) -> tuple[Array, Floats]:
        """Rows among which the `count` best of the table are, all of which may meet the other; and their log-odds."""
        if len(table) <= FIRST or self.side is Side.DEMAND:
            rows = np.flatnonzero(meeting)
            return rows, self._logits(table, other, rows)
        if table.language != other.language:
            # Only the cosine counts, and more of it is always better.
            cosines = table.cosines(other)
            np.copyto(cosines, -np.inf, where=~meeting)
            rows = np.flatnonzero(cosines >= _reached_by(cosines, count))
            rows = rows[meeting[rows]]
            return rows, self._combined(table, other, rows, np.zeros(len(rows)), cosines[rows])
        overlaps = table.overlaps(other)
        np.copyto(overlaps, -1, where=~meeting)
        least = 0
        first = np.flatnonzero(overlaps >= _reached_by(overlaps, max(FIRST, 2 * count)))
        first = first[meeting[first]]
        if len(first) >= count:
            column = self._logits(table, other, first, overlaps)
            least = least_overlap(float(np.partition(column, -count)[-count]), other.expected, self._model)
        rows = np.flatnonzero(overlaps >= least)
        return rows, self._logits(table, other, rows, overlaps)

    def _reaching(self, table: LanguageRows, other: Profile, threshold: float, meeting: Bools) -> tuple[Array, Floats]:
        """The rows that may meet the other and reach the threshold and their own floor, and what they come to."""
        if table.language == other.language:
            overlaps = table.overlaps(other)
            expected = float(table.expected.min(initial=np.inf)) if self.side is Side.DEMAND else other.expected
            rows = np.flatnonzero((overlaps >= least_overlap(threshold, expected, self._model)) & meeting)
            most = self._combined(table, other, rows, overlaps[rows], np.ones(len(rows)))
            rows = rows[most >= np.maximum(table.floors[rows], threshold)]
            column = self._logits(table, other, rows, overlaps)
        else:
            cosines = table.cosines(other)
            rows = np.flatnonzero((cosines >= least_cosine(threshold, self._model)) & meeting)
            column = self._combined(table, other, rows, np.zeros(len(rows)), cosines[rows])
        reaching = column >= np.maximum(table.floors[rows], threshold)
        return rows[reaching], column[reaching]

    def _logits(self, table: LanguageRows, other: Profile, rows: Array, overlaps: Array | None = None) -> Floats:
        """The log-odds of these rows."""
        if overlaps is None and table.language == other.language:
            overlaps = table.overlaps(other)
        own = np.zeros(len(rows)) if overlaps is None else overlaps[rows]
        return self._combined(table, other, rows, own, table.cosines(other, rows))

    def _combined(self, table: LanguageRows, other: Profile, rows: Array, overlaps: Array, cosines: Floats) -> Floats:
        expected = table.expected[rows] if self.side is Side.DEMAND else np.full(len(rows), other.expected)
        same_language = np.full(len(rows), table.language == other.language)
        return logits(overlaps.astype(np.float64), expected, cosines, same_language, self._model)


def _reached_by(values: Array, count: int) -> Any:
    """A value that at least `count` of them reach and not many more; the least of all where there are few.

    The best of each block are enough to know: an exact choice among a million costs ten times as much.
    """
    size = len(values) // (8 * count)
    if size < 2:
        return values.min()
    best_of_blocks = values[: len(values) // size * size].reshape(-1, size).max(axis=1)
    return np.partition(best_of_blocks, -count)[-count]
