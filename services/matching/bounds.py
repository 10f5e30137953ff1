"""What the cosines of a vector with many others cannot exceed, from a third of what the cosines themselves take.

Embeddings spread unevenly: 192 principal directions hold nine tenths of a real one. That part is kept as a vector of
its own, and of the rest its length: two rests add at most the product of their lengths (Cauchy and Schwarz). A scan of
half a million embeddings waits for memory, so fewer bytes are less time.
"""

from __future__ import annotations

import numkong
import numpy as np
import numpy.typing as npt

from services.matching.arrays import Column
from services.matching.directions import Directions
from services.matching.vectors import Vector, lengths, quantised_rows

KEPT = 192
"""Dimensions. Of 16,155 real English technologies they leave a Chinese demand 3 %; 128 would leave 17 %, and 256 .9 %,
but those take half as long again to scan (docs/adr/0034)."""
LEAST = 16_384
"""Rows from which bounds are worth it."""
_SAMPLE = 8_192
"""Rows that the directions are found from. Any directions give true bounds; good ones give close bounds."""
_TOGETHER = 8_192
"""Rows that are worked on while they are in the processor's cache."""
_ROUNDING = 1e-5
"""More than single precision loses in 512 sums, and so the square of a rest that may be taken for none."""

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
        self._parts = Column(np.int8, KEPT)
        """In whole numbers."""
        self._scales = Column(np.float32)
        """What makes them as long as they are, where the row itself has the length 1."""
        self._rests = Column(np.float32)
        """The length of each row's rest."""
        self._error = 0.0
        """How far a part's direction lies from its own in whole numbers, at most."""

    def of(self, vector: Vector) -> npt.NDArray[np.floating]:
        """No cosine of a row with the vector is greater; the cosines themselves where there are few rows."""
        if len(self._whole.vectors) < LEAST:
            return self._whole.cosines(vector)
        self._follow()
        part, (scale,), (rest,), error = self._split(vector[np.newaxis])
        parts, scales, rests = self._parts.values, scale * self._scales.values, rest * self._rests.values
        rests += self._error + error + _ROUNDING
        found = np.empty(len(parts), dtype=np.float32)
        for start in range(0, len(parts), _TOGETHER):
            some = slice(start, start + _TOGETHER)
            # Whole numbers below 2^24: exact in single precision.
            dots = np.asarray(numkong.cdist(part, parts[some], "dot", out_dtype="float32")).ravel()
            np.multiply(dots, scales[some], out=found[some])
            found[some] += rests[some]
        return found

    def _follow(self) -> None:
        vectors = self._whole.vectors
        if self._axes is None:
            sample = _units(vectors[:: max(len(vectors) // _SAMPLE, 1)])
            _, axes = np.linalg.eigh(sample.T @ sample)
            self._axes = np.ascontiguousarray(axes[:, -KEPT:])
        for start in range(len(self._parts), len(vectors), _TOGETHER):
            parts, scales, rests, error = self._split(vectors[start : start + _TOGETHER])
            self._parts.extend(parts)
            self._scales.extend(scales)
            self._rests.extend(rests)
            self._error = max(self._error, error)

    def _split(self, vectors: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int8], Singles, Singles, float]:
        """The parts in whole numbers, their scales, the lengths of the rests, and the greatest error of a direction."""
        assert self._axes is not None
        parts = _units(vectors) @ self._axes
        whole = quantised_rows(parts)
        kept = np.linalg.norm(parts, axis=1)
        scales = (kept / np.maximum(lengths(whole), 1)).astype(np.float32)
        rests = np.sqrt(np.maximum(1 - kept * kept, 0) + _ROUNDING)
        return whole, scales, rests, float(np.linalg.norm(_units(parts) - _units(whole), axis=1).max())


def _units(vectors: npt.NDArray[np.int8] | Singles) -> Singles:
    """Rows of the length 1, or 0."""
    found = vectors.astype(np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
