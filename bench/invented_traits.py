"""What the second stage looks at, for the invented English records of the benchmark: made as arrays.

Alike to real ones (16,155 technologies, 301 demands, US SBIR) in how near records lie to each other: quantiles 50, 95,
99, 99.9 of the cosine of English embeddings .10, .30, .39, .51, of the cosine of subjects .25, .50, .64, .78.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from services.matching import latent, lexical
from services.matching.profile import ENGLISH_DIMENSIONS
from services.matching.statistics import Model, fingerprint
from services.matching.traits import LEAD, LEVELS, LOGARITHMS, SHARPER, STEEP, TITLE
from services.matching.vectors import lengths, quantised_rows
from shared.contracts.events import Side

Array = npt.NDArray[Any]

LATENT_TERMS = 20_000
"""The commonest English terms have a place in the space of subjects."""
_OWN = 3.0
"""How much a subject's terms point its way, against what they have of no subject."""
_COMMON = 0.55
_WEIGHT_STEPS = 64


class InventedTraits:
    """Draws what `InventedRows` does not: directions, and phrases by their fingerprints."""

    def __init__(self, random: np.random.Generator, names: Sequence[str], subject_terms: Array, fields: int) -> None:
        self._random = random
        self.fingerprints = np.array([fingerprint(name) for name in names], dtype=np.uint32)
        self._leading = np.array([fingerprint(f"{name} ") for name in names], dtype=np.uint32)
        self._lengths = np.array([len(name) for name in names])
        self._shifts = {int(length): _shift(int(length)) for length in np.unique(self._lengths)}
        field = np.arange(len(subject_terms)) % fields
        spread = (np.arange(ENGLISH_DIMENSIONS) + 6.0) ** -0.65
        near = _directions(random, fields, ENGLISH_DIMENSIONS, spread)[field]
        self._centres = 0.6 * near + 0.8 * _directions(random, len(field), ENGLISH_DIMENSIONS, spread)
        self._pool = _directions(random, 8_192, ENGLISH_DIMENSIONS, spread)
        self._middle = _directions(random, 1, ENGLISH_DIMENSIONS)[0]
        near = _directions(random, fields, latent.DIMENSIONS)[field]
        centres = 0.7 * near + 0.7 * _directions(random, len(field), latent.DIMENSIONS)
        directions = random.standard_normal((LATENT_TERMS, latent.DIMENSIONS)) / latent.DIMENSIONS**0.5
        for subject, terms in enumerate(subject_terms):
            directions[terms] += _OWN * centres[subject]
        directions += _COMMON * _directions(random, 1, latent.DIMENSIONS)[0]
        self._scale = np.abs(directions).max() / 127
        self._directions = np.rint(directions / self._scale).astype(np.int8)

    def latent_space(self) -> dict[str, Array]:
        """The fields of the model that place terms in the space of subjects."""
        order = np.argsort(self.fingerprints[:LATENT_TERMS])
        return {
            "latent_fingerprints": self.fingerprints[:LATENT_TERMS][order],
            "latent_directions": self._directions[order],
            "latent_scales": np.full(latent.DIMENSIONS, self._scale),
        }

    def english(self, subjects: Array) -> Array:
        """English embeddings of records of these subjects, [records, 384], quantised."""
        one, other = self._random.integers(0, len(self._pool), (2, len(subjects)))
        values = 0.72 * self._centres[subjects] + 0.48 * (self._pool[one] + self._pool[other])
        values = 0.95 * values / np.linalg.norm(values, axis=1, keepdims=True) + 0.3 * self._middle
        return quantised_rows(values)

    def rows(self, side: Side, words: Any, subjects: Array, model: Model) -> dict[str, Any]:
        """Traits of some records as `TraitRows.restore` takes them; `words`: invented_rows.Words of English ones."""
        places = _places(words)
        in_body, in_lead = words.counts - words.in_title, _in_lead(words, *places)
        terms = _Listed(words.ends, self.fingerprints[words.terms], words.in_title, in_body, in_lead)
        phrases = self._phrases(words, *places)
        idf, phrase_idf = model.idf(terms.prints), model.idf(phrases.prints)
        make = self._technologies if side is Side.TECHNOLOGY else self._demands
        columns = make(terms, phrases, idf, phrase_idf, words, model)
        english = self.english(subjects)
        columns["english"] = {"vectors": english, "lengths": lengths(english)}
        if side is Side.DEMAND:
            columns["english_title"] = self.english(subjects)
        return columns

    def _technologies(
        self, terms: _Listed, phrases: _Listed, idf: Array, phrase_idf: Array, words: Any, model: Model
    ) -> dict[str, Any]:
        counts = terms.title + terms.body
        weights, phrase_weights = LOGARITHMS[counts] * idf, LOGARITHMS[phrases.title + phrases.body] * phrase_idf
        length = terms.total(counts) / model.average_length
        scales = [
            lexical.K1 * (1 - lexical.B + lexical.B * length),
            SHARPER[0] * (1 - SHARPER[1] + SHARPER[1] * length),
            terms.total(weights),
            np.sqrt(terms.total(weights**2)),
            np.sqrt(phrases.total(phrase_weights**2)),
        ]
        return {
            "terms": terms.columns(counts=counts),
            "phrases": phrases.columns("phrases", phrase_counts=phrases.title + phrases.body),
            "latent": self._latent(words, lambda title, body, of: LOGARITHMS[title + body] * of, model),
            "scales": _positive(scales),
        }

    def _demands(
        self, terms: _Listed, phrases: _Listed, idf: Array, phrase_idf: Array, words: Any, model: Model
    ) -> dict[str, Any]:
        title, body = terms.title, terms.body
        steep = LOGARITHMS[np.minimum(lexical.TITLE_WEIGHT * title + body, LEVELS - 1)] * idf**STEEP
        ranks = terms.ranks(steep)
        sharp = LOGARITHMS[np.minimum(SHARPER[2] * title + body, LEVELS - 1)] * idf * idf
        both = LOGARITHMS[np.minimum(TITLE * title + body, LEVELS - 1)] * idf
        alone, named = LOGARITHMS[body] * idf, np.where(title > 0, idf, 0.0)
        opened = LOGARITHMS[np.minimum(lexical.TITLE_WEIGHT * title + terms.lead, LEVELS - 1)] * idf**STEEP
        both_opened = LOGARITHMS[np.minimum(TITLE * title + terms.lead, LEVELS - 1)] * idf
        said = LOGARITHMS[np.minimum(TITLE * phrases.title + phrases.body, LEVELS - 1)] * phrase_idf
        said_first = LOGARITHMS[np.minimum(TITLE * phrases.title + phrases.lead, LEVELS - 1)] * phrase_idf
        shares = np.maximum(np.exp(-idf), lexical.RAREST_SURPRISE)
        scales = [
            np.sqrt(terms.total(steep**2 * shares * (1 - shares))),
            np.sqrt(terms.total(sharp**2 * shares * (1 - shares))),
            terms.total(LOGARITHMS[body] * idf**STEEP),
            *(np.sqrt(terms.total(values**2)) for values in (both, alone, named)),
            terms.total(named),
            terms.total(named * idf),
            *(terms.total(np.where(ranks < most, steep, 0.0)) for most in (10, 20, 50)),
            np.sqrt(phrases.total(said**2)),
            phrases.total(said),
            phrases.total(np.where(phrases.title > 0, phrase_idf, 0.0)),
            np.sqrt(terms.total(opened**2 * shares * (1 - shares))),
            np.sqrt(terms.total(both_opened**2)),
            np.sqrt(phrases.total(said_first**2)),
            phrases.total(said_first),
        ]
        return {
            "terms": terms.columns(
                title_counts=title, body_counts=body, lead_counts=terms.lead, idf=idf.astype(np.float32), ranks=ranks
            ),
            "phrases": phrases.columns(
                "phrases",
                phrase_title_counts=phrases.title,
                phrase_body_counts=phrases.body,
                phrase_lead_counts=phrases.lead,
                phrase_idf=phrase_idf.astype(np.float32),
            ),
            "latent": self._latent(
                words, lambda title, body, of: LOGARITHMS[np.minimum(TITLE * title + body, LEVELS - 1)] * of, model
            ),
            "latent_title": self._latent(words, lambda title, body, of: np.where(title > 0, of, 0.0), model)["vectors"],
            "scales": _positive(scales),
        }

    def _latent(self, words: Any, weigh: Callable[[Array, Array, Array], Array], model: Model) -> dict[str, Array]:
        idf = model.idf(self.fingerprints[words.terms])
        weights = weigh(words.in_title, words.counts - words.in_title, idf)
        known = np.where(words.terms < LATENT_TERMS, np.rint(_WEIGHT_STEPS * weights), 0.0)
        shape = len(words.ends) - 1, LATENT_TERMS
        by_record = csr_array((known, np.minimum(words.terms, LATENT_TERMS - 1), words.ends), shape)
        vectors = quantised_rows(by_record @ self._directions.astype(np.float64))
        return {"vectors": vectors, "lengths": lengths(vectors)}

    def _phrases(self, words: Any, record: Array, place: Array) -> _Listed:
        """Neighbouring words, but for the last of the title and the first of the body; `record`, `place`: _places."""
        one, other = words.sequence[:-1], words.sequence[1:]
        inside = (record[1:] == record[:-1]) & (place[1:] != 0)
        prints = np.empty(len(one), dtype=np.uint32)
        for length, shift in self._shifts.items():
            here = self._lengths[other] == length
            prints[here] = shift(self._leading[one[here]]) ^ self.fingerprints[other[here]]
        place = place[1:][inside]
        keys = record[1:][inside] << 32 | prints[inside].astype(np.int64)
        found, back = np.unique(keys, return_inverse=True)
        ends = np.searchsorted(found, np.arange(len(words.starts)) << 32)
        title, body, lead = (
            np.bincount(back, where, len(found)) for where in (place < 0, place > 0, (place > 0) & (place < LEAD))
        )
        return _Listed(ends, (found & 0xFFFFFFFF).astype(np.uint32), title, body, lead)


class _Listed:
    """Terms or phrases of some records with their counts, by ascending fingerprint."""

    def __init__(self, ends: Array, prints: Array, *counts: Array) -> None:
        """`counts`: in the title, in the text, and in its lead."""
        self.ends = ends
        self._count = len(ends) - 1
        self._record = np.repeat(np.arange(self._count), np.diff(ends))
        order = np.lexsort((prints, self._record))
        self.prints = prints[order]
        self.title, self.body, self.lead = (each[order].astype(np.int64) for each in counts)

    def total(self, values: Array) -> Array:
        """The sum of each record."""
        return np.bincount(self._record, values, self._count)

    def ranks(self, weights: Array) -> Array:
        """0 for the weightiest of each record."""
        order = np.lexsort((self.prints, -weights, self._record))
        ranks = np.empty(len(order), dtype=np.uint16)
        ranks[order] = np.minimum(np.arange(len(order)) - self.ends[self._record], 65_535)
        return ranks

    def columns(self, name: str = "terms", **columns: Array) -> dict[str, Array]:
        """As `Lists.restore` takes them."""
        whole = {
            each: values.astype(np.uint16) if values.dtype == np.int64 else values for each, values in columns.items()
        }
        return {"ends": self.ends, name: self.prints, **whole}


def _places(words: Any) -> tuple[Array, Array]:
    """Of each word in turn its record and its place in the text; below 0 in the title."""
    lengths, terms = np.diff(words.starts), np.diff(words.ends)
    titles = np.bincount(np.repeat(np.arange(len(terms)), terms), words.in_title, len(terms)).astype(np.int64)
    place = np.arange(len(words.sequence)) - np.repeat(words.starts[:-1] + titles, lengths)
    return np.repeat(np.arange(len(lengths)), lengths), place


def _in_lead(words: Any, record: Array, place: Array) -> Array:
    """Of each record's terms, how often they stand in its lead; `record`, `place`: _places."""
    lead = (place >= 0) & (place < LEAD)
    of = np.repeat(np.arange(len(words.ends) - 1), np.diff(words.ends))
    rows = np.searchsorted(of << 32 | words.terms, record[lead] << 32 | words.sequence[lead])
    return np.bincount(rows, minlength=len(words.terms))


def joined(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The rows of several parts as those of one."""
    every = list(parts)
    whole: dict[str, Any] = {}
    for name, value in every[0].items():
        if isinstance(value, dict):
            whole[name] = joined(part[name] for part in every)
        elif name == "ends":
            sizes = np.concatenate([np.diff(part[name]) for part in every])
            whole[name] = np.concatenate([[0], np.cumsum(sizes)])
        else:
            whole[name] = np.concatenate([part[name] for part in every])
    return whole


def _shift(length: int) -> Callable[[Array], Array]:
    """What `length` more bytes make of the fingerprint of a beginning, so that with the fingerprint of the rest
    (exclusive or) it is that of the whole (CRC-32 is linear)."""
    zeros = "\0" * length
    nothing = fingerprint(zeros)

    def table(byte: int) -> Array:
        # A beginning with this fingerprint has no such text; but the step of one bit is the same for every text.
        return np.array([_shifted(value << 8 * byte, length) for value in range(256)], dtype=np.uint32)

    tables = [table(byte) for byte in range(4)]
    assert _shifted(fingerprint("ab"), length) ^ nothing == fingerprint("ab" + zeros)

    def shift(prints: Array) -> Array:
        found = tables[0][prints & 0xFF]
        for byte in range(1, 4):
            found = found ^ tables[byte][prints >> np.uint32(8 * byte) & 0xFF]
        return found

    return shift


def _shifted(print_: int, length: int) -> int:
    """CRC-32 without its first and last inversion, over so many zero bytes."""
    for _ in range(8 * length):
        print_ = print_ >> 1 ^ (0xEDB88320 if print_ & 1 else 0)
    return print_


def _directions(
    random: np.random.Generator, count: int, dimensions: int, spread: Array | float = 1.0
) -> npt.NDArray[np.float32]:
    values = random.standard_normal((count, dimensions), dtype=np.float32) * np.asarray(spread, dtype=np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def _positive(columns: Sequence[Array]) -> Array:
    stacked = np.stack(columns, axis=1)
    return np.where(stacked > 0, stacked, 1.0)
