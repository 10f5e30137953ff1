"""The directions of many records, and their cosines with one other."""

from __future__ import annotations

from collections.abc import Mapping

import numkong
import numpy as np
import numpy.typing as npt

from services.matching.arrays import Array, Column
from services.matching.vectors import Vector, length

Floats = npt.NDArray[np.float64]

_NARROW = 4
"""Dot products are computed for all rows where more than one in four is wanted: gathering costs as much as that."""


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

    def cosines(self, vector: Vector, rows: Array | None = None) -> Floats:
        """Of these rows, or of all, with a vector: to the last bit what `vectors.cosine` says."""
        if rows is not None and len(rows) * _NARROW > len(self._lengths):
            return self.cosines(vector)[rows]
        vectors, lengths = self._vectors.values, self._lengths.values
        if rows is not None:
            vectors, lengths = vectors.take(rows, axis=0), lengths[rows]
        if not len(vectors):
            return np.zeros(0)
        # Whole numbers, added as whole numbers.
        dots = np.asarray(numkong.cdist(vector[np.newaxis], vectors, "dot"), dtype=np.float64).ravel()
        products = lengths * length(vector)
        return np.divide(dots, products, out=np.zeros(len(dots)), where=products > 0)

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
