"""Records for the benchmark of matching, made as arrays: a million in a minute, alike to real ones in what costs time.

Taken from 16,155 real technologies and 6,186 real demands (US SBIR): how often the terms of each rank occur, how many
different ones a record holds (quantiles 5, 50, 95: 45, 105, 212 and 41, 217, 422), how far embeddings lie apart
(quantiles 50, 90, 99, 99.99 of the cosine: .22, .35, .47, .62). Records of one subject share words of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.invented_traits import InventedTraits, joined
from services.matching import lexical
from services.matching.embedding import ENCODER
from services.matching.profile import DIMENSIONS
from services.matching.statistics import Model, fingerprint
from services.matching.vectors import lengths
from services.matching.work import WorkRecord
from shared.contracts.events import Side, Visibility

Array = npt.NDArray[Any]

LANGUAGES = {"en": 0.7, "zh": 0.3}
"""Share of the records in each; their words have nothing in common."""
VOCABULARY = 200_000
"""Terms of one language."""
SUBJECTS = 2_000
SUBJECT_TERMS = 60
"""Terms that each subject has to itself among its records, of the middle ranks."""
FIELDS = 100
FIELD_TERMS = 150
"""Terms that neighbouring subjects share."""
OWN_SHARE = 0.25
"""Of a record's words, how many are of its subject."""
OWNERS = 5_000
TITLE = 8
"""Words of a title."""
_LENGTHS = {Side.TECHNOLOGY: (115, 0.5), Side.DEMAND: (300, 0.75)}
"""Median words, and the standard deviation of their logarithm; fewer than real ones, because these repeat themselves
less: as many different terms as real ones is what counts."""
_MOST_WORDS = 600
_TABLE = 1 << 22
_TOGETHER = 20_000


@dataclass(frozen=True, slots=True)
class Words:
    """The terms of some records of one language, one row for each pair of record and term."""

    ends: Array
    """[records + 1]"""
    terms: Array
    counts: Array
    in_title: Array
    starts: Array
    """[records + 1] where each begins in `sequence`."""
    sequence: Array
    """Every word in turn, those of the title first."""


class Invented:
    """Draws records; the same seed draws the same ones."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        ranks = np.arange(VOCABULARY)
        shares = (ranks + 40.0) ** -1.3
        edges = np.cumsum(shares / shares.sum())
        self._table = np.minimum(np.searchsorted(edges, np.arange(_TABLE) / _TABLE), VOCABULARY - 1).astype(np.int32)
        own = self._random.integers(300, 20_000, (SUBJECTS, SUBJECT_TERMS), dtype=np.int32)
        of_fields = self._random.integers(300, 20_000, (FIELDS, FIELD_TERMS), dtype=np.int32)
        which = self._random.integers(0, FIELD_TERMS, (SUBJECTS, SUBJECT_TERMS))
        # Half of a subject's terms are those of its field, which its neighbours use too.
        shared = self._random.random((SUBJECTS, SUBJECT_TERMS)) < 0.5
        fields = np.arange(SUBJECTS) % FIELDS
        self._subject_terms = np.where(shared, of_fields[fields[:, np.newaxis], which], own)
        spread = (np.arange(DIMENSIONS) + 10.0) ** -0.65
        self._middle = self._directions(1, np.ones(DIMENSIONS))[0]
        self._centres = self._directions(SUBJECTS, spread)
        self._pool = self._directions(8_192, spread)
        self._traits = InventedTraits(
            self._random, [name("en", term) for term in range(VOCABULARY)], self._subject_terms, FIELDS
        )
        sample = self.words(Side.TECHNOLOGY, self.subjects(10_000))
        self.shares = np.maximum(np.bincount(sample.terms, minlength=VOCABULARY) / 10_000, 2e-4)
        """Of each term, the share of technologies that hold it."""

    def model(self) -> Model:
        """The model in use, with these terms' statistics."""
        prints = np.array([fingerprint(name(language, term)) for language in LANGUAGES for term in range(VOCABULARY)])
        order = np.argsort(prints)
        shares = np.tile(self.shares, len(LANGUAGES))
        return replace(
            Model.load(),
            version="bench",
            fingerprints=prints[order].astype(np.uint32),
            shares=shares[order].astype(np.float32),
            **self._traits.latent_space(),
        )

    def subjects(self, count: int) -> Array:
        """The subject of each of so many records."""
        return self._random.integers(0, SUBJECTS, count)

    def words(self, side: Side, subjects: Array) -> Words:
        """The words of records of these subjects."""
        return _joined(
            [self._some_words(side, subjects[start : start + _TOGETHER]) for start in _starts(len(subjects))]
        )

    def vectors(self, subjects: Array) -> Array:
        """Embeddings of records of these subjects, [records, 512], quantised."""
        found = np.empty((len(subjects), DIMENSIONS), dtype=np.int8)
        for start in _starts(len(subjects)):
            own = subjects[start : start + _TOGETHER]
            one, other = self._random.integers(0, len(self._pool), (2, len(own)))
            values = 0.6 * self._centres[own] + 0.57 * (self._pool[one] + self._pool[other])
            values /= np.linalg.norm(values, axis=1, keepdims=True)
            values = 0.87 * values + 0.49 * self._middle
            values *= 127 / np.abs(values).max(axis=1, keepdims=True)
            found[start : start + len(own)] = np.rint(values)
        return found

    def languages(self, count: int) -> Array:
        """A language for each of so many records, as its number."""
        return self._random.choice(len(LANGUAGES), count, p=list(LANGUAGES.values()))

    def owners(self, count: int) -> Array:
        """An owner for each of so many records."""
        return self._random.integers(0, OWNERS, count)

    def records(self, side: Side, count: int, first: int) -> Iterator[WorkRecord]:
        """Records as the encode stage hands them over, numbered from `first`."""
        subjects, languages, owners = self.subjects(count), self.languages(count), self.owners(count)
        words, vectors = self.words(side, subjects), self.vectors(subjects)
        english = [self._traits.english(subjects) for _ in range(1 if side is Side.TECHNOLOGY else 2)]
        for row in range(count):
            language, own = list(LANGUAGES)[languages[row]], slice(words.ends[row], words.ends[row + 1])
            sequence = words.sequence[words.starts[row] : words.starts[row + 1]]
            names = [name(language, term) for term in words.terms[own].tolist()]
            party = {
                "id": record_id(side, first + row, int(owners[row])),
                "version": 1,
                "owner": f"m{owners[row]}",
                "visibility": "public",
                "language": language,
                "display": {"title": f"record {row}", "language": language},
                "risk": {},
            }
            yield WorkRecord.model_validate(
                {
                    side.value: party,
                    "encoder": ENCODER,
                    "terms": names,
                    "surfaces": names,
                    "title_counts": words.in_title[own].tolist(),
                    "body_counts": (words.counts - words.in_title)[own].tolist(),
                    "vector": vectors[row].tobytes(),
                    "order": np.searchsorted(words.terms[own], sequence).astype("<u2").tobytes(),
                    "english": b"".join(each[row].tobytes() for each in english) if language == "en" else b"",
                }
            )

    def index(self, side: Side, count: int, model: Model) -> dict[str, Any]:
        """So many records as `ProfileIndex.restore` takes them."""
        languages, owners = self.languages(count), self.owners(count)
        tables: dict[str, Any] = {}
        for number, language in enumerate(LANGUAGES):
            own = np.flatnonzero(languages == number)
            subjects = self.subjects(len(own))
            weigh = _impacts if side is Side.TECHNOLOGY else self._weights
            parts: list[dict[str, Any]] = []
            for start in _starts(len(own)):
                some = subjects[start : start + _TOGETHER]
                words = self._some_words(side, some)
                ends, terms, values, expected = weigh(words, model)
                codes = (terms + number * VOCABULARY).astype(np.uint32)
                parts.append(
                    {
                        "expected": expected,
                        "terms": {"ends": ends, "codes": codes, "values": values},
                        "traits": self._traits.rows(side, words, some, model) if language == "en" else {},
                    }
                )
            made = joined(parts)
            del parts
            vectors = self.vectors(subjects)
            tables[language + "+" * (language == "en")] = {
                "ids": [
                    record_id(side, row, owner) for row, owner in zip(own.tolist(), owners[own].tolist(), strict=True)
                ],
                "named": [],
                "versions": np.ones(len(own), dtype=np.int32),
                "owners": owners[own],
                "languages": np.full(len(own), number),
                "visibilities": np.full(len(own), list(Visibility).index(Visibility.PUBLIC)),
                "floors": np.full(len(own), -np.inf),
                "alive": np.ones(len(own), dtype=np.bool_),
                "directions": {
                    "vectors": vectors,
                    "lengths": lengths(vectors),
                },
                **made,
            }
        return {
            "terms": [name(language, term) for language in LANGUAGES for term in range(VOCABULARY)],
            "owners": [f"m{owner}" for owner in range(OWNERS)],
            "tags": list(LANGUAGES),
            "tables": tables,
        }

    def _directions(self, count: int, spread: Array) -> npt.NDArray[np.float32]:
        values = self._random.standard_normal((count, DIMENSIONS), dtype=np.float32) * spread.astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    def _some_words(self, side: Side, subjects: Array) -> Words:
        """Draws with replacement: a term drawn twice is a term that occurs twice."""
        median, spread = _LENGTHS[side]
        lengths = np.exp(self._random.normal(math.log(median), spread, len(subjects))).astype(np.int64)
        lengths = np.clip(lengths, 2 * TITLE, _MOST_WORDS)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        record = np.repeat(np.arange(len(subjects)), lengths)
        terms = self._table[self._random.integers(0, _TABLE, ends[-1])]
        of_subject = self._random.random(ends[-1], dtype=np.float32) < OWN_SHARE
        which = self._random.integers(0, SUBJECT_TERMS, int(of_subject.sum()))
        terms[of_subject] = self._subject_terms[subjects[record[of_subject]], which]
        in_title = np.arange(ends[-1]) - ends[record] < TITLE
        sequence = terms.copy()
        # One number for each word, so that sorting numbers is all it takes to count equal ones.
        words = np.sort((record * VOCABULARY + terms) * 2 + in_title)
        keys, titles = words >> 1, words & 1
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        counts = np.diff(np.append(starts, len(keys)))
        found = keys[starts]
        return Words(
            np.searchsorted(found, np.arange(len(subjects) + 1) * VOCABULARY),
            (found % VOCABULARY).astype(np.int32),
            counts.astype(np.int32),
            np.add.reduceat(titles, starts).astype(np.int32),
            ends,
            sequence,
        )

    def _weights(self, words: Words, model: Model) -> tuple[Array, Array, Array, Array]:
        """lexical.query for many records at once."""
        rows = np.repeat(np.arange(len(words.ends) - 1), np.diff(words.ends))
        shares = self.shares[words.terms]
        counts = words.counts + (lexical.TITLE_WEIGHT - 1) * words.in_title
        weights = (1 + np.log(counts)) * (-np.log(shares)) ** lexical.IDF_POWER
        order = np.lexsort((-weights, rows))
        kept = np.sort(order[np.arange(len(order)) - words.ends[rows] < lexical.MOST_QUERY_TERMS])
        rows, shares, weights = rows[kept], shares[kept], weights[kept]
        surprise = np.maximum(shares, 0.01)
        count = len(words.ends) - 1
        squares = np.bincount(rows, weights**2 * surprise * (1 - surprise), count) * model.mean_square_impact
        spread = np.sqrt(squares)
        expected = np.bincount(rows, weights * shares, count) * model.mean_impact / spread
        values = np.rint(lexical.SCALE * weights / spread[rows]).astype(np.uint16)
        return np.searchsorted(rows, np.arange(count + 1)), words.terms[kept], values, expected


def name(language: str, term: int) -> str:
    """How a term of that language reads."""
    return f"{language}{term}"


def record_id(side: Side, number: int, owner: int) -> str:
    """The id of a record."""
    return f"m{owner}/{side.value[0]}{number}"


def _impacts(words: Words, model: Model) -> tuple[Array, Array, Array, Array]:
    """lexical.impacts for many records at once."""
    totals = np.add.reduceat(words.counts, words.ends[:-1])
    lengths = lexical.K1 * (1 - lexical.B + lexical.B * totals / model.average_length)
    lengths = np.repeat(lengths, np.diff(words.ends))
    values = np.rint(lexical.SCALE * words.counts / (words.counts + lengths)).astype(np.uint16)
    return words.ends, words.terms, values, np.zeros(len(totals))


def _joined(parts: list[Words]) -> Words:
    ends, starts = (
        np.concatenate([[0], np.cumsum(np.concatenate([np.diff(getattr(part, name)) for part in parts]))])
        for name in ("ends", "starts")
    )
    terms, counts, in_title, sequence = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("terms", "counts", "in_title", "sequence")
    )
    return Words(ends, terms, counts, in_title, starts, sequence)


def _starts(count: int) -> range:
    return range(0, count, _TOGETHER)
