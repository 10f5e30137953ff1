"""Searches one table of records exactly, without looking at most of it.

What makes that cheap is bounds. No cosine is above 1, and the second stage raises a pair by no more than
ranking.MOST_RAISED: a record whose words do not bring it near enough, or its words and its subject, cannot be saved by
what has not been looked at yet. The better the records found so far, the fewer are looked at further.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.matching.arrays import Array
from services.matching.batches import Batch, TraitRows, together
from services.matching.features import batch_features
from services.matching.profile import Profile
from services.matching.ranking import MOST_COSINE, Floats, english_logits, highest, least_cosine, least_overlap, logits
from services.matching.rows import LanguageRows
from services.matching.statistics import Model
from shared.contracts.events import Side

FIRST = 256
"""Rows that are looked at first, to learn what a row must reach."""
TOGETHER = 64
"""Pairs that go through the second stage at once, the first time: what they come to may end the search."""
MOST_TOGETHER = 512
"""The same where a search goes on: a batch costs .7 ms before its first pair."""

Bools = npt.NDArray[np.bool_]
Found = tuple[Array, Floats]
"""Rows and their log-odds."""


class Best:
    """The best rows of several tables: `count` of them, and below `least` only as many as make `below` altogether."""

    def __init__(self, count: int, least: float, below: int) -> None:
        self.count = count
        self.needed = -math.inf
        """Log-odds below which a row does not matter any more."""
        self._least = least
        self._below = min(below, count)
        self._values = np.zeros(0)
        self._found: list[tuple[LanguageRows, Array, Floats]] = []

    def add(self, table: LanguageRows, rows: Array, found: Floats) -> None:
        """Rows of a table with their log-odds; none of them twice."""
        values = np.concatenate([self._values, found])
        self._values = values if len(values) <= self.count else np.partition(values, -self.count)[-self.count :]
        self.needed = max(self.needed, self.alone(self._values))
        self._found.append((table, rows, found))

    def alone(self, found: Floats) -> float:
        """What a row would need if these log-odds were all there is."""
        whole = float(np.partition(found, -self.count)[-self.count]) if len(found) >= self.count else -math.inf
        some = float(np.partition(found, -self._below)[-self._below]) if len(found) >= self._below else -math.inf
        return max(whole, min(some, self._least))

    def ranked(self) -> list[tuple[LanguageRows, int, float]]:
        """The best, best first, ties by id."""
        every: list[tuple[float, str, LanguageRows, int]] = []
        for table, rows, found in self._found:
            kept = found >= self.needed
            every += [
                (-logit, table.ids[row], table, row)
                for row, logit in zip(rows[kept].tolist(), found[kept].tolist(), strict=True)
            ]
        every.sort(key=lambda each: each[:2])
        return [
            (table, row, -negative)
            for place, (negative, _, table, row) in enumerate(every[: self.count])
            if -negative >= self._least or place < self._below
        ]


class Search:
    """One profile against the rows of one table."""

    def __init__(self, table: LanguageRows, other: Profile, model: Model) -> None:
        self._table = table
        self._other = other
        self._model = model
        self._is_own_language = table.language == other.language
        self._traits = table.traits if other.traits is not None else None
        """The rows', where the other has them too: such pairs are ranked twice."""

    def logits(self, rows: Array) -> Floats:
        """The log-odds of these rows."""
        if self._traits is None:
            return self._general(rows)
        return self._again(rows, self._first(self._traits, rows, self._latent(self._traits, rows)))

    def reaching(self, meeting: Bools, threshold: float) -> Found:
        """The rows that may meet the other and reach the threshold and their own floor."""
        needed = np.maximum(self._table.floors, threshold)
        rows = np.flatnonzero(meeting)
        if self._traits is not None:
            rows = rows[self._most(rows) >= needed[rows]]
            latent = self._latent(self._traits, rows)
            kept = self._most(rows, latent) >= needed[rows]
            rows, latent = rows[kept], latent[kept]
            first = self._first(self._traits, rows, latent)
            kept = highest(first) >= needed[rows]
            rows, found = rows[kept], self._again(rows[kept], first[kept])
        elif self._is_own_language:
            rows = rows[self._combined(rows, np.full(len(rows), MOST_COSINE)) >= needed[rows]]
            found = self._general(rows)
        else:
            cosines = self._table.directions.cosines(self._other.vector)
            rows = np.flatnonzero((cosines >= least_cosine(threshold, self._model)) & meeting)
            found = self._combined(rows, cosines[rows])
        reaching = found >= needed[rows]
        return rows[reaching], found[reaching]

    def promising(self, meeting: Bools, best: Best) -> None:
        """Adds rows that may meet the other, among them all of the table's that are among the best."""
        if self._traits is not None:
            self._twice(self._traits, meeting, best)
        elif self._is_own_language:
            overlaps = np.where(meeting, self._overlaps, -1)
            rows = _some_highest(overlaps)
            needed = max(best.needed, best.alone(self._general(rows)))
            rows = np.flatnonzero(overlaps >= least_overlap(needed, self._least_expected, self._model))
            best.add(self._table, rows, self._general(rows))
        else:
            bounds = np.where(meeting, self._table.bounds.of(self._other.vector), -np.inf)
            rows = _some_highest(bounds)
            needed = max(best.needed, best.alone(self._general(rows)))
            rows = np.flatnonzero(bounds >= least_cosine(needed, self._model))
            found = self._general(rows)
            some = _highest(found, best.count)
            best.add(self._table, rows[some], found[some])

    def _twice(self, traits: TraitRows, meeting: Bools, best: Best) -> None:
        """First rows that share many words, then some near in words and subject, then what may still reach them."""
        overlaps = np.where(meeting, self._overlaps, -1)
        waiting = meeting.copy()

        def look(rows: Array, first: Floats) -> None:
            """The second stage, the most promising rows first, until none can matter any more."""
            order = np.flatnonzero(highest(first) >= best.needed)  # of half a million rows some hundreds
            order = order[np.argsort(-first[order], kind="stable")]
            size = TOGETHER
            while len(order):
                some, order = order[:size], order[size:]
                size = min(2 * size, MOST_TOGETHER)
                some = some[highest(first[some]) >= best.needed]
                if len(some) == 0:
                    return
                waiting[rows[some]] = False
                best.add(self._table, rows[some], self._again(rows[some], first[some]))

        def look_at_some(rows: Array, latent: Floats) -> None:
            first = self._first(traits, rows, latent)
            some = _highest(first, TOGETHER)[: 2 * TOGETHER]
            look(rows[some], first[some])

        rows = _some_highest(overlaps)
        look_at_some(rows, self._latent(traits, rows))
        rows = np.flatnonzero(overlaps >= least_overlap(best.needed, self._least_expected, self._model, True))
        rows = rows[waiting[rows]]
        latent = self._latent(traits, rows)
        most = self._most(rows, latent)
        if len(rows) > 2 * FIRST:
            some = _highest(most, FIRST)[: 2 * FIRST]
            look_at_some(rows[some], latent[some])
        kept = (most >= best.needed) & waiting[rows]
        rows, latent = rows[kept], latent[kept]
        look(rows, self._first(traits, rows, latent))

    @cached_property
    def _overlaps(self) -> Array:
        return self._table.overlaps(self._other)

    @cached_property
    def _batch(self) -> Batch:
        """The other's traits."""
        assert self._other.traits is not None
        return together([self._other.traits])

    @property
    def _is_asked(self) -> bool:
        """Whether the other is a technology, which the rows ask for."""
        return self._table.side is Side.DEMAND

    @property
    def _least_expected(self) -> float:
        """The least overlap by chance of any pair."""
        return float(self._table.expected.min(initial=math.inf)) if self._is_asked else self._other.expected

    def _expected(self, rows: Array) -> Floats:
        return self._table.expected[rows] if self._is_asked else np.full(len(rows), self._other.expected)

    def _general(self, rows: Array) -> Floats:
        """The log-odds of these rows, for all pairs but those that are ranked twice."""
        return self._combined(rows, self._table.directions.cosines(self._other.vector, rows))

    def _combined(self, rows: Array, cosines: Floats) -> Floats:
        overlaps = self._overlaps[rows].astype(np.float64) if self._is_own_language else np.zeros(len(rows))
        same_language = np.full(len(rows), self._is_own_language)
        return logits(overlaps, self._expected(rows), cosines, same_language, self._model)

    def _latent(self, traits: TraitRows, rows: Array) -> Floats:
        assert self._other.traits is not None
        return traits.latent.cosines(self._other.traits.latent, rows)

    def _first(self, traits: TraitRows, rows: Array, latent: Floats) -> Floats:
        """The first stage for these rows."""
        assert self._other.traits is not None
        return self._english(rows, latent, traits.english.cosines(self._other.traits.english, rows))

    def _most(self, rows: Array, latent: Floats | None = None) -> Floats:
        """What these rows can come to, as long as other cosines are not known."""
        most = np.full(len(rows), MOST_COSINE)
        return highest(self._english(rows, most if latent is None else latent, most))

    def _english(self, rows: Array, latent: Floats, english: Floats) -> Floats:
        overlaps = self._overlaps[rows].astype(np.float64)
        return english_logits(overlaps, self._expected(rows), latent, english, self._model)

    def _again(self, rows: Array, first: Floats) -> Floats:
        """The log-odds of these rows after both stages."""
        assert self._traits is not None
        found = first.copy()
        worth_it = np.flatnonzero(first >= self._model.english_least)
        for start in range(0, len(worth_it), MOST_TOGETHER):
            some = worth_it[start : start + MOST_TOGETHER]
            batch = self._traits.take(rows[some])
            demands, technologies = (batch, self._batch) if self._is_asked else (self._batch, batch)
            again = self._model.reranker.logits(batch_features(demands, technologies))
            found[some] = np.minimum(again, highest(first[some]))
        return found


def _some_highest(values: Array) -> Array:
    """Some rows with the highest of these overlaps or bounds; below 0 is what may not meet the question."""
    rows = _highest(values, FIRST)[: 2 * FIRST]
    return rows[values[rows] >= 0]


def _highest(values: Array, count: int) -> Array:
    """Where the `count` highest are, and not many more where they differ.

    The best of each block are enough to know: an exact choice among a million costs ten times as much.
    """
    if len(values) <= count:
        return np.arange(len(values))
    size = len(values) // (8 * count)
    best_of_blocks = values if size < 2 else values[: len(values) // size * size].reshape(-1, size).max(axis=1)
    return np.flatnonzero(values >= np.partition(best_of_blocks, -count)[-count])
