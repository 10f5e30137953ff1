"""What the cosines of a vector with many others cannot exceed, from a third of what the cosines themselves take.

Embeddings spread unevenly: 192 principal directions hold nine tenths of a real one. That part is kept as a vector of
its own, and of the rest its length: two rests add at most the product of their lengths (Cauchy and Schwarz). A scan of
half a million embeddings waits for memory, so fewer bytes are less time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.matching.arrays import Column
from services.matching.directions import Directions, Floats
from services.matching.vectors import Vector, quantised_rows

KEPT = 192
"""Dimensions. A Chinese demand that needs a cosine of .4 with one of 16,155 real English technologies has 2 % of them
left; with 128 dimensions 14 %, with 256 .5 %, but those take half as long again to scan."""
LEAST = 16_384
"""Rows from which bounds are worth it."""
_SAMPLE = 8_192
"""Rows that the directions are found from. Any directions give true bounds; good ones give close bounds."""
_TOGETHER = 32_768
_ROUNDING = 1e-5
"""More than single precision loses in 512 sums."""

Singles = npt.NDArray[np.float32]


class Bounds:
    """Of one table of directions; follows it as it grows."""

    def __init__(self, directions: Directions) -> None:
        self._whole = directions
        self.clear()

    def clear(self) -> None:
        """The table holds others than before."""
        self._axes: Singles | None = None
        """[dimensions, KEPT], orthonormal."""
        self._parts = Directions(KEPT)
        self._kept, self._left = Column(np.float32), Column(np.float32)
        """The lengths of a row's part and of its rest, where the row itself has the length 1."""
        self._error = 0.0
        """How far a part's direction lies from its own in whole numbers, at most."""

    def of(self, vector: Vector) -> Floats:
        """No cosine of a row with the vector is greater; the cosines themselves where there are few rows."""
        if len(self._whole.vectors) < LEAST:
            return self._whole.cosines(vector)
        self._follow()
        parts, (kept,), (left,), error = self._split(vector[np.newaxis])
        found = self._parts.cosines(parts[0])
        found *= kept * self._kept.values
        found += left * self._left.values + (self._error + error + _ROUNDING)
        return found

    def _follow(self) -> None:
        vectors = self._whole.vectors
        if self._axes is None:
            sample = _units(vectors[:: max(len(vectors) // _SAMPLE, 1)])
            _, axes = np.linalg.eigh(sample.T @ sample)
            self._axes = np.ascontiguousarray(axes[:, -KEPT:])
        for start in range(len(self._kept), len(vectors), _TOGETHER):
            parts, kept, left, error = self._split(vectors[start : start + _TOGETHER])
            self._parts.extend(parts)
            self._kept.extend(kept)
            self._left.extend(left)
            self._error = max(self._error, error)

    def _split(self, vectors: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int8], Singles, Singles, float]:
        """The parts in whole numbers, their lengths, those of the rests, and the greatest error of the first."""
        assert self._axes is not None
        parts = _units(vectors) @ self._axes
        whole = quantised_rows(parts)
        kept = np.linalg.norm(parts, axis=1)
        left = np.sqrt(np.maximum(1 - kept * kept, 0))
        return whole, kept, left, float(np.linalg.norm(_units(parts) - _units(whole), axis=1).max())


def _units(vectors: npt.NDArray[np.int8] | Singles) -> Singles:
    """Rows of the length 1, or 0."""
    found = vectors.astype(np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
