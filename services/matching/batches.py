"""The traits of several English records laid end to end: what features are computed from, and kept for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching import latent
from services.matching.arrays import Array, Column, Lists
from services.matching.directions import Directions
from services.matching.profile import ENGLISH_DIMENSIONS
from services.matching.traits import DemandTraits, TechnologyTraits
from shared.contracts.events import Side

Traits = TechnologyTraits | DemandTraits


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Traits of one side; see there for what each column means."""

    sizes: Array
    """Terms of each record."""
    terms: Mapping[str, Array]
    """Columns of all records' terms."""
    phrase_sizes: Array
    phrases: Mapping[str, Array]
    records: Mapping[str, Array]
    """Columns with a row for each record: scales and vectors."""

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which of a side's traits are what, and how they are held."""

    kind: type[TechnologyTraits] | type[DemandTraits]
    terms: Mapping[str, npt.DTypeLike]
    phrases: Mapping[str, npt.DTypeLike]
    scales: int
    others: Mapping[str, int]
    """Vectors besides latent and english, with their dimensions."""


_OF: Mapping[Side, _Columns] = {
    Side.TECHNOLOGY: _Columns(
        TechnologyTraits,
        {"terms": np.uint32, "counts": np.uint16},
        {"phrases": np.uint32, "phrase_counts": np.uint16},
        5,
        {},
    ),
    Side.DEMAND: _Columns(
        DemandTraits,
        {
            "terms": np.uint32,
            "title_counts": np.uint16,
            "body_counts": np.uint16,
            "lead_counts": np.uint16,
            "idf": np.float32,
            "ranks": np.uint16,
        },
        {
            "phrases": np.uint32,
            "phrase_title_counts": np.uint16,
            "phrase_body_counts": np.uint16,
            "phrase_lead_counts": np.uint16,
            "phrase_idf": np.float32,
        },
        18,
        {"latent_title": latent.DIMENSIONS, "english_title": ENGLISH_DIMENSIONS},
    ),
}


def together(traits: Sequence[Traits]) -> Batch:
    """One batch of records of one side, at least one."""
    columns = _OF[Side.DEMAND if isinstance(traits[0], DemandTraits) else Side.TECHNOLOGY]

    def joined(names: Mapping[str, object]) -> dict[str, Array]:
        return {name: np.concatenate([getattr(each, name) for each in traits]) for name in names}

    return Batch(
        np.array([len(each.terms) for each in traits]),
        joined(columns.terms),
        np.array([len(each.phrases) for each in traits]),
        joined(columns.phrases),
        {
            name: np.stack([np.asarray(getattr(each, name)) for each in traits])
            for name in ("scales", "latent", "english", *columns.others)
        },
    )


class TraitRows:
    """The traits of every row of a table of English records."""

    def __init__(self, side: Side) -> None:
        self._of = _OF[side]
        self._terms = Lists(**self._of.terms)
        self._phrases = Lists(**self._of.phrases)
        self.latent = Directions(latent.DIMENSIONS)
        self.english = Directions(ENGLISH_DIMENSIONS)
        self._others = {
            "scales": Column(np.float64, self._of.scales),
            **{name: Column(np.int8, dimensions) for name, dimensions in self._of.others.items()},
        }

    def append(self, traits: Traits) -> None:
        """One more row."""
        self._terms.append(**{name: getattr(traits, name) for name in self._of.terms})
        self._phrases.append(**{name: getattr(traits, name) for name in self._of.phrases})
        self.latent.append(traits.latent)
        self.english.append(traits.english)
        for name, column in self._others.items():
            column.append(getattr(traits, name))

    def take(self, rows: Array) -> Batch:
        """The traits of these rows."""
        vectors = {"latent": self.latent.vectors, "english": self.english.vectors}
        others = {name: column.values for name, column in self._others.items()}
        records = {name: values.take(rows, axis=0) for name, values in (vectors | others).items()}
        return Batch(*self._terms.take(rows), *self._phrases.take(rows), records)

    def traits(self, row: int) -> Traits:
        """Those of one row, as they were appended."""
        batch = self.take(np.array([row]))
        records: dict[str, Any] = {name: values[0] for name, values in batch.records.items()}
        records["scales"] = tuple(records["scales"].tolist())
        return self._of.kind(**batch.terms, **batch.phrases, **records)

    def keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Forgets all other rows."""
        for part in (self._terms, self._phrases, self.latent, self.english):
            part.keep(kept)
        for column in self._others.values():
            column.replace(column.values[kept])

    def arrays(self) -> dict[str, Any]:
        """Fit for `restore`."""
        return {
            "terms": self._terms.arrays(),
            "phrases": self._phrases.arrays(),
            "latent": self.latent.arrays(),
            "english": self.english.arrays(),
            **{name: column.values for name, column in self._others.items()},
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Takes over what `arrays` gave."""
        self._terms.restore(arrays["terms"])
        self._phrases.restore(arrays["phrases"])
        self.latent.restore(arrays["latent"])
        self.english.restore(arrays["english"])
        for name, column in self._others.items():
            column.replace(arrays[name])
