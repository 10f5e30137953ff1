"""Many profiles in memory, scored exactly and all at once: every standing demand, or every live technology, of a shard.

Exact search over everything costs 1 to 2 ms at 16,000 records and depends on neither the order of arrival nor on what
else is indexed, which an index with statistics or graphs of its own would.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from services.matching import latent
from services.matching.features import features
from services.matching.profile import DIMENSIONS, ENGLISH_DIMENSIONS, Profile
from services.matching.ranking import Floats, english_logits, logits
from services.matching.statistics import Model
from services.matching.traits import DemandTraits, TechnologyTraits
from services.matching.vectors import Vector, length
from shared.contracts.events import Party, Side, Visibility

_SMALLEST = 64
_TOGETHER = 128
"""Others per matrix product: 16,000 rows x 128 in single precision are 8 MB."""


class _Vectors:
    """One direction a row, and cosines with all of them at once."""

    def __init__(self, dimensions: int) -> None:
        self._numbers = np.zeros((_SMALLEST, dimensions), dtype=np.float32)
        self._lengths = np.zeros(_SMALLEST)

    def put(self, row: int, vector: Vector) -> None:
        self._numbers[row] = vector
        self._lengths[row] = length(vector)

    def grow(self) -> None:
        self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])

    def cosines(self, vectors: Sequence[Vector], count: int) -> list[Floats]:
        """Of each vector with the first `count` rows; 0 where one has no direction."""
        if not vectors:
            return []
        # Whole numbers below 2^24: single precision is exact here, whatever the order of the additions.
        dots = self._numbers[:count] @ np.stack(vectors).astype(np.float32).T
        found: list[Floats] = []
        for index, vector in enumerate(vectors):
            lengths = self._lengths[:count] * length(vector)
            products = dots[:, index].astype(np.float64)
            found.append(np.divide(products, lengths, out=np.zeros(count), where=lengths > 0))
        return found


class ProfileIndex:
    """Rows of profiles of one side. A row is written once; a new version gets a new row and the old one dies."""

    def __init__(self, side: Side, model: Model) -> None:
        self.side = side
        self._model = model
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[str, int] = {}
        self._profiles: list[Profile | None] = []
        self._postings: dict[str, tuple[array[int], array[int]]] = {}
        self._vectors = _Vectors(DIMENSIONS)
        self._english = _Vectors(ENGLISH_DIMENSIONS)
        self._latent = _Vectors(latent.DIMENSIONS)
        self._is_english = np.zeros(_SMALLEST, dtype=np.bool_)
        self._expected = np.zeros(_SMALLEST)
        self._floors = np.full(_SMALLEST, -np.inf)
        self._alive = np.zeros(_SMALLEST, dtype=np.bool_)
        self._languages = np.zeros(_SMALLEST, dtype=np.int64)
        self._owners = np.zeros(_SMALLEST, dtype=np.int64)
        self._language_codes: dict[str, int] = {}
        self._owner_codes: dict[str, int] = {}
        self._named: set[int] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: str) -> bool:
        return id in self._rows

    def get(self, id: str) -> Profile | None:
        """The present version of a record, or None where it is not indexed."""
        row = self._rows.get(id)
        return None if row is None else self._profiles[row]

    def profiles(self) -> Iterable[Profile]:
        """Every profile, in the order of arrival."""
        return (profile for profile in self._profiles if profile is not None)

    def put(self, profile: Profile) -> None:
        """Adds a profile, or replaces the version that is there."""
        self.remove(profile.id)
        row = len(self._profiles)
        if row == len(self._alive):
            self._grow()
        self._profiles.append(profile)
        self._rows[profile.id] = row
        for term, value in zip(profile.terms, profile.values.tolist(), strict=True):
            posting = self._postings.get(term)
            if posting is None:
                posting = self._postings[term] = array("I"), array("I")
            posting[0].append(row)
            posting[1].append(value)
        self._vectors.put(row, profile.vector)
        self._is_english[row] = profile.traits is not None
        if profile.traits is not None:
            self._english.put(row, profile.traits.english)
            self._latent.put(row, profile.traits.latent)
        self._expected[row] = profile.expected
        self._floors[row] = -np.inf
        self._alive[row] = True
        self._languages[row] = self._language_codes.setdefault(profile.language, len(self._language_codes))
        self._owners[row] = self._owner_codes.setdefault(profile.party.owner, len(self._owner_codes))
        if profile.party.visibility is Visibility.NAMED:
            self._named.add(row)

    def remove(self, id: str) -> None:
        """Forgets a record; nothing happens where it is not indexed."""
        row = self._rows.pop(id, None)
        if row is None:
            return
        self._profiles[row] = None
        self._alive[row] = False
        self._named.discard(row)
        dead = len(self._profiles) - len(self._rows)
        if dead > _SMALLEST and dead > len(self._rows):
            self._compact()

    def set_floor(self, id: str, floor: float) -> None:
        """The log-odds that a newcomer must reach to enter this demand's best; minus infinity while there is room."""
        self._floors[self._rows[id]] = floor

    def floor(self, id: str) -> float:
        """What `set_floor` said last; KeyError where the record is not indexed."""
        return float(self._floors[self._rows[id]])

    def hits(
        self, others: Sequence[Profile], threshold: float, without: Collection[str] = ()
    ) -> Iterable[tuple[Profile, Profile, float]]:
        """Every (profile here, other, log-odds) at or above the threshold and the row's floor, hard filters passed."""
        least = np.maximum(self._floors[: len(self._profiles)], threshold)
        for other, column in zip(others, self.columns(others, without), strict=True):
            for row in np.flatnonzero(column >= least).tolist():
                profile = self._profiles[row]
                if profile is not None:
                    yield profile, other, float(column[row])

    def best(
        self, others: Sequence[Profile], count: int, without: Collection[str] = ()
    ) -> Iterable[list[tuple[Profile, float]]]:
        """For each of the others the `count` best here with their log-odds, best first, ties by id; filters passed."""
        for column in self.columns(others, without):
            rows = np.flatnonzero(column > -np.inf)
            if len(rows) > count:
                rows = rows[column[rows] >= np.partition(column[rows], -count)[-count]]
            ranked = [(profile, float(column[row])) for row in rows.tolist() if (profile := self._profiles[row])]
            yield sorted(ranked, key=lambda item: (-item[1], item[0].id))[:count]

    def columns(self, others: Sequence[Profile], without: Collection[str] = ()) -> Iterable[Floats]:
        """For each of the others the log-odds of every row; minus infinity where a pair must not meet.

        `without` names records whose row no longer counts.
        """
        count = len(self._profiles)
        alive = self._alive[:count].copy()
        alive[[self._rows[id] for id in without if id in self._rows]] = False
        for start in range(0, len(others), _TOGETHER):
            chunk = others[start : start + _TOGETHER]
            cosines = self._vectors.cosines([other.vector for other in chunk], count)
            english = [traits for other in chunk if (traits := other.traits) is not None]
            near = iter(self._english.cosines([traits.english for traits in english], count))
            subjects = iter(self._latent.cosines([traits.latent for traits in english], count))
            for other, cosine in zip(chunk, cosines, strict=True):
                both = None if other.traits is None else (next(subjects), next(near))
                yield self._column(other, cosine, both, alive)

    def _column(
        self, other: Profile, cosine: Floats, both: tuple[Floats, Floats] | None, alive: npt.NDArray[np.bool_]
    ) -> Floats:
        """`both`: cosines in the latent space and of the English embeddings, where the other one is English."""
        count = len(self._profiles)
        expected = self._expected[:count] if self.side is Side.DEMAND else np.full(count, other.expected)
        same_language = self._languages[:count] == self._language_codes.get(other.language, -1)
        overlaps = self._overlaps(other)
        column = logits(overlaps, expected, cosine, same_language, self._model)
        is_english = self._is_english[:count]
        if both is not None:
            column = np.where(is_english, english_logits(overlaps, expected, *both, self._model), column)
        column[~alive | (self._owners[:count] == self._owner_codes.get(other.party.owner, -1))] = -np.inf
        self._hide(column, other.party)
        if other.traits is not None:
            self._look_again(np.flatnonzero(is_english & (column >= self._model.english_least)), other, column)
        return column

    def _look_again(self, rows: npt.NDArray[np.intp], other: Profile, column: Floats) -> None:
        """The second stage, for the rows that the first one found worth it."""
        if len(rows) == 0:
            return
        met = [*(profile.traits for row in rows.tolist() if (profile := self._profiles[row])), other.traits]
        demands = [traits for traits in met if isinstance(traits, DemandTraits)]
        technologies = [traits for traits in met if isinstance(traits, TechnologyTraits)]
        column[rows] = self._model.reranker.logits(features(demands, technologies))

    def _overlaps(self, other: Profile) -> Floats:
        sums = np.zeros(len(self._profiles))
        for term, value in zip(other.terms, other.values.tolist(), strict=True):
            posting = self._postings.get(term)
            if posting is not None:
                rows = np.frombuffer(posting[0], dtype=np.uint32)
                sums[rows] += np.frombuffer(posting[1], dtype=np.uint32) * float(value)
        return sums

    def _hide(self, column: Floats, other: Party) -> None:
        """Takes out the pairs of which one record must not be seen by the other's owner."""
        for row in self._named:
            profile = self._profiles[row]
            if profile is not None and not profile.party.visible_to(other.owner):
                column[row] = -np.inf
        if other.visibility is Visibility.NAMED:
            hidden = [owner not in other.named_members for owner in self._owner_codes]
            column[np.array(hidden, dtype=np.bool_)[self._owners[: len(column)]]] = -np.inf

    def _grow(self) -> None:
        def doubled(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
            return np.concatenate([values, np.zeros_like(values)])

        for vectors in (self._vectors, self._english, self._latent):
            vectors.grow()
        for name in ("_is_english", "_expected", "_floors", "_alive", "_languages", "_owners"):
            setattr(self, name, doubled(getattr(self, name)))

    def _compact(self) -> None:
        """Writes the living rows anew, so that a record changed often costs no more than another."""
        kept = list(self.profiles())
        floors: Mapping[str, float] = {id: float(self._floors[row]) for id, row in self._rows.items()}
        self._clear()
        for profile in kept:
            self.put(profile)
            self.set_floor(profile.id, floors[profile.id])
