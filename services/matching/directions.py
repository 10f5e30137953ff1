"""The directions of many records, and their cosines with one other."""

from __future__ import annotations

from collections.abc import Mapping

import numkong
import numpy as np
import numpy.typing as npt

from services.matching.arrays import Array, Column
from services.matching.vectors import Vector, length, lengths

Floats = npt.NDArray[np.float64]

_TOGETHER = 8_192
"""Rows whose products are turned into cosines while they are still in the processor's cache."""
_SHORT = 64
"""Dimensions up to which a gathered row costs twice a row in passing (40 against 18 ns); of 384 and 512, five times."""


class Directions:
    """One quantised vector a row."""

    def __init__(self, dimensions: int) -> None:
        self._vectors = Column(np.int8, dimensions)
        self._lengths = Column(np.float64)

    @property
    def vectors(self) -> npt.NDArray[np.int8]:
        """[rows, dimensions]"""
        return self._vectors.values

    def append(self, vector: Vector) -> None:
        """One more."""
        self._vectors.append(vector)
        self._lengths.append(length(vector))

    def extend(self, vectors: Vector) -> None:
        """Several more, [rows, dimensions]."""
        self._vectors.extend(vectors)
        self._lengths.extend(lengths(vectors))

    def cosines(self, vector: Vector, rows: Array | None = None) -> Floats:
        """Of these rows, or of all, with a vector: to the last bit what `vectors.cosine` says."""
        vectors, row_lengths, own_length = self._vectors.values, self._lengths.values, length(vector)
        if rows is not None and len(rows) * (2 if len(vector) <= _SHORT else 5) > len(row_lengths):
            return self.cosines(vector)[rows]
        found = np.zeros(len(row_lengths) if rows is None else len(rows))
        for start in range(0, len(found), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            some = part if rows is None else rows[part]
            # Whole numbers, added as whole numbers.
            dots = np.asarray(numkong.cdist(vector[np.newaxis], vectors[some], "dot"), dtype=np.float64).ravel()
            products = row_lengths[some] * own_length
            np.divide(dots, products, out=found[part], where=products > 0)
        return found

    def keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Forgets all other rows."""
        for column in (self._vectors, self._lengths):
            column.replace(column.values[kept])

    def arrays(self) -> dict[str, Array]:
        """Fit for `restore`."""
        return {"vectors": self._vectors.values, "lengths": self._lengths.values}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """These and no others."""
        self._vectors.replace(arrays["vectors"])
        self._lengths.replace(arrays["lengths"])
